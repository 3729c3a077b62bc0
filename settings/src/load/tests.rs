//! Which of flag, environment and file counts, and what is told where one is wrong.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::*;

/// `CARGO_PKG_NAME` is set for every test, which makes it the one variable that a test can rely on.
#[derive(Debug, Parser)]
#[command(name = "typha")]
struct Args {
    #[arg(long, env = "CARGO_PKG_NAME")]
    name: Option<String>,
    #[arg(long, default_value = "127.0.0.1:1", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    #[arg(long, requires = "key_file")]
    cert_file: Option<PathBuf>,
    #[arg(long)]
    key_file: Option<PathBuf>,
    #[arg(long, value_delimiter = ',', required = true)]
    servers: Vec<String>,
    #[arg(long, hide_env_values = true)]
    password: Option<String>,
    #[arg(long)]
    zstd: bool,
}

const PROGRAM: Program = Program { prefix: "TYPHA_", config_env: "TYPHA_CONFIG_OF_TESTS" };

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("typha.yaml"), text).expect("written");
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("typha.yaml")
    }

    fn resolve(&self, flags: &str) -> Result<Outcome<Args>, Error> {
        resolve_with(&self.file(), flags, &[])
    }

    fn args(&self, flags: &str) -> Args {
        match self.resolve(flags).expect("sound") {
            Outcome::Run(settings) => settings.args,
            Outcome::Show(text) => panic!("nobody asked to show {text}"),
        }
    }

    /// What is told, the folder's name left out.
    fn error(&self, flags: &str) -> String {
        let error = self.resolve(flags).expect_err("wrong");
        assert_eq!(error.exit_code(), 2);
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn resolve_with(file: &Path, flags: &str, variables: &[(&str, &str)]) -> Result<Outcome<Args>, Error> {
    let mut arguments: Vec<OsString> = vec!["typha".into(), "--config".into(), file.into()];
    arguments.extend(flags.split_whitespace().map(OsString::from));
    resolve(&PROGRAM, &arguments, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[test]
fn flag_counts_before_environment_before_file_before_default() {
    let folder = Folder::with("name: of-file\nlisten: 127.0.0.1:2\nservers: [a, b]\nzstd: true\n");
    let args = folder.args("");
    assert_eq!(args.name.as_deref(), Some("settings"), "the environment's");
    assert_eq!((args.listen.port(), args.servers, args.zstd), (2, vec!["a".to_owned(), "b".to_owned()], true));
    let args = folder.args("--listen 127.0.0.1:3 --servers c --name of-flag");
    assert_eq!((args.listen.port(), args.servers), (3, vec!["c".to_owned()]), "a list is replaced, not added to");
    assert_eq!(args.name.as_deref(), Some("of-flag"));
    assert_eq!(Folder::with("servers: a").args("").listen.port(), 1);
}

#[test]
fn what_settings_ask_of_each_other_holds_across_their_origins() {
    let folder = Folder::with("servers: a\ncert-file: c\n");
    assert!(folder.error("").contains("--key-file"));
    assert_eq!(folder.args("--key-file k").cert_file, Some("c".into()));
    assert!(
        Folder::with("listen: 127.0.0.1:2\n").error("").contains("--servers"),
        "required wherever it may come from"
    );
}

#[test]
fn a_wrong_value_is_told_with_the_words_of_the_flag_and_its_line() {
    let folder = Folder::with("servers: a\nlisten: everywhere\n");
    let told = folder.error("");
    let of_flag = Folder::with("servers: a\n").error("--listen everywhere");
    let words = of_flag.strip_prefix("error: ").expect("an error");
    assert_eq!(told, format!("error: typha.yaml:2: {words}"));
    assert!(words.starts_with("invalid value 'everywhere' for '--listen <ADDRESS:PORT>': invalid socket address"));
}

#[test]
fn all_that_is_wrong_with_the_file_is_told_before_anything_is_missing() {
    let told = Folder::with("severs: a\nlisten: [x]\n").error("");
    assert_eq!(
        told,
        "error: typha.yaml:1: there is no setting \"severs\"; did you mean \"servers\"?\n       \
         typha.yaml:2: listen takes one value, not a list\n"
    );
}

#[test]
fn a_mistyped_variable_is_refused_and_a_foreign_one_remarked() {
    let folder = Folder::with("servers: a\n");
    let refused = resolve_with(&folder.file(), "", &[("TYPHA_CONFIG_OF_TEST", "x")]).expect_err("a slip").to_string();
    assert!(refused.contains("did you mean TYPHA_CONFIG_OF_TESTS?"), "{refused}");
    let Ok(Outcome::Run(settings)) = resolve_with(&folder.file(), "", &[("TYPHA_IMAGE", "x")]) else {
        panic!("it may be somebody else's")
    };
    assert_eq!(settings.remarks, ["the environment variable TYPHA_IMAGE is no setting and is ignored"]);
}

#[test]
fn what_is_in_force_is_shown_as_a_file_without_secrets() {
    let folder = Folder::with("servers: [a, 'b c']\npassword: hunter2\n");
    let Ok(Outcome::Show(text)) = folder.resolve("--show-config --listen 127.0.0.1:3") else {
        panic!("it was asked to show")
    };
    let text = text.replace(&format!("{}/", folder.0.path().display()), "");
    assert_eq!(
        text,
        "name: settings  # environment, CARGO_PKG_NAME\n\
         listen: 127.0.0.1:3  # command line\n\
         # cert-file: not set\n\
         # key-file: not set\n\
         servers: [a, 'b c']  # typha.yaml:1\n\
         # password: set, but secret  # typha.yaml:2\n\
         zstd: false  # default\n"
    );
    let again = Folder::with(&text).args("--name other");
    assert_eq!((again.listen.port(), again.servers.len()), (3, 2));
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
    let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let error = print("a: b\n", &mut full).expect_err("there is no room");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let (reader, mut writer) = io::pipe().expect("a pipe");
    drop(reader);
    print("a: b\n", &mut writer).expect("nobody wants it");
}

#[test]
fn subcommands_keep_their_flags() {
    #[derive(Debug, Parser)]
    struct Tool {
        #[arg(long, global = true, default_value = "x")]
        endpoint: String,
        #[command(subcommand)]
        command: Sub,
    }
    #[derive(Debug, clap::Subcommand)]
    enum Sub {
        Get { what: String },
    }
    let folder = Folder::with("endpoint: of-file\n");
    let run = |line: &str| {
        let line = format!("tool --config {} {line}", folder.file().display());
        let line: Vec<_> = line.split(' ').map(OsString::from).collect();
        match resolve::<Tool>(&PROGRAM, &line, []) {
            Ok(Outcome::Run(Settings { args: Tool { endpoint, command: Sub::Get { what } }, .. })) => (endpoint, what),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(run("get a"), ("of-file".to_owned(), "a".to_owned()));
    assert_eq!(run("get a --endpoint of-flag"), ("of-flag".to_owned(), "a".to_owned()));
    assert_eq!(run("--endpoint of-flag get a"), ("of-flag".to_owned(), "a".to_owned()));
}
