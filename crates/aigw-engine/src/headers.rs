//! Which headers pass, in both directions. The tables are data; the tests below are their contract.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use aigw_config::SchemaName;

/// Headers of one connection (RFC 9110, section 7.6.1) and of framing, which each side makes for itself.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            | "proxy-authorization"
            | "content-length"
            | "host"
            | "expect"
    )
}

/// A client's credentials; they go upstream only when the backend says `auth: passthrough`.
fn is_credential(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "x-api-key"
            | "api-key"
            | "x-goog-api-key"
            | "ocp-apim-subscription-key"
            | "cookie"
            | "x-amz-security-token"
            | "x-amz-date"
            | "x-amz-content-sha256"
    )
}

/// What tells about the client or its network and is no provider's business, what the gateway negotiates for itself, and sums
/// over a body that it may edit.
fn is_private(name: &str) -> bool {
    matches!(
        name,
        "forwarded"
            | "via"
            | "x-real-ip"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "true-client-ip"
            | "origin"
            | "referer"
            | "accept-encoding"
            | "content-encoding"
            | "content-md5"
            | "content-digest"
            | "digest"
    )
}

/// Answer headers that hold for the provider's own site or connection.
fn is_response_private(name: &str) -> bool {
    matches!(
        name,
        "set-cookie"
            | "alt-svc"
            | "strict-transport-security"
            | "server"
            | "via"
            | "nel"
            | "report-to"
            | "x-envoy-upstream-service-time"
    )
}

/// True for the gateway's own namespace, which clients cannot speak in.
fn is_reserved(name: &str) -> bool {
    name.starts_with("x-ai-eg-") || name.starts_with("x-aigw-") || name.starts_with("x-envoy-")
}

/// Names listed in `connection`, which are hop-by-hop too.
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

/// The client's headers that go upstream.
///
/// `translated`: the body is written anew, so content headers and headers of the client dialect's vendor stay behind.
pub(crate) fn request(
    client: &HeaderMap,
    schema: SchemaName,
    translated: bool,
    passthrough: bool,
) -> HeaderMap {
    let dropped = named_by_connection(client);
    let mut out = HeaderMap::with_capacity(client.len() + 4);
    for (name, value) in client {
        let text = name.as_str();
        let credential = is_credential(text);
        let keeps = !is_hop_by_hop(text)
            && (passthrough || !credential)
            && !is_private(text)
            && !is_reserved(text)
            && !text.starts_with("sec-")
            && !text.starts_with("x-forwarded-")
            && !text.starts_with("cf-")
            && !text.starts_with("access-control-")
            && !(translated && (text == "content-type" || text == "accept" || is_vendors(text, schema)))
            && !dropped.iter().any(|other| other == text);
        if keeps {
            out.append(name.clone(), value.clone());
        }
    }
    out
}

/// Headers that only the vendor of another dialect understands.
fn is_vendors(name: &str, schema: SchemaName) -> bool {
    let foreign = match schema {
        SchemaName::Anthropic | SchemaName::AWSAnthropic | SchemaName::GCPAnthropic => "openai-",
        _ => "anthropic-",
    };
    name.starts_with(foreign) || name.starts_with("x-stainless-")
}

/// The upstream's headers that go to the client. Content headers stay with a body that is passed through.
pub(crate) fn response(upstream: &HeaderMap, translated: bool) -> HeaderMap {
    let dropped = named_by_connection(upstream);
    let mut out = HeaderMap::with_capacity(upstream.len() + 4);
    for (name, value) in upstream {
        let text = name.as_str();
        let keeps = !is_hop_by_hop(text)
            && !is_response_private(text)
            && !is_reserved(text)
            && !text.starts_with("access-control-")
            && (!translated || survives_translation(text))
            && !dropped.iter().any(|other| other == text);
        if keeps {
            out.append(name.clone(), value.clone());
        }
    }
    out
}

