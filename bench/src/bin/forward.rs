//! The bare reverse proxy: bodies are streamed both ways and never looked at.

use std::process::ExitCode;

use aigw_bench::baseline::{Pool, ProxyFlags, Refusal, pool, redirect, run, serve};
use clap::Parser;
use http::uri::Authority;
use http::{Request, Response};
use hyper::body::Incoming;

fn main() -> ExitCode {
    let flags = ProxyFlags::parse();
    run(async move {
        let pool: Pool<Incoming> = pool();
        serve(flags.listen, move |request| {
            forward(pool.clone(), flags.upstream.clone(), request)
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
