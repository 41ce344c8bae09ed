//! What the benchmark's own servers share: runtime, allocator, listener and upstream pool, set up as the gateway's are.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, header};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

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

/// Listens, prints the address in one line, and serves HTTP/1.1 until the process ends.
pub async fn serve<H, F, B>(listen: SocketAddr, handler: H) -> Result<(), Failure>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, Refusal>> + Send,
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
        let service = service_fn(handler.clone());
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            // Clients come and go between two slices; what they did not receive, they report.
            let _ = connection.serve_connection(TokioIo::new(socket), service).await;
        });
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
    Ok(())
}
