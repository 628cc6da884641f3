//! Bodies: what a request brings, bounded in bytes and time, and what a response carries.

use crate::caps;
use crate::problem::{Problem, ProblemCode};
use crate::socket::Connection;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::io::Read as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;

/// A response's body.
pub struct Body {
    kind: Kind,
    /// What it keeps of the memory that all bodies share.
    kept: Option<Kept>,
    /// The request is not over before it has left.
    under_way: Option<UnderWay>,
}

enum Kind {
    Full(Option<Bytes>),
    Stream { body: Pin<Box<dyn http_body::Body<Data = Bytes, Error = Infallible> + Send>>, ends: Ends },
}

/// Resolves when the server is told to end: streams end with it.
type Ends = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Body {
    pub fn full(bytes: Bytes) -> Body {
        let kind = Kind::Full((!bytes.is_empty()).then_some(bytes));
        Body { kind, kept: None, under_way: None }
    }
    pub const fn empty() -> Body {
        Body { kind: Kind::Full(None), kept: None, under_way: None }
    }
    /// One that goes on for as long as it likes, or until the server is told to end. What it keeps in memory is its own
    /// to bound; a peer that takes nothing for `STALL_MS_MAX` is closed.
    pub fn stream(
        body: impl http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
        mut ending: watch::Receiver<bool>,
    ) -> Body {
        let ends = Box::pin(async move {
            let _ = ending.wait_for(|ends| *ends).await;
        });
        Body { kind: Kind::Stream { body: Box::pin(body), ends }, kept: None, under_way: None }
    }

    /// The bytes, unless it is a stream.
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Full(bytes) => bytes.as_ref(),
            Kind::Stream { .. } => None,
        }
    }
    pub(crate) fn keep(&mut self, kept: Option<Kept>) {
        self.kept = kept;
    }
    pub(crate) fn holds(&mut self, under_way: UnderWay) {
        self.under_way = Some(under_way);
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.kind {
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream { body, ends } => {
                if ends.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                body.as_mut().poll_frame(cx)
            }
        }
    }
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Stream { body, .. } => body.is_end_stream(),
        }
    }
    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Stream { body, .. } => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("bytes", &self.bytes().map(Bytes::len)).finish_non_exhaustive()
    }
}

/// A request that its connection has not done with.
#[derive(Debug)]
pub(crate) struct UnderWay(pub(crate) Arc<Connection>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

/// The memory that bodies share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<AtomicUsize>);

/// A part of it, given back when dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    memory: Memory,
    bytes: usize,
}

impl Memory {
    /// `None`: it needs no counting. `Err`: there is no more.
    pub(crate) fn take(&self, bytes: usize) -> Result<Option<Kept>, Problem> {
        if bytes < caps::BODY_COUNTED_BYTES {
            return Ok(None);
        }
        let kept = Kept { memory: self.clone(), bytes };
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > caps::KEPT_BYTES_MAX {
            return Err(Problem::overloaded(caps::SCARCE_RETRY_MS));
        }
        Ok(Some(kept))
    }
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A request's body as it came.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    pub(crate) bytes: Bytes,
    _kept: Option<Kept>,
}

