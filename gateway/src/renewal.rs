//! Keys that change while the venue runs: on SIGHUP the operator's file is read again, and of what it says the keys alone take
//! effect. A file with a fault changes nothing. Knows no socket; the gateway closes whoever may be here no longer.

use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::{Handle, Signals};

use crate::cli::{say, warn};
use crate::config::Config;
use crate::keys::Keys;

/// Keys that are to take the place of those before, and where it is said that they have.
pub struct NewKeys {
    pub keys: Keys,
    pub in_force: Sender<()>,
}

/// Listens as long as it lives.
pub struct Renewal {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// The signal, from here on nobody's end.
pub fn listen() -> std::io::Result<Signals> {
    Signals::new([SIGHUP])
}

impl Renewal {
    pub fn start(
        mut signals: Signals,
        directory: &Path,
        renewed: Sender<NewKeys>,
    ) -> std::io::Result<Renewal> {
        let handle = signals.handle();
        let directory = directory.to_owned();
        let answer = move || {
            for _ in &mut signals {
                match Config::load(&directory).and_then(|config| config.keys()) {
                    Ok(keys) => {
                        let shown = keys.shown();
                        let (in_force, taken) = channel();
                        // A gateway that has ended needs none, and says nothing.
                        let _ = renewed.send(NewKeys { keys, in_force });
                        let _ = taken.recv();
                        say(format_args!("keys      {shown}"));
                    }
                    Err(fault) => warn(format_args!("the keys stay as they are: {fault}")),
                }
            }
        };
        let thread = std::thread::Builder::new().name("keys".into()).spawn(answer)?;
        Ok(Renewal { handle, thread: Some(thread) })
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.handle.close();
        // It has nothing to lose, and its message, if it stopped on an assertion, stands on standard error.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
