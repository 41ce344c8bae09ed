//! `aigw healthcheck`: one request to `/ready`, with nothing but the standard library.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::HealthcheckArgs;

/// Succeeds when the gateway says that it is ready within a second.
pub(crate) fn healthcheck(args: &HealthcheckArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let limit = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&args.admin, limit)
        .map_err(|error| format!("nothing answers at {}: {error}", args.admin))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(stream, "GET /ready HTTP/1.0\r\nhost: {}\r\n\r\n", args.admin)?;
    let mut answer = String::new();
    stream.take(4_096).read_to_string(&mut answer)?;
    let status = answer.split_whitespace().nth(1).unwrap_or_default();
    if status == "200" {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("not ready (status {status})").into())
    }
}
