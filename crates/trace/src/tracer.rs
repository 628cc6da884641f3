//! Which requests are traced, and their spans.

use crate::caps::{ATTRIBUTE_BYTES_MAX, QUEUE_SPANS_MAX};
use crate::endpoint::Endpoint;
use crate::export::{self, Notice};
use crate::stages::Stages;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use sumun_wire::Trace;
use tokio::sync::{mpsc, watch};

pub type Clock = fn() -> SystemTime;

pub struct Setup {
    pub endpoint: Endpoint,
    /// Of requests that bring no trace, from 0 to 1.
    pub ratio: f64,
    /// What this server is called, and what tells it from others of that name.
    pub service: String,
    pub instance: String,
    pub version: &'static str,
    pub clock: Clock,
    pub hears: Box<dyn Fn(&Notice) + Send>,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("endpoint", &self.endpoint).field("ratio", &self.ratio).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot start the thread that sends spans: {0}")]
    Thread(#[from] std::io::Error),
    #[error("cannot send spans: {0}")]
    Exporter(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub queued: usize,
    pub exported: u64,
    /// There was no room in the queue.
    pub dropped: u64,
    /// The collector did not take them.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) exported: AtomicU64,
    dropped: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tracer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: mpsc::Sender<SpanData>,
    counts: Arc<Counts>,
    /// Of a random 63-bit number: what is below is traced.
    below: u64,
    clock: Clock,
    scope: InstrumentationScope,
    closing: watch::Sender<bool>,
    done: watch::Receiver<bool>,
}

/// A request that is traced. Ended by nobody, it says that it was abandoned: what it did may be found all the same.
#[derive(Debug)]
pub struct Span {
    tracer: Tracer,
    trace: Trace,
    parent: Option<SpanId>,
    begun: SystemTime,
    ended: bool,
}

/// What there is to say of a request that was answered.
#[derive(Debug)]
pub struct Ended {
    pub name: Cow<'static, str>,
    pub attributes: Vec<KeyValue>,
    pub is_failure: bool,
    pub stages: Option<Stages>,
}

impl Tracer {
    /// Starts the thread that sends.
    pub fn start(setup: Setup) -> Result<Tracer, StartError> {
        let Setup { endpoint, ratio, service, instance, version, clock, hears } = setup;
        let counts = Arc::new(Counts::default());
        let (queue, spans) = mpsc::channel(QUEUE_SPANS_MAX);
        let (closing, told) = watch::channel(false);
        let (finish, done) = watch::channel(false);
        let about =
            [("service.name", service), ("service.instance.id", instance), ("service.version", version.to_owned())];
        let exporter = export::Export::new(&endpoint, about, Arc::clone(&counts), hears)?;
        let work = move || {
            exporter.run(spans, told);
            // Whoever waits may have gone.
            let _ = finish.send(true);
        };
        std::thread::Builder::new().name("sumun-trace".to_owned()).spawn(work)?;
        let scope = InstrumentationScope::builder("sumun").with_version(version).build();
        let below = (ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        Ok(Tracer { shared: Arc::new(Shared { queue, counts, below, clock, scope, closing, done }) })
    }

    /// A request begins. `None`: it is not traced; what it brought is passed on.
    pub fn begin(&self, parent: Option<&Trace>) -> Option<Span> {
        let ids = RandomIdGenerator::default();
        let (id, flags) = match parent {
            Some(parent) if !parent.is_sampled() => return None,
            Some(parent) => (parent.id(), parent.flags()),
            None if self.shared.below == 0 => return None,
            None => {
                let id = ids.new_trace_id().to_bytes();
                let number = u64::from_be_bytes(*id.last_chunk::<8>().expect("16 bytes have 8")) >> 1;
                if number >= self.shared.below {
                    return None;
                }
                (id, TraceFlags::SAMPLED.to_u8())
            }
        };
        let trace = Trace::new(id, ids.new_span_id().to_bytes(), flags)?;
        let parent = parent.map(|parent| SpanId::from_bytes(parent.span()));
        Some(Span { tracer: self.clone(), trace, parent, begun: (self.shared.clock)(), ended: false })
    }

    pub fn figures(&self) -> Figures {
        let Shared { queue, counts, .. } = &*self.shared;
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            queued: queue.max_capacity() - queue.capacity(),
            exported: load(&counts.exported),
            dropped: load(&counts.dropped),
            failed: load(&counts.failed),
        }
    }

    /// Sends what waits, within `FLUSH_MS`, and ends. What comes later is dropped.
    pub fn close(&self) -> Figures {
        self.shared.closing.send_replace(true);
        let mut done = self.shared.done.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        if let Ok(runtime) = runtime {
            // The thread keeps the time; it ends even if this fails.
            let _ = runtime.block_on(done.wait_for(|done| *done));
        }
        self.figures()
    }

    fn put(&self, span: SpanData) {
        if self.shared.queue.try_send(span).is_err() {
            self.shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Span {
    /// What the request's event carries: this span is the parent of whoever goes on from it.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }
    pub fn stages(&self) -> Stages {
        Stages::new(self.tracer.shared.clock)
    }

    pub fn end(mut self, of: Ended) {
        self.ended = true;
        let at = (self.tracer.shared.clock)();
        let own = SpanId::from_bytes(self.trace.span());
        for (name, from, to) in of.stages.iter().flat_map(Stages::spans) {
            let id = RandomIdGenerator::default().new_span_id();
            let data = self.data(id, Some(own), false, SpanKind::Internal, name.into(), (from, to));
            self.tracer.put(data);
        }
        let mut data = self.data(own, self.parent, true, SpanKind::Server, of.name, (self.begun, at));
        data.attributes = of.attributes;
        if of.is_failure {
            data.status = Status::error("");
        }
        self.tracer.put(data);
    }

    fn data(
        &self,
        id: SpanId,
        parent: Option<SpanId>,
        parent_span_is_remote: bool,
        span_kind: SpanKind,
        name: Cow<'static, str>,
        (start_time, end_time): (SystemTime, SystemTime),
    ) -> SpanData {
        let trace = TraceId::from_bytes(self.trace.id());
        let flags = TraceFlags::new(self.trace.flags());
        SpanData {
            span_context: SpanContext::new(trace, id, flags, false, TraceState::NONE),
            parent_span_id: parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: parent_span_is_remote && parent.is_some(),
            span_kind,
            name,
            start_time,
            end_time: end_time.max(start_time),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.tracer.shared.scope.clone(),
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if !self.ended {
            let own = SpanId::from_bytes(self.trace.span());
            let times = (self.begun, (self.tracer.shared.clock)());
            let mut data = self.data(own, self.parent, true, SpanKind::Server, "HTTP".into(), times);
            data.attributes.push(KeyValue::new("error.type", "abandoned"));
            data.status = Status::error("");
            self.tracer.put(data);
        }
    }
}

/// An attribute of what somebody else made up: of what is too long, nothing.
pub fn bounded(name: &'static str, text: &str) -> Option<KeyValue> {
    (text.len() <= ATTRIBUTE_BYTES_MAX).then(|| KeyValue::new(name, text.to_owned()))
}
