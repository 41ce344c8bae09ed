//! AIServiceBackends with their place, their credential and what they speak.

use std::collections::{BTreeMap, BTreeSet};

use aigw_api::condition::reason;
use aigw_api::{AIServiceBackend, ENVOY_GATEWAY_GROUP, GATEWAY_GROUP, GROUP};
use aigw_config::{
    Auth, BackendSpec, Capabilities, CredentialSpec, Credentials, EndpointsSpec, HeaderMutation, Millis,
    Severity, TimeoutsSpec, forbidden_header,
};

use crate::endpoint::{self, Place};
use crate::finding::{Cause, Findings, Subject};
use crate::index::{Index, Key, Placed};
use crate::validate;

/// What backends are made from, and where what belongs to them goes.
pub(crate) struct Planner<'a> {
    pub(crate) index: &'a Index<'a>,
    pub(crate) capabilities: &'a dyn Capabilities,
    pub(crate) findings: &'a mut Findings,
    pub(crate) credentials: &'a mut Credentials,
    pub(crate) specs: &'a mut Vec<CredentialSpec>,
    pub(crate) wanted: &'a mut Wanted,
    /// There when the objects are those of a cluster, where every object that is referred to must exist.
    pub(crate) cluster: Option<InCluster<'a>>,
    /// What became of the BackendSecurityPolicies that were looked at.
    pub(crate) policies: BTreeMap<Key, Result<Auth, LeftOut>>,
}

/// What a plan for a cluster has besides the objects.
#[derive(Clone, Copy)]
pub(crate) struct InCluster<'a> {
    /// Credentials that are in service.
    pub(crate) in_service: &'a Credentials,
}

/// Objects whose data are needed; whoever watches need not hold those of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Secrets.
    pub secrets: BTreeSet<Key>,
    /// ConfigMaps.
    pub config_maps: BTreeSet<Key>,
}

/// Why a backend is left out.
#[derive(Clone, Debug)]
pub(crate) struct LeftOut {
    /// Warning: something it needs is not there or not supported. Error: it says something that cannot be.
    pub(crate) severity: Severity,
    pub(crate) cause: Cause,
    pub(crate) field: String,
    pub(crate) text: String,
}

impl LeftOut {
    pub(crate) fn warning(cause: Cause, field: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            cause,
            field: field.into(),
            text: text.into(),
        }
    }

    pub(crate) fn error(cause: Cause, field: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            ..Self::warning(cause, field, text)
        }
    }
}

/// A backend of the document.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) spec: BackendSpec,
    /// The BackendSecurityPolicy that says how requests to it are signed.
    pub(crate) policy: Option<Key>,
    /// The Service behind it.
    pub(crate) service: Option<(Key, u16)>,
    /// What the host of its URL stands for.
    pub(crate) endpoints: Option<EndpointsSpec>,
}

