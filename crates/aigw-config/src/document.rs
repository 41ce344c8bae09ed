//! The snapshot document: the native configuration form, with defaults. Field names are camelCase; unknown fields are kept
//! out by the loader, which reports them.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Origin;
use crate::form::{AuthForm, CredentialForm};
use crate::quantity::{Millis, Size};
use crate::schema::Schema;

/// The whole configuration of one gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Document {
    /// Where clients connect. None means the loader's default listener.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerSpec>,
    /// Which requests go where.
    pub routes: Vec<RouteSpec>,
    /// Other names for models.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Alias>,
    /// Providers and servers that requests may go to.
    pub backends: Vec<BackendSpec>,
    /// Named credentials; their bytes leave the document when it is loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<CredentialSpec>,
    /// Keys that clients must present. Absent: no key is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_keys: Option<Vec<ClientKeySpec>>,
    /// Numbers to work out for each request, unless its route has its own under the same key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<CostSpec>,
    /// Sizes, timeouts and concurrency.
    pub limits: LimitsSpec,
    /// Addresses behind hosts of backends' URLs, in place of asking for the name. They come and go with pods, so they are no
    /// part of the version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointsSpec>,
}

/// Addresses behind a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointsSpec {
    /// `host:port` as in backends' URLs.
    pub name: String,
    /// `ip:port`. None means that nobody is there.
    pub addresses: Vec<String>,
}

/// A number that is worked out from what a request used, for metadata and the access log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostSpec {
    /// The name it goes by.
    pub metadata_key: String,
    /// What is counted.
    #[serde(rename = "type")]
    pub kind: CostType,
    /// The expression of `type: CEL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cel: Option<String>,
    /// Where it was written; of a route's own costs that is known of the route alone.
    #[serde(skip)]
    pub origin: Origin,
}

/// What a cost counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CostType {
    /// Generated tokens, reasoning included.
    OutputToken,
    /// Tokens of the prompt, cached ones included.
    InputToken,
    /// Tokens of the prompt that were read from a cache.
    CachedInputToken,
    /// Tokens of the prompt that were written to a cache.
    CacheCreationInputToken,
    /// Input and output.
    TotalToken,
    /// Generated tokens that were spent on reasoning.
    ReasoningToken,
    /// What an expression says.
    #[serde(rename = "CEL")]
    Cel,
}

impl CostType {
    /// The name as it is written in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutputToken => "OutputToken",
            Self::InputToken => "InputToken",
            Self::CachedInputToken => "CachedInputToken",
            Self::CacheCreationInputToken => "CacheCreationInputToken",
            Self::TotalToken => "TotalToken",
            Self::ReasoningToken => "ReasoningToken",
            Self::Cel => "CEL",
        }
    }
}

/// One place where clients connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerSpec {
    /// Unique name.
    pub name: String,
    /// `host:port`; port 0 takes a free one.
    pub address: String,
    /// Serve HTTPS with this certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// Host names served here (exact or `*.example.com`); empty means every name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}

/// Certificate and key files, PEM; read again when they change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerTls {
    /// Path of the certificate chain.
    pub certificate: String,
    /// Path of the private key.
    pub key: String,
}

/// Rules that are tried in order; the first rule with a match takes the request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteSpec {
    /// Unique name.
    pub name: String,
    /// Listener names it is attached to; empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<String>,
    /// Host names it serves; empty means every name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Answer 400 when a translation would lose something.
    pub strict: bool,
    /// The rules.
    pub rules: Vec<RuleSpec>,
    /// Numbers to work out for each request; they win over the document's of the same key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<CostSpec>,
    /// Answer 503 with this reason whatever is asked: something that restricts access to the route is not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuse: Option<String>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}

/// What a rule matches and where it sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleSpec {
    /// Optional name, unique in the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Model names in short: `gpt-4o` exactly, `claude-*` by prefix, or `{regex: …}`. One of them must match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelMatch>,
    /// Alternatives, each a set of conditions that must all hold. Empty: every request (that `models` lets in).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<MatchSpec>,
    /// Where matched requests go.
    pub backends: Vec<BackendRef>,
    /// Retry and fallback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySpec>,
    /// Timeouts that differ from the limits'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<TimeoutsSpec>,
    /// Shown as `owned_by` in the list of models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models_owned_by: Option<String>,
    /// Shown as `created` in the list of models, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models_created_at: Option<u64>,
    /// Answer 503 with this reason: nothing that the rule sends to can be served. `backends` may then be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuse: Option<String>,
}

