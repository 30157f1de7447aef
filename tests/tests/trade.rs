//! The whole way of an order with real sockets and real processes: two members trade, both are told, and the follower in
//! the other process states the positions that the members were told and that the engine holds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::command::NewOrder;
use engine::event::OrderExecuted;
use engine::units::Side;
use gateway::client::orders::{self, Tif};
use gateway::client::{Body, Client};
use gateway::client_config::ClientConfig;
use tests::audit::audit;
use tests::venue::{Home, Venue, run};
use zerocopy::little_endian::U64;

const PRICE9: i64 = 50_000_000_000_000;

fn connect(home: &Home, name: &str) -> (Client, u32) {
    let config =
        ClientConfig::load(&home.path().join("clients").join(format!("{name}.toml"))).expect("init wrote it");
    (Client::connect(&config).expect("the venue listens"), config.account)
}

/// The next event; a test that waits for what does not come fails.
fn hear(client: &mut Client) -> Body {
    client.next_event(Duration::from_secs(120)).expect("the venue lives").expect("it answers").body
}

fn executed(client: &mut Client) -> OrderExecuted {
    match hear(client) {
        Body::Executed(execution) => execution,
        other => panic!("not an execution: {other:?}"),
    }
}

/// Alice rests 10, Bob takes 4 and then 3; what each was told of its position.
fn trade(home: &Home) -> (i64, i64) {
    let (mut alice, alice_account) = connect(home, "alice");
    let (mut bob, bob_account) = connect(home, "bob");
    alice.new_order(orders::limit(alice_account, 1, Side::Buy, PRICE9, 10, Tif::Gtc, 1)).expect("it is sent");
    let Body::Accepted(accepted) = hear(&mut alice) else { panic!("the order rests") };
    assert_eq!((accepted.leaves_qty.get(), accepted.ref_seq.get()), (10, 1));
    let mut positions = (0, 0);
    for (id, lots) in [(1, 4), (2, 3)] {
        bob.new_order(orders::limit(bob_account, 1, Side::Sell, PRICE9, lots, Tif::Ioc, id))
            .expect("it is sent");
        assert!(matches!(hear(&mut bob), Body::Accepted(_)));
        let (taken, made) = (executed(&mut bob), executed(&mut alice));
        assert_eq!(taken.match_id, made.match_id);
        assert_eq!((taken.last_qty.get(), made.last_px.get()), (lots, PRICE9));
        assert_eq!((taken.liquidity, made.liquidity), (2, 1));
        positions = (made.position.get(), taken.position.get());
    }
    (positions.0, positions.1)
}

