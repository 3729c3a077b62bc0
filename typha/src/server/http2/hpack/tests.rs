//! The decoder against the examples of RFC 7541 appendix C, against our encoder, and against garbage.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{Decoder, Encoder, Malformed, huffman};

type Fields = Vec<(String, String)>;

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, Malformed> {
    let mut fields = Fields::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    decoder.decode(block, |name, value| fields.push((text(name), text(value))))?;
    Ok(fields)
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what decoding gives")]
fn fields(expected: &[(&str, &str)]) -> Result<Fields, Malformed> {
    Ok(expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn requests_that_share_a_table_are_read() {
    // Sections C.4.1 to C.4.3.
    let mut decoder = Decoder::new(4096);
    let first = [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
    let host = (":authority", "www.example.com");
    let get = [(":method", "GET"), (":scheme", "http"), (":path", "/")];
    assert_eq!(decode(&mut decoder, &first), fields(&[&get[..], &[host]].concat()));
    let second = [0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];
    let no_cache = ("cache-control", "no-cache");
    assert_eq!(decode(&mut decoder, &second), fields(&[&get[..], &[host, no_cache]].concat()));
    let third = [
        0x82, 0x87, 0x85, 0xbf, 0x40, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x89, 0x25, 0xa8, 0x49,
        0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf,
    ];
    let index = [(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), host];
    assert_eq!(decode(&mut decoder, &third), fields(&[&index[..], &[("custom-key", "custom-value")]].concat()));
}

/// A literal with indexing and a new name.
fn kept(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0x40, name.len() as u8];
    block.extend(name.as_bytes());
    let coded = huffman::tests::encode(value.as_bytes());
    block.push(0x80 | coded.len() as u8);
    block.extend(coded);
    block
}

#[test]
fn the_table_forgets_its_oldest_fields() {
    // Room for two fields of 34 bytes.
    let mut decoder = Decoder::new(68);
    for name in ["a", "b", "c"] {
        decode(&mut decoder, &kept(name, "1")).unwrap();
    }
    assert_eq!(decode(&mut decoder, &[0xbe, 0xbf]), fields(&[("c", "1"), ("b", "1")]));
    assert_eq!(decode(&mut decoder, &[0xc0]), Err(Malformed));
    decode(&mut decoder, &kept("large", &"x".repeat(60))).unwrap();
    assert_eq!(decode(&mut decoder, &[0xbe]), Err(Malformed), "what is larger than the table empties it");
}

#[test]
fn the_peer_chooses_its_table_within_what_it_is_allowed() {
    let mut decoder = Decoder::new(100);
    decode(&mut decoder, &kept("a", "1")).unwrap();
    assert_eq!(decode(&mut decoder, &[0x3f, 101 - 31]), Err(Malformed));
    assert_eq!(decode(&mut decoder, &[0x82, 0x20]), Err(Malformed), "only in front of a block");
    assert_eq!(decode(&mut decoder, &[0x20, 0x3f, 100 - 31, 0x82]), fields(&[(":method", "GET")]));
    assert_eq!(decode(&mut decoder, &[0xbe]), Err(Malformed), "it was emptied");
    decode(&mut decoder, &kept("a", "1")).unwrap();
    decoder.limit(0);
    assert_eq!(decode(&mut decoder, &[0xbe]), Err(Malformed));
    assert_eq!(decode(&mut decoder, &[0x20, 0x83]), fields(&[(":method", "POST")]));
}

#[test]
fn what_is_malformed_is_refused() {
    let blocks: [&[u8]; 6] = [
        &[0x80],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x00, 0x05, b'a'],
        &[0x41],
        &[0x00, 0x01, b'a', 0x81, 0x00],
        &[0xff],
    ];
    for block in blocks {
        assert_eq!(decode(&mut Decoder::new(4096), block), Err(Malformed), "{block:x?}");
    }
}

#[test]
fn what_we_write_is_read() {
    let long = "v".repeat(400);
    let headers: HeaderMap = [("content-type", "application/grpc"), ("grpc-message", &long)]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::new(4096));
    let expected = [("content-type", "application/grpc"), ("grpc-message", long.as_str())];
    let block = encoder.encode(Some(StatusCode::OK), &headers);
    assert_eq!(decode(&mut decoder, &block), fields(&[&[(":status", "200")][..], &expected].concat()));
    encoder.limit(0, 4096);
    let block = encoder.encode(Some(StatusCode::IM_A_TEAPOT), &HeaderMap::new());
    assert_eq!(block[0], 0x20, "the smaller table is announced");
    assert_eq!(decode(&mut decoder, &block), fields(&[(":status", "418")]));
    encoder.limit(0, 4096);
    assert_eq!(decode(&mut decoder, &encoder.encode(None, &headers)), fields(&expected));
}

proptest! {
    #[test]
    fn garbage_never_panics(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..5)) {
        let mut decoder = Decoder::new(256);
        for block in blocks {
            let _ = decode(&mut decoder, &block);
        }
    }
}
