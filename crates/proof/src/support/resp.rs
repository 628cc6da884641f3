//! RESP as a client of the proofs speaks it: bytes out, whole values in, errors of the connection as they are. What is
//! no reply of the contract is an error too (`InvalidData`).

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Simple and bulk strings alike.
    Text(String),
    Error(String),
    Integer(i64),
    Null,
    Array(Vec<Value>),
    Map(Vec<(String, Value)>),
}

#[derive(Debug)]
pub struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// A new connection, in RESP2: a map is a flat array there (`Value::field` reads both).
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Connection { reader: BufReader::with_capacity(1 << 16, stream) })
    }

    /// A command whose words hold no white space.
    pub fn say(&mut self, command: &str) -> io::Result<Value> {
        self.send(&encoded(command))?;
        self.read()
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Replies may be waited for in this way only: `WouldBlock` or `TimedOut` when none comes.
    pub fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.reader.get_mut().set_read_timeout(Some(timeout))
    }

    pub fn socket(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    pub fn read(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(line) = line.strip_suffix("\r\n") else {
            // The server went in the middle of it.
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let Some((kind, rest)) = line.split_at_checked(1) else { return Err(malformed(line)) };
        let number = || rest.parse::<i64>().map_err(|_| malformed(line));
        let count = || rest.parse::<usize>().map_err(|_| malformed(line));
        Ok(match kind {
            "+" => Value::Text(rest.to_owned()),
            "-" => Value::Error(rest.to_owned()),
            ":" => Value::Integer(number()?),
            "_" => Value::Null,
            "$" | "*" if rest == "-1" => Value::Null,
            "$" => self.bulk(count()?)?,
            "*" => Value::Array((0..count()?).map(|_| self.read()).collect::<io::Result<_>>()?),
            "%" => {
                let entry = |_| Ok((self.read()?.to_string(), self.read()?));
                Value::Map((0..count()?).map(entry).collect::<io::Result<_>>()?)
            }
            _ => return Err(malformed(line)),
        })
    }

    fn bulk(&mut self, length: usize) -> io::Result<Value> {
        let mut bytes = vec![0; length + 2];
        self.reader.read_exact(&mut bytes)?;
        bytes.truncate(length);
        String::from_utf8(bytes).map(Value::Text).map_err(|_| malformed("a bulk string that is no UTF-8"))
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no reply of the contract: {what:?}"))
}

/// A command as bytes.
pub fn encode<T: AsRef<[u8]>>(words: &[T]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A command whose words hold no white space, as bytes.
pub fn encoded(command: &str) -> Vec<u8> {
    encode(&command.split_whitespace().collect::<Vec<_>>())
}

impl Value {
    /// What stands behind a name of a map, or of the flat array that stands for one in RESP2.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            Value::Array(flat) => flat.chunks_exact(2).find(|pair| pair[0].text() == Some(name)).map(|pair| &pair[1]),
            Value::Text(_) | Value::Error(_) | Value::Integer(_) | Value::Null => None,
        }
    }

    pub fn integer(&self) -> Option<i64> {
        if let Value::Integer(number) = self { Some(*number) } else { None }
    }

    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    pub fn error(&self) -> Option<&str> {
        if let Value::Error(text) = self { Some(text) } else { None }
    }

    pub fn rows(&self) -> &[Value] {
        if let Value::Array(rows) = self { rows } else { &[] }
    }

    /// The integer behind a name.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.field(name)?.integer()
    }
}

/// As a person would read it: errors with their dash, null, `[a b]`, `{name: value}`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Error(text) => write!(f, "-{text}"),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Null => f.write_str("null"),
            Value::Array(values) => {
                let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", texts.join(" "))
            }
            Value::Map(entries) => {
                let texts: Vec<String> = entries.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                write!(f, "{{{}}}", texts.join(", "))
            }
        }
    }
}
