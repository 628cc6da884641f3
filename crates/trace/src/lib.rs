//! Spans: which requests are traced, what is told of them, and how that leaves by OTLP (protobuf over HTTP).
//!
//! ```text
//! request ─► Tracer::begin ─► Span ─► end ─► queue (bounded) ─► a thread: batches ─► collector
//! ```
//!
//! Who asks decides: a request whose `traceparent` says that it is sampled is traced, one whose says that it is not is not; of
//! those without one a part is. A request that is not traced costs a look at its header and a random number.
//!
//! TRACE-2: a collector that is slow, down or never was costs spans, nothing else: nobody waits for it, at a stop `FLUSH_MS` at
//! most. Spans that are lost are counted.
//!
//! Never here: any crate of ours but `wire`, HTTP as it is served, the ledger, a clock (whoever starts it brings one).

pub mod caps;
mod client;
mod endpoint;
mod export;
mod stages;
mod tracer;

pub use endpoint::{Endpoint, EndpointError};
pub use export::Notice;
pub use opentelemetry::{KeyValue, Value};
pub use stages::{Stage, Stages};
pub use tracer::{Clock, Ended, Figures, Setup, Span, StartError, Tracer, bounded};
