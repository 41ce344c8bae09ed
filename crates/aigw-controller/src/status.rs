//! From the status that the plan wants to the one that is written: times of transition, and what other controllers wrote.

use serde_json::{Map, Value};

/// The status to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settled {
    /// The status.
    pub(crate) value: Value,
    /// Conditions whose status is another one than before.
    pub(crate) turned: Vec<Turn>,
    /// Whether it holds entries of other controllers, which a write must not overtake.
    pub(crate) shared: bool,
}

/// A condition that turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Type of the condition.
    pub(crate) condition: String,
    /// Its status before, if it was there.
    pub(crate) before: Option<String>,
    /// Its status now.
    pub(crate) now: String,
    /// Its reason now.
    pub(crate) reason: String,
    /// Its message now.
    pub(crate) message: String,
}

/// Lists of which each controller keeps its own entries.
const SHARED: [(&str, &str); 2] = [("parents", "parentRef"), ("ancestors", "ancestorRef")];

/// `wanted` beside what is there. `now` is the time in RFC 3339; `controller` names the entries that are ours.
pub(crate) fn settle(wanted: &Value, there: &Value, controller: &str, now: &str) -> Settled {
    let mut settled = Settled {
        value: Value::Null,
        turned: Vec::new(),
        shared: false,
    };
    settled.value = settled.object(wanted, there, controller, now);
    settled
}

impl Settled {
    fn object(&mut self, wanted: &Value, there: &Value, controller: &str, now: &str) -> Value {
        let Value::Object(members) = wanted else {
            return wanted.clone();
        };
        let mut out = Map::new();
        for (name, value) in members {
            let before = there.get(name).unwrap_or(&Value::Null);
            let value = match value {
                Value::Array(items) if name == "conditions" => self.conditions(items, before, now),
                Value::Array(items) => self.list(name, items, before, controller, now),
                Value::Object(_) => self.object(value, before, controller, now),
                other => other.clone(),
            };
            out.insert(name.clone(), value);
        }
        Value::Object(out)
    }

    fn conditions(&mut self, wanted: &[Value], there: &Value, now: &str) -> Value {
        let text = |value: &Value, member: &str| {
            value
                .get(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let mut out = Vec::new();
        for condition in wanted {
            let kind = text(condition, "type");
            let before = items(there).iter().find(|one| text(one, "type") == kind);
            let same = before.filter(|one| one.get("status") == condition.get("status"));
            let time = same
                .and_then(|one| one.get("lastTransitionTime").cloned())
                .unwrap_or_else(|| Value::from(now));
            if same.is_none() {
                self.turned.push(Turn {
                    before: before.map(|one| text(one, "status")),
                    now: text(condition, "status"),
                    reason: text(condition, "reason"),
                    message: text(condition, "message"),
                    condition: kind,
                });
            }
            let mut condition = condition.clone();
            if let Value::Object(members) = &mut condition {
                members.insert("lastTransitionTime".to_owned(), time);
            }
            out.push(condition);
        }
        Value::Array(out)
    }

    fn list(&mut self, name: &str, wanted: &[Value], there: &Value, controller: &str, now: &str) -> Value {
        let reference = SHARED
            .iter()
            .find(|(list, _)| *list == name)
            .map(|(_, member)| *member);
        let mut out = Vec::new();
        if reference.is_some() {
            let others = items(there)
                .iter()
                .filter(|one| one.get("controllerName").and_then(Value::as_str) != Some(controller));
            out.extend(others.cloned());
            self.shared |= !out.is_empty();
        }
        for item in wanted {
            let is_it = |one: &&Value| match reference {
                Some(member) => {
                    one.get(member) == item.get(member)
                        && one.get("controllerName") == item.get("controllerName")
                }
                None => item.get("name").is_some() && one.get("name") == item.get("name"),
            };
            let before = items(there).iter().find(is_it).unwrap_or(&Value::Null);
            out.push(self.object(item, before, controller, now));
        }
        Value::Array(out)
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn condition(kind: &str, status: &str) -> Value {
        json!({"type": kind, "status": status, "reason": "R", "message": "m"})
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let wanted = json!({"conditions": [condition("Accepted", "True"), condition("Programmed", "False")],
            "listeners": [{"name": "a", "conditions": [condition("Programmed", "True")]}]});
        let first = settle(&wanted, &Value::Null, "us", "T1");
        assert_eq!(first.turned.len(), 3);
        let second = settle(&wanted, &first.value, "us", "T2");
        assert_eq!(second.value, first.value);
        assert!(second.turned.is_empty());

        let turned = json!({"conditions": [condition("Accepted", "True"), condition("Programmed", "True")],
            "listeners": [{"name": "b", "conditions": [condition("Programmed", "True")]}]});
        let third = settle(&turned, &first.value, "us", "T3");
        assert_eq!(third.value["conditions"][0]["lastTransitionTime"], "T1");
        assert_eq!(third.value["conditions"][1]["lastTransitionTime"], "T3");
        assert_eq!(
            third.value["listeners"][0]["conditions"][0]["lastTransitionTime"],
            "T3"
        );
        assert_eq!(third.turned[0].before.as_deref(), Some("False"));
        assert_eq!((third.turned.len(), third.turned[1].before.as_deref()), (2, None));
    }

    #[test]
    fn entries_of_other_controllers_stay() {
        let theirs = json!({"parentRef": {"name": "g"}, "controllerName": "them", "conditions": [condition("Accepted", "False")]});
        let ours = json!({"parentRef": {"name": "g"}, "controllerName": "us", "conditions": [condition("Accepted", "True")]});
        let stale = json!({"parentRef": {"name": "gone"}, "controllerName": "us", "conditions": []});
        let there = json!({"parents": [theirs, stale]});
        let settled = settle(&json!({"parents": [ours]}), &there, "us", "T1");
        assert!(settled.shared);
        let parents = settled.value["parents"].as_array().unwrap();
        assert_eq!(parents.len(), 2, "{parents:?}");
        assert_eq!(parents[0], theirs);
        assert_eq!(parents[1]["conditions"][0]["lastTransitionTime"], "T1");
        let empty = settle(&json!({"parents": []}), &there, "us", "T1");
        assert_eq!(empty.value, json!({"parents": [theirs]}));
    }
}
