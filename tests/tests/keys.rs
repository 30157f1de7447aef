//! Keys over real sockets: who is let in with which, from where, and what becomes of those who are here when the operator takes
//! a key away (PROTOCOL 2.3 and 2.18). And what is no proof: signatures of other moments, venues, keys and words.

use std::fs::{self, File};
use std::process::Stdio;

use ed25519_dalek::{Signer, SigningKey};
use engine::command::Logon;
use gateway::config::Config;
use gateway::message::{Agreed, Challenge, logon_text, signature_words};
use rustix::process::{Signal, kill_process};
use tests::member::{last_words, shown};
use tests::peer::Peer;
use tests::tier::{seed, tiered};
use tests::venue::{Home, Venue};
use tests::workload::Draw;
use zerocopy::little_endian::{U16, U32, U64};

const ALICE: u64 = 1001;

/// The public key of alice, as the file has it.
fn public_key(home: &Home) -> String {
    let config = Config::load(home.path()).expect("the file is good");
    let session = config.sessions.iter().find(|session| session.id == ALICE).expect("init made it");
    session.keys[0].public.to_string()
}

/// Writes the file anew, with `lines` in front of alice's public key.
fn change(home: &Home, original: &str, lines: &str) {
    let public = format!("public = \"{}\"", public_key_in(original));
    assert_eq!(original.matches(&public).count(), 1);
    let text = original.replacen(&public, &format!("{lines}\n{public}"), 1);
    fs::write(home.path().join("ballast.toml"), text).expect("the directory is ours");
}

fn public_key_in(text: &str) -> String {
    let config: Config = toml::from_str(text).expect("the file is good");
    let session = config.sessions.iter().find(|session| session.id == ALICE).expect("init made it");
    session.keys[0].public.to_string()
}

fn file(home: &Home) -> String {
    fs::read_to_string(home.path().join("ballast.toml")).expect("init wrote it")
}

/// Has the venue read its file again, and waits until it has.
fn renew(venue: &mut Venue, shown: &str) {
    kill_process(venue.pid(), Signal::HUP).expect("it runs");
    venue.read_until(shown);
}

/// What a logon with this key id is answered with.
fn answer(home: &Home, name: &str, key_id: u64) -> (Peer, String) {
    let mut peer = Peer::connect(home.path(), name);
    peer.config.key_id = key_id;
    let challenge = peer.challenge();
    let logon = peer.sign(&challenge, peer.logon_body(1));
    peer.say(0, 0, logon);
    let came = peer.next().expect("a logon is answered");
    (peer, shown(&came))
}

#[test]
fn a_key_that_is_taken_away_ends_its_connection_and_opens_no_other() {
    let home = Home::new(|text| text);
    let original = file(&home);
    let second = format!("id = 2\npublic = \"{}\"\n[[session.key]]\nid = 1", public_key(&home));
    // A second key of the session, here the same one under another id.
    let with_second = original.replacen(
        &format!("id = 1\npublic = \"{}\"", public_key(&home)),
        &format!("{second}\npublic = \"{}\"", public_key(&home)),
        1,
    );
    let mut venue = home.serve();
    let (mut alice, acked) = answer(&home, "alice", 1);
    assert_eq!(acked, "LogonAck");
    assert_eq!(answer(&home, "alice", 2).1, "LogonReject UnknownKey");

    fs::write(home.path().join("ballast.toml"), with_second).expect("the directory is ours");
    renew(&mut venue, "keys      6 of 5 sessions; 0 revoked");
    assert_eq!(answer(&home, "alice", 2).1, "LogonAck");
    assert_eq!(last_words(&mut alice), ["Logout Displaced"], "one connection a session, whatever the key");

    let (mut alice, _) = answer(&home, "alice", 1);
    let (mut bob, _) = answer(&home, "bob", 1);
    for (lines, code, shown) in [
        ("revoked = true", "KeyRevoked", "1 revoked, 0 bound"),
        ("addresses = [\"10.0.0.0/8\", \"::1\"]", "AddressNotAllowed", "0 revoked, 1 bound"),
        ("addresses = [\"10.0.0.0/8\"]\nrevoked = true", "KeyRevoked", "1 revoked, 1 bound"),
    ] {
        change(&home, &original, lines);
        renew(&mut venue, shown);
        assert_eq!(last_words(&mut alice), [format!("Logout {code}")], "{lines}");
        assert_eq!(answer(&home, "alice", 1).1, format!("LogonReject {code}"), "{lines}");
        // The key's own word is not looked at where it may not come from, and not where it is revoked.
        let mut wrong = Peer::connect(home.path(), "alice");
        wrong.key = SigningKey::from_bytes(&[5; 32]);
        let challenge = wrong.challenge();
        wrong.say(0, 0, wrong.sign(&challenge, wrong.logon_body(1)));
        assert_eq!(shown_next(&mut wrong), format!("LogonReject {code}"), "{lines}");
        change(&home, &original, "addresses = [\"127.0.0.0/8\"]");
        renew(&mut venue, "0 revoked, 1 bound");
        let (again, acked) = answer(&home, "alice", 1);
        assert_eq!(acked, "LogonAck", "{lines}");
        alice = again;
    }
    // Nobody else noticed.
    bob.say(0, 0, gateway::message::TestRequest { echo: U64::new(7) });
    assert!(shown_next(&mut bob).ends_with("echo=7"));
    // A restart reads the same file.
    venue.kill();
    change(&home, &original, "revoked = true");
    let _venue = home.serve();
    assert_eq!(answer(&home, "alice", 1).1, "LogonReject KeyRevoked");
}

