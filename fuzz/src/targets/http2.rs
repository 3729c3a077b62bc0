//! HTTP/2 from an agent: the machine behind typha's port, with answers as typha makes them.

use typha::http2::{Event, Machine};

/// How much content each answer has: more than one small window takes.
const CONTENT_BYTES: usize = 100;
/// An answer to one frame is no longer than this; what is longer has another reason.
const ANSWER_BYTES: usize = 256;

/// The first byte says how the bytes are cut into chunks, which makes no difference; what is answered is frames, and not
/// much more than was asked.
pub(super) fn serve(bytes: &[u8]) {
    let Some((chunk, stream)) = bytes.split_first() else { return };
    let whole = played([stream]);
    assert!(whole.output.len() <= ANSWER_BYTES * (stream.len() / 9 + 2), "answers grow beyond what was asked");
    assert_frames(&whole.output);
    assert_eq!(whole, played(stream.chunks(usize::from(*chunk).max(1))), "the chunks of a stream make a difference");
}

#[derive(Debug, PartialEq, Eq)]
struct Played {
    events: Vec<String>,
    fault: Option<String>,
    output: Vec<u8>,
}

fn played<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Played {
    let mut machine = Machine::new();
    let mut played = Played { events: Vec::new(), fault: None, output: machine.take_output() };
    for chunk in chunks {
        machine.receive(chunk);
        loop {
            match machine.next_event() {
                Ok(Some(event)) => {
                    played.events.push(format!("{event:?}"));
                    answer(&mut machine, &event, &mut played.output);
                }
                Ok(None) => break,
                Err(fault) => {
                    played.fault = Some(fault.to_string());
                    played.output.extend(machine.take_output());
                    // Whatever still comes is nobody's business.
                    machine.receive(b"more");
                    assert!(!matches!(machine.next_event(), Ok(Some(_))), "something is read after the end");
                    return played;
                }
            }
        }
        played.output.extend(machine.take_output());
    }
    played
}

/// Answers requests as they end, and breaks off every fourth stream.
fn answer(machine: &mut Machine, event: &Event, output: &mut Vec<u8>) {
    let (Event::Request { stream, is_last: true, .. } | Event::Data { stream, is_last: true, .. }) = *event else {
        return;
    };
    if stream % 8 == 7 {
        return machine.reset(stream, typha::http2::Code::Cancel);
    }
    machine.respond(stream, http::StatusCode::OK, &http::HeaderMap::new(), false);
    output.extend(machine.take_output());
    if let Some(announced) = machine.data(stream, CONTENT_BYTES, true) {
        output.extend(announced.head);
        output.resize(output.len() + announced.length, b'x');
    }
    machine.trailers(stream, &http::HeaderMap::new());
}

fn assert_frames(mut output: &[u8]) {
    while let [l0, l1, l2, rest @ ..] = output {
        let length = 6 + u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
        output = rest.get(length..).unwrap_or_else(|| panic!("the last frame is not whole: {output:?}"));
    }
    assert!(output.is_empty(), "there are bytes behind the last frame");
}
