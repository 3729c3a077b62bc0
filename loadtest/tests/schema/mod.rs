//! As much of JSON Schema as `report.schema.json` uses: types, required and known properties, items, enums, references.
#![allow(unreachable_pub, clippy::expect_used, reason = "shared by test files")]

use serde_json::Value;

const SCHEMA: &str = include_str!("../../report.schema.json");

/// Where a report does not fit its schema, path by path.
pub fn misfits(report: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut misfits = Vec::new();
    check(&schema, &schema, report, "report", &mut misfits);
    misfits
}

fn check(root: &Value, schema: &Value, value: &Value, path: &str, misfits: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        let target = root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return check(root, target, value, path, misfits);
    }
    if !has_type(&schema["type"], value) {
        misfits.push(format!("{path} is {value}, not of type {}", schema["type"]));
    }
    if let Some(known) = schema["enum"].as_array().filter(|known| !known.contains(value)) {
        misfits.push(format!("{path} is {value}, none of {known:?}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            misfits.push(format!("{path}.{name} is missing"));
        }
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, field) in fields {
            match properties.get(name) {
                Some(property) => check(root, property, field, &format!("{path}.{name}"), misfits),
                None => misfits.push(format!("{path}.{name} is not in the schema")),
            }
        }
    }
    if let (Some(pattern), Some(fields)) = (schema["patternProperties"].get("^[0-9]+$"), value.as_object()) {
        for (name, field) in fields {
            if !name.bytes().all(|digit| digit.is_ascii_digit()) {
                misfits.push(format!("{path}.{name} is no number"));
            }
            check(root, pattern, field, &format!("{path}.{name}"), misfits);
        }
    }
    if let (Some(items), Some(elements)) = (schema.get("items"), value.as_array()) {
        for (index, element) in elements.iter().enumerate() {
            check(root, items, element, &format!("{path}[{index}]"), misfits);
        }
    }
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("the type {other:?} is not known here"),
    };
    match wanted {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => panic!("a schema without a type: {wanted}"),
    }
}
