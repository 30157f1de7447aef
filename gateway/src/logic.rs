//! When newer rules take over: a journal that was begun under older ones than this build's is told, once, that from its
//! next command on the newer ones hold. Whoever replays it then knows which rules each command met.

use engine::logic;
use journal::{Kind, Record, WriteError, Writer};

/// Puts this build's rules in force behind the command `seq` if `active`, those that hold there, are older. The record is
/// durable when this returns.
pub fn renew(active: u32, writer: &mut Writer, seq: u64, ts_ns: u64) -> Result<(), WriteError> {
    renew_to(logic::LOGIC_VERSION, active, writer, seq, ts_ns)
}

fn renew_to(version: u32, active: u32, writer: &mut Writer, seq: u64, ts_ns: u64) -> Result<(), WriteError> {
    if version <= active {
        return Ok(());
    }
    let payload = version.to_le_bytes();
    writer.append(&Record {
        seq,
        ts_ns,
        kind: Kind::Logic,
        version: 1,
        flags: 0,
        sub: 0,
        payload: &payload,
    })?;
    writer.close_group()?;
    writer.sync()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use engine::replay::Replay;
    use journal::{Identity, Options};

    use super::*;

    #[test]
    fn newer_rules_are_recorded_once_and_an_older_build_refuses_them() {
        let directory = tempfile::tempdir().expect("there is room");
        let identity = Identity { journal_id: [1; 16], shard: 0, config_hash: [0; 32], logic_version: 1 };
        let options = Options { segment_bytes: 64 << 10, group_alignment: 512, ..Options::default() };
        let mut writer = Writer::create(directory.path(), &identity, &options).expect("a new journal");
        for (version, active) in [(1, 1), (2, 1), (2, 2)] {
            renew_to(version, active, &mut writer, 0, 5).expect("it is written");
        }
        writer.close().expect("it is durable");
        let (mut replay, mut refusals) = (Replay::new(), Vec::new());
        let survey = journal::survey(directory.path(), None, &mut |record| {
            let refused = replay.logic(record.seq, record.payload).expect_err("this build knows one version");
            refusals.push(refused.to_string());
            Ok(())
        });
        assert_eq!(survey.expect("it is whole").records, 1);
        assert!(
            refusals[0].contains("needs version 2") && refusals[0].contains("version 1 only"),
            "{refusals:?}"
        );
    }
}
