//! A small blocking client of the HTTP interface: one connection, one request at a time, reads alone.
//! Never here: what is asked, TLS, redirects.

use crate::caps::{CONNECT_TIMEOUT, WEB_BODY_BYTES_MAX};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, HOST};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

#[derive(Debug)]
pub(crate) struct Web {
    runtime: Runtime,
    address: SocketAddr,
    patience: Duration,
    connection: Option<SendRequest<Empty<Bytes>>>,
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Not answered.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {address}: {why}")]
pub(crate) struct Silent {
    address: SocketAddr,
    why: String,
}

impl Web {
    pub(crate) fn new(address: SocketAddr, patience: Duration) -> io::Result<Web> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        Ok(Web { runtime, address, patience, connection: None })
    }

    /// Asks once more on a new connection when the one it kept turns out to be closed.
    pub(crate) fn get(&mut self, target: &str) -> Result<Page, Silent> {
        let is_kept = self.connection.is_some();
        match self.attempt(target) {
            Err(_) if is_kept => self.attempt(target),
            result => result,
        }
    }

    fn attempt(&mut self, target: &str) -> Result<Page, Silent> {
        let (address, patience) = (self.address, self.patience);
        let silent = |why: String| Silent { address, why };
        let kept = self.connection.take();
        let asked = async {
            let mut sender = match kept {
                Some(sender) => sender,
                None => connect(address).await?,
            };
            let page = ask(&mut sender, address, target).await?;
            Ok((sender, page))
        };
        let answered = self.runtime.block_on(async { timeout(patience, asked).await });
        let (sender, page) = match answered {
            Err(_) => return Err(silent(format!("it took more than {} ms", patience.as_millis()))),
            Ok(result) => result.map_err(|error: Error| silent(error.to_string()))?,
        };
        self.connection = Some(sender);
        Ok(page)
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

async fn connect(address: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, Error> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its connection; why it ended, whoever asks hears.
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(sender: &mut SendRequest<Empty<Bytes>>, address: SocketAddr, target: &str) -> Result<Page, Error> {
    sender.ready().await?;
    let request = Request::get(target).header(HOST, address.to_string()).header(ACCEPT, "*/*");
    let response = sender.send_request(request.body(Empty::new())?).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), WEB_BODY_BYTES_MAX).collect().await?.to_bytes();
    Ok(Page { status, body })
}

/// As a value in a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `detail` of a problem document, or what else there is.
pub(crate) fn problem(page: &Page) -> String {
    let document: serde_json::Value = serde_json::from_slice(&page.body).unwrap_or_default();
    let said = document.get("detail").or_else(|| document.get("title")).and_then(serde_json::Value::as_str);
    said.map_or_else(|| format!("status {}", page.status), str::to_owned)
}
