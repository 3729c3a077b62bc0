//! Golden cases of our own, and properties that hold for every text.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn canonical_texts() {
    for (text, canonical) in [
        ("", "all()"),
        ("\t", "all()"),
        ("tier=='web'", r#"tier == "web""#),
        ("a == 'x' && b == 'y' || c == 'z'", r#"((a == "x" && b == "y") || c == "z")"#),
        ("a == 'x' && (b == 'y' || c == 'z')", r#"(a == "x" && (b == "y" || c == "z"))"#),
        ("(a == 'x' && b == 'y') && c == 'z'", r#"((a == "x" && b == "y") && c == "z")"#),
        ("!(!has(a))", "has(a)"),
        ("!!!has(a)", "!has(a)"),
        ("zone notin {'b','a','b',}", r#"zone not in {"a", "b"}"#),
        ("zone in {}", "zone in {}"),
        ("in in {'in'}", r#"in in {"in"}"#),
        ("has == 'x' && all != 'y'", r#"(has == "x" && all != "y")"#),
        ("name starts\twith 'sho'", r#"name starts with "sho""#),
        ("has( example.com/a_b-c )&&global( )", "(has(example.com/a_b-c) && global())"),
    ] {
        assert_eq!(selector(text).canonical(), canonical, "{text:?}");
    }
}

#[test]
fn errors_name_the_position_and_what_was_expected() {
    for (text, message) in [
        ("role = 'db'", "at character 6: a single \"=\" compares nothing; write \"==\""),
        ("role == db", "at character 9: expected a text in quotes, found \"db\""),
        ("rôle == 'db'", "at character 2: the character 'ô' has no meaning here"),
        ("é", "at character 1: the character 'é' has no meaning here"),
        ("role == 'db", "at character 9: the text that starts here lacks its closing '"),
        ("role in {'a' 'b'}", "at character 14: expected \",\" or \"}\", found the text \"b\""),
        ("has(role", "at character 9: expected \")\", found the end"),
        (
            "has (role)",
            "at character 5: expected an operator (==, !=, in, not in, contains, starts with, ends with), found \"(\"",
        ),
        ("role starts 'a'", "at character 13: expected \"with\", found the text \"a\""),
        ("all() all()", "at character 7: expected \"&&\", \"||\" or the end, found \"all\""),
        ("a == 'b' && ", "at character 13: expected a label, has(), all(), global(), \"!\" or \"(\", found the end"),
    ] {
        let error = Selector::parse(text).expect_err(text);
        assert_eq!(error.to_string(), message, "{text:?}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |depth: usize| format!("{}all(){}", "(".repeat(depth), ")".repeat(depth));
    assert!(Selector::parse(&nested(ast::MAX_DEPTH)).is_ok());
    assert!(Selector::parse(&nested(ast::MAX_DEPTH + 1)).is_err());
    assert!(Selector::parse(&nested(100_000)).is_err());
    let tree = |depth: usize| format!("{}has(b){}", "has(a) && !(".repeat(depth), ")".repeat(depth));
    assert!(Selector::parse(&tree(ast::MAX_DEPTH)).is_err());
    assert_eq!(
        selector(&"!".repeat(100_001)[..].chars().chain("has(a)".chars()).collect::<String>()).canonical(),
        "!has(a)"
    );
    assert!(Selector::parse(&" ".repeat(parse::MAX_TEXT_BYTES + 1)).is_err());
    assert!(Selector::parse(&format!("has({})", "x".repeat(512))).is_ok());
    assert!(Selector::parse(&format!("has({})", "x".repeat(513))).is_err());
}

#[test]
fn missing_labels() {
    let none = labels(&[]);
    for (text, expected) in [
        ("a == ''", false),
        ("a != ''", true),
        ("a in {''}", false),
        ("a not in {''}", true),
        ("a contains ''", false),
        ("a starts with ''", false),
        ("a ends with ''", false),
        ("has(a)", false),
        ("global()", true),
    ] {
        assert_eq!(selector(text).matches(&none), expected, "{text}");
    }
}

#[test]
fn combinators() {
    let (a, b) = (selector("a == '1'"), selector("b == '2'"));
    assert_eq!(Selector::and([&a, &b]).canonical(), r#"(a == "1" && b == "2")"#);
    assert_eq!(Selector::and([&a, &Selector::all()]), a);
    assert_eq!(Selector::and([]), Selector::all());
    assert_eq!(a.or(&b).canonical(), r#"(a == "1" || b == "2")"#);
    assert_eq!(a.negate().negate(), a);
    assert_eq!(Selector::label_equals("a", "1"), Ok(a));
    assert_eq!(Selector::label_in("a", []).map(|s| s.to_string()), Ok("a in {}".to_owned()));
    assert!(Selector::label_equals("a b", "1").is_err());
    assert!(Selector::label_equals("a", "\"'").is_err());
}

#[test]
fn namespace_selectors_speak_of_endpoints() {
    for (text, canonical) in [
        ("all()", "has(projectcalico.org/namespace)"),
        ("global()", "!has(projectcalico.org/namespace)"),
        ("!global()", "has(projectcalico.org/namespace)"),
        ("team == 'a' || all()", r#"(pcns.team == "a" || has(projectcalico.org/namespace))"#),
        ("team == 'all()'", r#"pcns.team == "all()""#),
        ("!has(x) && y not in {'z'}", r#"(!has(pcns.x) && pcns.y not in {"z"})"#),
    ] {
        assert_eq!(selector(text).for_namespaces().canonical(), canonical, "{text}");
    }
    assert_eq!(selector("team == 'a'").for_service_accounts().canonical(), r#"pcsa.team == "a""#);
}

#[test]
fn restrictions_name_what_must_be_there() {
    let shown = |text: &str| {
        let restrictions = selector(text).restrictions();
        let parts: Vec<_> = restrictions
            .iter()
            .map(|(label, restriction)| match restriction {
                Restriction::Present => label.to_string(),
                Restriction::OneOf(values) => {
                    format!("{label}={}", values.iter().cloned().collect::<Vec<_>>().join("|"))
                }
            })
            .collect();
        parts.join(" ")
    };
    for (text, expected) in [
        ("all()", ""),
        ("a == 'x' && b contains 'y'", "a=x b"),
        ("a == 'x' && a in {'x', 'y'}", "a=x"),
        ("a == 'x' && a == 'y'", "a="),
        ("a == 'x' && has(a)", "a=x"),
        ("a == 'x' || a == 'y'", "a=x|y"),
        ("a == 'x' || has(a)", "a"),
        ("a == 'x' || b == 'y'", ""),
        ("a != 'x'", ""),
        ("!a != 'x'", "a=x"),
        ("!(a != 'x' || b not in {'y'})", "a=x b=y"),
        ("!has(a)", ""),
        ("a in {}", "a="),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

/// Texts that are selectors, with all constructs.
fn selector_text() -> impl Strategy<Value = String> {
    let label = prop::sample::select(vec!["a", "b", "in", "has", "x.y/z-1"]);
    let value = prop::sample::select(vec!["'1'", "\"2\"", "''", "'\"'", "\"'\""]);
    let set = prop::collection::vec(value.clone(), 0..4).prop_map(|values| format!("{{{}}}", values.join(", ")));
    let operator = prop::sample::select(vec!["==", "!=", "contains", "starts with", "endswith"]);
    let leaf = prop_oneof![
        Just("all()".to_owned()),
        Just("global( )".to_owned()),
        label.clone().prop_map(|label| format!("has({label})")),
        (label.clone(), operator, value).prop_map(|(label, operator, value)| format!("{label} {operator} {value}")),
        (label, prop::sample::select(vec!["in", "not in"]), set)
            .prop_map(|(label, operator, set)| format!("{label} {operator} {set}")),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|text| format!("!{text}")),
            inner.clone().prop_map(|text| format!("!({text})")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| terms.join(" && ")),
            prop::collection::vec(inner, 2..4).prop_map(|terms| format!("({})", terms.join("||"))),
        ]
    })
}

fn some_labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let name = prop::sample::select(vec!["a", "b", "in", "has", "x.y/z-1"]).prop_map(str::to_owned);
    let value = prop::sample::select(vec!["1", "2", "", "\"", "'", "21"]).prop_map(str::to_owned);
    prop::collection::btree_map(name, value, 0..4)
}

proptest! {
    #[test]
    fn canonical_text_reads_back_as_itself(text in selector_text(), labels in some_labels()) {
        let parsed = selector(&text);
        let again = selector(parsed.canonical());
        prop_assert_eq!(again.canonical(), parsed.canonical());
        prop_assert_eq!(&again.0.expression, &parsed.0.expression);
        prop_assert_eq!(again.matches(&labels), parsed.matches(&labels));
    }

    #[test]
    fn negation_matches_the_rest(text in selector_text(), labels in some_labels()) {
        let parsed = selector(&text);
        prop_assert_ne!(parsed.negate().matches(&labels), parsed.matches(&labels));
    }

    #[test]
    fn what_matches_meets_every_restriction(text in selector_text(), labels in some_labels()) {
        let parsed = selector(&text);
        if parsed.matches(&labels) {
            for (label, restriction) in parsed.restrictions() {
                let value = labels.get(&*label);
                prop_assert!(value.is_some(), "{} must be present", label);
                if let (Restriction::OneOf(values), Some(value)) = (restriction, value) {
                    prop_assert!(values.contains(value.as_str()), "{}={}", label, value);
                }
            }
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        let _ = Selector::parse(&text);
    }

    #[test]
    fn no_shuffled_tokens_panic(tokens in prop::collection::vec(
        prop::sample::select(vec!["a", "has(", "all()", "==", "!", "(", ")", "{", "}", ",", "'x'", "in", "not", "&&", "||", "é", " "]),
        0..20,
    )) {
        if let Ok(parsed) = Selector::parse(&tokens.concat()) {
            prop_assert_eq!(selector(parsed.canonical()), parsed);
        }
    }
}
