//! A stranger at the feed of market data: says what a test wants, keeps what comes, and builds the books from it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use engine::message::Message;
use gateway::frame::{self, RETRANSMIT, SNAPSHOT};
use gateway::market::CHANNEL;
use gateway::market::message::{
    MdClose, MdHeartbeat, MdLevel, MdRetransmitRequest, MdSubscribe, MdSubscribed, SnapshotEnd,
};
use gateway::market::shadow::Shadow;
use socket2::{Domain, Socket, Type};
use zerocopy::little_endian::{U16, U32, U64};

use crate::peer::Came;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Listener {
    socket: TcpStream,
    inbound: Vec<u8>,
    pub shadow: Shadow,
    /// The last snapshot of each instrument.
    pub last_seqs: BTreeMap<u32, u64>,
    /// Every live message, and every one that was told again.
    pub live: BTreeMap<u64, Vec<u8>>,
    pub again: BTreeMap<u64, Vec<u8>>,
    pub epoch: u64,
    /// What the venue said last that its next number is.
    pub next_seq: u64,
}

impl Listener {
    /// Connected and greeted.
    pub fn connect(address: SocketAddr) -> Listener {
        let mut listener = Listener::over(TcpStream::connect(address).expect("the venue tells market data"));
        let beat = listener.until::<MdHeartbeat>();
        assert_eq!(beat.channel_id.get(), CHANNEL);
        listener
    }

    /// One whose kernel keeps little for it.
    pub fn connect_small(address: SocketAddr) -> Listener {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
        socket.set_recv_buffer_size(32 << 10).expect("a TCP socket takes it");
        socket.connect(&address.into()).expect("the venue tells market data");
        Listener::over(socket.into())
    }

    fn over(socket: TcpStream) -> Listener {
        socket.set_read_timeout(Some(PATIENCE)).expect("a TCP socket takes it");
        Listener {
            socket,
            inbound: Vec::new(),
            shadow: Shadow::default(),
            last_seqs: BTreeMap::new(),
            live: BTreeMap::new(),
            again: BTreeMap::new(),
            epoch: 0,
            next_seq: 0,
        }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        // A venue that has closed already is what the test looks at next.
        let _ = self.socket.write_all(bytes);
    }

    pub fn say<M: Message>(&mut self, block: M) {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, 0, 0, 0, block);
        self.write(&bytes);
    }

    pub fn ask(&mut self, instrument: u32, level: u8) -> MdSubscribed {
        self.say(MdSubscribe {
            request_id: U64::new(9),
            instrument_id: U32::new(instrument),
            level,
            pad_a: 0,
            pad_b: U16::new(0),
        });
        self.until::<MdSubscribed>()
    }

    pub fn subscribe(&mut self, instrument: u32, level: MdLevel) {
        let answer = self.ask(instrument, level as u8);
        assert_eq!((answer.code.get(), answer.request_id.get()), (0, 9));
    }

    pub fn ask_again(&mut self, from: u64, count: u32) {
        self.say(MdRetransmitRequest {
            request_id: U64::new(from),
            from_seq: U64::new(from),
            channel_id: U32::new(CHANNEL),
            count: U32::new(count),
        });
    }

    /// Hears until such a message comes.
    pub fn until<M: Message>(&mut self) -> M {
        loop {
            let came = self.hear().expect("the venue goes on");
            if let Some(message) = came.is::<M>() {
                return message;
            }
            assert!(came.is::<MdClose>().is_none(), "closed: {came:?}");
        }
    }

    /// The next frame, applied to the books; none when the venue has closed.
    pub fn hear(&mut self) -> Option<Came> {
        let came = self.next()?;
        if let Some(beat) = came.is::<MdHeartbeat>() {
            (self.epoch, self.next_seq) = (beat.engine_epoch.get(), beat.next_seq.get());
        }
        if came.flags & RETRANSMIT != 0 {
            self.again.insert(came.seq, came.message.clone());
            return Some(came);
        }
        let is_snapshot = came.flags & SNAPSHOT != 0;
        if let Some(end) = came.is::<SnapshotEnd>() {
            self.last_seqs.insert(end.instrument_id.get(), end.last_seq.get());
        }
        if came.seq != 0 && !is_snapshot {
            let before = self.live.insert(came.seq, came.message.clone());
            assert!(before.is_none_or(|before| before == came.message), "another message under {}", came.seq);
            self.next_seq = self.next_seq.max(came.seq + 1);
        }
        let heard = self.shadow.hear(&came.message, is_snapshot);
        assert_eq!(heard, Ok(()), "message {} template {}", came.seq, came.template_id());
        Some(came)
    }

    fn whole(&mut self) -> Option<Came> {
        let frame = frame::first(&self.inbound).expect("the venue writes legal frames")?;
        let came = Came {
            flags: frame.prefix.flags.get(),
            seq: frame.prefix.seq.get(),
            message: frame.message.to_vec(),
        };
        let bytes = frame.bytes();
        self.inbound.drain(..bytes);
        Some(came)
    }

    fn next(&mut self) -> Option<Came> {
        loop {
            if let Some(came) = self.whole() {
                return Some(came);
            }
            let mut buffer = [0; 64 * 1024];
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(bytes) => self.inbound.extend_from_slice(&buffer[..bytes]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing came in {PATIENCE:?}"),
                Err(_) => return None,
            }
        }
    }
}
