//! Seeds that nobody can write by hand: what each kind of peer really sends, in small.

use bytes::Bytes;
use model::digest::{Digest, EntryHash, RangeSet, Ranges, range_of};
use prost::Message;
use proto::sync::v1::{
    Batch, Begin, Checkpoint, Entry, Failure, GoAway, Position, ReportRequest, SubscribeRequest, begin::Mode,
};

type Seed = (&'static str, &'static str, Vec<u8>);

/// Target, file, content.
pub(crate) fn binary() -> Vec<Seed> {
    [requests(), streams(), http2(), agents(), store(), netlink()].concat()
}

fn grpc(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[flag][..], &length, message].concat()
}

fn requests() -> Vec<Seed> {
    let subscribe = |position| {
        let request = SubscribeRequest {
            node: "node-1".into(),
            version: "cattail/0.1".into(),
            position,
            ..SubscribeRequest::default()
        };
        [vec![0], grpc(0, &request.encode_to_vec())].concat()
    };
    let position = Position { datastore_id: 7, revision: 5, digest: vec![1; 16].into(), ..Position::default() };
    let claim = Position { ranges: Ranges::default().to_bytes().into(), compare: true, ..position.clone() };
    let failure = Failure { object: "NetworkPolicy/shop/web".into(), reason: "no".into() };
    let report = ReportRequest {
        node: "node-1".into(),
        applied_revision: 5,
        applied_at_unix_ms: 1_700_000_000_000,
        failures: vec![failure],
    };
    vec![
        ("typha-request", "subscribe", subscribe(None)),
        ("typha-request", "resume", subscribe(Some(position))),
        ("typha-request", "repair", subscribe(Some(claim))),
        ("typha-request", "report", [vec![1], grpc(0, &report.encode_to_vec())].concat()),
    ]
}

const ENTRIES: [(&str, u64, &str); 3] = [
    ("Tier/default", 2, r#"{"spec":{"order":100}}"#),
    ("GlobalNetworkSet/office", 3, r#"{"spec":{"nets":["10.0.0.0/8"]}}"#),
    ("NetworkPolicy/shop/web", 4, r#"{"spec":{"selector":"app == 'web'"}}"#),
];

fn digest_of(entries: &[(&str, u64, &str)]) -> Digest {
    let mut digest = Digest::default();
    for (key, revision, value) in entries {
        digest.add(EntryHash::of(key, *revision, value.as_bytes()));
    }
    digest
}

fn entry((key, revision, value): (&str, u64, &'static str)) -> Entry {
    Entry { key: key.into(), value: Some(Bytes::from_static(value.as_bytes())), revision }
}

fn begin(mode: Mode, ranges: Bytes) -> Batch {
    let begin = Begin { mode: mode.into(), datastore_id: 7, server: "typha-a".into(), ranges };
    Batch { begin: Some(begin), ..Batch::default() }
}

fn cut(entries: Vec<Entry>, revision: u64, digest: Digest) -> Batch {
    let digest = Bytes::copy_from_slice(&digest.to_bytes());
    let checkpoint = Checkpoint { revision, digest, upstream_age_ms: 3, in_sync: true };
    Batch { entries, checkpoint: Some(checkpoint), ..Batch::default() }
}

/// Streams of batches as agents get them.
fn streams() -> Vec<Seed> {
    let [tier, office, web] = ENTRIES;
    let snapshot = [
        begin(Mode::Snapshot, Bytes::new()),
        cut(ENTRIES[..2].iter().copied().map(entry).collect(), 3, digest_of(&[tier, office])),
    ];
    let delta = cut(vec![entry(web)], 4, digest_of(&ENTRIES));
    let deletion = Entry { key: office.0.into(), value: None, revision: 5 };
    let gone = cut(vec![deletion], 5, digest_of(&[tier, web]));
    let resume = begin(Mode::Resume, Bytes::new());
    let mut ranges = RangeSet::default().to_bytes();
    let range = range_of(tier.0);
    ranges[usize::from(range / 8)] |= 1 << (range % 8);
    let repair =
        [begin(Mode::Repair, Bytes::copy_from_slice(&ranges)), cut(vec![entry(tier)], 5, digest_of(&[tier, web]))];
    let go_away = Batch {
        go_away: Some(GoAway { reason: "drains".into(), within_ms: 1000, ..GoAway::default() }),
        ..Batch::default()
    };
    let framed =
        |batches: &[Batch]| batches.iter().flat_map(|batch| grpc(0, &batch.encode_to_vec())).collect::<Vec<u8>>();
    let end = grpc(0, b"");
    let all = [
        framed(&snapshot),
        framed(std::slice::from_ref(&delta)),
        end.clone(),
        framed(&[resume, gone]),
        end,
        framed(&repair),
        framed(&[go_away]),
    ]
    .concat();
    let packed = zstd::bulk::compress(&delta.encode_to_vec(), 1).expect("zstd");
    vec![
        ("client-protocol", "snapshot", framed(&snapshot)),
        ("client-protocol", "everything", all.clone()),
        ("client-frames", "plain", [vec![0, 7], all].concat()),
        ("client-frames", "compressed", [vec![1, 3], framed(&snapshot), grpc(1, &packed)].concat()),
    ]
}

fn http2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a typha sends on a connection.
fn http2() -> Vec<Seed> {
    let served = [
        http2_frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]),
        http2_frame(8, 0, 0, &1000_u32.to_be_bytes()),
        http2_frame(4, 1, 0, &[]),
        http2_frame(1, 4, 1, &[0x20, 0x88]),
        http2_frame(0, 0, 1, &grpc(0, b"\x0a\x02\x08\x01")),
        http2_frame(0, 8, 1, b"\x02abcXX"),
        http2_frame(6, 0, 0, b"12345678"),
    ]
    .concat();
    let ends = [http2_frame(3, 0, 1, &8_u32.to_be_bytes()), http2_frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])].concat();
    vec![("client-http2", "served", [vec![5], served].concat()), ("client-http2", "ended", [vec![200], ends].concat())]
}

