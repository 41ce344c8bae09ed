//! The objects that a plan is made from.

use aigw_api::{
    AIGatewayRoute, AIServiceBackend, Backend, BackendSecurityPolicy, BackendTLSPolicy, BackendTrafficPolicy,
    ClientTrafficPolicy, ConfigMap, EndpointSlice, Gateway, GatewayClass, GatewayConfig, Metadata, Namespace,
    Opaque, ReferenceGrant, Secret, SecurityPolicy, Service,
};
use aigw_config::Origin;

/// An object and where it was written.
#[derive(Clone, Debug)]
pub struct Object {
    /// The object.
    pub kind: Kind,
    /// Where it was written.
    pub origin: Origin,
    /// Fields of its spec that were written and that nobody reads, such as `spec.rateLimit`. Only the operator asks for
    /// them.
    pub unread: Vec<String>,
    /// What is written in `status.ancestors`, of a policy in a cluster: entries of others stay.
    pub ancestors: Vec<serde_json::Value>,
}

impl Object {
    /// An object that was written at `origin`, outside of a cluster.
    pub fn new(kind: Kind, origin: Origin) -> Self {
        Self {
            kind,
            origin,
            unread: Vec::new(),
            ancestors: Vec::new(),
        }
    }
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
    /// `gateway.networking.k8s.io`
    GatewayClass(GatewayClass),
    /// Core; its labels.
    Namespace(Namespace),
    /// Core.
    Service(Service),
    /// `discovery.k8s.io`
    EndpointSlice(EndpointSlice),
    /// `gateway.envoyproxy.io`
    EnvoyProxy(Opaque),
    /// `aigateway.envoyproxy.io`; not supported yet.
    QuotaPolicy(Opaque),
    /// `aigateway.envoyproxy.io`; not supported yet.
    MCPRoute(Opaque),
    /// One that could not be read. What a policy targets is left out then: without its key or without TLS it must not be
    /// used.
    Unreadable(Unreadable),
}

/// What is known of an object that could not be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Kind.
    pub kind: &'static str,
    /// Name and namespace.
    pub metadata: Metadata,
    /// Names of what it targets, when it is a policy.
    pub targets: Vec<String>,
    /// Why, unless that was told already.
    pub message: Option<String>,
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
            Self::GatewayClass(_) => "GatewayClass",
            Self::Namespace(_) => "Namespace",
            Self::Service(_) => "Service",
            Self::EndpointSlice(_) => "EndpointSlice",
            Self::EnvoyProxy(_) => "EnvoyProxy",
            Self::QuotaPolicy(_) => "QuotaPolicy",
            Self::MCPRoute(_) => "MCPRoute",
            Self::Unreadable(one) => one.kind,
        }
    }

    /// Whether objects of the kind have a namespace.
    pub fn is_namespaced(&self) -> bool {
        !matches!(self, Self::GatewayClass(_) | Self::Namespace(_))
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
            Self::GatewayClass(one) => &one.metadata,
            Self::Namespace(one) => &one.metadata,
            Self::Service(one) => &one.metadata,
            Self::EndpointSlice(one) => &one.metadata,
            Self::EnvoyProxy(one) => &one.metadata,
            Self::QuotaPolicy(one) => &one.metadata,
            Self::MCPRoute(one) => &one.metadata,
            Self::Unreadable(one) => &one.metadata,
        }
    }
}
