//! What a peer did wrong, in the words of RFC 9113 section 7.

use std::fmt;

use thiserror::Error;

/// An error code, as the wire has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No error: a peaceful end.
    NoError = 0x0,
    /// A rule was broken that has no code of its own.
    Protocol = 0x1,
    /// More was sent than there was room for.
    FlowControl = 0x3,
    /// A frame came for a stream that had ended.
    StreamClosed = 0x5,
    /// A frame has a length that it must not have.
    FrameSize = 0x6,
    /// The stream was not begun, and may be tried again.
    RefusedStream = 0x7,
    /// The stream is not wanted any more.
    Cancel = 0x8,
    /// Headers cannot be decompressed.
    Compression = 0x9,
    /// The peer makes work without use.
    EnhanceYourCalm = 0xb,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoError => "NO_ERROR",
            Self::Protocol => "PROTOCOL_ERROR",
            Self::FlowControl => "FLOW_CONTROL_ERROR",
            Self::StreamClosed => "STREAM_CLOSED",
            Self::FrameSize => "FRAME_SIZE_ERROR",
            Self::RefusedStream => "REFUSED_STREAM",
            Self::Cancel => "CANCEL",
            Self::Compression => "COMPRESSION_ERROR",
            Self::EnhanceYourCalm => "ENHANCE_YOUR_CALM",
        })
    }
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{what} ({code})")]
pub struct Fault {
    /// What the peer is told.
    pub code: Code,
    /// What it did.
    pub what: &'static str,
}

impl Fault {
    pub(super) fn protocol(what: &'static str) -> Self {
        Self { code: Code::Protocol, what }
    }

    pub(super) fn frame_size(what: &'static str) -> Self {
        Self { code: Code::FrameSize, what }
    }

    pub(super) fn flow_control(what: &'static str) -> Self {
        Self { code: Code::FlowControl, what }
    }

    pub(super) fn closed(what: &'static str) -> Self {
        Self { code: Code::StreamClosed, what }
    }

    pub(super) fn flood(what: &'static str) -> Self {
        Self { code: Code::EnhanceYourCalm, what }
    }
}
