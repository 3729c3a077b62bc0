//! What proper peers do.

use http::{HeaderMap, HeaderValue, StatusCode};

use super::{
    super::frame::{flag, kind},
    peer::{Peer, REQUEST, data, frame, headers, number, settings},
};

/// The number of INITIAL_WINDOW_SIZE.
const INITIAL_WINDOW: u16 = 4;

#[test]
fn a_request_is_answered_in_as_many_frames_as_there_is_room_for() {
    let mut peer = Peer::open_with(&[(INITIAL_WINDOW, 10)]);
    let request = [headers(1, false, REQUEST), data(1, false, b"abc"), data(1, true, b"")].concat();
    assert_eq!(peer.say(&request), Ok(vec!["request 1 POST /".into(), "data 1 3".into(), "data 1 0 last".into()]));
    assert_eq!(peer.machine.data(1, 5, false), None, "headers come first");
    peer.answer(1);
    assert_eq!(peer.output(), ["HEADERS 1"]);
    assert_eq!(peer.machine.data(1, 15, false).unwrap().length, 10);
    assert_eq!((peer.machine.capacity(1), peer.machine.data(1, 5, false)), (0, None));
    assert_eq!(peer.say(&number(kind::WINDOW_UPDATE, 1, 3)), Ok(vec![]));
    assert_eq!(peer.machine.data(1, 5, false).unwrap().length, 3);
    assert_eq!(peer.say(&settings(&[(INITIAL_WINDOW, 12)])), Ok(vec![]));
    let announced = peer.machine.data(1, 2, true).unwrap();
    assert_eq!((announced.head, announced.length), ([0, 0, 2, kind::DATA, flag::END_STREAM, 0, 0, 0, 1], 2));
    assert!(!peer.machine.has_streams());
}

#[test]
fn a_request_comes_in_any_pieces() {
    let request = [headers(1, false, REQUEST), data(1, true, b"abc")].concat();
    let mut peer = Peer::open();
    let events: Vec<String> = request.iter().flat_map(|byte| peer.say(&[*byte]).unwrap()).collect();
    assert_eq!(events, ["request 1 POST /", "data 1 3 last"]);
}

#[test]
fn headers_come_in_parts_with_priority_and_padding() {
    let mut peer = Peer::open();
    let padded = [&[2, 0, 0, 0, 0, 9][..], &REQUEST[..1], &[0, 0]].concat();
    let first = frame(kind::HEADERS, flag::PADDED | flag::PRIORITY, 1, &padded);
    let second = frame(kind::CONTINUATION, 0, 1, &REQUEST[1..2]);
    let third = frame(kind::CONTINUATION, flag::END_HEADERS, 1, &REQUEST[2..]);
    assert_eq!(peer.say(&[first, second, third].concat()), Ok(vec!["request 1 POST /".into()]));
    let content = frame(kind::DATA, flag::PADDED | flag::END_STREAM, 1, &[3, b'a', 0, 0, 0]);
    assert_eq!(peer.say(&content), Ok(vec!["data 1 1 last".into()]));
}

#[test]
fn a_request_may_end_with_trailers() {
    let mut peer = Peer::open();
    peer.say(&headers(1, false, REQUEST)).unwrap();
    let trailers = [0, 1, b'a', 1, b'b'];
    assert_eq!(peer.say(&headers(1, true, &trailers)), Ok(vec!["data 1 0 last".into()]));
}

#[test]
fn an_answer_may_end_before_the_request_does() {
    let mut peer = Peer::open();
    peer.say(&headers(1, false, REQUEST)).unwrap();
    peer.answer(1);
    peer.machine.trailers(1, &HeaderMap::new());
    assert_eq!(peer.output(), ["HEADERS 1", "HEADERS 1 last", "RST_STREAM 1 0"]);
    assert_eq!(peer.say(&[data(1, false, b"on its way"), headers(1, true, &[])].concat()), Ok(vec![]));
    assert_eq!(peer.output(), Vec::<String>::new(), "what was on its way is nobody's fault");
}

#[test]
fn long_headers_go_in_parts() {
    let mut peer = Peer::open();
    peer.say(&headers(1, true, REQUEST)).unwrap();
    let value = HeaderValue::from_str(&"x".repeat(40_000)).unwrap();
    let headers: HeaderMap = [(http::header::SERVER, value)].into_iter().collect();
    peer.machine.respond(1, StatusCode::OK, &headers, true);
    assert_eq!(peer.output(), ["HEADERS 1 last", "CONTINUATION 1", "CONTINUATION 1"]);
}

#[test]
fn room_for_requests_is_made_as_they_come() {
    let mut peer = Peer::open();
    peer.say(&headers(1, false, REQUEST)).unwrap();
    let content = vec![0; 16 << 10];
    for _ in 0..20 {
        peer.say(&data(1, false, &content)).unwrap();
        peer.say(&data(1, false, &content)).unwrap();
        assert_eq!(peer.output(), ["WINDOW_UPDATE 0 32768", "WINDOW_UPDATE 1 32768"]);
    }
}

#[test]
fn pings_are_answered() {
    let mut peer = Peer::open();
    assert_eq!(peer.say(&frame(kind::PING, 0, 0, b"12345678")), Ok(vec![]));
    assert_eq!(peer.machine.take_output()[9..], *b"12345678");
    peer.machine.ping();
    assert_eq!(peer.output(), ["PING"]);
    peer.say(&frame(kind::PING, flag::ACK, 0, b"whatever")).unwrap();
    assert_eq!(peer.output(), Vec::<String>::new());
}

#[test]
fn leaving_takes_a_round_trip_and_the_end_of_every_stream() {
    let mut peer = Peer::open();
    peer.say(&headers(1, true, REQUEST)).unwrap();
    peer.machine.leave();
    peer.machine.leave();
    let said = peer.machine.take_output();
    assert_eq!((said.len(), said[3], said[9 + 8 + 3]), (9 + 8 + 9 + 8, kind::GOAWAY, kind::PING));
    assert_eq!(peer.say(&headers(3, true, REQUEST)), Ok(vec!["request 3 POST / last".into()]), "it was on its way");
    peer.say(&frame(kind::PING, flag::ACK, 0, &said[9 + 8 + 9..])).unwrap();
    assert_eq!(peer.output(), ["GOAWAY 0 0"]);
    assert_eq!(peer.say(&headers(5, true, REQUEST)), Ok(vec![]), "it was told");
    for stream in [1, 3] {
        assert!(!peer.machine.has_left());
        peer.answer(stream);
        peer.machine.trailers(stream, &HeaderMap::new());
    }
    assert!(peer.machine.has_left());
}
