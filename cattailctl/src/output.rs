//! Resources as text: YAML, JSON, names, tables.

use model::Kind;
use serde_json::{Value, json};

use crate::{arguments::Format, get::Shown, kind_name, table};

/// Renders what was found, kind by kind. A single resource that was asked for by name is shown without a list
/// around it.
pub(crate) fn render(
    found: &[(Kind, Vec<Shown>)],
    format: Option<Format>,
    all_namespaces: bool,
    is_single: bool,
) -> anyhow::Result<String> {
    match format {
        Some(Format::Name) => Ok(names(found)),
        Some(Format::Json) => Ok(document(found, is_single).map_or_else(String::new, |value| format!("{value:#}"))),
        Some(Format::Yaml) => document(found, is_single).map_or_else(|| Ok(String::new()), |value| yaml(&value)),
        None | Some(Format::Wide) => {
            let is_wide = format == Some(Format::Wide);
            let tables = found.iter().filter(|(_, shown)| !shown.is_empty());
            let tables: Vec<String> =
                tables.map(|(kind, shown)| table::render(*kind, shown, is_wide, all_namespaces)).collect();
            Ok(tables.join("\n"))
        }
    }
}

fn names(found: &[(Kind, Vec<Shown>)]) -> String {
    let all = found.iter().flat_map(|(_, shown)| shown);
    let lines: Vec<String> =
        all.map(|shown| format!("{}/{}", kind_name::singular(shown.key.kind()), shown.key.name())).collect();
    lines.join("\n")
}

fn document(found: &[(Kind, Vec<Shown>)], is_single: bool) -> Option<Value> {
    let mut documents: Vec<Value> =
        found.iter().flat_map(|(_, shown)| shown).map(|shown| shown.document.clone()).collect();
    if !is_single {
        return Some(json!({"apiVersion": "v1", "kind": "List", "items": documents}));
    }
    documents.pop()
}

fn yaml(value: &Value) -> anyhow::Result<String> {
    let options = serde_saphyr::ser_options! {
        // One line a text, so that what is shown can be searched and compared.
        prefer_block_scalars: false,
    };
    Ok(serde_saphyr::to_string_with_options(value, options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_reads_back_as_itself() {
        let value = json!({
            "metadata": {"name": "a", "resourceVersion": "42", "labels": {"on": "yes", "n": "1", "e": "", "t": "true"}},
            "spec": {
                "order": 1.5,
                "count": 10,
                "selector": "app == 'web' && name in {\"a\", \"b\"} || !has(x) # no comment: really, a long line it is",
                "ports": [80, "8000:8080", "http"],
                "empty": {},
                "none": [],
                "lines": "one\ntwo\n",
                "flag": true,
                "odd": "- a: {b}",
            },
        });
        let text = yaml(&value).expect("YAML");
        let back: Vec<Value> =
            crate::manifest::parse("f", &text).into_iter().map(|document| document.expect("YAML").value).collect();
        assert_eq!(back, [value], "{text}");
    }
}
