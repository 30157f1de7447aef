//! A workload that is a function of `seq`, an oracle that recognises it, directories in memory, and a disk that
//! remembers every write and sync and fails on command.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use journal::{BackEnd, Identity, Kind, Options, Record, Storage, Writer};
use tempfile::TempDir;

pub const SMALL: Options =
    Options { segment_bytes: 64 << 10, group_alignment: 4096, back_end: crate::BACK_END };
/// Sectors as groups, so that a small segment holds many.
pub const DENSE: Options =
    Options { segment_bytes: 64 << 10, group_alignment: 512, back_end: crate::BACK_END };

pub fn identity() -> Identity {
    Identity { journal_id: *b"a test's journal", shard: 3, config_hash: [7; 32], logic_version: 1 }
}

fn number(name: &str, otherwise: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// How much a test does: `BALLAST_TIER` is 0 for each commit (the default) or 1 for a release.
/// Over the back ends that are not the default it does a fourth: the same bytes come to the same files.
pub fn tiered(each_commit: u64, release: u64) -> u64 {
    let whole = if number("BALLAST_TIER", 0) == 0 { each_commit } else { release };
    whole.div_ceil(stride() as u64)
}

/// Of so many places one is looked at.
pub fn stride() -> usize {
    if crate::BACK_END == BackEnd::default() { 1 } else { 4 }
}

/// `BALLAST_SEED`, from which everything that a test draws follows. Never 0, where `Random` would stand still.
pub fn seed() -> u64 {
    number("BALLAST_SEED", 1).max(1)
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

/// Kind, sub and payload.
pub type Due = (Kind, u32, Vec<u8>);

/// All records of command `seq`, in order: the command, its events, sometimes a mark. After so many commands they come
/// again, with another seq and another time.
pub fn records_of(seq: u64) -> &'static [Due] {
    static RECORDS: LazyLock<Vec<Vec<Due>>> = LazyLock::new(|| (0..4_000).map(draw_records).collect());
    &RECORDS[seq as usize % RECORDS.len()]
}

fn draw_records(seq: u64) -> Vec<Due> {
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
        let (kind, sub) = (*kind, *sub);
        let record = Record { seq, ts_ns: seq * 10, kind, version: 1, flags: 0, sub, payload };
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
    due: &'static [Due],
    /// Of `due`, how many have come.
    come: usize,
    pub records: u64,
}

impl Oracle {
    /// One that has heard everything up to `seq`.
    pub fn behind(seq: u64) -> Oracle {
        Oracle { seq, ..Oracle::default() }
    }

    pub fn check(&mut self, record: &Record<'_>) -> Result<(), String> {
        if self.come == self.due.len() {
            self.seq += 1;
            (self.due, self.come) = (records_of(self.seq), 0);
        }
        let (kind, sub, payload) = &self.due[self.come];
        let due = Record {
            seq: self.seq,
            ts_ns: self.seq * 10,
            kind: *kind,
            version: 1,
            flags: 0,
            sub: *sub,
            payload,
        };
        self.come += 1;
        self.records += 1;
        if *record == due { Ok(()) } else { Err(format!("due {due:?}, found {record:?}")) }
    }

    /// The last seq, given that it came whole.
    pub fn whole_seq(&self) -> u64 {
        assert!(self.come == self.due.len(), "command {} is not whole", self.seq);
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
/// Waits until the writer's helper has made all that it keeps ready, so that nothing is added to the directory any more.
pub fn stocked(writer: &Writer, directory: &Path) {
    while writer.room().spares < 2 || !directory.join("reserve.bin").exists() {
        std::thread::yield_now();
    }
}

/// Directories under the temporary names of segments and of the reserve stand for a disk that is full for a while.
pub fn fill_up(directory: &Path, segments: std::ops::Range<u64>) {
    for number in segments {
        fs::create_dir(segment(directory, number).with_extension("seg.tmp")).expect("in the way");
    }
    fs::create_dir(directory.join("reserve.bin.tmp")).expect("in the way");
}

pub fn make_space(directory: &Path, segments: std::ops::Range<u64>) {
    for number in segments {
        fs::remove_dir(segment(directory, number).with_extension("seg.tmp")).expect("out of the way");
    }
    fs::remove_dir(directory.join("reserve.bin.tmp")).expect("out of the way");
}

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

/// A directory that takes one set of files after another and writes only the pages that differ.
pub struct Disk {
    directory: TempDir,
    held: BTreeMap<String, (File, Vec<u8>)>,
}

impl Disk {
    pub fn new() -> Disk {
        Disk { directory: scratch(), held: BTreeMap::new() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn hold(&mut self, files: &BTreeMap<String, Vec<u8>>) {
        self.held.retain(|name, _| {
            let stays = files.contains_key(name);
            if !stays {
                fs::remove_file(self.directory.path().join(name)).expect("it was held");
            }
            stays
        });
        for (name, bytes) in files {
            let path = self.directory.path().join(name);
            let make = || (File::create(path).expect("created"), Vec::new());
            let (file, held) = self.held.entry(name.clone()).or_insert_with(make);
            change(file, held, bytes);
        }
    }
}

/// Makes the bytes of a file those of `wanted`.
fn change(file: &File, held: &mut Vec<u8>, wanted: &[u8]) {
    const PAGE: usize = 4096;
    if held.len() != wanted.len() {
        file.set_len(wanted.len() as u64).expect("resized");
        held.resize(wanted.len(), 0);
    }
    for (page, (held, wanted)) in held.chunks_mut(PAGE).zip(wanted.chunks(PAGE)).enumerate() {
        if held != wanted {
            file.write_all_at(wanted, (page * PAGE) as u64).expect("written");
            held.copy_from_slice(wanted);
        }
    }
}

/// Does a test's rounds on as many threads as there are processors, each with its number, each once.
pub fn on_all_processors(rounds: u64, round: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= rounds {
                return;
            }
            round(number);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
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
    disk: Box<dyn Storage>,
    trace: Arc<Mutex<Trace>>,
}

impl RecordingDisk {
    pub fn new(directory: &Path) -> (Box<RecordingDisk>, Arc<Mutex<Trace>>) {
        let trace = Arc::new(Mutex::new(Trace::default()));
        let disk = RecordingDisk {
            directory: directory.to_owned(),
            segment: 0,
            disk: crate::BACK_END.storage(),
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
