//! Gives spans the identities and the beginnings that stand in their fields, where the SDK would make up its own.

use std::cell::Cell;

use opentelemetry::{
    Context, KeyValue, Value,
    trace::{
        Span as _, SpanBuilder, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer,
    },
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer, Span};

use crate::clock;

/// What begins the names of fields that are read here, and exported nowhere.
const OURS: &str = "journey.";

/// The SDK's tracer with derived identities.
pub(crate) struct JourneyTracer(pub(crate) SdkTracer);

impl Tracer for JourneyTracer {
    type Span = Span;

    fn build_with_context(&self, mut builder: SpanBuilder, _: &Context) -> Span {
        let attributes = builder.attributes.take().unwrap_or_default();
        let (ours, attributes): (Vec<_>, Vec<_>) =
            attributes.into_iter().partition(|attribute| attribute.key.as_str().starts_with(OURS));
        builder.attributes = Some(attributes);
        let Some(trace) = text(&ours, "journey.trace").and_then(|id| TraceId::from_hex(id).ok()) else {
            // No span of a journey: not exported.
            return self.0.build_with_context(builder, &Context::new().with_remote_span_context(unsampled()));
        };
        builder.start_time = text(&ours, "journey.began").and_then(clock::from_text);
        let span = text(&ours, "journey.span").and_then(|id| SpanId::from_hex(id).ok());
        let parent = text(&ours, "journey.parent")
            .and_then(|id| SpanId::from_hex(id).ok())
            .map(|parent| SpanContext::new(trace, parent, TraceFlags::SAMPLED, true, TraceState::default()));
        let context = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent));
        Identities::next(trace, span, || self.0.build_with_context(builder, &context))
    }
}

fn unsampled() -> SpanContext {
    SpanContext::new(TraceId::from(1_u128), SpanId::from(1_u64), TraceFlags::default(), true, TraceState::default())
}

fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    match &attributes.iter().find(|attribute| attribute.key.as_str() == name)?.value {
        Value::String(text) => Some(text.as_str()),
        _ => None,
    }
}

/// Hands the SDK the identities of the span that is being built on this thread; random ones for what is left open.
#[derive(Debug, Default)]
pub(crate) struct Identities(RandomIdGenerator);

thread_local! {
    static NEXT: Cell<(Option<TraceId>, Option<SpanId>)> = const { Cell::new((None, None)) };
}

impl Identities {
    /// Builds a span, whose trace and perhaps whose own identity is known.
    fn next(trace: TraceId, span: Option<SpanId>, build: impl FnOnce() -> Span) -> Span {
        NEXT.set((Some(trace), span));
        let built = build();
        NEXT.set((None, None));
        debug_assert!(
            !built.span_context().is_valid() || built.span_context().trace_id() == trace,
            "the trace is known"
        );
        built
    }
}

impl IdGenerator for Identities {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().0.unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().1.unwrap_or_else(|| self.0.new_span_id())
    }
}
