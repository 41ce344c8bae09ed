//! Opens a connection: name, address, forward proxy, TLS; until it stands nothing of a request has been sent.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aigw_config::{Address, Endpoint, Place};
use futures_util::stream::{FuturesUnordered, StreamExt};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{TlsConnector, TlsStream};

use super::failure::chain;
use super::proxies::Proxy;
use super::tls::server_name;
use crate::transport::{Transport, tune};

/// How long one address may keep the next one waiting (RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Longest head that a forward proxy may answer CONNECT with.
const MAX_PROXY_HEAD: usize = 8 * 1024;

/// Opens a connection to `endpoint`, `at` one of its places where they are known; true when HTTP/2 was agreed on. A forward
/// proxy is told the name alone.
pub(super) async fn open(
    endpoint: &Endpoint,
    at: Option<&Place>,
    proxy: Option<&Proxy>,
    tls: Option<Arc<ClientConfig>>,
) -> Result<(Transport, bool), String> {
    let stream = match proxy {
        Some(proxy) => {
            let mut stream = tcp(&proxy.host, proxy.port)
                .await
                .map_err(|error| format!("proxy: {error}"))?;
            // In the clear, a forward proxy takes the requests themselves.
            if endpoint.https {
                tunnel(&mut stream, endpoint, proxy)
                    .await
                    .map_err(|error| format!("proxy: {error}"))?;
            }
            stream
        }
        None => match at.map(|place| &place.at) {
            Some(Address::Ip(address)) => tuned(reach(*address).await?),
            Some(Address::Name(name, port)) => tcp(name, *port).await?,
            Some(Address::Unix(path)) => {
                let stream = UnixStream::connect(path)
                    .await
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                let Some(config) = tls else {
                    return Ok((Transport::Unix(stream), false));
                };
                let (stream, http2) = within_tls(stream, endpoint, config).await?;
                return Ok((Transport::UnixTls(stream), http2));
            }
            None => tcp(&endpoint.host, endpoint.port).await?,
        },
    };
    let Some(config) = tls else {
        return Ok((Transport::Plain(stream), false));
    };
    let (stream, http2) = within_tls(stream, endpoint, config).await?;
    Ok((Transport::Tls(stream), http2))
}

/// TLS over a connection; true when HTTP/2 was agreed on.
async fn within_tls<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    endpoint: &Endpoint,
    config: Arc<ClientConfig>,
) -> Result<(Box<TlsStream<S>>, bool), String> {
    let stream = TlsConnector::from(config)
        .connect(server_name(endpoint)?, stream)
        .await
        .map_err(|error| format!("TLS with {}: {}", endpoint.host, chain(&error)))?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((Box::new(stream.into()), http2))
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, String> {
    let mut waiting = resolve(host, port).await?.into_iter();
    let mut tries = FuturesUnordered::new();
    let mut last = format!("{host} has no address");
    loop {
        match waiting.next() {
            Some(address) => tries.push(reach(address)),
            None if tries.is_empty() => return Err(last),
            None => {}
        }
        let result = match waiting.len() {
            0 => tries.next().await,
            _ => tokio::time::timeout(STAGGER, tries.next()).await.unwrap_or(None),
        };
        match result {
            Some(Ok(stream)) => return Ok(tuned(stream)),
            Some(Err(error)) => last = error,
            None => {}
        }
    }
}

fn tuned(stream: TcpStream) -> TcpStream {
    tune(&stream);
    stream
}

async fn reach(address: SocketAddr) -> Result<TcpStream, String> {
    TcpStream::connect(address)
        .await
        .map_err(|error| format!("{address}: {error}"))
}

/// The addresses of a host, the families taking turns so that a dead one costs one [`STAGGER`].
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| format!("no address for {host}: {error}"))?;
    let (mut v6, mut v4) = (Vec::new(), Vec::new());
    for address in found {
        let family = if address.is_ipv6() { &mut v6 } else { &mut v4 };
        if !family.contains(&address) {
            family.push(address);
        }
    }
    let length = v6.len().max(v4.len());
    let turns = (0..length)
        .flat_map(|turn| [v6.get(turn), v4.get(turn)])
        .flatten()
        .copied();
    Ok(turns.collect())
}

/// Asks a forward proxy for a tunnel (RFC 9110 section 9.3.6).
async fn tunnel(stream: &mut TcpStream, endpoint: &Endpoint, proxy: &Proxy) -> Result<(), String> {
    let target = endpoint.name();
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
    if let Some(value) = &proxy.authorization {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream
        .write_all(&request)
        .await
        .map_err(|error| error.to_string())?;
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        // The upstream says nothing before our ClientHello, so nothing can follow the head in one read.
        let read = stream
            .read_buf(&mut head)
            .await
            .map_err(|error| error.to_string())?;
        if read == 0 || head.len() > MAX_PROXY_HEAD {
            return Err(format!("no proper answer to CONNECT {target}"));
        }
    }
    let line =
        String::from_utf8_lossy(head.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    match line.split(' ').nth(1) {
        Some(status) if line.starts_with("HTTP/1.") && status.len() == 3 && status.starts_with('2') => Ok(()),
        _ => Err(format!("CONNECT {target} was answered with `{line}`")),
    }
}