/// A model condition: text (exact, or a prefix when it ends in `*`) or a regular expression.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ModelMatch {
    /// `gpt-4o` or `gpt-*`.
    Text(String),
    /// `{regex: "gpt-(4|5).*"}`, over the whole name.
    Regex {
        /// The expression.
        regex: String,
    },
    /// `{prefix: "gpt-"}`.
    Prefix {
        /// The beginning of the name.
        prefix: String,
    },
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MatchSpec {
    /// The requested model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelMatch>,
    /// Request headers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatchSpec>,
}

/// A condition on one request header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderMatchSpec {
    /// Header name, any case. `x-ai-eg-model` stands for the requested model.
    pub name: String,
    /// The value or expression.
    pub value: String,
    /// How `value` is read.
    #[serde(default, rename = "type")]
    pub kind: HeaderValueMatch,
}

/// How a header condition's value is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderValueMatch {
    /// The whole value.
    #[default]
    Exact,
    /// A regular expression over the whole value.
    RegularExpression,
}

/// A rule's reference to a backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendRef {
    /// Name of the backend.
    pub name: String,
    /// Share of the requests among references of the same priority; 0 means none.
    #[serde(default = "one")]
    pub weight: u32,
    /// Lower values are tried first.
    #[serde(default)]
    pub priority: u32,
    /// The model to ask this backend for, in place of the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name_override: Option<String>,
    /// Header edits; they win over the backend's.
    #[serde(default, skip_serializing_if = "HeaderMutation::is_empty")]
    pub header_mutation: HeaderMutation,
    /// Body edits; they win over the backend's.
    #[serde(default, skip_serializing_if = "BodyMutation::is_empty")]
    pub body_mutation: BodyMutation,
}

impl BackendRef {
    /// A reference to the backend with weight 1 and nothing changed.
    pub fn to(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            weight: 1,
            priority: 0,
            model_name_override: None,
            header_mutation: HeaderMutation::default(),
            body_mutation: BodyMutation::default(),
        }
    }
}

fn one() -> u32 {
    1
}

/// Header edits of the upstream request: removes first, then sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeaderMutation {
    /// Headers to set, replacing what is there.
    pub set: Vec<HeaderSet>,
    /// Names to remove.
    pub remove: Vec<String>,
}

impl HeaderMutation {
    /// True when it edits nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

/// One header to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeaderSet {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// Edits of top-level members of the upstream request's JSON body: removes first, then sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BodyMutation {
    /// Members to set.
    pub set: Vec<BodySet>,
    /// Members to remove.
    pub remove: Vec<String>,
}

impl BodyMutation {
    /// True when it edits nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

/// One member to set. `value` is JSON text; text that is not JSON is set as a string.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BodySet {
    /// Name of the top-level member.
    pub path: String,
    /// JSON text.
    pub value: String,
}

/// How often and for what a request is tried again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetrySpec {
    /// Attempts in all, over all candidates. Default: one a candidate, at most three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Attempts on the same backend before the next one is tried. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_per_backend: Option<u32>,
    /// Statuses that are tried again besides 408, 429 and 5xx.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// What happens to a failure that would be tried again.
    pub on_error: OnError,
}

/// What happens to a failure that may be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnError {
    /// The next attempt is made.
    #[default]
    Retry,
    /// The failure reaches the client.
    Return,
}

/// Timeouts. An absent one is inherited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimeoutsSpec {
    /// To open a connection to the upstream (default 10s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<Millis>,
    /// From the request to the first byte of a non-streaming answer (default 600s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Millis>,
    /// From the request to the first byte of a streaming answer (default 120s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_stream: Option<Millis>,
    /// Longest silence inside an answer or a request (default 300s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Millis>,
    /// From the request's start to its end for answers that are not streams. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Millis>,
}

