//! The control socket: tools on this machine ask a running server where its log durably ends, `end`, and get
//! `<sequence> <segment> <offset>`, a line each.

use crate::caps;
use crate::ledger::End;
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use std::io::{self, Read, Write};

#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    clients: Vec<Option<Tool>>,
    first: usize,
}

#[derive(Debug)]
struct Tool {
    stream: UnixStream,
    line: Vec<u8>,
}

impl Control {
    /// Its tokens are `first` for the listener and the next ones for its clients.
    pub(crate) fn new(mut listener: UnixListener, registry: &Registry, first: Token) -> io::Result<Control> {
        registry.register(&mut listener, first, Interest::READABLE)?;
        let clients = std::iter::repeat_with(|| None).take(caps::CONTROL_CLIENTS_MAX).collect();
        Ok(Control { listener, clients, first: first.0 })
    }

    /// Whether the token was one of its own, and then what there was to do is done.
    pub(crate) fn ready(&mut self, token: Token, registry: &Registry, end: impl Fn() -> End) -> bool {
        let Some(index) = token.0.checked_sub(self.first).filter(|index| *index <= self.clients.len()) else {
            return false;
        };
        if index == 0 {
            self.accept(registry);
        } else if let Some(tool) = &mut self.clients[index - 1]
            && !tool.serve(end)
        {
            self.clients[index - 1] = None;
        }
        true
    }

    fn accept(&mut self, registry: &Registry) {
        // Whatever goes wrong concerns that tool alone: it sees its connection end.
        while let Ok((mut stream, _)) = self.listener.accept() {
            let Some(free) = self.clients.iter().position(Option::is_none) else {
                continue;
            };
            if registry.register(&mut stream, Token(self.first + 1 + free), Interest::READABLE).is_ok() {
                self.clients[free] = Some(Tool { stream, line: Vec::new() });
            }
        }
    }
}

impl Tool {
    /// Answers the lines that are there. Whether it goes on.
    fn serve(&mut self, end: impl Fn() -> End) -> bool {
        let mut bytes = [0; caps::CONTROL_LINE_BYTES_MAX];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(read) => {
                    for &byte in &bytes[..read] {
                        if byte != b'\n' {
                            self.line.push(byte);
                        } else if !self.answer(&end) {
                            return false;
                        }
                    }
                    if self.line.len() > caps::CONTROL_LINE_BYTES_MAX {
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    fn answer(&mut self, end: &impl Fn() -> End) -> bool {
        let line = std::mem::take(&mut self.line);
        let text = match line.trim_ascii() {
            b"end" => {
                let End { sequence, segment, offset } = end();
                format!("{sequence} {segment} {offset}\n")
            }
            _ => "unknown request\n".to_owned(),
        };
        // So little always fits, unless the tool does not read: then it is none.
        matches!(self.stream.write(text.as_bytes()), Ok(written) if written == text.len())
    }
}
