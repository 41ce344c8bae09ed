//! The rules of the CRDs' schemas that say what an object may hold, with the schemas' own messages.

use std::collections::HashSet;

use aigw_api::{
    AIGatewayRouteSpec, AIServiceBackendSpec, BackendSecurityPolicySpec, ENVOY_GATEWAY_GROUP, GATEWAY_GROUP,
    GROUP, RouteRule, SecurityPolicyType,
};
use aigw_config::{Millis, check_cost};

/// The group of the Gateway API Inference Extension.
const INFERENCE_GROUP: &str = "inference.networking.k8s.io";

/// What is wrong: field and message.
pub(crate) type Wrong = (String, String);

fn wrong(field: impl Into<String>, message: impl Into<String>) -> Wrong {
    (field.into(), message.into())
}

pub(crate) fn route(spec: &AIGatewayRouteSpec) -> Vec<Wrong> {
    let mut out = Vec::new();
    let gateway = |one: &aigw_api::ParentReference| {
        one.kind.as_deref().is_none_or(|kind| kind == "Gateway")
            && one.group.as_deref().is_none_or(|group| group == GATEWAY_GROUP)
    };
    if !spec.parent_refs.iter().all(gateway) {
        out.push(wrong("spec.parentRefs", "only Gateway is supported"));
    }
    let mut names = HashSet::new();
    for (index, rule) in spec.rules.iter().enumerate() {
        let field = format!("spec.rules[{index}]");
        match rule.name.as_deref() {
            Some("route-not-found") => {
                out.push(wrong(
                    format!("{field}.name"),
                    "rule name route-not-found is reserved",
                ));
            }
            Some(name) if !names.insert(name) => {
                out.push(wrong(
                    format!("{field}.name"),
                    "rule name must be unique within the route",
                ));
            }
            _ => {}
        }
        refs(rule, &field, &mut out);
        timeouts(rule, &field, &mut out);
        for (at, one) in rule.matches.iter().enumerate() {
            let mut names = HashSet::new();
            for header in &one.headers {
                if !names.insert(header.name.to_ascii_lowercase()) {
                    let message = format!("the header `{}` is named twice", header.name);
                    out.push(wrong(format!("{field}.matches[{at}].headers"), message));
                }
            }
        }
    }
    if spec.llm_request_costs.len() > 36 {
        out.push(wrong("spec.llmRequestCosts", "must have at most 36 items"));
    }
    for (index, one) in spec.llm_request_costs.iter().enumerate() {
        if let Err((name, message)) = check_cost(one) {
            out.push(wrong(format!("spec.llmRequestCosts[{index}].{name}"), message));
        }
    }
    out
}

fn refs(rule: &RouteRule, field: &str, out: &mut Vec<Wrong>) {
    let field = format!("{field}.backendRefs");
    let full = rule
        .backend_refs
        .iter()
        .filter(|one| one.group.is_some() && one.kind.is_some())
        .count();
    for (index, one) in rule.backend_refs.iter().enumerate() {
        let at = format!("{field}[{index}]");
        match (one.group.as_deref(), one.kind.as_deref()) {
            (None, None) | (Some(INFERENCE_GROUP), Some("InferencePool")) => {}
            (Some(_), Some(_)) => out.push(wrong(
                at,
                "only InferencePool from inference.networking.k8s.io group is supported",
            )),
            _ => out.push(wrong(at, "group and kind must be specified together")),
        }
    }
    if full > 0 && full < rule.backend_refs.len() {
        let message = "cannot mix InferencePool and AIServiceBackend references in the same rule";
        out.push(wrong(field.as_str(), message));
    } else if full > 1 {
        out.push(wrong(field, "only one InferencePool backend is allowed per rule"));
    }
}

fn timeouts(rule: &RouteRule, field: &str, out: &mut Vec<Wrong>) {
    let Some(spec) = &rule.timeouts else {
        return;
    };
    let request = spec
        .request
        .as_deref()
        .and_then(|text| text.parse::<Millis>().ok());
    let backend = spec
        .backend_request
        .as_deref()
        .and_then(|text| text.parse::<Millis>().ok());
    if let (Some(request), Some(backend)) = (request, backend)
        && request.0 > 0
        && backend > request
    {
        let message = "backendRequest timeout cannot be longer than request timeout";
        out.push(wrong(format!("{field}.timeouts"), message));
    }
}

pub(crate) fn service_backend(spec: &AIServiceBackendSpec) -> Vec<Wrong> {
    let mut out = Vec::new();
    if spec.schema.is_none() && spec.provider.is_none() {
        out.push(wrong("spec.schema", "is needed, unless `provider` is given"));
    }
    if let Some(one) = &spec.backend_ref {
        let backend =
            one.kind.as_deref() == Some("Backend") && one.group.as_deref() == Some(ENVOY_GATEWAY_GROUP);
        if !backend {
            out.push(wrong(
                "spec.backendRef",
                "BackendRef must be a Backend resource of Envoy Gateway. See https://github.com/envoyproxy/ai-gateway/issues/902 \
                 for more details.",
            ));
        }
    }
    match (&spec.backend_ref, &spec.service) {
        (Some(_), Some(_)) => out.push(wrong(
            "spec.service",
            "`service` and `backendRef` exclude each other",
        )),
        (None, None) if spec.provider.is_none() => {
            out.push(wrong(
                "spec.backendRef",
                "is needed, unless `service` or `provider` is given",
            ));
        }
        _ => {}
    }
    out
}

pub(crate) fn security_policy(spec: &BackendSecurityPolicySpec) -> Vec<Wrong> {
    let mut out = Vec::new();
    let known = |target: &aigw_api::TargetReference| {
        matches!(
            (target.group.as_str(), target.kind.as_str()),
            (GROUP, "AIServiceBackend") | (INFERENCE_GROUP, "InferencePool")
        )
    };
    if !spec.target_refs.iter().all(known) {
        out.push(wrong(
            "spec.targetRefs",
            "targetRefs must reference AIServiceBackend or InferencePool resources",
        ));
    }
    let blocks = [
        (SecurityPolicyType::APIKey, "apiKey", spec.api_key.is_some()),
        (
            SecurityPolicyType::AWSCredentials,
            "awsCredentials",
            spec.aws_credentials.is_some(),
        ),
        (
            SecurityPolicyType::AzureAPIKey,
            "azureAPIKey",
            spec.azure_api_key.is_some(),
        ),
        (
            SecurityPolicyType::AzureCredentials,
            "azureCredentials",
            spec.azure_credentials.is_some(),
        ),
        (
            SecurityPolicyType::GCPCredentials,
            "gcpCredentials",
            spec.gcp_credentials.is_some(),
        ),
        (
            SecurityPolicyType::AnthropicAPIKey,
            "anthropicAPIKey",
            spec.anthropic_api_key.is_some(),
        ),
    ];
    for (kind, field, _) in blocks {
        if kind == spec.kind && blocks.iter().any(|(other, _, set)| *set != (*other == kind)) {
            let message = format!("When type is {kind:?}, only {field} field should be set");
            out.push(wrong("spec", message));
        }
    }
    out
}
