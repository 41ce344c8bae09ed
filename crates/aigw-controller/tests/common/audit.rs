//! What the API server's audit log says of a user.

use serde_json::Value;

use super::cluster::Cluster;

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Audited {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub verb: String,
    /// Group of the resource, empty for the core's.
    pub group: String,
    /// Plural name, with the subresource after a slash.
    pub resource: String,
    /// Namespace of the object, empty for the cluster's.
    pub namespace: String,
    /// Name of the object, empty for lists.
    pub name: String,
    /// HTTP status of the answer.
    pub code: u64,
}

impl Audited {
    /// Whether it changes something.
    pub fn writes(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

impl Cluster {
    /// What `user` has asked so far, in the order of the answers; watches when they begin.
    pub fn audit(&self, user: &str) -> Vec<Audited> {
        let text = std::fs::read_to_string(self.folder().join("audit.log")).unwrap_or_default();
        // The last line may be half written.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|event| event["user"]["username"] == user)
            .filter(|event| event["verb"] != "watch" || event["stage"] == "ResponseStarted")
            .map(|event| audited(&event))
            .collect()
    }
}

fn audited(event: &Value) -> Audited {
    let text = |pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let subresource = text("/objectRef/subresource");
    let mut resource = text("/objectRef/resource");
    if !subresource.is_empty() {
        resource = format!("{resource}/{subresource}");
    }
    Audited {
        verb: text("/verb"),
        group: text("/objectRef/apiGroup"),
        resource,
        namespace: text("/objectRef/namespace"),
        name: text("/objectRef/name"),
        code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
    }
}
