//! The canonical bytes of an engine. They determine all future behaviour and nothing else: equal engines have equal bytes,
//! whatever their history in memory. Written by one walk; the sink decides whether the bytes are kept, hashed or compared.
//! `restore` reads them back. The digest is of the same bytes, save that the window of closed ids, which is too long to be
//! hashed at every mark, is covered by its sum.
//!
//! All numbers little-endian. A section is a u32 count, then that many records.
//!
//! ```text
//! head        32   version u64 (6) | last_seq u64 | last_ts_ns u64 | open u64 (0: the bytes end here; 1)
//! venue      128   VenueOpen block 80 | next_serial u64 | next_match u64 | waiting taker u64 (0: none) |
//!                  instrument u32 whose triggers are due (0: none) | standstill u8 (0: none, 5 cancel-only, 6 halted) |
//!                  pad u8 | its reason u16 | deposits i128
//! accounts    60   account_id u32 | name 16 | quote i128 | blocked u32 (0, 1) | highest client id u64 (rule 12.2) |
//!                  owner u32 (0: nobody) | looks paid until u64 (rule 12.6; 0: not beyond last_ts_ns)   by id
//! instruments 180  (no combos) InstrumentCreate block 112, `mark` being the present one (pads 0) | state u32 |
//!                  until u64 (0: none) | next_second u64 (in Auction; else 0) | delta i64 | vega i64 | index i64 (ticks; 0: none) |
//!                  last match i64 (ticks; 0: none), lowest i64 and highest i64 since triggers came to rest (0: none)  by id
//! combos     100   ComboCreate block 80 | state u32 | delta i64 | vega i64                                by id
//! sessions    36   session_id u64 | next_client_seq u64 | next_server_seq u64 | account_id u32 | connection u32 |
//!                  role u8 | connected u8 (0: never, connection 0) | rising_ids u8 (0, 1) | pad u8                               by id
//! groups     888   account_id u32 | mmp_group u16 | pad u16 | session_id u64 | window_ms u32 | frozen_ms u32 | qty_limit i64 |
//!                  delta_limit i64 | vega_limit i64 | count_limit u32 | pad u32 | frozen_until u64 | newest u64 (the slice of
//!                  the last fill) | 17 slices to the newest, each 48: lots u64 | count u64 | delta i128 | vega i128
//!                  by account, then number
//! positions   16   account_id u32 | instrument_id u32 | lots i64                     by account, then instrument
//! orders      96   order_id u64 | cl_ord_id u64 | session_id u64 | price i64 (ticks) | qty i64 | leaves i64 |
//!                  account_id u32 | instrument_id u32 | side u8 | tif u8 | stp_mode u8 | market u8 (0, 1) | stp_group u32 |
//!                  expire_ns u64 (2^64 - 1: none) | limit i64 (armed: its own price in ticks) | display u32 (0: none) | shown u32 |
//!                  mmp_group u16 (0: none) | reduce_only u8 | quote u8 | trigger_type u8 (0: not armed) | condition u8 | posting u8 | pad u8
//!                  (armed: `price` is the trigger's, `posting` the flags 0, 1 postOnly, 2 postOnlySlide)
//!                  by instrument, buys before sells, best price first, by priority, then the armed ones: rising before falling,
//!                  mark, index, last, nearest first, by priority; last the taker to be continued
//! mass cancel 56   session_id u64 | cl_ord_id u64 | ref_seq u64 | recv_time u64 | next order_id u64 | target u32 | canceled u32 |
//!                  scope u8 | side u8 | kind u8 | pad u8 | pad u32         none, or the one that is to be continued
//! book work   16   instrument_id u32 | pad u32 | price i64 (ticks; 0: its orders end)
//!                                                                         none, or the auction that is to be continued
//! listing     48   session_id u64 | cl_ord_id u64 | ref_seq u64 | recv_time u64 | next order_id u64 | instrument_id u32 | told u32
//!                                                         none, or the list of open orders that is to be continued
//! window       8   closed ids that ever entered it u64
//! closed ids  20   account_id u32 | cl_ord_id u64 | order_id u64              in the order in which they entered, the last ones
//! ```
//!
//! The digest: BLAKE3 of these bytes, with the records of the closed ids (not their count) replaced by their sum, u128: the
//! wrapping sum of `mix` (in `closed_ids`) of each one and of its number, which counts those that ever entered from 0.
//!
//! A position stands here while lots or open lots are not zero or an armed order holds it; its open lots follow from the orders.

