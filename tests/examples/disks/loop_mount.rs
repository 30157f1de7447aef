//! A real file system on a loop device: made, mounted, shut down under whoever uses it, mounted again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The least that mkfs.xfs makes.
const IMAGE_BYTES: u64 = 320 << 20;

pub struct LoopMount {
    home: TempDir,
    pub kind: &'static str,
}

impl LoopMount {
    pub fn make(kind: &'static str) -> LoopMount {
        let home = tests::tier::scratch();
        let made = LoopMount { home, kind };
        let image = File::create(made.image()).expect("there is room");
        image.set_len(IMAGE_BYTES).expect("it is sparse");
        run(Command::new(format!("mkfs.{kind}")).arg("-q").arg(made.image()));
        fs::create_dir(made.point()).expect("there is room");
        made
    }

    fn image(&self) -> PathBuf {
        self.home.path().join("image")
    }

    pub fn point(&self) -> PathBuf {
        self.home.path().join("point")
    }

    /// The device detaches itself when it is unmounted.
    pub fn mount(&self) {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.point()));
    }

    /// Once nobody uses it any more.
    pub fn unmount(&self) {
        run(Command::new("umount").arg(self.point()));
    }

    /// The power goes: nothing that was not written back reaches the device, and the log is not flushed. xfs_io asks with
    /// the same request on both kinds of file system.
    pub fn shut_down(&self) {
        run(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(self.point()));
    }

    /// Bytes that the device was written since it was attached.
    pub fn device_bytes(&self) -> u64 {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("readable");
        let point = self.point();
        let is_here = |line: &&str| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == point);
        let line = mounts.lines().find(is_here).expect("it is mounted");
        let device = line.split(' ').next().and_then(|path| path.rsplit('/').next()).expect("a device");
        let stat = fs::read_to_string(format!("/sys/block/{device}/stat")).expect("a block device");
        let sectors: u64 =
            stat.split_whitespace().nth(6).and_then(|it| it.parse().ok()).expect("sectors written");
        sectors * 512
    }
}

fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}
