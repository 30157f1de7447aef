//! Who may do what, over real sockets: the roles of sessions, and drop copies that hear what their account was told (rule 2.7),
//! over `kill -9`, snapshots and resumes.

use engine::command::{
    CancelOrder, Deposit, ExecHistoryRequest, IndexPrice, InstrumentState, MarkPrice, MassCancel, MassQuote,
    MmpConfig, ModifyOrder, NewOrder, NewTriggerOrder, OpenOrdersRequest, Role, Sensitivity,
};
use engine::event::{
    Confirmed, MassCancelAck, MassQuoteAck, OrderCanceled, OrderExecuted, OrderRejected, RequestComplete,
};
use engine::message::{Message, block};
use engine::reject::Reject;
use gateway::config::ROLES;
use gateway::frame::{RETRANSMIT, SNAPSHOT};
use tests::member::Member;
use tests::orders::{cancel, limit};
use tests::peer::{Came, Peer};
use tests::venue::{Home, run};
use zerocopy::{FromZeros, Immutable, IntoBytes};

const ALICE: u32 = 10;
/// A drop copy and a session that cancels, both of alice's account.
const COPY: u64 = 2001;
const CANCELER: u64 = 2002;
const PRICE: i64 = 49_000_000_000_000;

fn home() -> Home {
    let home = Home::new(|text| text);
    home.enroll("copy", "alice", COPY, ALICE, "read-only");
    home.enroll("canceler", "alice", CANCELER, ALICE, "cancel-only");
    home
}

/// The execution id, with which every numbered message begins.
fn exec_id(came: &Came) -> u64 {
    u64::from_le_bytes(came.message[8..16].try_into().expect("eight bytes"))
}

/// The next numbered messages.
fn numbered(peer: &mut Peer, count: usize) -> Vec<Came> {
    let heard: Vec<Came> = peer.filter(|came| came.seq != 0).take(count).collect();
    assert_eq!(heard.len(), count, "the venue says so much");
    heard
}

/// What `peer` hears, whose numbers go on from `from`.
fn bodies(heard: &[Came], from: u64) -> Vec<Vec<u8>> {
    let numbers: Vec<u64> = heard.iter().map(|came| came.seq).collect();
    assert_eq!(numbers, (from..from + heard.len() as u64).collect::<Vec<_>>(), "without a gap");
    heard.iter().map(|came| came.message.clone()).collect()
}

