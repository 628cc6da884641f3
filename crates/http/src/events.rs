//! Events: pages, streams and histories, as the feed reads them from the log.
//!
//! A stream is a task of its own with little on its way: one that is not taken waits in the feed's outbox, and catches up
//! from the log by itself. Whoever does nothing but wait costs a line every `STREAM_QUIET_MS`, which tells how far the
//! stream has come, so that it goes on from there.
//!
//! Cost: a page takes a thread that may block for as long as it is read; an event on a stream is a copy of shared text.

use crate::answers::loading;
use crate::ask::{Heard, Unanswered};
use crate::body::Body;
use crate::caps;
use crate::problem::{Problem, ProblemCode};
use crate::requests::Wish;
use crate::service::House;
use crate::target::Query;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Frame;
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use sumun_feed::{Entry, Feed, FeedError, Filter, Next, Page, Size, Start, Subscription};
use sumun_server::Reply;
use sumun_server::ledger::Readiness;
use sumun_wire::Answer;
use tokio::sync::{Notify, mpsc};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

impl House {
    /// `GET /v1/events`.
    pub(crate) async fn events(&self, head: &Parts) -> Result<Response<Body>, Unanswered> {
        let feed = self.feed()?;
        let query = Query::read(head.uri.query(), &["after", "subject", "shard", "limit"], &["type"])?;
        let filter = filter(&query)?;
        let (after, limit) = (query.integer("after")?, query.limit()?);
        let follows = accepts_stream(&head.headers);
        let seen = last_event_id(&head.headers, feed)?;
        self.is_ready().await?;
        if follows {
            if query.one("limit").is_some() {
                return Err(Problem::invalid("limit", "is for pages: a stream has no end").into());
            }
            // What a client has seen is newer than the address that it was given.
            let start = seen.or(after).map_or(Start::Begin, Start::After);
            return Ok(self.stream(feed, filter, start)?);
        }
        let size = Size { events: limit, ..Size::default() };
        let reading = feed.clone();
        let page = beside(move || reading.page(after, &filter, size)).await?;
        Ok(self.page(&page)?)
    }

    /// `GET /v1/items/{sku}/history`.
    pub(crate) async fn history(&self, sku: String, head: &Parts) -> Result<Response<Body>, Unanswered> {
        let feed = self.feed()?.clone();
        let query = Query::read(head.uri.query(), &["before", "limit"], &[])?;
        let (before, limit) = (query.integer("before")?, query.limit()?);
        if before == Some(0) {
            return Err(Problem::invalid("before", "must be a sequence: the first event is 1").into());
        }
        let Heard { reply, .. } = self.asker.ask(Wish::Item { sku: sku.clone() }).await?;
        let newest = match reply {
            Reply::Answer(Answer::Item(Some(item)), _) => item.sequence.0,
            Reply::Answer(Answer::Item(None), _) => return Err(Problem::not_found(&sku).into()),
            Reply::Answer(Answer::Refused(refusal), _) | Reply::Refused(refusal) => {
                return Err(Problem::refused(&refusal, None).into());
            }
            Reply::Loading { .. } => return Err(loading().into()),
            Reply::Answer(..) | Reply::Reservations(_) | Reply::Items(_) | Reply::Report(_) => {
                unreachable!("an item was asked for")
            }
        };
        let size = Size { events: limit, ..Size::default() };
        let page = beside(move || feed.history(&sku, newest, before, size)).await?;
        Ok(self.page(&page)?)
    }

    fn feed(&self) -> Result<&Feed, Problem> {
        self.feed.as_ref().ok_or_else(|| Problem::new(ProblemCode::NotFound, "this server keeps no feed of events"))
    }

    /// The log may be whole before what came of it is.
    async fn is_ready(&self) -> Result<(), Unanswered> {
        match self.asker.ask(Wish::Report).await?.reply {
            Reply::Report(report) if report.readiness == Readiness::Ready => Ok(()),
            Reply::Report(_)
            | Reply::Answer(..)
            | Reply::Reservations(_)
            | Reply::Items(_)
            | Reply::Refused(_)
            | Reply::Loading { .. } => Err(loading().into()),
        }
    }

