//! Where an AIServiceBackend is: Envoy Gateway's Backend with its TLS policy, or a Service.

use aigw_api::condition::reason;
use aigw_api::{Backend, LocalObjectReference, ServiceReference};
use aigw_config::{Address, EndpointsSpec, UpstreamTls};

use crate::backend::Planner;
use crate::credential;
use crate::finding::{Cause, Findings};
use crate::index::{Index, Key, Placed, label};
use crate::places;
use crate::target::is_backend;

/// A place.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) tls: Option<UpstreamTls>,
    /// What the host of the URL stands for, when that is no single address or name.
    pub(crate) endpoints: Option<EndpointsSpec>,
}

/// Why there is no place: the reason of a condition, and a message.
pub(crate) type NoPlace = (&'static str, String);

impl Planner<'_> {
    /// The place that the Backend `key` says.
    pub(crate) fn place_of_backend(&mut self, key: &Key) -> Result<Place, NoPlace> {
        let index = self.index;
        let placed = index.backends.get(key).ok_or_else(|| {
            let message = format!("no Backend (gateway.envoyproxy.io) is named \"{key}\"");
            (reason::BACKEND_NOT_FOUND, message)
        })?;
        let spec = &placed.object.spec;
        let object = label("Backend", key);
        let places = places::of(spec).map_err(|(reason, text)| (reason, format!("{object} {text}")))?;
        for (field, message) in places::without_effect(spec) {
            self.findings
                .warn(placed.subject(), Cause::NO_EFFECT, field, message);
        }
        let tls = self
            .tls(placed)
            .map_err(|(reason, text)| (reason, format!("{object}: {text}")))?;
        if tls.is_none()
            && let Some(at) = places::https(spec)
        {
            let message = "port 443 without TLS: a BackendTLSPolicy for it, or `spec.tls`, turns TLS on";
            let field = format!("spec.endpoints[{at}]");
            self.findings
                .warn(placed.subject(), Cause::NO_EFFECT, field, message);
        }
        let (scheme, port) = if tls.is_some() {
            ("https", 443)
        } else {
            ("http", 80)
        };
        let tls = tls.filter(|tls| *tls != UpstreamTls::default());
        if let [one @ (Address::Ip(_) | Address::Name(..))] = &*places {
            return Ok(Place {
                url: format!("{scheme}://{one}"),
                tls,
                endpoints: None,
            });
        }
        // Nobody else's host, and none that leads anywhere (RFC 6761 section 6.4): it stands for the places alone.
        let name = format!("{}.{}.backend.invalid:{port}", key.name, key.namespace);
        Ok(Place {
            url: format!("{scheme}://{name}"),
            tls,
            endpoints: Some(EndpointsSpec {
                name,
                addresses: places.iter().map(ToString::to_string).collect(),
                own_names: true,
                origin: placed.origin.clone(),
            }),
        })
    }

    /// TLS towards a Backend: a BackendTLSPolicy, else its own settings, else none.
    fn tls(&mut self, backend: &Placed<'_, Backend>) -> Result<Option<UpstreamTls>, NoPlace> {
        let index = self.index;
        if let Some(policy) = index.unreadable("BackendTLSPolicy", &backend.key) {
            let message = format!("{} could not be read", label("BackendTLSPolicy", policy));
            return Err((reason::INVALID, message));
        }
        let targeting = index.targets.tls.get(&backend.key);
        let policy = targeting
            .and_then(|keys| keys.first())
            .and_then(|key| index.tls.get(key));
        if let Some(policy) = policy {
            let validation = &policy.object.spec.validation;
            let object = label("BackendTLSPolicy", &policy.key);
            if !validation.subject_alt_names.is_empty() {
                let message = format!("{object}: validation.subjectAltNames is not supported yet");
                return Err((reason::NOT_SUPPORTED_YET, message));
            }
            let host = Some(&validation.hostname).filter(|host| !host.is_empty());
            let authorities = self.authorities(&policy.key, &validation.ca_certificate_refs);
            if let (Some(_), Err((reason, text))) = (self.cluster, &authorities) {
                self.findings.warn(
                    policy.subject(),
                    Cause::refs(reason),
                    "spec.validation",
                    text.as_str(),
                );
            }
            return Ok(Some(UpstreamTls {
                ca: None,
                ca_pem: authorities.map_err(|(reason, text)| (reason, format!("{object}: {text}")))?,
                server_name: host.cloned(),
            }));
        }
        let Some(own) = &backend.object.spec.tls else {
            return Ok(None);
        };
        if own.insecure_skip_verify == Some(true) {
            let message = "tls.insecureSkipVerify is not supported; give `caCertificateRefs`";
            return Err((reason::NOT_SUPPORTED_YET, message.to_owned()));
        }
        if own.client_certificate_ref.is_some() {
            let message = "tls.clientCertificateRef is not supported yet";
            return Err((reason::NOT_SUPPORTED_YET, message.to_owned()));
        }
        Ok(Some(UpstreamTls {
            ca: None,
            ca_pem: self.authorities(&backend.key, &own.ca_certificate_refs)?,
            server_name: own.sni.clone(),
        }))
    }

    /// PEM text of the authorities that are referred to; `None` when none is.
    fn authorities(
        &mut self,
        beside: &Key,
        refs: &[LocalObjectReference],
    ) -> Result<Option<String>, NoPlace> {
        let bad = |message: String| (reason::INVALID_CA_CERTIFICATE_REF, message);
        let mut pem = String::new();
        for one in refs {
            let key = beside.beside(one.namespace.as_deref(), &one.name);
            if key.namespace != beside.namespace {
                let message = format!("the authority {} \"{key}\" is in another namespace", one.kind);
                return Err(bad(message));
            }
            let text = match one.kind.as_str() {
                "ConfigMap" => {
                    self.wanted.config_maps.insert(key.clone());
                    self.index
                        .config_maps
                        .get(&key)
                        .ok_or_else(|| bad(format!("no ConfigMap is named \"{key}\"")))?
                        .object
                        .data
                        .get("ca.crt")
                        .cloned()
                        .ok_or_else(|| bad(format!("ConfigMap \"{key}\" has no entry `ca.crt`")))?
                }
                "Secret" => {
                    self.wanted.secrets.insert(key.clone());
                    credential::find(self.index, &key, "ca.crt")
                        .map_err(|why| bad(why.message))?
                        .reveal()
                        .to_owned()
                }
                kind => {
                    let message = format!("an authority of kind {kind} is not supported; use a ConfigMap");
                    return Err(bad(message));
                }
            };
            pem.push_str(text.trim_end());
            pem.push('\n');
        }
        Ok((!pem.is_empty()).then_some(pem))
    }
}

/// The place of a Service, by the name that the cluster's DNS has for it.
pub(crate) fn of_service(reference: &ServiceReference, beside: &Key) -> Place {
    let key = beside.beside(reference.namespace.as_deref(), &reference.name);
    Place {
        url: format!("http://{}.{}.svc:{}", key.name, key.namespace, reference.port),
        tls: None,
        endpoints: None,
    }
}

/// Notes policies that apply to nothing, or to something that has no meaning here.
pub(crate) fn check_policies(index: &Index<'_>, findings: &mut Findings) {
    for policy in index.tls.values() {
        for (at, target) in policy.object.spec.target_refs.iter().enumerate() {
            let key = policy.key.beside(None, &target.name);
            let field = format!("spec.targetRefs[{at}]");
            if !is_backend(target) {
                let message = "only a Backend of gateway.envoyproxy.io has a meaning here";
                findings.warn(policy.subject(), Cause::NO_EFFECT, field, message);
            } else if !index.backends.contains_key(&key) {
                let message = format!("no Backend is named \"{key}\"");
                let cause = Cause::refs(reason::TARGET_NOT_FOUND);
                findings.warn(policy.subject(), cause, field, message);
            }
        }
    }
}
