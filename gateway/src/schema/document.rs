//! A schema file as data: types, messages, fields with the places that follow from their sizes. Reads what
//! the rules in `gateway/schema/README.md` allow and refuses the rest with the line it stands on; does not know what the
//! code declares.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub id: u16,
    pub version: u16,
    pub package: String,
    pub types: Vec<Type>,
    pub messages: Vec<Message>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    pub name: String,
    pub line: u32,
    pub description: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One number.
    Number {
        primitive: Primitive,
        null: Option<i128>,
    },
    /// ASCII, NUL-padded.
    Text {
        bytes: usize,
    },
    /// Equal numbers end to end.
    Words {
        primitive: Primitive,
        names: Vec<String>,
    },
    Enumeration {
        primitive: Primitive,
        values: Vec<Choice>,
    },
    /// Bits.
    Set {
        primitive: Primitive,
        bits: Vec<Choice>,
    },
    /// The header of messages and the dimension of groups, which fields never have.
    Envelope(Vec<(String, Primitive)>),
}

/// A value of an enumeration, or the place of a bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub name: String,
    pub value: u64,
    pub since: u16,
    pub line: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primitive {
    U8,
    U16,
    U32,
    U64,
    I32,
    I64,
}

impl Primitive {
    fn read(name: &str) -> Option<Primitive> {
        [Primitive::U8, Primitive::U16, Primitive::U32, Primitive::U64, Primitive::I32, Primitive::I64]
            .into_iter()
            .find(|primitive| primitive.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Primitive::U8 => "uint8",
            Primitive::U16 => "uint16",
            Primitive::U32 => "uint32",
            Primitive::U64 => "uint64",
            Primitive::I32 => "int32",
            Primitive::I64 => "int64",
        }
    }

    pub fn bytes(self) -> usize {
        match self {
            Primitive::U8 => 1,
            Primitive::U16 => 2,
            Primitive::U32 | Primitive::I32 => 4,
            Primitive::U64 | Primitive::I64 => 8,
        }
    }
}

impl Type {
    pub fn bytes(&self) -> usize {
        match &self.kind {
            Kind::Number { primitive, .. }
            | Kind::Enumeration { primitive, .. }
            | Kind::Set { primitive, .. } => primitive.bytes(),
            Kind::Text { bytes } => *bytes,
            Kind::Words { primitive, names } => primitive.bytes() * names.len(),
            Kind::Envelope(parts) => parts.iter().map(|(_, primitive)| primitive.bytes()).sum(),
        }
    }

    /// What its bytes are read as.
    pub fn encoding(&self) -> String {
        match &self.kind {
            Kind::Number { primitive, .. }
            | Kind::Enumeration { primitive, .. }
            | Kind::Set { primitive, .. } => primitive.name().to_owned(),
            Kind::Text { bytes } => format!("char[{bytes}]"),
            Kind::Words { primitive, names } => format!("{}[{}]", primitive.name(), names.len()),
            Kind::Envelope(_) => "composite".to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub name: String,
    pub id: u16,
    pub block_length: usize,
    pub since: u16,
    pub description: String,
    pub fields: Vec<Field>,
    pub group: Option<Group>,
    pub line: u32,
    /// Where the message ends, and a field more would go.
    pub end_line: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub id: u16,
    pub block_length: usize,
    pub fields: Vec<Field>,
    pub line: u32,
    pub end_line: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub id: u16,
    /// The name of a type that the schema has.
    pub type_name: String,
    pub offset: usize,
    pub since: u16,
    pub description: String,
    pub line: u32,
}

impl Field {
    pub fn is_padding(&self) -> bool {
        self.name.strip_prefix("pad").is_some_and(|rest| rest.len() == 1)
    }
}

impl Schema {
    /// `name` is what a fault calls the file.
    pub fn parse(name: &str, text: &str) -> Result<Schema, String> {
        let document = Document::parse(text).map_err(|error| format!("{name}: {error}"))?;
        Reader { name, document: &document }.schema()
    }

    pub fn message(&self, id: u16) -> Option<&Message> {
        self.messages.iter().find(|message| message.id == id)
    }

    pub fn find_type(&self, name: &str) -> Option<&Type> {
        self.types.iter().find(|it| it.name == name)
    }

    pub fn type_of(&self, field: &Field) -> &Type {
        self.find_type(&field.type_name).expect("a schema is read only where every field has a type of it")
    }

    /// Whether any field is of this type.
    pub fn is_used(&self, name: &str) -> bool {
        let of = |fields: &[Field]| fields.iter().any(|field| field.type_name == name);
        self.messages.iter().any(|message| {
            of(&message.fields) || message.group.as_ref().is_some_and(|group| of(&group.fields))
        })
    }
}

/// `cl_ord_id` as `clOrdId`.
pub fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |camel, part| camel + &capital(part))
}

