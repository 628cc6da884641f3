//! What a request says of the trace that it belongs to, and what its span says of the request: the names are those of
//! OpenTelemetry's conventions for HTTP servers.

use crate::problem::ProblemCode;
use crate::route::{Operation, PLACES};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use std::borrow::Cow;
use sumun_trace::{Ended, KeyValue, Stages, bounded};
use sumun_wire::Trace;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A trace that is told in a way that the specification calls invalid is none.
pub(crate) fn read(headers: &HeaderMap) -> Option<Trace> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let trace = Trace::read(all.next()?.as_bytes())?;
    all.next().is_none().then_some(trace)
}

/// How a request ended. A status and no code: well. No status: the connection closed without an answer.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) operation: Option<Operation>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) code: Option<ProblemCode>,
    pub(crate) stages: Option<Box<Stages>>,
}

pub(crate) fn ended(head: &Parts, of: Outcome) -> Ended {
    let method = method(&head.method);
    let route = of.operation.and_then(path_of);
    let mut attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("url.scheme", "http"),
        KeyValue::new("network.protocol.version", if head.version == Version::HTTP_2 { "2" } else { "1.1" }),
    ];
    // It may name a sku or a reservation; a query may hold more, and stays away.
    attributes.extend(bounded("url.path", head.uri.path()));
    attributes.extend(route.map(|route| KeyValue::new("http.route", route)));
    attributes.extend(of.code.map(|code| KeyValue::new("sumun.code", code.word())));
    let is_failure = match of.status {
        Some(status) => {
            attributes.push(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
            if status.is_server_error() {
                attributes.push(KeyValue::new("error.type", status.as_str().to_owned()));
            }
            status.is_server_error()
        }
        None => {
            attributes.push(KeyValue::new("error.type", "not_proven"));
            true
        }
    };
    let name = route.map_or(Cow::Borrowed(method), |route| Cow::Owned(format!("{method} {route}")));
    Ended { name, attributes, is_failure, stages: of.stages.map(|stages| *stages) }
}

/// Those that there are: of what somebody made up, that it is another.
fn method(method: &Method) -> &'static str {
    let known = [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::DELETE, "DELETE"),
        (Method::HEAD, "HEAD"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::PATCH, "PATCH"),
    ];
    known.into_iter().find(|(known, _)| known == method).map_or("_OTHER", |(_, name)| name)
}

fn path_of(operation: Operation) -> Option<&'static str> {
    let has = |place: &&crate::route::Place| place.operations.iter().any(|(_, known)| *known == operation);
    PLACES.iter().find(has).map(|place| place.path)
}
