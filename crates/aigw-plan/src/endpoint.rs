//! Where an AIServiceBackend is: Envoy Gateway's Backend with its TLS policy, or a Service.

use aigw_api::{
    Backend, BackendEndpoint, ENVOY_GATEWAY_GROUP, LocalObjectReference, ServiceReference, TargetReference,
};
use aigw_config::{Diagnostics, UpstreamTls};

use crate::credential;
use crate::index::{Index, Key, Placed, label};

/// A place.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) tls: Option<UpstreamTls>,
}

/// The place that the Backend `key` says. `Err` says why there is none.
pub(crate) fn of_backend(index: &Index, key: &Key, findings: &mut Diagnostics) -> Result<Place, String> {
    let placed = index
        .backends
        .get(key)
        .ok_or_else(|| format!("no Backend (gateway.envoyproxy.io) is named \"{key}\""))?;
    let spec = &placed.object.spec;
    let object = label("Backend", key);
    let endpoint = spec
        .endpoints
        .first()
        .ok_or_else(|| format!("{object} has no endpoints"))?;
    if spec.endpoints.len() > 1 {
        let message = "has more than one endpoint; the first one is used";
        findings.warn(&placed.origin, object.as_str(), "spec.endpoints", message);
    }
    let (host, port) = host_and_port(endpoint).map_err(|reason| format!("{object} {reason}"))?;
    let tls = tls(index, placed).map_err(|reason| format!("{object}: {reason}"))?;
    if tls.is_none() && port == 443 {
        let message = "port 443 without TLS: a BackendTLSPolicy for it, or `spec.tls`, turns TLS on";
        findings.warn(&placed.origin, object, "spec.endpoints[0]", message);
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    Ok(Place {
        url: format!("{scheme}://{host}:{port}"),
        tls: tls.filter(|tls| *tls != UpstreamTls::default()),
    })
}

fn host_and_port(endpoint: &BackendEndpoint) -> Result<(String, u16), &'static str> {
    match endpoint {
        BackendEndpoint { fqdn: Some(fqdn), .. } => Ok((fqdn.hostname.clone(), fqdn.port)),
        BackendEndpoint { ip: Some(ip), .. } if ip.address.contains(':') => {
            Ok((format!("[{}]", ip.address.trim_matches(['[', ']'])), ip.port))
        }
        BackendEndpoint { ip: Some(ip), .. } => Ok((ip.address.clone(), ip.port)),
        BackendEndpoint { unix: Some(_), .. } => {
            Err("has a Unix socket as endpoint, which is not supported yet")
        }
        _ => Err("has an endpoint without `fqdn` and `ip`"),
    }
}

/// TLS towards a Backend: a BackendTLSPolicy, else its own settings, else none.
fn tls(index: &Index, backend: &Placed<Backend>) -> Result<Option<UpstreamTls>, String> {
    if let Some(policy) = index.unreadable("BackendTLSPolicy", &backend.key) {
        return Err(format!("{} could not be read", label("BackendTLSPolicy", policy)));
    }
    let policy = index.tls.values().find(|policy| {
        policy.key.namespace == backend.key.namespace
            && policy
                .object
                .spec
                .target_refs
                .iter()
                .any(|target| is_backend(target) && target.name == backend.key.name)
    });
    if let Some(policy) = policy {
        let validation = &policy.object.spec.validation;
        let object = label("BackendTLSPolicy", &policy.key);
        if !validation.subject_alt_names.is_empty() {
            return Err(format!(
                "{object}: validation.subjectAltNames is not supported yet"
            ));
        }
        let host = Some(&validation.hostname).filter(|host| !host.is_empty());
        return Ok(Some(UpstreamTls {
            ca: None,
            ca_pem: authorities(index, &policy.key, &validation.ca_certificate_refs)
                .map_err(|reason| format!("{object}: {reason}"))?,
            server_name: host.cloned(),
        }));
    }
    let Some(own) = &backend.object.spec.tls else {
        return Ok(None);
    };
    if own.insecure_skip_verify == Some(true) {
        return Err("tls.insecureSkipVerify is not supported; give `caCertificateRefs`".to_owned());
    }
    if own.client_certificate_ref.is_some() {
        return Err("tls.clientCertificateRef is not supported yet".to_owned());
    }
    Ok(Some(UpstreamTls {
        ca: None,
        ca_pem: authorities(index, &backend.key, &own.ca_certificate_refs)?,
        server_name: own.sni.clone(),
    }))
}

fn is_backend(target: &TargetReference) -> bool {
    target.group == ENVOY_GATEWAY_GROUP && target.kind == "Backend"
}

/// PEM text of the authorities that are referred to; `None` when none is.
fn authorities(index: &Index, beside: &Key, refs: &[LocalObjectReference]) -> Result<Option<String>, String> {
    let mut pem = String::new();
    for one in refs {
        let key = beside.beside(one.namespace.as_deref(), &one.name);
        if key.namespace != beside.namespace {
            return Err(format!(
                "the authority {} \"{key}\" is in another namespace",
                one.kind
            ));
        }
        let text = match one.kind.as_str() {
            "ConfigMap" => index
                .config_maps
                .get(&key)
                .ok_or_else(|| format!("no ConfigMap is named \"{key}\""))?
                .object
                .data
                .get("ca.crt")
                .cloned()
                .ok_or_else(|| format!("ConfigMap \"{key}\" has no entry `ca.crt`"))?,
            "Secret" => credential::find(index, &key, "ca.crt")
                .map_err(|why| why.message)?
                .reveal()
                .to_owned(),
            kind => {
                return Err(format!(
                    "an authority of kind {kind} is not supported; use a ConfigMap"
                ));
            }
        };
        pem.push_str(text.trim_end());
        pem.push('\n');
    }
    Ok((!pem.is_empty()).then_some(pem))
}

/// The place of a Service, by the name that the cluster's DNS has for it.
pub(crate) fn of_service(reference: &ServiceReference, beside: &Key) -> Place {
    let key = beside.beside(reference.namespace.as_deref(), &reference.name);
    Place {
        url: format!("http://{}.{}.svc:{}", key.name, key.namespace, reference.port),
        tls: None,
    }
}

/// Notes policies that apply to nothing, or to something that has no meaning here.
pub(crate) fn check_policies(index: &Index, findings: &mut Diagnostics) {
    for policy in index.tls.values() {
        for (at, target) in policy.object.spec.target_refs.iter().enumerate() {
            let key = policy.key.beside(None, &target.name);
            let field = format!("spec.targetRefs[{at}]");
            let object = label("BackendTLSPolicy", &policy.key);
            if !is_backend(target) {
                findings.warn(
                    &policy.origin,
                    object,
                    field,
                    "only a Backend of gateway.envoyproxy.io has a meaning here",
                );
            } else if !index.backends.contains_key(&key) {
                findings.warn(
                    &policy.origin,
                    object,
                    field,
                    format!("no Backend is named \"{key}\""),
                );
            }
        }
    }
}
