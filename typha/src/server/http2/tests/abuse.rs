//! What no proper peer does: each is answered with the right code, and costs a bounded amount.

use http::HeaderMap;

use super::{
    super::{
        fault::Code,
        frame::{flag, kind},
        limits::{
            CONTINUATIONS, FRAME_BYTES, HEADER_BLOCK_BYTES, IDLE_FRAMES, RESETS, SETTINGS, STREAMS, WINDOW_BYTES,
        },
    },
    peer::{Peer, REQUEST, data, frame, headers, number, settings},
};

/// Says this on a fresh connection that has one request open, on stream 1.
fn fault(bytes: &[u8]) -> Code {
    let mut peer = Peer::open();
    peer.say(&headers(1, false, REQUEST)).unwrap();
    peer.fault(bytes)
}

/// The same where only the stream suffers.
fn reset(bytes: &[u8]) -> String {
    let mut peer = Peer::open();
    peer.say(&headers(1, false, REQUEST)).unwrap();
    assert_eq!(peer.say(bytes).map(|events| events.last().cloned()), Ok(Some("reset 1".into())));
    assert_eq!(peer.say(&headers(3, true, REQUEST)), Ok(vec!["request 3 POST / last".into()]), "others go on");
    peer.output().pop().unwrap()
}

#[test]
fn frames_that_make_no_sense_end_the_connection() {
    let ack = flag::ACK;
    for (what, bytes, code) in [
        ("DATA of no stream", data(0, false, b"x"), Code::Protocol),
        ("DATA of an idle stream", data(3, false, b"x"), Code::Protocol),
        ("DATA of an even stream", data(2, false, b"x"), Code::Protocol),
        ("padding that is too long", frame(kind::DATA, flag::PADDED, 1, &[2, 0]), Code::Protocol),
        ("a frame that is too long", frame(kind::DATA, 0, 1, &vec![0; FRAME_BYTES + 1]), Code::FrameSize),
        ("HEADERS of no stream", headers(0, true, REQUEST), Code::Protocol),
        ("HEADERS of an even stream", headers(2, true, REQUEST), Code::Protocol),
        ("HEADERS shorter than their priority", frame(kind::HEADERS, flag::PRIORITY, 3, &[0; 4]), Code::FrameSize),
        ("CONTINUATION of nothing", frame(kind::CONTINUATION, 0, 1, &[]), Code::Protocol),
        ("PRIORITY of no stream", frame(kind::PRIORITY, 0, 0, &[0; 5]), Code::Protocol),
        ("RST_STREAM of an idle stream", number(kind::RST_STREAM, 3, 0), Code::Protocol),
        ("RST_STREAM that is too short", frame(kind::RST_STREAM, 0, 1, &[0; 3]), Code::FrameSize),
        ("SETTINGS of a stream", frame(kind::SETTINGS, 0, 1, &[]), Code::Protocol),
        ("SETTINGS in pieces", frame(kind::SETTINGS, 0, 0, &[0; 7]), Code::FrameSize),
        ("SETTINGS that acknowledge with content", frame(kind::SETTINGS, ack, 0, &[0; 6]), Code::FrameSize),
        ("a push", frame(kind::PUSH_PROMISE, 0, 1, &[0; 4]), Code::Protocol),
        ("PING of a stream", frame(kind::PING, 0, 1, &[0; 8]), Code::Protocol),
        ("PING that is too short", frame(kind::PING, 0, 0, &[0; 7]), Code::FrameSize),
        ("GOAWAY of a stream", frame(kind::GOAWAY, 0, 1, &[0; 8]), Code::Protocol),
        ("GOAWAY that is too short", frame(kind::GOAWAY, 0, 0, &[0; 7]), Code::FrameSize),
        ("room for nothing", number(kind::WINDOW_UPDATE, 0, 0), Code::Protocol),
        ("room for an idle stream", number(kind::WINDOW_UPDATE, 3, 1), Code::Protocol),
        ("too much room", number(kind::WINDOW_UPDATE, 0, i32::MAX as u32), Code::FlowControl),
        ("a window that is too large", settings(&[(4, 1 << 31)]), Code::FlowControl),
        ("frames that are too small", settings(&[(5, 16_383)]), Code::Protocol),
        ("frames that are too large", settings(&[(5, 1 << 24)]), Code::Protocol),
        ("push neither on nor off", settings(&[(2, 2)]), Code::Protocol),
        ("headers that are no HPACK", headers(3, true, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Code::Compression),
    ] {
        assert_eq!(fault(&bytes), code, "{what}");
    }
}

#[test]
fn the_opening_is_checked() {
    for (bytes, code) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), Code::Protocol),
        ([&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(kind::PING, 0, 0, &[0; 8])].concat(), Code::Protocol),
        (
            [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(kind::SETTINGS, flag::ACK, 0, &[])].concat(),
            Code::Protocol,
        ),
    ] {
        let mut peer = Peer { machine: super::super::Machine::new() };
        assert_eq!(peer.fault(&bytes), code);
    }
}

