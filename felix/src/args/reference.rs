//! `docs/configuration.md` is written from the flags' definitions, and names every setting of FelixConfiguration that is
//! honoured; these tests fail where it does not.

use std::path::{Path, PathBuf};

use model::resource::FelixConfigurationSpec;
use serde::{
    Deserialize as _, Deserializer,
    de::{Visitor, value::Error},
    forward_to_deserialize_any,
};

use super::{Args, PROGRAM};

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md")
}

#[test]
fn the_reference_is_what_the_flags_are() {
    settings::hold(&document(), "felix", &settings::table::<Args>(&PROGRAM))
        .expect("the document is what the code says");
}

/// Is told the fields that a struct has.
struct Fields<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("only its fields are wanted"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.extend_from_slice(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[test]
fn the_settings_of_felix_configuration_are_those_that_are_honoured() {
    let mut honoured = Vec::new();
    let _ = FelixConfigurationSpec::deserialize(Fields(&mut honoured));
    assert!(honoured.contains(&"interfacePrefix"), "{honoured:?}");
    let text = std::fs::read_to_string(document()).expect("docs/configuration.md is there");
    let (_, section) = text.split_once("### FelixConfiguration\n").expect("it has a section");
    let section = section.split("\n## ").next().expect("its begin");
    let mut documented: Vec<&str> =
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    honoured.sort_unstable();
    documented.sort_unstable();
    assert_eq!(documented, honoured);
}
