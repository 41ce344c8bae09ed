//! AIServiceBackends with their place, their credential and what they speak.

use std::collections::BTreeMap;

use aigw_api::{
    AIServiceBackend, BackendSecurityPolicy, BackendSecurityPolicySpec, ENVOY_GATEWAY_GROUP, GATEWAY_GROUP,
    GROUP, SecretHolder, SecurityPolicyType,
};
use aigw_config::{
    Auth, BackendSpec, Capabilities, CredentialSpec, Credentials, Diagnostics, HeaderMutation, Millis,
    Origin, SecretSource, TimeoutsSpec, forbidden_header,
};

use crate::credential::{self, API_KEY};
use crate::endpoint;
use crate::index::{Index, Key, Placed, label};
use crate::validate;

/// What backends are made from, and where what belongs to them goes.
pub(crate) struct Planner<'a> {
    pub(crate) index: &'a Index,
    pub(crate) capabilities: &'a dyn Capabilities,
    pub(crate) findings: &'a mut Diagnostics,
    pub(crate) credentials: &'a mut Credentials,
    pub(crate) specs: &'a mut Vec<CredentialSpec>,
}

/// A key's place in the request, and the id of its bytes.
struct Signed {
    auth: Auth,
}

/// Why a backend is left out.
enum LeftOut {
    /// Something it needs is not there or not supported.
    Warning(String, String),
    /// It says something that cannot be.
    Error(String, String),
}

