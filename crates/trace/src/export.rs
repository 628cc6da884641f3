//! The thread that sends spans: a batch at a time, each tried once. Retries would keep spans that nobody waits for.

use crate::caps::{BATCH_SPANS_MAX, EXPORT_MS_MAX, FLUSH_MS, GATHER_MS};
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::tracer::{Counts, StartError};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

/// What the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Said once, until it goes again.
    CannotSend {
        why: String,
    },
    SendsAgain,
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Notice::CannotSend { why } => {
                write!(f, "spans cannot be sent to the collector and are dropped; nothing else suffers: {why}")
            }
            Notice::SendsAgain => f.write_str("spans are sent to the collector again"),
        }
    }
}

pub(crate) struct Export {
    exporter: SpanExporter,
    counts: Arc<Counts>,
    hears: Box<dyn Fn(&Notice) + Send>,
    failing: bool,
}

impl Export {
    pub(crate) fn new(
        endpoint: &Endpoint,
        about: [(&'static str, String); 3],
        counts: Arc<Counts>,
        hears: Box<dyn Fn(&Notice) + Send>,
    ) -> Result<Export, StartError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client)
            .with_retry_policy(RetryPolicy::disabled())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.to_string())
            .with_timeout(Duration::from_millis(EXPORT_MS_MAX))
            .build();
        let mut exporter = exporter.map_err(|error| StartError::Exporter(error.to_string()))?;
        let about = about.into_iter().map(|(name, value)| KeyValue::new(name, value));
        exporter.set_resource(&Resource::builder_empty().with_attributes(about).build());
        Ok(Export { exporter, counts, hears, failing: false })
    }

    /// Until it is told to close, and then for `FLUSH_MS` at most.
    pub(crate) fn run(mut self, mut spans: mpsc::Receiver<SpanData>, mut closing: watch::Receiver<bool>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return (self.hears)(&Notice::CannotSend { why: error.to_string() }),
        };
        let mut told = closing.clone();
        let late = async move {
            // An error: the tracer is gone, and so nothing more comes.
            let _ = told.wait_for(|closing| *closing).await;
            sleep(Duration::from_millis(FLUSH_MS)).await;
        };
        runtime.block_on(async {
            tokio::select! {
                () = self.work(&mut spans, &mut closing) => {}
                () = late => {}
            }
        });
        // Not for a look-up of a name that hangs.
        runtime.shutdown_background();
    }

    async fn work(&mut self, spans: &mut mpsc::Receiver<SpanData>, closing: &mut watch::Receiver<bool>) {
        let mut is_closing = false;
        loop {
            let mut batch = Vec::with_capacity(BATCH_SPANS_MAX);
            if is_closing {
                spans.close();
            }
            tokio::select! {
                biased;
                came = spans.recv_many(&mut batch, BATCH_SPANS_MAX) => if came == 0 { return },
                _ = closing.wait_for(|closing| *closing), if !is_closing => {
                    is_closing = true;
                    continue;
                }
            }
            if !is_closing && batch.len() < BATCH_SPANS_MAX {
                tokio::select! {
                    () = sleep(Duration::from_millis(GATHER_MS)) => {}
                    _ = closing.wait_for(|closing| *closing) => is_closing = true,
                }
                while batch.len() < BATCH_SPANS_MAX
                    && let Ok(span) = spans.try_recv()
                {
                    batch.push(span);
                }
            }
            self.send(batch).await;
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        let sent = timeout(Duration::from_millis(EXPORT_MS_MAX), self.exporter.export(batch)).await;
        let why = match sent {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {EXPORT_MS_MAX} ms")),
        };
        let counted = if why.is_none() { &self.counts.exported } else { &self.counts.failed };
        counted.fetch_add(count, Ordering::Relaxed);
        let failed = std::mem::replace(&mut self.failing, why.is_some());
        match why {
            Some(why) if !failed => (self.hears)(&Notice::CannotSend { why }),
            None if failed => (self.hears)(&Notice::SendsAgain),
            Some(_) | None => {}
        }
    }
}