    fn page(&self, page: &Page) -> Result<Response<Body>, Problem> {
        let mut text = Vec::with_capacity(page.events.len() + 48);
        text.extend_from_slice(b"{\"events\":");
        text.extend_from_slice(&page.events);
        match page.next {
            Some(next) => write!(text, ",\"next\":{next}}}").expect("memory takes it"),
            None => text.extend_from_slice(b",\"next\":null}"),
        }
        let kept = self.memory.take(text.len())?;
        let mut body = Body::full(text.into());
        body.keep(kept);
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    fn stream(&self, feed: &Feed, filter: Filter, start: Start) -> Result<Response<Body>, Problem> {
        let subscription = feed.subscribe(filter, start).map_err(|error| explain(&error))?;
        let (chunks, taken) = mpsc::channel(1);
        let shard = feed.shard();
        tokio::spawn(Following { subscription, shard, chunks }.run());
        let mut response = Response::new(Body::stream(Chunks(taken), self.ending.clone()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

fn filter(query: &Query<'_>) -> Result<Filter, Problem> {
    let subject = query.one("subject");
    if let Some(why) = subject.and_then(sumun_wire::text::flaw) {
        return Err(Problem::invalid("subject", why));
    }
    let types: Vec<String> = query.all("type").map(str::to_owned).collect();
    if types.len() > caps::TYPES_MAX {
        return Err(Problem::invalid("type", format_args!("may be given {} times", caps::TYPES_MAX)));
    }
    if types.iter().any(|kind| kind.is_empty() || kind.len() > sumun_wire::limits::NAME_BYTES_MAX) {
        return Err(Problem::invalid("type", "must be the type of an event, as `reservation.held`"));
    }
    let shard = query.integer("shard")?.map(u32::try_from).transpose();
    let shard = shard.map_err(|_| Problem::invalid("shard", "must be the number of a shard"))?;
    Ok(Filter { types, subject: subject.map(str::to_owned), shard })
}

/// Whether a stream is asked for, rather than a page.
fn accepts_stream(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| {
        let essence = one.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

/// The sequence in an event's id, which is `shard/sequence`.
fn last_event_id(headers: &HeaderMap, feed: &Feed) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        // What a client sends that has seen none.
        (Some(value), None) if value.is_empty() => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(Problem::invalid("Last-Event-ID", "is given twice")),
    };
    let number = |text: &str| -> Option<u64> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
        if is_plain { text.parse().ok() } else { None }
    };
    let parts = value.to_str().ok().and_then(|text| text.split_once('/'));
    let id = parts.and_then(|(shard, sequence)| Some((number(shard)?, number(sequence)?)));
    match id {
        Some((shard, sequence)) if shard == u64::from(feed.shard()) => Ok(Some(sequence)),
        Some(_) => Err(Problem::invalid("Last-Event-ID", "is of another shard")),
        None => Err(Problem::invalid("Last-Event-ID", "must be an event's id, as `0/17`")),
    }
}

/// Reads where it may block.
async fn beside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, FeedError> + Send + 'static,
) -> Result<T, Unanswered> {
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => Ok(read.map_err(|error| explain(&error))?),
        // The runtime ends.
        Err(_) => Err(Unanswered::Lost),
    }
}

fn explain(error: &FeedError) -> Problem {
    match error {
        FeedError::Trimmed { first, .. } => Problem::trimmed(*first),
        FeedError::Ahead { .. } => Problem::invalid("after", error),
        FeedError::NoSuchCursor { .. } => Problem::invalid("before", error),
        FeedError::TooManySubscribers | FeedError::Closed => {
            Problem::new(ProblemCode::Overloaded, format!("OVERLOADED {error}"))
        }
        // The log is there: a disk that fails now may give it in a moment.
        FeedError::Undecodable { .. } | FeedError::Misplaced { .. } | FeedError::Log(_) => {
            Problem::new(ProblemCode::ReadOnly, format!("MISCONF the log cannot be read: {error}"))
        }
    }
}

/// The task behind a stream.
struct Following {
    subscription: Subscription,
    shard: u32,
    chunks: mpsc::Sender<Bytes>,
}

impl Following {
    /// Until the client goes, the feed is closed, or the log cannot be read: then it ends, and whoever asks again is told why.
    async fn run(mut self) {
        let news = Arc::new(Notify::new());
        let tell = Arc::clone(&news);
        self.subscription.set_waker(Box::new(move || tell.notify_one()));
        // At once, so that the response's head leaves.
        let mut text = b":\n\n".to_vec();
        loop {
            let next = loop {
                match self.subscription.try_next() {
                    Next::Event(entry) => write_event(&mut text, self.shard, &entry),
                    next @ (Next::Wait | Next::Behind | Next::Ended) => break Some(next),
                }
                if text.len() >= caps::STREAM_CHUNK_BYTES {
                    break None;
                }
            };
            if !text.is_empty() && self.chunks.send(Bytes::from(std::mem::take(&mut text))).await.is_err() {
                return;
            }
            match next {
                None | Some(Next::Event(_)) => {}
                Some(Next::Ended) => return,
                Some(Next::Wait) => {
                    tokio::select! {
                        () = news.notified() => {}
                        () = self.chunks.closed() => return,
                        () = tokio::time::sleep(Duration::from_millis(caps::STREAM_QUIET_MS)) => {
                            let reached = self.subscription.reached();
                            write!(text, ":\nid: {}/{reached}\n\n", self.shard).expect("memory takes it");
                        }
                    }
                }
                Some(Next::Behind) => {
                    let read = tokio::task::spawn_blocking(move || {
                        let read = self.subscription.catch_up();
                        (self, read)
                    });
                    match read.await {
                        Ok((back, Ok(()))) => self = back,
                        Ok((_, Err(_))) | Err(_) => return,
                    }
                }
            }
        }
    }
}

fn write_event(text: &mut Vec<u8>, shard: u32, entry: &Entry) {
    write!(text, "id: {shard}/{}\ndata: ", entry.sequence).expect("memory takes it");
    text.extend_from_slice(&entry.text);
    text.extend_from_slice(b"\n\n");
}

struct Chunks(mpsc::Receiver<Bytes>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
    }
}