impl Planner<'_> {
    /// Backends that can be served, by key. The others were noted.
    pub(crate) fn backends(&mut self) -> BTreeMap<Key, BackendSpec> {
        self.check_targets();
        let mut out = BTreeMap::new();
        for placed in self.index.service_backends.values() {
            match self.backend(placed) {
                Ok(spec) => {
                    out.insert(placed.key.clone(), spec);
                }
                Err(reason) => self.note(&placed.origin, &label("AIServiceBackend", &placed.key), reason),
            }
        }
        out
    }

    fn note(&mut self, origin: &Origin, object: &str, reason: LeftOut) {
        match reason {
            LeftOut::Warning(field, text) => {
                self.findings
                    .warn(origin, object, field, format!("{text}; the backend is left out"));
            }
            LeftOut::Error(field, text) => {
                self.findings
                    .error(origin, object, field, format!("{text}; the backend is left out"));
            }
        }
    }

    fn backend(&mut self, placed: &Placed<AIServiceBackend>) -> Result<BackendSpec, LeftOut> {
        let spec = &placed.object.spec;
        if let Some((field, message)) = validate::service_backend(spec).into_iter().next() {
            return Err(LeftOut::Error(field, message));
        }
        if let Some(schema) = &spec.schema
            && !self.capabilities.supports(schema.name)
        {
            let message = format!("{} is not supported yet", schema.name.as_str());
            return Err(LeftOut::Warning("spec.schema.name".to_owned(), message));
        }
        let place = match (&spec.backend_ref, &spec.service) {
            (Some(reference), _) => {
                let key = placed.key.beside(reference.namespace.as_deref(), &reference.name);
                // Manifests for other implementations grant it to the HTTPRoute that those make of a route.
                let froms = [(GROUP, "AIServiceBackend"), (GATEWAY_GROUP, "HTTPRoute")];
                let to = (ENVOY_GATEWAY_GROUP, "Backend", &key);
                if !froms
                    .iter()
                    .any(|(group, kind)| self.index.may_refer((group, kind, &placed.key), to))
                {
                    let message = format!(
                        "Backend \"{key}\" is in another namespace, and no ReferenceGrant there permits it"
                    );
                    return Err(LeftOut::Warning("spec.backendRef".to_owned(), message));
                }
                let found = endpoint::of_backend(self.index, &key, self.findings);
                Some(found.map_err(|text| LeftOut::Warning("spec.backendRef".to_owned(), text))?)
            }
            (None, Some(service)) => Some(endpoint::of_service(service, &placed.key)),
            (None, None) => None,
        };
        let signed = self.signed(placed)?;
        let (url, tls) = place.map_or((None, None), |place| (Some(place.url), place.tls));
        Ok(BackendSpec {
            name: placed.key.to_string(),
            provider: spec.provider.clone(),
            schema: spec.schema.clone(),
            url,
            auth: signed.map(|signed| signed.auth),
            tls,
            header_mutation: self.header_mutation(
                spec.header_mutation.as_ref(),
                &placed.origin,
                &label("AIServiceBackend", &placed.key),
                "spec",
            ),
            body_mutation: spec.body_mutation.clone().unwrap_or_default(),
            timeouts: request_timeout(placed)?,
            origin: placed.origin.clone(),
            ..BackendSpec::default()
        })
    }

    /// The mutation without what may not be edited, which is noted.
    pub(crate) fn header_mutation(
        &mut self,
        mutation: Option<&HeaderMutation>,
        origin: &Origin,
        object: &str,
        field: &str,
    ) -> HeaderMutation {
        let mut out = mutation.cloned().unwrap_or_default();
        let mut allowed = |name: &str| match forbidden_header(name) {
            None => true,
            Some(why) => {
                let message = format!("`{name}` {why}; it is left out");
                self.findings
                    .warn(origin, object, format!("{field}.headerMutation"), message);
                false
            }
        };
        out.set.retain(|one| allowed(&one.name));
        out.remove.retain(|name| allowed(name));
        out
    }

    /// How requests to the backend are signed: by a BackendSecurityPolicy or by its own `secretRef`.
    fn signed(&mut self, placed: &Placed<AIServiceBackend>) -> Result<Option<Signed>, LeftOut> {
        let key = &placed.key;
        if let Some(policy) = self.index.unreadable("BackendSecurityPolicy", key) {
            let message = format!("{} could not be read", label("BackendSecurityPolicy", policy));
            return Err(LeftOut::Warning(String::new(), message));
        }
        let policies: Vec<&Placed<BackendSecurityPolicy>> = self
            .index
            .security
            .values()
            .filter(|policy| targets(policy, key))
            .collect();
        match (policies.as_slice(), &placed.object.spec.secret_ref) {
            ([], None) => Ok(None),
            ([], Some(own)) => {
                let secret = key.beside(own.namespace.as_deref(), &own.name);
                let entry = own.key.as_deref().unwrap_or(API_KEY);
                let from = (GROUP, "AIServiceBackend", key);
                let id = self.key_of(from, &secret, entry, &placed.origin, "spec.secretRef")?;
                Ok(Some(Signed {
                    auth: Auth::ApiKey { credential: Some(id) },
                }))
            }
            ([policy], None) => self.by_policy(policy).map(Some),
            ([_], Some(_)) => Err(LeftOut::Error(
                "spec.secretRef".to_owned(),
                "a BackendSecurityPolicy targets the backend too; keep one of the two".to_owned(),
            )),
            ([first, second, ..], _) => Err(LeftOut::Error(
                String::new(),
                format!(
                    "BackendSecurityPolicies \"{}\" and \"{}\" both target it; keep one",
                    first.key, second.key
                ),
            )),
        }
    }

    fn by_policy(&mut self, policy: &Placed<BackendSecurityPolicy>) -> Result<Signed, LeftOut> {
        let spec = &policy.object.spec;
        let object = label("BackendSecurityPolicy", &policy.key);
        if let Some((_, message)) = validate::security_policy(spec).into_iter().next() {
            return Err(LeftOut::Warning(
                String::new(),
                format!("{object} is bad: {message}"),
            ));
        }
        if spec.credential_override.is_some() {
            let message = format!("{object}: credentialOverride is not supported yet");
            return Err(LeftOut::Warning(String::new(), message));
        }
        let Some((holder, name)) = block(spec) else {
            let message = format!("{object}: type {:?} is not supported yet", spec.kind);
            return Err(LeftOut::Warning(String::new(), message));
        };
        let secret = policy
            .key
            .beside(holder.secret_ref.namespace.as_deref(), &holder.secret_ref.name);
        let from = (GROUP, "BackendSecurityPolicy", &policy.key);
        let id = Some(self.key_of(from, &secret, API_KEY, &policy.origin, &object)?);
        let auth = match name {
            None => Auth::Bearer { credential: id },
            Some(name) => Auth::Header {
                name: name.to_owned(),
                credential: id,
            },
        };
        Ok(Signed { auth })
    }

    /// The id of a Secret's entry, after its bytes were put beside the document.
    fn key_of(
        &mut self,
        from: (&str, &str, &Key),
        secret: &Key,
        entry: &str,
        origin: &Origin,
        field: &str,
    ) -> Result<String, LeftOut> {
        if !self.index.may_refer(from, ("", "Secret", secret)) {
            let message = format!(
                "Secret \"{secret}\" is in another namespace, and no ReferenceGrant there permits it"
            );
            return Err(LeftOut::Warning(field.to_owned(), message));
        }
        let bytes = credential::find(self.index, secret, entry).map_err(|why| {
            let place = if why.missing {
                LeftOut::Warning
            } else {
                LeftOut::Error
            };
            place(field.to_owned(), why.message)
        })?;
        let id = credential::id(secret, entry);
        if self.credentials.find(&id).is_none() {
            self.credentials.insert(id.as_str(), bytes);
            self.specs.push(CredentialSpec {
                name: id.clone(),
                source: SecretSource::taken(),
                origin: origin.clone(),
            });
        }
        Ok(id)
    }

    /// Notes bad policies, and targets that are not in the input.
    fn check_targets(&mut self) {
        for policy in self.index.security.values() {
            let object = label("BackendSecurityPolicy", &policy.key);
            for (field, message) in validate::security_policy(&policy.object.spec) {
                self.findings
                    .error(&policy.origin, object.as_str(), field, message);
            }
            for (at, target) in policy.object.spec.target_refs.iter().enumerate() {
                let key = policy.key.beside(None, &target.name);
                if target.kind == "AIServiceBackend" && !self.index.service_backends.contains_key(&key) {
                    let field = format!("spec.targetRefs[{at}]");
                    let message = format!("no AIServiceBackend is named \"{key}\"");
                    self.findings
                        .warn(&policy.origin, object.as_str(), field, message);
                }
            }
        }
    }
}

