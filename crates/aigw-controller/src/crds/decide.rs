//! Whether a definition that is installed gives way to ours: when it is older and nothing is lost by it.

use std::collections::BTreeSet;

use aigw_api::{CRDS_ANNOTATION, GATEWAY_GROUP, STAND_IN_ANNOTATION};
use serde_json::Value;

const BUNDLE_VERSION: &str = "gateway.networking.k8s.io/bundle-version";
const CHANNEL: &str = "gateway.networking.k8s.io/channel";

/// What is done with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is none: ours is made.
    Create,
    /// The one that is there is older: ours takes its place.
    Update,
    /// The one that is there is of this release.
    Current,
    /// The one that is there stays, for the reason that is said.
    Keep(String),
}

/// What is done with `ours`, where `installed` is there.
pub fn decide(installed: Option<&Value>, ours: &Value) -> Decision {
    let Some(installed) = installed else {
        return Decision::Create;
    };
    let decision = if text(ours, "/spec/group") == GATEWAY_GROUP {
        gateway_api(installed, ours)
    } else if annotation(ours, STAND_IN_ANNOTATION).is_some()
        && annotation(installed, STAND_IN_ANNOTATION).is_none()
    {
        Decision::Keep("it is Envoy Gateway's own".to_owned())
    } else {
        match annotation(installed, CRDS_ANNOTATION) {
            Some(_) => by_version(installed, ours, CRDS_ANNOTATION),
            None => foreign(installed, ours),
        }
    };
    match (decision, forgotten_version(installed, ours)) {
        (Decision::Update, Some(version)) => Decision::Keep(format!(
            "objects may be stored as {version}, which this release does not have; see `status.storedVersions`"
        )),
        (decision, _) => decision,
    }
}

fn gateway_api(installed: &Value, ours: &Value) -> Decision {
    match annotation(installed, CHANNEL) {
        Some("standard") => by_version(installed, ours, BUNDLE_VERSION),
        Some(channel) => Decision::Keep(format!("it is of Gateway API's {channel} channel")),
        None => Decision::Keep("it does not say of which release of Gateway API it is".to_owned()),
    }
}

fn by_version(installed: &Value, ours: &Value, name: &str) -> Decision {
    let said = annotation(installed, name).unwrap_or_default();
    let there = Version::of(said);
    let brought = annotation(ours, name).and_then(Version::of);
    match there.zip(brought) {
        Some((there, brought)) if there < brought => Decision::Update,
        Some((there, brought)) if there == brought => Decision::Current,
        Some(_) => Decision::Keep(format!("it is newer, of {said}")),
        None => Decision::Keep(format!("its release \"{said}\" cannot be compared with this one")),
    }
}

/// One of another installation: ours has all that the known ones have, and more. One with fields that ours lacks stays.
fn foreign(installed: &Value, ours: &Value) -> Decision {
    let mut lost = BTreeSet::new();
    for version in versions(installed) {
        let schema = "/schema/openAPIV3Schema";
        let name = text(version, "/name");
        let same = versions(ours).find(|one| text(one, "/name") == name);
        if let Some((there, brought)) = version
            .pointer(schema)
            .zip(same.and_then(|one| one.pointer(schema)))
        {
            lacking(there, brought, "", &mut lost);
        }
    }
    match lost.first() {
        None => Decision::Update,
        Some(field) => Decision::Keep(format!(
            "it has {} fields that this release does not know, such as {field}",
            lost.len()
        )),
    }
}

/// Collects the fields of `there` that `brought` would prune.
fn lacking(there: &Value, brought: &Value, path: &str, lost: &mut BTreeSet<String>) {
    if brought["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    for (name, schema) in there["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        // These need not be said.
        if path == ".apiVersion" || path == ".kind" || path == ".metadata" {
            continue;
        }
        match brought["properties"].get(name) {
            Some(same) => lacking(schema, same, &path, lost),
            None => {
                lost.insert(path);
            }
        }
    }
    for inner in ["items", "additionalProperties"] {
        if there[inner].is_object() {
            lacking(&there[inner], &brought[inner], &format!("{path}[]"), lost);
        }
    }
}

/// A version that objects may be stored as and that `ours` lacks: the API server would refuse ours.
fn forgotten_version(installed: &Value, ours: &Value) -> Option<String> {
    let stored = installed.pointer("/status/storedVersions")?.as_array()?;
    let stored = stored.iter().filter_map(Value::as_str);
    let mut stored = stored.filter(|name| !versions(ours).any(|one| text(one, "/name") == *name));
    stored.next().map(str::to_owned)
}

