//! One request to a running gateway's admin port, with nothing but the standard library.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest answer that is looked at.
const MAX_ANSWER: u64 = 4_096;

/// Asks; each step may take `limit`. The status and the body.
pub(crate) fn ask(admin: SocketAddr, method: &str, path: &str, limit: Duration) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&admin, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nhost: {admin}\r\ncontent-length: 0\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok());
    match status {
        Some(status) => Ok((status, body.to_owned())),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the answer is not HTTP",
        )),
    }
}