use zerocopy::little_endian::{I32, I64, I128, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::closed_ids::{ClosedId, ClosedIds};
use crate::command::{ComboCreate, InstrumentCreate, VenueOpen};
use crate::continuation::Continuation;
use crate::engine::Engine;
use crate::instrument::{Instrument, Listing};
use crate::mass_cancel::{MassCanceling, sides_to_wire};
use crate::open_orders::ListingOrders;
use crate::order::Order;
use crate::protection::Group;
use crate::session::Session;
use crate::standstill::Standstill;
use crate::trigger::Span;
use crate::units::Ticks;
use crate::venue::Venue;
use crate::window::SLICES;

pub const VERSION: u64 = 6;

macro_rules! records {
    ($($name:ident = $bytes:literal { $($field:ident : $kind:ty),+ $(,)? })+) => {$(
        #[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        pub struct $name { $(pub $field: $kind),+ }
        const _: () = assert!(size_of::<$name>() == $bytes);
    )+};
}

records! {
    Head = 32 { version: U64, last_seq: U64, last_ts_ns: U64, open: U64 }
    VenueRecord = 128 {
        terms: VenueOpen, next_serial: U64, next_match: U64, continuation: U64, triggers: U32, standstill: u8, pad: u8,
        reason: U16, deposits: I128,
    }
    AccountRecord = 60 {
        account_id: U32, name: [u8; 16], quote: I128, blocked: U32, highest_id: U64, owner: U32, looks_paid_until: U64,
    }
    InstrumentRecord = 180 {
        terms: InstrumentCreate, state: U32, until: U64, next_second: U64, delta: I64, vega: I64,
        index: I64, last: I64, lowest: I64, highest: I64,
    }
    ComboRecord = 100 { terms: ComboCreate, state: U32, delta: I64, vega: I64 }
    SessionRecord = 36 {
        session_id: U64, next_client_seq: U64, next_server_seq: U64, account_id: U32, connection: U32,
        role: u8, connected: u8, rising_ids: u8, pad: u8,
    }
    FillsRecord = 48 { lots: U64, count: U64, delta: I128, vega: I128 }
    GroupRecord = 888 {
        account_id: U32, mmp_group: U16, pad_a: U16, session_id: U64, window_ms: U32, frozen_ms: U32, qty_limit: I64,
        delta_limit: I64, vega_limit: I64, count_limit: U32, pad_b: U32, frozen_until: U64, newest: U64,
        slices: [FillsRecord; SLICES],
    }
    PositionRecord = 16 { account_id: U32, instrument_id: U32, lots: I64 }
    OrderRecord = 96 {
        order_id: U64, cl_ord_id: U64, session_id: U64, price: I64, qty: I64, leaves: I64,
        account_id: U32, instrument_id: U32, side: u8, tif: u8, stp_mode: u8, market: u8, stp_group: U32,
        expire_ns: U64, limit: I64, display: U32, shown: U32, mmp_group: U16, reduce_only: u8, quote: u8,
        trigger_type: u8, condition: u8, posting: u8, pad: u8,
    }
    MassCancelRecord = 56 {
        session_id: U64, cl_ord_id: U64, ref_seq: U64, recv_time: U64, next: U64, target: U32, canceled: U32,
        scope: u8, side: u8, kind: u8, pad_a: u8, pad_b: U32,
    }
    BookWorkRecord = 16 { instrument_id: U32, pad: U32, price: I64 }
    ListingRecord = 48 {
        session_id: U64, cl_ord_id: U64, ref_seq: U64, recv_time: U64, next: U64, instrument_id: U32, told: U32,
    }
    ClosedIdRecord = 20 { account_id: U32, cl_ord_id: U64, order_id: U64 }
}

/// Where canonical bytes go.
pub trait Canonical {
    fn put(&mut self, bytes: &[u8]);

    fn put_closed_ids(&mut self, window: &ClosedIds)
    where
        Self: Sized,
    {
        section(self, window.len(), window.iter().map(closed_id_record));
    }
}

impl Canonical for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// What the hash function takes at once at its full speed.
const HASHED_BYTES: usize = 16 << 10;

/// The digest in the making. Records are small, so they are collected first.
pub struct Digest {
    hasher: blake3::Hasher,
    bytes: [u8; HASHED_BYTES],
    used: usize,
}

impl Digest {
    pub fn new() -> Digest {
        Digest { hasher: blake3::Hasher::new(), bytes: [0; HASHED_BYTES], used: 0 }
    }

    pub fn finish(mut self) -> [u8; 32] {
        *self.hasher.update(&self.bytes[..self.used]).finalize().as_bytes()
    }
}

impl Canonical for Digest {
    fn put(&mut self, bytes: &[u8]) {
        if self.used + bytes.len() > HASHED_BYTES {
            self.hasher.update(&self.bytes[..self.used]);
            self.used = 0;
        }
        match self.bytes.get_mut(self.used..self.used + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.used += bytes.len();
            }
            None => {
                self.hasher.update(bytes);
            }
        }
    }

    /// A mark is due every few thousand commands, and the window may hold millions.
    fn put_closed_ids(&mut self, window: &ClosedIds) {
        self.put(&window.len().to_le_bytes());
        self.put(&window.sum().to_le_bytes());
    }
}