/// A provider or server that requests may go to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendSpec {
    /// Unique name.
    pub name: String,
    /// A named provider (`aigw providers` lists them): supplies `schema`, `url` and where the key goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The API it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// Base URL: `http` or `https`, host and port, and optionally a path that becomes the schema's prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How requests are authenticated. Default: the provider's way when a key is given, else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Short for a credential of this backend alone, placed in the provider's way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretSource>,
    /// TLS to the upstream, when `url` is `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<UpstreamTls>,
    /// Header edits of requests to it.
    #[serde(skip_serializing_if = "HeaderMutation::is_empty")]
    pub header_mutation: HeaderMutation,
    /// Body edits of requests to it.
    #[serde(skip_serializing_if = "BodyMutation::is_empty")]
    pub body_mutation: BodyMutation,
    /// Timeouts that differ from the limits'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<TimeoutsSpec>,
    /// Requests in flight to it at most; more are answered 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}

impl BackendSpec {
    /// Id of the credential that the bytes of `apiKey` travel under.
    pub fn credential_id(&self) -> String {
        format!("backend/{}", self.name)
    }
}

/// How requests to a backend are authenticated. Without a `credential` the backend's own `apiKey` is meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AuthForm", into = "AuthForm")]
pub enum Auth {
    /// No credential.
    None,
    /// The client's own credentials and cookies go upstream.
    Passthrough,
    /// The credential, where the provider or schema wants it.
    ApiKey {
        /// Name of the credential.
        credential: Option<String>,
    },
    /// `authorization: Bearer <credential>`.
    Bearer {
        /// Name of the credential.
        credential: Option<String>,
    },
    /// The credential alone in a header.
    Header {
        /// Header name.
        name: String,
        /// Name of the credential.
        credential: Option<String>,
    },
}

impl Auth {
    /// The credential it names.
    pub fn credential(&self) -> Option<&str> {
        match self {
            Self::None | Self::Passthrough => None,
            Self::ApiKey { credential } | Self::Bearer { credential } | Self::Header { credential, .. } => {
                credential.as_deref()
            }
        }
    }
}

/// TLS to an upstream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UpstreamTls {
    /// Path of a PEM file of authorities to trust in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// PEM text of authorities to trust in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Name to verify and to send as SNI, in place of the URL's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

/// A named credential and where its bytes come from: `{name, value | env | file}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CredentialForm", into = "CredentialForm")]
pub struct CredentialSpec {
    /// Unique name.
    pub name: String,
    /// Where the bytes come from.
    pub source: SecretSource,
    /// Where it was written.
    pub origin: Origin,
}

/// Where secret bytes come from: text, or `{value}`, `{env}` or `{file}`. Shown, inline text is redacted.
#[derive(Clone, PartialEq)]
pub enum SecretSource {
    /// The text itself, after `${VAR}` was replaced.
    Text(String),
    /// The text itself as a member.
    Value {
        /// The text.
        value: String,
    },
    /// An environment variable.
    Env {
        /// Its name.
        env: String,
    },
    /// A file; read again when it changes.
    File {
        /// Its path.
        file: String,
    },
}

impl SecretSource {
    /// Stands for text that was taken out of the document.
    pub fn taken() -> Self {
        Self::Text("[redacted]".to_owned())
    }
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) | Self::Value { .. } => f.write_str("SecretSource(inline)"),
            Self::Env { env } => write!(f, "SecretSource(env {env})"),
            Self::File { file } => write!(f, "SecretSource(file {file})"),
        }
    }
}

/// Another name for a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alias {
    /// The name that clients ask for.
    pub name: String,
    /// The model that is routed in its place.
    pub model: String,
    /// Left out of the list of models.
    pub hidden: bool,
    /// Shown as `owned_by` in the list of models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<String>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}

/// A key that a client may present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientKeySpec {
    /// Who it belongs to; appears in the access log.
    pub name: String,
    /// The key.
    pub key: SecretSource,
    /// Models it may ask for; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelMatch>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}

impl ClientKeySpec {
    /// Id of the credential that its bytes travel under.
    pub fn credential_id(&self) -> String {
        format!("client/{}", self.name)
    }
}

/// Sizes, timeouts and concurrency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitsSpec {
    /// Largest request body (default 32MiB).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_request_body: Option<Size>,
    /// Bytes of bodies held in the process at one time (default 1GiB).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_in_flight: Option<Size>,
    /// Requests in flight at most; more are answered 503. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// Timeouts.
    pub timeouts: TimeoutsSpec,
    /// Values of `Origin` that browsers may send; empty refuses every browser request from another site.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}
