//! Starts that are not plain: a file that grew while a taker waits, a journal that is gone, values that no longer count.

use std::fs;

use engine::units::Side;
use gateway::client::orders::{self, Tif};
use gateway::client::{Body, Client};
use gateway::client_config::ClientConfig;
use tests::venue::{Home, run};

const PRICE9: i64 = 50_000_000_000_000;

fn connect(home: &Home, name: &str) -> Client {
    let config =
        ClientConfig::load(&home.path().join("clients").join(format!("{name}.toml"))).expect("init wrote it");
    Client::connect(&config).expect("the venue listens")
}

fn edit(home: &Home, change: impl FnOnce(String) -> String) {
    let file = home.path().join("ballast.toml");
    let text = fs::read_to_string(&file).expect("init wrote it");
    fs::write(&file, change(text)).expect("the directory is ours");
}

const ANOTHER: &str = "\n[[instrument]]\nid = 9\nsymbol = \"SOL-PERP\"\nkind = \"perpetual\"\ntick = \"0.01\"\nlot = \"0.1\"\n\
                       mark = \"150\"\nqty_max = 1000\ninitial_margin_ppm = 100000\n";

/// A sweep with a cap of one match is killed in the middle, so that the journal ends with work left (rule 5.6).
#[test]
fn a_file_that_grew_waits_for_a_taker_that_waits() {
    let home = Home::new(|text| text.replace("matches_per_command = 1000", "matches_per_command = 1"));
    let venue = home.serve();
    let (mut alice, mut bob) = (connect(&home, "alice"), connect(&home, "bob"));
    let lots = 6_000;
    for id in 1..=lots {
        alice.queue(orders::limit(10, 1, Side::Sell, PRICE9, 1, Tif::Gtc, id)).expect("there is room");
    }
    while alice.unanswered() > 0 {
        alice.next_event(std::time::Duration::from_secs(120)).expect("the venue lives");
    }
    bob.new_order(orders::limit(11, 1, Side::Buy, PRICE9, lots as i64, Tif::Gtc, 1)).expect("it is sent");
    bob.next_event(std::time::Duration::from_secs(120)).expect("the venue lives");
    venue.kill();
    edit(&home, |text| text + ANOTHER);
    let venue = home.serve();
    assert!(venue.said.iter().any(|line| line.contains("1 commands added")), "{:?}", venue.said);
    let mut bob = connect(&home, "bob");
    let mut position = 0;
    while position < lots as i64 {
        let event = bob
            .next_event(std::time::Duration::from_secs(120))
            .expect("the venue lives")
            .expect("it goes on");
        if let Body::Executed(fill) = event.body {
            position = fill.position.get();
        }
    }
    assert!(venue.terminate().0.success());
}

#[test]
fn a_journal_that_is_gone_is_no_new_venue() {
    let home = Home::new(|text| text);
    assert!(home.serve().terminate().0.success());
    fs::rename(home.journal(), home.path().join("elsewhere")).expect("the directory is ours");
    let refused = run("ballast", &["serve", home.shown()]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && said.contains("mount or restore it"), "{said}");
    let report = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(report.starts_with("{\"refusal\":\"journal_missing\""), "{report}");
    assert!(!home.journal().join("journal.id").exists(), "nothing was made");

    // Nor is another venue's journal this one's.
    let other = Home::new(|text| text);
    assert!(other.serve().terminate().0.success());
    fs::rename(other.journal(), home.journal()).expect("the directory is ours");
    let refused = run("ballast", &["serve", home.shown()]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && said.contains("put the right one back"), "{said}");
    let report = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(report.contains("\"refusal\":\"other_journal\""), "{report}");
}

#[test]
fn values_that_have_no_effect_are_named() {
    let home = Home::new(|text| text);
    assert!(home.serve().terminate().0.success());
    edit(&home, |text| {
        text.replace("tick = \"0.5\"", "tick = \"0.25\"")
            .replacen("mark = \"50000\"", "mark = \"49000\"", 1)
            .replace("orders_per_account = 10000", "orders_per_account = 7")
            .replace("ratio = -1", "ratio = -2")
            .replacen("price_band_ppm = 100000", "price_band_ppm = 7", 1)
            .replacen("role = \"trade\"", "role = \"cancel-only\"", 1)
    });
    let venue = home.serve();
    let ignored: Vec<&String> = venue.said.iter().filter(|line| line.starts_with("ignored")).collect();
    for told in [
        "[limits]: orders_per_account is 10000 in the venue, 7 in the file",
        "[[instrument]] 1: mark is 50000 in the venue, 49000 in the file",
        "[[instrument]] 1: tick is 0.5 in the venue, 0.25 in the file",
        "[[instrument]] 1: price_band_ppm is 100000 in the venue, 7 in the file",
        "[[combo]] 4: the sum of its legs is +1 of 3, -1 of 1 in the venue, +1 of 3, -2 of 1 in the file",
        "[[session]] 1001: role is trade in the venue, cancel-only in the file",
    ] {
        assert!(ignored.iter().any(|line| line.contains(told)), "{told}: {ignored:?}");
    }
    assert!(venue.terminate().0.success());
}