#[test]
fn a_header_block_is_not_interrupted() {
    for other in [frame(kind::PING, 0, 0, &[0; 8]), frame(kind::CONTINUATION, 0, 5, &[]), data(1, false, b"x")] {
        let begun = frame(kind::HEADERS, 0, 3, &REQUEST[..1]);
        assert_eq!(fault(&[begun, other].concat()), Code::Protocol);
    }
}

#[test]
fn header_blocks_are_bounded_in_length_and_in_frames() {
    let begun = frame(kind::HEADERS, 0, 3, REQUEST);
    let empty = frame(kind::CONTINUATION, 0, 3, &[]).repeat(CONTINUATIONS as usize + 1);
    assert_eq!(fault(&[begun.clone(), empty].concat()), Code::EnhanceYourCalm);
    let full = frame(kind::CONTINUATION, 0, 3, &vec![0; HEADER_BLOCK_BYTES]);
    assert_eq!(fault(&[begun, full].concat()), Code::EnhanceYourCalm);
}

/// One field is kept in the table, then named again and again: a short block, a long list.
fn bomb() -> Vec<u8> {
    let mut bomb = [REQUEST, &[0x40, 1, b'a', 0x7f, 0xa1, 0x1d]].concat();
    bomb.extend([b'x'; 3872]);
    bomb.extend([0xbe; 200]);
    bomb
}

#[test]
fn headers_that_are_too_long_are_refused_alone() {
    let mut peer = Peer::open();
    assert_eq!(peer.say(&headers(1, true, &bomb())), Ok(vec![]));
    assert_eq!(peer.output(), ["HEADERS 1 last"], "431");
    assert_eq!(peer.say(&headers(3, true, REQUEST)), Ok(vec!["request 3 POST / last".into()]));
}

#[test]
fn headers_that_are_decompressed_for_nothing_end_the_connection_before_long() {
    let flood = |first: u32, streams: u32| -> Vec<u8> {
        (first..=first + streams).flat_map(|number| headers(2 * number + 1, true, &bomb())).collect()
    };
    assert_eq!(Peer::open().fault(&flood(0, RESETS)), Code::EnhanceYourCalm, "too long");
    let mut left = Peer::open();
    left.machine.leave();
    let said = left.machine.take_output();
    left.say(&frame(kind::PING, flag::ACK, 0, &said[said.len() - 8..])).unwrap();
    assert_eq!(left.fault(&flood(0, RESETS)), Code::EnhanceYourCalm, "after we have left");
    let mut reset = Peer::open();
    reset.say(&headers(1, false, REQUEST)).unwrap();
    reset.machine.reset(1, Code::Cancel);
    let trailers = headers(1, true, &bomb());
    assert_eq!(reset.fault(&trailers.repeat(RESETS as usize + 1)), Code::EnhanceYourCalm, "of a stream that was reset");
}

#[test]
fn settings_are_few() {
    let many = |count: usize| settings(&vec![(4, 100); count]);
    let mut peer = Peer::open();
    assert_eq!(peer.say(&many(SETTINGS)), Ok(vec![]));
    assert_eq!(peer.fault(&many(SETTINGS + 1)), Code::EnhanceYourCalm);
}

#[test]
fn mistakes_on_one_stream_end_that_stream() {
    assert_eq!(reset(&headers(1, false, &[])), "RST_STREAM 1 1", "trailers that do not end it");
    assert_eq!(reset(&headers(1, true, REQUEST)), "RST_STREAM 1 1", "trailers with pseudo-headers");
    assert_eq!(reset(&[data(1, true, b""), data(1, false, b"x")].concat()), "RST_STREAM 1 5", "after its end");
    assert_eq!(reset(&number(kind::WINDOW_UPDATE, 1, 0)), "RST_STREAM 1 1");
    assert_eq!(reset(&number(kind::WINDOW_UPDATE, 1, i32::MAX as u32)), "RST_STREAM 1 3");
    assert_eq!(reset(&frame(kind::PRIORITY, 0, 1, &[0; 4])), "RST_STREAM 1 6");
}

