//! The suite over the back end `direct`.

use journal::BackEnd;

/// What the suite's directories are written through.
const BACK_END: BackEnd = BackEnd::Direct;

mod suite;

use suite::support;
