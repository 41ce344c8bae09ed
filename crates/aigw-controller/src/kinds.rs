//! The kinds that a plan is made from.

use aigw_api::{ENVOY_GATEWAY_GROUP, GATEWAY_GROUP, GROUP};

/// A kind that is watched where the cluster has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Group, empty for the core's.
    pub(crate) group: &'static str,
    /// Versions that can be read, the best first.
    pub(crate) versions: &'static [&'static str],
    /// Kind.
    pub(crate) kind: &'static str,
    /// Plural name, as in URLs.
    pub(crate) plural: &'static str,
    /// Whether its objects are in namespaces.
    pub(crate) namespaced: bool,
    /// How much of its objects is held.
    pub(crate) content: Content,
}

/// How much of a kind's objects is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// All but the status, which the operator writes itself.
    Wanted,
    /// All, and others write the status.
    Whole,
    /// Metadata; the rest is fetched when the plan refers to the object.
    Named,
}

const fn watched(
    group: &'static str,
    versions: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
    content: Content,
) -> Watched {
    Watched {
        group,
        versions,
        kind,
        plural,
        namespaced: true,
        content,
    }
}

const fn of_the_cluster(watched: Watched) -> Watched {
    Watched {
        namespaced: false,
        ..watched
    }
}

const OURS: &[&str] = &["v1beta1", "v1alpha1"];
const EXTENSIONS: &[&str] = &["v1alpha1"];

/// All of them. `charts/aigw` grants the right to list and watch exactly these.
pub(crate) const WATCHED: &[Watched] = &[
    watched(GROUP, OURS, "AIGatewayRoute", "aigatewayroutes", Content::Wanted),
    watched(
        GROUP,
        OURS,
        "AIServiceBackend",
        "aiservicebackends",
        Content::Wanted,
    ),
    watched(
        GROUP,
        OURS,
        "BackendSecurityPolicy",
        "backendsecuritypolicies",
        Content::Wanted,
    ),
    watched(GROUP, OURS, "GatewayConfig", "gatewayconfigs", Content::Wanted),
    watched(GROUP, OURS, "QuotaPolicy", "quotapolicies", Content::Wanted),
    watched(GROUP, OURS, "MCPRoute", "mcproutes", Content::Wanted),
    of_the_cluster(watched(
        GATEWAY_GROUP,
        &["v1"],
        "GatewayClass",
        "gatewayclasses",
        Content::Wanted,
    )),
    watched(GATEWAY_GROUP, &["v1"], "Gateway", "gateways", Content::Wanted),
    watched(
        GATEWAY_GROUP,
        &["v1", "v1alpha3"],
        "BackendTLSPolicy",
        "backendtlspolicies",
        Content::Wanted,
    ),
    watched(
        GATEWAY_GROUP,
        &["v1", "v1beta1"],
        "ReferenceGrant",
        "referencegrants",
        Content::Wanted,
    ),
    watched(
        ENVOY_GATEWAY_GROUP,
        EXTENSIONS,
        "Backend",
        "backends",
        Content::Wanted,
    ),
    watched(
        ENVOY_GATEWAY_GROUP,
        EXTENSIONS,
        "EnvoyProxy",
        "envoyproxies",
        Content::Wanted,
    ),
    watched(
        ENVOY_GATEWAY_GROUP,
        EXTENSIONS,
        "BackendTrafficPolicy",
        "backendtrafficpolicies",
        Content::Wanted,
    ),
    watched(
        ENVOY_GATEWAY_GROUP,
        EXTENSIONS,
        "ClientTrafficPolicy",
        "clienttrafficpolicies",
        Content::Wanted,
    ),
    watched(
        ENVOY_GATEWAY_GROUP,
        EXTENSIONS,
        "SecurityPolicy",
        "securitypolicies",
        Content::Wanted,
    ),
    of_the_cluster(watched("", &["v1"], "Namespace", "namespaces", Content::Wanted)),
    watched("", &["v1"], "Service", "services", Content::Whole),
    watched(
        "discovery.k8s.io",
        &["v1"],
        "EndpointSlice",
        "endpointslices",
        Content::Whole,
    ),
    watched("", &["v1"], "Secret", "secrets", Content::Named),
    watched("", &["v1"], "ConfigMap", "configmaps", Content::Named),
];

/// The place of a kind in [`WATCHED`].
pub(crate) fn index_of(group: &str, kind: &str) -> Option<usize> {
    WATCHED
        .iter()
        .position(|one| one.group == group && one.kind == kind)
}
