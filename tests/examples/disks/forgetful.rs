//! A disk in memory that keeps exactly what it was told to keep. Every file and every directory is held twice: as those who
//! use it see it, and as it is on the medium, to which a sync, and nothing else, brings what changed. When the power goes,
//! each sector that was not synced is there or not or holds garbage, each unsynced change of a name came to pass or did not
//! (in their order), and what was synced stays. Syncs and reads can be made to fail. Knows nothing of FUSE.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use tests::workload::Draw;

const SECTOR: usize = 512;
pub const ROOT: usize = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The power is off, or this sync or read was told to fail.
    Failed,
    Missing,
    Exists,
    NotEmpty,
}

#[derive(Default, Clone)]
pub struct Body {
    now: Vec<u8>,
    kept: Vec<u8>,
    /// Sectors of `now` that no sync has brought to the medium.
    unsynced: BTreeSet<usize>,
}

#[derive(Default, Clone)]
pub struct Names {
    now: BTreeMap<OsString, usize>,
    kept: BTreeMap<OsString, usize>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Made(OsString, usize),
    Removed(OsString),
    Renamed(OsString, OsString),
}

#[derive(Clone)]
pub enum Node {
    File(Body),
    Directory(Names),
}

/// What is to go wrong; nothing by itself.
#[derive(Default, Clone)]
pub struct Plan {
    /// The power goes during so many changes or syncs from here on.
    pub power_lasts: Option<u64>,
    /// The sync with this number, from 1, fails, and what it was to bring is lost.
    pub sync_fails: Option<u64>,
    /// Reads of this file that touch the sector at this offset fail.
    pub bad_sector: Option<(String, u64)>,
}

#[derive(Default, Clone, Copy, Debug)]
pub struct Counts {
    pub changes: u64,
    pub syncs: u64,
    pub through: u64,
    pub failed_syncs: u64,
    pub failed_reads: u64,
    /// Of power cuts: sectors that were not there, that were, and that held garbage; and names.
    pub forgotten: u64,
    pub arrived: u64,
    pub torn: u64,
    pub names_lost: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        let Counts {
            changes,
            syncs,
            through,
            failed_syncs,
            failed_reads,
            forgotten,
            arrived,
            torn,
            names_lost,
        } = *other;
        self.changes += changes;
        self.syncs += syncs;
        self.through += through;
        self.failed_syncs += failed_syncs;
        self.failed_reads += failed_reads;
        self.forgotten += forgotten;
        self.arrived += arrived;
        self.torn += torn;
        self.names_lost += names_lost;
    }
}

pub struct Disk {
    nodes: Vec<Option<Node>>,
    pub plan: Plan,
    pub counts: Counts,
    syncs_of_plan: u64,
    is_off: bool,
}

impl Disk {
    pub fn new() -> Disk {
        let nodes = vec![Some(Node::Directory(Names::default()))];
        Disk { nodes, plan: Plan::default(), counts: Counts::default(), syncs_of_plan: 0, is_off: false }
    }

    pub fn begin(&mut self, plan: Plan) {
        (self.plan, self.syncs_of_plan) = (plan, 0);
    }

    /// From here on everything fails.
    pub fn switch_off(&mut self) {
        self.is_off = true;
    }

    pub fn is_off(&self) -> bool {
        self.is_off
    }

    fn check_power(&self) -> Result<(), Refusal> {
        if self.is_off { Err(Refusal::Failed) } else { Ok(()) }
    }

    /// Counts down to the power cut. The change that meets it is in flight: it may be on the medium, but nobody is told.
    fn step(&mut self) -> Result<(), Refusal> {
        self.counts.changes += 1;
        let Some(left) = self.plan.power_lasts.as_mut() else { return Ok(()) };
        *left = left.saturating_sub(1);
        self.is_off = *left == 0;
        self.check_power()
    }

    pub fn node(&self, at: usize) -> Result<&Node, Refusal> {
        self.check_power()?;
        self.nodes.get(at).and_then(Option::as_ref).ok_or(Refusal::Missing)
    }

    fn node_mut(&mut self, at: usize) -> &mut Node {
        self.nodes[at].as_mut().expect("the kernel holds a reference")
    }

    fn names_mut(&mut self, at: usize) -> &mut Names {
        match self.node_mut(at) {
            Node::Directory(names) => names,
            Node::File(_) => panic!("the kernel knows that {at} is a file"),
        }
    }

    fn body_mut(&mut self, at: usize) -> &mut Body {
        match self.node_mut(at) {
            Node::File(body) => body,
            Node::Directory(_) => panic!("the kernel knows that {at} is a directory"),
        }
    }

