//! Problems: every answer that is not the one asked for, as RFC 9457 documents with the contract's codes and facts.

use crate::body::Body;
use crate::caps;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use sumun_wire::{Code, Facts, Refusal};

/// The contract's codes, each with its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    Invalid,
    Unauthorized,
    Forbidden,
    NotFound,
    InsufficientStock,
    LimitExceeded,
    Exceeds,
    IdConflict,
    Conflict,
    Expired,
    AlreadyCaptured,
    AlreadyReleased,
    Trimmed,
    MethodNotAllowed,
    RequestTimeout,
    TooLarge,
    UnsupportedMediaType,
    Overloaded,
    Loading,
    ReadOnly,
}

impl ProblemCode {
    pub const fn status(self) -> StatusCode {
        match self {
            ProblemCode::Invalid => StatusCode::BAD_REQUEST,
            ProblemCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ProblemCode::Forbidden => StatusCode::FORBIDDEN,
            ProblemCode::NotFound => StatusCode::NOT_FOUND,
            ProblemCode::InsufficientStock
            | ProblemCode::LimitExceeded
            | ProblemCode::Exceeds
            | ProblemCode::IdConflict
            | ProblemCode::Conflict
            | ProblemCode::Expired
            | ProblemCode::AlreadyCaptured
            | ProblemCode::AlreadyReleased => StatusCode::CONFLICT,
            ProblemCode::Trimmed => StatusCode::GONE,
            ProblemCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ProblemCode::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            ProblemCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ProblemCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProblemCode::Overloaded | ProblemCode::Loading | ProblemCode::ReadOnly => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// In the order of their numbers.
    pub const ALL: [ProblemCode; 20] = [
        ProblemCode::Invalid,
        ProblemCode::Unauthorized,
        ProblemCode::Forbidden,
        ProblemCode::NotFound,
        ProblemCode::InsufficientStock,
        ProblemCode::LimitExceeded,
        ProblemCode::Exceeds,
        ProblemCode::IdConflict,
        ProblemCode::Conflict,
        ProblemCode::Expired,
        ProblemCode::AlreadyCaptured,
        ProblemCode::AlreadyReleased,
        ProblemCode::Trimmed,
        ProblemCode::MethodNotAllowed,
        ProblemCode::RequestTimeout,
        ProblemCode::TooLarge,
        ProblemCode::UnsupportedMediaType,
        ProblemCode::Overloaded,
        ProblemCode::Loading,
        ProblemCode::ReadOnly,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            ProblemCode::Invalid => "invalid",
            ProblemCode::Unauthorized => "unauthorized",
            ProblemCode::Forbidden => "forbidden",
            ProblemCode::NotFound => "not_found",
            ProblemCode::InsufficientStock => "insufficient_stock",
            ProblemCode::LimitExceeded => "limit_exceeded",
            ProblemCode::Exceeds => "exceeds",
            ProblemCode::IdConflict => "id_conflict",
            ProblemCode::Conflict => "conflict",
            ProblemCode::Expired => "expired",
            ProblemCode::AlreadyCaptured => "already_captured",
            ProblemCode::AlreadyReleased => "already_released",
            ProblemCode::Trimmed => "trimmed",
            ProblemCode::MethodNotAllowed => "method_not_allowed",
            ProblemCode::RequestTimeout => "request_timeout",
            ProblemCode::TooLarge => "too_large",
            ProblemCode::UnsupportedMediaType => "unsupported_media_type",
            ProblemCode::Overloaded => "overloaded",
            ProblemCode::Loading => "loading",
            ProblemCode::ReadOnly => "read_only",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            ProblemCode::Invalid => "The request is invalid",
            ProblemCode::Unauthorized => "No key was given",
            ProblemCode::Forbidden => "This may not be asked from here",
            ProblemCode::NotFound => "There is no such thing",
            ProblemCode::InsufficientStock => "Less is available than was wanted",
            ProblemCode::LimitExceeded => "The holder's limit would be exceeded",
            ProblemCode::Exceeds => "More than the reservation has left",
            ProblemCode::IdConflict => "The id was used with other content",
            ProblemCode::Conflict => "It contradicts what is there",
            ProblemCode::Expired => "The reservation has expired",
            ProblemCode::AlreadyCaptured => "The reservation is captured",
            ProblemCode::AlreadyReleased => "The reservation is released",
            ProblemCode::Trimmed => "Older than the log",
            ProblemCode::MethodNotAllowed => "The method is not one of this path",
            ProblemCode::RequestTimeout => "The request took too long to arrive",
            ProblemCode::TooLarge => "The body is too large",
            ProblemCode::UnsupportedMediaType => "The body's type is not one that is read here",
            ProblemCode::Overloaded => "There is too much to do",
            ProblemCode::Loading => "The log is being replayed",
            ProblemCode::ReadOnly => "The log cannot be written",
        }
    }

    pub(crate) const fn of(code: Code) -> ProblemCode {
        match code {
            Code::Invalid => ProblemCode::Invalid,
            Code::NotFound => ProblemCode::NotFound,
            Code::IdConflict => ProblemCode::IdConflict,
            Code::Conflict => ProblemCode::Conflict,
            Code::Expired => ProblemCode::Expired,
            Code::Captured => ProblemCode::AlreadyCaptured,
            Code::Released => ProblemCode::AlreadyReleased,
            Code::Limit => ProblemCode::LimitExceeded,
            Code::Insufficient => ProblemCode::InsufficientStock,
            Code::Exceeds => ProblemCode::Exceeds,
            Code::Overloaded => ProblemCode::Overloaded,
            Code::ReadOnly => ProblemCode::ReadOnly,
        }
    }
}

/// A sku that fell short, or that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ProblemLine {
    sku: String,
    /// The sku's sum over the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<u64>,
    /// What this request could have had (`insufficient_stock`).
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<u64>,
    /// What the holder, or the reservation, has left (`limit_exceeded`, `exceeds`).
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
    /// Reserved by others: it may come back (`insufficient_stock`).
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<String>,
}

