//! What can go wrong for a member, each a sentence that says what to do next, and whether a new logon can heal it.

use std::fmt;

use engine::limits::QUOTE_ENTRIES_MAX;
use engine::reject::Reject;

/// What went wrong; its text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// The key file cannot be used.
    Key(String),
    /// No connection came about.
    Unreachable(String),
    /// The venue answered the logon with no.
    Refused(Reject, String),
    /// The venue said goodbye; `None` is a goodbye without a reason.
    LoggedOut(Option<Reject>, String),
    /// The connection broke.
    Closed(String),
    /// Nothing was heard for two keep-alives.
    Silent {
        /// Since the venue's last word.
        waited_ms: u64,
    },
    /// A message of the venue is missing in front of `received`.
    Gap {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        received: u64,
    },
    /// The venue keeps no longer what was asked for.
    Forgotten {
        /// The first number that is missing here.
        asked: u64,
        /// The first that the venue keeps.
        oldest: u64,
    },
    /// The venue's count of this client's commands is not this client's.
    Diverged {
        /// The next command's number by this client.
        mine: u64,
        /// And by the venue.
        venue: u64,
    },
    /// The venue sent what no venue sends.
    Protocol(String),
    /// As many commands wait for their answers as `ConnectOptions::unanswered_max` allows.
    TooManyUnanswered(usize),
    /// More entries than one mass quote may have.
    TooManyQuotes(usize),
    /// There is no connection.
    Disconnected,
}

impl ClientError {
    /// Whether a new logon may succeed where this happened.
    pub fn heals(&self) -> bool {
        match self {
            ClientError::Unreachable(_)
            | ClientError::Closed(_)
            | ClientError::Silent { .. }
            | ClientError::Gap { .. }
            | ClientError::Protocol(_)
            | ClientError::LoggedOut(None, _)
            | ClientError::Disconnected => true,
            ClientError::Refused(code, _) | ClientError::LoggedOut(Some(code), _) => passes(*code),
            ClientError::Key(_)
            | ClientError::Forgotten { .. }
            | ClientError::Diverged { .. }
            | ClientError::TooManyUnanswered(_)
            | ClientError::TooManyQuotes(_) => false,
        }
    }
}

/// A displaced client does not come back by itself: two of them would throw each other out for ever.
fn passes(code: Reject) -> bool {
    matches!(
        code,
        Reject::ServerShutdown
            | Reject::LogonRate
            | Reject::ChallengeExpired
            | Reject::SlowConsumer
            | Reject::HeartbeatLost
            | Reject::NotPrimary
            | Reject::JournalFull
    )
}

impl fmt::Display for ClientError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Key(why) => {
                write!(out, "{why}; make a key with `openssl genpkey -algorithm ED25519` and register it")
            }
            ClientError::Unreachable(why) => write!(out, "{why}; is the venue running at this address?"),
            ClientError::Refused(code, text) => {
                write!(out, "the venue refused the logon, code {}: {text}; {}", code.code(), remedy(*code))
            }
            ClientError::LoggedOut(Some(code), text) => {
                write!(
                    out,
                    "the venue logged this session out, code {}: {text}; {}",
                    code.code(),
                    remedy(*code)
                )
            }
            ClientError::LoggedOut(None, text) => {
                write!(out, "the venue logged this session out ({text}); reconnect")
            }
            ClientError::Closed(why) => write!(out, "the connection was lost: {why}; reconnect"),
            ClientError::Silent { waited_ms } => {
                write!(out, "the venue was silent for {waited_ms} ms, two keep-alives; reconnect")
            }
            ClientError::Gap { expected, received } => {
                write!(
                    out,
                    "message {expected} was due and {received} came; reconnect, and the venue sends it again"
                )
            }
            ClientError::Forgotten { asked, oldest } => write!(
                out,
                "message {asked} was asked for and the venue keeps only {oldest} and later; \
                 connect anew without a saved position and rebuild from what is replayed"
            ),
            ClientError::Diverged { mine, venue } => write!(
                out,
                "the venue counts its next command of this session as {venue}, this client as {mine}: the session was \
                 used elsewhere, or the venue's history changed; connect anew and rebuild from what is replayed"
            ),
            ClientError::Protocol(why) => {
                write!(
                    out,
                    "the venue sent {why}; reconnect, and check that both sides speak the same version"
                )
            }
            ClientError::TooManyUnanswered(count) => {
                write!(out, "{count} commands wait for an answer; read events before sending more")
            }
            ClientError::TooManyQuotes(count) => {
                write!(out, "a mass quote of {count} entries; say at most {QUOTE_ENTRIES_MAX} at once")
            }
            ClientError::Disconnected => write!(out, "there is no connection; reconnect"),
        }
    }
}

fn remedy(code: Reject) -> &'static str {
    match code {
        Reject::UnknownSession | Reject::UnknownKey | Reject::BadSignature | Reject::KeyRevoked => {
            "check session, key_id and key_file in the client's file"
        }
        Reject::Displaced => "another client uses this session: stop one of the two",
        Reject::SeqRegressed => "the saved position is ahead of the venue: connect anew without it",
        Reject::VersionUnsupported | Reject::SchemaMismatch => "use a client of the venue's version",
        code if passes(code) => "try again in a moment",
        _ => "ask the operator of the venue",
    }
}

impl std::error::Error for ClientError {}
