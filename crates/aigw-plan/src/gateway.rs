//! Gateways as listeners of one process, and which routes are attached to which.

use std::collections::BTreeMap;

use aigw_api::{AIGatewayRoute, Gateway, GatewayListener, ParentReference};
use aigw_config::{Diagnostics, ListenerSpec};

use crate::index::{Index, Key, Placed, label};

/// A listener of a Gateway and what became of it.
#[derive(Debug)]
struct Door {
    gateway: Key,
    section: String,
    port: u16,
    hostname: Option<String>,
    /// `Same`, `All` or anything else, which lets no route in.
    from: String,
    /// Name of the listener of the document.
    listener: String,
}

/// All listeners.
#[derive(Debug, Default)]
pub(crate) struct Doors(Vec<Door>);

/// Where a route is served.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// Names of listeners; empty means all.
    pub(crate) listeners: Vec<String>,
    /// Host names; empty means all.
    pub(crate) hostnames: Vec<String>,
}

/// The document's listeners, one a port (listeners of one port differ by host name alone), and how routes find them.
pub(crate) fn doors(index: &Index, findings: &mut Diagnostics) -> (Vec<ListenerSpec>, Doors) {
    let mut by_port: BTreeMap<u16, ListenerSpec> = BTreeMap::new();
    let mut doors = Doors::default();
    for placed in index.gateways.values() {
        let object = label("Gateway", &placed.key);
        if placed.object.spec.listeners.is_empty() {
            findings.error(
                &placed.origin,
                object.as_str(),
                "spec.listeners",
                "there is none, so it serves nothing",
            );
        }
        for (at, listener) in placed.object.spec.listeners.iter().enumerate() {
            if listener.protocol != "HTTP" {
                let message = format!(
                    "protocol {} is not supported here yet; the listener is left out",
                    listener.protocol
                );
                findings.warn(
                    &placed.origin,
                    object.as_str(),
                    format!("spec.listeners[{at}]"),
                    message,
                );
                continue;
            }
            doors.0.push(open(placed, listener, &mut by_port));
        }
    }
    (by_port.into_values().collect(), doors)
}

fn open(
    placed: &Placed<Gateway>,
    listener: &GatewayListener,
    by_port: &mut BTreeMap<u16, ListenerSpec>,
) -> Door {
    let hostname = listener.hostname.clone().filter(|name| !name.is_empty());
    let spec = by_port.entry(listener.port).or_insert_with(|| ListenerSpec {
        name: format!("{}/{}", placed.key, listener.name),
        address: format!("127.0.0.1:{}", listener.port),
        tls: None,
        hostnames: Vec::new(),
        origin: placed.origin.clone(),
    });
    let from = listener
        .allowed_routes
        .as_ref()
        .and_then(|allowed| allowed.namespaces.as_ref())
        .and_then(|namespaces| namespaces.from.clone());
    Door {
        gateway: placed.key.clone(),
        section: listener.name.clone(),
        port: listener.port,
        hostname,
        from: from.unwrap_or_else(|| "Same".to_owned()),
        listener: spec.name.clone(),
    }
}

impl Doors {
    /// Where the route is served; `None`, after a finding, when nowhere. Without any Gateway in the input that is everywhere.
    pub(crate) fn attach(
        &self,
        route: &Placed<AIGatewayRoute>,
        index: &Index,
        findings: &mut Diagnostics,
    ) -> Option<Attachment> {
        let spec = &route.object.spec;
        let object = label("AIGatewayRoute", &route.key);
        let mut attached: Vec<&Door> = Vec::new();
        for (at, parent) in spec.parent_refs.iter().enumerate() {
            let gateway = route.key.beside(parent.namespace.as_deref(), &parent.name);
            let field = format!("spec.parentRefs[{at}]");
            if !index.gateways.contains_key(&gateway) {
                findings.warn(
                    &route.origin,
                    object.as_str(),
                    field,
                    format!("no Gateway is named \"{gateway}\""),
                );
                continue;
            }
            let before = attached.len();
            attached.extend(
                self.0
                    .iter()
                    .filter(|door| door.takes(&gateway, parent, &route.key)),
            );
            if attached.len() == before {
                let message = format!("no listener of Gateway \"{gateway}\" takes the route");
                findings.warn(&route.origin, object.as_str(), field, message);
            }
        }
        if index.gateways.is_empty() {
            return Some(Attachment {
                listeners: Vec::new(),
                hostnames: spec.hostnames.clone(),
            });
        }
        let attachment = meet(&attached, &spec.hostnames);
        if attachment.is_none() {
            let message = "is attached to no listener of the Gateways in the input, so it is left out";
            findings.warn(&route.origin, object, "spec.parentRefs", message);
        }
        attachment
    }
}

impl Door {
    fn takes(&self, gateway: &Key, parent: &ParentReference, route: &Key) -> bool {
        let from_here = match self.from.as_str() {
            "All" => true,
            "Same" => route.namespace == gateway.namespace,
            _ => false,
        };
        self.gateway == *gateway
            && from_here
            && parent
                .section_name
                .as_ref()
                .is_none_or(|name| *name == self.section)
            && parent.port.is_none_or(|port| port == self.port)
    }
}

/// Listeners and host names that both sides agree on.
fn meet(doors: &[&Door], hostnames: &[String]) -> Option<Attachment> {
    let mut out = Attachment::default();
    let mut everywhere = false;
    for door in doors {
        let common = match (&door.hostname, hostnames) {
            (None, names) => names.to_vec(),
            (Some(own), []) => vec![own.clone()],
            (Some(own), names) => {
                let common: Vec<String> = names.iter().filter_map(|name| intersection(own, name)).collect();
                if common.is_empty() {
                    continue;
                }
                common
            }
        };
        everywhere |= common.is_empty();
        if !out.listeners.contains(&door.listener) {
            out.listeners.push(door.listener.clone());
        }
        for name in common {
            if !out.hostnames.contains(&name) {
                out.hostnames.push(name);
            }
        }
    }
    if everywhere {
        out.hostnames.clear();
    }
    (!out.listeners.is_empty()).then_some(out)
}

/// The more specific of two host names when one covers the other.
fn intersection(a: &str, b: &str) -> Option<String> {
    let covers = |wide: &str, narrow: &str| {
        wide == narrow
            || wide
                .strip_prefix('*')
                .is_some_and(|suffix| narrow.len() > suffix.len() && narrow.ends_with(suffix))
    };
    if covers(a, b) {
        Some(b.to_owned())
    } else if covers(b, a) {
        Some(a.to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_meet_at_the_more_specific_one() {
        let rows = [
            ("*.example.com", "a.example.com", Some("a.example.com")),
            ("a.example.com", "*.example.com", Some("a.example.com")),
            ("*.example.com", "*.b.example.com", Some("*.b.example.com")),
            ("a.example.com", "a.example.com", Some("a.example.com")),
            ("*.example.com", "example.com", None),
            ("a.example.com", "b.example.com", None),
        ];
        for (a, b, expected) in rows {
            assert_eq!(intersection(a, b).as_deref(), expected, "{a} {b}");
        }
    }
}
