//! Files of cases, plain or compressed by gzip.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek as _},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use flate2::read::MultiGzDecoder;

use super::Case;

/// The first bytes of every gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads all cases of a file; what is wrong is named with file and line.
pub fn read(path: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (index, line) in open(path)?.lines().enumerate() {
        let place = || format!("{}, line {}", path.display(), index + 1);
        let line = line.with_context(place)?;
        if !line.trim().is_empty() {
            let case = serde_json::from_str(&line).context("this is no case of the reachability format");
            cases.push(case.with_context(place)?);
        }
    }
    ensure!(!cases.is_empty(), "{} holds no case: want one JSON object a line", path.display());
    Ok(cases)
}

fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let place = || format!("{}", path.display());
    let mut file = File::open(path).with_context(place)?;
    let mut head = Vec::new();
    (&mut file).take(GZIP_MAGIC.len() as u64).read_to_end(&mut head).with_context(place)?;
    file.rewind().with_context(place)?;
    Ok(if head == GZIP_MAGIC {
        Box::new(BufReader::new(MultiGzDecoder::new(file)))
    } else {
        Box::new(BufReader::new(file))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const CASE: &str = r#"{"Index":7,"Description":"d","Tags":null,"Steps":[]}"#;

    fn written(name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("cattail-conformance-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).expect("a temporary file");
        path
    }

    #[test]
    fn plain_and_compressed_files_read_alike() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        writeln!(encoder, "{CASE}").expect("memory");
        let compressed = written("gz", &encoder.finish().expect("memory"));
        let plain = written("plain", format!("{CASE}\n\n{CASE}\n").as_bytes());
        assert_eq!(read(&compressed).expect("cases").len(), 1);
        assert_eq!(read(&plain).expect("cases").len(), 2);
        for path in [compressed, plain] {
            std::fs::remove_file(path).expect("it is there");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let path = written("bad", format!("{CASE}\n{{\"Index\":8}}\n").as_bytes());
        let error = format!("{:#}", read(&path).expect_err("line 2 has no steps"));
        assert!(error.contains("line 2") && error.contains("Steps"), "{error}");
        std::fs::remove_file(path).expect("it is there");
    }
}
