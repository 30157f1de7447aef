//! The bytes of one connection on their way through the kernel, as they are or under TLS. Behaves as a socket that does not
//! block, whichever it is: `WouldBlock` where there is nothing or no room, 0 at the peer's end. Knows no frame.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::Shutdown;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};

/// Pieces of TLS that one read looks at: a peer may send any number that hold nothing.
const PIECES_PER_READ: usize = 16;

#[derive(Debug)]
pub struct Wire {
    pub socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// The end of our half was written.
    is_ended: bool,
}

impl Wire {
    pub fn plain(socket: TcpStream) -> Wire {
        Wire { socket, tls: None, is_ended: false }
    }

    pub fn secured(socket: TcpStream, terms: Arc<ServerConfig>) -> Result<Wire> {
        let tls = ServerConnection::new(terms).map_err(std::io::Error::other)?;
        Ok(Wire { socket, tls: Some(Box::new(tls)), is_ended: false })
    }

    /// The handshake is under way: nobody has said anything yet.
    pub fn is_opening(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// A read that fills less than it could has emptied the kernel's buffer.
    pub fn tells_when_empty(&self) -> bool {
        self.tls.is_none()
    }

    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(bytes) };
        for _ in 0..PIECES_PER_READ {
            match tls.reader().read(bytes) {
                // The peer broke off without the word for it: what it said before counts, as it does on a plain socket.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            let ended = tls.read_tls(&mut self.socket)? == 0;
            if let Err(error) = tls.process_new_packets() {
                // The peer is told why, if it listens.
                let _ = tls.write_tls(&mut self.socket);
                return Err(std::io::Error::new(ErrorKind::InvalidData, error));
            }
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    done => done?,
                };
            }
            if ended && tls.is_handshaking() {
                return Ok(0);
            }
        }
        Err(ErrorKind::Interrupted.into())
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.push()?;
        let Some(tls) = &mut self.tls else { return self.socket.write(bytes) };
        if tls.is_handshaking() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = tls.writer().write(bytes)?;
        match self.push() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(taken),
            pushed => pushed.map(|()| taken),
        }
    }

    /// Something was taken by `write` that the kernel has not.
    pub fn has_output(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Hands it over.
    pub fn push(&mut self) -> Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            if tls.write_tls(&mut self.socket)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Ends our half, behind what was written. False while the kernel has no room for the word that says so.
    pub fn end(&mut self) -> Result<bool> {
        if let Some(tls) = self.tls.as_mut().filter(|_| !self.is_ended) {
            tls.send_close_notify();
        }
        self.is_ended = true;
        match self.push() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            pushed => pushed?,
        }
        self.socket.shutdown(Shutdown::Write)?;
        Ok(true)
    }
}
