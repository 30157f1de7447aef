//! Order entry under TLS 1.3, with the real program and the real client: who is served, who is turned away, and how it ends.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::Duration;

use gateway::client::{Body, Client};
use gateway::client_config::ClientConfig;
use gateway::config::Config;
use gateway::tls;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use socket2::Socket;
use tests::crowd::pass;
use tests::member::Member;
use tests::orders::limit;
use tests::peer::Peer;
use tests::tier::tiered;
use tests::venue::{Home, run};

const PATIENCE: Duration = Duration::from_secs(120);

/// A venue that serves both, of whose clients alice and carol speak TLS; its port is its own as long as this lives.
struct Site {
    home: Home,
    _reserved: Socket,
}

fn site() -> Site {
    let home = Home::new(|text| text);
    let (socket, address) = tests::venue::reserved();
    // The certificate of another init, with the names that every init writes.
    let made = tempfile::tempdir().expect("there is room");
    let elsewhere = made.path().join("venue");
    let arguments = ["init", elsewhere.to_str().expect("text"), "--tls", &address.to_string()];
    assert!(run("ballast", &arguments).status.success());
    fs::rename(elsewhere.join("tls"), home.path().join("tls")).expect("both are ours");
    let file = home.path().join("ballast.toml");
    let text = fs::read_to_string(&file).expect("init wrote it");
    fs::write(&file, text.replace("[gateway]\n", &format!("[gateway]\ntls = \"{address}\"\n")))
        .expect("ours");
    for name in ["alice", "carol"] {
        let file = home.path().join("clients").join(format!("{name}.toml"));
        let text = fs::read_to_string(&file).expect("init wrote it");
        let plain = toml::from_str::<ClientConfig>(&text).expect("init wrote it").address;
        let text = text.replace(&plain, &address.to_string());
        fs::write(&file, format!("certificate = \"../tls/certificate.pem\"\n{text}")).expect("ours");
    }
    Site { home, _reserved: socket }
}

fn client(home: &Home, name: &str) -> ClientConfig {
    ClientConfig::load(&home.path().join("clients").join(format!("{name}.toml"))).expect("the test wrote it")
}