    pub fn bytes(&self, at: usize) -> u64 {
        match self.nodes.get(at).and_then(Option::as_ref) {
            Some(Node::File(body)) => body.now.len() as u64,
            _ => 0,
        }
    }

    pub fn find(&self, directory: usize, name: &OsString) -> Result<usize, Refusal> {
        match self.node(directory)? {
            Node::Directory(names) => names.now.get(name).copied().ok_or(Refusal::Missing),
            Node::File(_) => Err(Refusal::Missing),
        }
    }

    pub fn list(&self, directory: usize) -> Result<Vec<(OsString, usize)>, Refusal> {
        match self.node(directory)? {
            Node::Directory(names) => Ok(names.now.iter().map(|(name, at)| (name.clone(), *at)).collect()),
            Node::File(_) => Err(Refusal::Missing),
        }
    }

    pub fn make(&mut self, directory: usize, name: OsString, node: Node) -> Result<usize, Refusal> {
        if self.find(directory, &name).is_ok() {
            return Err(Refusal::Exists);
        }
        self.check_power()?;
        let at = self.nodes.len();
        self.nodes.push(Some(node));
        let names = self.names_mut(directory);
        names.now.insert(name.clone(), at);
        names.unsynced.push(Change::Made(name, at));
        self.step().map(|()| at)
    }

    pub fn remove(&mut self, directory: usize, name: &OsString) -> Result<(), Refusal> {
        let at = self.find(directory, name)?;
        if let Node::Directory(Names { now, .. }) = self.node(at)?
            && !now.is_empty()
        {
            return Err(Refusal::NotEmpty);
        }
        let names = self.names_mut(directory);
        names.now.remove(name);
        names.unsynced.push(Change::Removed(name.clone()));
        self.step()
    }

    pub fn rename(&mut self, directory: usize, from: &OsString, to: &OsString) -> Result<(), Refusal> {
        let at = self.find(directory, from)?;
        let names = self.names_mut(directory);
        names.now.remove(from);
        names.now.insert(to.clone(), at);
        names.unsynced.push(Change::Renamed(from.clone(), to.clone()));
        self.step()
    }

    pub fn resize(&mut self, at: usize, bytes: u64) -> Result<(), Refusal> {
        self.check_power()?;
        self.body_mut(at).now.resize(bytes as usize, 0);
        self.step()
    }

    /// Grows the file if it is shorter.
    pub fn reserve(&mut self, at: usize, end: u64) -> Result<(), Refusal> {
        if self.bytes(at) < end { self.resize(at, end) } else { self.check_power() }
    }

    /// `is_through` says that the bytes must be on the medium when this returns.
    pub fn write(&mut self, at: usize, offset: u64, bytes: &[u8], is_through: bool) -> Result<(), Refusal> {
        self.check_power()?;
        let body = self.body_mut(at);
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        body.now.resize(body.now.len().max(end), 0);
        body.now[start..end].copy_from_slice(bytes);
        let sectors = start / SECTOR..end.div_ceil(SECTOR);
        body.unsynced.extend(sectors.clone());
        self.step()?;
        if is_through {
            self.counts.through += 1;
            self.sync_sectors(at, sectors)?;
        }
        Ok(())
    }

    pub fn read(&mut self, at: usize, offset: u64, bytes: usize) -> Result<Vec<u8>, Refusal> {
        self.check_power()?;
        if self.is_bad(at, offset, bytes) {
            self.counts.failed_reads += 1;
            return Err(Refusal::Failed);
        }
        let now = &self.body_mut(at).now;
        let start = (offset as usize).min(now.len());
        Ok(now[start..now.len().min(start + bytes)].to_vec())
    }

    fn is_bad(&self, at: usize, offset: u64, bytes: usize) -> bool {
        let Some((path, sector)) = &self.plan.bad_sector else { return false };
        let touches = (offset..offset + bytes as u64).contains(sector);
        touches && self.path(path).is_some_and(|bad| bad == at)
    }

    fn path(&self, path: &str) -> Option<usize> {
        path.split('/').try_fold(ROOT, |at, name| self.find(at, &OsString::from(name)).ok())
    }

