//! What a file may say, and how what it may not is refused.

use clap::ArgAction;

use super::*;

fn command() -> Command {
    Command::new("typha").args([
        Arg::new("etcd-endpoints").long("etcd-endpoints").action(ArgAction::Append),
        Arg::new("listen").long("listen"),
        Arg::new("name").long("name"),
        Arg::new("drain-secs").long("drain-secs"),
        Arg::new("zstd").long("zstd").action(ArgAction::SetTrue),
    ])
}

fn parse(text: &str) -> Result<Vec<(String, Vec<String>)>, Vec<String>> {
    let file = File::parse(Path::new("typha.yaml"), text, &command())?;
    Ok(file.entries.into_iter().map(|entry| (entry.key, entry.values)).collect())
}

/// The one complaint about a text.
fn complaint(text: &str) -> String {
    let problems = parse(text).expect_err("it is wrong");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].clone()
}

#[test]
fn values_keep_the_text_they_were_written_with() {
    let text = "# ours\nname: 1.10\nlisten: \"0.0.0.0:5473\" # all\ndrain-secs: 010\nzstd: true\n\
                etcd-endpoints:\n- http://a:2379\n- 2379\n";
    let values = |name: &str| -> Vec<String> {
        parse(text).expect("sound").into_iter().find(|(key, _)| key == name).expect("it is there").1
    };
    assert_eq!(values("name"), ["1.10"]);
    assert_eq!(values("listen"), ["0.0.0.0:5473"]);
    assert_eq!(values("drain-secs"), ["010"]);
    assert_eq!(values("etcd-endpoints"), ["http://a:2379", "2379"]);
    assert_eq!(values("zstd"), ["true"]);
    assert_eq!(parse("zstd: false"), Ok(vec![("zstd".to_owned(), vec![])]));
    assert_eq!(
        parse("etcd-endpoints: http://a:2379"),
        Ok(vec![("etcd-endpoints".to_owned(), vec!["http://a:2379".to_owned()])])
    );
}

#[test]
fn nothing_is_no_error() {
    for text in ["", "\n", "# only words\n"] {
        assert_eq!(parse(text), Ok(vec![]), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_the_way_out() {
    for (text, expected) in [
        ("name: a\nlisen: x\n", "typha.yaml:2: there is no setting \"lisen\"; did you mean \"listen\"?"),
        ("etcdEndpoints: [x]", "typha.yaml:1: there is no setting \"etcdEndpoints\"; did you mean \"etcd-endpoints\"?"),
        ("config: x", "typha.yaml:1: config belongs on the command line, not into the file"),
        ("name:\n  - a\n", "typha.yaml:1: name takes one value, not a list"),
        ("name:\n  a: b\n", "typha.yaml:1: name takes a value, not a mapping"),
        ("listen:\nname: a", "typha.yaml:1: listen has no value; leave the key out where none is wanted"),
        (
            "etcd-endpoints: []",
            "typha.yaml:1: etcd-endpoints is an empty list; leave the key out where no value is wanted",
        ),
        ("etcd-endpoints:\n- a\n- {b: c}", "typha.yaml:1: etcd-endpoints takes a list of values, but line 3 is none"),
        ("zstd: on", "typha.yaml:1: zstd is true or false, not \"on\""),
        ("name: a\nname: b\n", "typha.yaml:2: \"name\" stands here a second time"),
        ("name: a\n\tlisten: b\n", "typha.yaml:2: a tab; YAML is indented with spaces, and a setting not at all"),
        (
            "name: a\nlisten: b\n\tdrain-secs: 1\n",
            "typha.yaml:3: a tab; YAML is indented with spaces, and a setting not at all",
        ),
        ("- name\n", "typha.yaml:1: the file is no list of settings; each is a line such as `name: value`"),
        ("name", "typha.yaml:1: the file is no list of settings; each is a line such as `name: value`"),
        ("name: a: b", "typha.yaml:1: this is not YAML: mapping values are not allowed in this context"),
    ] {
        assert_eq!(complaint(text), expected, "{text:?}");
    }
    assert!(complaint("wholly: different").contains("there are: etcd-endpoints, listen, name, drain-secs, zstd"));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    assert_eq!(parse("lisen: a\nnam: b\n").expect_err("both").len(), 2);
}

#[test]
fn files_that_are_none_are_named() {
    let folder = tempfile::tempdir().expect("a directory");
    let read = |path: &Path| File::read(path, &command()).expect_err("unreadable").join("\n");
    assert!(read(folder.path()).contains("is a directory"));
    assert!(read(&folder.path().join("gone.yaml")).starts_with("there is no file "));
    let bytes = folder.path().join("bytes.yaml");
    fs::write(&bytes, [0xff, 0xfe, 0x00]).expect("written");
    assert!(read(&bytes).contains("is no text"));
    let large = folder.path().join("large.yaml");
    fs::File::create(&large).and_then(|file| file.set_len(MAX_BYTES + 1)).expect("written");
    assert!(read(&large).contains("at most"));
}
