//! The layouts in `gateway/PROTOCOL.md` are those of the source: every block, every field, every size. A layout that
//! changes without its page fails here.

use std::collections::BTreeMap;
use std::path::Path;

/// Template id to `Name | bytes | field:type, ...`.
type Layouts = BTreeMap<u16, String>;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The `blocks!` of a source file: `Name = template, bytes { field: type, ... }`.
fn declared(source: &str, layouts: &mut Layouts) {
    for block in source.split("\n    ").filter(|text| text.contains(" = ") && text.contains(" {")) {
        let Some((head, _)) = block.split_once(" {") else { continue };
        let Some((name, numbers)) = head.split_once(" = ") else { continue };
        let Some((template, bytes)) = numbers.split_once(", ") else { continue };
        let (Ok(template), Ok(bytes)) = (template.parse(), bytes.parse::<u32>()) else { continue };
        let from = source.find(block).expect("it was cut from there");
        let body = source[from + head.len() + 2..].split_once('}').expect("a block ends").0;
        let fields: Vec<String> = body.split(',').filter_map(field).collect();
        layouts.insert(template, format!("{name} | {bytes} | {}", fields.join(", ")));
    }
}

fn field(text: &str) -> Option<String> {
    let (name, kind) = text.trim().split_once(':')?;
    let name = if name.starts_with("pad_") { "_" } else { name };
    let kind = kind.trim();
    let (kind, count) = match kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
        Some(array) => array.split_once("; ").map(|(kind, count)| (kind, format!("[{count}]")))?,
        None => (kind, String::new()),
    };
    Some(format!("{name}:{}{count}", kind.to_lowercase()))
}

/// The tables of the page: `| id | Name | bytes | fields |`.
fn written(page: &str) -> Layouts {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.filter_map(|row| {
        row.split_once(" | ").and_then(|(id, rest)| Some((id.parse().ok()?, rest.to_string())))
    })
    .collect()
}

#[test]
fn the_page_has_the_layouts_of_the_source() {
    let mut source = Layouts::new();
    for path in ["gateway/src/message.rs", "engine/src/command.rs", "engine/src/event.rs"] {
        declared(&read(path), &mut source);
    }
    assert_eq!(source.len(), 48, "every block was found: {:?}", source.keys());
    assert_eq!(written(&read("gateway/PROTOCOL.md")), source);
}

#[test]
fn a_field_too_many_is_noticed() {
    let mut layouts = Layouts::new();
    declared("blocks! {\n    A = 9, 16 { x: U64, pad_a: U32, y: [u8; 4] }\n}", &mut layouts);
    assert_eq!(layouts[&9], "A | 16 | x:u64, _:u32, y:u8[4]");
    assert_ne!(written("| 9 | A | 16 | x:u64, _:u32 |"), layouts);
}