/// With a body of another dialect, only what still holds: limits, ids, dates and processing times.
fn survives_translation(name: &str) -> bool {
    name.contains("ratelimit")
        || matches!(
            name,
            "retry-after"
                | "retry-after-ms"
                | "x-should-retry"
                | "request-id"
                | "x-request-id"
                | "date"
                | "cache-control"
        )
        || name.starts_with("x-amzn-requestid")
}

/// Sets what an upstream of `schema` needs and the client may not have said.
pub(crate) fn complete(headers: &mut HeaderMap, schema: SchemaName, stream: bool) {
    if schema == SchemaName::Anthropic && !headers.contains_key("anthropic-version") {
        // The only version the vendor documents for the Messages API.
        headers.insert(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static("2023-06-01"),
        );
    }
    if !headers.contains_key(header::ACCEPT) {
        let accept = if stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(names: &[&'static str]) -> HeaderMap {
        names
            .iter()
            .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("v")))
            .collect()
    }

    #[test]
    fn request_headers_pass_by_the_table() {
        let passes = [
            "anthropic-beta",
            "openai-organization",
            "x-request-id",
            "traceparent",
            "user-agent",
            "x-team",
            "accept",
        ];
        let stays = [
            "authorization",
            "x-api-key",
            "cookie",
            "host",
            "content-length",
            "te",
            "x-forwarded-for",
            "x-forwarded-client-cert",
            "cf-ipcountry",
            "content-md5",
            "origin",
            "sec-fetch-mode",
            "x-aigw-strict",
            "x-ai-eg-model",
            "accept-encoding",
            "proxy-authorization",
        ];
        let out = request(&map(&passes), SchemaName::OpenAI, false, false);
        assert_eq!(out.len(), passes.len());
        assert!(request(&map(&stays), SchemaName::OpenAI, false, false).is_empty());
    }

    #[test]
    fn headers_named_by_connection_stay() {
        let mut headers = map(&["x-hop", "x-keep"]);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close, X-Hop"));
        let out = request(&headers, SchemaName::OpenAI, false, false);
        assert_eq!(out.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-keep"]);
    }

    #[test]
    fn passthrough_lets_the_clients_credentials_go() {
        let out = request(
            &map(&["authorization", "cookie", "proxy-authorization", "x-aigw-strict"]),
            SchemaName::OpenAI,
            false,
            true,
        );
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn vendors_headers_stay_behind_when_translated() {
        let headers = map(&[
            "anthropic-beta",
            "anthropic-version",
            "openai-organization",
            "x-stainless-lang",
            "content-type",
        ]);
        let out = request(&headers, SchemaName::OpenAI, true, false);
        assert_eq!(
            out.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["openai-organization"]
        );
        let out = request(&headers, SchemaName::Anthropic, true, false);
        assert!(out.contains_key("anthropic-beta") && !out.contains_key("openai-organization"));
    }

    #[test]
    fn response_headers_pass_by_the_table() {
        let always = [
            "retry-after",
            "x-ratelimit-remaining-tokens",
            "anthropic-ratelimit-requests-limit",
            "request-id",
            "x-request-id",
        ];
        assert_eq!(response(&map(&always), true).len(), always.len());
        let content = [
            "content-type",
            "content-encoding",
            "openai-processing-ms",
            "anthropic-organization-id",
        ];
        assert_eq!(response(&map(&content), false).len(), content.len());
        assert!(response(&map(&content), true).is_empty());
        let never = [
            "set-cookie",
            "connection",
            "transfer-encoding",
            "server",
            "access-control-allow-origin",
            "alt-svc",
        ];
        assert!(response(&map(&never), false).is_empty());
    }

    #[test]
    fn anthropic_gets_its_version() {
        let mut headers = HeaderMap::new();
        complete(&mut headers, SchemaName::Anthropic, true);
        assert_eq!(
            headers.get("anthropic-version").map(HeaderValue::as_bytes),
            Some(b"2023-06-01".as_slice())
        );
        assert_eq!(
            headers.get("accept").map(HeaderValue::as_bytes),
            Some(b"text/event-stream".as_slice())
        );
    }
}
