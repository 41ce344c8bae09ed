//! The closed-loop load generator: a connection sends its next request when the answer before is read and checked.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::case::Call;
use crate::failure::Failure;
use crate::payload::FIRST_WORD;

/// When a slice ends.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After that time.
    Elapsed(Duration),
    /// After that many requests on each connection.
    Requests(u64),
}

impl Until {
    fn reached(self, started: Instant, requests: u64) -> bool {
        match self {
            Self::Elapsed(limit) => started.elapsed() >= limit,
            Self::Requests(limit) => requests >= limit,
        }
    }
}

/// A connection that is kept alive.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    received: BytesMut,
}

/// How long one exchange took, from just before the request was sent.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// To the first word of the answer.
    pub first: Duration,
    /// To its end.
    pub total: Duration,
}

impl Connection {
    /// Connects with TCP_NODELAY.
    pub async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let connect = || format!("connect to {address}");
        let socket = TcpStream::connect(address)
            .await
            .map_err(Failure::system(connect()))?;
        socket.set_nodelay(true).map_err(Failure::system(connect()))?;
        let (sender, connection) = handshake(TokioIo::new(socket)).await?;
        // An error of the connection reaches the request that waits on it.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: address.to_string(),
            received: BytesMut::new(),
        })
    }

    /// Sends one request and checks its answer as every answer is checked.
    pub async fn exchange(&mut self, call: &Call) -> Result<Timing, Failure> {
        let (timing, status) = self.send(call).await?;
        call.expect.verify(status, &self.received)?;
        Ok(timing)
    }

    /// Sends one request and looks at its answer closely; for the first one of a slice.
    pub async fn probe(&mut self, call: &Call) -> Result<(), Failure> {
        let (_, status) = self.send(call).await?;
        call.expect.inspect(status, &self.received)
    }

    async fn send(&mut self, call: &Call) -> Result<(Timing, u16), Failure> {
        let request = self.request(call)?;
        self.received.clear();
        let started = Instant::now();
        self.sender.ready().await?;
        let mut response = self.sender.send_request(request).await?;
        let mut first = None;
        while let Some(frame) = response.body_mut().frame().await {
            if let Ok(data) = frame?.into_data() {
                self.received.extend_from_slice(&data);
            }
            if first.is_none() && memmem::find(&self.received, FIRST_WORD).is_some() {
                first = Some(started.elapsed());
            }
        }
        let total = started.elapsed();
        Ok((
            Timing {
                first: first.unwrap_or(total),
                total,
            },
            response.status().as_u16(),
        ))
    }

    /// A request with the headers that an official SDK sends.
    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, Failure> {
        Request::post(call.path)
            .header(header::HOST, &self.host)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "OpenAI/Python 3.54.0")
            .header(header::AUTHORIZATION, "Bearer bench-client")
            .header("x-stainless-lang", "python")
            .header("x-stainless-retry-count", "0")
            .body(Full::new(call.body.clone()))
            .map_err(|error| Failure::Answer(error.to_string()))
    }
}

/// Opens connections to one subject and probes it through each.
pub async fn connect(address: SocketAddr, count: usize, call: &Call) -> Result<Vec<Connection>, Failure> {
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = Connection::open(address).await?;
        connection.probe(call).await?;
        connections.push(connection);
    }
    Ok(connections)
}

/// What a slice has measured.
#[derive(Debug, Default)]
pub struct Slice {
    /// Time of each exchange in nanoseconds, ascending.
    pub latencies: Vec<u64>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

/// Loads one subject on all connections at once and gives them back.
pub async fn drive(
    connections: Vec<Connection>,
    call: &Call,
    until: Until,
) -> Result<(Vec<Connection>, Slice), Failure> {
    let started = Instant::now();
    let mut running = JoinSet::new();
    for connection in connections {
        running.spawn(repeat(connection, call.clone(), until, started));
    }
    let (mut connections, mut slice) = (Vec::new(), Slice::default());
    while let Some(ended) = running.join_next().await {
        let ended = ended.map_err(|error| Failure::Answer(format!("the load generator stopped: {error}")))?;
        let (connection, latencies) = ended?;
        connections.push(connection);
        slice.latencies.extend(latencies);
    }
    slice.elapsed = started.elapsed();
    slice.latencies.sort_unstable();
    Ok((connections, slice))
}

async fn repeat(
    mut connection: Connection,
    call: Call,
    until: Until,
    started: Instant,
) -> Result<(Connection, Vec<u64>), Failure> {
    let mut latencies = Vec::new();
    while !until.reached(started, latencies.len() as u64) {
        let timing = connection.exchange(&call).await?;
        latencies.push(nanoseconds(timing.total));
    }
    Ok((connection, latencies))
}

/// A duration as the histograms count it.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
