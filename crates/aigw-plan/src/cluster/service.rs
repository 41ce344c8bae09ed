//! Services as places of backends, and the addresses behind them.

use std::net::IpAddr;

use aigw_api::condition::{self, reason};
use aigw_api::{AIServiceBackend, GROUP, ServiceReference};

use crate::backend::{LeftOut, Planner};
use crate::finding::Cause;
use crate::index::{Index, Key, Placed};

impl Planner<'_> {
    /// Whether the Service may be referred to, is there, and has the port.
    pub(crate) fn check_service(
        &mut self,
        service: &ServiceReference,
        placed: &Placed<'_, AIServiceBackend>,
    ) -> Result<(), LeftOut> {
        let key = placed.key.beside(service.namespace.as_deref(), &service.name);
        let no =
            |reason, message: String| Err(LeftOut::warning(Cause::refs(reason), "spec.service", message));
        let from = (GROUP, "AIServiceBackend", &placed.key);
        if !self.index.may_refer(from, ("", "Service", &key)) {
            let message =
                format!("Service \"{key}\" is in another namespace, and no ReferenceGrant there permits it");
            return no(reason::REF_NOT_PERMITTED, message);
        }
        let Some(found) = self.index.services.get(&key) else {
            return no(
                reason::BACKEND_NOT_FOUND,
                format!("no Service is named \"{key}\""),
            );
        };
        let ports = &found.object.spec.ports;
        if !ports.iter().any(|one| one.port == service.port) {
            let message = format!("Service \"{key}\" has no port {}", service.port);
            return no(reason::PORT_NOT_FOUND, message);
        }
        if addresses(self.index, &key, service.port).is_some_and(|all| all.is_empty()) {
            let message = format!(
                "Service \"{key}\" has no ready address behind port {}",
                service.port
            );
            let cause = Cause::new(condition::WARNING, reason::NO_READY_ENDPOINTS);
            self.findings
                .warn(placed.subject(), cause, "spec.service", message);
        }
        Ok(())
    }
}

/// Addresses of ready pods behind a port of a Service, sorted; `None` when the name itself must be asked for (Services that
/// stand for a name).
pub(super) fn addresses(index: &Index<'_>, service: &Key, port: u16) -> Option<Vec<String>> {
    let found = index.services.get(service)?;
    if found.object.spec.kind.as_deref() == Some("ExternalName") {
        return None;
    }
    let port = found.object.spec.ports.iter().find(|one| one.port == port)?;
    let name = port.name.as_deref().unwrap_or_default();
    let mut out = Vec::new();
    let slices = index.targets.slices.get(service).map(Vec::as_slice);
    for slice in slices
        .unwrap_or_default()
        .iter()
        .filter_map(|key| index.slices.get(key))
    {
        let number = slice
            .object
            .ports
            .iter()
            .find(|one| one.name.as_deref().unwrap_or_default() == name)
            .and_then(|one| one.port);
        let ready = slice
            .object
            .endpoints
            .iter()
            .filter(|one| one.conditions.ready.unwrap_or(true));
        for address in ready.filter_map(|one| one.addresses.first()) {
            if let (Some(number), Ok(ip)) = (number, address.parse::<IpAddr>()) {
                out.push(std::net::SocketAddr::new(ip, number).to_string());
            }
        }
    }
    out.sort();
    out.dedup();
    Some(out)
}
