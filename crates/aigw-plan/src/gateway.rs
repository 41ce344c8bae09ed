//! Gateways as listeners of one process, and which routes are attached to which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aigw_api::condition::reason;
use aigw_api::{AIGatewayRoute, Gateway};
use aigw_config::{CredentialSpec, Credentials, ListenerSpec, ListenerTls};

use crate::certificate::Certificates;
use crate::door::{Allowed, Door};
use crate::finding::{Cause, Findings};
use crate::index::{Index, Placed};
use crate::listener::{self, Looked};

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

/// The document's listeners, one a port (listeners of one port differ by host name alone), their certificates, and how routes
/// find them. Where a certificate cannot be served, those who serve it say so.
pub(crate) fn doors(
    index: &Index<'_>,
    credentials: &mut Credentials,
    specs: &mut Vec<CredentialSpec>,
    findings: &mut Findings,
) -> (Vec<ListenerSpec>, Doors) {
    let certificates = Certificates {
        index,
        in_service: &Credentials::default(),
        check: |_, _| Ok(()),
    };
    let mut by_port: BTreeMap<u16, ListenerSpec> = BTreeMap::new();
    let mut doors = Doors::default();
    for placed in index.gateways.values() {
        if placed.object.spec.listeners.is_empty() {
            let message = "there is none, so it serves nothing";
            findings.error(placed.subject(), Cause::INVALID, "spec.listeners", message);
        }
        let looked = listener::all(placed, certificates, &mut BTreeSet::new());
        for (at, one) in looked.iter().enumerate() {
            let field = format!("spec.listeners[{at}]");
            note(placed, one, &field, findings);
            let Some(door) = one.door.as_ref().filter(|_| one.serves()) else {
                continue;
            };
            let tls: Vec<_> = one.certificate_specs().collect();
            let spec = by_port
                .entry(door.port)
                .or_insert_with(|| open(placed, one, !tls.is_empty()));
            match &mut spec.tls {
                Some(of_port) if !tls.is_empty() => of_port.certificates.extend(tls),
                None if tls.is_empty() => {}
                _ => {
                    let message = format!(
                        "port {} has another protocol in listener {}; the listener is left out",
                        door.port, spec.name
                    );
                    let cause = Cause::accepted(reason::PROTOCOL_CONFLICT);
                    findings.warn(placed.subject(), cause, field, message);
                    continue;
                }
            }
            for certificate in &one.certificates {
                certificate.put(&placed.origin, credentials, specs);
            }
            if one.takes_routes {
                doors.0.push(Door {
                    listener: spec.name.clone(),
                    ..door.clone()
                });
            }
        }
    }
    (by_port.into_values().collect(), doors)
}

/// Says why a listener is not served, or not as it is written.
fn note(placed: &Placed<'_, Gateway>, one: &Looked<'_>, field: &str, findings: &mut Findings) {
    let left_out = match one.serves() {
        true => "",
        false => "; the listener is left out",
    };
    for what in [&one.accepted, &one.resolved] {
        if !what.holds() {
            let message = format!("{}{left_out}", what.message);
            let cause = Cause::new(what.kind, what.reason);
            findings.warn(placed.subject(), cause, field, message);
        }
    }
}

fn open(placed: &Placed<'_, Gateway>, one: &Looked<'_>, tls: bool) -> ListenerSpec {
    ListenerSpec {
        name: format!("{}/{}", placed.key, one.spec.name),
        address: format!("127.0.0.1:{}", one.spec.port),
        tls: tls.then(ListenerTls::default),
        hostnames: Vec::new(),
        origin: placed.origin.clone(),
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
        let labels = index.labels(&route.key.namespace);
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
            let mut selects = false;
            attached.extend(self.0.iter().filter(|door| {
                let namespace = route.key.namespace.as_str();
                let allowed = door.allowed.takes(&gateway.namespace, namespace, labels);
                selects |= matches!(door.allowed, Allowed::Selected(_)) && door.is_meant(&gateway, parent);
                allowed && door.is_meant(&gateway, parent)
            }));
            if attached.len() == before {
                let mut message = format!("no listener of Gateway \"{gateway}\" takes the route");
                if selects && labels.is_none() {
                    let _ = write!(
                        message,
                        "; it chooses routes by labels of their namespace: add the Namespace \"{}\" to the input",
                        route.key.namespace
                    );
                }
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
