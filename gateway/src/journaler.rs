//! The journal's stage: copies groups from the log ring into the journal, closes a group when there is nothing more to copy,
//! makes it durable as the sync mode says, and publishes the released watermark. While a sync runs, the engine goes on,
//! and what it says meanwhile is the next group: batches are as large as the disk is slow.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};

use journal::{Kind, Record, WriteError, Writer};

use crate::cli::warn;
use crate::clock::Clock;
use crate::log::Entry;
use crate::release::{Release, SyncMode};
use crate::ring::{Bell, LogReader};
use crate::shortage::free_space;
use crate::snapshots::reference::SnapshotReference;
use crate::space::{Level, Space, charge, charge_max};
use crate::stage::{Ending, Released, Stage};

/// A group is closed at the next command once it holds this many bytes.
const GROUP_BYTES: usize = 1 << 20;
/// After this long without a command the durable mark is made durable itself, once.
const IDLE_NS: u64 = 50_000_000;
/// How often it is looked at whether something that a rotation needs could not be made.
const LOOK_NS: u64 = 100_000_000;
/// How long a group that found no segment rests.
const RETRY_NS: u64 = 100_000_000;

pub struct Journaler {
    /// Taken at the end, when it is closed.
    writer: Option<Writer>,
    log: LogReader,
    released: Released,
    net: Bell,
    /// Rung like the gateway's, for those who follow the journal in this process.
    followers: Vec<Bell>,
    matcher: Bell,
    ending: Ending,
    clock: Clock,
    release: Release,
    /// When the oldest group that is not durable was closed; only where output does not wait for the disk.
    unsynced_ns: Option<u64>,
    /// When the last group was synced, until the mark has followed it.
    unmarked_ns: Option<u64>,
    look_ns: u64,
    /// The fault that was told.
    told: Option<String>,
    space: Space,
    level: Level,
    command_bytes: u64,
    /// Before the first command of this life.
    first_seq: u64,
    /// No segment was found for the open group; it is tried again then.
    retry_ns: Option<u64>,
    directory: PathBuf,
    to_record: Receiver<SnapshotReference>,
    recorded: Sender<u64>,
    /// Appended and not yet durable.
    recording: Option<u64>,
}

/// What the stage is built from.
pub struct Parts {
    pub writer: Writer,
    pub log: LogReader,
    pub released: Released,
    /// Rung when something was released.
    pub net: Bell,
    /// Rung when the log ring has room again.
    pub matcher: Bell,
    pub ending: Ending,
    pub clock: Clock,
    /// Snapshots that were verified and shall stand in the journal.
    pub to_record: Receiver<SnapshotReference>,
    /// Told of each that does, durably.
    pub recorded: Sender<u64>,
    pub release: Release,
    pub space: Space,
    /// Where the venue stood when its last life ended.
    pub level: Level,
    /// Of the log ring, for the largest command.
    pub room_bytes: usize,
    /// Where the journal lies.
    pub directory: PathBuf,
}

impl Journaler {
    pub fn new(parts: Parts) -> Journaler {
        let Parts {
            writer, log, released, net, matcher, ending, clock, to_record, recorded, release, ..
        } = parts;
        let mut stage = Journaler {
            first_seq: writer.last().0,
            space: parts.space,
            level: parts.level,
            command_bytes: charge_max(parts.room_bytes),
            retry_ns: None,
            directory: parts.directory,
            writer: Some(writer),
            log,
            released,
            net,
            followers: Vec::new(),
            matcher,
            ending,
            clock,
            release,
            unsynced_ns: None,
            unmarked_ns: None,
            look_ns: 0,
            told: None,
            to_record,
            recorded,
            recording: None,
        };
        stage.measure();
        stage
    }

    /// Rings `bell` as well when something was released.
    pub fn also_ring(&mut self, bell: Bell) {
        self.followers.push(bell);
    }

    fn ring(&self) {
        self.net.ring();
        self.followers.iter().for_each(Bell::ring);
    }

    /// Copies what is there, at most one group. A group of the mode `sync` holds one command.
    fn copy(&mut self) -> Result<usize, WriteError> {
        let group_bytes = if self.release.mode == SyncMode::Sync { 1 } else { GROUP_BYTES };
        let Some(writer) = self.writer.as_mut() else { return Ok(0) };
        let mut copied = 0;
        while let Some(frame) = self.log.peek() {
            let (entry, payload) = Entry::read(frame);
            if entry.kind() == Kind::Command && writer.open_group_bytes() >= group_bytes {
                break;
            }
            writer.append(&Record {
                seq: entry.seq,
                ts_ns: entry.ts_ns,
                kind: entry.kind(),
                version: 1,
                flags: 0,
                sub: entry.sub,
                payload,
            })?;
            self.log.advance();
            copied += 1;
        }
        Ok(copied)
    }

    /// Behind the last command's events, where a group ends: a snapshot that was verified is recorded.
    fn record_snapshot(&mut self) -> Result<usize, WriteError> {
        let Some(writer) = self.writer.as_mut() else { return Ok(0) };
        let Ok(reference) = self.to_record.try_recv() else { return Ok(0) };
        let (seq, ts_ns) = writer.last();
        let (kind, payload) = (Kind::SnapshotRef, reference.payload());
        writer.append(&Record { seq, ts_ns, kind, version: 1, flags: 0, sub: 0, payload })?;
        self.recording = Some(reference.seq());
        Ok(1)
    }