/// Bytes that the walk is expected to repeat, and the digest of what it says.
pub struct Expected<'a> {
    pub rest: &'a [u8],
    pub same: bool,
    pub digest: Digest,
}

impl Expected<'_> {
    fn compare(&mut self, bytes: &[u8]) {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => self.rest = rest,
            None => self.same = false,
        }
    }
}

impl Canonical for Expected<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.compare(bytes);
        self.digest.put(bytes);
    }

    fn put_closed_ids(&mut self, window: &ClosedIds) {
        self.compare(&window.len().to_le_bytes());
        window.iter().for_each(|closed| self.compare(closed_id_record(closed).as_bytes()));
        self.digest.put_closed_ids(window);
    }
}

impl Engine {
    /// BLAKE3 of the canonical bytes, the closed ids by their sum. Walks everything else, allocates nothing.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Digest::new();
        self.encode(&mut digest);
        digest.finish()
    }

    /// The canonical bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }

    pub(crate) fn encode(&self, sink: &mut impl Canonical) {
        let head = Head {
            version: U64::new(VERSION),
            last_seq: U64::new(self.last_seq),
            last_ts_ns: U64::new(self.last_ts_ns),
            open: U64::new(u64::from(self.venue.is_some())),
        };
        sink.put(head.as_bytes());
        if let Some(venue) = &self.venue {
            venue.encode(sink, self.last_ts_ns);
        }
    }
}

impl Venue {
    fn encode(&self, sink: &mut impl Canonical, last_ts_ns: u64) {
        sink.put(self.record().as_bytes());
        self.encode_accounts(sink, last_ts_ns);
        self.encode_instruments(sink);
        section(sink, self.sessions.len(), self.sessions.iter().map(session_record));
        section(sink, self.groups.len(), self.groups.iter().map(|group| self.group_record(group)));
        self.encode_positions(sink);
        section(
            sink,
            self.orders.slots.used(),
            self.canonical_orders().map(|order| self.order_record(order)),
        );
        let waiting = match &self.continuation {
            Continuation::MassCancel(work) => Some(self.mass_cancel_record(work)),
            _ => None,
        };
        section(sink, u32::from(waiting.is_some()), waiting.into_iter());
        let work = match &self.continuation {
            Continuation::Uncrossing(work) => Some((work.instrument, work.ticks)),
            Continuation::Expiring(instrument) => Some((*instrument, Ticks(0))),
            _ => None,
        };
        let record = |(instrument, ticks): (u32, Ticks)| BookWorkRecord {
            instrument_id: U32::new(instrument),
            pad: U32::new(0),
            price: I64::new(ticks.0),
        };
        section(sink, u32::from(work.is_some()), work.into_iter().map(record));
        let listing = match &self.continuation {
            Continuation::Listing(work) => Some(self.listing_record(work)),
            _ => None,
        };
        section(sink, u32::from(listing.is_some()), listing.into_iter());
        sink.put(&self.closed_ids.entered().to_le_bytes());
        sink.put_closed_ids(&self.closed_ids);
    }

    fn record(&self) -> VenueRecord {
        let limits = &self.limits;
        let terms = VenueOpen {
            venue_id: U64::new(self.venue_id),
            engine_epoch: U64::new(self.engine_epoch),
            hash_key: self.hash_key.map(U64::new),
            accounts_max: U32::new(limits.accounts),
            instruments_max: U32::new(limits.instruments),
            sessions_max: U32::new(limits.sessions),
            orders_max: U32::new(limits.orders),
            levels_max: U32::new(limits.levels),
            positions_max: U32::new(limits.positions),
            orders_per_account_max: U32::new(limits.orders_per_account),
            matches_per_command_max: U32::new(limits.matches_per_command),
            closed_ids_max: U32::new(limits.closed_ids),
            mmp_groups_max: U32::new(limits.mmp_groups),
            special_orders_max: U32::new(limits.special_orders),
            special_orders_per_account_max: U32::new(limits.special_orders_per_account),
        };
        VenueRecord {
            terms,
            next_serial: U64::new(self.next_serial),
            next_match: U64::new(self.next_match),
            continuation: U64::new(self.continuation.taker()),
            triggers: U32::new(self.continuation.triggers()),
            standstill: match self.standstill {
                Standstill::None => 0,
                standing => standing.state() as u8,
            },
            pad: 0,
            reason: U16::new(self.standstill.code()),
            deposits: I128::new(self.deposits.0),
        }
    }

