//! A collector of traces: takes OTLP over HTTP and decodes it, or takes nothing at all.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    got: Receiver<Vec<Span>>,
    /// What came and was not looked for yet.
    spans: Vec<Span>,
}

impl Collector {
    pub(crate) fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (send, got) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let request = take(stream).expect("OTLP over HTTP");
                let scopes = request.resource_spans.into_iter().flat_map(|of| of.scope_spans);
                // The test may be through.
                let _over = send.send(scopes.flat_map(|of| of.spans).collect());
            }
        });
        Collector { address, got, spans: Vec::new() }
    }

    /// The span whose parent this is: waits until it comes.
    pub(crate) fn child_of(&mut self, id: &str) -> Span {
        loop {
            if let Some(at) = self.spans.iter().position(|span| hex(&span.parent_span_id) == id) {
                return self.spans.remove(at);
            }
            let more = self.got.recv_timeout(Duration::from_secs(15));
            self.spans.extend(more.unwrap_or_else(|_| panic!("no span of {id} came; there are {:?}", self.spans)));
        }
    }

    /// The spans whose parent this is, by name, of those that came.
    pub(crate) fn children(&mut self, id: &str) -> BTreeMap<String, Span> {
        let of = self.spans.extract_if(.., |span| hex(&span.parent_span_id) == id);
        of.map(|span| (span.name.clone(), span)).collect()
    }
}

pub(crate) fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let text = |value: &Any| {
        if let Any::StringValue(text) = value {
            return text.clone();
        }
        let Any::IntValue(number) = value else { panic!("{value:?}") };
        number.to_string()
    };
    let one = |of: &opentelemetry_proto::tonic::common::v1::KeyValue| {
        of.value.as_ref().and_then(|value| value.value.as_ref()).map(text).unwrap_or_default()
    };
    span.attributes.iter().map(|of| (of.key.as_str(), one(of))).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn take(stream: TcpStream) -> std::io::Result<ExportTraceServiceRequest> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    Ok(ExportTraceServiceRequest::decode(body.as_slice())?)
}
