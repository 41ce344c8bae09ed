//! The Kubernetes objects that aigw reads, as serde types: its own group and the parts of Gateway API and Envoy Gateway that
//! manifests for it use. Types only, no logic.
//!
//! `v1alpha1` and `v1beta1` of `aigateway.envoyproxy.io` share one Rust type, because they share their fields. What a type
//! does not know is left to the reader to report.

mod aigatewayroute;
mod aiservicebackend;
mod backend;
mod backendsecuritypolicy;
mod backendtlspolicy;
pub mod condition;
mod crd;
mod credentials;
mod dataplane;
mod extproc;
mod gateway;
mod gatewayclass;
mod gatewayconfig;
mod healthcheck;
mod mcproute;
mod mcpsecurity;
mod meta;
mod oidc;
mod quotapolicy;
mod referencegrant;
mod schema;
mod secret;
mod service;
mod standin;
mod status;
mod trafficpolicy;

pub use aigatewayroute::{
    AIGatewayRoute, AIGatewayRouteSpec, HTTPHeaderMatch, HTTPRouteTimeouts, HeaderMatchType, LLMRequestCost,
    RouteBackendRef, RouteMatch, RouteRule,
};
pub use aiservicebackend::{
    AIServiceBackend, AIServiceBackendSpec, BackendObjectReference, BackendTimeouts, SecretKeyReference,
    ServiceReference,
};
pub use backend::{
    Backend, BackendEndpoint, BackendSpec, BackendTLSSettings, FQDNEndpoint, IPEndpoint, UnixSocket,
};
pub use backendsecuritypolicy::{
    BackendSecurityPolicy, BackendSecurityPolicySpec, SecretHolder, SecurityPolicyType,
};
pub use backendtlspolicy::{
    BackendTLSPolicy, BackendTLSPolicySpec, BackendTLSPolicyValidation, LocalObjectReference,
};
pub use crd::{CRDS_ANNOTATION, definitions};
pub use credentials::{
    AWSCredentials, AWSCredentialsFile, AWSOIDCExchangeToken, AzureCredentials, CredentialOverride,
    FromDynamicMetadata, FromRequestHeaders, GCPCredentials, GCPServiceAccountImpersonation,
    GCPWorkloadIdentityFederation, OIDCExchangeToken,
};
pub use dataplane::{Autoscaling, DataPlane, DataPlaneService, Drain, ServiceType};
pub use extproc::{ContainerSettings, GatewayConfigExtProc};
pub use gateway::{
    AllowedRoutes, Gateway, GatewayListener, GatewaySpec, ListenerTLS, ParentReference, RouteNamespaces,
};
pub use gatewayclass::{GatewayClass, GatewayClassSpec, ParametersReference};
pub use gatewayconfig::{GATEWAY_CONFIG_ANNOTATION, GatewayConfig, GatewayConfigSpec};
pub use healthcheck::{ActiveHealthCheck, HealthCheck, HttpHealthCheck, PassiveHealthCheck};
pub use mcproute::{
    MCPBackendAPIKey, MCPBackendRef, MCPBackendRule, MCPBackendSecurityPolicy, MCPBackendSelector,
    MCPForwardHeader, MCPRoute, MCPRouteSpec, MCPToolSelector,
};
pub use mcpsecurity::{
    ClaimToHeader, MCPAuthorization, MCPAuthorizationRule, MCPAuthorizationSource, MCPAuthorizationTarget,
    MCPClaim, MCPJWTSource, MCPRouteOAuth, MCPRouteSecurityPolicy, MCPToolName, ProtectedResourceMetadata,
};
pub use meta::{Metadata, OwnerReference, Resource, SecretObjectReference, TargetReference};
pub use oidc::{OIDC, OIDCProvider};
pub use quotapolicy::{
    BucketRule, ModelQuota, QuotaDefinition, QuotaPolicy, QuotaPolicySpec, QuotaValue, ServiceQuota,
};
pub use referencegrant::{GrantFrom, GrantTo, ReferenceGrant, ReferenceGrantSpec};
pub use secret::{ConfigMap, Secret};
pub use service::{
    EndpointSlice, LoadBalancerIngress, LoadBalancerStatus, Namespace, Opaque, SERVICE_NAME_LABEL, Service,
    ServicePort, ServiceSpec, ServiceStatus, SliceConditions, SliceEndpoint, SlicePort,
};
pub use standin::{STAND_IN_ANNOTATION, stand_ins};
pub use status::{Condition, ConditionsStatus, ParentStatus, Status};
pub use trafficpolicy::{
    BackOff, BackendTrafficPolicy, BackendTrafficPolicySpec, CircuitBreaker, ClientConnection,
    ClientTrafficPolicy, ClientTrafficPolicySpec, HttpTimeouts, PerRetry, PolicyTimeouts, RetryOn,
    RetryPolicy, SecurityPolicy, SecurityPolicySpec, TcpTimeouts, Unasked,
};

/// The group of aigw's own kinds.
pub const GROUP: &str = "aigateway.envoyproxy.io";
/// The group of Gateway API.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
/// The group of Envoy Gateway's extensions.
pub const ENVOY_GATEWAY_GROUP: &str = "gateway.envoyproxy.io";
