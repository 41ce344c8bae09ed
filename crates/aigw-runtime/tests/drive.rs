//! What one exchange does to the others of its thread.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aigw_engine::{Effect, Event, RequestHead};
use aigw_runtime::{Drive, Gateway, Live, load};
use aigw_translate::host::Registry;
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

fn gateway() -> Arc<Gateway> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("aigw.yaml");
    let text = "backends: [{name: up, provider: anthropic, url: 'http://127.0.0.1:9', apiKey: key}]\n\
                routes: [{name: all, rules: [{backends: [{name: up}]}]}]\n";
    std::fs::write(&file, text).unwrap();
    let ready = load(&[file], &|_| None, &Registry)
        .unwrap()
        .compile(&Registry)
        .unwrap();
    let live = Live {
        snapshot: Arc::new(ready.snapshot),
        credentials: Arc::new(ready.credentials),
    };
    Arc::new(Gateway::new(live, Box::new(|_| {})))
}

/// Times that another task of the same thread had its turn while a request with a body of `length` bytes was translated.
fn turns(length: usize) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let turns = Arc::new(AtomicU64::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let exchange = {
        let (turns, is_over) = (Arc::clone(&turns), Arc::clone(&is_over));
        async move {
            let mut drive = Drive::new(gateway());
            let mut effects = Vec::new();
            let text = "y ".repeat(length / 2);
            let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
            let head = RequestHead {
                method: Method::POST,
                uri: Uri::from_static("/v1/chat/completions"),
                headers: HeaderMap::new(),
                authority: "gateway".to_owned(),
                listener: Arc::from("http"),
                peer: None,
                no_body: false,
            };
            drive.on(Event::Request(Box::new(head)), &mut effects);
            drive.on(Event::Body(Bytes::from(body)), &mut effects);
            let counted = Arc::clone(&turns);
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    counted.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            });
            let before = turns.load(Ordering::Relaxed);
            drive.on(Event::BodyEnd, &mut effects);
            let had = turns.load(Ordering::Relaxed) - before;
            assert!(effects.iter().any(|effect| matches!(effect, Effect::Attempt(_))));
            had
        }
    };
    let had = runtime.block_on(async { tokio::spawn(exchange).await.unwrap() });
    is_over.store(true, Ordering::Relaxed);
    had
}

#[test]
fn a_large_body_leaves_its_thread_to_others() {
    assert!(turns(16 << 20) > 0, "the other task waited for the translation");
    assert_eq!(turns(1 << 10), 0, "a small body is not worth another thread");
}
