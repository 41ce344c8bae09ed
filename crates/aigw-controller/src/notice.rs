//! Events: conditions that turned, where people look for them (`kubectl describe`).

use aigw_api::condition::reason;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::core::ApiResource;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tracing::debug;

use crate::status::Turn;
use crate::table::Key;
use crate::term::Right;

/// Conditions whose turns people care about. The others follow from them.
const TOLD: [&str; 4] = ["Accepted", "ResolvedRefs", "CredentialsReady", "Programmed"];
/// Most Events of one pass: a Gateway that goes down turns a condition of every route, and one Event says it as well.
pub(crate) const AT_MOST: usize = 50;

/// Publishes Events.
#[derive(Clone)]
pub(crate) struct Notices {
    recorder: Recorder,
    right: Right,
}

impl Notices {
    pub(crate) fn new(client: Client, controller: &str, identity: &str, right: Right) -> Self {
        let reporter = Reporter {
            controller: controller.to_owned(),
            instance: Some(identity.to_owned()),
        };
        Self {
            recorder: Recorder::new(client, reporter),
            right,
        }
    }

    /// Tells of one condition; one that could not be told is not told again.
    pub(crate) async fn tell(&self, object: &ObjectReference, kind: EventType, reason: &str, note: &str) {
        let event = Event {
            type_: kind,
            reason: reason.to_owned(),
            note: Some(note.chars().take(1000).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let published = self.right.write(self.recorder.publish(&event, object)).await;
        if let Err(error) = published {
            debug!("an event was not published: {error}");
        }
    }
}

/// What is worth an Event, and of which sort. A condition that holds from the first is as it should be.
pub(crate) fn worth_telling(turns: &[Turn]) -> Option<(EventType, String, String)> {
    let told = |turn: &&Turn| TOLD.contains(&turn.condition.as_str());
    // That nothing serves a new object yet is no news.
    let waits = |turn: &&Turn| {
        let served = turn.before.as_deref() == Some("True");
        turn.condition == "Programmed" && !served && turn.reason != reason::REJECTED
    };
    let bad = turns
        .iter()
        .filter(told)
        .find(|turn| turn.now == "False" && !waits(turn));
    if let Some(bad) = bad {
        let note = format!("{} is False: {}", bad.condition, bad.message);
        return Some((EventType::Warning, bad.reason.clone(), note));
    }
    let good = turns.iter().filter(told).rfind(|turn| {
        let again = turn.before.as_deref() == Some("False");
        turn.now == "True" && (again || turn.condition == "Programmed")
    })?;
    let note = format!("{} is True: {}", good.condition, good.message);
    Some((EventType::Normal, good.reason.clone(), note))
}

/// The object that an Event is about.
pub(crate) fn reference(resource: &ApiResource, (namespace, name): &Key, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(resource.api_version.clone()),
        kind: Some(resource.kind.clone()),
        name: Some(name.clone()),
        namespace: (!namespace.is_empty()).then(|| namespace.clone()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn turn(condition: &str, before: Option<&str>, now: &str, reason: &str) -> Turn {
        Turn {
            condition: condition.to_owned(),
            before: before.map(str::to_owned),
            now: now.to_owned(),
            reason: reason.to_owned(),
            message: "m".to_owned(),
        }
    }

    #[test]
    fn what_breaks_and_what_is_mended_is_told_and_waiting_is_not() {
        let said = |turns: &[Turn]| worth_telling(turns).map(|(kind, reason, _)| (kind, reason));
        let warning = |reason: &str| Some((EventType::Warning, reason.to_owned()));
        let normal = |reason: &str| Some((EventType::Normal, reason.to_owned()));
        let accepted = turn("Accepted", None, "True", "Accepted");
        let waiting = turn("Programmed", Some("Unknown"), "False", "NoReadyPods");
        assert_eq!(said(&[accepted.clone(), waiting]), None);
        let down = turn("Programmed", Some("True"), "False", "NoReadyPods");
        assert_eq!(said(&[down]), warning("NoReadyPods"));
        let refused = turn("Programmed", Some("Unknown"), "False", "Rejected");
        assert_eq!(said(&[refused]), warning("Rejected"));
        let missing = turn("ResolvedRefs", None, "False", "BackendNotFound");
        assert_eq!(said(&[accepted, missing]), warning("BackendNotFound"));
        let mended = turn("ResolvedRefs", Some("False"), "True", "ResolvedRefs");
        assert_eq!(said(&[mended]), normal("ResolvedRefs"));
        let serves = turn("Programmed", Some("Unknown"), "True", "Programmed");
        assert_eq!(said(&[serves]), normal("Programmed"));
    }
}
