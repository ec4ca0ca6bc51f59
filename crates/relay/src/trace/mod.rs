//! Traces of calls (W3C Trace Context, OpenTelemetry): what a caller says of its trace, what an engine is told of it, and
//! the spans of sampled calls. Of what a caller wrote, a span holds the ids of its trace and nothing else.

mod attribute;
mod call;
mod context;
mod export;
mod parent;
mod span;
mod state;
mod tracer;

use keisan_route::Surface;

pub use call::{CallTrace, Ended, trace_refusal};
pub use context::{TraceContext, TraceWords};
pub use export::{Exporter, format_spans};
pub use tracer::Tracer;

#[cfg(test)]
pub use attribute::ALL as ATTRIBUTES;

/// What `gen_ai.provider.name` says. Source: semantic conventions 1.37, which let a system name itself.
pub const PROVIDER: &str = "keisan";

/// What `gen_ai.operation.name` says of a surface.
pub const fn name_operation(surface: Surface) -> &'static str {
    match surface {
        Surface::Chat => "chat",
        Surface::Completions => "text_completion",
    }
}
