//! Gateways as listeners of one process, and which routes are attached to which.

use std::collections::BTreeMap;

use aigw_api::condition::reason;
use aigw_api::{AIGatewayRoute, Gateway, GatewayListener};
use aigw_config::ListenerSpec;

use crate::door::{Allowed, Door};
use crate::finding::{Cause, Findings};
use crate::index::{Index, Placed};

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
pub(crate) fn doors(index: &Index<'_>, findings: &mut Findings) -> (Vec<ListenerSpec>, Doors) {
    let mut by_port: BTreeMap<u16, ListenerSpec> = BTreeMap::new();
    let mut doors = Doors::default();
    for placed in index.gateways.values() {
        if placed.object.spec.listeners.is_empty() {
            let message = "there is none, so it serves nothing";
            findings.error(placed.subject(), Cause::INVALID, "spec.listeners", message);
        }
        for (at, listener) in placed.object.spec.listeners.iter().enumerate() {
            if listener.protocol != "HTTP" {
                let message = format!(
                    "protocol {} is not supported here yet; the listener is left out",
                    listener.protocol
                );
                let cause = Cause::accepted(reason::UNSUPPORTED_PROTOCOL);
                findings.warn(placed.subject(), cause, format!("spec.listeners[{at}]"), message);
                continue;
            }
            doors.0.push(open(placed, listener, &mut by_port));
        }
    }
    (by_port.into_values().collect(), doors)
}

fn open(
    placed: &Placed<'_, Gateway>,
    listener: &GatewayListener,
    by_port: &mut BTreeMap<u16, ListenerSpec>,
) -> Door {
    let spec = by_port.entry(listener.port).or_insert_with(|| ListenerSpec {
        name: format!("{}/{}", placed.key, listener.name),
        address: format!("127.0.0.1:{}", listener.port),
        tls: None,
        hostnames: Vec::new(),
        origin: placed.origin.clone(),
    });
    Door {
        gateway: placed.key.clone(),
        section: listener.name.clone(),
        port: listener.port,
        hostname: listener.hostname.clone().filter(|name| !name.is_empty()),
        allowed: Allowed::of(listener).unwrap_or(Allowed::None),
        listener: spec.name.clone(),
    }
}

impl Doors {
    /// Where the route is served; `None`, after a finding, when nowhere. Without any Gateway in the input that is everywhere.
    pub(crate) fn attach(
        &self,
        route: &Placed<'_, AIGatewayRoute>,
        index: &Index<'_>,
        findings: &mut Findings,
    ) -> Option<Attachment> {
        let spec = &route.object.spec;
        let nowhere = Cause::accepted(reason::NO_MATCHING_PARENT);
        let mut attached: Vec<&Door> = Vec::new();
        for (at, parent) in spec.parent_refs.iter().enumerate() {
            let gateway = route.key.beside(parent.namespace.as_deref(), &parent.name);
            let field = format!("spec.parentRefs[{at}]");
            if !index.gateways.contains_key(&gateway) {
                let message = format!("no Gateway is named \"{gateway}\"");
                findings.warn(route.subject(), nowhere, field, message);
                continue;
            }
            let before = attached.len();
            attached.extend(self.0.iter().filter(|door| {
                // Namespaces are not in the input, so their labels are not known.
                let allowed = door.allowed.takes(&gateway.namespace, &route.key.namespace, None);
                allowed && door.is_meant(&gateway, parent)
            }));
            if attached.len() == before {
                let message = format!("no listener of Gateway \"{gateway}\" takes the route");
                findings.warn(route.subject(), nowhere, field, message);
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
            findings.warn(route.subject(), nowhere, "spec.parentRefs", message);
        }
        attachment
    }
}

/// Listeners and host names that both sides agree on.
fn meet(doors: &[&Door], hostnames: &[String]) -> Option<Attachment> {
    let mut out = Attachment::default();
    let mut everywhere = false;
    for door in doors {
        let Some(common) = door.hostnames(hostnames) else {
            continue;
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