#[test]
fn a_drop_copy_hears_what_its_account_was_told_and_resumes_over_kills_and_snapshots() {
    let home = home();
    let mut venue = home.serve();
    let (mut told, mut known, mut seqs) = (Vec::new(), 0, [1, 1, 1]);
    let mut server_seqs = [1, 1];
    for round in 0..4 {
        let mut alice = Peer::connect(home.path(), "alice");
        let mut canceler = Peer::connect(home.path(), "canceler");
        let mut bob = Peer::connect(home.path(), "bob");
        alice.log_on(server_seqs[0]);
        canceler.log_on(server_seqs[1]);
        bob.log_on(1);
        // One order is filled by bob, one canceled by another session, one refused.
        let first = round * 10 + 1;
        for (place, qty) in [(0, 1), (1, 1), (2, 0)] {
            alice.say(0, seqs[0], limit(ALICE, 1, 1, PRICE, qty, 2, first + place));
            seqs[0] += 1;
        }
        let mut heard = numbered(&mut alice, 3);
        bob.say(0, seqs[1], limit(11, 1, 2, PRICE, 1, 3, first));
        seqs[1] += 1;
        heard.extend(numbered(&mut alice, 1));
        assert!(heard[3].is::<OrderExecuted>().is_some());
        canceler.say(0, seqs[2], cancel(ALICE, first + 5, first + 1));
        seqs[2] += 1;
        let canceled = numbered(&mut canceler, 1);
        assert!(canceled[0].is::<OrderCanceled>().is_some());
        heard.extend(numbered(&mut alice, 1));
        server_seqs = [server_seqs[0] + 5, server_seqs[1] + 1];
        heard.extend(canceled);
        heard.sort_by_key(exec_id);
        told.extend(heard.into_iter().map(|came| came.message));

        // In the first round it hears live, then what it missed, once more from somewhere on, and from the start.
        let mut copy = Peer::connect(home.path(), "copy");
        let from = [1, known as u64 + 1, 3, 1][round as usize];
        let ack = copy.log_on(from);
        assert_eq!(ack.next_server_seq.get(), told.len() as u64 + 1, "round {round}");
        let left = told.len() + 1 - from as usize;
        let copied = numbered(&mut copy, left);
        assert!(copied.iter().all(|came| came.flags & RETRANSMIT != 0));
        assert_eq!(bodies(&copied, from), told[from as usize - 1..], "round {round}");
        known = told.len();
        venue.kill();
        if round == 1 {
            let made = run("ballast", &["snapshot", "create", home.shown()]);
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        venue = home.serve();
    }
    drop(venue);
    let verified = run("ballast", &["journal", "verify", home.shown()]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn a_drop_copy_hears_live_looks_and_is_refused_what_would_act() {
    let home = home();
    let _venue = home.serve();
    let mut alice = Member::new(home.path(), "alice");
    let mut copy = Peer::connect(home.path(), "copy");
    copy.log_on(1);
    let seq = alice.order();
    alice.hears(&[&format!("OrderAccepted ref={seq}")]);
    assert_eq!(bodies(&numbered(&mut copy, 1), 1).len(), 1);

    copy.say(0, 1, limit(ALICE, 1, 1, PRICE, 1, 2, 77));
    let refused = numbered(&mut copy, 1);
    assert_eq!(refused[0].seq, 2);
    let reject = refused[0].is::<OrderRejected>().expect("a reject");
    assert_eq!((reject.code.get(), reject.ref_seq.get()), (Reject::Permission.code(), 1));

    let open = OpenOrdersRequest { cl_ord_id: 5.into(), account_id: ALICE.into(), instrument_id: 0.into() };
    copy.say(0, 2, open);
    let shown: Vec<Came> = copy.by_ref().take(2).collect();
    assert!(shown.iter().all(|came| came.flags & SNAPSHOT != 0 && came.seq == 0));
    let history = ExecHistoryRequest {
        cl_ord_id: 0.into(),
        from_exec_id: 1.into(),
        to_exec_id: u64::MAX.into(),
        account_id: ALICE.into(),
        max_count: 100.into(),
    };
    copy.say(0, 3, history);
    let answer: Vec<Came> = std::iter::from_fn(|| copy.next()).take(3).collect();
    let end = answer.iter().find_map(Came::is::<RequestComplete>).expect("the end of the history");
    assert_eq!((end.code.get(), end.count.get()), (0, 2), "what alice was told, and the copy's own refusal");

    // What the copy asks is nobody else's business, and its own refusal is not copied to alice.
    let next = alice.order();
    alice.hears(&[&format!("OrderAccepted ref={next}")]);
    assert_eq!(numbered(&mut copy, 1)[0].seq, 3);
}

/// The answer's code, of whatever template it is.
fn code_of(came: &Came) -> Option<u16> {
    fn read<M: Message>(came: &Came, code: fn(&M) -> u16) -> Option<u16> {
        block::<M>(&came.message).map(code)
    }
    read::<OrderRejected>(came, |it| it.code.get())
        .or_else(|| read::<Confirmed>(came, |it| it.code.get()))
        .or_else(|| read::<MassCancelAck>(came, |it| it.code.get()))
        .or_else(|| read::<RequestComplete>(came, |it| it.code.get()))
        .or_else(|| (came.template_id() == MassQuoteAck::TEMPLATE).then(|| quote_code(came)))
}

/// The group dimension follows the block: the code stands at its place.
fn quote_code(came: &Came) -> u16 {
    u16::from_le_bytes(came.message[48..50].try_into().expect("two bytes"))
}

/// A message of a session, all fields 0, which every rule behind the first refuses as well.
fn empty<M: Message + FromZeros + IntoBytes + Immutable>() -> (u16, Vec<u8>) {
    (M::TEMPLATE, M::new_zeroed().as_bytes().to_vec())
}

/// A template with an empty block, and the roles to whom it is not refused as such.
type Row = ((u16, Vec<u8>), &'static [Role]);

/// Who may send what.
fn table() -> Vec<Row> {
    use Role::{Admin, Bridge, CancelOnly, Oracle, ReadOnly, RiskModel, Trade};
    let quotes = (MassQuote::TEMPLATE, [&[0; 28][..], &[40, 0, 0, 0]].concat());
    vec![
        (empty::<NewOrder>(), &[Trade]),
        (empty::<NewTriggerOrder>(), &[Trade]),
        (empty::<ModifyOrder>(), &[Trade]),
        (empty::<CancelOrder>(), &[Trade, CancelOnly]),
        (empty::<MassCancel>(), &[Trade, CancelOnly]),
        (quotes, &[Trade]),
        (empty::<MmpConfig>(), &[Trade]),
        (empty::<OpenOrdersRequest>(), &[Trade, CancelOnly, ReadOnly]),
        (empty::<ExecHistoryRequest>(), &[Trade, CancelOnly, ReadOnly]),
        (empty::<MarkPrice>(), &[Oracle]),
        (empty::<IndexPrice>(), &[Oracle]),
        (empty::<Sensitivity>(), &[RiskModel]),
        (empty::<Deposit>(), &[Bridge]),
        (empty::<InstrumentState>(), &[Admin]),
    ]
}

#[test]
fn what_a_role_may_not_do_is_refused_as_such_and_takes_its_number() {
    let home = Home::new(|text| text);
    for (place, (name, role)) in ROLES.iter().enumerate() {
        // Accounts of their own, so that the drop copy hears nobody but the venue.
        let account = match role {
            Role::Trade => ALICE,
            Role::ReadOnly => ALICE + 1,
            Role::CancelOnly => ALICE + 2,
            Role::Oracle | Role::RiskModel | Role::Bridge | Role::Admin => 0,
        };
        home.enroll(name, "alice", 3000 + place as u64, account, name);
    }
    let _venue = home.serve();
    for (name, role) in ROLES {
        let mut peer = Peer::connect(home.path(), name);
        peer.log_on(1);
        let mut seq = 0;
        for ((template, body), roles) in table() {
            seq += 1;
            let length = if template == MassQuote::TEMPLATE { 28 } else { body.len() as u16 };
            let header = [length, template, 7701, 1].map(u16::to_le_bytes).concat();
            let mut bytes = Vec::new();
            gateway::frame::append_message(&mut bytes, 0, seq, 0, &[header, body].concat());
            peer.write(&bytes);
            let came = peer.next().expect("an answer");
            let code = code_of(&came).unwrap_or_else(|| panic!("{name}, {template}: {came:?}"));
            let is_refused = code == Reject::Permission.code();
            assert_eq!(is_refused, !roles.contains(&role), "{name}, {template}: {code}");
            assert_ne!(code, 0, "{name}, {template}: an empty message does nothing");
        }
        let mut again = Peer::connect(home.path(), name);
        assert_eq!(again.log_on(1).next_client_seq.get(), seq + 1, "{name}");
    }
}
