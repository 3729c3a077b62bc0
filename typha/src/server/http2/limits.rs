//! What one peer may ask of us, and what we promise it: the numbers, each with its reason.

/// Streams at a time on one connection. An agent needs one and its reports; a test client may put a few more on one.
pub(super) const STREAMS: u32 = 100;
/// The length of a request's headers together, as they are counted after decompression. Ours take some 500 bytes.
pub(super) const HEADER_LIST_BYTES: usize = 16 << 10;
/// The same before decompression, over all frames of the block. Compression never makes more of it.
pub(super) const HEADER_BLOCK_BYTES: usize = HEADER_LIST_BYTES;
/// Frames that may continue a header block. The longest block fits into one frame.
pub(super) const CONTINUATIONS: u32 = 8;
/// The smallest size that may be announced (RFC 9113 section 6.5.2); requests are small.
pub(super) const FRAME_BYTES: usize = 16 << 10;
/// What of a request may be on its way unread, per stream and per connection: what the protocol begins with.
pub(super) const WINDOW_BYTES: u32 = 65_535;
/// A window is filled up again when half of it is used: not with every frame, and before it is empty.
pub(super) const WINDOW_STEP_BYTES: u32 = WINDOW_BYTES / 2;
/// The table that names the peer's header fields, before it has read our settings (RFC 7541).
pub(super) const TABLE_BYTES: usize = 4096;
/// The same afterwards. A subscriber makes one request; remembering its headers would be memory for nothing.
pub(super) const TABLE_BYTES_WANTED: usize = 0;

/// Frames that bring nothing forward, in one period (the interval of keepalive). A client that probes with a PING for
/// every batch, and announces its window for each, sends 100 a second at the most.
pub(super) const IDLE_FRAMES: u32 = 10_000;
/// For so much content that was sent the peer may say one such thing more: one with a window of 64 KiB, as Go's library has,
/// announces it for the stream and for the connection every 16 KiB.
pub(super) const CONTENT_BYTES_PER_IDLE_FRAME: usize = 4 << 10;
/// Parameters in one SETTINGS frame (CVE-2020-11080). There are six that we know.
pub(super) const SETTINGS: usize = 32;
/// Streams that a peer opens and gives up, or that are refused, in one period (CVE-2023-44487). Headers that are
/// decompressed for nothing are among them: each of their bytes may name a field of 4 KiB.
pub(super) const RESETS: u32 = 200;
/// Streams reset by us whose frames may still be on their way. Older ones cost the peer an answer each.
pub(super) const REMEMBERED_RESETS: usize = 8;
/// What we owe the peer in answers to its frames. Whoever shows it to a socket reads no more before it is written.
pub(crate) const OWED_BYTES: usize = 4 << 10;
