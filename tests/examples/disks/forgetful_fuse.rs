//! The forgetful disk behind FUSE, so that a real process uses it through a real kernel: its page cache, its mappings, its
//! direct writes. What the kernel has not written back when the power goes never reaches the disk. A sync may be made to
//! last, without holding up anything else.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use crate::forgetful::{Body, Disk, Names, Node, ROOT, Refusal};
use crate::slow::Slow;

/// Everything that changes comes through the kernel, so what it knows stays true.
const FOR_GOOD: Duration = Duration::from_secs(86_400);
/// As the kernel numbers them on x86-64 and aarch64.
const O_DSYNC: i32 = 0o10_000;
const NO_HANDLE: FileHandle = FileHandle(0);

pub type SharedDisk = Arc<Mutex<Disk>>;

pub fn lock(disk: &SharedDisk) -> MutexGuard<'_, Disk> {
    disk.lock().expect("no thread of the disk panicked")
}

/// A disk that is mounted; unmounted when it is dropped, and then nothing of it is in any cache.
pub struct Mounted(Option<BackgroundSession>);

impl Mounted {
    pub fn at(point: &Path, disk: &SharedDisk, slow: &Arc<Slow>) -> Mounted {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("forgetful".into()), MountOption::DefaultPermissions];
        let fuse = Fuse { disk: Arc::clone(disk), slow: Arc::clone(slow) };
        let session = fuser::spawn_mount(fuse, point, &config).expect("/dev/fuse, and the right to mount");
        Mounted(Some(session))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            // A process that still holds a file is a fault of the test, and says so at the next mount.
            let _ = session.umount_and_join();
        }
    }
}

struct Fuse {
    disk: SharedDisk,
    slow: Arc<Slow>,
}

fn number(ino: INodeNo) -> usize {
    ino.0 as usize - 1
}

fn errno(refusal: Refusal) -> Errno {
    match refusal {
        Refusal::Failed => Errno::EIO,
        Refusal::Missing => Errno::ENOENT,
        Refusal::Exists => Errno::EEXIST,
        Refusal::NotEmpty => Errno::ENOTEMPTY,
    }
}

fn attributes(disk: &Disk, at: usize) -> Result<FileAttr, Refusal> {
    let (kind, perm) = match disk.node(at)? {
        Node::File(_) => (FileType::RegularFile, 0o644),
        Node::Directory(_) => (FileType::Directory, 0o755),
    };
    let size = disk.bytes(at);
    Ok(FileAttr {
        ino: INodeNo(at as u64 + 1),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

fn empty(reply: ReplyEmpty, result: Result<(), Refusal>) {
    match result {
        Ok(()) => reply.ok(),
        Err(refusal) => reply.error(errno(refusal)),
    }
}

fn entry(reply: ReplyEntry, result: Result<FileAttr, Refusal>) {
    match result {
        Ok(attributes) => reply.entry(&FOR_GOOD, &attributes, Generation(0)),
        Err(refusal) => reply.error(errno(refusal)),
    }
}

impl Fuse {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }

    fn sync(&self, ino: INodeNo, reply: ReplyEmpty) {
        let at = number(ino);
        let Some(lasts) = self.slow.begin() else { return empty(reply, self.disk().sync(at)) };
        let (disk, slow) = (Arc::clone(&self.disk), Arc::clone(&self.slow));
        let wait: JoinHandle<()> = std::thread::spawn(move || {
            slow.wait(lasts);
            let result = lock(&disk).sync(at);
            slow.end();
            empty(reply, result);
        });
        drop(wait);
    }
}

impl Filesystem for Fuse {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let disk = self.disk();
        let found = disk.find(number(parent), &name.to_owned());
        entry(reply, found.and_then(|at| attributes(&disk, at)));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match attributes(&self.disk(), number(ino)) {
            Ok(attributes) => reply.attr(&FOR_GOOD, &attributes),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut disk = self.disk();
        let resized = size.map_or(Ok(()), |size| disk.resize(number(ino), size));
        match resized.and_then(|()| attributes(&disk, number(ino))) {
            Ok(attributes) => reply.attr(&FOR_GOOD, &attributes),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _mode: u32, _umask: u32, reply: ReplyEntry) {
        let mut disk = self.disk();
        let made = disk.make(number(parent), name.to_owned(), Node::Directory(Names::default()));
        entry(reply, made.and_then(|at| attributes(&disk, at)));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let mut disk = self.disk();
        let made = disk.make(number(parent), name.to_owned(), Node::File(Body::default()));
        match made.and_then(|at| attributes(&disk, at)) {
            Ok(attributes) => {
                reply.created(&FOR_GOOD, &attributes, Generation(0), NO_HANDLE, FopenFlags::FOPEN_KEEP_CACHE)
            }
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.disk().node(number(ino)) {
            Ok(_) => reply.opened(NO_HANDLE, FopenFlags::FOPEN_KEEP_CACHE),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.disk().remove(number(parent), &name.to_owned()));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.disk().remove(number(parent), &name.to_owned()));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if parent != new_parent {
            return reply.error(Errno::EXDEV);
        }
        empty(reply, self.disk().rename(number(parent), &name.to_owned(), &new_name.to_owned()));
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.disk().read(number(ino), offset, size as usize) {
            Ok(bytes) => reply.data(&bytes),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.disk().write(number(ino), offset, data, flags.0 & O_DSYNC != 0) {
            Ok(()) => reply.written(data.len() as u32),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode != 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        empty(reply, self.disk().reserve(number(ino), offset + length));
    }

    /// Called at each close, and no promise of anything.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        self.sync(ino, reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        self.sync(ino, reply);
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let disk = self.disk();
        let listed = match disk.list(number(ino)) {
            Ok(listed) => listed,
            Err(refusal) => return reply.error(errno(refusal)),
        };
        let own = [(OsString::from("."), number(ino)), (OsString::from(".."), ROOT)];
        for (index, (name, at)) in own.into_iter().chain(listed).enumerate().skip(offset as usize) {
            let kind = match disk.node(at) {
                Ok(Node::Directory(_)) => FileType::Directory,
                _ => FileType::RegularFile,
            };
            if reply.add(INodeNo(at as u64 + 1), index as u64 + 1, kind, &name) {
                break;
            }
        }
        reply.ok();
    }
}
