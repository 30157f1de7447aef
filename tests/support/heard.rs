//! What an engine says to one command, as a list.

use engine::event::EventSink;
use engine::message::Origin;
use engine::{Engine, Sequenced};

#[derive(Default)]
struct Heard {
    events: Vec<Vec<u8>>,
}

impl EventSink for Heard {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        self.events.push(payload.to_vec());
        assert_eq!(sub as usize, self.events.len(), "1.3: events are numbered from 1");
    }
}

pub fn answer(engine: &mut Engine, seq: u64, ts_ns: u64, origin: &Origin, message: &[u8]) -> Vec<Vec<u8>> {
    let mut heard = Heard::default();
    engine.apply(&Sequenced { seq, ts_ns, origin, message }, &mut heard);
    heard.events
}
