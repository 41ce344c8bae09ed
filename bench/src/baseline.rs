//! What the benchmark's own servers share: runtime, allocator, listener and upstream pool, set up as the gateway's are.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, Version, header};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use crate::failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Any error of a handler: the connection is closed, and the load generator reports it.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// A pool of upstream connections.
pub type Pool<B> = Client<HttpConnector, B>;

/// Flags of a baseline proxy.
#[derive(Debug, clap::Parser)]
pub struct ProxyFlags {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Listen on a Unix socket at this path instead.
    #[arg(long)]
    pub socket: Option<PathBuf>,
    /// Speak HTTP/2 with clients, without TLS.
    #[arg(long)]
    pub http2: bool,
    /// `host:port` that everything is sent to.
    #[arg(long)]
    pub upstream: Authority,
}

/// Runs a server on a multi-thread runtime; `TOKIO_WORKER_THREADS` sets its threads, as it does for the gateway.
pub fn run(server: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime
        .map_err(Failure::system("runtime"))
        .and_then(|runtime| runtime.block_on(server))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Listens on a Unix socket, and prints its path in one line. A file that an earlier run has left there is removed.
pub fn listen_unix(path: &Path) -> Result<UnixListener, Failure> {
    let failed = || Failure::system(format!("listen on {}", path.display()));
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed()(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed())?;
    writeln!(std::io::stdout(), "{}", path.display()).map_err(Failure::system("stdout"))?;
    Ok(listener)
}

/// Listens, prints the address in one line, and serves HTTP/1.1 until the process ends.
pub async fn serve<H, F, B>(listen: SocketAddr, handler: H) -> Result<(), Failure>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, Refusal>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Refusal>> + Send + 'static,
{
    serve_tcp(listen, false, handler).await
}

/// Serves where and what the flags of a proxy say.
pub async fn serve_proxy<H, F, B>(flags: &ProxyFlags, handler: H) -> Result<(), Failure>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, Refusal>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Refusal>> + Send + 'static,
{
    let Some(path) = &flags.socket else {
        return serve_tcp(flags.listen, flags.http2, handler).await;
    };
    let listener = listen_unix(path)?;
    loop {
        let (socket, _) = listener.accept().await.map_err(Failure::system("accept"))?;
        tokio::spawn(converse(socket, flags.http2, handler.clone()));
    }
}

async fn serve_tcp<H, F, B>(listen: SocketAddr, http2: bool, handler: H) -> Result<(), Failure>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, Refusal>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Refusal>> + Send + 'static,
{
    let listener = TcpListener::bind(listen)
        .await
        .map_err(Failure::system(format!("listen on {listen}")))?;
    let address = listener.local_addr().map_err(Failure::system("own address"))?;
    writeln!(std::io::stdout(), "{address}").map_err(Failure::system("stdout"))?;
    loop {
        let (socket, _) = listener.accept().await.map_err(Failure::system("accept"))?;
        socket.set_nodelay(true).map_err(Failure::system("TCP_NODELAY"))?;
        tokio::spawn(converse(socket, http2, handler.clone()));
    }
}

/// Serves one connection. Clients come and go between two slices; what they did not receive, they report.
async fn converse<I, H, F, B>(socket: I, http2: bool, handler: H)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Result<Response<B>, Refusal>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Refusal>> + Send + 'static,
{
    let (socket, service) = (TokioIo::new(socket), service_fn(handler));
    if http2 {
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = connection.serve_connection(socket, service).await;
    } else {
        let connection = hyper::server::conn::http1::Builder::new();
        let _ = connection.serve_connection(socket, service).await;
    }
}

/// A pool of connections to the upstream, with TCP_NODELAY.
pub fn pool<B>() -> Pool<B>
where
    B: Body<Data: Send> + Send,
{
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

/// Directs a request to the upstream: its own authority, the path as it is.
pub fn redirect<B>(request: &mut Request<B>, upstream: &Authority) -> Result<(), Refusal> {
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(upstream.clone());
    *request.uri_mut() = Uri::from_parts(uri)?;
    request.headers_mut().remove(header::HOST);
    *request.version_mut() = Version::HTTP_11;
    Ok(())
}