fn shown_next(peer: &mut Peer) -> String {
    peer.next().map_or("closed".into(), |came| shown(&came))
}

#[test]
fn a_file_with_a_fault_changes_no_key_and_the_fault_is_named_with_its_line() {
    let home = Home::new(|text| text);
    let original = file(&home);
    let notes = home.path().join("notes");
    let said = File::create(&notes).expect("the directory is ours");
    let mut venue = Venue::spawn_with("serve", &home, Stdio::from(said));
    venue.read_until("listening");
    let (mut alice, _) = answer(&home, "alice", 1);
    for (lines, told) in [
        ("revoked = true\naddresses = [\"nowhere\"]", "'nowhere' is neither an address nor a network"),
        ("revoked = true\nrevoke = true", "unknown field `revoke`"),
        ("revoked = true\naddresses = [\"10.1.0.0/8\"]", "the network is 10.0.0.0/8"),
    ] {
        change(&home, &original, lines);
        let file = file(&home);
        let line = 1 + file
            .lines()
            .position(|line| line == lines.lines().nth(1).expect("two lines"))
            .expect("it is there");
        kill_process(venue.pid(), Signal::HUP).expect("it runs");
        let (_nobody, never) = std::sync::mpsc::channel();
        let mut heard = String::new();
        for _ in 0..12_000 {
            heard = fs::read_to_string(&notes).expect("the venue writes it");
            if heard.contains(told) {
                break;
            }
            tests::crowd::pass(&never, 10);
        }
        assert!(heard.contains(told) && heard.contains(&format!("line {line},")), "{line}: {heard}");
        assert!(heard.contains("the keys stay as they are"), "{heard}");
    }
    alice.say(0, 0, gateway::message::TestRequest { echo: U64::new(7) });
    assert!(shown_next(&mut alice).ends_with("echo=7"), "no key was revoked");
    assert_eq!(answer(&home, "alice", 1).1, "LogonAck");
}

/// What another venue's challenge was signed as.
fn signed(peer: &Peer, key: &SigningKey, challenge: &Challenge, next: u64) -> Logon {
    let mut logon = peer.logon_body(next);
    let agreed = Agreed {
        client_nonce: peer.hello().client_nonce,
        server_nonce: challenge.server_nonce,
        server_time: challenge.server_time.get(),
        engine_epoch: challenge.engine_epoch.get(),
    };
    logon.signature = signature_words(&key.sign(&logon_text(&agreed, &logon)).to_bytes());
    logon
}

#[test]
fn nothing_but_the_right_word_at_the_right_moment_is_a_proof() {
    let (home, other) = (Home::new(|text| text), Home::new(|text| text));
    let (_venue, _other_venue) = (home.serve(), other.serve());
    let (count, seed) = (tiered(200, 4_000), seed());
    println!("G6 {count} logons, BALLAST_SEED={seed}");
    let mut draw = Draw::new(seed);
    let mut last: Option<Logon> = None;
    for round in 0..count {
        let mut peer = Peer::connect(home.path(), "alice");
        let challenge = peer.challenge();
        let good = peer.sign(&challenge, peer.logon_body(1));
        let (logon, code) = match draw.below(8) {
            0 => (
                signed(&peer, &SigningKey::from_bytes(&[draw.below(250) as u8; 32]), &challenge, 1),
                "BadSignature",
            ),
            // What was a proof once, said again: to another challenge.
            1 => (
                last.unwrap_or(signed(&peer, &SigningKey::from_bytes(&[1; 32]), &challenge, 1)),
                "BadSignature",
            ),
            2 => {
                let mut elsewhere = Peer::connect(other.path(), "alice");
                let asked = elsewhere.challenge();
                (signed(&peer, &peer.key, &asked, 1), "BadSignature")
            }
            3 => {
                // The venue's nonce with a time or an epoch of the signer's own.
                let mut stale = challenge;
                if draw.below(2) == 0 {
                    stale.server_time =
                        U64::new(challenge.server_time.get() - 1_000_000_000 * (1 + draw.below(10)));
                } else {
                    stale.engine_epoch = U64::new(challenge.engine_epoch.get() ^ 1 << draw.below(64));
                }
                (signed(&peer, &peer.key, &stale, 1), "BadSignature")
            }
            4 => {
                // Less was agreed on than was signed.
                let mut lower = good;
                match draw.below(3) {
                    0 => lower.keep_alive_ms = U32::new(100),
                    1 => lower.cod_mode = 2,
                    _ => lower.cod_grace_ms = U32::new(60_000),
                }
                (lower, "BadSignature")
            }
            5 => {
                let mut lower = good;
                lower.schema_version = U16::new(0);
                (lower, "VersionUnsupported")
            }
            6 => {
                let mut bent = good;
                let word = draw.below(8) as usize;
                bent.signature[word] = U64::new(bent.signature[word].get() ^ 1 << draw.below(64));
                (bent, "BadSignature")
            }
            _ => {
                // The proof of a challenge that was used, on the connection that used it.
                let mut wrong = good;
                wrong.signature[0] = U64::new(!good.signature[0].get());
                peer.say(0, 0, wrong);
                assert_eq!(shown_next(&mut peer), "LogonReject BadSignature", "round {round}");
                (good, "ChallengeExpired")
            }
        };
        peer.say(0, 0, logon);
        assert_eq!(shown_next(&mut peer), format!("LogonReject {code}"), "round {round}");
        last = Some(good);
    }
    assert_eq!(answer(&home, "alice", 1).1, "LogonAck");
}