/// `PARTIALLY_FILLED` as `PartiallyFilled`.
pub fn pascal(name: &str) -> String {
    name.split('_').map(|part| capital(&part.to_lowercase())).collect()
}

/// `clOrdId` as `cl_ord_id`.
pub fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

struct Reader<'a, 'input> {
    name: &'a str,
    document: &'a Document<'input>,
}

type Element<'a, 'input> = Node<'a, 'input>;

impl<'a, 'input> Reader<'a, 'input> {
    fn schema(&self) -> Result<Schema, String> {
        let root = self.document.root_element();
        if root.tag_name().name() != "messageSchema" {
            return Err(self.fault(root, "the root is no messageSchema"));
        }
        for (name, wanted) in [("byteOrder", "littleEndian"), ("headerType", "messageHeader")] {
            if self.text(root, name)? != wanted {
                return Err(self.fault(root, &format!("{name} is not {wanted}")));
            }
        }
        let mut schema = Schema {
            id: self.number(root, "id")?,
            version: self.number(root, "version")?,
            package: self.text(root, "package")?.to_owned(),
            types: Vec::new(),
            messages: Vec::new(),
        };
        for node in elements(root) {
            match node.tag_name().name() {
                "types" => {
                    for node in elements(node) {
                        schema.types.push(self.declared(node)?);
                    }
                }
                "message" => {
                    let message = self.message(node, &schema.types)?;
                    schema.messages.push(message);
                }
                _ => return Err(self.unexpected(node)),
            }
        }
        Ok(schema)
    }

    fn declared(&self, node: Element<'a, 'input>) -> Result<Type, String> {
        let kind = match node.tag_name().name() {
            "type" => self.plain(node)?,
            "composite" => self.composite(node)?,
            "enum" => {
                let primitive = self.primitive(node, "encodingType")?;
                Kind::Enumeration { primitive, values: self.choices(node, "validValue")? }
            }
            "set" => {
                let primitive = self.primitive(node, "encodingType")?;
                Kind::Set { primitive, bits: self.choices(node, "choice")? }
            }
            _ => return Err(self.unexpected(node)),
        };
        Ok(Type {
            name: self.text(node, "name")?.to_owned(),
            line: self.line(node),
            description: description(node),
            kind,
        })
    }

    fn plain(&self, node: Element<'a, 'input>) -> Result<Kind, String> {
        if self.text(node, "primitiveType")? == "char" {
            let bytes = usize::from(self.number(node, "length")?);
            return Ok(Kind::Text { bytes });
        }
        if node.has_attribute("length") {
            return Err(self.fault(node, "an array of numbers is a composite of equal members"));
        }
        let primitive = self.primitive(node, "primitiveType")?;
        let null = match (node.attribute("presence"), node.attribute("nullValue")) {
            (None, None) => None,
            (Some("optional"), Some(text)) => {
                Some(text.parse().map_err(|_| self.fault(node, "nullValue is no number"))?)
            }
            _ => return Err(self.fault(node, "presence is \"optional\" with a nullValue, or not there")),
        };
        Ok(Kind::Number { primitive, null })
    }

    fn composite(&self, node: Element<'a, 'input>) -> Result<Kind, String> {
        let mut parts = Vec::new();
        for part in elements(node) {
            if part.tag_name().name() != "type" || part.has_attribute("length") {
                return Err(self.unexpected(part));
            }
            parts.push((self.text(part, "name")?.to_owned(), self.primitive(part, "primitiveType")?));
        }
        if matches!(node.attribute("name"), Some("messageHeader" | "groupSizeEncoding")) {
            return Ok(Kind::Envelope(parts));
        }
        let Some((_, primitive)) = parts.first().cloned() else {
            return Err(self.fault(node, "a composite without members"));
        };
        if parts.iter().any(|(_, other)| *other != primitive) {
            return Err(self.fault(node, "the members of a composite have one type"));
        }
        Ok(Kind::Words { primitive, names: parts.into_iter().map(|(name, _)| name).collect() })
    }

    fn choices(&self, node: Element<'a, 'input>, tag: &str) -> Result<Vec<Choice>, String> {
        let mut choices = Vec::new();
        for choice in elements(node) {
            if choice.tag_name().name() != tag {
                return Err(self.unexpected(choice));
            }
            let value = choice.text().map(str::trim).and_then(|text| text.parse().ok());
            choices.push(Choice {
                name: self.text(choice, "name")?.to_owned(),
                value: value.ok_or_else(|| self.fault(choice, "the value is no number"))?,
                since: self.since(choice)?,
                line: self.line(choice),
            });
        }
        Ok(choices)
    }

