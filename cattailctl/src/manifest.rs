//! Manifests: files in, documents out, each knowing its lines. What a document means is not decided here.

mod files;
mod node;

use std::{fmt, sync::Arc};

use model::validate::FieldPath;
use serde_json::Value;
use serde_saphyr::options::NonFiniteFloatPolicy;

pub(crate) use self::files::read;
use self::node::Node;

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file as the user named it.
    file: Arc<str>,
    /// Counted from 1; 0 where it concerns the file as a whole.
    line: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}", self.file, self.line) }
    }
}

/// A file, or a part of one, that holds no document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {reason}")]
pub(crate) struct Unreadable {
    pub(crate) origin: Origin,
    pub(crate) reason: String,
}

/// One document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    /// What it says.
    pub(crate) value: Value,
    file: Arc<str>,
    /// Lines of the file before the part that was parsed.
    lines_before: u64,
    node: Node,
}

impl Document {
    /// Where a field of the document stands or, where it is missing, where it would belong.
    pub(crate) fn origin(&self, path: &FieldPath) -> Origin {
        Origin { file: self.file.clone(), line: self.lines_before + self.node.line_of(path) }
    }
}

/// All documents of a text. One that cannot be read does not take the others with it.
pub(crate) fn parse(file: &str, text: &str) -> Vec<Result<Document, Unreadable>> {
    let file: Arc<str> = file.into();
    split(text).into_iter().flat_map(|(lines_before, part)| parse_part(&file, lines_before, part)).collect()
}

/// Parts between the lines that separate documents, each with the number of lines before it. Such a line ends a
/// document whatever is around it, so this needs no parser, and finds the next document after one that is broken.
fn split(text: &str) -> Vec<(u64, &str)> {
    let mut parts = Vec::new();
    let (mut part_start, mut part_line) = (0, 0);
    let mut position = 0;
    for (line, content) in (0..).zip(text.split_inclusive('\n')) {
        let is_separator = content
            .strip_prefix("---")
            .or_else(|| content.strip_prefix("..."))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if is_separator && position > part_start {
            parts.push((part_line, &text[part_start..position]));
            (part_start, part_line) = (position, line);
        }
        position += content.len();
    }
    parts.push((part_line, &text[part_start..]));
    parts.retain(|(_, part)| !is_empty(part));
    parts
}

/// Whether there is nothing but separators, directives and comments.
fn is_empty(part: &str) -> bool {
    let says_nothing = |line: &str| line.is_empty() || line.starts_with(['#', '%']) || matches!(line, "---" | "...");
    part.trim_start_matches('\u{feff}').lines().all(|line| says_nothing(line.trim()))
}

fn parse_part(file: &Arc<str>, lines_before: u64, part: &str) -> Vec<Result<Document, Unreadable>> {
    let options = serde_saphyr::options! {
        // Told about where a number is wanted, with the field's path.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Node>(part, options) {
        Ok(node) => expand(file, lines_before, node).into_iter().map(Ok).collect(),
        Err(error) => {
            let line = error.location().map_or(0, |location| lines_before + location.line());
            let origin = Origin { file: file.clone(), line };
            vec![Err(Unreadable { origin, reason: format!("is not YAML or JSON: {}", without_location(&error)) })]
        }
    }
}

/// The parser counts lines from the start of the part, which would only confuse beside the file's; and it speaks of
/// its own options, which only we can set.
fn without_location(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let end = [" at line ", ", set DuplicateKeyPolicy"].iter().filter_map(|tail| text.find(tail)).min();
    text[..end.unwrap_or(text.len())].to_owned()
}

/// A `List` becomes its items, everything else stays one document.
fn expand(file: &Arc<str>, lines_before: u64, node: Node) -> Vec<Document> {
    let value = node.to_value();
    let document = |value, node| Document { value, file: file.clone(), lines_before, node };
    let list_kind = value.get("kind").and_then(Value::as_str).and_then(|kind| kind.strip_suffix("List"));
    let (Some(item_kind), Some(Value::Array(_))) = (list_kind, value.get("items")) else {
        return vec![document(value, node)];
    };
    let (item_kind, version) = (item_kind.to_owned(), value.get("apiVersion").cloned());
    let items = node.take_items("items").unwrap_or_default();
    items.into_iter().map(|node| document(typed_item(node.to_value(), &item_kind, version.as_ref()), node)).collect()
}

