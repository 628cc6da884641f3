//! The place of events and histories: whoever serves them is given the request's parts and gives the response.

use crate::body::Body;
use crate::problem::Problem;
use http::{HeaderMap, Response};
use std::pin::Pin;
use tokio::sync::watch;

/// A request for events: path and method, origin and host are checked.
#[derive(Clone, Debug)]
pub struct FeedRequest {
    /// As it came, percent-encoded: `Query::read` takes it apart and refuses what is unknown.
    pub query: Option<String>,
    pub headers: HeaderMap,
    /// Becomes true when the server is told to end: for `Body::stream`.
    pub ending: watch::Receiver<bool>,
}

/// What becomes of it; a problem is told as one.
pub type FeedAnswer<'a> = Pin<Box<dyn Future<Output = Result<Response<Body>, Problem>> + Send + 'a>>;

/// Serves `GET /v1/events` and `GET /v1/items/{sku}/history`. Request ids, compression of whole bodies and counting are
/// done around it. What a page keeps in memory, and what streams do, is its own to bound.
pub trait Feed: Send + Sync {
    fn events(&self, request: FeedRequest) -> FeedAnswer<'_>;
    /// The sku may be no name: it is as the path had it, decoded.
    fn history(&self, sku: String, request: FeedRequest) -> FeedAnswer<'_>;
}
