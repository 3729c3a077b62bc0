//! Frames without sense, and sense without order: nothing panics, and nothing grows.

use http::HeaderMap;
use proptest::prelude::*;

use super::{
    super::{Code, Event, Machine},
    peer::{REQUEST, frame, headers, settings},
};

/// What a peer may say: well-formed more often than not, so that it gets somewhere.
fn saying() -> impl Strategy<Value = Vec<u8>> {
    let stream = 0_u32..10;
    prop_oneof![
        (0_u8..11, any::<u8>(), stream.clone(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload)),
        (stream.clone(), any::<bool>()).prop_map(|(stream, is_last)| headers(stream | 1, is_last, REQUEST)),
        (stream, any::<u32>()).prop_map(|(stream, number)| frame(8, 0, stream, &number.to_be_bytes())),
        (0_u16..8, any::<u32>()).prop_map(|setting| settings(&[setting])),
        prop::collection::vec(any::<u8>(), 0..30),
    ]
}

/// Answers some way or other.
fn answer(machine: &mut Machine, stream: u32) {
    match stream % 8 {
        1 => machine.respond(stream, http::StatusCode::OK, &HeaderMap::new(), true),
        3 => machine.reset(stream, Code::Cancel),
        _ => {
            machine.respond(stream, http::StatusCode::OK, &HeaderMap::new(), false);
            let sent = machine.data(stream, 1000, false).map_or(0, |announced| announced.length);
            assert!(sent <= 1000);
            machine.trailers(stream, &HeaderMap::new());
        }
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_survived(sayings in prop::collection::vec(saying(), 0..30), cut in 1_usize..50) {
        let mut machine = Machine::new();
        let opening = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings(&[])[..]].concat();
        let said: Vec<u8> = opening.into_iter().chain(sayings.into_iter().flatten()).collect();
        'said: for piece in said.chunks(cut) {
            machine.receive(piece);
            loop {
                match machine.next_event() {
                    Ok(Some(Event::Request { stream, .. })) => answer(&mut machine, stream),
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => break 'said,
                }
            }
            machine.take_output();
        }
        prop_assert!(machine.take_output().len() < 10_000);
    }
}