impl Planner<'_> {
    /// Backends that can be served, by key. The others were noted.
    pub(crate) fn backends(&mut self) -> BTreeMap<Key, Made> {
        self.check_targets();
        let mut out = BTreeMap::new();
        for placed in self.index.service_backends.values() {
            match self.backend(placed) {
                Ok(made) => {
                    out.insert(placed.key.clone(), made);
                }
                Err(why) => {
                    let text = format!("{}; the backend is left out", why.text);
                    self.note(placed.subject(), LeftOut { text, ..why });
                }
            }
        }
        out
    }

    pub(crate) fn note(&mut self, subject: Subject<'_>, why: LeftOut) {
        match why.severity {
            Severity::Warning => self.findings.warn(subject, why.cause, why.field, why.text),
            Severity::Error => self.findings.error(subject, why.cause, why.field, why.text),
        }
    }

    fn backend(&mut self, placed: &Placed<'_, AIServiceBackend>) -> Result<Made, LeftOut> {
        let spec = &placed.object.spec;
        if let Some((field, message)) = validate::service_backend(spec).into_iter().next() {
            return Err(LeftOut::error(Cause::INVALID, field, message));
        }
        if let Some(schema) = &spec.schema
            && !self.capabilities.supports(schema.name)
        {
            let message = format!("{} is not supported yet", schema.name.as_str());
            return Err(LeftOut::warning(Cause::NOT_YET, "spec.schema.name", message));
        }
        if self.cluster.is_some() {
            self.check_provider(spec.provider.as_deref())?;
        }
        let place = self.place(placed)?;
        let service = spec.service.as_ref().filter(|_| spec.backend_ref.is_none());
        let service = service.map(|service| {
            let key = placed.key.beside(service.namespace.as_deref(), &service.name);
            (key, service.port)
        });
        let signed = self.signed(placed)?;
        let (auth, policy) = signed.map_or((None, None), |signed| (Some(signed.auth), signed.policy));
        let (url, tls, endpoints) = place.map_or((None, None, None), |place| {
            (Some(place.url), place.tls, place.endpoints)
        });
        let spec = BackendSpec {
            name: placed.key.to_string(),
            provider: spec.provider.clone(),
            schema: spec.schema.clone(),
            url,
            auth,
            tls,
            header_mutation: self.header_mutation(spec.header_mutation.as_ref(), placed.subject(), "spec"),
            body_mutation: spec.body_mutation.clone().unwrap_or_default(),
            timeouts: request_timeout(placed)?,
            origin: placed.origin.clone(),
            ..BackendSpec::default()
        };
        Ok(Made {
            spec,
            policy,
            service,
            endpoints,
        })
    }

    fn check_provider(&self, provider: Option<&str>) -> Result<(), LeftOut> {
        let Some(id) = provider else {
            return Ok(());
        };
        if self.capabilities.preset(id).is_some() {
            return Ok(());
        }
        let mut message = format!("`{id}` is unknown");
        if let Some(like) = aigw_config::nearest(id, self.capabilities.preset_ids()) {
            message.push_str(&format!("; did you mean `{like}`?"));
        }
        message.push_str(
            "; `aigw providers` lists those that are known; for another give `schema` and `service`",
        );
        let cause = Cause::accepted(reason::UNKNOWN_PROVIDER);
        Err(LeftOut::error(cause, "spec.provider", message))
    }

    /// Where the backend is; `None` where its provider is.
    fn place(&mut self, placed: &Placed<'_, AIServiceBackend>) -> Result<Option<Place>, LeftOut> {
        let spec = &placed.object.spec;
        match (&spec.backend_ref, &spec.service) {
            (Some(reference), _) => {
                let key = placed.key.beside(reference.namespace.as_deref(), &reference.name);
                // Manifests for other implementations grant it to the HTTPRoute that those make of a route.
                let froms = [(GROUP, "AIServiceBackend"), (GATEWAY_GROUP, "HTTPRoute")];
                let to = (ENVOY_GATEWAY_GROUP, "Backend", &key);
                let index = self.index;
                if !froms
                    .iter()
                    .any(|(group, kind)| index.may_refer((group, kind, &placed.key), to))
                {
                    let message = format!(
                        "Backend \"{key}\" is in another namespace, and no ReferenceGrant there permits it"
                    );
                    let cause = Cause::refs(reason::REF_NOT_PERMITTED);
                    return Err(LeftOut::warning(cause, "spec.backendRef", message));
                }
                let found = self.place_of_backend(&key);
                if let (Some(_), Some(backend), Err((reason, text))) =
                    (self.cluster, index.backends.get(&key), &found)
                {
                    self.findings
                        .warn(backend.subject(), Cause::accepted(reason), "", text.as_str());
                }
                let place = found.map_err(|(reason, text)| {
                    LeftOut::warning(Cause::refs(reason), "spec.backendRef", text)
                })?;
                Ok(Some(place))
            }
            (None, Some(service)) => {
                if self.cluster.is_some() {
                    self.check_service(service, placed)?;
                }
                Ok(Some(endpoint::of_service(service, &placed.key)))
            }
            (None, None) => Ok(None),
        }
    }

    /// The mutation without what may not be edited, which is noted.
    pub(crate) fn header_mutation(
        &mut self,
        mutation: Option<&HeaderMutation>,
        subject: Subject<'_>,
        field: &str,
    ) -> HeaderMutation {
        let mut out = mutation.cloned().unwrap_or_default();
        let mut allowed = |name: &str| match forbidden_header(name) {
            None => true,
            Some(why) => {
                let message = format!("`{name}` {why}; it is left out");
                let field = format!("{field}.headerMutation");
                self.findings.warn(subject, Cause::NO_EFFECT, field, message);
                false
            }
        };
        out.set.retain(|one| allowed(&one.name));
        out.remove.retain(|name| allowed(name));
        out
    }
}

fn request_timeout(placed: &Placed<'_, AIServiceBackend>) -> Result<Option<TimeoutsSpec>, LeftOut> {
    let request = placed
        .object
        .spec
        .timeouts
        .as_ref()
        .and_then(|timeouts| timeouts.request.as_deref());
    let Some(text) = request else {
        return Ok(None);
    };
    let request: Millis = text
        .parse()
        .map_err(|message: String| LeftOut::error(Cause::INVALID, "spec.timeouts.request", message))?;
    Ok(Some(TimeoutsSpec {
        request: Some(request),
        ..TimeoutsSpec::default()
    }))
}

/// What the hosts of those backends' URLs stand for; backends may share a Backend.
pub(crate) fn endpoints<'a>(all: impl Iterator<Item = &'a Made>) -> Vec<EndpointsSpec> {
    let by_name: BTreeMap<&str, &EndpointsSpec> = all
        .filter_map(|made| made.endpoints.as_ref())
        .map(|one| (one.name.as_str(), one))
        .collect();
    by_name.into_values().cloned().collect()
}