/// What agents send on a connection.
fn agents() -> Vec<Seed> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let literal = |name: &str, value: &str| {
        [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    };
    // POST and https of the static table, literals, and a header that the table is to remember.
    let headers = [
        vec![0x83, 0x87],
        literal(":path", "/cattail.sync.v1.Sync/Subscribe"),
        literal(":authority", "typha"),
        literal("content-type", "application/grpc"),
        [&[0x40][..], &literal("te", "trailers")[1..]].concat(),
    ]
    .concat();
    // `:path: /a` and `:authority: t` in Huffman code, and what the table remembers.
    let packed = [&[0x83, 0x87, 0x04, 0x82, 0x60, 0x7f, 0x41, 0x81, 0x4f, 0xbe][..]].concat();
    let message = grpc(0, b"\x0a\x01x");
    let (head, tail) = headers.split_at(20);
    let session = [
        PREFACE.to_vec(),
        http2_frame(4, 0, 0, &[0, 4, 0, 0, 0, 50, 0, 5, 0, 0, 0x40, 0]),
        http2_frame(8, 0, 0, &1000_u32.to_be_bytes()),
        http2_frame(1, 4, 1, &headers),
        http2_frame(0, 1, 1, &message),
        http2_frame(4, 1, 0, &[]),
        http2_frame(6, 0, 0, b"12345678"),
        http2_frame(8, 0, 1, &1000_u32.to_be_bytes()),
        http2_frame(1, 0, 3, head),
        http2_frame(9, 4, 3, tail),
        http2_frame(3, 0, 3, &8_u32.to_be_bytes()),
        http2_frame(1, 5, 7, &packed),
        http2_frame(2, 0, 9, &[0, 0, 0, 1, 7]),
        http2_frame(7, 0, 0, &[0; 8]),
    ]
    .concat();
    let padded = [
        PREFACE.to_vec(),
        http2_frame(4, 0, 0, &[]),
        http2_frame(1, 0x2c, 1, &[&[2, 0, 0, 0, 0, 7][..], &headers, &[0, 0]].concat()),
        http2_frame(0, 9, 1, &[&[1][..], &message, &[0]].concat()),
    ]
    .concat();
    vec![("typha-http2", "session", [vec![7], session].concat()), ("typha-http2", "padded", [vec![1], padded].concat())]
}