    /// Every file by its path, as those who use it see it.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        self.collect(ROOT, "", &mut found);
        found
    }

    fn collect(&self, at: usize, path: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        match self.nodes[at].as_ref().expect("it is reachable") {
            Node::File(body) => drop(found.insert(path.to_owned(), body.now.clone())),
            Node::Directory(names) => {
                for (name, at) in &names.now {
                    let name = name.to_str().expect("the journal's names are text");
                    let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
                    self.collect(*at, &path, found);
                }
            }
        }
    }

    pub fn sync(&mut self, at: usize) -> Result<(), Refusal> {
        self.check_power()?;
        self.step()?;
        let sectors: Vec<usize> = match self.node_mut(at) {
            Node::File(body) => body.unsynced.iter().copied().collect(),
            Node::Directory(_) => Vec::new(),
        };
        self.sync_sectors(at, sectors)
    }

    fn sync_sectors(&mut self, at: usize, sectors: impl IntoIterator<Item = usize>) -> Result<(), Refusal> {
        self.counts.syncs += 1;
        self.syncs_of_plan += 1;
        let fails = self.plan.sync_fails == Some(self.syncs_of_plan);
        match self.node_mut(at) {
            Node::File(body) if fails => sectors.into_iter().for_each(|sector| body.lose(sector)),
            Node::File(body) => {
                body.kept.resize(body.now.len(), 0);
                sectors.into_iter().for_each(|sector| body.keep(sector));
            }
            Node::Directory(_) if fails => {}
            Node::Directory(names) => {
                names.unsynced.clear();
                names.kept.clone_from(&names.now);
            }
        }
        self.counts.failed_syncs += u64::from(fails);
        if fails { Err(Refusal::Failed) } else { Ok(()) }
    }

    /// The power comes back, and the medium is all that there is.
    pub fn cut(&mut self, draw: &mut Draw) {
        let mut counts = self.counts;
        for node in self.nodes.iter_mut().flatten() {
            match node {
                Node::File(body) => body.cut(draw, &mut counts),
                Node::Directory(names) => names.cut(draw, &mut counts),
            }
        }
        self.counts = counts;
        let mut reached = BTreeSet::from([ROOT]);
        let mut open = vec![ROOT];
        while let Some(at) = open.pop() {
            if let Some(Node::Directory(names)) = &self.nodes[at] {
                open.extend(names.now.values().filter(|at| reached.insert(**at)));
            }
        }
        for (at, node) in self.nodes.iter_mut().enumerate() {
            if !reached.contains(&at) {
                *node = None;
            }
        }
        (self.is_off, self.plan, self.syncs_of_plan) = (false, Plan::default(), 0);
    }
}

fn sector_of(bytes: &[u8], sector: usize) -> std::ops::Range<usize> {
    (sector * SECTOR).min(bytes.len())..((sector + 1) * SECTOR).min(bytes.len())
}

impl Body {
    fn keep(&mut self, sector: usize) {
        let place = sector_of(&self.now, sector);
        self.kept[place.clone()].copy_from_slice(&self.now[place]);
        self.unsynced.remove(&sector);
    }

    /// A failed sync is reported once: what it was to bring is never tried again, and is not what is read from then on.
    fn lose(&mut self, sector: usize) {
        let place = sector_of(&self.now, sector);
        for at in place {
            self.now[at] = self.kept.get(at).copied().unwrap_or(0);
        }
        self.unsynced.remove(&sector);
    }

    fn cut(&mut self, draw: &mut Draw, counts: &mut Counts) {
        if self.kept.len() != self.now.len() && draw.one_in(2) {
            self.kept.resize(self.now.len(), 0);
        }
        // None, all, or each by its own chance; and among those that did not arrive there may be garbage.
        let (chances, garbage) = (draw.below(5), draw.one_in(2));
        for sector in std::mem::take(&mut self.unsynced) {
            let place = sector_of(&self.now, sector);
            if place.end > self.kept.len() || place.is_empty() {
                continue;
            }
            if draw.below(4) < chances {
                self.kept[place.clone()].copy_from_slice(&self.now[place]);
                counts.arrived += 1;
            } else if garbage && draw.one_in(4) {
                self.kept[place].iter_mut().for_each(|byte| *byte = draw.bits() as u8);
                counts.torn += 1;
            } else {
                counts.forgotten += 1;
            }
        }
        self.now.clone_from(&self.kept);
    }
}

impl Names {
    fn cut(&mut self, draw: &mut Draw, counts: &mut Counts) {
        let changes = std::mem::take(&mut self.unsynced);
        let arrived = draw.below(changes.len() as u64 + 1) as usize;
        counts.names_lost += (changes.len() - arrived) as u64;
        for change in changes.into_iter().take(arrived) {
            match change {
                Change::Made(name, at) => drop(self.kept.insert(name, at)),
                Change::Removed(name) => drop(self.kept.remove(&name)),
                Change::Renamed(from, to) => {
                    let at = self.kept.remove(&from).expect("it was made or kept before");
                    self.kept.insert(to, at);
                }
            }
        }
        self.now.clone_from(&self.kept);
    }
}
