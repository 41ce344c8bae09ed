use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::google::rpc::Status;
use tokio::time::Instant;

use super::super::resources::Resources;
use super::*;

const GRACE: Duration = Duration::from_secs(60);

/// Resources by kind and name; what is in them is of no interest here.
fn resources(version: &str, all: &[(Kind, &str, &str)]) -> Arc<Resources> {
    let mut made = Resources::empty(&Arc::from(version));
    for (kind, name, content) in all {
        let content = Cluster {
            name: (*content).to_owned(),
            ..Cluster::default()
        };
        made.insert(*kind, (*name).to_owned(), content);
    }
    Arc::new(made)
}

const FIRST: &[(Kind, &str, &str)] = &[
    (Kind::Cluster, "a", "1"),
    (Kind::Endpoint, "a", "1"),
    (Kind::Listener, "main", "1"),
    (Kind::Route, "main", "1"),
];
const SECOND: &[(Kind, &str, &str)] = &[
    (Kind::Cluster, "b", "1"),
    (Kind::Listener, "main", "1"),
    (Kind::Route, "main", "2"),
];

/// An Envoy that asks as the real one does.
#[derive(Default)]
struct Envoy {
    session: Session,
    names: BTreeMap<Kind, Vec<String>>,
    nonces: BTreeMap<Kind, String>,
}

impl Envoy {
    fn ask(&mut self, kind: Kind, names: &[&str]) -> Option<Verdict> {
        self.names
            .insert(kind, names.iter().map(|&name| name.to_owned()).collect());
        self.say(kind, None)
    }

    fn say(&mut self, kind: Kind, refusal: Option<&str>) -> Option<Verdict> {
        self.session.request(DiscoveryRequest {
            type_url: kind.type_url().to_owned(),
            resource_names: self.names.get(&kind).cloned().unwrap_or_default(),
            response_nonce: self.nonces.get(&kind).cloned().unwrap_or_default(),
            error_detail: refusal.map(|message| Status {
                message: message.to_owned(),
                ..Status::default()
            }),
            ..DiscoveryRequest::default()
        })
    }

    /// The next response: kind, version and number of resources.
    fn next(&mut self) -> Option<(Kind, String, usize)> {
        let response = self.session.next()?;
        let kind = Kind::of(&response.type_url).unwrap();
        self.nonces.insert(kind, response.nonce);
        Some((kind, response.version_info, response.resources.len()))
    }

    /// Takes everything over.
    fn settle(&mut self) -> Vec<(Kind, String, usize)> {
        let mut all = Vec::new();
        while let Some(next) = self.next() {
            assert_eq!(self.say(next.0, None).unwrap().refusal, None);
            all.push(next);
        }
        all
    }
}

fn expected(all: &[(Kind, &str, usize)]) -> Vec<(Kind, String, usize)> {
    all.iter()
        .map(|&(kind, version, count)| (kind, version.to_owned(), count))
        .collect()
}

/// An Envoy that has the first version whole.
fn settled() -> (Envoy, Arc<Goal>) {
    let goal = Arc::new(Goal::first(resources("v1", FIRST)));
    let mut envoy = Envoy::default();
    envoy.session.aim(Arc::clone(&goal));
    envoy.ask(Kind::Cluster, &[]);
    envoy.ask(Kind::Listener, &[]);
    assert_eq!(
        envoy.settle(),
        expected(&[(Kind::Cluster, "v1", 1), (Kind::Listener, "v1", 1)])
    );
    assert_eq!(envoy.session.completed(), None);
    envoy.ask(Kind::Endpoint, &["a"]);
    envoy.ask(Kind::Route, &["main"]);
    assert_eq!(
        envoy.settle(),
        expected(&[(Kind::Endpoint, "v1", 1), (Kind::Route, "v1", 1)])
    );
    assert_eq!(envoy.session.completed(), Some(1));
    (envoy, goal)
}

#[test]
fn listeners_wait_until_clusters_are_answered() {
    let mut envoy = Envoy::default();
    envoy.session.aim(Arc::new(Goal::first(resources("v1", FIRST))));
    envoy.ask(Kind::Listener, &[]);
    assert_eq!(envoy.next(), None);
    envoy.ask(Kind::Cluster, &[]);
    assert_eq!(envoy.next().unwrap().0, Kind::Cluster);
    assert_eq!(envoy.next(), None);
    envoy.say(Kind::Cluster, None);
    assert_eq!(envoy.next().unwrap().0, Kind::Listener);
}

#[test]
fn clusters_come_before_and_go_after_what_uses_them() {
    let (mut envoy, goal) = settled();
    let now = Instant::now();
    let next = Arc::new(goal.followed_by(resources("v2", SECOND), now, GRACE));
    envoy.session.aim(Arc::clone(&next));
    assert_eq!(
        envoy.settle(),
        expected(&[(Kind::Cluster, "v2+before", 2), (Kind::Route, "v2", 1)])
    );
    assert_eq!(envoy.session.completed(), Some(2));
    assert!(next.expired(now).is_none());
    assert_eq!(next.expiry(), Some(now + GRACE));
    envoy.session.aim(Arc::new(next.expired(now + GRACE).unwrap()));
    assert_eq!(envoy.settle(), expected(&[(Kind::Cluster, "v2", 1)]));
}

#[test]
fn a_refused_version_is_followed_by_the_one_before() {
    let (mut envoy, goal) = settled();
    let bad = goal.followed_by(resources("v2", SECOND), Instant::now(), GRACE);
    envoy.session.aim(Arc::new(bad.clone()));
    assert_eq!(envoy.next().unwrap().0, Kind::Cluster);
    let verdict = envoy.say(Kind::Cluster, Some("no")).unwrap();
    assert_eq!(
        verdict,
        Verdict {
            kind: Kind::Cluster,
            sequence: 2,
            version: "v2+before".to_owned(),
            refusal: Some("no".to_owned())
        }
    );
    envoy.session.aim(Arc::new(bad.withdrawn_for(&goal)));
    assert_eq!(envoy.settle(), expected(&[(Kind::Cluster, "v1", 1)]));
    assert_eq!(envoy.session.completed(), Some(3));
}

#[test]
fn old_words_are_not_an_answer() {
    let (mut envoy, goal) = settled();
    let before = envoy.nonces.clone();
    envoy.session.aim(Arc::new(goal.followed_by(
        resources("v2", SECOND),
        Instant::now(),
        GRACE,
    )));
    envoy.next().unwrap();
    let current = std::mem::replace(&mut envoy.nonces, before);
    assert_eq!(envoy.say(Kind::Cluster, None), None);
    assert_eq!(envoy.next(), None);
    envoy.nonces = current;
    assert!(envoy.say(Kind::Cluster, None).is_some());
}

#[test]
fn who_asks_again_gets_it_again_and_once() {
    let (mut envoy, _) = settled();
    assert_eq!(envoy.ask(Kind::Endpoint, &["a"]), None);
    assert_eq!(envoy.settle(), expected(&[(Kind::Endpoint, "v1", 1)]));
    assert_eq!(envoy.ask(Kind::Endpoint, &[]), None);
    assert_eq!(envoy.settle(), expected(&[(Kind::Endpoint, "v1", 0)]));
}

#[test]
fn equal_versions_with_other_contents_are_told_apart() {
    let (_, goal) = settled();
    let again = goal.followed_by(resources("v1", SECOND), Instant::now(), Duration::ZERO);
    assert_eq!(again.version(Kind::Route), "v1.1");
    let other = again.followed_by(resources("v2", SECOND), Instant::now(), Duration::ZERO);
    assert_eq!(other.version(Kind::Route), "v2");
}
