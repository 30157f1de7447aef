//! The schema files against the code, everything generated from them against what is committed, and the judgements of
//! `ballast schema`: a change that is not declared fails here, and the failure says which line to write.
//! `BALLAST_BLESS=1` writes what is generated, and the hashes of versions that are not released.

#[path = "schema/conversation.rs"]
mod conversation;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::command::{CancelOrder, MassQuote, NewOrder, QuoteEntry, instr_kind, order_flags, side_or_both};
use engine::event::{OrderAccepted, OrderExecuted, liquidity, status};
use engine::message::{Framed, GroupSize, Message, NULL_I64, NULL_U64};
use engine::reject::Reject;
use engine::units::Side;
use engine::{StpMode, Tif};
use gateway::frame::{self, END_OF_EVENT};
use gateway::market::message::{LevelAction, LevelEntry, LevelUpdate, OrderAdd};
use gateway::message::Heartbeat;
use gateway::schema::{self, Kind, Schema, Verdict};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromZeros, Immutable, IntoBytes};

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn committed(path: &str) -> String {
    std::fs::read_to_string(at(path)).unwrap_or_default()
}

fn blesses() -> bool {
    std::env::var_os("BALLAST_BLESS").is_some()
}

/// The file has this text, or gets it when it is blessed.
fn expect_file(path: &str, text: &str) {
    if committed(path) == text {
        return;
    }
    assert!(
        blesses(),
        "{path} is not what the schema generates: `BALLAST_BLESS=1 cargo test -p gateway --test schema`"
    );
    std::fs::create_dir_all(at(path).parent().expect("a file stands in a folder"))
        .expect("the sources are writable");
    std::fs::write(at(path), text).expect("the sources are writable");
}