/// Reads the body to its end. What is too long is read on for a while and thrown away: its sender would not see the
/// answer otherwise.
pub(crate) async fn bring(
    mut body: Incoming,
    headers: &HeaderMap,
    memory: &Memory,
    within_ms: u64,
) -> Result<Brought, Problem> {
    if body.is_end_stream() {
        return Ok(Brought::default());
    }
    let told: Option<usize> = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut too_large = told.is_some_and(|bytes| bytes > caps::BODY_BYTES_MAX);
    let refused = || Problem::new(ProblemCode::TooLarge, "a body has 4 MiB at most").closing();
    if too_large && headers.contains_key(EXPECT) {
        // It has asked first, and sends nothing.
        return Err(refused());
    }
    let within_ms = if too_large { caps::BODY_DRAIN_MS_MAX.min(within_ms) } else { within_ms };
    let mut late = pin!(late(within_ms));
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    let (mut length, mut kept, mut scarce) = (0, None, None);
    while !body.is_end_stream() {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = &mut late => {
                if too_large {
                    break;
                }
                let detail = format!("the body did not arrive within {within_ms} ms");
                return Err(Problem::new(ProblemCode::RequestTimeout, detail).closing());
            }
        };
        let data = match frame {
            None => break,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => {
                return Err(Problem::invalid("body", format_args!("is cut or malformed: {error}")).closing());
            }
        };
        length += data.len();
        too_large |= length > caps::BODY_BYTES_MAX;
        if too_large || scarce.is_some() {
            (first, all) = (Bytes::new(), Vec::new());
            if length > caps::BODY_DRAIN_BYTES_MAX {
                break;
            }
        } else if first.is_empty() && all.is_empty() {
            first = data;
            if !body.is_end_stream() {
                match memory.take(first.len()) {
                    Ok(taken) => kept = taken,
                    Err(problem) => scarce = Some(problem),
                }
            }
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
            // Counted anew as it grows, never twice.
            kept = None;
            match memory.take(all.capacity()) {
                Ok(taken) => kept = taken,
                Err(problem) => scarce = Some(problem),
            }
        }
    }
    if too_large {
        return Err(refused());
    }
    if let Some(problem) = scarce {
        return Err(problem);
    }
    let bytes = if all.is_empty() { first } else { all.into() };
    Ok(Brought { bytes, _kept: kept })
}

/// Resolves when the body has taken too long. What is there already comes at the second look: until then no timer is set.
async fn late(within_ms: u64) {
    let mut looked = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut looked, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    tokio::time::sleep(Duration::from_millis(within_ms)).await;
}

impl Brought {
    /// The text, which has to be of this type, unpacked where it came packed. `None`: there is none.
    pub(crate) fn text(&self, headers: &HeaderMap, memory: &Memory) -> Result<Option<Brought>, Problem> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        is_json(headers)?;
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        match (encodings.next(), encodings.next()) {
            (None, _) => Ok(Some(Brought { bytes: self.bytes.clone(), _kept: None })),
            (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"identity") => {
                Ok(Some(Brought { bytes: self.bytes.clone(), _kept: None }))
            }
            (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"gzip") => self.unpack(memory).map(Some),
            (Some(_), _) => Err(Problem::new(
                ProblemCode::UnsupportedMediaType,
                "the Content-Encoding of a body is `gzip`, or none",
            )),
        }
    }

    fn unpack(&self, memory: &Memory) -> Result<Brought, Problem> {
        let mut unpacked = Vec::new();
        let mut reader = MultiGzDecoder::new(&self.bytes[..]).take(caps::BODY_BYTES_MAX as u64 + 1);
        let read = reader.read_to_end(&mut unpacked);
        read.map_err(|_| Problem::invalid("body", "is no gzip, whatever its Content-Encoding says"))?;
        if unpacked.len() > caps::BODY_BYTES_MAX {
            return Err(Problem::new(ProblemCode::TooLarge, "a body has 4 MiB at most, unpacked too"));
        }
        let kept = memory.take(unpacked.capacity())?;
        Ok(Brought { bytes: unpacked.into(), _kept: kept })
    }
}

/// `application/json`, with no other charset than UTF-8.
fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let flaw = || {
        let detail = "a body needs `Content-Type: application/json`";
        Err(Problem::new(ProblemCode::UnsupportedMediaType, detail))
    };
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(one), None) = (types.next(), types.next()) else {
        return flaw();
    };
    let Ok(text) = one.to_str() else {
        return flaw();
    };
    let mut parts = text.split(';').map(str::trim);
    if !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return flaw();
    }
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else {
            return flaw();
        };
        if name.eq_ignore_ascii_case("charset") && !value.trim_matches('"').eq_ignore_ascii_case("utf-8") {
            return flaw();
        }
    }
    Ok(())
}
