//! Which requests go where.

use serde::{Deserialize, Serialize};

use super::costs::CostSpec;
use super::failures::{EjectionSpec, RetrySpec};
use super::health::HealthCheckSpec;
use super::limits::TimeoutsSpec;
use super::mutations::{BodyMutation, HeaderMutation};
use crate::diagnostic::Origin;

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
    /// Requests in flight that the rule has taken, at most; more are answered 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// Leaves out backends that fail, for a while. Default: none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejection: Option<EjectionSpec>,
    /// Asks the backends by and by whether they are well. Default: nobody is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckSpec>,
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
