//! A sync that runs beside the writer, on a thread of its own. Knows nothing of watermarks.

use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, JoinHandle};

use crate::storage::Syncer;

pub(crate) struct Background {
    orders: Option<Sender<Syncer>>,
    done: Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    pub fn start() -> io::Result<Background> {
        let (orders, ordered) = channel::<Syncer>();
        let (finished, done) = channel();
        let work = move || {
            for syncer in ordered {
                if finished.send(syncer()).is_err() {
                    return;
                }
            }
        };
        let thread = Some(Builder::new().name("journal-sync".into()).spawn(work)?);
        Ok(Background { orders: Some(orders), done, thread })
    }

    pub fn order(&mut self, syncer: Syncer) -> io::Result<()> {
        self.orders.as_ref().ok_or_else(gone)?.send(syncer).map_err(|_| gone())
    }

    /// What became of the sync that was ordered; none while it runs.
    pub fn look(&mut self) -> Option<io::Result<()>> {
        match self.done.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(gone())),
        }
    }

    pub fn wait(&mut self) -> io::Result<()> {
        self.done.recv().map_err(|_| gone())?
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that syncs has ended")
}

impl Drop for Background {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it has already shown itself as a failed sync.
            let _ = thread.join();
        }
    }
}
