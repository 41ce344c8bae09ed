//! The bare reverse proxy: bodies are streamed both ways and never looked at.

use std::process::ExitCode;

use aigw_bench::baseline::{Pool, ProxyFlags, Refusal, pool, redirect, run, serve_proxy};
use clap::Parser;
use http::uri::Authority;
use http::{Request, Response};
use hyper::body::Incoming;

fn main() -> ExitCode {
    let flags = ProxyFlags::parse();
    run(async move {
        let pool: Pool<Incoming> = pool();
        let upstream = flags.upstream.clone();
        serve_proxy(&flags, move |request| {
            forward(pool.clone(), upstream.clone(), request)
        })
        .await
    })
}

async fn forward(
    pool: Pool<Incoming>,
    upstream: Authority,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, Refusal> {
    redirect(&mut request, &upstream)?;
    Ok(pool.request(request).await?)
}
