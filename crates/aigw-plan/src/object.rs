//! The objects that a plan is made from.

use aigw_api::{
    AIGatewayRoute, AIServiceBackend, Backend, BackendSecurityPolicy, BackendTLSPolicy, BackendTrafficPolicy,
    ClientTrafficPolicy, ConfigMap, Gateway, GatewayConfig, Metadata, ReferenceGrant, Secret, SecurityPolicy,
};
use aigw_config::Origin;

/// An object and where it was written.
#[derive(Clone, Debug)]
pub struct Object {
    /// The object.
    pub kind: Kind,
    /// Where it was written.
    pub origin: Origin,
}

/// The kinds that have a meaning for a plan.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `aigateway.envoyproxy.io`
    AIGatewayRoute(AIGatewayRoute),
    /// `aigateway.envoyproxy.io`
    AIServiceBackend(AIServiceBackend),
    /// `aigateway.envoyproxy.io`
    BackendSecurityPolicy(BackendSecurityPolicy),
    /// `aigateway.envoyproxy.io`
    GatewayConfig(GatewayConfig),
    /// `gateway.envoyproxy.io`
    Backend(Backend),
    /// `gateway.networking.k8s.io`
    BackendTLSPolicy(BackendTLSPolicy),
    /// `gateway.networking.k8s.io`
    Gateway(Gateway),
    /// `gateway.networking.k8s.io`
    ReferenceGrant(ReferenceGrant),
    /// `gateway.envoyproxy.io`
    BackendTrafficPolicy(BackendTrafficPolicy),
    /// `gateway.envoyproxy.io`
    ClientTrafficPolicy(ClientTrafficPolicy),
    /// `gateway.envoyproxy.io`; one that cannot be read is given with `target_selectors` set, which closes its namespace.
    SecurityPolicy(SecurityPolicy),
    /// Core.
    Secret(Secret),
    /// Core.
    ConfigMap(ConfigMap),
    /// A policy that could not be read. What it targets is left out: without its key or without TLS it must not be used.
    Unreadable(Unreadable),
}

/// What is known of a policy that could not be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// `BackendSecurityPolicy` or `BackendTLSPolicy`.
    pub kind: &'static str,
    /// Name and namespace.
    pub metadata: Metadata,
    /// Names of what it targets.
    pub targets: Vec<String>,
}

impl Kind {
    /// The kind's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AIGatewayRoute(_) => "AIGatewayRoute",
            Self::AIServiceBackend(_) => "AIServiceBackend",
            Self::BackendSecurityPolicy(_) => "BackendSecurityPolicy",
            Self::GatewayConfig(_) => "GatewayConfig",
            Self::Backend(_) => "Backend",
            Self::BackendTLSPolicy(_) => "BackendTLSPolicy",
            Self::Gateway(_) => "Gateway",
            Self::ReferenceGrant(_) => "ReferenceGrant",
            Self::BackendTrafficPolicy(_) => "BackendTrafficPolicy",
            Self::ClientTrafficPolicy(_) => "ClientTrafficPolicy",
            Self::SecurityPolicy(_) => "SecurityPolicy",
            Self::Secret(_) => "Secret",
            Self::ConfigMap(_) => "ConfigMap",
            Self::Unreadable(one) => one.kind,
        }
    }

    /// The object's metadata.
    pub fn metadata(&self) -> &Metadata {
        match self {
            Self::AIGatewayRoute(one) => &one.metadata,
            Self::AIServiceBackend(one) => &one.metadata,
            Self::BackendSecurityPolicy(one) => &one.metadata,
            Self::GatewayConfig(one) => &one.metadata,
            Self::Backend(one) => &one.metadata,
            Self::BackendTLSPolicy(one) => &one.metadata,
            Self::Gateway(one) => &one.metadata,
            Self::ReferenceGrant(one) => &one.metadata,
            Self::BackendTrafficPolicy(one) => &one.metadata,
            Self::ClientTrafficPolicy(one) => &one.metadata,
            Self::SecurityPolicy(one) => &one.metadata,
            Self::Secret(one) => &one.metadata,
            Self::ConfigMap(one) => &one.metadata,
            Self::Unreadable(one) => &one.metadata,
        }
    }
}
