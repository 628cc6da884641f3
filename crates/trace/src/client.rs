//! The light client: a connection a batch. The exporter's thread is its runtime.
//! Never here: TLS, redirects, proxies, a pool.

use crate::caps::ANSWER_BYTES_MAX;
use crate::endpoint::port_of;
use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use std::pin::Pin;
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Client;

type Answer<'f> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>;

impl HttpClient for Client {
    fn send_bytes<'s, 'f>(&'s self, request: Request<Bytes>) -> Answer<'f>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(send(request))
    }
}

async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut head, body) = request.into_parts();
    let host = head.uri.host().ok_or("a URL without host")?.trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host.as_str(), port_of(&head.uri))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    if let Some(authority) = head.uri.authority() {
        head.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    }
    head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    head.uri = Uri::builder().path_and_query(head.uri.path()).build()?;
    let answer = async move {
        let (head, body) = sender.send_request(Request::from_parts(head, Full::new(body))).await?.into_parts();
        let bytes = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok(Response::from_parts(head, bytes))
    };
    // What the connection ends with is told by the answer, or that there is none.
    let ((), answer) = tokio::join!(async { drop(connection.await) }, answer);
    answer
}
