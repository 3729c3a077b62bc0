//! What somebody wrote to etcd, through everything that reads it.

use super::{
    document::{decode, encode, user_key},
    layout, projection,
};

/// A path, a zero byte, and what is stored there. A path that is ours leads to its key and back, and a document that was
/// read and written again stays as it is.
pub fn document(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (path, stored) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Some(key) = layout::key(path) else { return };
    assert!(layout::is_ours(path), "a key was read from a path that is not ours");
    assert_eq!(layout::path(&key).as_bytes(), path, "the path of {key} is another one");
    let _ = projection::project(&key, stored.to_vec().into());
    let document = decode(&key, stored.to_vec());
    let key = user_key(&key, stored);
    let Ok(written) = encode(&key, &document) else { return };
    let again = encode(&key, &decode(&key, written.clone()));
    assert_eq!(again.ok().as_ref(), Some(&written), "{key} does not survive being read and written");
}
