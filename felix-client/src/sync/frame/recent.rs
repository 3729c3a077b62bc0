//! What a thread unpacked last, for thousands of clients in one process: all of them get the same bytes.
//!
//! A client by itself never meets a message twice and should not keep any: agents do without this.

use std::{cell::RefCell, collections::VecDeque};

use bytes::Bytes;

use super::{FrameError, unpack};

/// Clients of a thread are at the same message or at the one before.
const MESSAGES: usize = 4;

/// Longer messages are of snapshots, where each client is somewhere else.
const BYTES_MAX: usize = 64 << 10;

/// A message as it came, and what it became.
type Unpacked = (Bytes, Bytes);

thread_local! {
    static RECENT: RefCell<VecDeque<Unpacked>> = const { RefCell::new(VecDeque::new()) };
}

/// As [`unpack::zstd`]; the same message, byte for byte, is unpacked once.
pub(super) fn zstd(message: &[u8], limit: usize) -> Result<Bytes, FrameError> {
    if let Some(content) = RECENT.with_borrow(|recent| find(recent, message)) {
        return Ok(content);
    }
    let content = unpack::zstd(message, limit)?;
    if content.len() <= BYTES_MAX {
        // Copied: a slice would keep the buffer alive that it was read into.
        let unpacked = (Bytes::copy_from_slice(message), content.clone());
        RECENT.with_borrow_mut(|recent| {
            recent.truncate(MESSAGES - 1);
            recent.push_front(unpacked);
        });
    }
    Ok(content)
}

fn find(recent: &VecDeque<Unpacked>, message: &[u8]) -> Option<Bytes> {
    recent.iter().find(|(packed, _)| packed == message).map(|(_, content)| content.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn packed(content: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(content, 1).unwrap()
    }

    #[test]
    fn the_same_message_is_unpacked_once_and_another_is_not_taken_for_it() {
        let (one, other) = (packed(b"one and one and one"), packed(b"one and one and two"));
        let first = zstd(&one, LIMIT).unwrap();
        assert_eq!(first, zstd(&other, LIMIT).map(|_| b"one and one and one".as_slice()).unwrap());
        let again = zstd(&one, LIMIT).unwrap();
        assert_eq!(first.as_ptr(), again.as_ptr(), "it was unpacked again");
        assert_eq!(zstd(&other, LIMIT).unwrap(), b"one and one and two".as_slice());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        for number in 0..3 * MESSAGES {
            zstd(&packed(&[number as u8; 100]), LIMIT).unwrap();
        }
        zstd(&packed(&vec![0; BYTES_MAX + 1]), LIMIT).unwrap();
        assert_eq!(RECENT.with_borrow(VecDeque::len), MESSAGES);
        assert!(RECENT.with_borrow(|recent| recent.iter().all(|(_, content)| content.len() <= BYTES_MAX)));
    }
}