    fn encode_accounts(&self, sink: &mut impl Canonical, last_ts_ns: u64) {
        let records = self.accounts.iter().map(|(id, row)| AccountRecord {
            account_id: U32::new(id),
            name: *self.accounts.name(id),
            quote: I128::new(row.quote.0),
            blocked: U32::new(u32::from(row.is_blocked())),
            highest_id: U64::new(self.accounts.highest_id(id)),
            owner: U32::new(self.accounts.owner(id)),
            looks_paid_until: U64::new(self.accounts.looks_paid_until(id, last_ts_ns)),
        });
        section(sink, self.accounts.len(), records);
    }

    /// Those that stand alone, then the combos, whose legs are among them.
    fn encode_instruments(&self, sink: &mut impl Canonical) {
        let listed =
            |is_combo: bool| self.instruments.iter().filter(move |(_, row)| row.is_combo == is_combo);
        let plain = listed(false).map(|(id, row)| self.instrument_record(id, row));
        section(sink, listed(false).count() as u32, plain);
        let combos = listed(true).map(|(id, row)| combo_record(id, row, self.instruments.listing(id)));
        section(sink, listed(true).count() as u32, combos);
    }

    fn encode_positions(&self, sink: &mut impl Canonical) {
        let positions = self.accounts.iter().flat_map(|(_, row)| self.positions.of(row));
        let records = positions.map(|position| PositionRecord {
            account_id: U32::new(position.account),
            instrument_id: U32::new(position.instrument),
            lots: I64::new(position.lots.0),
        });
        section(sink, self.positions.len(), records);
    }

    fn order_record(&self, order: &Order) -> OrderRecord {
        let position = self.positions.at(order.position);
        let terms = self.orders.terms(order);
        OrderRecord {
            order_id: U64::new(order.id),
            cl_ord_id: U64::new(order.cl_ord_id),
            session_id: U64::new(self.sessions.at(order.session()).id),
            price: I64::new(order.ticks.0),
            qty: I64::new(order.qty().0),
            leaves: I64::new(order.leaves().0),
            account_id: U32::new(position.account),
            instrument_id: U32::new(position.instrument),
            side: order.side() as u8,
            tif: order.tif() as u8,
            stp_mode: order.stp_mode() as u8,
            market: u8::from(order.is_market()),
            stp_group: U32::new(self.orders.stp_group(order)),
            expire_ns: U64::new(terms.expire_ns),
            limit: I64::new(terms.limit.0),
            display: U32::new(terms.display),
            shown: U32::new(terms.shown),
            mmp_group: U16::new(self.group_number(order)),
            reduce_only: u8::from(order.is_reduce_only()),
            quote: u8::from(order.is_quote()),
            trigger_type: terms.trigger_type,
            condition: terms.condition,
            posting: terms.posting,
            pad: 0,
        }
    }

    fn instrument_record(&self, id: u32, row: &Instrument) -> InstrumentRecord {
        let (listing, auction) = (self.instruments.listing(id), self.instruments.auction(id));
        let Span { low, high } = row.traded.span;
        let traded = |ticks: Ticks| I64::new(if row.traded.last.is_some() { ticks.0 } else { 0 });
        let known = |ticks: Option<Ticks>| I64::new(ticks.map_or(0, |ticks| ticks.0));
        let terms = InstrumentCreate {
            symbol: listing.symbol,
            tick_size: I64::new(row.tick_size),
            lot_size: I64::new(listing.lot_size),
            contract_size: I64::new(listing.contract_size),
            mark: I64::new(row.price(row.mark)),
            qty_max: I64::new(row.qty_max.0),
            instrument_id: U32::new(id),
            underlying_id: U32::new(listing.underlying_id),
            initial_margin_ppm: U32::new(row.initial_margin.0),
            maker_fee_ppm: U32::new(row.maker_fee.0),
            taker_fee_ppm: U32::new(row.taker_fee.0),
            kind: listing.kind,
            pad_a: 0,
            pad_b: U16::new(0),
            price_band_ppm: U32::new(row.price_band.0),
            pad_c: U32::new(0),
            pad_d: U64::new(0),
        };
        InstrumentRecord {
            terms,
            state: U32::new(row.state as u32),
            until: U64::new(auction.until_ns),
            next_second: U64::new(auction.next_second_ns),
            delta: I64::new(listing.delta),
            vega: I64::new(listing.vega),
            index: known(self.instruments.triggers(id).index),
            last: known(row.traded.last),
            lowest: traded(low),
            highest: traded(high),
        }
    }