fn targets(policy: &Placed<BackendSecurityPolicy>, backend: &Key) -> bool {
    policy.key.namespace == backend.namespace
        && policy.object.spec.target_refs.iter().any(|target| {
            target.group == GROUP && target.kind == "AIServiceBackend" && target.name == backend.name
        })
}

/// The block with the key, and the header that takes the key alone (`None`: `authorization: Bearer`).
fn block(spec: &BackendSecurityPolicySpec) -> Option<(&SecretHolder, Option<&'static str>)> {
    match spec.kind {
        SecurityPolicyType::APIKey => Some((spec.api_key.as_ref()?, None)),
        SecurityPolicyType::AnthropicAPIKey => Some((spec.anthropic_api_key.as_ref()?, Some("x-api-key"))),
        SecurityPolicyType::AzureAPIKey => Some((spec.azure_api_key.as_ref()?, Some("api-key"))),
        SecurityPolicyType::AWSCredentials
        | SecurityPolicyType::AzureCredentials
        | SecurityPolicyType::GCPCredentials => None,
    }
}

fn request_timeout(placed: &Placed<AIServiceBackend>) -> Result<Option<TimeoutsSpec>, LeftOut> {
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
        .map_err(|message| LeftOut::Error("spec.timeouts.request".to_owned(), message))?;
    Ok(Some(TimeoutsSpec {
        request: Some(request),
        ..TimeoutsSpec::default()
    }))
}
