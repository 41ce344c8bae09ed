//! The Secrets of one gateway's snapshot. Their bytes go straight into a type that prints nothing; the client's own parser
//! would log what it cannot read.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aigw_config::shard::{INDEX_KEY, Payload, Place, SHARD_KEY, ShardError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use kube::Client;
use kube::api::{GetParams, WatchEvent, WatchParams};
use kube::core::Request;
use serde::{Deserialize, Deserializer, de};

use super::problem::Problem;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a watch goes on, in seconds.
const WATCH: u32 = 240;

/// Where a snapshot lies: `NAMESPACE/BASE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotName {
    /// Namespace of the Gateway.
    pub namespace: String,
    /// What the names of its Secrets begin with ([`aigw_config::shard::base`]).
    pub base: String,
}

impl FromStr for SnapshotName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |part: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
            !part.is_empty() && part.len() <= 253 && part.chars().all(plain)
        };
        match text.split_once('/') {
            Some((namespace, base)) if is_name(namespace) && is_name(base) => Ok(Self {
                namespace: namespace.to_owned(),
                base: base.to_owned(),
            }),
            _ => Err("write NAMESPACE/BASE, such as default/aigw-main".to_owned()),
        }
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.base)
    }
}

/// A Secret, as far as it counts here.
#[derive(Clone, Deserialize)]
pub(super) struct Stored {
    #[serde(default)]
    data: HashMap<String, Bytes>,
}

#[derive(Clone)]
struct Bytes(Payload);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = zeroize::Zeroizing::new(String::deserialize(deserializer)?);
        match STANDARD.decode(text.as_bytes()) {
            Ok(bytes) => Ok(Self(Payload::new(bytes))),
            Err(_) => Err(de::Error::custom("is not Base64")),
        }
    }
}

/// Something that happened to the index.
pub(super) enum Seen {
    /// It is so now.
    Is(Stored),
    /// Nothing of interest.
    Nothing,
    /// The watch is over; look again.
    Over,
}

/// Reads the Secrets of one snapshot.
#[derive(Clone)]
pub(super) struct Store {
    client: Client,
    name: SnapshotName,
    secrets: Request,
}

impl Store {
    pub(super) fn new(client: Client, name: SnapshotName) -> Self {
        let secrets = Request::new(format!("/api/v1/namespaces/{}/secrets", name.namespace));
        Self {
            client,
            name,
            secrets,
        }
    }

    pub(super) fn name(&self, place: Place) -> String {
        place.name(&self.name.base)
    }

    /// The Secret at `place`.
    pub(super) async fn get(&self, place: Place) -> Result<Stored, Problem> {
        let name = self.name(place);
        let request = self
            .secrets
            .get(&name, &GetParams::default())
            .map_err(|error| Problem::Unreachable(error.to_string()))?;
        let asked = tokio::time::timeout(PATIENCE, self.client.request_text(request)).await;
        let text = match asked {
            Err(_) => return Err(Problem::Unreachable(format!("no answer within {PATIENCE:?}"))),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => return Err(Problem::Missing(name)),
            Ok(Err(error)) => return Err(error.into()),
            Ok(Ok(text)) => zeroize::Zeroizing::new(text),
        };
        // The parser's message may show what it read.
        serde_json::from_str(&text).map_err(|_| self.unusable(place, "it cannot be read"))
    }

    /// What the Secret at `place` holds.
    pub(super) fn bytes(&self, place: Place, stored: &Stored) -> Result<Payload, Problem> {
        let key = match place {
            Place::Index => INDEX_KEY,
            Place::Slot(_) => SHARD_KEY,
        };
        match stored.data.get(key) {
            Some(bytes) => Ok(bytes.0.clone()),
            None => Err(self.unusable(place, &format!("it has no `{key}`"))),
        }
    }

    /// Watches the index. It begins with what is there: a version to begin from would have to be recent, and that of an index
    /// that has not changed for long is not.
    pub(super) async fn watch(&self) -> Result<BoxStream<'static, Result<Seen, Problem>>, Problem> {
        let name = self.name(Place::Index);
        let params = WatchParams::default()
            .fields(&format!("metadata.name={name}"))
            .timeout(WATCH);
        let request = self
            .secrets
            .watch(&params, "")
            .map_err(|error| Problem::Unreachable(error.to_string()))?;
        let opened = tokio::time::timeout(PATIENCE, self.client.request_events::<Stored>(request)).await;
        let events = opened.map_err(|_| Problem::Unreachable(format!("no watch within {PATIENCE:?}")))??;
        Ok(seen(events, name))
    }

    fn unusable(&self, place: Place, problem: &str) -> Problem {
        Problem::Unusable {
            name: self.name(place),
            error: ShardError::Damaged {
                what: "its content".to_owned(),
                problem: problem.to_owned(),
            },
        }
    }
}

fn seen(
    events: impl Stream<Item = kube::Result<WatchEvent<Stored>>> + Send + 'static,
    name: String,
) -> BoxStream<'static, Result<Seen, Problem>> {
    let seen = events.map(move |event| match event? {
        WatchEvent::Added(stored) | WatchEvent::Modified(stored) => Ok(Seen::Is(stored)),
        WatchEvent::Deleted(_) => Err(Problem::Missing(name.clone())),
        WatchEvent::Bookmark(_) => Ok(Seen::Nothing),
        WatchEvent::Error(status) if status.code == 410 => Ok(Seen::Over),
        WatchEvent::Error(status) => Err(kube::Error::Api(status).into()),
    });
    seen.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_named_by_namespace_and_base() {
        let name: SnapshotName = "team-a/aigw-main".parse().unwrap();
        assert_eq!(
            (name.namespace.as_str(), name.base.as_str()),
            ("team-a", "aigw-main")
        );
        assert_eq!(name.to_string(), "team-a/aigw-main");
        for bad in ["aigw-main", "a/", "/b", "a/b/c", "A/b", "a/b?x"] {
            assert!(bad.parse::<SnapshotName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_secret_holds_is_not_shown_by_errors() {
        for json in [
            r#"{"metadata":{},"data":{"shard":"c2stc2VjcmV0!"}}"#,
            r#"{"metadata":{},"data":{"shard":["c2stc2VjcmV0"]}}"#,
        ] {
            let error = serde_json::from_str::<Stored>(json).err().unwrap().to_string();
            assert!(!error.contains("c2st"), "{error}");
        }
    }
}
