//! YAML as a tree in which every part knows its line.

use std::{collections::HashSet, fmt};

use model::validate::{FieldPath, Segment};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    /// Counted from 1 within the text that was parsed; 0 where it is not known.
    line: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Scalar(Value),
    List(Vec<Node>),
    /// In the order of the text, each with the line of its name.
    Object(Vec<(String, u64, Node)>),
}

impl Node {
    /// The value without the lines.
    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_value).collect(),
            Content::Object(fields) => Value::Object(
                fields.iter().map(|(name, _, node)| (name.clone(), node.to_value())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// The line of a field or, where there is no such field, of the innermost object around it.
    pub(super) fn line_of(&self, path: &FieldPath) -> u64 {
        let mut here = self;
        let mut line = self.line;
        for segment in &path.0 {
            let (next_line, next) = match (&here.content, segment) {
                (Content::List(items), Segment::Index(index)) => match items.get(*index) {
                    Some(item) => (item.line, item),
                    None => return line,
                },
                (Content::Object(fields), Segment::Field(name)) => match fields.iter().find(|(n, ..)| n == name) {
                    Some((_, name_line, node)) => (*name_line, node),
                    None => return line,
                },
                _ => return line,
            };
            (line, here) = (next_line, next);
        }
        line
    }

    /// The items of a list that is a field of this object.
    pub(super) fn take_items(self, field: &str) -> Option<Vec<Node>> {
        let Content::Object(fields) = self.content else { return None };
        match fields.into_iter().find(|(name, ..)| name == field)?.2.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line(), content: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    /// JSON has no infinity and no NaN. As texts they are told about where a number is wanted; as null they would
    /// silently mean "absent".
    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        let scalar = Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number);
        Ok(Content::Scalar(scalar))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Content, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut fields = Vec::new();
        let mut names = HashSet::new();
        while let Some((name, node)) = entries.next_entry::<Spanned<String>, Node>()? {
            if !names.insert(name.value.clone()) {
                return Err(serde::de::Error::custom(format!("the field {:?} stands there twice", name.value)));
            }
            fields.push((name.value, name.referenced.line(), node));
        }
        Ok(Content::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_keep_type_and_order() {
        let text = "b: 1\na: [x, 1.5, true, null, ~]\n'80': \"90\"\nd: {}\ne:\nf: |\n  two\n  lines\ng: 2026-01-01\n";
        let node: Node = serde_saphyr::from_str(text).expect("YAML");
        let expected = json!({"b": 1, "a": ["x", 1.5, true, null, null], "80": "90", "d": {}, "e": null,
                              "f": "two\nlines\n", "g": "2026-01-01"});
        assert_eq!(node.to_value().to_string(), expected.to_string());
    }

    #[test]
    fn json_is_yaml() {
        let text = "{\"a\":\t\"\\u00e9\\/\", \"b\": [1,\n2]}";
        let node: Node = serde_saphyr::from_str(text).expect("JSON");
        assert_eq!(node.to_value(), json!({"a": "\u{e9}/", "b": [1, 2]}));
    }

    #[test]
    fn anchors_and_merges_are_followed() {
        let node: Node = serde_saphyr::from_str("a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 1").expect("YAML");
        assert_eq!(node.to_value(), json!({"a": {"b": 1}, "c": {"b": 1}, "d": {"e": 1, "b": 1}}));
    }
}
