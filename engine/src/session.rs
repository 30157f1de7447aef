//! Sessions: who may speak, on which connection, and where both of its streams stand. Owns the rules of logon and of the
//! client's sequence numbers (2.2 to 2.4). Slots are given in the order of creation and never show.

use zerocopy::little_endian::{U16, U32, U64};

use crate::command::{Logon, Role, cod_mode};
use crate::drop_copy::Circles;
use crate::event::{LogonAck, LogonReject};
use crate::limits::{FRAME_BYTES_MAX, KEEP_ALIVE_MS_MAX, KEEP_ALIVE_MS_MIN, OUTBOX_MESSAGES};
use crate::message::{ORIGIN_POSSIBLE_RESEND, Origin, SCHEMA_VERSION};
use crate::pool::{NONE, room};
use crate::prefetch;
use crate::reject::Reject;
use crate::table::{HashKey, Table};
use crate::trading_state::TradingState;

/// One cache line, so that a command touches no second one.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Session {
    pub id: u64,
    pub next_client_seq: u64,
    pub next_server_seq: u64,
    /// The connection of the last logon; a new session has none.
    pub connection: Option<u32>,
    pub account: u32,
    /// Those that it entered.
    pub open_orders: u32,
    pub role: Role,
    /// The client ids of its orders only rise (rule 12.2).
    pub rising_ids: bool,
}

/// Client numbers end below this.
const CLIENT_SEQ_END: u64 = 1 << 63;

/// What a client's sequence number means (rule 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Next,
    /// Some numbers before this one never arrived.
    AfterHole {
        from_seq: u64,
        count: u32,
    },
    Repeated,
    Refused(Reject),
}

impl Session {
    pub fn new(id: u64, account: u32, role: Role) -> Session {
        Session {
            id,
            next_client_seq: 1,
            next_server_seq: 1,
            connection: None,
            account,
            open_orders: 0,
            role,
            rising_ids: false,
        }
    }

    /// Rule 2.4. A turn that is taken uses up the number, whatever becomes of the command.
    pub fn take_turn(&mut self, origin: &Origin) -> Turn {
        let (seq, next) = (origin.client_seq.get(), self.next_client_seq);
        if seq < next {
            let resent = origin.flags.get() & ORIGIN_POSSIBLE_RESEND != 0;
            return if resent { Turn::Repeated } else { Turn::Refused(Reject::DuplicateSeq) };
        }
        let Ok(count) = u32::try_from(seq - next) else {
            return Turn::Refused(Reject::SeqOutOfRange);
        };
        if seq >= CLIENT_SEQ_END {
            return Turn::Refused(Reject::SeqOutOfRange);
        }
        self.next_client_seq = seq + 1;
        if count == 0 { Turn::Next } else { Turn::AfterHole { from_seq: next, count } }
    }

    /// Rule 2.2. The connection changes hands only when the logon is accepted.
    pub fn log_on(&mut self, origin: &Origin, logon: &Logon, venue: &VenueTerms) -> Result<LogonAck, Reject> {
        let known = logon.next_server_seq.get();
        if known == 0 {
            return Err(Reject::SeqOutOfRange);
        }
        if known > self.next_server_seq {
            return Err(Reject::SeqRegressed);
        }
        self.connection = Some(origin.connection.get());
        let keep_alive_ms = logon.keep_alive_ms.get().clamp(KEEP_ALIVE_MS_MIN, KEEP_ALIVE_MS_MAX);
        Ok(LogonAck {
            session_id: U64::new(self.id),
            next_client_seq: U64::new(self.next_client_seq),
            next_server_seq: U64::new(self.next_server_seq),
            oldest_server_seq: U64::new(self.next_server_seq.saturating_sub(OUTBOX_MESSAGES).max(1)),
            engine_epoch: U64::new(venue.engine_epoch),
            server_time: U64::new(venue.ts_ns),
            keep_alive_ms: U32::new(keep_alive_ms),
            schema_version: U16::new(SCHEMA_VERSION),
            cod_mode: cod_mode::OFF,
            trading_state: venue.trading_state as u8,
            orders_per_sec: U32::new(0),
            order_burst: U32::new(0),
            max_frame: U32::new(FRAME_BYTES_MAX as u32),
            max_open_orders: U32::new(venue.orders_per_account),
        })
    }
}

/// What a logon is told about the venue.
pub struct VenueTerms {
    pub engine_epoch: u64,
    pub ts_ns: u64,
    pub orders_per_account: u32,
    pub trading_state: TradingState,
}

pub fn logon_reject(session_id: u64, reject: Reject) -> LogonReject {
    let mut text = [0; 32];
    let bytes = reject.text().as_bytes();
    let length = bytes.len().min(text.len());
    text[..length].copy_from_slice(&bytes[..length]);
    LogonReject {
        session_id: U64::new(session_id),
        code: U16::new(reject.code()),
        pad_a: U16::new(0),
        retry_after_ms: U32::new(0),
        schema_version_min: U16::new(SCHEMA_VERSION),
        schema_version_max: U16::new(SCHEMA_VERSION),
        pad_b: U32::new(0),
        text,
    }
}

/// All sessions of the venue.
pub struct Sessions {
    rows: Vec<Session>,
    by_id: Table,
    /// Slots in the order of ids, for walks that must not depend on when a session was made.
    sorted: Vec<u32>,
    pub circles: Circles,
    pub key: HashKey,
    capacity: u32,
}

impl Sessions {
    pub fn new(capacity: u32, key: HashKey) -> Sessions {
        let size = capacity as usize;
        Sessions {
            rows: room(size, Session::new(0, 0, Role::ReadOnly)),
            by_id: Table::new(capacity),
            sorted: room(size, NONE),
            circles: Circles::new(capacity),
            key,
            capacity,
        }
    }

    pub fn find(&self, id: u64) -> Option<u32> {
        self.by_id.find(self.key.hash(id, 0), |slot| self.at(slot).id == id)
    }

    pub fn prefetch_entry(&self, id: u64) {
        self.by_id.prefetch(self.key.hash(id, 0));
    }

    /// What the entry leads to.
    pub fn prefetch_row(&self, id: u64) {
        if let Some(slot) = self.by_id.glance(self.key.hash(id, 0)) {
            self.prefetch(slot);
        }
    }

    pub fn prefetch(&self, slot: u32) {
        prefetch::lines_at(&self.rows, slot as usize);
    }

    pub fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    pub fn len(&self) -> u32 {
        self.rows.len() as u32
    }

    /// A session whose id is not taken, when the table is not full.
    pub fn create(&mut self, session: Session) {
        assert!(!self.is_full(), "a full table was given a session");
        let slot = self.len();
        let place = self.sorted.partition_point(|other| self.at(*other).id < session.id);
        self.rows.push(session);
        self.sorted.insert(place, slot);
        self.by_id.insert(self.key.hash(session.id, 0), slot);
        self.join_circle();
    }

    pub fn at(&self, slot: u32) -> &Session {
        &self.rows[slot as usize]
    }

    pub fn at_mut(&mut self, slot: u32) -> &mut Session {
        &mut self.rows[slot as usize]
    }

    /// All sessions as they stand, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = Session> {
        self.sorted.iter().map(|slot| self.as_it_stands(*slot))
    }
}
