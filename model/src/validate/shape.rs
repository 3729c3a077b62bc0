//! What a value may look like, as data, and the walk that compares.
//!
//! Shapes say what one field may hold. What fields ask of each other is a function beside the object's shape.

use serde_json::{Map, Value};

use super::{findings::Findings, may_lack_spec, metadata, spelling};
use crate::Kind;

/// A check of one text: what is wrong with it and what would be right.
pub(super) type TextCheck = fn(&str) -> Result<(), String>;

/// What a value may be.
pub(super) enum Shape {
    /// Anything: known to the API, but none of our business.
    Any,
    /// `true` or `false`.
    Flag,
    /// A text that passes the check.
    Text(TextCheck),
    /// A text or a number whose text form passes the check.
    Scalar(TextCheck),
    /// A finite number.
    Number,
    /// A whole number in a range, both ends included.
    Integer(i64, i64),
    /// A list of at most so many.
    List(&'static Shape, usize),
    /// Texts by name, each name and text checked.
    Map(TextCheck, TextCheck),
    /// An object with known fields.
    Object(&'static Object),
}

/// An object's fields, and what they ask of each other.
pub(super) struct Object {
    /// Known fields.
    pub(super) fields: &'static [(&'static str, Shape)],
    /// Fields that must be there and not be empty.
    pub(super) required: &'static [&'static str],
    /// Whether every field narrows what the object matches, so that ignoring one matches more than was written.
    pub(super) is_match: bool,
    /// Looks at the fields together; their own shapes are checked already, and may still be wrong.
    pub(super) check: fn(&Map<String, Value>, &mut Findings),
}

/// Where fields ask nothing of each other.
pub(super) const fn nothing(_: &Map<String, Value>, _: &mut Findings) {}

/// More than any list needs; what bounds it is the datastore's limit on values.
pub(super) const UNBOUNDED: usize = usize::MAX;

/// Walks a whole document: the fields that every document has, and its spec.
pub(super) fn check_document(kind: Kind, document: &Value, spec: Option<&Object>, findings: &mut Findings) {
    let Some(fields) = document.as_object() else {
        findings.problem(format!("is {}; want an object with apiVersion, kind and metadata", describe(document)));
        return;
    };
    const KNOWN: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    // A service account's data stands beside its metadata.
    if kind != Kind::ServiceAccount {
        tell_unknown(fields, &KNOWN, false, findings);
    }
    check_field(fields, "metadata", &Shape::Object(&metadata::METADATA), findings);
    let Some(spec) = spec else { return };
    if !is_present(fields, "spec") && !may_lack_spec(kind) {
        findings.problem_in("spec", "is missing");
    }
    if let Some(value) = fields.get("spec").filter(|value| !value.is_null()) {
        findings.field("spec", |here| check_object(value, spec, here));
    }
}

/// Compares one value.
pub(super) fn check(value: &Value, shape: &Shape, findings: &mut Findings) {
    match shape {
        Shape::Any => {}
        Shape::Flag if value.is_boolean() => {}
        Shape::Flag => wrong(value, "true or false", findings),
        Shape::Text(check) => match value {
            Value::String(text) => report(check(text), findings),
            Value::Number(_) | Value::Bool(_) => wrong(value, "a text; put it in quotes", findings),
            _ => wrong(value, "a text", findings),
        },
        Shape::Scalar(check) => match value {
            Value::String(text) => report(check(text), findings),
            Value::Number(number) => report(check(&number.to_string()), findings),
            _ => wrong(value, "a text or a number", findings),
        },
        Shape::Number if value.as_f64().is_some_and(f64::is_finite) => {}
        Shape::Number => wrong(value, "a finite number", findings),
        Shape::Integer(first, last) if value.as_i64().is_some_and(|number| (*first..=*last).contains(&number)) => {}
        Shape::Integer(first, last) => wrong(value, &format!("a whole number from {first} to {last}"), findings),
        Shape::List(item, most) => check_list(value, item, *most, findings),
        Shape::Map(name, text) => check_map(value, *name, *text, findings),
        Shape::Object(object) => check_object(value, object, findings),
    }
}

fn check_list(value: &Value, item: &Shape, most: usize, findings: &mut Findings) {
    let Some(items) = value.as_array() else {
        return wrong(value, "a list", findings);
    };
    if items.len() > most {
        findings.problem(format!("has {} entries; at most {most} are allowed", items.len()));
    }
    for (index, value) in items.iter().enumerate() {
        findings.index(index, |here| check(value, item, here));
    }
}

fn check_map(value: &Value, name_check: TextCheck, text_check: TextCheck, findings: &mut Findings) {
    let Some(entries) = value.as_object() else {
        return wrong(value, "an object with names and texts", findings);
    };
    for (name, value) in entries {
        findings.field(name, |here| {
            report(name_check(name), here);
            check(value, &Shape::Text(text_check), here);
        });
    }
}

fn check_object(value: &Value, object: &Object, findings: &mut Findings) {
    let Some(fields) = value.as_object() else {
        return wrong(value, "an object", findings);
    };
    for required in object.required {
        if !is_present(fields, required) {
            findings.problem_in(required, "is missing");
        }
    }
    for (name, shape) in object.fields {
        check_field(fields, name, shape, findings);
    }
    let known: Vec<&str> = object.fields.iter().map(|(name, _)| *name).collect();
    tell_unknown(fields, &known, object.is_match, findings);
    (object.check)(fields, findings);
}

/// `null` is how Go writes an absent value.
fn check_field(fields: &Map<String, Value>, name: &str, shape: &Shape, findings: &mut Findings) {
    if let Some(value) = fields.get(name).filter(|value| !value.is_null()) {
        findings.field(name, |here| check(value, shape, here));
    }
}

/// Whether a field is there and neither null nor an empty text.
pub(super) fn is_present(fields: &Map<String, Value>, name: &str) -> bool {
    !matches!(fields.get(name), None | Some(Value::Null)) && fields.get(name).and_then(Value::as_str) != Some("")
}

/// A field that is not known is kept and not used. In a match that would make the rule wider than it says.
fn tell_unknown(fields: &Map<String, Value>, known: &[&str], is_match: bool, findings: &mut Findings) {
    for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
        let meant = spelling::suggestion(name, known.iter().copied());
        match (meant, is_match) {
            (Some(meant), true) => findings.problem_in(name, format!("is no field known here; did you mean {meant}?")),
            (None, true) => {
                findings.problem_in(name, "is no field known here: the rule would match as if it were not there");
            }
            (Some(meant), false) => {
                findings.warning_in(name, format!("is no field known here and is not used; did you mean {meant}?"));
            }
            (None, false) => {}
        }
    }
}

fn report(result: Result<(), String>, findings: &mut Findings) {
    if let Err(reason) = result {
        findings.problem(reason);
    }
}

fn wrong(value: &Value, want: &str, findings: &mut Findings) {
    findings.problem(format!("is {}; want {want}", describe(value)));
}

/// The value as an error message shows it.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
