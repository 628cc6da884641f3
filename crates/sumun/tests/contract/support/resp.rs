//! A RESP client that hides nothing: what was read is what the server wrote, and a type that the contract does not
//! know fails the test.

use std::fmt::{self, Write as _};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).expect("the server accepts connections");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_read_timeout(Some(TIMEOUT)).expect("not zero");
        stream.set_write_timeout(Some(TIMEOUT)).expect("not zero");
        Client { reader: BufReader::with_capacity(1 << 16, stream) }
    }

    pub(crate) fn call<T: AsRef<[u8]>>(&mut self, words: &[T]) -> Value {
        self.send_bytes(&encode(words));
        self.read()
    }

    /// A command whose words hold no white space.
    pub(crate) fn say(&mut self, command: &str) -> Value {
        self.call(&command.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the server reads what is sent");
    }

    /// Sends all, then reads one reply a command. The replies are read beside the writing, as a server that is not read
    /// may stop to read.
    pub(crate) fn pipeline(&mut self, commands: &[Vec<u8>]) -> Vec<Value> {
        let bytes = commands.concat();
        let mut writer = self.reader.get_ref().try_clone().expect("a socket can be shared");
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&bytes).expect("the server reads what is sent"));
            commands.iter().map(|_| self.read()).collect()
        })
    }

    pub(crate) fn read(&mut self) -> Value {
        self.try_read().expect("the server answers within 15 s")
    }

    pub(crate) fn try_read(&mut self) -> io::Result<Value> {
        let line = self.line()?;
        let Some((kind, rest)) = line.split_at_checked(1) else {
            panic!("an empty line where a reply begins");
        };
        Ok(match kind {
            "+" => Value::Simple(rest.to_owned()),
            "-" => Value::Error(rest.to_owned()),
            ":" => Value::Integer(rest.parse().unwrap_or_else(|_| panic!("not an integer: {line:?}"))),
            "$" if rest == "-1" => Value::Null,
            "$" | "=" => self.bulk(count(&line), kind == "=")?,
            "_" => Value::Null,
            "*" if rest == "-1" => Value::Null,
            "*" => Value::Array((0..count(&line)).map(|_| self.try_read()).collect::<io::Result<_>>()?),
            "%" => Value::Map(
                (0..count(&line)).map(|_| Ok((self.try_read()?, self.try_read()?))).collect::<io::Result<_>>()?,
            ),
            _ => panic!("replies are strings, integers, nulls, arrays and maps, and this is none: {line:?}"),
        })
    }

    /// Exactly so many bytes, as they came.
    pub(crate) fn read_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).expect("the server sends so many bytes");
        bytes
    }

    /// All that comes until the server closes the connection; a server that leaves it open fails the test.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.reader.read_to_end(&mut bytes) {
            Ok(_) => bytes,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => bytes,
            Err(error) => panic!("the connection was not closed: {error}, after {:?}", String::from_utf8_lossy(&bytes)),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(line) = line.strip_suffix("\r\n") else {
            panic!("a line of a reply ends with CR LF, not so: {line:?}");
        };
        Ok(line.to_owned())
    }

    fn bulk(&mut self, length: usize, verbatim: bool) -> io::Result<Value> {
        let mut bytes = vec![0; length + 2];
        self.reader.read_exact(&mut bytes)?;
        assert!(bytes.ends_with(b"\r\n"), "a bulk string ends with CR LF");
        bytes.truncate(length);
        // A verbatim string (`INFO` in RESP3) is a string with `txt:` before it.
        Ok(Value::Bulk(if verbatim { bytes.split_off(4) } else { bytes }))
    }
}

fn count(line: &str) -> usize {
    line[1..].parse().unwrap_or_else(|_| panic!("not a length: {line:?}"))
}

pub(crate) fn encode<T: AsRef<[u8]>>(words: &[T]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A command whose words hold no white space, as bytes to pipeline.
pub(crate) fn encoded(command: &str) -> Vec<u8> {
    encode(&command.split_whitespace().collect::<Vec<_>>())
}

/// Names that begin a map of the contract. In RESP2 a map is a flat array, and this is how to know one.
const FIRST_NAMES: [&str; 6] = ["state", "sku", "id", "lot", "server", "quantity"];

impl Value {
    /// The entries of a map, or of a flat array that stands for one in RESP2.
    pub(crate) fn entries(&self) -> Option<Vec<(String, Value)>> {
        match self {
            Value::Map(pairs) => Some(pairs.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()),
            Value::Array(values) => match values.first() {
                Some(Value::Bulk(name))
                    if values.len() % 2 == 0 && FIRST_NAMES.iter().any(|n| n.as_bytes() == name) =>
                {
                    Some(values.chunks_exact(2).map(|pair| (pair[0].to_string(), pair[1].clone())).collect())
                }
                _ => None,
            },
            Value::Simple(_) | Value::Error(_) | Value::Integer(_) | Value::Bulk(_) | Value::Null => None,
        }
    }

    /// A field by its path: names, and places counted from 1, with dots between: `lines.1.taken.2.lot`.
    pub(crate) fn field(&self, path: &str) -> Option<Value> {
        let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
        let value = match (self.entries(), self, head.parse::<usize>()) {
            (Some(entries), _, _) => entries.into_iter().find(|(name, _)| name == head).map(|(_, value)| value)?,
            (None, Value::Array(values), Ok(place)) => values.get(place.checked_sub(1)?)?.clone(),
            (None, Value::Array(values), Err(_)) if head == "#" => Value::Integer(i64::try_from(values.len()).ok()?),
            _ => return None,
        };
        rest.map_or(Some(value.clone()), |rest| value.field(rest))
    }

    pub(crate) fn rows(&self) -> &[Value] {
        match self {
            Value::Array(rows) => rows,
            Value::Simple(_) | Value::Error(_) | Value::Integer(_) | Value::Bulk(_) | Value::Null | Value::Map(_) => {
                panic!("an array was expected, not {self}")
            }
        }
    }

    pub(crate) fn integer(&self) -> i64 {
        match self {
            Value::Integer(number) => *number,
            Value::Simple(_) | Value::Error(_) | Value::Bulk(_) | Value::Null | Value::Array(_) | Value::Map(_) => {
                panic!("an integer was expected, not {self}")
            }
        }
    }
}

/// As a person would read it: errors with their dash, null, `[a b]`, `{name: value}`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Simple(text) => f.write_str(text),
            Value::Error(text) => write!(f, "-{text}"),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Bulk(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Value::Null => f.write_str("null"),
            Value::Array(values) => {
                f.write_char('[')?;
                for (place, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if place == 0 { "" } else { " " })?;
                }
                f.write_char(']')
            }
            Value::Map(pairs) => {
                f.write_char('{')?;
                for (place, (name, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{name}: {value}", if place == 0 { "" } else { ", " })?;
                }
                f.write_char('}')
            }
        }
    }
}
