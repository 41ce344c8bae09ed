//! Types and reasons of conditions in the status of objects. Reasons are constants: people and tools look for them.

/// The object is well formed, supported, and has its place in the plan.
pub const ACCEPTED: &str = "Accepted";
/// Everything that it refers to is there and may be referred to.
pub const RESOLVED_REFS: &str = "ResolvedRefs";
/// Its credential can be read.
pub const CREDENTIALS_READY: &str = "CredentialsReady";
/// Every ready pod of the data plane serves the object as it is now.
pub const PROGRAMMED: &str = "Programmed";
/// Another listener has the same port and host name, or another protocol on the port.
pub const CONFLICTED: &str = "Conflicted";
/// The version of Gateway API's CRDs is one that aigw knows.
pub const SUPPORTED_VERSION: &str = "SupportedVersion";
/// There only when something is not as written: fields without effect, and the like.
pub const WARNING: &str = "Warning";

/// Reasons.
pub mod reason {
    /// `Accepted` is true.
    pub const ACCEPTED: &str = "Accepted";
    /// `ResolvedRefs` is true.
    pub const RESOLVED_REFS: &str = "ResolvedRefs";
    /// `CredentialsReady` is true: the credential could be read.
    pub const CREDENTIALS_READY: &str = "CredentialsReady";
    /// `CredentialsReady` is true: there is no credential to be read.
    pub const NO_CREDENTIALS: &str = "NoCredentials";
    /// `Programmed` is true.
    pub const PROGRAMMED: &str = "Programmed";
    /// `SupportedVersion` is true.
    pub const SUPPORTED_VERSION: &str = "SupportedVersion";
    /// `Conflicted` is false.
    pub const NO_CONFLICTS: &str = "NoConflicts";

    /// Something in the object cannot be.
    pub const INVALID: &str = "Invalid";
    /// What the object asks for is not built.
    pub const NOT_SUPPORTED_YET: &str = "NotSupportedYet";
    /// Fields of the object have no effect.
    pub const UNSUPPORTED_FIELD: &str = "UnsupportedField";
    /// It works, though perhaps not as meant.
    pub const DOUBTFUL: &str = "Doubtful";
    /// Two objects say different things of one; neither is followed.
    pub const CONFLICTED: &str = "Conflicted";
    /// `provider` names none that is known.
    pub const UNKNOWN_PROVIDER: &str = "UnknownProvider";
    /// A policy that is not honoured closes what it targets.
    pub const CLOSED: &str = "Closed";

    /// A ReferenceGrant is missing.
    pub const REF_NOT_PERMITTED: &str = "RefNotPermitted";
    /// A kind that may not stand there.
    pub const INVALID_KIND: &str = "InvalidKind";
    /// The backend that is referred to is not there.
    pub const BACKEND_NOT_FOUND: &str = "BackendNotFound";
    /// The backend that is referred to is left out; its own conditions say why.
    pub const BACKEND_NOT_READY: &str = "BackendNotReady";
    /// What a policy targets is not there.
    pub const TARGET_NOT_FOUND: &str = "TargetNotFound";
    /// The Service has no such port.
    pub const PORT_NOT_FOUND: &str = "PortNotFound";
    /// The Service has no ready address.
    pub const NO_READY_ENDPOINTS: &str = "NoReadyEndpoints";
    /// A ConfigMap or Secret with certificate authorities is missing or unreadable.
    pub const INVALID_CA_CERTIFICATE_REF: &str = "InvalidCACertificateRef";
    /// The GatewayConfig that is named is not there.
    pub const CONFIG_NOT_FOUND: &str = "GatewayConfigNotFound";

    /// The Secret is not there.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    /// The Secret has no entry of that name.
    pub const KEY_NOT_FOUND: &str = "KeyNotFound";
    /// The Secret's entry is empty or no text.
    pub const SECRET_INVALID: &str = "SecretInvalid";

    /// No parent takes the route.
    pub const NO_MATCHING_PARENT: &str = "NoMatchingParent";
    /// The listener's host names and the route's have nothing in common.
    pub const NO_MATCHING_LISTENER_HOSTNAME: &str = "NoMatchingListenerHostname";
    /// The listener lets no route of that namespace or kind in.
    pub const NOT_ALLOWED_BY_LISTENERS: &str = "NotAllowedByListeners";

    /// `parametersRef` names something that is not there or has no meaning.
    pub const INVALID_PARAMETERS: &str = "InvalidParameters";
    /// The version of Gateway API's CRDs is one that aigw does not know.
    pub const UNSUPPORTED_VERSION: &str = "UnsupportedVersion";
    /// Listeners are not all good.
    pub const LISTENERS_NOT_VALID: &str = "ListenersNotValid";
    /// A requested address is of a type that is not supported.
    pub const UNSUPPORTED_ADDRESS: &str = "UnsupportedAddress";
    /// The Service of the Gateway has no address yet.
    pub const ADDRESS_NOT_ASSIGNED: &str = "AddressNotAssigned";
    /// The listener's protocol is not supported.
    pub const UNSUPPORTED_PROTOCOL: &str = "UnsupportedProtocol";
    /// Listeners of one port have different protocols.
    pub const PROTOCOL_CONFLICT: &str = "ProtocolConflict";
    /// Listeners of one port have the same host name.
    pub const HOSTNAME_CONFLICT: &str = "HostnameConflict";
    /// A certificate is missing or unreadable.
    pub const INVALID_CERTIFICATE_REF: &str = "InvalidCertificateRef";
    /// `allowedRoutes` names a kind that listeners of aigw do not take.
    pub const INVALID_ROUTE_KINDS: &str = "InvalidRouteKinds";

    /// The data plane has no ready pod.
    pub const NO_READY_PODS: &str = "NoReadyPods";
    /// Not every ready pod serves the object as it is now.
    pub const PENDING: &str = "Pending";
    /// A pod refused the configuration.
    pub const REJECTED: &str = "Rejected";
    /// The object is left out; its other conditions say why.
    pub const LEFT_OUT: &str = "LeftOut";
    /// Nothing that is served refers to the object.
    pub const NOT_USED: &str = "NotUsed";
}
