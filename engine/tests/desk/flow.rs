//! A seeded stream of commands that knows just enough of the venue to be interesting: prices around the mark, few client
//! ids, cancels of orders that are open, and now and then anything at all.
#![allow(dead_code)]

use engine::command::*;
use engine::message::{GroupSize, NULL_I64, NULL_U64, Origin};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use crate::desk::{SESSIONS, TICK_SIZE};

/// splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Room for the largest command block and its header: built in place, so that a flow allocates nothing.
pub struct Draft {
    bytes: [u8; DRAFT_BYTES],
    length: usize,
}

/// Entries of a mass quote that a flow draws.
const QUOTES: usize = 4;
/// A mass quote is the longest.
const DRAFT_BYTES: usize = 48 + QUOTES * size_of::<QuoteEntry>();

impl Draft {
    pub fn message(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn of<M: engine::message::Message>(message: M) -> Draft {
        let framed = engine::message::Framed::new(message);
        let mut draft = Draft { bytes: [0; DRAFT_BYTES], length: size_of_val(&framed) };
        draft.bytes[..draft.length].copy_from_slice(framed.as_bytes());
        draft
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

/// The combo of `Desk::open_wide`.
const COMBO: u32 = 4;

/// What to do next at about `ts_ns`. `numbers` tells each session's next client number, `open` some open order.
pub fn draw(
    random: &mut Random,
    ts_ns: u64,
    numbers: impl Fn(u64) -> u64,
    open: Option<u64>,
) -> (Origin, Draft) {
    let kind = random.below(100);
    let draft = match kind {
        0..34 => Draft::of(order(random, ts_ns)),
        34..40 => Draft::of(trigger_order(random, ts_ns)),
        40..47 => quotes(random),
        47..49 => Draft::of(mmp_config(random)),
        49 => Draft::of(sensitivity(random)),
        50..66 => Draft::of(amend(random, open)),
        66..80 => Draft::of(cancel(random, open)),
        80 => Draft::of(open_orders(random)),
        81 => Draft::of(history(random)),
        82..85 => Draft::of(mass_cancel(random)),
        85..87 => Draft::of(mark(random)),
        87 => Draft::of(index(random)),
        88..90 => Draft::of(deposit(random)),
        90..94 => Draft::of(state(random, ts_ns)),
        94 => Draft::of(logon(random)),
        95 if random.one_in(2) => Draft::of(Tick { pad_a: U64::new(random.below(2)) }),
        95 if random.one_in(2) => Draft::of(Continue { order_id: U64::new(random.below(1 << 26)) }),
        95 => Draft::of(VenueState {
            state: random.pick(&[4, 4, 5, 6]),
            pad_a: 0,
            code: random.pick(&[0, 0, 503]).into(),
            pad_b: 0.into(),
        }),
        96 => Draft::of(Refused {
            code: 1.into(),
            ref_template_id: 100.into(),
            ref_field_id: 2.into(),
            pad_a: 0.into(),
        }),
        97 => noise(random),
        98 => Draft::of(SessionCreate {
            session_id: U64::new(random.below(100)),
            account_id: U32::new(random.below(8) as u32),
            role: random.below(9) as u8,
            rising_ids: random.pick(&[0, 1, 1, 2]),
            pad_a: 0.into(),
        }),
        _ => Draft::of(AccountCreate {
            name: [b'R'; 16],
            account_id: U32::new(random.below(25) as u32),
            owner: 0.into(),
        }),
    };
    let privileged = (85..94).contains(&kind) && random.one_in(2) || kind == 49;
    (if privileged { Origin::venue() } else { origin(random, numbers) }, draft)
}

fn origin(random: &mut Random, numbers: impl Fn(u64) -> u64) -> Origin {
    let mut session = random.pick(&[10, 10, 11, 20, 20, 20, 12]);
    if random.one_in(8) {
        session = if random.one_in(2) { 0 } else { random.pick(&SESSIONS).0 };
    }
    let mut client_seq = numbers(session);
    if random.one_in(40) {
        client_seq = client_seq.wrapping_add(random.pick(&[u64::MAX, 1, 5, 1 << 33, 1 << 63]));
    }
    Origin {
        session: session.into(),
        client_seq: client_seq.into(),
        sent_ns: random.below(1 << 20).into(),
        received_ns: random.below(1 << 20).into(),
        connection: if random.one_in(200) { 1.into() } else { (session as u32).into() },
        flags: (random.below(2) as u32).into(),
    }
}

fn order(random: &mut Random, ts_ns: u64) -> NewOrder {
    let side = 1 + random.below(2) as u8;
    let sweeps = random.one_in(6);
    let (away, deep) = if side == 1 { (-3, 104) } else { (3, 96) };
    let ticks = if sweeps { deep } else { 100 + away + random.below(6) as i64 - 2 };
    let instrument = random.pick(&[1, 1, 2, 2, 3, 3, COMBO]);
    // The combo's mark is near 0.
    let ticks = if instrument == COMBO { ticks - 100 } else { ticks };
    let mut request = NewOrder {
        cl_ord_id: (1 + random.below(40)).into(),
        price: (ticks * TICK_SIZE).into(),
        qty: (1 + random.below(if sweeps { 40 } else { 9 }) as i64).into(),
        display_qty: NULL_I64.into(),
        expire_time: NULL_U64.into(),
        instrument_id: instrument.into(),
        account_id: random.pick(&[4, 5]).into(),
        stp_group: random.pick(&[0, 0, 7, 8]).into(),
        max_delay_us: 0.into(),
        side,
        ord_type: 1,
        tif: random.pick(&[2, 2, 2, 2, 3, 4]),
        stp_mode: random.pick(&[1, 1, 2, 3, 4, 5]),
        flags: 0.into(),
        mmp_group: 0.into(),
    };
    match random.below(12) {
        0 => {
            (request.ord_type, request.price) = (2, NULL_I64.into());
            request.tif = random.pick(&[2, 3, 3, 4]);
        }
        1 => (request.ord_type, request.price) = (3, NULL_I64.into()),
        2 | 3 => request.flags = random.pick(&[1, 2, 2, 3]).into(),
        7 | 8 => {
            request.flags = 8.into();
            request.mmp_group = random.pick(&[1, 1, 2]).into();
        }
        4 => request.tif = 1,
        5 | 6 => {
            let later = random.pick(&[0, 1_000, 20_000, 100_000, 3_600_000_000_000, 1 << 63]);
            (request.tif, request.expire_time) = (5, ts_ns.wrapping_add(later).into());
        }
        _ => {}
    }
    if random.one_in(4) {
        request.display_qty = (1 + random.below(4) as i64).into();
    }
    if random.one_in(4) {
        // Often all of a position, so that others have nothing left to reduce.
        request.flags = (request.flags.get() | 4).into();
        request.qty = random.pick(&[1, 5, 500]).into();
        if random.one_in(2) {
            (request.price, request.tif, request.ord_type) = ((deep * TICK_SIZE).into(), 3, 1);
            (request.expire_time, request.display_qty) = (NULL_U64.into(), NULL_I64.into());
        }
    }
    if random.one_in(20) {
        // Any byte may be anything.
        let at = random.below(64) as usize;
        request.as_mut_bytes()[at] = random.next() as u8;
    }
    request
}

fn trigger_order(random: &mut Random, ts_ns: u64) -> NewTriggerOrder {
    let mut request = NewTriggerOrder::new_zeroed();
    let order = order(random, ts_ns);
    request.as_mut_bytes()[..size_of::<NewOrder>()].copy_from_slice(order.as_bytes());
    if order.ord_type == 1 {
        request.ord_type = 4;
    } else {
        (request.ord_type, request.tif) = (5, random.pick(&[3, 4]));
    }
    request.trigger_price = ((95 + random.below(12) as i64) * TICK_SIZE).into();
    request.trail_offset = NULL_I64.into();
    request.trigger_type = random.pick(&[1, 2, 3, 3]);
    request.condition = random.pick(&[1, 1, 2]);
    if random.one_in(20) {
        let at = random.below(88) as usize;
        request.as_mut_bytes()[at] = random.next() as u8;
    }
    request
}

fn cancel(random: &mut Random, open: Option<u64>) -> CancelOrder {
    let by_id = random.one_in(2);
    CancelOrder {
        cl_ord_id: random.below(100).into(),
        orig_cl_ord_id: if by_id { 0 } else { 1 + random.below(40) }.into(),
        order_id: if by_id { open.unwrap_or(1 << 24) } else { 0 }.into(),
        instrument_id: random.pick(&[0, 0, 1, 2]).into(),
        account_id: random.pick(&[4, 5]).into(),
    }
}

fn amend(random: &mut Random, open: Option<u64>) -> ModifyOrder {
    let by_id = !random.one_in(4);
    let ticks = random.pick(&[94, 94, 94, 94, -6]) + random.below(13) as i64;
    let mut request = ModifyOrder {
        cl_ord_id: random.below(100).into(),
        orig_cl_ord_id: if by_id { 0 } else { 1 + random.below(40) }.into(),
        order_id: if by_id { open.unwrap_or(1 << 24) } else { 0 }.into(),
        price: if random.one_in(3) { NULL_I64 } else { ticks * TICK_SIZE }.into(),
        qty: if random.one_in(3) { NULL_I64 } else { 1 + random.below(12) as i64 }.into(),
        display_qty: if random.one_in(3) { 1 + random.below(6) as i64 } else { NULL_I64 }.into(),
        instrument_id: random.pick(&[0, 0, 0, 0, 0, 1, 2, 3, 4]).into(),
        max_delay_us: 0.into(),
        flags: random.pick(&[0, 0, 1, 2]).into(),
        pad_a: 0.into(),
        account_id: random.pick(&[4, 5]).into(),
    };
    if random.one_in(20) {
        let at = random.below(64) as usize;
        request.as_mut_bytes()[at] = random.next() as u8;
    }
    request
}

fn open_orders(random: &mut Random) -> OpenOrdersRequest {
    OpenOrdersRequest {
        cl_ord_id: random.below(100).into(),
        account_id: random.pick(&[4, 5]).into(),
        instrument_id: random.pick(&[0, 0, 1, 2, 9]).into(),
    }
}

fn history(random: &mut Random) -> ExecHistoryRequest {
    ExecHistoryRequest {
        cl_ord_id: random.below(100).into(),
        from_exec_id: random.pick(&[0, 1, 1, 1 << 20]).into(),
        to_exec_id: random.pick(&[0, u64::MAX]).into(),
        account_id: random.pick(&[4, 5]).into(),
        max_count: random.pick(&[0, 1, 10_000, 10_001]).into(),
    }
}

fn mass_cancel(random: &mut Random) -> MassCancel {
    let mut request = MassCancel {
        cl_ord_id: random.below(100).into(),
        account_id: random.pick(&[4, 5]).into(),
        instrument_id: (1 + random.below(4) as u32).into(),
        underlying_id: (random.below(2) as u32).into(),
        mmp_group: 0.into(),
        scope: random.pick(&[1, 2, 2, 3, 4, 5, 5, 6]),
        side: random.pick(&[1, 2, 3, 3]),
        // Who is blocked does not stay blocked for long.
        block_new: random.pick(&[0, 1, 2, 2]),
        kind: random.pick(&[1, 1, 2]),
        pad_a: 0.into(),
        pad_b: 0.into(),
    };
    if random.one_in(20) {
        let at = random.below(32) as usize;
        request.as_mut_bytes()[at] = random.next() as u8;
    }
    request
}

fn mmp_config(random: &mut Random) -> MmpConfig {
    let mut limit =
        |most: u64| if random.one_in(2) { NULL_I64 } else { 1 + random.below(most) as i64 }.into();
    let mut request = MmpConfig {
        cl_ord_id: 1.into(),
        account_id: 0.into(),
        mmp_group: 0.into(),
        reset: 0,
        pad_a: 0,
        window_ms: 1.into(),
        frozen_ms: 0.into(),
        qty_limit: limit(8),
        delta_limit: limit(4),
        vega_limit: limit(4),
        count_limit: 0.into(),
        pad_b: 0.into(),
    };
    request.account_id = random.pick(&[4, 5]).into();
    request.mmp_group = random.pick(&[1, 1, 2]).into();
    request.reset = random.pick(&[0, 1]);
    request.frozen_ms = random.pick(&[0, 1]).into();
    request.count_limit = (random.below(4) as u32).into();
    if random.one_in(10) {
        let at = random.below(56) as usize;
        request.as_mut_bytes()[at] = random.next() as u8;
    }
    request
}

fn sensitivity(random: &mut Random) -> Sensitivity {
    Sensitivity {
        delta: (random.below(3_000_000) as i64 - 1_000_000).into(),
        vega: (random.below(3_000_000) as i64 - 1_000_000).into(),
        instrument_id: (random.below(4) as u32).into(),
        pad_a: 0.into(),
    }
}

/// Both sides of a few instruments, most of them near the mark.
fn quotes(random: &mut Random) -> Draft {
    let head = MassQuote {
        quote_id: (u64::from(!random.one_in(40)) * (1 + random.below(40))).into(),
        account_id: random.pick(&[4, 5]).into(),
        stp_group: random.pick(&[0, 0, 7, 8]).into(),
        max_delay_us: 0.into(),
        mmp_group: random.pick(&[0, 1, 1, 2]).into(),
        stp_mode: random.pick(&[1, 1, 2, 3, 4, 5]),
        pad_a: 0,
        flags: random.pick(&[0, 0, 1, 2, 2]).into(),
        pad_b: 0.into(),
    };
    let mut draft = Draft::of(head);
    let count = random.below(QUOTES as u64 + 1) as usize;
    let entries: [QuoteEntry; QUOTES] = std::array::from_fn(|_| quote(random));
    draft.extend(GroupSize::of(&entries[..count]).as_bytes());
    draft.extend(entries[..count].as_bytes());
    if random.one_in(30) {
        // Any byte may be anything.
        let at = random.below(draft.length as u64) as usize;
        draft.bytes[at] = random.next() as u8;
    }
    draft
}

fn quote(random: &mut Random) -> QuoteEntry {
    let instrument = 1 + random.below(4) as u32;
    let middle = if instrument == COMBO { -1 } else { 99 } + random.below(3) as i64;
    let ticks = |random: &mut Random| random.below(4) as i64 - i64::from(random.one_in(20));
    QuoteEntry {
        instrument_id: (instrument + 7 * u32::from(random.one_in(20))).into(),
        pad_a: 0.into(),
        bid_px: ((middle - ticks(random)) * TICK_SIZE).into(),
        bid_qty: random.pick(&[0, 1, 2, 5, 9, 9]).into(),
        ask_px: ((middle + 1 + ticks(random)) * TICK_SIZE).into(),
        ask_qty: random.pick(&[0, 1, 2, 5, 9, 9]).into(),
    }
}

fn state(random: &mut Random, ts_ns: u64) -> InstrumentState {
    let until = if random.one_in(3) { ts_ns + random.below(1 << 13) } else { 0 };
    InstrumentState {
        instrument_id: (random.below(5) as u32).into(),
        // What has expired is gone for the rest of the flow.
        state: if random.one_in(60) {
            8
        } else {
            random.pick(&[3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 6, 7, 9])
        },
        pad_a: 0,
        pad_b: 0.into(),
        until: until.into(),
    }
}

fn mark(random: &mut Random) -> MarkPrice {
    let ticks = 95 + random.below(12) as i64;
    MarkPrice {
        price: (ticks * TICK_SIZE).into(),
        instrument_id: (random.below(4) as u32).into(),
        pad_a: 0.into(),
    }
}

fn index(random: &mut Random) -> IndexPrice {
    let MarkPrice { price, instrument_id, pad_a } = mark(random);
    IndexPrice { price, instrument_id, pad_a }
}

fn deposit(random: &mut Random) -> Deposit {
    let amount = random.below(100_000_000) as i64;
    Deposit {
        reference: 0.into(),
        amount: amount.into(),
        account_id: (random.below(7) as u32).into(),
        pad_a: 0.into(),
    }
}

fn logon(random: &mut Random) -> Logon {
    let mut logon = Logon::new_zeroed();
    logon.next_server_seq = random.below(4).into();
    logon
}

fn noise(random: &mut Random) -> Draft {
    let mut draft = Draft { bytes: [0; DRAFT_BYTES], length: random.below(100) as usize };
    for byte in &mut draft.bytes {
        *byte = random.below(3) as u8;
    }
    draft.bytes[2..4].copy_from_slice(
        &random
            .pick(&[3_u16, 100, 101, 110, 111, 112, 113, 114, 300, 301, 302, 320, 324, 331, 332, 999])
            .to_le_bytes(),
    );
    draft
}
