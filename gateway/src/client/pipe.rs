//! The bytes of a connection to the venue, as they are or under TLS. Waits as long as its socket is told to.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

pub(super) enum Pipe {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Pipe {
    /// With `trust`, the venue has proved when this returns that it is who `address` says.
    pub fn open(
        socket: TcpStream,
        address: &str,
        trust: Option<&Arc<ClientConfig>>,
        patience: Duration,
    ) -> Result<Pipe> {
        socket.set_nodelay(true)?;
        let Some(trust) = trust else { return Ok(Pipe::Plain(socket)) };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host)
            .map_err(|error| std::io::Error::new(ErrorKind::InvalidInput, error))?;
        let tls = ClientConnection::new(Arc::clone(trust), name).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(tls, socket);
        let deadline = Instant::now() + patience;
        while stream.conn.is_handshaking() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.sock.set_read_timeout(Some(left))?;
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Pipe::Secured(Box::new(stream)))
    }

    pub fn socket(&self) -> &TcpStream {
        match self {
            Pipe::Plain(socket) => socket,
            Pipe::Secured(stream) => &stream.sock,
        }
    }

    /// Says that no more comes. A venue that is gone does not need to know.
    pub fn end(&mut self) {
        if let Pipe::Secured(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.conn.write_tls(&mut stream.sock);
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }
}

impl Read for Pipe {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        match self {
            Pipe::Plain(socket) => socket.read(bytes),
            Pipe::Secured(stream) => stream.read(bytes),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Pipe::Plain(socket) => socket.write(bytes),
            // What was taken before goes first: a pause is told before anything more is taken.
            Pipe::Secured(stream) => {
                while stream.conn.wants_write() {
                    stream.conn.write_tls(&mut stream.sock)?;
                }
                stream.write(bytes)
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Pipe::Plain(socket) => socket.flush(),
            Pipe::Secured(stream) => stream.flush(),
        }
    }
}
