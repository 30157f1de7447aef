//! A refusal as one JSON object, for machines: the same facts as its sentence, each under a name. Strings are escaped, and
//! numbers are whole.

use std::fmt::Write;

use crate::error::{Damage, OpenError};

impl OpenError {
    /// One line: `refusal` is the kind, `text` the sentence, and where there are segment, offset, last good seq and the
    /// floor with its origin, they stand beside them.
    pub fn report(&self) -> String {
        let mut object = Object::new(self.kind());
        match self {
            OpenError::Damaged(damage) => object.damage(damage),
            OpenError::SegmentMissing { path, segment } => {
                object.number("segment", *segment);
                object.text("path", &path.display().to_string());
            }
            OpenError::OtherJournal { path, field } => {
                object.text("field", field);
                object.text("path", &path.display().to_string());
            }
            OpenError::Replay { seq, .. } => object.number("seq", *seq),
            OpenError::LossUnfinished { path, last_seq } => {
                object.number("last_seq", *last_seq);
                object.text("path", &path.display().to_string());
            }
            OpenError::Io { path, .. }
            | OpenError::Locked { path }
            | OpenError::NetworkFileSystem { path }
            | OpenError::AlreadyAJournal { path }
            | OpenError::NotAJournal { path }
            | OpenError::IdentityMissing { path }
            | OpenError::NewerFormat { path, .. }
            | OpenError::FileDamaged { path } => object.text("path", &path.display().to_string()),
            OpenError::Options { .. } | OpenError::BookmarkRefused { .. } | OpenError::LossRefused { .. } => {
            }
        }
        object.text("text", &self.to_string());
        object.end()
    }

    fn kind(&self) -> &'static str {
        match self {
            OpenError::Io { .. } => "io",
            OpenError::Locked { .. } => "locked",
            OpenError::NetworkFileSystem { .. } => "network_file_system",
            OpenError::Options { .. } => "options",
            OpenError::AlreadyAJournal { .. } => "already_a_journal",
            OpenError::NotAJournal { .. } => "not_a_journal",
            OpenError::IdentityMissing { .. } => "identity_missing",
            OpenError::OtherJournal { .. } => "other_journal",
            OpenError::NewerFormat { .. } => "newer_format",
            OpenError::SegmentMissing { .. } => "segment_missing",
            OpenError::FileDamaged { .. } => "file_damaged",
            OpenError::Damaged(_) => "damaged",
            OpenError::BookmarkRefused { .. } => "bookmark_refused",
            OpenError::Replay { .. } => "replay",
            OpenError::LossRefused { .. } => "loss_refused",
            OpenError::LossUnfinished { .. } => "loss_unfinished",
        }
    }
}

struct Object {
    text: String,
}

impl Object {
    fn new(kind: &str) -> Object {
        Object { text: format!("{{\"refusal\":\"{kind}\"") }
    }

    fn damage(&mut self, damage: &Damage) {
        self.number("segment", damage.segment);
        self.number("offset", damage.offset);
        self.text("fault", &format!("{:?}", damage.fault));
        self.number("last_good_seq", damage.last_good_seq);
        self.number("floor_seq", damage.floor.seq);
        self.number("floor_segment", damage.floor.position.segment());
        self.number("floor_offset", damage.floor.position.offset());
        self.text("floor_origin", &damage.floor.origin.to_string());
        self.text("path", &damage.path.display().to_string());
    }

    fn number(&mut self, name: &str, number: u64) {
        let _ = write!(self.text, ",\"{name}\":{number}");
    }

    fn text(&mut self, name: &str, text: &str) {
        let _ = write!(self.text, ",\"{name}\":\"");
        for letter in text.chars() {
            match letter {
                '"' | '\\' => self.text.extend(['\\', letter]),
                control if control < ' ' => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(control));
                }
                plain => self.text.push(plain),
            }
        }
        self.text.push('"');
    }

    fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::error::{Floor, FloorOrigin};
    use crate::scan::Fault;
    use crate::segment::Position;

    #[test]
    fn damage_is_told_with_every_fact() {
        let floor = Floor { seq: 80, position: Position::new(1, 8192), origin: FloorOrigin::Mark };
        let path = PathBuf::from("a \"dir\"\\1.seg");
        let damage = Damage { path, segment: 1, offset: 4096, fault: Fault::Chain, last_good_seq: 7, floor };
        let report = OpenError::Damaged(Box::new(damage)).report();
        let facts = "{\"refusal\":\"damaged\",\"segment\":1,\"offset\":4096,\"fault\":\"Chain\",\"last_good_seq\":7,\
                     \"floor_seq\":80,\"floor_segment\":1,\"floor_offset\":8192,\"floor_origin\":\"durable.mark\",\
                     \"path\":\"a \\\"dir\\\"\\\\1.seg\",\"text\":\"durable data is damaged; ";
        assert!(report.starts_with(facts), "{report}");
        assert!(report.ends_with("\"}"), "{report}");
    }

    #[test]
    fn control_characters_are_escaped() {
        let report = OpenError::Replay { seq: 3, reason: "a\nb".into() }.report();
        assert_eq!(report, "{\"refusal\":\"replay\",\"seq\":3,\"text\":\"replay refused seq 3: a\\u000ab\"}");
    }
}