/// The page has this text between its markers.
fn expect_between(path: &str, begin: &str, text: &str) {
    let page = committed(path);
    let (before, rest) = page.split_once(begin).unwrap_or_else(|| panic!("{path} has no {begin}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap_or_else(|| panic!("{path}: {begin} has no end"));
    expect_file(path, &format!("{before}{begin}\n{text}<!-- end -->{after}"));
}

fn schemas() -> [(&'static str, &'static Schema); 2] {
    [(schema::ORDER_ENTRY_FILE, schema::order_entry()), (schema::MARKET_DATA_FILE, schema::market_data())]
}

#[test]
fn the_files_are_what_the_code_speaks() {
    for (file, schema) in schemas() {
        let faults = schema::faults(file, schema);
        assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    }
}

#[test]
fn a_layout_cannot_change_without_its_version() {
    const PATH: &str = "gateway/schema/versions.toml";
    let mut versions = schema::read_versions(&committed(PATH)).expect("the file is TOML");
    for (_, schema) in schemas() {
        let Err(fault) = schema::check_version(&versions, schema) else { continue };
        let known = versions.entry(schema.package.clone()).or_default();
        let version = known
            .entry(schema.version.to_string())
            .or_insert_with(|| schema::Version { released: false, layouts: String::new() });
        assert!(blesses() && !version.released, "{fault}");
        version.layouts = schema::hash(schema);
    }
    let head = "# For each schema and version the BLAKE3 of what decides how its bytes are read. Once `released` is true, a line never changes\n\
        # again: whatever is another then is a new version. `cargo test -p gateway --test schema` holds it.\n\n";
    expect_file(PATH, &(head.to_owned() + &toml::to_string(&versions).expect("a map of maps is TOML")));
}

#[test]
fn what_is_generated_is_committed() {
    expect_file("gateway/schema/reject_codes.csv", &schema::reject_codes());
    expect_file("gateway/schema/ballast.lua", &schema::dissector());
    expect_file("gateway/clients/python/ballast/_schema.py", &schema::python_constants());
}

#[test]
fn the_pages_have_what_is_generated() {
    const PAGE: &str = "gateway/PROTOCOL.md";
    // One after the other: both stand in one file.
    for (name, schema) in [("order-entry", schema::order_entry()), ("market-data", schema::market_data())] {
        let begin = format!("<!-- ballast schema md {name}: begin -->");
        expect_between(PAGE, &begin, &schema::page(schema));
    }
    const FRAMES: &str = "gateway/schema/README.md";
    expect_between(FRAMES, "<!-- session: begin -->", &conversation::conversation());
    expect_between(FRAMES, "<!-- frames: begin -->", &frames());
}

// Frames for those who write a client.

const TIME_NS: u64 = 1_700_000_000_123_456_789;

fn frames() -> String {
    let order = NewOrder {
        cl_ord_id: U64::new(7),
        price: I64::new(50_000_500_000_000),
        qty: I64::new(10),
        display_qty: I64::new(NULL_I64),
        expire_time: U64::new(NULL_U64),
        instrument_id: U32::new(1),
        account_id: U32::new(10),
        max_delay_us: U32::new(250),
        side: Side::Buy as u8,
        ord_type: engine::command::ord_type::LIMIT,
        tif: Tif::Gtc as u8,
        stp_mode: StpMode::CancelTaker as u8,
        flags: U16::new(order_flags::POST_ONLY | order_flags::REDUCE_ONLY),
        ..NewOrder::new_zeroed()
    };
    let cancel = CancelOrder {
        cl_ord_id: U64::new(8),
        orig_cl_ord_id: U64::new(7),
        instrument_id: U32::new(1),
        account_id: U32::new(10),
        ..CancelOrder::new_zeroed()
    };
    let quote = |instrument: u32, bid: i64, ask: i64| QuoteEntry {
        instrument_id: U32::new(instrument),
        bid_px: I64::new(bid),
        bid_qty: I64::new(if bid == NULL_I64 { 0 } else { 5 }),
        ask_px: I64::new(ask),
        ask_qty: I64::new(5),
        ..QuoteEntry::new_zeroed()
    };
    let quotes = MassQuote {
        quote_id: U64::new(9),
        account_id: U32::new(10),
        stp_mode: StpMode::None as u8,
        ..MassQuote::new_zeroed()
    };
    let accepted = OrderAccepted {
        exec_id: U64::new(5_046_273),
        order_id: U64::new(4_294_967_297),
        cl_ord_id: U64::new(7),
        ref_seq: U64::new(1),
        recv_time: U64::new(TIME_NS + 1_000),
        match_time: U64::new(TIME_NS + 2_000),
        price: I64::new(50_000_500_000_000),
        qty: I64::new(10),
        leaves_qty: I64::new(10),
        display_qty: I64::new(NULL_I64),
        instrument_id: U32::new(1),
        account_id: U32::new(10),
        side: Side::Buy as u8,
        ord_type: engine::command::ord_type::LIMIT,
        tif: Tif::Gtc as u8,
        status: status::NEW,
        flags: U16::new(order_flags::POST_ONLY | order_flags::REDUCE_ONLY),
        ..OrderAccepted::new_zeroed()
    };
    let executed = OrderExecuted {
        exec_id: U64::new(5_111_810),
        order_id: U64::new(4_294_967_297),
        cl_ord_id: U64::new(7),
        ref_seq: U64::new(1),
        recv_time: U64::new(TIME_NS + 1_000),
        match_time: U64::new(TIME_NS + 3_000),
        match_id: U64::new(3),
        last_px: I64::new(50_000_500_000_000),
        last_qty: I64::new(4),
        leaves_qty: I64::new(6),
        cum_qty: I64::new(4),
        fee: I64::new(-1_250_000),
        position: I64::new(-4),
        instrument_id: U32::new(1),
        account_id: U32::new(10),
        side: Side::Sell as u8,
        status: status::PARTIALLY_FILLED,
        liquidity: liquidity::MAKER,
        ..OrderExecuted::new_zeroed()
    };
    let level = |px: i64, side: Side, action: LevelAction| LevelEntry {
        px: I64::new(px),
        qty: I64::new(12),
        orders: U32::new(2),
        side: side as u8,
        action: action as u8,
        depth: U16::new(1),
    };
    let levels = LevelUpdate {
        exec_id: U64::new(5_046_273),
        match_time: U64::new(TIME_NS),
        instrument_id: U32::new(1),
        prev_exec_id: U64::new(4_980_737),
        ..LevelUpdate::new_zeroed()
    };
    let add = OrderAdd {
        exec_id: U64::new(5_046_273),
        match_time: U64::new(TIME_NS),
        instrument_id: U32::new(1),
        side: Side::Buy as u8,
        md_order_id: U64::new(77),
        priority: U64::new(1_001),
        px: I64::new(50_000_500_000_000),
        qty: I64::new(10),
        ..OrderAdd::new_zeroed()
    };
    let beat = Heartbeat { next_seq: U64::new(2), ack_seq: U64::new(1), echo: U64::new(5) };
    let mut text = String::new();
    text += &shown(0, 0, Framed::new(beat).as_bytes());
    text += &shown(1, 0, Framed::new(order).as_bytes());
    text += &shown(2, 0, Framed::new(cancel).as_bytes());
    let entries = [quote(1, 49_990_000_000_000, 50_010_000_000_000), quote(2, NULL_I64, 3_000_000_000_000)];
    text += &shown(3, 0, &with_group(quotes, &entries));
    text += &shown(1, END_OF_EVENT, Framed::new(accepted).as_bytes());
    text += &shown(2, END_OF_EVENT, Framed::new(executed).as_bytes());
    let changed = [
        level(50_000_500_000_000, Side::Buy, LevelAction::New),
        level(50_010_000_000_000, Side::Sell, LevelAction::Delete),
    ];
    text += &shown(41, 0, &with_group(levels, &changed));
    text += &shown(42, END_OF_EVENT, Framed::new(add).as_bytes());
    text
}

fn with_group<M: Message, E: IntoBytes + Immutable>(head: M, entries: &[E]) -> Vec<u8> {
    [Framed::new(head).as_bytes(), GroupSize::of(entries).as_bytes(), entries.as_bytes()].concat()
}

/// A frame in words and in hexadecimal.
fn shown(seq: u64, flags: u16, message: &[u8]) -> String {
    let template = u16::from_le_bytes([message[2], message[3]]);
    let schema = schemas().into_iter().find_map(|(_, schema)| schema.message(template).map(|_| schema));
    let schema = schema.expect("the template is of one of the schemas");
    let known = schema.message(template).expect("found above");
    let mut text = format!("### {}\n\nseqNum {seq}, frameFlags {flags}, sendTime {TIME_NS}; ", known.name);
    let (block, rest) = message[8..].split_at(known.block_length);
    text += &values(schema, &known.fields, block);
    if let Some(group) = &known.group {
        for entry in rest[4..].chunks_exact(group.block_length) {
            let _ = write!(text, "; {}: {}", group.name, values(schema, &group.fields, entry));
        }
    }
    let mut bytes = Vec::new();
    frame::append_message(&mut bytes, flags, seq, TIME_NS, message);
    text + "\n\n" + &hexadecimal(&bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = "```text\n".to_owned();
    for line in bytes.chunks(16) {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(text, "{}", hex.join(" "));
    }
    text + "```\n\n"
}

fn values(schema: &Schema, fields: &[schema::Field], block: &[u8]) -> String {
    let mut shown = Vec::new();
    for field in fields.iter().filter(|field| !field.is_padding()) {
        let it = schema.type_of(field);
        let bytes = &block[field.offset..][..it.bytes()];
        let mut word = [0; 8];
        word[..bytes.len().min(8)].copy_from_slice(&bytes[..bytes.len().min(8)]);
        let raw = u64::from_le_bytes(word);
        let value = match &it.kind {
            Kind::Number { null, primitive } => {
                let number =
                    if primitive.name().starts_with('i') { i128::from(raw as i64) } else { i128::from(raw) };
                if number == 0 || *null == Some(number) {
                    continue;
                }
                number.to_string()
            }
            Kind::Enumeration { values, .. } => {
                let named =
                    values.iter().find(|choice| choice.value == raw).expect("frames have known values");
                format!("{} ({raw})", named.name)
            }
            Kind::Set { bits, .. } if raw != 0 => {
                let set = bits.iter().filter(|bit| raw >> bit.value & 1 == 1).map(|bit| bit.name.as_str());
                set.collect::<Vec<_>>().join(" and ")
            }
            Kind::Text { .. } if raw != 0 => {
                let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                format!("\"{}\"", String::from_utf8_lossy(text))
            }
            _ => continue,
        };
        shown.push(format!("{} {value}", field.name));
    }
    shown.join(", ")
}

// The program.

fn ballast(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ballast")).arg("schema").args(arguments).output();
    let output = output.expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("it ends by itself"), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_program_prints_what_is_built_in() {
    for (arguments, text) in [
        (["print", "order-entry"].as_slice(), schema::ORDER_ENTRY_XML),
        (&["print", "market-data"], schema::MARKET_DATA_XML),
        (&["lua"], &schema::dissector()),
        (&["python"], &schema::python_constants()),
        (&["csv"], &schema::reject_codes()),
        (&["md", "order-entry"], &schema::page(schema::order_entry())),
    ] {
        let (code, said, fault) = ballast(arguments);
        assert!(code == 0 && said == text && fault.is_empty(), "{arguments:?} prints something else {fault}");
    }
    assert_eq!(ballast(&["print", "other"]).0, 2);
    let (code, help, _) = ballast(&["--help"]);
    assert!(
        code == 0
            && ["print", "check", "diff", "md", "lua", "python", "csv"].iter().all(|it| help.contains(it))
    );
}

#[test]
fn the_program_says_by_its_exit_code_what_it_found() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| home.path().join(name).display().to_string();
    let (ours, broken, text) = (path("ours.xml"), path("broken.xml"), path("text.xml"));
    std::fs::write(&ours, schema::ORDER_ENTRY_XML).expect("the directory is writable");
    let other = schema::ORDER_ENTRY_XML.replace("name=\"echo\"", "name=\"ping\"");
    std::fs::write(&broken, other).expect("the directory is writable");
    std::fs::write(&text, "no XML").expect("the directory is writable");
    let built_in = ballast(&["check"]);
    assert_eq!(built_in.0, 0, "{built_in:?}");
    assert!(built_in.1.contains(&schema::hash(schema::market_data())), "{built_in:?}");
    assert_eq!(ballast(&["check", &ours]).0, 0);
    let (code, _, fault) = ballast(&["check", &ours, &broken]);
    assert!(
        code == 3 && fault.contains(&format!("{broken}:{}: the code has", line_of("name=\"echo\" id=\"3\""))),
        "{fault}"
    );
    assert_eq!(ballast(&["check", &text]).0, 3);
    assert_eq!(ballast(&["check", &path("none.xml")]).0, 4);
    assert_eq!(ballast(&["diff", &ours, &ours]).0, 0);
    let (code, said, fault) = ballast(&["diff", &ours, &broken]);
    assert!(
        code == 3 && said.starts_with("breaks: ") && fault.contains("a new template id"),
        "{said}{fault}"
    );
    assert_eq!(ballast(&["diff", &ours]).0, 2);
}

// The checks themselves.

/// The schema of order entry with one text of it replaced.
fn with(old: &str, new: &str) -> Result<Schema, String> {
    assert!(schema::ORDER_ENTRY_XML.contains(old), "{old} stands in the file");
    Schema::parse("mine.xml", &schema::ORDER_ENTRY_XML.replacen(old, new, 1))
}

fn line_of(text: &str) -> usize {
    let line = schema::ORDER_ENTRY_XML.lines().position(|line| line.contains(text));
    line.expect("it stands in the file") + 1
}

/// One change, and what must be said of it.
#[track_caller]
fn is_noticed(old: &str, new: &str, said: &str) {
    let faults = match with(old, new) {
        Ok(schema) => schema::faults("mine.xml", &schema).join("\n"),
        Err(fault) => fault,
    };
    assert!(faults.contains(said), "{old} -> {new}: said '{faults}', wanted '{said}'");
}

#[test]
fn every_difference_to_the_code_names_its_line() {
    let price = r#"<field name="price" id="2" type="Price9Opt"/>"#;
    let line = line_of(price);
    let write = format!("mine.xml:{line}: the code has in NewOrder price at offset 8 as i64");
    is_noticed(price, r#"<field name="prize" id="2" type="Price9Opt"/>"#, &write);
    is_noticed(
        price,
        r#"<field name="prize" id="2" type="Price9Opt"/>"#,
        &format!("write for this line\n    {price}"),
    );
    is_noticed(price, r#"<field name="price" id="3" type="Price9Opt"/>"#, &write);
    is_noticed(price, r#"<field name="price" id="2" type="LotsOpt"/>"#, &write);
    is_noticed(price, r#"<field name="price" id="2" type="UInt32"/>"#, &write);
    let shifted =
        format!("mine.xml:{}: the code has in NewOrder price at offset 8 as i64, here stands qty", line + 1);
    is_noticed(price, "", &shifted);
    let longer = format!("{price}<field name=\"more\" id=\"3\" type=\"Lots\"/>");
    is_noticed(price, &longer, &format!("write for lines {line} to {}", line + 13));
    is_noticed(
        r#"<sbe:message name="CancelOrder" id="111" blockLength="32""#,
        r#"<sbe:message name="CancelOrder" id="119" blockLength="32""#,
        "CancelOrder is missing; write behind this line\n  <sbe:message name=\"CancelOrder\" id=\"111\" blockLength=\"32\">\n",
    );
    is_noticed(r#"name="CancelOrder" id="111""#, r#"name="Cancel" id="111""#, "write name=\"CancelOrder\"");
    is_noticed(
        r#"<validValue name="Mmp">4<"#,
        r#"<validValue name="Mmp">5<"#,
        "CancelReason is in engine/src/event.rs",
    );
    is_noticed(r#"<validValue name="Mmp">4</validValue>"#, "", r#"<validValue name="Mmp">4</validValue>"#);
    is_noticed(r#"<choice name="mmp">3</choice>"#, "", r#"<choice name="mmp">3</choice>"#);
    is_noticed(
        "nullValue=\"18446744073709551615\"",
        "nullValue=\"0\"",
        "null is 18446744073709551615 in the code",
    );
    is_noticed("version=\"1\" semantic", "version=\"2\" semantic", "version is 2, the code speaks 1");
    is_noticed("<group name=\"quotes\" id=\"100\"", "<group name=\"quotes\" id=\"99\"", "write id=\"100\"");
}

#[test]
fn every_rule_of_the_files_is_held() {
    let qty = r#"<field name="qty" id="3" type="Lots"/>"#;
    is_noticed(qty, r#"<field name="qty" id="3" type="Lots" offset="16"/>"#, "a field has no offset");
    is_noticed(
        qty,
        r#"<field name="qty" id="3" type="Lots" presence="optional"/>"#,
        "a field has no presence",
    );
    is_noticed(qty, r#"<field name="qty" id="3" type="int64"/>"#, "there is no type 'int64' above");
    is_noticed(qty, r#"<field name="long" id="3" type="Lots"/>"#, "a word of a language");
    is_noticed(qty, r#"<field name="qty" id="2" type="Lots"/>"#, "two fields have one id");
    is_noticed(
        qty,
        r#"<field name="qty" id="3" type="Lots" sinceVersion="2"/>"#,
        "sinceVersion 2 is not between 1 and 1",
    );
    is_noticed(qty, r#"<data name="qty" id="3" type="Lots"/>"#, "a data cannot stand here");
    is_noticed("blockLength=\"64\"", "blockLength=\"60\"", "blockLength is 60, the fields have 64 bytes");
    is_noticed("blockLength=\"64\"", "", "blockLength is missing");
    is_noticed("byteOrder=\"littleEndian\"", "byteOrder=\"bigEndian\"", "byteOrder is not littleEndian");
    is_noticed("package=\"ballast_order_entry\"", "package=\"ballast.order\"", "package has a dot");
    is_noticed("<validValue name=\"Buy\">1<", "<validValue name=\"Buy\">0<", "an enumeration begins at 1");
    is_noticed("<choice name=\"mmp\">3<", "<choice name=\"mmp\">4<", "contiguous from 0");
    is_noticed("<enum name=\"Tif\"", "<enum name=\"U64\"", "there is no type 'Tif' above");
    is_noticed(
        "<type name=\"Char16\" primitiveType=\"char\"",
        "<type name=\"Char16\" primitiveType=\"uint8\"",
        "an array of numbers",
    );
    is_noticed(
        "<type name=\"numInGroup\" primitiveType=\"uint16\"/>",
        "<type name=\"numInGroup\" primitiveType=\"uint8\"/>",
        "groupSizeEncoding is not the standard one",
    );
    is_noticed(
        "id=\"100\" blockLength",
        "id=\"400\" blockLength",
        "templates from 400 on are of schema 7702",
    );
    is_noticed(
        "</types>",
        "<type name=\"Spare\" primitiveType=\"uint8\"/></types>",
        "no field is of this type",
    );
    is_noticed("</types>", "</types", "mine.xml:");
}

/// What `ballast schema diff` says of the file as it is and with one change.
#[track_caller]
fn judged(changes: &[(&str, &str)]) -> (Verdict, String) {
    let mut text = schema::ORDER_ENTRY_XML.to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "{old} stands in the file");
        text = text.replacen(old, new, 1);
    }
    let changed = Schema::parse("mine.xml", &text).expect("the change is well formed");
    let found = schema::changes(schema::order_entry(), &changed);
    let texts: Vec<String> = found.iter().map(|change| change.text.clone()).collect();
    (schema::verdict(&found), texts.join("; "))
}

#[test]
fn what_a_peer_still_reads_is_compatible() {
    let second = ("version=\"1\" semantic", "version=\"2\" semantic");
    let longer = (
        "name=\"TestRequest\" id=\"9\" blockLength=\"8\"",
        "name=\"TestRequest\" id=\"9\" blockLength=\"16\"",
    );
    let echo = "<field name=\"echo\" id=\"1\" type=\"UInt64\"/>\n  </sbe:message>";
    let appended = |since: &str| {
        format!(
            "<field name=\"echo\" id=\"1\" type=\"UInt64\"/><field name=\"more\" id=\"2\" type=\"UInt64\"{since}/></sbe:message>"
        )
    };
    let (with_since, without) = (appended(" sinceVersion=\"2\""), appended(""));
    assert_eq!(judged(&[]), (Verdict::Same, String::new()));
    assert_eq!(judged(&[("description=\"in 1e-9\"", "description=\"nano\"")]).0, Verdict::Same);
    assert_eq!(judged(&[second]), (Verdict::Compatible, "version 1 became 2".to_owned()));
    assert_eq!(
        judged(&[second, longer, (echo, &with_since)]),
        (Verdict::Compatible, "TestRequest: more is appended at offset 8".to_owned())
    );
    assert_eq!(judged(&[longer, (echo, &with_since)]).0, Verdict::NeedsVersion);
    assert_eq!(judged(&[second, longer, (echo, &without)]).0, Verdict::NeedsVersion);
    let value = "<validValue name=\"Off\">1</validValue>";
    let more = format!("{value}<validValue name=\"All\" sinceVersion=\"2\">2</validValue>");
    assert_eq!(
        judged(&[second, (value, &more)]),
        (Verdict::Compatible, "CodMode has a new value 2 All".to_owned())
    );
    let message = "<sbe:message name=\"Logout\"";
    let new = format!(
        "<sbe:message name=\"Other\" id=\"7\" blockLength=\"8\" sinceVersion=\"2\"><field name=\"a\" id=\"1\" type=\"UInt64\"/></sbe:message>{message}"
    );
    assert_eq!(
        judged(&[second, (message, &new)]),
        (Verdict::Compatible, "template 7 Other is new".to_owned())
    );
    assert_eq!(judged(&[(message, &new)]).0, Verdict::NeedsVersion);
    let padding = "<field name=\"padA\" id=\"3\" type=\"UInt32\"/>";
    let taken = "<field name=\"owner\" id=\"3\" type=\"UInt32\" sinceVersion=\"2\"/>";
    let (verdict, text) = judged(&[second, (padding, taken)]);
    assert_eq!(verdict, Verdict::Compatible, "{text}");
    assert!(text.contains("owner takes padding at offset 12, where older peers have 0"), "{text}");
}

#[test]
fn what_a_peer_no_longer_reads_breaks() {
    for (old, new) in [
        ("id=\"7701\"", "id=\"7703\""),
        (
            "<field name=\"echo\" id=\"3\" type=\"UInt64\"/>",
            "<field name=\"echo\" id=\"3\" type=\"SeqNum\"/>",
        ),
        (
            "<field name=\"echo\" id=\"3\" type=\"UInt64\"/>",
            "<field name=\"ping\" id=\"3\" type=\"UInt64\"/>",
        ),
        (
            "<field name=\"echo\" id=\"3\" type=\"UInt64\"/>",
            "<field name=\"echo\" id=\"4\" type=\"UInt64\"/>",
        ),
        ("<field name=\"echo\" id=\"3\" type=\"UInt64\"/>", ""),
        (
            "<field name=\"echo\" id=\"3\" type=\"UInt64\"/>",
            "<field name=\"padA\" id=\"3\" type=\"UInt64\"/>",
        ),
        ("name=\"Heartbeat\" id=\"8\"", "name=\"Heartbeat\" id=\"7\""),
        ("name=\"Heartbeat\" id=\"8\"", "name=\"Beat\" id=\"8\""),
        ("<validValue name=\"Buy\">1</validValue>", ""),
        ("<validValue name=\"Buy\">1</validValue>", "<validValue name=\"Bid\">1</validValue>"),
        ("<choice name=\"mmp\">3</choice>", ""),
        ("nullValue=\"18446744073709551615\"", "nullValue=\"0\""),
        ("<enum name=\"Side\" encodingType=\"uint8\"", "<enum name=\"Side\" encodingType=\"uint16\""),
        ("<group name=\"quotes\" id=\"100\"", "<group name=\"pairs\" id=\"100\""),
    ] {
        assert_eq!(judged(&[(old, new)]).0, Verdict::Breaks, "{old} -> {new}");
    }
}

#[test]
fn a_released_version_is_never_blessed() {
    let schema = schema::order_entry();
    let hash = schema::hash(schema);
    let versions = |released: bool, layouts: &str| {
        let text = format!("[ballast_order_entry.1]\nreleased = {released}\nlayouts = \"{layouts}\"\n");
        schema::read_versions(&text).expect("it is TOML")
    };
    assert_eq!(schema::check_version(&versions(true, &hash), schema), Ok(()));
    let said = |versions| schema::check_version(&versions, schema).expect_err("another hash");
    assert!(said(versions(true, "00")).contains("raise `version`"));
    assert!(said(versions(false, "00")).contains("BALLAST_BLESS=1"));
    assert!(said(schema::Versions::new()).contains("is not in gateway/schema/versions.toml"));
    let changed = with("<validValue name=\"Gtd\">5<", "<validValue name=\"Gtx\">5<").expect("well formed");
    assert_ne!(schema::hash(&changed), hash);
    let reworded = with("description=\"in 1e-9\"", "description=\"nano\"").expect("well formed");
    assert_eq!(schema::hash(&reworded), hash);
}

#[test]
fn codes_and_kinds_are_complete() {
    let codes = schema::reject_codes();
    assert_eq!(codes.lines().count(), Reject::ALL.len() + 1);
    assert!(codes.contains("\n115,DuplicateClOrdId,\"client order id was used before\"\n"));
    let kinds = schema::order_entry().find_type("InstrKind").expect("it is there");
    let Kind::Enumeration { values, .. } = &kinds.kind else { panic!("it is an enumeration") };
    assert_eq!(values.len(), instr_kind::ALL.len());
    assert_eq!(side_or_both::ALL.len(), 3);
}