    /// Says how the venue stands with its disk, once per change.
    fn look_ahead(&mut self, now_ns: u64) {
        if now_ns < self.look_ns {
            return;
        }
        self.look_ns = now_ns + LOOK_NS;
        let fault = self.writer.as_ref().and_then(Writer::spare_fault);
        if fault == self.told {
            return;
        }
        match &fault {
            Some(fault) => warn(format_args!(
                "the journal is short of segments: {fault}; {}; below a tenth of the active segment nothing is added any \
                 more, and at its end the venue halts until there is space",
                free_space(&self.directory)
            )),
            None => warn("the journal has its segments again"),
        }
        self.told = fault;
    }

    /// Tells the engine's stage how much it may go on with, when everything that was copied is written.
    fn measure(&mut self) {
        let Some(writer) = self.writer.as_ref() else { return };
        let (room, commands) = (writer.room(), writer.last().0 - self.first_seq);
        let level = self.level.next(room, self.command_bytes);
        self.space.publish(level, room, charge(self.log.position(), commands), self.command_bytes);
        if level != self.level {
            self.level = level;
            self.matcher.ring();
            let free = free_space(&self.directory);
            match level {
                Level::Enough => warn("the journal has space again: the venue goes on"),
                Level::Low => warn(format_args!("the journal is nearly full: cancel-only; {free}")),
                Level::Nothing => {
                    warn(format_args!("the journal is full: halted until there is space; {free}"))
                }
            }
        }
    }

    fn group(&mut self) -> Result<usize, WriteError> {
        let now_ns = self.clock.now_ns();
        self.look_ahead(now_ns);
        if !self.follow_the_disk()? {
            // A sync is under way, so there is something to look at again, and nothing has come to its end.
            return Ok(1);
        }
        let copied = match self.retry_ns {
            Some(at) if now_ns < at => return Ok(0),
            Some(_) => 1,
            None if self.level == Level::Enough => self.copy()? + self.record_snapshot()?,
            None => self.copy()?,
        };
        if copied > 0 {
            // Whoever asked for a record of a snapshot is told that it is durable.
            let waits = self.release.mode.waits_for_the_disk() || self.recording.is_some();
            let writer = self.writer.as_mut().expect("something was copied into it");
            let written = match writer.close_group() {
                // Where nothing comes any more, there is nobody who would make space for it.
                Err(WriteError::NoSpace(_)) if !self.ending.engine_done() => {
                    self.retry_ns = Some(now_ns + RETRY_NS);
                    return Ok(0);
                }
                closed => closed?,
            };
            self.retry_ns = None;
            let released = if waits { writer.sync()? } else { written };
            writer.watermarks().publish_released(released);
            self.measure();
            self.log.release();
            self.matcher.ring();
            self.released.publish(released);
            self.ring();
            if let Some(seq) = self.recording.take() {
                // Whoever asked may have ended.
                let _ = self.recorded.send(seq);
            }
            let now_ns = self.clock.now_ns();
            if waits {
                self.unmarked_ns = Some(now_ns);
            } else {
                self.unsynced_ns.get_or_insert(now_ns);
            }
            return Ok(copied);
        }
        self.measure();
        if self.space.is_halted() {
            // All that was said stands complete on the disk, whatever becomes of the venue.
            self.writer.as_mut().map_or(Ok(()), Writer::seal)?;
        } else if self.unmarked_ns.is_some_and(|since| now_ns > since + IDLE_NS) {
            self.writer.as_mut().map_or(Ok(()), Writer::sync_mark)?;
            self.unmarked_ns = None;
        }
        Ok(0)
    }

    /// Lets the disk follow a mode that does not wait for it. False while more is not durable than may be: then nothing is
    /// copied, the log ring fills, and the engine waits.
    fn follow_the_disk(&mut self) -> Result<bool, WriteError> {
        if self.release.mode != SyncMode::Async {
            return Ok(true);
        }
        let now_ns = self.clock.now_ns();
        let Some(writer) = self.writer.as_mut() else { return Ok(true) };
        writer.look_at_sync()?;
        let unsynced = writer.unsynced_bytes();
        if unsynced == 0 {
            if self.unsynced_ns.take().is_some() {
                self.unmarked_ns = Some(now_ns);
            }
            return Ok(true);
        }
        let is_full = unsynced >= self.release.unsynced_bytes_max;
        if is_full || self.unsynced_ns.is_some_and(|since| now_ns >= since + self.release.async_ns) {
            // What is closed from here on waits for a sync of its own.
            if writer.start_sync()? {
                self.unsynced_ns = Some(now_ns);
            }
        }
        Ok(!is_full)
    }

    fn close(&mut self) -> Result<(), WriteError> {
        self.writer.take().map_or(Ok(()), Writer::close)
    }
}

impl Stage for Journaler {
    fn poll(&mut self) -> usize {
        if self.writer.is_none() {
            return 0;
        }
        // Read before the ring is: what was published before the engine ended is copied below.
        let last = self.ending.engine_done();
        let done = match self.group() {
            Ok(0) if last => self.close().map(|()| 1),
            done => done,
        };
        match done {
            Ok(records) => {
                if self.writer.is_none() {
                    self.ending.journal_is_done();
                    self.ring();
                }
                records
            }
            Err(error) => {
                self.writer = None;
                self.ending.fail_at_the_disk(format!("the journal cannot be written: {error}"));
                self.ring();
                0
            }
        }
    }

    fn finished(&self) -> bool {
        self.writer.is_none()
    }
}
