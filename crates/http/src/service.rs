//! One request: who asks, what is asked, the question, the answer.

use crate::answers::{document, loading, read_cursor, respond};
use crate::ask::{Asker, Heard, Traced, Unanswered};
use crate::body::{Body, Brought, Memory, UnderWay, bring};
use crate::caps;
use crate::guard::Hosts;
use crate::json::{self, Text};
use crate::metrics::{Around, Metrics};
use crate::pack;
use crate::problem::{Problem, ProblemCode};
use crate::requests::{
    Adjustment, Extension, HasId, ItemSettings, NewReservation, PartOf, PartVerb, Receipt, Wish, no_star,
};
use crate::route::Operation;
use crate::socket::Connection;
use crate::target::{Path, Query};
use crate::trace::{self, Outcome};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use sumun_feed::Feed;
use sumun_server::ledger::Readiness;
use sumun_server::{Reply, Report};
use sumun_trace::Tracer;
use tokio::sync::watch;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What all requests share.
pub(crate) struct House {
    pub(crate) asker: Asker,
    pub(crate) hosts: Hosts,
    pub(crate) memory: Memory,
    pub(crate) metrics: Metrics,
    pub(crate) feed: Option<Feed>,
    pub(crate) tracer: Option<Tracer>,
    pub(crate) openapi: Bytes,
    pub(crate) ending: watch::Receiver<bool>,
    pub(crate) body_ms: u64,
    /// Request ids of our own: a beginning that differs from run to run, and a count.
    pub(crate) run: u32,
    pub(crate) count: AtomicU64,
}

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("what was done could not be proven")]
pub(crate) struct Abandoned;

