//! The suite over the back end `written`.

use journal::BackEnd;

/// What the suite's directories are written through.
const BACK_END: BackEnd = BackEnd::Written;

mod suite;

use suite::support;