    fn group_record(&self, group: &Group) -> GroupRecord {
        let terms = &group.terms;
        GroupRecord {
            account_id: U32::new(group.account),
            mmp_group: U16::new(group.number),
            pad_a: U16::new(0),
            session_id: U64::new(self.sessions.at(group.session).id),
            window_ms: U32::new(terms.window_ms),
            frozen_ms: U32::new(terms.frozen_ms),
            qty_limit: I64::new(terms.qty_limit),
            delta_limit: I64::new(terms.delta_limit),
            vega_limit: I64::new(terms.vega_limit),
            count_limit: U32::new(terms.count_limit),
            pad_b: U32::new(0),
            frozen_until: U64::new(group.frozen_until),
            newest: U64::new(group.window.newest()),
            slices: group.window.slices().map(|fills| FillsRecord {
                lots: U64::new(fills.lots),
                count: U64::new(fills.count),
                delta: I128::new(fills.delta),
                vega: I128::new(fills.vega),
            }),
        }
    }

    fn mass_cancel_record(&self, work: &MassCanceling) -> MassCancelRecord {
        let (scope, target, kind) = work.scope.to_wire();
        MassCancelRecord {
            session_id: U64::new(self.sessions.at(work.sender).id),
            cl_ord_id: U64::new(work.cl_ord_id),
            ref_seq: work.reference.seq,
            recv_time: work.reference.recv_time,
            next: U64::new(self.orders.at(work.next).id),
            target: U32::new(target),
            canceled: U32::new(work.canceled),
            scope,
            side: sides_to_wire(work.side),
            kind,
            pad_a: 0,
            pad_b: U32::new(0),
        }
    }

    fn listing_record(&self, work: &ListingOrders) -> ListingRecord {
        ListingRecord {
            session_id: U64::new(self.sessions.at(work.sender).id),
            cl_ord_id: U64::new(work.cl_ord_id),
            ref_seq: work.reference.seq,
            recv_time: work.reference.recv_time,
            next: U64::new(self.orders.at(work.next).id),
            instrument_id: U32::new(work.instrument),
            told: U32::new(work.told),
        }
    }
}

fn closed_id_record(closed: &ClosedId) -> ClosedIdRecord {
    ClosedIdRecord {
        account_id: U32::new(closed.account),
        cl_ord_id: U64::new(closed.cl_ord_id),
        order_id: U64::new(closed.order_id),
    }
}

fn section<R: IntoBytes + Immutable>(
    sink: &mut impl Canonical,
    count: u32,
    records: impl Iterator<Item = R>,
) {
    sink.put(&count.to_le_bytes());
    for record in records {
        sink.put(record.as_bytes());
    }
}

fn combo_record(id: u32, row: &Instrument, listing: &Listing) -> ComboRecord {
    let terms = ComboCreate {
        symbol: listing.symbol,
        leg_instruments: listing.legs.places().map(|leg| U32::new(leg.instrument)),
        leg_ratios: listing.legs.places().map(|leg| I32::new(leg.ratio)),
        qty_max: I64::new(row.qty_max.0),
        instrument_id: U32::new(id),
        price_band_ppm: U32::new(row.price_band.0),
    };
    ComboRecord {
        terms,
        state: U32::new(row.state as u32),
        delta: I64::new(listing.delta),
        vega: I64::new(listing.vega),
    }
}

fn session_record(session: Session) -> SessionRecord {
    SessionRecord {
        session_id: U64::new(session.id),
        next_client_seq: U64::new(session.next_client_seq),
        next_server_seq: U64::new(session.next_server_seq),
        account_id: U32::new(session.account),
        connection: U32::new(session.connection.unwrap_or(0)),
        role: session.role as u8,
        connected: u8::from(session.connection.is_some()),
        rising_ids: u8::from(session.rising_ids),
        pad: 0,
    }
}
