//! The suite over the back end `mapped`.

use journal::BackEnd;

/// What the suite's directories are written through.
const BACK_END: BackEnd = BackEnd::Mapped;

mod suite;

use suite::support;