fn versions(definition: &Value) -> impl Iterator<Item = &Value> {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    versions.into_iter().flatten()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn annotation<'a>(definition: &'a Value, name: &str) -> Option<&'a str> {
    definition["metadata"]["annotations"].get(name)?.as_str()
}

/// A release; one before it (`-rc1`) is older.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    numbers: [u64; 3],
    released: bool,
    before: String,
}

impl Version {
    fn of(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (numbers, before) = text.split_once('-').map_or((text, ""), |pair| pair);
        let numbers: Vec<u64> = numbers
            .split('.')
            .map(|one| one.parse().ok())
            .collect::<Option<_>>()?;
        Some(Self {
            numbers: numbers.try_into().ok()?,
            released: before.is_empty(),
            before: before.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::crds::all;

    fn ours(name: &str) -> Value {
        all()
            .unwrap()
            .into_iter()
            .find(|one| one.name() == name)
            .unwrap()
            .object
    }

    fn with(mut definition: Value, name: &str, value: &str) -> Value {
        definition["metadata"]["annotations"][name] = value.into();
        definition
    }

    fn kept(decision: Decision, reason: &str) {
        match decision {
            Decision::Keep(said) if said.contains(reason) => {}
            other => unreachable!("{other:?} is not kept because {reason}"),
        }
    }

    #[test]
    fn our_own_give_way_to_newer_ones_alone() {
        let ours = ours("aigatewayroutes.aigateway.envoyproxy.io");
        assert_eq!(decide(None, &ours), Decision::Create);
        assert_eq!(decide(Some(&ours), &ours), Decision::Current);
        for (version, older) in [
            ("0.0.9", true),
            ("0.1.0-rc1", true),
            ("0.1.1", false),
            ("10.0.0", false),
        ] {
            let there = with(ours.clone(), CRDS_ANNOTATION, version);
            match older {
                true => assert_eq!(decide(Some(&there), &ours), Decision::Update, "{version}"),
                false => kept(decide(Some(&there), &ours), "it is newer"),
            }
        }
        kept(
            decide(Some(&with(ours.clone(), CRDS_ANNOTATION, "main")), &ours),
            "cannot be compared",
        );
    }

    #[test]
    fn those_of_another_installation_give_way_unless_something_would_be_lost() {
        let ours = ours("aiservicebackends.aigateway.envoyproxy.io");
        let mut there = ours.clone();
        there["metadata"]["annotations"] = json!({});
        let fields = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
        there
            .pointer_mut(fields)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove("provider");
        assert_eq!(decide(Some(&there), &ours), Decision::Update);
        there.pointer_mut(fields).unwrap()["schema"]["properties"]["tune"] = json!({"type": "string"});
        kept(
            decide(Some(&there), &ours),
            "1 fields that this release does not know, such as .spec.schema.tune",
        );
    }

    #[test]
    fn a_version_that_objects_are_stored_as_is_not_taken_away() {
        let ours = ours("aiservicebackends.aigateway.envoyproxy.io");
        let mut there = with(ours.clone(), CRDS_ANNOTATION, "0.0.1");
        there["status"] = json!({"storedVersions": ["v1beta1", "v1alpha0"]});
        kept(decide(Some(&there), &ours), "stored as v1alpha0");
    }

    #[test]
    fn gateway_api_is_renewed_within_its_channel() {
        let ours = ours("gateways.gateway.networking.k8s.io");
        assert_eq!(
            decide(Some(&with(ours.clone(), BUNDLE_VERSION, "v1.4.0")), &ours),
            Decision::Update
        );
        assert_eq!(decide(Some(&ours), &ours), Decision::Current);
        kept(
            decide(Some(&with(ours.clone(), BUNDLE_VERSION, "v1.6.0")), &ours),
            "it is newer",
        );
        let experimental = with(
            with(ours.clone(), BUNDLE_VERSION, "v1.4.0"),
            CHANNEL,
            "experimental",
        );
        kept(decide(Some(&experimental), &ours), "experimental channel");
    }

    #[test]
    fn stand_ins_never_take_the_place_of_what_they_stand_in_for() {
        let ours = ours("backends.gateway.envoyproxy.io");
        let mut there = ours.clone();
        there["metadata"]["annotations"] = json!({});
        kept(decide(Some(&there), &ours), "Envoy Gateway's own");
        assert_eq!(
            decide(Some(&with(ours.clone(), CRDS_ANNOTATION, "0.0.1")), &ours),
            Decision::Update
        );
    }
}
