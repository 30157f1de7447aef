//! Two schemas compared: what came, what went, and whether a peer that knows only the first still reads what the second
//! sends. Descriptions do not count.

use std::collections::BTreeMap;

use super::document::{Field, Kind, Message, Schema, Type};
use super::version;

/// What the differences amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Same,
    /// Something came, under a version that says so.
    Compatible,
    /// Something came, and `version` or `sinceVersion` does not say so.
    NeedsVersion,
    Breaks,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub verdict: Verdict,
    pub text: String,
}

/// From `old` to `new`, worst first.
pub fn changes(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut walk = Walk { old, new, found: Vec::new() };
    if old.id != new.id {
        walk.say(Verdict::Breaks, format!("schema id {} became {}", old.id, new.id));
    }
    if old.version > new.version {
        walk.say(Verdict::Breaks, format!("version {} is older than {}", new.version, old.version));
    }
    walk.types();
    walk.messages();
    let mut found = walk.found;
    if found.is_empty() && version::canonical(old) != version::canonical(new) {
        let text = format!("version {} became {}", old.version, new.version);
        found.push(Change { verdict: Verdict::Compatible, text });
    }
    found.sort_by_key(|change| std::cmp::Reverse(change.verdict));
    found
}

pub fn verdict(changes: &[Change]) -> Verdict {
    changes.iter().map(|change| change.verdict).max().unwrap_or(Verdict::Same)
}

struct Walk<'a> {
    old: &'a Schema,
    new: &'a Schema,
    found: Vec<Change>,
}

impl Walk<'_> {
    fn say(&mut self, verdict: Verdict, text: String) {
        self.found.push(Change { verdict, text });
    }

    fn breaks(&mut self, text: String) {
        self.say(Verdict::Breaks, text);
    }

    /// Something came that says since when it is there.
    fn came(&mut self, since: u16, text: &str) {
        if (self.old.version + 1..=self.new.version).contains(&since) {
            self.say(Verdict::Compatible, text.to_owned());
        } else {
            let wanted = self.new.version.max(self.old.version + 1);
            self.say(
                Verdict::NeedsVersion,
                format!("{text}: needs version and sinceVersion {wanted}, has {since}"),
            );
        }
    }

    fn types(&mut self) {
        for old in &self.old.types {
            match self.new.find_type(&old.name) {
                Some(new) => self.one_type(old, new),
                None if self.old.is_used(&old.name) => self.breaks(format!("type {} is gone", old.name)),
                None => {}
            }
        }
    }

    fn one_type(&mut self, old: &Type, new: &Type) {
        if old.encoding() != new.encoding() {
            return self.breaks(format!(
                "type {} was {} and is {}",
                old.name,
                old.encoding(),
                new.encoding()
            ));
        }
        match (&old.kind, &new.kind) {
            (Kind::Enumeration { values: before, .. }, Kind::Enumeration { values: after, .. })
            | (Kind::Set { bits: before, .. }, Kind::Set { bits: after, .. }) => {
                for choice in before {
                    let same =
                        |it: &&super::document::Choice| it.value == choice.value && it.name == choice.name;
                    if after.iter().find(same).is_none() {
                        self.breaks(format!("{} {} {} is gone", old.name, choice.value, choice.name));
                    }
                }
                for choice in after.iter().filter(|it| before.iter().all(|one| one.value != it.value)) {
                    let text = format!("{} has a new value {} {}", new.name, choice.value, choice.name);
                    self.came(choice.since, &text);
                }
            }
            (Kind::Number { null: before, .. }, Kind::Number { null: after, .. }) if before != after => {
                self.breaks(format!("type {} has another null", old.name));
            }
            (before, after) if before != after => self.breaks(format!("type {} is another", old.name)),
            _ => {}
        }
    }

    fn messages(&mut self) {
        for old in &self.old.messages {
            match self.new.message(old.id) {
                Some(new) => self.message(old, new),
                None => self.breaks(format!("template {} {} is gone", old.id, old.name)),
            }
        }
        for new in self.new.messages.iter().filter(|new| self.old.message(new.id).is_none()) {
            self.came(new.since, &format!("template {} {} is new", new.id, new.name));
        }
    }

    fn message(&mut self, old: &Message, new: &Message) {
        if old.name != new.name {
            self.breaks(format!("template {} was {} and is {}", old.id, old.name, new.name));
        }
        self.fields(&old.name, (&old.fields, old.block_length), (&new.fields, new.block_length));
        match (&old.group, &new.group) {
            (Some(before), Some(after)) => {
                if (before.id, &before.name) != (after.id, &after.name) {
                    self.breaks(format!("the group of {} is another", old.name));
                }
                let name = format!("{}.{}", old.name, before.name);
                self.fields(
                    &name,
                    (&before.fields, before.block_length),
                    (&after.fields, after.block_length),
                );
            }
            (None, None) => {}
            _ => self.breaks(format!("{} has a group in one of them alone", old.name)),
        }
    }

    fn fields(&mut self, part: &str, old: (&[Field], usize), new: (&[Field], usize)) {
        if new.1 < old.1 {
            self.breaks(format!("{part} shrank from {} to {} bytes", old.1, new.1));
        }
        let before: BTreeMap<usize, &Field> = real(old.0);
        let after: BTreeMap<usize, &Field> = real(new.0);
        for (offset, field) in &before {
            let same = after.get(offset).is_some_and(|it| {
                (it.id, &it.name, &it.type_name) == (field.id, &field.name, &field.type_name)
            });
            if !same {
                let now = after.get(offset).map_or("padding or nothing", |it| it.name.as_str());
                self.breaks(format!(
                    "{part}: at offset {offset} was {} {} {}, there is {now}",
                    field.id, field.name, field.type_name
                ));
            }
        }
        for (offset, field) in after.iter().filter(|(offset, _)| !before.contains_key(offset)) {
            if *offset >= old.1 {
                self.came(field.since, &format!("{part}: {} is appended at offset {offset}", field.name));
            } else {
                let text = format!(
                    "{part}: {} takes padding at offset {offset}, where older peers have 0",
                    field.name
                );
                self.came(field.since, &text);
            }
        }
    }
}

/// All but padding, by their places.
fn real(fields: &[Field]) -> BTreeMap<usize, &Field> {
    fields.iter().filter(|field| !field.is_padding()).map(|field| (field.offset, field)).collect()
}
