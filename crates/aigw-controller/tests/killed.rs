//! The operator is ended between any two writes of a snapshot; whoever reads the snapshot then has all of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{Operator, Space, cluster, one_model, options, prepare, read_snapshot, rules, user_of};
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::sync::Notify;
use tower_service::Service;

/// Lets `left` writes of the snapshot's Secrets through; the next one hangs, and whoever waits is told.
#[derive(Clone)]
struct Gate {
    client: Client,
    left: Arc<AtomicUsize>,
    reached: Arc<Notify>,
}

impl Service<Request<Body>> for Gate {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let writes = request.method() == Method::PATCH && request.uri().path().contains("/secrets/");
        let Self {
            client,
            left,
            reached,
        } = self.clone();
        Box::pin(async move {
            if writes {
                let passes =
                    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                if passes.is_err() {
                    reached.notify_one();
                    return std::future::pending().await;
                }
            }
            client.send(request).await
        })
    }
}

/// An operator that may write `writes` Secrets.
async fn gated(space: &Space<'_>, writes: usize) -> (Operator, Arc<Notify>) {
    let reached = Arc::new(Notify::new());
    let (left, told) = (Arc::new(AtomicUsize::new(writes)), Arc::clone(&reached));
    let mut options = options(space, "gated");
    // Nobody waits for the lease of one that was killed.
    options.election = None;
    let config = cluster().await.config(&user_of(space), &[]);
    let operator = Operator::start_with(config, options, move |client| {
        let gate = Gate {
            client,
            left,
            reached: told,
        };
        Client::new(gate, "default")
    });
    (operator, reached)
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_operator_ends_the_snapshot_is_whole() {
    let cluster = cluster().await;
    let space = cluster.space("killed").await;
    prepare(&space, &rules()).await;
    let first = cluster.operator(&space, "first").await;
    space.apply(&one_model(&space.name)).await;
    common::eventually(Duration::from_secs(5), || async {
        let (_, contents) = read_snapshot(&space.api(), "gw").await.ok_or("no snapshot")?;
        contents
            .credentials
            .ids()
            .next()
            .map(|_| ())
            .ok_or("no key".to_owned())
    })
    .await;
    first.stop().await;

    // All of it changes: the model, the key, the hashes.
    let mut whole = read_snapshot(&space.api(), "gw").await.unwrap().0;
    let mut kills = 0;
    for writes in 0.. {
        let model = format!("model-{writes}");
        let changed = one_model(&space.name)
            .replace("value: m", &format!("value: {model}"))
            .replace("sk-first", &format!("sk-{writes}"))
            .replace("port: 9}", &format!("port: {}}}", 100 + writes));
        space.apply(&changed).await;
        let (operator, reached) = gated(&space, writes).await;
        let done = common::eventually(Duration::from_secs(15), || async {
            let stopped = tokio::time::timeout(Duration::from_millis(20), reached.notified()).await;
            // Panics when a piece is missing or is not what the index says.
            let (index, contents) = read_snapshot(&space.api(), "gw").await.unwrap();
            let text = serde_json::to_string(&contents.document).unwrap();
            match (stopped.is_ok(), text.contains(&model)) {
                (true, _) => Ok(None),
                (false, true) => Ok(Some(index)),
                (false, false) => Err("neither stopped nor done".to_owned()),
            }
        })
        .await;
        drop(operator);
        let (index, _) = read_snapshot(&space.api(), "gw").await.unwrap();
        match done {
            None => {
                kills += 1;
                assert_eq!(
                    index, whole,
                    "without its last write the old snapshot is in force"
                );
            }
            Some(new) => {
                assert_ne!(new.version, whole.version);
                whole = new;
                break;
            }
        }
    }
    assert!(kills >= 4, "order, document, credentials, hashes, index: {kills}");
    assert!(whole.shards.len() >= 4, "{whole:?}");
}
