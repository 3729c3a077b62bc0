//! Where in a document something is.

use std::fmt;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Into an object.
    Field(String),
    /// Into a list.
    Index(usize),
}

/// The way from the document to a field of it, such as `spec.ingress[0].source.nets[1]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(pub Vec<Segment>);

impl FieldPath {
    /// A path of fields only, such as `metadata.name`.
    pub fn fields(names: &[&str]) -> Self {
        Self(names.iter().map(|name| Segment::Field((*name).to_owned())).collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("document");
        }
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Field(name) if needs_quotes(name) => write!(f, "[{name:?}]")?,
                Segment::Field(name) => write!(f, "{}{name}", if depth == 0 { "" } else { "." })?,
            }
        }
        Ok(())
    }
}

/// Names of labels and annotations hold characters that would read as further steps.
fn needs_quotes(name: &str) -> bool {
    name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_users_write_them() {
        let path = FieldPath(vec![
            Segment::Field("spec".into()),
            Segment::Field("ingress".into()),
            Segment::Index(0),
            Segment::Field("source".into()),
        ]);
        assert_eq!(path.to_string(), "spec.ingress[0].source");
        assert_eq!(FieldPath::fields(&["metadata", "labels", "a/b"]).to_string(), "metadata.labels[\"a/b\"]");
        assert_eq!(FieldPath::default().to_string(), "document");
    }
}
