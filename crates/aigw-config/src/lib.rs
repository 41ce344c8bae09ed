//! The snapshot: what the control plane says and the data plane does, as serde types and as compiled, indexed, validated values.
//!
//! A [`Document`] is what a person or the operator writes; [`compile`] turns it into a [`Snapshot`] or says, by file, line,
//! object and field, why it cannot. No Kubernetes words, no I/O, no clock.

mod address;
mod certificate;
mod compile;
mod cost;
mod diagnostic;
mod document;
mod expression;
mod form;
mod health;
mod pattern;
mod quantity;
mod schema;
mod secret;
pub mod shard;
mod snapshot;

pub use address::{Address, Place};
pub use certificate::{CertificatePair, CertificateSpec, ListenerTls, PemSource, Tls, TlsName};
pub use compile::{Capabilities, compile, forbidden_body_member, forbidden_header, nearest};
pub use cost::{Cost, CostInputs, MAX_COST, check_cost};
pub use diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
pub use document::{
    Alias, Auth, BackendRef, BackendSpec, BackoffSpec, BodyMutation, BodySet, ClientKeySpec, CostSpec,
    CostType, CredentialSpec, Document, EjectionSpec, EndpointsSpec, HeaderMatchSpec, HeaderMutation,
    HeaderSet, HeaderValueMatch, HealthCheckSpec, LimitsSpec, ListenerSpec, MatchSpec, ModelMatch, OnError,
    RetrySpec, RouteSpec, RuleSpec, SecretSource, StatusSpec, TimeoutsSpec, UpstreamTls,
};
pub use expression::CostFailure;
pub use health::{HealthCheck, Probe};
pub use pattern::{ModelPattern, ValuePattern};
pub use quantity::{Millis, Size};
pub use schema::{AuthKind, PresetFacts, Quirks, Schema, SchemaName};
pub use secret::{Credentials, Secret};
pub use snapshot::{
    Backend, BackendAuth, Backoff, Candidate, ClientKey, Ejection, Endpoint, HeaderMatcher, Limits, Listener,
    Match, ModelEntry, Retry, Route, Rule, RuleLimit, Snapshot, Timeouts,
};
