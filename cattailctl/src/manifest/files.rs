//! Which files a `-f` means, and their text.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{Document, Origin, Unreadable, parse};

/// Larger than any list that a datastore would take, small enough to hold in memory.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// Deeper than anyone nests directories; a loop of symbolic links is deeper still.
const MAX_DIRECTORY_DEPTH: usize = 32;

/// The documents of a file, of every manifest in a directory, or of standard input (`-`).
pub(crate) fn read(name: &str, stdin: &mut dyn Read) -> Vec<Result<Document, Unreadable>> {
    if name == "-" {
        return read_text("standard input", stdin);
    }
    let mut files = Vec::new();
    if let Err(error) = collect(Path::new(name), 0, &mut files) {
        return vec![Err(error)];
    }
    if files.is_empty() {
        return vec![Err(unreadable(name, "holds no file that ends in .yaml, .yml or .json"))];
    }
    files.iter().flat_map(|path| read_file(path)).collect()
}

/// In the order of the names, so that numbered files are written in their order.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Unreadable> {
    let name = path.display().to_string();
    let metadata = fs::metadata(path).map_err(|error| unreadable(&name, &error.to_string()))?;
    if !metadata.is_dir() {
        // What the user names is read whatever its name; in a directory only manifests are.
        if depth == 0 || is_manifest(path) {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    if depth == MAX_DIRECTORY_DEPTH {
        return Err(unreadable(&name, &format!("is more than {MAX_DIRECTORY_DEPTH} directories deep")));
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut paths: Vec<PathBuf> =
        entries.map_err(|error| unreadable(&name, &error.to_string()))?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    paths.iter().try_for_each(|path| collect(path, depth + 1, files))
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
}

fn read_file(path: &Path) -> Vec<Result<Document, Unreadable>> {
    let name = path.display().to_string();
    match fs::File::open(path) {
        Ok(mut file) => read_text(&name, &mut file),
        Err(error) => vec![Err(unreadable(&name, &error.to_string()))],
    }
}

fn read_text(name: &str, source: &mut dyn Read) -> Vec<Result<Document, Unreadable>> {
    let mut bytes = Vec::new();
    let reason = match source.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes) {
        Err(error) => error.to_string(),
        Ok(_) if bytes.len() as u64 > MAX_FILE_BYTES => format!("is larger than {MAX_FILE_BYTES} bytes"),
        Ok(_) => match std::str::from_utf8(&bytes) {
            Ok(text) => return parse(name, text),
            Err(error) => format!("is not UTF-8 text: byte {} is the first that is not", error.valid_up_to() + 1),
        },
    };
    vec![Err(unreadable(name, &reason))]
}

fn unreadable(file: &str, reason: &str) -> Unreadable {
    Unreadable { origin: Origin { file: file.into(), line: 0 }, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &Path) -> Vec<String> {
        read(&name.display().to_string(), &mut io::empty())
            .into_iter()
            .map(|result| result.map_or_else(|error| error.reason, |document| document.value.to_string()))
            .collect()
    }

    #[test]
    fn directories_are_read_in_the_order_of_their_names() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("2-more")).expect("a directory");
        for (name, text) in
            [("3.yml", "c: 3"), ("1.yaml", "a: 1"), ("2-more/x.json", "{\"b\": 2}"), ("README.md", "# not a manifest")]
        {
            fs::write(at(name), text).expect("a file");
        }
        assert_eq!(values(directory.path()), ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
        assert_eq!(values(&at("README.md")), Vec::<String>::new());
        fs::create_dir(at("empty")).expect("a directory");
        assert_eq!(values(&at("empty")), ["holds no file that ends in .yaml, .yml or .json"]);
        assert_eq!(values(&at("missing.yaml")), ["No such file or directory (os error 2)"]);
    }

    #[test]
    fn text_that_is_none_is_told() {
        let error = read("-", &mut &b"a: \xff"[..]).remove(0).expect_err("an error");
        assert_eq!(error.to_string(), "standard input: is not UTF-8 text: byte 4 is the first that is not");
    }
}