/// Items of a list of one kind, such as `TierList`, may leave out what the list says already.
fn typed_item(mut item: Value, kind: &str, version: Option<&Value>) -> Value {
    if let (Some(fields), false) = (item.as_object_mut(), kind.is_empty()) {
        fields.entry("kind").or_insert_with(|| kind.into());
        if let Some(version) = version {
            fields.entry("apiVersion").or_insert_with(|| version.clone());
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use model::validate::Segment;
    use serde_json::json;

    use super::*;

    /// Documents as JSON and errors as text, each with its line.
    fn parsed(text: &str) -> Vec<String> {
        let show = |result: Result<Document, Unreadable>| match result {
            Ok(document) => format!("{} {}", document.origin(&FieldPath::default()), document.value),
            Err(error) => error.to_string(),
        };
        parse("f", text).into_iter().map(show).collect()
    }

    #[test]
    fn documents_are_separated_and_know_their_lines() {
        assert_eq!(
            parsed("a: 1\n---\n# note\n\nb: 2\n--- # third\nc: |\n  ---\n...\n"),
            ["f:1 {\"a\":1}", "f:5 {\"b\":2}", "f:7 {\"c\":\"---\\n\"}",]
        );
        assert_eq!(parsed("---\n---\n# only notes\n---\na: 1"), ["f:5 {\"a\":1}"]);
        assert_eq!(parsed("%YAML 1.2\n---\na: 1\n"), ["f:3 {\"a\":1}"]);
        assert_eq!(parsed("\u{feff}---\r\na: 1\r\n---\r\nb: 2\r\n"), ["f:2 {\"a\":1}", "f:4 {\"b\":2}"]);
        assert!(parsed("").is_empty());
    }

    #[test]
    fn a_broken_document_does_not_take_the_others_with_it() {
        assert_eq!(
            parsed("a: 1\n---\nb: 'x\nc: d\n---\n\te: [\n---\nf: 1\n---\na: 1\nb: 2\na: 3\n"),
            [
                "f:1 {\"a\":1}",
                "f:3: is not YAML or JSON: unclosed quote",
                "f:6: is not YAML or JSON: unclosed bracket '['",
                "f:8 {\"f\":1}",
                "f:12: is not YAML or JSON: duplicate mapping key: a",
            ]
        );
    }

    #[test]
    fn lists_become_their_items() {
        let text = "kind: List\napiVersion: v1\nitems:\n- kind: A\n- kind: B\n---\n\
                    {\"kind\": \"TierList\", \"apiVersion\": \"x/v3\", \"items\": [\n{\"a\": 1}]}";
        assert_eq!(
            parsed(text),
            ["f:4 {\"kind\":\"A\"}", "f:5 {\"kind\":\"B\"}", "f:8 {\"a\":1,\"kind\":\"Tier\",\"apiVersion\":\"x/v3\"}",]
        );
    }

    #[test]
    fn fields_are_found_and_missing_ones_belong_somewhere() {
        let text =
            "kind: A\n---\nspec:\n  ingress:\n  - action: Allow\n    source:\n      nets:\n      - 10\n      - 11\n";
        let documents: Vec<Document> = parse("f", text).into_iter().flatten().collect();
        let line = |segments: &[Segment]| documents[1].origin(&FieldPath(segments.to_vec())).line;
        let field = |name: &str| Segment::Field(name.to_owned());
        let rule = [field("spec"), field("ingress"), Segment::Index(0)];
        assert_eq!(line(&rule[..1]), 3);
        assert_eq!(line(&rule), 5);
        assert_eq!(line(&[&rule[..], &[field("source"), field("nets"), Segment::Index(1)]].concat()), 9);
        assert_eq!(line(&[&rule[..], &[field("protocol")]].concat()), 5);
        assert_eq!(line(&[field("metadata"), field("name")]), 3);
    }

    #[test]
    fn numbers_that_json_cannot_hold_do_not_vanish() {
        let values: Vec<Value> = parse("f", "[.nan, .inf, 1e400]").into_iter().flatten().map(|d| d.value).collect();
        assert_eq!(values, [json!(["NaN", "inf", "inf"])]);
    }
}