pub(crate) async fn serve(
    house: Arc<House>,
    of: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Abandoned> {
    of.begin_request();
    let under_way = UnderWay(Arc::clone(&of));
    let (head, body) = request.into_parts();
    let brought_trace = trace::read(&head.headers);
    let span = house.tracer.as_ref().and_then(|tracer| tracer.begin(brought_trace.as_ref()));
    let brought = bring(body, &head.headers, &house.memory, house.body_ms).await;
    let mut about = About {
        operation: None,
        traced: Traced {
            // Whoever goes on from the event goes on from our span, where there is one.
            trace: span.as_ref().map(|span| *span.trace()).or(brought_trace),
            stages: span.as_ref().map(|span| Box::new(span.stages())),
        },
    };
    let answer = house.answer(&head, brought, &mut about).await;
    let About { operation, traced } = about;
    let mut code = None;
    let answer = match answer {
        Ok(response) => Some(response),
        Err(Unanswered::Refused(problem)) => {
            code = Some(problem.code());
            Some(problem.into_response())
        }
        Err(Unanswered::Lost) => None,
    };
    if let Some(span) = span {
        let status = answer.as_ref().map(Response::status);
        span.end(trace::ended(&head, Outcome { operation, status, code, stages: traced.stages }));
    }
    let Some(mut response) = answer else {
        house.metrics.lost();
        of.kill();
        return Err(Abandoned);
    };
    if let Some(code) = code {
        house.metrics.refused(code);
    }
    if response.status() != StatusCode::NO_CONTENT && response.body().bytes().is_some() {
        response = pack::pack(response, pack::accepts_gzip(&head.headers), &house.memory).await;
    }
    house.metrics.answered(operation, response.status());
    response.headers_mut().insert(REQUEST_ID, house.request_id(&head.headers));
    if head.method == Method::HEAD {
        response = without_body(response);
    }
    response.body_mut().holds(under_way);
    Ok(response)
}

/// What becomes known of a request as it is answered.
#[derive(Debug)]
struct About {
    operation: Option<Operation>,
    traced: Traced,
}

fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    if let Some(bytes) = body.bytes() {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Response::from_parts(head, Body::empty())
}

impl From<Problem> for Unanswered {
    fn from(problem: Problem) -> Unanswered {
        Unanswered::Refused(problem)
    }
}

impl House {
    /// The request's own id where it has a good one, else a new one.
    fn request_id(&self, headers: &HeaderMap) -> HeaderValue {
        let given = headers.get(REQUEST_ID).filter(|id| {
            (1..=caps::REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
        });
        given.cloned().unwrap_or_else(|| {
            let count = self.count.fetch_add(1, Ordering::Relaxed);
            let text = format!("{:08x}{count:08x}", self.run);
            HeaderValue::from_maybe_shared(Bytes::from(text)).expect("digits may stand in a header")
        })
    }

    async fn answer(
        &self,
        head: &Parts,
        brought: Result<Brought, Problem>,
        about: &mut About,
    ) -> Result<Response<Body>, Unanswered> {
        self.hosts.check(&head.uri, head.version, &head.headers)?;
        let path = Path::read(head.uri.path())?;
        let operation = Operation::of(&path, &head.method)?;
        about.operation = Some(operation);
        let brought = brought?;
        if !operation.takes_body() && !brought.bytes.is_empty() {
            return Err(Problem::invalid("body", "this request takes none").into());
        }
        let segment = |at: usize| path.segments()[at].to_string();
        match operation {
            Operation::Livez => self.plain(head, "alive"),
            Operation::Readyz => self.readyz(head).await,
            Operation::Metrics => self.scrape(head).await,
            Operation::OpenApi => {
                self.no_query(head)?;
                Ok(json_of(self.openapi.clone()))
            }
            Operation::Events => self.events(head).await,
            Operation::History => self.history(segment(2), head).await,
            Operation::ListItems
            | Operation::PutItem
            | Operation::GetItem
            | Operation::DeleteItem
            | Operation::GetHolder
            | Operation::Receive
            | Operation::Adjust
            | Operation::Reserve
            | Operation::ListReservations
            | Operation::GetReservation
            | Operation::Capture
            | Operation::Release
            | Operation::Extend
            | Operation::Return => {
                let wish = self.wish(operation, &path, head, &brought)?;
                let heard = self.asker.ask_traced(wish, std::mem::take(&mut about.traced)).await?;
                let Heard { wish, reply, stages } = heard;
                about.traced.stages = stages;
                Ok(respond(&wish, &reply, &self.memory)?)
            }
        }
    }

    /// The question that a request comes to.
    fn wish(&self, operation: Operation, path: &Path<'_>, head: &Parts, brought: &Brought) -> Result<Wish, Problem> {
        let raw = head.uri.query();
        match operation {
            Operation::ListItems => return list_items(&Query::read(raw, &["prefix", "after", "limit"], &["sku"])?),
            Operation::ListReservations => {
                let known = ["state", "holder", "sku", "after", "limit"];
                return list_reservations(&Query::read(raw, &known, &[])?);
            }
            Operation::PutItem
            | Operation::GetItem
            | Operation::DeleteItem
            | Operation::GetHolder
            | Operation::Receive
            | Operation::Adjust
            | Operation::History
            | Operation::Reserve
            | Operation::GetReservation
            | Operation::Capture
            | Operation::Release
            | Operation::Extend
            | Operation::Return
            | Operation::Events
            | Operation::Livez
            | Operation::Readyz
            | Operation::Metrics
            | Operation::OpenApi => drop(Query::read(raw, &[], &[])?),
        }
        let segment = |at: usize| path.segments()[at].to_string();
        let reservation = || no_star("reservation", &path.segments()[2]).map(|()| segment(2));
        let bring = Bring { house: self, headers: &head.headers, brought };
        let part = |verb| {
            let reservation = reservation()?;
            Ok(Wish::Part { verb, reservation, part: bring.with_id(Some(PartOf::default()))? })
        };
        match operation {
            Operation::PutItem => {
                let settings: ItemSettings = bring.body(None)?;
                settings.check()?;
                Ok(Wish::Configure { sku: segment(2), settings: Box::new(settings) })
            }
            Operation::DeleteItem => Ok(Wish::Remove { sku: segment(2) }),
            Operation::GetItem => Ok(Wish::Item { sku: segment(2) }),
            Operation::GetHolder => Ok(Wish::Holder { sku: segment(2), holder: segment(4) }),
            Operation::Receive => Ok(Wish::Receive { sku: segment(2), receipt: bring.with_id::<Receipt>(None)? }),
            Operation::Adjust => Ok(Wish::Adjust { sku: segment(2), adjustment: bring.with_id::<Adjustment>(None)? }),
            Operation::Reserve => {
                let body: NewReservation = bring.with_id(None)?;
                body.check()?;
                Ok(Wish::Reserve(body))
            }
            Operation::GetReservation => Ok(Wish::Reservation { id: reservation()? }),
            Operation::Capture => part(PartVerb::Capture),
            Operation::Release => part(PartVerb::Release),
            Operation::Return => part(PartVerb::Return),
            Operation::Extend => {
                let reservation = reservation()?;
                let Extension { ttl_ms } = bring.body(None)?;
                Ok(Wish::Extend { reservation, ttl_ms: ttl_ms.0 })
            }
            Operation::ListItems
            | Operation::ListReservations
            | Operation::History
            | Operation::Events
            | Operation::Livez
            | Operation::Readyz
            | Operation::Metrics
            | Operation::OpenApi => unreachable!("these are answered elsewhere"),
        }
    }

    fn no_query(&self, head: &Parts) -> Result<(), Problem> {
        Query::read(head.uri.query(), &[], &[]).map(drop)
    }

    fn plain(&self, head: &Parts, status: &str) -> Result<Response<Body>, Unanswered> {
        self.no_query(head)?;
        Ok(json_of(format!("{{\"status\":\"{status}\"}}").into()))
    }

    /// What the loop says of itself; `None`: it does not answer in time.
    async fn report(&self) -> Option<Box<Report>> {
        let asked = self.asker.ask(Wish::Report);
        match tokio::time::timeout(Duration::from_millis(caps::REPORT_MS_MAX), asked).await {
            Ok(Ok(Heard { reply: Reply::Report(report), .. })) => Some(report),
            Ok(_) | Err(_) => None,
        }
    }

    async fn readyz(&self, head: &Parts) -> Result<Response<Body>, Unanswered> {
        self.no_query(head)?;
        if *self.ending.borrow() {
            return Err(Problem::new(ProblemCode::Loading, "the server is about to stop").into());
        }
        let Some(report) = self.report().await else {
            let detail = format!("the log has not answered for {} ms", caps::REPORT_MS_MAX);
            return Err(Problem::new(ProblemCode::ReadOnly, detail).into());
        };
        if report.readiness != Readiness::Ready {
            return Err(loading().into());
        }
        if !report.figures.is_writable {
            return Err(Problem::new(
                ProblemCode::ReadOnly,
                "MISCONF Errors writing to the log: see the server's log for the cause",
            )
            .into());
        }
        Ok(document(StatusCode::OK, &crate::metrics::Ready::of(&report), &self.memory)?)
    }

    async fn scrape(&self, head: &Parts) -> Result<Response<Body>, Unanswered> {
        self.no_query(head)?;
        let report = self.report().await;
        let around = Around {
            report: report.as_deref(),
            asker: &self.asker,
            kept: self.memory.bytes(),
            feed: self.feed.as_ref().map(Feed::counts),
            spans: self.tracer.as_ref().map(Tracer::figures),
        };
        let text = self.metrics.text(&around);
        let mut response = Response::new(Body::full(text.into()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(crate::metrics::CONTENT_TYPE));
        Ok(response)
    }
}

fn json_of(bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::full(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A request's body, read as what the operation takes.
struct Bring<'a> {
    house: &'a House,
    headers: &'a HeaderMap,
    brought: &'a Brought,
}

impl Bring<'_> {
    /// `instead` stands for a body that is not there.
    fn body<T: DeserializeOwned>(&self, instead: Option<T>) -> Result<T, Problem> {
        match self.brought.text(self.headers, &self.house.memory)? {
            Some(text) => json::read(&text.bytes),
            None => instead.ok_or_else(|| Problem::invalid("body", "is missing: it is an object of JSON")),
        }
    }

    fn with_id<T: DeserializeOwned + HasId>(&self, instead: Option<T>) -> Result<T, Problem> {
        let mut body = self.body(instead)?;
        body.settle_id(self.key()?)?;
        Ok(body)
    }

    fn key(&self) -> Result<Option<Text>, Problem> {
        let mut keys = self.headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => return Ok(None),
            (Some(key), None) => key,
            (Some(_), Some(_)) => return Err(Problem::invalid("Idempotency-Key", "is given twice")),
        };
        let text =
            std::str::from_utf8(key.as_bytes()).map_err(|_| Problem::invalid("Idempotency-Key", "must be UTF-8"))?;
        match sumun_wire::text::flaw(text) {
            Some(why) => Err(Problem::invalid("Idempotency-Key", why)),
            None => Ok(Some(Text(text.into()))),
        }
    }
}

fn named<'a>(query: &'a Query<'_>, name: &str) -> Result<Option<&'a str>, Problem> {
    let Some(text) = query.one(name) else { return Ok(None) };
    sumun_wire::text::flaw(text).map_or(Ok(Some(text)), |why| Err(Problem::invalid(name, why)))
}

fn list_reservations(query: &Query<'_>) -> Result<Wish, Problem> {
    if query.one("state").is_some_and(|state| state != "held") {
        return Err(Problem::invalid("state", "must be `held`: what has ended is found by its id"));
    }
    Ok(Wish::Reservations {
        sku: named(query, "sku")?.map(str::to_owned),
        holder: named(query, "holder")?.map(str::to_owned),
        after: query.one("after").map(str::to_owned),
        limit: query.limit()?,
    })
}

fn list_items(query: &Query<'_>) -> Result<Wish, Problem> {
    let limit = query.limit()?;
    let prefix = query.one("prefix").unwrap_or_default();
    if !prefix.is_empty() && prefix != "." && prefix != ".." {
        named(query, "prefix")?;
    }
    let after = query.one("after").map(read_cursor).transpose()?;
    let mut skus: Vec<String> = Vec::new();
    for sku in query.all("sku") {
        if let Some(why) = sumun_wire::text::flaw(sku) {
            return Err(Problem::invalid("sku", why));
        }
        if skus.len() == caps::PAGE_SKUS_MAX {
            return Err(Problem::invalid("sku", "may be given 1000 times"));
        }
        skus.push(sku.to_owned());
    }
    if skus.is_empty() {
        return Ok(Wish::Items { prefix: prefix.to_owned(), after, limit });
    }
    skus.sort_unstable();
    skus.dedup();
    skus.retain(|sku| sku.starts_with(prefix) && after.as_ref().is_none_or(|after| sku > after));
    Ok(Wish::TheseItems { skus, limit })
}