    fn message(&self, node: Element<'a, 'input>, types: &[Type]) -> Result<Message, String> {
        let mut groups = Vec::new();
        for inner in elements(node).filter(|inner| inner.tag_name().name() != "field") {
            if inner.tag_name().name() != "group" {
                return Err(self.unexpected(inner));
            }
            if self.text(inner, "dimensionType")? != "groupSizeEncoding" {
                return Err(self.fault(inner, "dimensionType is not groupSizeEncoding"));
            }
            if let Some(nested) = elements(inner).find(|nested| nested.tag_name().name() != "field") {
                return Err(self.unexpected(nested));
            }
            groups.push(Group {
                name: self.text(inner, "name")?.to_owned(),
                id: self.number(inner, "id")?,
                block_length: usize::from(self.number(inner, "blockLength")?),
                fields: self.fields(inner, types)?,
                line: self.line(inner),
                end_line: self.end_line(inner),
            });
        }
        if let Some(second) = groups.get(1) {
            return Err(format!("{}:{}: a message has at most one group", self.name, second.line));
        }
        Ok(Message {
            name: self.text(node, "name")?.to_owned(),
            id: self.number(node, "id")?,
            block_length: usize::from(self.number(node, "blockLength")?),
            since: self.since(node)?,
            description: description(node),
            fields: self.fields(node, types)?,
            group: groups.pop(),
            line: self.line(node),
            end_line: self.end_line(node),
        })
    }

    fn fields(&self, node: Element<'a, 'input>, types: &[Type]) -> Result<Vec<Field>, String> {
        let sizes: BTreeMap<&str, usize> = types
            .iter()
            .filter(|it| !matches!(it.kind, Kind::Envelope(_)))
            .map(|it| (it.name.as_str(), it.bytes()))
            .collect();
        let mut fields = Vec::new();
        let mut offset = 0;
        for field in elements(node).filter(|inner| inner.tag_name().name() == "field") {
            for gap in ["offset", "presence"] {
                if field.has_attribute(gap) {
                    return Err(self
                        .fault(field, &format!("a field has no {gap}: padding is a field, null a type's")));
                }
            }
            let type_name = self.text(field, "type")?.to_owned();
            let Some(bytes) = sizes.get(type_name.as_str()) else {
                return Err(self.fault(field, &format!("there is no type '{type_name}' above")));
            };
            fields.push(Field {
                name: self.text(field, "name")?.to_owned(),
                id: self.number(field, "id")?,
                type_name,
                offset,
                since: self.since(field)?,
                description: description(field),
                line: self.line(field),
            });
            offset += bytes;
        }
        Ok(fields)
    }

    fn text(&self, node: Element<'a, 'input>, name: &str) -> Result<&'a str, String> {
        node.attribute(name).ok_or_else(|| self.fault(node, &format!("{name} is missing")))
    }

    fn number(&self, node: Element<'a, 'input>, name: &str) -> Result<u16, String> {
        let text = self.text(node, name)?;
        text.parse().map_err(|_| self.fault(node, &format!("{name} '{text}' is no number below 65536")))
    }

    /// 1 where nothing is said: the first version.
    fn since(&self, node: Element<'a, 'input>) -> Result<u16, String> {
        if node.has_attribute("sinceVersion") { self.number(node, "sinceVersion") } else { Ok(1) }
    }

    fn primitive(&self, node: Element<'a, 'input>, name: &str) -> Result<Primitive, String> {
        let text = self.text(node, name)?;
        Primitive::read(text).ok_or_else(|| self.fault(node, &format!("{name} '{text}' is not used here")))
    }

    fn line(&self, node: Element<'a, 'input>) -> u32 {
        self.document.text_pos_at(node.range().start).row
    }

    fn end_line(&self, node: Element<'a, 'input>) -> u32 {
        self.document.text_pos_at(node.range().end).row
    }

    fn unexpected(&self, node: Element<'a, 'input>) -> String {
        self.fault(node, &format!("a {} cannot stand here", node.tag_name().name()))
    }

    fn fault(&self, node: Element<'a, 'input>, what: &str) -> String {
        format!("{}:{}: {what}", self.name, self.line(node))
    }
}

fn elements<'a, 'input>(node: Element<'a, 'input>) -> impl Iterator<Item = Element<'a, 'input>> {
    node.children().filter(Node::is_element)
}

fn description(node: Element<'_, '_>) -> String {
    node.attribute("description").unwrap_or_default().to_owned()
}