#[test]
fn requests_that_are_none_are_reset() {
    let announced = |bytes: &[u8]| [REQUEST, &[0x0f, 13, bytes.len() as u8], bytes].concat();
    let mut peer = Peer::open();
    for (stream, block) in [(1, vec![0x83]), (3, announced(b"x")), (5, announced(b"3"))] {
        assert_eq!(peer.say(&headers(stream, true, &block)), Ok(vec![]));
        assert_eq!(peer.output(), [format!("RST_STREAM {stream} 1")]);
    }
    peer.say(&headers(7, false, &announced(b"3"))).unwrap();
    assert_eq!(peer.say(&data(7, true, b"ab")), Ok(vec!["reset 7".into()]), "less content than announced");
    assert_eq!(fault(&headers(1, true, &[0x80])), Code::Compression);
}

#[test]
fn content_beyond_the_window_is_refused() {
    let content = vec![0; FRAME_BYTES];
    let frames = WINDOW_BYTES as usize / FRAME_BYTES + 1;
    assert_eq!(fault(&data(1, false, &content).repeat(frames)), Code::FlowControl);
    // Of a stream that has been answered and reset.
    let mut peer = Peer::open();
    peer.say(&headers(1, false, REQUEST)).unwrap();
    peer.answer(1);
    peer.machine.trailers(1, &HeaderMap::new());
    for _ in 1..frames {
        peer.output();
        assert_eq!(peer.say(&data(1, false, &content)), Ok(vec![]));
    }
    assert_eq!(peer.fault(&data(1, false, &content)), Code::FlowControl);
}

#[test]
fn more_streams_than_allowed_are_refused() {
    let mut peer = Peer::open();
    for number in 0..STREAMS {
        assert_eq!(peer.say(&headers(2 * number + 1, true, REQUEST)).unwrap().len(), 1);
    }
    assert_eq!(peer.say(&headers(2 * STREAMS + 1, true, REQUEST)), Ok(vec![]));
    assert_eq!(peer.output(), [format!("RST_STREAM {} 7", 2 * STREAMS + 1)]);
}

#[test]
fn floods_end_the_connection_and_moderation_does_not() {
    let ping = frame(kind::PING, 0, 0, &[0; 8]);
    let idle = [
        ping.clone(),
        frame(kind::SETTINGS, 0, 0, &[]),
        data(1, false, b""),
        frame(kind::PRIORITY, 0, 9, &[0; 5]),
        number(kind::WINDOW_UPDATE, 1, 1),
        frame(0xfa, 0, 0, &[]),
    ];
    for frame in idle {
        assert_eq!(fault(&frame.repeat(IDLE_FRAMES as usize + 1)), Code::EnhanceYourCalm);
    }
    let mut peer = Peer::open();
    for _ in 0..3 {
        peer.say(&ping.repeat(IDLE_FRAMES as usize / 2)).unwrap();
        peer.machine.begin_period();
    }
}

/// Room for a byte each time is a flood; room for what was sent is not, however much that is.
#[test]
fn a_narrow_window_is_announced_as_often_as_it_takes() {
    let granted = |bytes: u32, times: u32| {
        let mut peer = Peer::open_with(&[(4, bytes)]);
        peer.say(&headers(1, true, REQUEST)).unwrap();
        peer.answer(1);
        let room = [number(kind::WINDOW_UPDATE, 0, bytes), number(kind::WINDOW_UPDATE, 1, bytes)].concat();
        (0..times).find_map(|_| {
            assert_eq!(peer.machine.data(1, bytes as usize, false).unwrap().length, bytes as usize);
            peer.output();
            peer.say(&room).err()
        })
    };
    assert_eq!(granted(16 << 10, 2 * IDLE_FRAMES), None);
    assert_eq!(granted(1, IDLE_FRAMES).map(|fault| fault.code), Some(Code::EnhanceYourCalm));
}

#[test]
fn rapid_resets_end_the_connection() {
    let mut peer = Peer::open();
    let flood: Vec<u8> = (0..=RESETS)
        .flat_map(|number| {
            [headers(2 * number + 1, true, REQUEST), self::number(kind::RST_STREAM, 2 * number + 1, 8)].concat()
        })
        .collect();
    assert_eq!(peer.fault(&flood), Code::EnhanceYourCalm);
}

#[test]
fn headers_of_a_stream_that_has_ended_end_the_connection() {
    let mut peer = Peer::open();
    peer.say(&headers(1, true, REQUEST)).unwrap();
    peer.answer(1);
    peer.machine.data(1, 0, true).unwrap();
    peer.output();
    assert_eq!(peer.say(&data(1, false, b"x")), Ok(vec![]));
    assert_eq!(peer.output(), ["RST_STREAM 1 5"]);
    assert_eq!(peer.fault(&headers(1, true, REQUEST)), Code::StreamClosed);
}