/// What is answered instead of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Document>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Document {
    /// `urn:sumun:problem:` and the code.
    #[serde(rename = "type")]
    uri: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: ProblemCode,
    /// Whether the same request may pass in a moment: of 503 alone.
    retryable: bool,
    retry_after_ms: Option<u32>,
    /// All skus that the refusal is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<ProblemLine>,
    /// What of the request is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Where the log begins (`trimmed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    first_sequence: Option<u64>,
    #[serde(skip)]
    allow: Option<&'static str>,
    #[serde(skip)]
    closes: bool,
}

impl Problem {
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Problem {
        let retry_after_ms = match code {
            ProblemCode::Overloaded => Some(caps::SCARCE_RETRY_MS),
            ProblemCode::Loading | ProblemCode::ReadOnly => Some(caps::LOADING_RETRY_MS),
            ProblemCode::Invalid
            | ProblemCode::Unauthorized
            | ProblemCode::Forbidden
            | ProblemCode::NotFound
            | ProblemCode::InsufficientStock
            | ProblemCode::LimitExceeded
            | ProblemCode::Exceeds
            | ProblemCode::IdConflict
            | ProblemCode::Conflict
            | ProblemCode::Expired
            | ProblemCode::AlreadyCaptured
            | ProblemCode::AlreadyReleased
            | ProblemCode::Trimmed
            | ProblemCode::MethodNotAllowed
            | ProblemCode::RequestTimeout
            | ProblemCode::TooLarge
            | ProblemCode::UnsupportedMediaType => None,
        };
        Problem(Box::new(Document {
            uri: format!("urn:sumun:problem:{}", code.word()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code,
            retryable: retry_after_ms.is_some(),
            retry_after_ms,
            lines: Vec::new(),
            field: None,
            first_sequence: None,
            allow: None,
            closes: false,
        }))
    }
    /// `INVALID field: why`, as RESP says it.
    pub fn invalid(field: impl Into<String>, why: impl std::fmt::Display) -> Problem {
        let field = field.into();
        let mut problem = Problem::new(ProblemCode::Invalid, format!("INVALID {field}: {why}"));
        problem.0.field = Some(field);
        problem
    }
    pub fn overloaded(retry_after_ms: u32) -> Problem {
        let mut problem = Problem::new(ProblemCode::Overloaded, format!("OVERLOADED retry after {retry_after_ms} ms"));
        problem.0.retry_after_ms = Some(retry_after_ms);
        problem
    }
    pub fn not_found(name: &str) -> Problem {
        Problem::new(ProblemCode::NotFound, format!("NOTFOUND {name}"))
    }
    /// What was asked for is older than the log, which begins at this sequence.
    pub fn trimmed(first_sequence: u64) -> Problem {
        let mut problem = Problem::new(ProblemCode::Trimmed, format!("the log begins at sequence {first_sequence}"));
        problem.0.first_sequence = Some(first_sequence);
        problem
    }
    pub(crate) fn method_not_allowed(allow: &'static str) -> Problem {
        let mut problem = Problem::new(ProblemCode::MethodNotAllowed, format!("this path takes {allow}"));
        problem.0.allow = Some(allow);
        problem
    }
    /// The connection is closed behind it.
    pub(crate) fn closing(mut self) -> Problem {
        self.0.closes = true;
        self
    }

    /// A refusal of the ledger's. `about` is the reservation whose path was asked, if it was one: it is no sku.
    pub(crate) fn refused(refusal: &Refusal, about: Option<&str>) -> Problem {
        let mut problem = Problem::new(ProblemCode::of(refusal.code), refusal.to_string());
        match &refusal.facts {
            Facts::None | Facts::About(_) => {}
            Facts::Invalid(invalid) => problem.0.field = Some(invalid.field.to_owned()),
            Facts::Missing(names) => {
                let skus = names.iter().filter(|name| Some(name.as_str()) != about);
                problem.0.lines = skus.map(|sku| ProblemLine::missing(sku)).collect();
            }
            Facts::Short(shorts) => {
                let is_stock = refusal.code == Code::Insufficient;
                problem.0.lines = shorts
                    .iter()
                    .map(|short| ProblemLine {
                        sku: short.sku.to_string(),
                        wanted: Some(short.wanted),
                        available: is_stock.then_some(short.available),
                        left: (!is_stock).then_some(short.available),
                        reserved: is_stock.then_some(short.reserved),
                        holder: short.holder.as_ref().map(ToString::to_string),
                    })
                    .collect();
            }
            Facts::RetryAfterMs(ms) => problem.0.retry_after_ms = Some(*ms),
        }
        problem
    }

    pub const fn code(&self) -> ProblemCode {
        self.0.code
    }
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
    pub(crate) const fn document(&self) -> &Document {
        &self.0
    }
    pub(crate) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self.document()).expect("a problem is a document").into()
    }

    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::full(self.to_bytes()));
        *response.status_mut() = self.0.code.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(ms) = self.0.retry_after_ms {
            headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
        }
        if let Some(allow) = self.0.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.0.closes {
            headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl ProblemLine {
    fn missing(sku: &str) -> ProblemLine {
        let sku = sku.to_owned();
        ProblemLine { sku, wanted: None, available: None, left: None, reserved: None, holder: None }
    }
}
