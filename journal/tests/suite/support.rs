//! A workload that is a function of `seq`, an oracle that recognises it, directories in memory, and a disk that
//! remembers every write and sync and fails on command.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use journal::{Identity, Kind, Options, Record, Storage, Writer, Written};
use tempfile::TempDir;

pub const SMALL: Options = Options { segment_bytes: 64 << 10, group_alignment: 4096 };
/// Sectors as groups, so that a small segment holds many.
pub const DENSE: Options = Options { segment_bytes: 64 << 10, group_alignment: 512 };

pub fn identity() -> Identity {
    Identity { journal_id: *b"a test's journal", shard: 3, config_hash: [7; 32], logic_version: 1 }
}

/// A directory in memory where there is one: these tests are about bytes, not about a device.
pub fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a scratch directory")
}

/// xorshift64*: enough for tests, and a seed prints as one number.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }
}

/// All records of command `seq`, in order: the command, its events, sometimes a mark.
pub fn records_of(seq: u64) -> Vec<(Kind, u32, Vec<u8>)> {
    let mut random = Random(seq.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut payload = |bytes_max| {
        let bytes = random.below(bytes_max);
        (0..bytes).map(|_| random.next() as u8).collect::<Vec<u8>>()
    };
    let mut records = vec![(Kind::Command, 0, payload(120))];
    records.extend((1..=seq % 4).map(|sub| (Kind::Event, sub as u32, payload(60))));
    if seq.is_multiple_of(10) {
        records.push((Kind::Mark, 0, payload(33)));
    }
    records
}

pub fn append_command(writer: &mut Writer, seq: u64) {
    for (kind, sub, payload) in records_of(seq) {
        let record = Record { seq, ts_ns: seq * 10, kind, version: 1, flags: 0, sub, payload: &payload };
        writer.append(&record).expect("appended");
    }
}

/// Writes the commands, `per_group` to a group, each group synced if `synced` says so for its last seq.
pub fn write(
    writer: &mut Writer,
    seqs: std::ops::RangeInclusive<u64>,
    per_group: u64,
    synced: impl Fn(u64) -> bool,
) {
    let last = *seqs.end();
    for seq in seqs {
        append_command(writer, seq);
        if seq % per_group == 0 || seq == last {
            assert_eq!(writer.close_group().expect("closed"), seq);
            if synced(seq) {
                assert_eq!(writer.sync().expect("synced"), seq);
            }
        }
    }
}

/// Recognises the workload record by record from seq 1; anything else is a wrong byte somewhere.
#[derive(Default)]
pub struct Oracle {
    pub seq: u64,
    due: std::collections::VecDeque<(Kind, u32, Vec<u8>)>,
    pub records: u64,
}

impl Oracle {
    /// One that has heard everything up to `seq`.
    pub fn behind(seq: u64) -> Oracle {
        Oracle { seq, ..Oracle::default() }
    }

    pub fn check(&mut self, record: &Record<'_>) -> Result<(), String> {
        if self.due.is_empty() {
            self.seq += 1;
            self.due = records_of(self.seq).into();
        }
        let (kind, sub, payload) = self.due.pop_front().expect("a command has records");
        let due = Record {
            seq: self.seq,
            ts_ns: self.seq * 10,
            kind,
            version: 1,
            flags: 0,
            sub,
            payload: &payload,
        };
        self.records += 1;
        if *record == due { Ok(()) } else { Err(format!("due {due:?}, found {record:?}")) }
    }

    /// The last seq, given that it came whole.
    pub fn whole_seq(&self) -> u64 {
        assert!(self.due.is_empty(), "command {} is not whole", self.seq);
        self.seq
    }
}

/// What a full open finds: the recovery, checked against the workload.
pub fn reopen(
    directory: &Path,
    options: &Options,
) -> Result<(Writer, journal::Recovery), journal::OpenError> {
    let mut oracle = Oracle::default();
    let opened = Writer::open(directory, Some(&identity()), options, &mut |record| oracle.check(record))?;
    assert_eq!(oracle.whole_seq(), opened.1.last_seq);
    Ok(opened)
}

/// What an open would find.
pub fn survey(directory: &Path) -> Result<journal::Survey, journal::OpenError> {
    let mut oracle = Oracle::default();
    let survey = journal::survey(directory, Some(&identity()), &mut |record| oracle.check(record))?;
    assert_eq!(oracle.whole_seq(), survey.last_seq);
    Ok(survey)
}

pub fn segment(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.seg"))
}

/// Gives the frame at `at` of a segment's bytes the checksum that its bytes and its place call for.
pub fn fix_checksum(segment: &mut [u8], at: usize, len: usize) {
    let mut place = (at as u64).to_le_bytes().to_vec();
    place.extend_from_slice(&segment[at..at + 4]);
    let salt = crc32c::crc32c(&segment[80..96]);
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(salt, &place), &segment[at + 8..at + len]);
    segment[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
}

/// Every file of the directory by name; subdirectories are left out.
pub fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(directory)
        .expect("listed")
        .map(|entry| entry.expect("listed").path())
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_name().expect("named").to_string_lossy().into_owned();
            (name, fs::read(path).expect("read"))
        })
        .collect()
}

pub fn put(directory: &Path, files: &BTreeMap<String, Vec<u8>>) {
    fs::create_dir_all(directory).expect("made");
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).expect("written");
    }
}

/// One thing that happened to the disk.
#[derive(Clone)]
pub enum Step {
    Write { segment: u64, offset: u64, bytes: Vec<u8> },
    Sync { segment: u64 },
}

#[derive(Default)]
pub struct Trace {
    pub steps: Vec<Step>,
    /// `durable.mark` as it was before each step.
    pub marks: Vec<Vec<u8>>,
    pub syncs: u64,
    pub sync_to_fail: Option<u64>,
    /// How often the disk was touched after the failure.
    pub touched_after_failure: u64,
    failed: bool,
}

/// A disk that remembers, and fails the sync that it is told to fail.
pub struct RecordingDisk {
    directory: PathBuf,
    segment: u64,
    disk: Written,
    trace: Arc<Mutex<Trace>>,
}

impl RecordingDisk {
    pub fn new(directory: &Path) -> (Box<RecordingDisk>, Arc<Mutex<Trace>>) {
        let trace = Arc::new(Mutex::new(Trace::default()));
        let disk = RecordingDisk {
            directory: directory.to_owned(),
            segment: 0,
            disk: Written::default(),
            trace: Arc::clone(&trace),
        };
        (Box::new(disk), trace)
    }

    fn note(&mut self, step: Step) -> bool {
        let mark = fs::read(self.directory.join("durable.mark")).unwrap_or_default();
        let mut trace = self.trace.lock().expect("no test thread panicked");
        trace.touched_after_failure += u64::from(trace.failed);
        if matches!(step, Step::Sync { .. }) {
            trace.syncs += 1;
            trace.failed |= trace.sync_to_fail == Some(trace.syncs);
        }
        trace.steps.push(step);
        trace.marks.push(mark);
        trace.failed
    }
}

impl Storage for RecordingDisk {
    fn attach(&mut self, segment: u64, file: File) -> io::Result<()> {
        self.segment = segment;
        self.disk.attach(segment, file)
    }

    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()> {
        self.note(Step::Write { segment: self.segment, offset, bytes: image.to_vec() });
        self.disk.write(offset, image)
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.note(Step::Sync { segment: self.segment }) {
            true => Err(io::Error::other("the disk was told to fail this sync")),
            false => self.disk.sync(),
        }
    }
}
