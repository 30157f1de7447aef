//! A venue as an operator has it: the real program in a process of its own, on a free port, in a directory that goes away
//! with it. Started, ended and killed by its process id.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use gateway::client_config::ClientConfig;
use gateway::config::Config;
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// A program of this workspace, built like the tests are. Under `cargo test --workspace` it is built already, and the call
/// to cargo only says so.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let test = std::env::current_exe().expect("a test is a program");
            let target = test.ancestors().nth(2).expect("tests lie in TARGET/PROFILE/deps").to_owned();
            let release = target.file_name().is_some_and(|profile| profile == "release");
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "-p", "gateway", "-p", "settlement-bridge", "--bins"]);
            build.args(release.then_some("--release"));
            build.arg("--target-dir").arg(target.parent().expect("a profile lies in the target directory"));
            build.current_dir(env!("CARGO_MANIFEST_DIR"));
            assert!(build.status().expect("cargo runs").success(), "the programs do not build");
            target
        })
        .join(name)
}

/// Runs a program to its end.
pub fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(program(name)).args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

/// An address of the owner's, as long as the socket lives: whoever asks for any port gets another, and whoever names this
/// one may listen there, because this socket is bound, does not listen, and lets its address be used again.
pub fn reserved() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
    socket.set_reuse_address(true).expect("a TCP socket takes it");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("loopback has a free port");
    let address = socket.local_addr().expect("it is bound").as_socket().expect("it was asked for");
    (socket, address)
}

/// A venue's directory, made by `ballast init`.
pub struct Home {
    directory: TempDir,
    /// Where it tells market data.
    pub market: SocketAddr,
    /// The addresses stay this venue's while it is down.
    _reserved: [Socket; 2],
}

impl Home {
    /// `edit` changes the written configuration.
    pub fn new(edit: impl FnOnce(String) -> String) -> Home {
        Home::made(tempfile::tempdir().expect("there is room for a venue"), edit)
    }

    /// The same on a file system of the caller's choice.
    pub fn within(parent: &Path, edit: impl FnOnce(String) -> String) -> Home {
        Home::made(tempfile::tempdir_in(parent).expect("there is room for a venue"), edit)
    }

    fn made(directory: TempDir, edit: impl FnOnce(String) -> String) -> Home {
        let [(socket, address), (market_socket, market)] = [reserved(), reserved()];
        let home = Home { directory, market, _reserved: [socket, market_socket] };
        let listen = ["--listen", &address.to_string(), "--market", &market.to_string()];
        let done = run("ballast", &[&["init", home.shown(), "--profile", "demo"][..], &listen].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let file = home.path().join("ballast.toml");
        let text = std::fs::read_to_string(&file).expect("init wrote it");
        // Small segments, so that a test does not fill the disk and rotation happens.
        let text = text.replace("segment_mib = 64", "segment_mib = 4");
        // All members of a test come from one address: nobody waits for what another did, unless the test is about that.
        let text = edit(text.replace("logon_backoff_ms = 1000", "logon_backoff_ms = 0"));
        std::fs::write(&file, text).expect("the directory is ours");
        home
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn shown(&self) -> &str {
        self.path().to_str().expect("temporary paths are text")
    }

    pub fn journal(&self) -> PathBuf {
        self.path().join("journal")
    }

    /// Another session with the key of a member: in the venue's file, and in a file of its own for whoever uses it.
    pub fn enroll(&self, name: &str, like: &str, session: u64, account: u32, role: &str) {
        self.enroll_many(&[(name.to_string(), session)], like, account, role);
    }

    /// Many of one account and role, by name and number.
    pub fn enroll_many(&self, sessions: &[(String, u64)], like: &str, account: u32, role: &str) {
        let file = self.path().join("ballast.toml");
        let venue = Config::load(self.path()).expect("init wrote it");
        let clients = self.path().join("clients");
        let mut client: ClientConfig = toml::from_str(
            &std::fs::read_to_string(clients.join(format!("{like}.toml"))).expect("init wrote it"),
        )
        .expect("init wrote it");
        let session = venue.sessions.iter().find(|session| session.id == client.session);
        let key = session.and_then(|session| session.keys.first()).expect("a member has a key");
        let mut text = std::fs::read_to_string(&file).expect("init wrote it");
        for (name, session) in sessions {
            text += &format!(
                "\n[[session]]\nid = {session}\naccount = {account}\nrole = \"{role}\"\n\
                 [[session.key]]\nid = {}\npublic = \"{}\"\n",
                key.id, key.public
            );
            (client.session, client.account, client.role) = (*session, account, role.into());
            let given = toml::to_string(&client).expect("it was text");
            std::fs::write(clients.join(format!("{name}.toml")), given).expect("the directory is ours");
        }
        std::fs::write(&file, text).expect("the directory is ours");
    }

    pub fn serve(&self) -> Venue {
        Venue::start("serve", self)
    }

    /// What the hand client of a member shows for a script of lines.
    pub fn typed(&self, name: &str, lines: impl AsRef<[u8]>) -> String {
        let mut client = Command::new(program("ballast"))
            .args(["client", self.shown(), name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut input = client.stdin.take().expect("it is piped");
        input.write_all(lines.as_ref()).expect("it listens");
        drop(input);
        let done = client.wait_with_output().expect("it ends at the end of its input");
        // 5: a line was refused, which is for the caller to judge by what is shown.
        assert!(matches!(done.status.code(), Some(0 | 5)), "{name}: {}", done.status);
        String::from_utf8(done.stdout).expect("it prints text")
    }
}

/// A running venue. Dropped, it is killed.
pub struct Venue {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    /// What it printed up to the line that says that it listens.
    pub said: Vec<String>,
}

impl Venue {
    /// Started, and listening.
    pub fn start(command: &str, home: &Home) -> Venue {
        let mut venue = Venue::spawn(command, home);
        venue.read_until("listening");
        venue
    }

    /// Started, and perhaps not yet listening.
    pub fn spawn(command: &str, home: &Home) -> Venue {
        Venue::spawn_with(command, home, Stdio::inherit())
    }

    /// The same with its standard error somewhere else.
    pub fn spawn_with(command: &str, home: &Home, notes: Stdio) -> Venue {
        let mut serve = Command::new(program("ballast"));
        serve.args([command, home.shown()]);
        Venue::run(serve, notes)
    }

    /// A command that becomes the venue.
    pub fn run(mut command: Command, notes: Stdio) -> Venue {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(notes)
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Venue { child, output, said: Vec::new() }
    }

    /// Reads on until a line holds `word`.
    pub fn read_until(&mut self, word: &str) -> String {
        let said = self.try_read_until(word);
        said.unwrap_or_else(|| panic!("the venue ended before it said '{word}': {:?}", self.said))
    }

    /// None if it ended before it said that.
    pub fn try_read_until(&mut self, word: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).expect("the pipe is ours") == 0 {
                return None;
            }
            let line = line.trim_end().to_string();
            self.said.push(line.clone());
            if line.contains(word) {
                return Some(line);
            }
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// kill -9: nothing is drained, nothing is said.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// SIGTERM, and what it said until its end.
    pub fn terminate(self) -> (ExitStatus, Vec<String>) {
        kill_process(self.pid(), Signal::TERM).expect("it is ours");
        self.ended()
    }

    /// What it said until it ended by itself.
    pub fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let mut line = String::new();
        while self.output.read_line(&mut line).expect("the pipe is ours") > 0 {
            self.said.push(std::mem::take(&mut line).trim_end().to_string());
        }
        let status = self.child.wait().expect("it is ours");
        (status, std::mem::take(&mut self.said))
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
