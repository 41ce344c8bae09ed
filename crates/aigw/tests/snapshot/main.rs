//! Data planes that serve an operator's snapshot: the real binary against a real API server. The test plays the operator's
//! part: it writes what `aigw_config::shard` says.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a failed test should say where"
)]

#[path = "../../../aigw-controller/tests/common/mod.rs"]
mod common;
mod https;
mod operated;
mod pod;
mod provider;
mod writer;

use std::time::{Duration, Instant};

use common::{Cluster, cluster, eventually};
use pod::{Pod, http};
use provider::Provider;
use writer::{READER, Writer, document};

/// How soon something must have happened everywhere.
const SOON: Duration = Duration::from_secs(2);
/// How long a process may take to start on a busy machine.
const START: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_changed_key_is_used_within_two_seconds_and_no_request_fails() {
    let cluster = cluster().await;
    let space = cluster.space("keys").await;
    let provider = Provider::start().await;
    let writer = Writer::new(&space, "main");
    writer.permit(&space).await;
    let pod = Pod::start(cluster, &writer);
    // The operator comes later than the pod: not ready, and it says why.
    eventually(START, || async {
        let (status, text) = http(pod.status(), "GET", "/ready").await?;
        match (status, text.as_str()) {
            (503, "there is no configuration yet\n") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(http(pod.status(), "GET", "/health").await.unwrap().0, 200);
    let first = writer
        .write(&document(&provider.url()), &[("key", "sk-one")])
        .await;
    let gateway = pod.ready().await;
    let report = pod.report().await;
    assert_eq!(report["snapshot"], first.version.as_str());
    assert_eq!(report["gatewayUid"], writer::UID);
    assert_eq!(report["format"], 1);
    assert_eq!(report["hashes"]["AIServiceBackend/a"], "h1");

    let steady = pod::steady(gateway);
    eventually(START, || async {
        provider.last_key().ok_or("no request yet".to_owned())
    })
    .await;
    for round in 0..5 {
        let key = format!("sk-{round}");
        let began = Instant::now();
        let cut = writer.write(&document(&provider.url()), &[("key", &key)]).await;
        eventually(SOON, || async {
            match provider.last_key() {
                Some(last) if last == format!("Bearer {key}") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        eprintln!("a changed key is used after {:?}", began.elapsed());
        eventually(SOON, || async {
            let report = pod.report().await;
            match report["snapshot"] == cut.version.as_str() {
                true => Ok(()),
                false => Err(report.to_string()),
            }
        })
        .await;
    }
    let (served, failed) = steady.stop().await;
    assert!(served > 20, "{served}");
    assert_eq!(failed, Vec::<String>::new());

    // Nothing but its own Secrets, each by name, and nothing is written.
    let own: Vec<String> = aigw_config::shard::names(&writer.base).collect();
    let asked = cluster.audit(READER);
    assert!(asked.iter().any(|one| one.verb == "watch"));
    for one in asked {
        let ours = one.namespace != space.name || (one.resource == "secrets" && own.contains(&one.name));
        assert!(ours && matches!(one.verb.as_str(), "get" | "watch"), "{one:?}");
    }
    // On the address that the cluster sees there is nothing else.
    for path in ["/config", "/envoy"] {
        assert_eq!(http(pod.status(), "GET", path).await.unwrap().0, 404, "{path}");
    }
    assert_eq!(
        http(pod.status(), "POST", "/drain?timeout=1").await.unwrap().0,
        404
    );
    for text in [pod.report().await.to_string(), pod.metrics().await, pod.log()] {
        assert!(!text.contains("sk-"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_cannot_be_read_keeps_the_last_good_and_is_reported() {
    let cluster = cluster().await;
    let space = cluster.space("damage").await;
    let provider = Provider::start().await;
    let writer = Writer::new(&space, "main");
    writer.permit(&space).await;
    let good = writer
        .write(&document(&provider.url()), &[("key", "sk-one")])
        .await;
    let pod = Pod::start(cluster, &writer);
    let gateway = pod.ready().await;
    assert_eq!(pod::complete(gateway).await, Ok(()));

    // A shard that is not what the index says.
    writer
        .write_damaged(&document(&provider.url()), &[("key", "sk-two")])
        .await;
    let refused = |reason: &'static str| {
        let (pod, good) = (&pod, &good);
        eventually(Duration::from_secs(10), move || async move {
            let report = pod.report().await;
            let is_refused = report["refused"]["reason"] == reason;
            assert_eq!(report["snapshot"], good.version.as_str());
            match is_refused {
                true => Ok(report["refused"]["detail"].as_str().unwrap().to_owned()),
                false => Err(format!("{report}")),
            }
        })
    };
    let detail = refused("damaged").await;
    assert!(
        detail.contains(&writer.base) && !detail.contains("sk-"),
        "{detail}"
    );
    assert!(
        pod.metrics()
            .await
            .contains("aigw_snapshot_failures_total{reason=\"damaged\"}")
    );
    assert!(
        pod.log().contains("the last good snapshot goes on"),
        "{}",
        pod.log()
    );
    assert_eq!(pod::complete(gateway).await, Ok(()));
    assert_eq!(provider.last_key().as_deref(), Some("Bearer sk-one"));

    // Of a format that it does not know.
    writer.mark(9, 9).await;
    let detail = refused("format").await;
    assert!(detail.contains("upgrade the data plane"), "{detail}");

    // Something that does not compile.
    let mut bad = document(&provider.url());
    bad.backends[0].url = Some("ftp://x".to_owned());
    writer.write(&bad, &[("key", "sk-bad")]).await;
    refused("unusable").await;
    assert_eq!(http(pod.status(), "GET", "/ready").await.unwrap().0, 200);
    assert_eq!(pod::complete(gateway).await, Ok(()));

    // Repaired.
    let repaired = writer
        .write(&document(&provider.url()), &[("key", "sk-three")])
        .await;
    eventually(Duration::from_secs(10), || async {
        let report = pod.report().await;
        match report["snapshot"] == repaired.version.as_str() && report["refused"].is_null() {
            true => Ok(()),
            false => Err(report.to_string()),
        }
    })
    .await;
    assert_eq!(pod::complete(gateway).await, Ok(()));
    assert_eq!(provider.last_key().as_deref(), Some("Bearer sk-three"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_api_server_may_go_and_come_back() {
    let cluster = Cluster::start().await;
    let space = cluster.space("away").await;
    let provider = Provider::start().await;
    let writer = Writer::new(&space, "main");
    writer.permit(&space).await;
    let good = writer
        .write(&document(&provider.url()), &[("key", "sk-one")])
        .await;
    let state = tempfile::tempdir().unwrap();
    let pod = Pod::start_in(&cluster, &writer, state.path());
    let gateway = pod.ready().await;
    let kept = state.path().join(format!("{}.snapshot", writer.base));
    eventually(SOON, || async {
        kept.metadata().map_err(|error| error.to_string())
    })
    .await;
    assert_eq!(
        std::os::unix::fs::MetadataExt::mode(&kept.metadata().unwrap()) & 0o777,
        0o600
    );

    let steady = pod::steady(gateway);
    cluster.kill_server();
    eventually(Duration::from_secs(20), || async {
        match pod
            .metrics()
            .await
            .contains("aigw_snapshot_failures_total{reason=\"unreachable\"}")
        {
            true => Ok(()),
            false => Err(pod.log()),
        }
    })
    .await;

    // A pod that starts now serves what was kept.
    let other = Pod::start_in(&cluster, &writer, state.path());
    let restarted = other.ready().await;
    assert_eq!(other.report().await["snapshot"], good.version.as_str());
    assert_eq!(pod::complete(restarted).await, Ok(()));
    // Without anything kept it goes on asking.
    let without = Pod::start(&cluster, &writer);
    eventually(START, || async {
        http(without.status(), "GET", "/health").await.map(|_| ())
    })
    .await;

    cluster.start_server().await;
    without.ready().await;
    let changed = writer
        .write(&document(&provider.url()), &[("key", "sk-two")])
        .await;
    for pod in [&pod, &other, &without] {
        eventually(Duration::from_secs(15), || async {
            let report = pod.report().await;
            match report["snapshot"] == changed.version.as_str() {
                true => Ok(()),
                false => Err(format!("{report} {}", pod.log())),
            }
        })
        .await;
    }
    let (served, failed) = steady.stop().await;
    assert!(served > 20, "{served}");
    assert_eq!(failed, Vec::<String>::new());
    assert!(
        pod.log().contains("the snapshot can be read again"),
        "{}",
        pod.log()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_readers_read_little() {
    use std::sync::Arc;

    use aigw_runtime::{Cluster as Reader, Status, Telemetry};

    let cluster = cluster().await;
    let space = cluster.space("many").await;
    let writer = Writer::new(&space, "main");
    let large = writer::large(500);
    let keys: Vec<(String, String)> = (0..200)
        .map(|n| (format!("key-{n}"), format!("sk-{n:064}")))
        .collect();
    let mut keys: Vec<(&str, &str)> = keys.iter().map(|(id, key)| (id.as_str(), key.as_str())).collect();
    writer.write(&large, &keys).await;
    let (tell, told) = tokio::sync::watch::channel(());
    let mut readers = tokio::task::JoinSet::new();
    let (have, mut had) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..100 {
        let name = writer.name();
        let status = Status::new(Telemetry::new(None, Box::new(std::io::sink())));
        let mut reader = Reader::new(cluster.user("many-reader"), name, None, Arc::clone(&status));
        let (mut told, have) = (told.clone(), have.clone());
        readers.spawn(async move {
            reader.next().await;
            have.send(()).unwrap();
            for _ in 0..3 {
                told.changed().await.unwrap();
                reader.next().await;
                have.send(()).unwrap();
            }
        });
    }
    writer.permit_user(&space, "many-reader").await;
    for _ in 0..100 {
        tokio::time::timeout(Duration::from_secs(60), had.recv())
            .await
            .unwrap()
            .unwrap();
    }
    let mut best = Duration::MAX;
    for key in ["sk-a", "sk-b", "sk-c"] {
        let before = cluster.audit("many-reader").len();
        tell.send(()).unwrap();
        keys[7].1 = key;
        let began = Instant::now();
        let sizes = writer.write_and_weigh(&large, &keys).await;
        for _ in 0..100 {
            had.recv().await.unwrap();
        }
        let took = began.elapsed();
        best = best.min(took);
        // What each of them was sent: the index by its watch, and the shards that it asked for.
        let audit = cluster.audit("many-reader");
        let gets: Vec<_> = audit[before..].iter().filter(|one| one.verb == "get").collect();
        let size = |name: &String| sizes.get(name).copied().unwrap_or(1 << 20);
        let shards: usize = gets.iter().map(|one| size(&one.name)).sum();
        let each = shards / 100 + sizes[&format!("{}-index", writer.base)];
        eprintln!("a changed key is at 100 readers after {took:?}; each was sent {each} bytes");
        assert!(each < 64 << 10, "{each}: {gets:?}");
    }
    // All of them and the API server share this machine, perhaps with others.
    assert!(best < SOON, "{best:?}");
    while readers.join_next().await.is_some() {}
}