/// etcd's messages by hand: field numbers are etcd's.
fn store() -> Vec<Seed> {
    let field = |number: u8, value: &[u8]| [&[number << 3 | 2, value.len() as u8][..], value].concat();
    let number = |number: u8, value: u8| vec![number << 3, value];
    let request = |kind: u8, message: Vec<u8>| [vec![kind, message.len() as u8], message].concat();
    let put = |key: &[u8], value: &[u8]| [field(1, key), field(2, value)].concat();
    let range = |key: &[u8], end: &[u8]| [field(1, key), field(2, end)].concat();
    let operation = |kind: u8, message: &[u8]| field(2, &field(kind, message));
    // If the version of "a" is 1 then put "a", else get it.
    let compare = [number(1, 0), number(2, 0), field(3, b"a"), number(4, 1)].concat();
    let transaction =
        [field(1, &compare), operation(2, &put(b"a", b"2")), field(3, &field(1, &range(b"a", b"b")))].concat();
    let nested = operation(4, &transaction);
    let session = [
        request(1, put(b"a", b"1")),
        request(1, [put(b"b", b"1"), number(3, 7), number(4, 1)].concat()),
        request(0, [range(b"a", b"c"), number(3, 1), number(5, 2), number(6, 3)].concat()),
        request(0, [range(b"a", b"\0"), number(4, 2)].concat()),
        request(3, transaction),
        request(3, nested),
        request(2, [range(b"a", b"b"), number(3, 1)].concat()),
        request(4, number(1, 3)),
        request(0, [range(b"z", b"a"), number(4, 2)].concat()),
    ]
    .concat();
    let small = [request(1, put(b"/calico/x", b"{}")), request(0, range(b"/calico/", b"/calico0"))].concat();
    // Places in a small file that a flipped byte hits, and a cut.
    let flips = [[0, 0, 0, 9, 1], [0, 0, 16, 0, 0x80], [0, 1, 0, 3, 0xff]].concat();
    vec![
        ("store-request", "session", session),
        ("store-request", "small", small),
        ("store-file", "whole", vec![]),
        ("store-file", "flipped", flips),
        ("store-file", "cut", vec![128]),
    ]
}

fn netlink_message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + payload.len()).expect("short").to_ne_bytes();
    let mut bytes = [&length[..], &kind.to_ne_bytes(), &[0, 0], &1_u32.to_ne_bytes(), &[0; 4], payload].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("short").to_ne_bytes();
    let mut bytes = [&length[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The kernel's numbers, as of linux/netfilter/nf_tables.h and linux/rtnetlink.h.
fn netlink() -> Vec<Seed> {
    let element = |key: &[u8], flags: u32| {
        let key = attribute(1, &attribute(1, key));
        attribute(1, &[key, attribute(3, &flags.to_be_bytes())].concat())
    };
    let verdict =
        attribute(2, &attribute(2, &[attribute(1, &(-4_i32).to_be_bytes()), attribute(2, b"chain\0")].concat()));
    let mapped = attribute(1, &[attribute(1, &attribute(1, b"eth0\0\0\0\0\0\0\0\0\0\0\0\0")), verdict].concat());
    let list = |entries: &[Vec<u8>]| {
        let fields = [attribute(1, b"cattail\0"), attribute(2, b"set\0"), attribute(3, &entries.concat())].concat();
        netlink_message(0x0a0c, &[vec![1, 0, 0, 0], fields].concat())
    };
    let ranges = list(&[element(&[10, 0, 0, 0], 0), element(&[11, 0, 0, 0], 1), element(&[192, 0, 2, 1], 0)]);
    let ports = list(&[element(&[0, 80], 0), element(&[0, 81], 1)]);
    let comment = [&[0, 24][..], b"cattail:00000000000000ab"].concat();
    let rule = [attribute(1, b"cattail\0"), attribute(2, b"chain\0"), attribute(7, &comment)].concat();
    let rule = netlink_message(0x0a06, &[vec![1, 0, 0, 0], rule].concat());
    let header = [2, 32, 0, 0, 254, 202, 253, 1, 0, 0, 0, 0];
    let route =
        [attribute(1, &[10, 0, 0, 1]), attribute(6, &1024_u32.to_ne_bytes()), attribute(4, &2_u32.to_ne_bytes())];
    let route = netlink_message(24, &[header.to_vec(), route.concat()].concat());
    let link = netlink_message(16, &[vec![0; 16], attribute(3, b"eth0\0")].concat());
    let address = netlink_message(20, &[vec![2, 24, 0, 0, 2, 0, 0, 0], attribute(2, &[10, 0, 0, 1])].concat());
    vec![
        ("netlink", "elements", [ranges, ports, list(&[mapped])].concat()),
        ("netlink", "rules", rule),
        ("netlink", "routes", [route, link, address].concat()),
    ]
}
