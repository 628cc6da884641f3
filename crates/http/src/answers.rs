//! Replies of the loop as responses.

use crate::body::{Body, Memory};
use crate::problem::{Problem, ProblemCode};
use crate::records::{HolderView, ItemPage, ItemView, ReservationPage, ReservationView};
use crate::requests::Wish;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use std::fmt::Write as _;
use sumun_server::Reply;
use sumun_wire::{Answer, Facts, Invalid, Outcome};

pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(crate) fn respond(wish: &Wish, reply: &Reply, memory: &Memory) -> Result<Response<Body>, Problem> {
    match reply {
        Reply::Loading { .. } => Err(loading()),
        Reply::Refused(refusal) => Err(Problem::refused(refusal, None)),
        Reply::Items(page) => {
            let next = page.next.as_deref().map(write_cursor);
            document(StatusCode::OK, &ItemPage::of(&page.records, next), memory)
        }
        Reply::Reservations(page) => {
            document(StatusCode::OK, &ReservationPage::of(&page.records, page.next.clone()), memory)
        }
        Reply::Report(_) => unreachable!("who asks for a report takes it"),
        Reply::Answer(answer, shown) => answered(wish, answer, shown.as_ref(), memory),
    }
}

pub(crate) fn loading() -> Problem {
    Problem::new(ProblemCode::Loading, "LOADING Sumun is replaying its log")
}

fn answered(wish: &Wish, answer: &Answer, shown: Option<&Answer>, memory: &Memory) -> Result<Response<Body>, Problem> {
    match answer {
        Answer::Refused(refusal) => Err(match (&refusal.facts, wish) {
            // The body calls its reservation's name `id`.
            (Facts::Invalid(Invalid { field: "reservation", why }), Wish::Reserve(_)) => Problem::invalid("id", why),
            _ => Problem::refused(refusal, wish.reservation()),
        }),
        Answer::Available { replayed, .. } if matches!(wish, Wish::Remove { .. }) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(mark(response, *replayed))
        }
        Answer::Available { replayed, .. } | Answer::Outcome(Outcome { replayed, .. }) => {
            let makes = matches!(wish, Wish::Receive { .. } | Wish::Adjust { .. } | Wish::Reserve(_));
            let status = if makes && !replayed { StatusCode::CREATED } else { StatusCode::OK };
            match shown {
                Some(shown) => show(wish, shown, status, memory).map(|response| mark(response, *replayed)),
                None => unreachable!("what makes or ends something shows what came of it"),
            }
        }
        Answer::Item(_) | Answer::Reservation(_) | Answer::Holder(_) => show(wish, answer, StatusCode::OK, memory),
    }
}

fn mark(mut response: Response<Body>, replayed: bool) -> Response<Body> {
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn show(wish: &Wish, answer: &Answer, status: StatusCode, memory: &Memory) -> Result<Response<Body>, Problem> {
    match answer {
        Answer::Item(Some(record)) => document(status, &ItemView::of(record), memory),
        Answer::Reservation(Some(record)) => document(status, &ReservationView::of(record), memory),
        Answer::Holder(record) => document(status, &HolderView::of(record), memory),
        Answer::Item(None) | Answer::Reservation(None) => Err(Problem::not_found(wish.key())),
        Answer::Refused(refusal) => Err(Problem::refused(refusal, wish.reservation())),
        Answer::Available { .. } | Answer::Outcome(_) => unreachable!("it is no record"),
    }
}

/// A document of JSON.
pub(crate) fn document<T: Serialize>(status: StatusCode, of: &T, memory: &Memory) -> Result<Response<Body>, Problem> {
    let mut bytes = Vec::with_capacity(512);
    serde_json::to_writer(&mut bytes, of).expect("records are documents, and memory takes them");
    let kept = memory.take(bytes.len())?;
    let mut body = Body::full(bytes.into());
    body.keep(kept);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A cursor of items is the last sku, in digits so that nobody takes it for one.
fn write_cursor(sku: &str) -> String {
    let mut text = String::with_capacity(2 * sku.len());
    for byte in sku.bytes() {
        write!(text, "{byte:02x}").expect("writing into memory cannot fail");
    }
    text
}

pub(crate) fn read_cursor(text: &str) -> Result<String, Problem> {
    let flaw = || Problem::invalid("after", "is no cursor of this list");
    let digit = |byte: u8| (byte as char).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some((digit(*high)? * 16 + digit(*low)?) as u8)).collect::<Option<_>>();
    let sku = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    sku.filter(|sku| rest.is_empty() && sumun_wire::text::flaw(sku).is_none()).ok_or_else(flaw)
}

impl Wish {
    /// The reservation of the path, if it is one's.
    fn reservation(&self) -> Option<&str> {
        match self {
            Wish::Part { reservation, .. } | Wish::Extend { reservation, .. } => Some(reservation),
            Wish::Configure { .. }
            | Wish::Remove { .. }
            | Wish::Receive { .. }
            | Wish::Adjust { .. }
            | Wish::Reserve(_)
            | Wish::Item { .. }
            | Wish::Holder { .. }
            | Wish::Reservation { .. }
            | Wish::Reservations { .. }
            | Wish::Items { .. }
            | Wish::TheseItems { .. }
            | Wish::Report => None,
        }
    }

    /// What it is about.
    fn key(&self) -> &str {
        match self {
            Wish::Configure { sku, .. }
            | Wish::Remove { sku }
            | Wish::Receive { sku, .. }
            | Wish::Adjust { sku, .. }
            | Wish::Item { sku }
            | Wish::Holder { sku, .. } => sku,
            Wish::Part { reservation, .. } | Wish::Extend { reservation, .. } => reservation,
            Wish::Reservation { id } => id,
            Wish::Reserve(_)
            | Wish::Reservations { .. }
            | Wish::Items { .. }
            | Wish::TheseItems { .. }
            | Wish::Report => "",
        }
    }
}
