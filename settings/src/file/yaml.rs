//! YAML as far as a configuration needs it: one mapping, in which every value keeps its line and the text it was
//! written with. `1.10` is a name as well as a number; what it is, the setting decides and not YAML.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

/// A value.
#[derive(Debug)]
pub(super) struct Node {
    /// The line of its key or, in a list, its own.
    pub(super) line: u64,
    pub(super) content: Content,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Content {
    Nothing,
    Scalar(String),
    List(Vec<Node>),
    Mapping,
}

/// The fields of a text in their order; the error is a line and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Vec<(String, Node)>, (u64, String)> {
    let options = serde_saphyr::options! { with_snippet: false };
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let fields: Fields = serde_saphyr::from_str_with_options(text, options).map_err(|error| explain(text, &error))?;
    let node = |(key, value): (Spanned<String>, Spanned<Raw>)| {
        let line = key.referenced.line();
        (key.value, Node { line, content: value.value.content(text, &value.referenced) })
    };
    Ok(fields.0.into_iter().map(node).collect())
}

/// Where and what, in words of this file: the parser's own speak of options that only a programmer can set.
fn explain(text: &str, error: &serde_saphyr::Error) -> (u64, String) {
    let line = error.location().map_or(1, |location| location.line()).max(1);
    let message = error.without_snippet().to_string();
    if let Some(rest) = message.strip_prefix("duplicate mapping key: ") {
        let key = rest.split(',').next().unwrap_or_default();
        return (line, format!("{key:?} stands here a second time"));
    }
    if message.starts_with("expected mapping start") {
        return (line, "the file is no list of settings; each is a line such as `name: value`".to_owned());
    }
    // What a parser makes of a tab is beside the point, and so is where it gives up.
    let has_tab = |line: &str| line[..line.len() - line.trim_start().len()].contains('\t');
    if let Some((_, line)) = text.lines().zip(1..).find(|(line, _)| has_tab(line)) {
        return (line, "a tab; YAML is indented with spaces, and a setting not at all".to_owned());
    }
    let end = message.find(" at line ").unwrap_or(message.len());
    (line, format!("this is not YAML: {}", &message[..end]))
}

/// A mapping in the order of the text.
struct Fields(Vec<(Spanned<String>, Spanned<Raw>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            fields.push(entry);
        }
        Ok(Fields(fields))
    }
}

/// A value before its text is looked up.
enum Raw {
    Nothing,
    /// A string: unquoted and unescaped by the parser.
    Text(String),
    /// A number or a boolean: the text it was written with counts.
    Plain,
    List(Vec<Spanned<Raw>>),
    Mapping,
}

impl Raw {
    fn content(self, text: &str, location: &serde_saphyr::Location) -> Content {
        match self {
            Self::Nothing => Content::Nothing,
            Self::Text(text) => Content::Scalar(text),
            Self::Plain => Content::Scalar(written(text, location).to_owned()),
            Self::Mapping => Content::Mapping,
            Self::List(items) => Content::List(
                items
                    .into_iter()
                    .map(|item| Node {
                        line: item.referenced.line(),
                        content: item.value.content(text, &item.referenced),
                    })
                    .collect(),
            ),
        }
    }
}

/// The part of the text at a location.
fn written<'a>(text: &'a str, location: &serde_saphyr::Location) -> &'a str {
    let span = location.span();
    let range =
        span.byte_offset().zip(span.byte_len()).map(|(start, length)| start as usize..(start + length) as usize);
    range.and_then(|range| text.get(range)).unwrap_or_default().trim()
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Raw::Mapping)
    }
}