/// A socket to the port that serves TLS.
fn knock(home: &Home) -> TcpStream {
    let socket = TcpStream::connect(client(home, "alice").address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes it");
    socket
}

#[test]
fn a_member_trades_under_tls_resumes_and_is_told_goodbye() {
    let site = site();
    let home = &site.home;
    let venue = home.serve();
    let mut bob = Member::new(home.path(), "bob");
    let config = client(home, "alice");
    let mut alice = Client::connect(&config).expect("TLS and a logon");
    let count = 500;
    for id in 1..=count {
        alice.new_order(limit(10, 1, 1, 49_000_000_000_000, 1, 2, id)).expect("there is room");
    }
    let mut accepted = 0;
    while accepted < count {
        let event = alice.next_event(PATIENCE).expect("it is connected").expect("an answer");
        accepted += u64::from(matches!(event.body, Body::Accepted(_)));
    }
    bob.trade();
    drop(alice);
    let mut alice = Client::connect(&config).expect("once more");
    let mut again = 0;
    while again < count {
        again += u64::from(alice.next_event(PATIENCE).expect("it is connected").is_some());
    }
    // The hand client speaks it because its file says so.
    let said = home.typed("carol", "buy BTC-PERP 1 49000\n");
    assert!(said.contains("accepted"), "{said}");
    let (status, said) = venue.terminate();
    assert!(status.success(), "{said:?}");
    let goodbye = loop {
        match alice.next_event(PATIENCE) {
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    assert!(goodbye.contains("shut"), "{goodbye}");
}

#[test]
fn who_does_not_speak_tls_or_trusts_somebody_else_is_turned_away() {
    let site = site();
    let home = &site.home;
    let mut venue = home.serve();
    assert!(venue.said.iter().any(|line| line.starts_with("tls ")), "{:?}", venue.said);
    let mut bob = Member::new(home.path(), "bob");
    // A plain hello to the port of TLS, and noise.
    for word in [b"\x70\x00\x00\x00\x50\xEB".repeat(20), vec![0; 300], vec![0x16; 20_000]] {
        let mut socket = knock(home);
        let _ = socket.write_all(&word);
        let mut rest = Vec::new();
        // Closed or reset: an alert at most.
        let _ = socket.read_to_end(&mut rest);
        assert!(rest.len() < 64, "{} bytes", rest.len());
        bob.trade();
    }
    // A client that trusts another certificate goes away by itself.
    let other = tls::self_signed(&["127.0.0.1".to_string()]).expect("it is made");
    fs::write(home.path().join("tls/other.pem"), other.0).expect("ours");
    let mut config = client(home, "alice");
    config.certificate = Some(home.path().join("tls/other.pem"));
    let Err(error) = Client::connect(&config) else { panic!("it trusted a stranger") };
    assert!(error.to_string().contains("certificate"), "{error}");
    bob.trade();
    // TLS spoken to the plain port is no frame.
    config.certificate = Some(home.path().join("tls/certificate.pem"));
    config.address = Config::load(home.path()).expect("it is good").venue.listen;
    assert!(Client::connect(&config).is_err());
    bob.trade();
    venue.said.clear();
}

#[test]
fn a_handshake_has_a_deadline_and_a_half_spoken_one_holds_nobody_up() {
    let site = site();
    let home = &site.home;
    let _venue = home.serve();
    let mut bob = Member::new(home.path(), "bob");
    let count = tiered(40, 200);
    let mut hello = Vec::new();
    let trust = tls::client(&home.path().join("tls/certificate.pem")).expect("init wrote it");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let mut speaking = ClientConnection::new(trust.clone(), name.clone()).expect("a client");
    speaking.write_tls(&mut hello).expect("there is room");
    // Silent ones, and ones that stop within their first word.
    let mut silent: Vec<TcpStream> = (0..count)
        .map(|place| {
            let mut socket = knock(home);
            socket.write_all(&hello[..hello.len() * place as usize / count as usize]).expect("it is taken");
            socket
        })
        .collect();
    bob.trade();
    for socket in &mut silent {
        assert_eq!(socket.read(&mut [0; 64]).expect("it is closed"), 0, "nothing is said before TLS");
    }
    bob.trade();
    // One that has shaken hands has the time of a hello behind that, and is told its end under TLS.
    let mut stream = StreamOwned::new(ClientConnection::new(trust, name).expect("a client"), knock(home));
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("the end is said under TLS");
    assert_eq!(said.len(), 72, "one logout");
    assert_eq!(u16::from_le_bytes([said[26], said[27]]), 6);
    bob.trade();
}

#[test]
fn every_split_of_the_bytes_is_the_same_conversation() {
    let site = site();
    let home = &site.home;
    let _venue = home.serve();
    let trust = tls::client(&home.path().join("tls/certificate.pem")).expect("init wrote it");
    let peer = Peer::connect(home.path(), "bob");
    let (_nobody, never) = channel();
    for piece in [1_usize, 2, 7, 64, 1500] {
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let mut tls = ClientConnection::new(trust.clone(), name).expect("a client");
        let mut socket = knock(home);
        let mut frame = Vec::new();
        gateway::frame::append(&mut frame, 0, 0, 0, peer.hello());
        let mut heard = Vec::new();
        let mut asked = false;
        while heard.len() < 24 + 8 + 64 {
            let mut out = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut out).expect("there is room");
            }
            for part in out.chunks(piece) {
                socket.write_all(part).expect("it listens");
                pass(&never, 0);
            }
            if !asked && !tls.is_handshaking() {
                tls.writer().write_all(&frame).expect("there is room");
                asked = true;
                continue;
            }
            assert!(tls.read_tls(&mut socket).expect("it speaks") > 0, "it does not hang up");
            tls.process_new_packets().expect("it speaks TLS");
            let mut words = [0; 256];
            if let Ok(count) = tls.reader().read(&mut words) {
                heard.extend_from_slice(&words[..count]);
            }
        }
        assert_eq!(u16::from_le_bytes([heard[26], heard[27]]), 2, "a challenge, in pieces of {piece}");
    }
}

#[test]
fn plain_tcp_beyond_loopback_is_refused_unless_it_is_asked_for() {
    let home = Home::new(|text| text);
    let file = home.path().join("ballast.toml");
    let original = fs::read_to_string(&file).expect("init wrote it");
    let config: Config = toml::from_str(&original).expect("it is good");
    let beyond = original.replace(&config.venue.listen, "192.0.2.1:7701");
    fs::write(&file, &beyond).expect("ours");
    let said = run("ballast", &["serve", home.shown()]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("loopback only") && text.contains("tls ="), "{text}");
    // On purpose it is served: here it fails later, because this machine has not that address.
    fs::write(&file, beyond.replace("plain_beyond_loopback = false", "plain_beyond_loopback = true"))
        .expect("ours");
    let said = run("ballast", &["serve", home.shown()]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("cannot listen on 192.0.2.1:7701"), "{text}");
    // A certificate that is not there, and one whose key is another's, are named before anything is done.
    let with_tls = original.replace("[gateway]\n", "[gateway]\ntls = \"127.0.0.1:0\"\n");
    fs::write(&file, &with_tls).expect("ours");
    let said = run("ballast", &["serve", home.shown()]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("tls/certificate.pem"), "{text}");
    fs::create_dir(home.path().join("tls")).expect("ours");
    let made = ["one", "two"].map(|name| tls::self_signed(&[name.to_string()]).expect("it is made"));
    fs::write(home.path().join("tls/certificate.pem"), &made[0].0).expect("ours");
    fs::write(home.path().join("tls/key.pem"), &made[1].1).expect("ours");
    let said = run("ballast", &["serve", home.shown()]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("do not go together"), "{text}");
}