#[test]
fn two_members_trade_and_the_follower_says_the_same() {
    let home = Home::new(|text| text);
    let venue = home.serve();
    let (alice, bob) = trade(&home);
    assert_eq!((alice, bob), (7, -7));

    // While the venue runs: what is durable now.
    let live = follow(&home);
    assert!(live.contains(r#""name":"alice""#) && live.contains(r#""lots":7}"#), "{live}");
    let (status, said) = venue.terminate();
    assert!(
        status.success() && said.last().is_some_and(|line| line.starts_with("stopped")),
        "{status}: {said:?}"
    );

    let audit = audit(&home.journal());
    let stated = follow(&home);
    for account in audit.engine.accounts() {
        let held = audit.engine.positions(account.id).filter(|position| position.lots.0 != 0);
        let held: Vec<String> = held
            .map(|it| {
                format!(r#"{{"instrument":{},"symbol":"BTC-PERP","lots":{}}}"#, it.instrument, it.lots.0)
            })
            .collect();
        let quote = account.quote.0;
        let row = format!(
            r#""quote":"{}.{:06}","positions":[{}]"#,
            quote / 1_000_000,
            quote % 1_000_000,
            held.join(",")
        );
        let row_of = stated.split(r#"{"id":"#).find(|row| row.starts_with(&format!("{},", account.id)));
        assert!(
            row_of.is_some_and(|it| it.contains(&row)),
            "account {}: {row} is not in {stated}",
            account.id
        );
    }
    assert!(audit.marks > 0, "a clean end leaves a digest, and replay and model agree with it");
}

#[test]
fn every_layout_of_threads_trades_and_ends() {
    for threads in ["blocking", "single", "shared", "dedicated"] {
        for idle in ["backoff", "block"] {
            let home = Home::new(|text| {
                text.replace("threads = \"auto\"", &format!("threads = \"{threads}\""))
                    .replace("idle = \"backoff\"", &format!("idle = \"{idle}\""))
            });
            let venue = home.serve();
            assert!(venue.said.iter().any(|line| line.contains(threads)), "{:?}", venue.said);
            assert_eq!(trade(&home), (7, -7), "{threads} {idle}");
            let (status, said) = venue.terminate();
            assert!(status.success(), "{threads} {idle}: {status}: {said:?}");
        }
    }
}

/// Rules 8.2 and 8.3 with nobody else about: the venue itself notices that the time has come, in every layout of threads.
#[test]
fn an_order_expires_on_an_idle_venue() {
    for (threads, idle) in
        [("blocking", "block"), ("single", "backoff"), ("dedicated", "block"), ("dedicated", "spin")]
    {
        let home = Home::new(|text| {
            text.replace("threads = \"auto\"", &format!("threads = \"{threads}\""))
                .replace("idle = \"backoff\"", &format!("idle = \"{idle}\""))
        });
        let venue = home.serve();
        let (mut alice, account) = connect(&home, "alice");
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let expire_time = U64::new((since + Duration::from_secs(1)).as_nanos() as u64);
        let order = orders::limit(account, 1, Side::Buy, PRICE9, 10, Tif::Gtd, 1);
        alice.new_order(NewOrder { expire_time, ..order }).expect("it is sent");
        assert!(matches!(hear(&mut alice), Body::Accepted(_)), "{threads} {idle}");
        let told = alice.next_event(Duration::from_secs(60)).expect("the venue lives");
        let Body::Canceled(canceled) = told.expect("it expires").body else { panic!("it expires") };
        assert_eq!((canceled.reason, canceled.canceled_qty.get(), canceled.ref_seq.get()), (7, 10, 0));
        assert!(canceled.match_time.get() >= expire_time.get(), "{threads} {idle}: not before its time");
        let (status, said) = venue.terminate();
        assert!(status.success(), "{threads} {idle}: {status}: {said:?}");
    }
}

fn follow(home: &Home) -> String {
    let done = run("settlement-bridge", &["follow", home.shown(), "--exit-at-end", "--json", "--quiet"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("it prints text")
}

#[test]
fn dev_serves_follows_and_ends_both() {
    let home = Home::new(|text| text);
    let mut venue = Venue::start("dev", &home);
    venue.read_until("bridge    follows the journal as process");
    assert!(venue.read_until("buy BTC-PERP").contains("client"), "it says how to place an order");
    trade(&home);
    venue.read_until("BTC-PERP -7");
    let (status, said) = venue.terminate();
    assert!(status.success(), "{status}: {said:?}");
    let last = said.iter().rposition(|line| line.ends_with("last")).expect("the bridge's last statement");
    assert!(said[last..].iter().any(|line| line.contains("BTC-PERP +7")), "{said:?}");
}

#[test]
fn a_person_trades_by_hand() {
    let home = Home::new(|text| text);
    let _venue = home.serve();
    for (name, lines, shown) in [
        (
            "alice",
            "buy BTC-PERP 10 50000\norders\nquit\n",
            "c1 accepted: buy 10 lots (0.01) of BTC-PERP at 50000",
        ),
        ("bob", "sell BTC-PERP 4 50000 ioc\npositions\nquit\n", "-4 lots (-0.004) of BTC-PERP"),
        ("alice", "positions\ncancel c1\nquit\n", "4 lots (0.004) of BTC-PERP"),
    ] {
        let text = home.typed(name, lines);
        assert!(text.contains(shown), "{name}: {text}");
    }
    let text = home.typed("bob", b"\xff\xfe\nbuy BTC-PERP 1 49000\nquit\n");
    assert!(
        text.contains("c2 accepted: buy 1 lot"),
        "what comes behind a line that is no text is read: {text}"
    );
}

/// Combos at prices below zero, quotes under protection, and stops, over real sockets and by hand.
#[test]
fn a_person_trades_what_is_special_by_hand() {
    let home = Home::new(|text| text);
    let venue = home.serve();
    let scripts = [
        (
            "alice",
            "buy BTC-DEC26-PERP 2 -2.5\nmmp 1 1 0 count=1\nquote BTC-DEC26 3@50400 3@50600 ETH-PERP 1@2999 none group=1\nquit\n",
            &[
                "c1 accepted: buy 2 lots (0.002) of BTC-DEC26-PERP at -2.5",
                "c2 done",
                "BTC-DEC26 bid rests, ask rests; ETH-PERP bid rests, ask none",
            ][..],
        ),
        (
            "bob",
            "sell BTC-DEC26-PERP 1 -2.5\nstop buy ETH-PERP 1 index 3100 market\nstop buy BTC-DEC26 1 last 50600 50600\nbuy BTC-DEC26 1 50600\norders\npositions\nquit\n",
            &[
                "sold 1 lot (0.001) of BTC-DEC26-PERP at -2.5",
                "c2 armed: buy 1 lot",
                "c3 armed: buy 1 lot",
                "c3 triggered: buy 1 lot (0.001) of BTC-DEC26 at 50600",
                "c2: armed, buy 1 lot",
                "1 lot (0.001) of BTC-PERP",
            ][..],
        ),
        ("oracle", "index ETH-PERP 3100\nquit\n", &["command 1 done"][..]),
        (
            "alice",
            "orders\npositions\nquit\n",
            &["c1: buy 1 lot (0.001) of BTC-DEC26-PERP at -2.5", "-1 lot (-0.001) of BTC-PERP"][..],
        ),
        ("bob", "orders\nquit\n", &["c3: buy 1 lot (0.001) of BTC-DEC26 at 50600"][..]),
    ];
    for (name, lines, shown) in scripts {
        let text = home.typed(name, lines);
        for word in shown {
            assert!(text.contains(word), "{name}: no '{word}' in {text}");
        }
    }
    let stated = follow(&home);
    assert!(stated.contains(r#""symbol":"BTC-PERP","lots":-1}"#), "{stated}");
    let (status, said) = venue.terminate();
    assert!(status.success(), "{status}: {said:?}");
    audit(&home.journal());
}
