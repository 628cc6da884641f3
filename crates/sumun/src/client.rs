//! A small blocking client for the verbs: one connection, RESP3, commands that are answered in their order.
//! It never sends a command twice: whoever called it has the id to do so.

use crate::caps::{CONNECT_TIMEOUT, REPLY_BYTES_MAX, REPLY_TIMEOUT};
use crate::failure::Failure;
use crate::resp::{self, Value};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    address: SocketAddr,
    input: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Client, Failure> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(|error| {
            Failure::Unreachable(format!(
                "no server at {address}: {error}; start one with `sumun serve`, or name another with --server"
            ))
        })?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Client { stream, address, input: Vec::new() })
    }

    /// Connects and changes over to RESP3, whose maps carry their names.
    pub(crate) fn connect_resp3(address: SocketAddr) -> Result<Client, Failure> {
        let mut client = Client::connect(address)?;
        match client.call(&["HELLO", "3"])? {
            Value::Error(text) if text.starts_with("LOADING") => {
                Err(Failure::Unreachable(format!("{address}: {text}")))
            }
            Value::Error(text) => Err(Failure::Other(anyhow::anyhow!("{address} does not speak RESP3: {text}"))),
            Value::Null | Value::Integer(_) | Value::Text(_) | Value::Array(_) | Value::Map(_) => Ok(client),
        }
    }

    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Value, Failure> {
        let mut out = Vec::new();
        resp::command(&mut out, args);
        self.send(&out)?;
        self.receive()
    }

    /// Sends bytes that are commands; as many replies have to be received.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).map_err(|error| self.lost(&error.to_string()))
    }

    pub(crate) fn receive(&mut self) -> Result<Value, Failure> {
        let mut chunk = [0; 16 << 10];
        loop {
            match resp::parse(&self.input) {
                Ok(Some((value, used))) => {
                    self.input.drain(..used);
                    return Ok(value);
                }
                Ok(None) if self.input.len() > REPLY_BYTES_MAX => return Err(self.lost("a reply without end")),
                Ok(None) => {}
                Err(malformed) => return Err(Failure::Other(malformed.into())),
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(self.lost("the connection was closed")),
                Ok(length) => self.input.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(&error.to_string())),
            }
        }
    }

    fn lost(&self, why: &str) -> Failure {
        Failure::Unreachable(format!(
            "no answer from {}: {why}; whether it was done is unknown, the same command with the same id tells",
            self.address
        ))
    }
}
