//! Versions of the rules. A journal says under which it was begun, and a record in it says from which command on newer
//! ones hold; a replay applies to each command the rules of its time. This build knows those of `RULES.md`.

use std::fmt;

/// The newest rules that this build knows.
pub const LOGIC_VERSION: u32 = 1;
/// The oldest that it can still replay.
pub const LOGIC_VERSION_OLDEST: u32 = 1;

/// Rules that this build does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLogic {
    pub version: u32,
}

impl std::error::Error for UnknownLogic {}

impl fmt::Display for UnknownLogic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.version;
        write!(f, "the journal needs version {wanted} of the rules; this build knows ")?;
        if LOGIC_VERSION_OLDEST == LOGIC_VERSION {
            write!(f, "version {LOGIC_VERSION} only")?;
        } else {
            write!(f, "versions {LOGIC_VERSION_OLDEST} to {LOGIC_VERSION}")?;
        }
        write!(f, "; use the build that wrote it, or a newer one")
    }
}

/// Does this build know the rules of that version?
pub fn check(version: u32) -> Result<(), UnknownLogic> {
    if (LOGIC_VERSION_OLDEST..=LOGIC_VERSION).contains(&version) {
        Ok(())
    } else {
        Err(UnknownLogic { version })
    }
}
