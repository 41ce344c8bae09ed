//! How requests to a backend are signed: by a BackendSecurityPolicy or by the backend's own `secretRef`.

use aigw_api::condition::reason;
use aigw_api::{
    AIServiceBackend, BackendSecurityPolicy, BackendSecurityPolicySpec, GROUP, SecretHolder,
    SecurityPolicyType,
};
use aigw_config::{Auth, CredentialSpec, SecretSource, Severity};

use crate::backend::{LeftOut, Planner};
use crate::credential::{self, API_KEY};
use crate::finding::{Cause, Subject};
use crate::index::{Key, Placed, label};
use crate::validate;

/// A key's place in the request, and who said so.
pub(crate) struct Signed {
    pub(crate) auth: Auth,
    pub(crate) policy: Option<Key>,
}

impl Planner<'_> {
    pub(crate) fn signed(
        &mut self,
        placed: &Placed<'_, AIServiceBackend>,
    ) -> Result<Option<Signed>, LeftOut> {
        let key = &placed.key;
        let index = self.index;
        if let Some(policy) = index.unreadable("BackendSecurityPolicy", key) {
            let message = format!("{} could not be read", label("BackendSecurityPolicy", policy));
            return Err(LeftOut::warning(Cause::credentials(reason::INVALID), "", message));
        }
        let targeting = index.targets.security.get(key).map_or(&[][..], Vec::as_slice);
        match (targeting, &placed.object.spec.secret_ref) {
            ([], None) => Ok(None),
            ([], Some(own)) => {
                let secret = key.beside(own.namespace.as_deref(), &own.name);
                let entry = own.key.as_deref().unwrap_or(API_KEY);
                let from = (GROUP, "AIServiceBackend", key);
                let id = self.key_of(from, &secret, entry, placed.subject(), "spec.secretRef")?;
                Ok(Some(Signed {
                    auth: Auth::ApiKey { credential: Some(id) },
                    policy: None,
                }))
            }
            ([policy], None) => match index.security.get(policy) {
                Some(policy) => self.by_policy(policy).map(Some),
                None => Ok(None),
            },
            ([_], Some(_)) => Err(LeftOut::error(
                Cause::accepted(reason::CONFLICTED),
                "spec.secretRef",
                "a BackendSecurityPolicy targets the backend too; keep one of the two",
            )),
            ([first, second, ..], _) => {
                let cause = Cause::accepted(reason::CONFLICTED);
                if self.cluster.is_some() {
                    for policy in targeting.iter().filter_map(|key| index.security.get(key)) {
                        let message =
                            format!("AIServiceBackend \"{key}\" is targeted by another policy too; keep one");
                        self.findings
                            .error(policy.subject(), cause, "spec.targetRefs", message);
                    }
                }
                let message =
                    format!("BackendSecurityPolicies \"{first}\" and \"{second}\" both target it; keep one");
                Err(LeftOut::error(cause, "", message))
            }
        }
    }

    /// What the policy comes to, worked out once. In a cluster the policy itself is told as well.
    pub(crate) fn by_policy(
        &mut self,
        policy: &Placed<'_, BackendSecurityPolicy>,
    ) -> Result<Signed, LeftOut> {
        let known = self.policies.get(&policy.key).cloned();
        let result = known.unwrap_or_else(|| {
            let result = self.read_policy(policy);
            if let (Some(_), Err(why)) = (self.cluster, &result) {
                self.note(policy.subject(), why.clone());
            }
            self.policies.insert(policy.key.clone(), result.clone());
            result
        });
        result.map(|auth| Signed {
            auth,
            policy: Some(policy.key.clone()),
        })
    }

    fn read_policy(&mut self, policy: &Placed<'_, BackendSecurityPolicy>) -> Result<Auth, LeftOut> {
        let spec = &policy.object.spec;
        let object = label("BackendSecurityPolicy", &policy.key);
        let no = |reason, message: String| LeftOut::warning(Cause::credentials(reason), "", message);
        if let Some((_, message)) = validate::security_policy(spec).into_iter().next() {
            return Err(no(reason::INVALID, format!("{object} is bad: {message}")));
        }
        if spec.credential_override.is_some() {
            let message = format!("{object}: credentialOverride is not supported yet");
            return Err(no(reason::NOT_SUPPORTED_YET, message));
        }
        let Some((holder, name)) = block(spec) else {
            let message = format!("{object}: type {:?} is not supported yet", spec.kind);
            return Err(no(reason::NOT_SUPPORTED_YET, message));
        };
        let secret = policy
            .key
            .beside(holder.secret_ref.namespace.as_deref(), &holder.secret_ref.name);
        let from = (GROUP, "BackendSecurityPolicy", &policy.key);
        let id = Some(self.key_of(from, &secret, API_KEY, policy.subject(), &object)?);
        Ok(match name {
            None => Auth::Bearer { credential: id },
            Some(name) => Auth::Header {
                name: name.to_owned(),
                credential: id,
            },
        })
    }

    /// The id of a Secret's entry, after its bytes were put beside the document.
    fn key_of(
        &mut self,
        from: (&str, &str, &Key),
        secret: &Key,
        entry: &str,
        subject: Subject<'_>,
        field: &str,
    ) -> Result<String, LeftOut> {
        if !self.index.may_refer(from, ("", "Secret", secret)) {
            let message = format!(
                "Secret \"{secret}\" is in another namespace, and no ReferenceGrant there permits it"
            );
            let cause = Cause::credentials(reason::REF_NOT_PERMITTED);
            return Err(LeftOut::warning(cause, field, message));
        }
        self.wanted.secrets.insert(secret.clone());
        let id = credential::id(secret, entry);
        let bytes = match credential::find(self.index, secret, entry) {
            Ok(bytes) => bytes,
            Err(why) => {
                let cause = Cause::credentials(why.reason);
                let severity = if why.is_missing() {
                    Severity::Warning
                } else {
                    Severity::Error
                };
                // A Secret that is gone was taken away; one that cannot be read is a mistake, which need not stop traffic.
                let in_service = self.cluster.and_then(|cluster| cluster.in_service.find(&id));
                let Some(bytes) = in_service.filter(|_| why.reason != reason::SECRET_NOT_FOUND) else {
                    return Err(LeftOut {
                        severity,
                        cause,
                        field: field.to_owned(),
                        text: why.message,
                    });
                };
                let message = format!("{}; the last good key stays in service", why.message);
                self.findings.warn(subject, cause, field, message);
                bytes.clone()
            }
        };
        if self.credentials.find(&id).is_none() {
            self.credentials.insert(id.as_str(), bytes);
            self.specs.push(CredentialSpec {
                name: id.clone(),
                source: SecretSource::taken(),
                origin: subject.origin.clone(),
            });
        }
        Ok(id)
    }

    /// Notes bad policies, and targets that are not in the input.
    pub(crate) fn check_targets(&mut self) {
        for policy in self.index.security.values() {
            for (field, message) in validate::security_policy(&policy.object.spec) {
                self.findings
                    .error(policy.subject(), Cause::INVALID, field, message);
            }
            for (at, target) in policy.object.spec.target_refs.iter().enumerate() {
                let key = policy.key.beside(None, &target.name);
                if target.kind == "InferencePool" && self.cluster.is_some() {
                    let message = "InferencePool is not supported yet; the target is left out";
                    let cause = Cause::refs(reason::NOT_SUPPORTED_YET);
                    let field = format!("spec.targetRefs[{at}]");
                    self.findings.warn(policy.subject(), cause, field, message);
                }
                if target.kind == "AIServiceBackend" && !self.index.service_backends.contains_key(&key) {
                    let field = format!("spec.targetRefs[{at}]");
                    let message = format!("no AIServiceBackend is named \"{key}\"");
                    let cause = Cause::refs(reason::TARGET_NOT_FOUND);
                    self.findings.warn(policy.subject(), cause, field, message);
                }
            }
        }
    }
}

/// The block with the key, and the header that takes the key alone (`None`: `authorization: Bearer`).
pub(crate) fn block(spec: &BackendSecurityPolicySpec) -> Option<(&SecretHolder, Option<&'static str>)> {
    match spec.kind {
        SecurityPolicyType::APIKey => Some((spec.api_key.as_ref()?, None)),
        SecurityPolicyType::AnthropicAPIKey => Some((spec.anthropic_api_key.as_ref()?, Some("x-api-key"))),
        SecurityPolicyType::AzureAPIKey => Some((spec.azure_api_key.as_ref()?, Some("api-key"))),
        SecurityPolicyType::AWSCredentials
        | SecurityPolicyType::AzureCredentials
        | SecurityPolicyType::GCPCredentials => None,
    }
}
