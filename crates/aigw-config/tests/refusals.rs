//! A bad document, and exactly what is said about it.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![allow(clippy::too_many_lines, reason = "tables")]

mod support;

use serde_json::{Value, json};

use support::{compiled, refused};

/// A document that is good, to spoil one thing of.
fn good() -> Value {
    json!({
        "backends": [
            {"name": "openai", "provider": "openai", "apiKey": "k"},
            {"name": "local", "schema": {"name": "OpenAI"}, "url": "http://127.0.0.1:8000"},
        ],
        "routes": [{"name": "all", "rules": [{"backends": [{"name": "openai"}]}]}],
    })
}

/// The good document with `value` at `pointer`.
fn with(pointer: &str, value: Value) -> Value {
    let mut document = good();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items.push(value),
        _ => parent[member] = value,
    }
    document
}

#[test]
fn the_good_document_is_good() {
    assert_eq!(compiled(good()).1, "");
}

#[test]
fn bad_backends_are_refused() {
    let rows = [
        (
            "/backends/1/name",
            json!("openai"),
            "aigw.yaml:22: error: backend \"openai\": name: the name is used twice, first at aigw.yaml:21; rename one",
        ),
        (
            "/backends/1/name",
            json!(""),
            "aigw.yaml:22: error: backends[1]: name: a name is needed",
        ),
        (
            "/backends/1/name",
            json!("a b"),
            "aigw.yaml:22: error: backend \"a b\": name: use letters, digits and punctuation of ASCII, without spaces",
        ),
        (
            "/backends/0/provider",
            json!("opnai"),
            "aigw.yaml:21: error: backend \"openai\": provider: no provider is named \"opnai\"; did you mean \"openai\"?; for another, give `schema` and `url`",
        ),
        (
            "/backends/0/provider",
            json!("zzz"),
            "aigw.yaml:21: error: backend \"openai\": provider: no provider is named \"zzz\"; there is \"anthropic\", \"groq\", \"ollama\", \"openai\"; for another, give `schema` and `url`",
        ),
        (
            "/backends/1/schema",
            json!({"name": "AWSBedrock"}),
            "aigw.yaml:22: error: backend \"local\": schema.name: AWSBedrock is not supported; supported are OpenAI, Anthropic",
        ),
        (
            "/backends/1/schema",
            json!(null),
            "aigw.yaml:22: error: backend \"local\": schema: is needed to know which API it speaks; name a `provider`, or give `schema: {name: …}` with one of OpenAI, Anthropic",
        ),
        (
            "/backends/1/url",
            json!(null),
            "aigw.yaml:22: error: backend \"local\": url: is needed to know where it is, such as https://api.example.com",
        ),
        (
            "/backends/1/url",
            json!("127.0.0.1:8000"),
            "aigw.yaml:22: error: backend \"local\": url: `127.0.0.1:8000` must begin with https:// or http://, such as https://api.example.com/v1",
        ),
        (
            "/backends/1/url",
            json!("http://me:pw@h"),
            "aigw.yaml:22: error: backend \"local\": url: takes no user name or password; use `apiKey` or `auth`",
        ),
        (
            "/backends/1/tls",
            json!({}),
            "aigw.yaml:22: error: backend \"local\": tls: has no effect on an http URL; write https:// or remove `tls`",
        ),
        (
            "/backends/0/tls",
            json!({"ca": "a", "caPem": "-----BEGIN CERTIFICATE-----"}),
            "aigw.yaml:21: error: backend \"openai\": tls.ca: `ca` and `caPem` exclude each other; keep one",
        ),
        (
            "/backends/0/tls",
            json!({"caPem": "x"}),
            "aigw.yaml:21: error: backend \"openai\": tls.caPem: holds no certificate in PEM form",
        ),
        (
            "/backends/0/apiKey",
            json!(" "),
            "aigw.yaml:21: error: backend \"openai\": apiKey: is empty; give the text, `{env: VAR}` or `{file: PATH}`",
        ),
        (
            "/backends/0/apiKey",
            json!({"env": ""}),
            "aigw.yaml:21: error: backend \"openai\": apiKey.env: is empty; give the text, `{env: VAR}` or `{file: PATH}`",
        ),
        (
            "/backends/0/auth",
            json!({"type": "none"}),
            "aigw.yaml:21: error: backend \"openai\": apiKey: `auth` already says how requests are authenticated; keep one of the two",
        ),
        (
            "/backends/1/auth",
            json!({"type": "bearer", "credential": "kay"}),
            "aigw.yaml:22: error: backend \"local\": auth.credential: no credential is named \"kay\"; none is defined",
        ),
        (
            "/backends/1/auth",
            json!({"type": "bearer"}),
            "aigw.yaml:22: error: backend \"local\": auth.credential: names no credential; give its name here, or the key as `apiKey`",
        ),
        (
            "/backends/0/auth",
            json!({"type": "header", "name": "x key"}),
            "aigw.yaml:21: error: backend \"openai\": auth.name: `x key` is not a header name",
        ),
        (
            "/backends/0/maxConcurrent",
            json!(0),
            "aigw.yaml:21: error: backend \"openai\": maxConcurrent: 0 would let no request in; leave it out for no limit",
        ),
        (
            "/backends/0/timeouts",
            json!({"idle": "0s"}),
            "aigw.yaml:21: error: backend \"openai\": timeouts.idle: must be more than 0s; leave it out for the default",
        ),
        (
            "/backends/0/headerMutation",
            json!({"set": [{"name": "Host", "value": "x"}]}),
            "aigw.yaml:21: error: backend \"openai\": headerMutation.set[0].name: `Host` frames the message or belongs to the connection and cannot be edited; remove it",
        ),
        (
            "/backends/0/headerMutation",
            json!({"set": [{"name": "x", "value": "a\nb"}]}),
            "aigw.yaml:21: error: backend \"openai\": headerMutation.set[0].value: the value of `x` has characters that a header cannot carry, such as line breaks",
        ),
        (
            "/backends/0/headerMutation",
            json!({"remove": [":path"]}),
            "aigw.yaml:21: error: backend \"openai\": headerMutation.remove[0]: `:path` is a pseudo-header, which cannot be edited; remove it",
        ),
        (
            "/backends/0/headerMutation",
            json!({"remove": ["x-ai-eg-model"]}),
            "aigw.yaml:21: error: backend \"openai\": headerMutation.remove[0]: `x-ai-eg-model` belongs to the gateway and cannot be edited; remove it",
        ),
        (
            "/backends/0/bodyMutation",
            json!({"set": [{"path": "", "value": "1"}]}),
            "aigw.yaml:21: error: backend \"openai\": bodyMutation.set[0].path: names no member of the body",
        ),
        (
            "/backends/0/bodyMutation",
            json!({"set": [{"path": "a", "value": "1"}, {"path": "a", "value": "2"}]}),
            "aigw.yaml:21: error: backend \"openai\": bodyMutation.set[1].path: `a` is set twice; keep one",
        ),
    ];
    for (pointer, value, expected) in rows {
        assert_eq!(refused(with(pointer, value)), expected);
    }
}

#[test]
fn a_url_path_and_another_prefix_are_refused() {
    let mut document = good();
    document["backends"][1]["schema"] = json!({"name": "OpenAI", "prefix": "/api/v1"});
    document["backends"][1]["url"] = json!("http://127.0.0.1:8000/v1");
    assert_eq!(
        refused(document),
        "aigw.yaml:22: error: backend \"local\": url: has the path `v1` while `schema` has the prefix `api/v1`; keep one"
    );
}

#[test]
fn bad_routes_are_refused() {
    let rows = [
        (
            "/routes/-",
            json!({"name": "all", "rules": [{"backends": [{"name": "openai"}]}]}),
            "aigw.yaml:32: error: route \"all\": name: the name is used twice, first at aigw.yaml:31; rename one",
        ),
        (
            "/routes/0/listeners",
            json!(["http"]),
            "aigw.yaml:31: error: route \"all\": listeners[0]: no listener is named \"http\"; none is defined",
        ),
        (
            "/routes/0/hostnames",
            json!(["a.example:80"]),
            "aigw.yaml:31: error: route \"all\": hostnames[0]: `a.example:80` is not a host name; write it like api.example.com or *.example.com, without a port",
        ),
        (
            "/routes/0/rules/0/backends",
            json!([]),
            "aigw.yaml:31: error: route \"all\": rules[0].backends: name at least one backend",
        ),
        (
            "/routes/0/rules/0/backends",
            json!([{"name": "local"}, {"name": "opnai"}]),
            "aigw.yaml:31: error: route \"all\": rules[0].backends[1].name: no backend is named \"opnai\"; did you mean \"openai\"?",
        ),
        (
            "/routes/0/rules/0/backends",
            json!([{"name": "cloud-of-mine"}]),
            "aigw.yaml:31: error: route \"all\": rules[0].backends[0].name: no backend is named \"cloud-of-mine\"; there is \"local\", \"openai\"",
        ),
        (
            "/routes/0/rules/0/backends",
            json!([{"name": "openai", "weight": 0}, {"name": "local", "weight": 0}]),
            "aigw.yaml:31: error: route \"all\": rules[0].backends: every weight is 0, so no backend takes requests; give one a weight",
        ),
        (
            "/routes/0/rules/0/backends",
            json!([{"name": "openai", "modelNameOverride": ""}]),
            "aigw.yaml:31: error: route \"all\": rules[0].backends[0].modelNameOverride: is empty; leave it out to keep the client's model name",
        ),
        (
            "/routes/0/rules/0/backends",
            json!([{"name": "openai", "headerMutation": {"set": [{"name": "b d", "value": ""}]}}]),
            "aigw.yaml:31: error: route \"all\": rules[0].backends[0].headerMutation.set[0].name: `b d` is not a header name",
        ),
        (
            "/routes/0/rules/0/models",
            json!([{"regex": "gpt-("}]),
            "aigw.yaml:31: error: route \"all\": rules[0].models[0]: `gpt-(` is not a regular expression: unclosed group",
        ),
        (
            "/routes/0/rules/0/models",
            json!(["gpt-*-mini"]),
            "aigw.yaml:31: error: route \"all\": rules[0].models[0]: `gpt-*-mini` has a `*` that is not at its end; write `{regex: …}` for such a pattern",
        ),
        (
            "/routes/0/rules/0/models",
            json!([""]),
            "aigw.yaml:31: error: route \"all\": rules[0].models[0]: is empty; write a model name, or `*` for every model",
        ),
        (
            "/routes/0/rules/0/matches",
            json!([{"headers": [{"name": "a b", "value": "1"}]}]),
            "aigw.yaml:31: error: route \"all\": rules[0].matches[0].headers[0].name: `a b` is not a header name",
        ),
        (
            "/routes/0/rules/0/matches",
            json!([{"headers": [{"name": "a", "value": "[", "type": "RegularExpression"}]}]),
            "aigw.yaml:31: error: route \"all\": rules[0].matches[0].headers[0].value: `[` is not a regular expression: unclosed character class",
        ),
        (
            "/routes/0/rules/0/matches",
            json!([{"headers": [{"name": "a", "value": "1"}, {"name": "A", "value": "2"}]}]),
            "aigw.yaml:31: error: route \"all\": rules[0].matches[0].headers[1].name: `a` has a condition already in this match; keep one",
        ),
        (
            "/routes/0/rules/0/matches",
            json!([{"model": "m", "headers": [{"name": "x-ai-eg-model", "value": "n"}]}]),
            "aigw.yaml:31: error: route \"all\": rules[0].matches[0].headers[0]: the model has a condition already in this match; keep one",
        ),
        (
            "/routes/0/rules/0/retry",
            json!({"attempts": 0}),
            "aigw.yaml:31: error: route \"all\": rules[0].retry.attempts: must be at least 1, the first attempt counts",
        ),
        (
            "/routes/0/rules/0/retry",
            json!({"attemptsPerBackend": 0}),
            "aigw.yaml:31: error: route \"all\": rules[0].retry.attemptsPerBackend: must be at least 1, the first attempt counts",
        ),
        (
            "/routes/0/rules/0/retry",
            json!({"statuses": [200]}),
            "aigw.yaml:31: error: route \"all\": rules[0].retry.statuses[0]: 200 is not an error status; use 400 to 599",
        ),
        (
            "/routes/0/rules/0/retry",
            json!({"timeout": "0s"}),
            "aigw.yaml:31: error: route \"all\": rules[0].retry.timeout: must be more than 0s; leave it out for none",
        ),
        (
            "/routes/0/rules/0/retry",
            json!({"backoff": {"base": "0s"}}),
            "aigw.yaml:31: error: route \"all\": rules[0].retry.backoff: `base` must be more than 0s; leave `backoff` out for none",
        ),
        (
            "/routes/0/rules/0/retry",
            json!({"backoff": {"base": "2s", "max": "1s"}}),
            "aigw.yaml:31: error: route \"all\": rules[0].retry.backoff: `max` is less than `base`; raise it, or leave it out for ten times `base`",
        ),
        (
            "/routes/0/rules/0/ejection",
            json!({"maxPercent": 101}),
            "aigw.yaml:31: error: route \"all\": rules[0].ejection.maxPercent: must be at most 100",
        ),
        (
            "/routes/0/rules/0/ejection",
            json!({"time": "0s"}),
            "aigw.yaml:31: error: route \"all\": rules[0].ejection.time: must be more than 0s; leave it out for the default",
        ),
        (
            "/routes/0/rules/0/maxConcurrent",
            json!(0),
            "aigw.yaml:31: error: route \"all\": rules[0].maxConcurrent: 0 would let no request in; leave it out for no limit",
        ),
        (
            "/routes/0/rules/0/timeouts",
            json!({"firstByte": "0s"}),
            "aigw.yaml:31: error: route \"all\": rules[0].timeouts.firstByte: must be more than 0s; leave it out for the default",
        ),
    ];
    for (pointer, value, expected) in rows {
        assert_eq!(refused(with(pointer, value)), expected);
    }
    let mut twice = good();
    twice["routes"][0]["rules"] = json!([
        {"name": "a", "models": ["m"], "backends": [{"name": "openai"}]},
        {"name": "a", "backends": [{"name": "openai"}]},
    ]);
    assert_eq!(
        refused(twice),
        "aigw.yaml:31: error: route \"all\": rules[1].name: `a` is the name of two rules; rename one"
    );
}

#[test]
fn bad_listeners_aliases_credentials_keys_and_limits_are_refused() {
    let listener = |address: &str| json!({"name": "http", "address": address});
    let rows = [
        (
            "/listeners",
            json!([listener("1975")]),
            "aigw.yaml:1: error: listener \"http\": address: `1975` is not an address; write host and port, such as 127.0.0.1:1975 or [::1]:1975",
        ),
        (
            "/listeners",
            json!([listener("h:1"), {"name": "b", "address": "h:1"}]),
            "aigw.yaml:2: error: listener \"b\": address: h:1 is taken by listener \"http\"; change one",
        ),
        (
            "/listeners",
            json!([listener("h:0"), listener("h:0")]),
            "aigw.yaml:2: error: listener \"http\": name: the name is used twice, first at aigw.yaml:1; rename one",
        ),
        (
            "/listeners",
            json!([{"name": "s", "address": "h:1", "tls": {"certificate": "a", "key": ""}}]),
            "aigw.yaml:1: error: listener \"s\": tls.key: give the path of a PEM file",
        ),
        (
            "/listeners",
            json!([{"name": "s", "address": "h:1", "tls": {}}]),
            "aigw.yaml:1: error: listener \"s\": tls: has no certificate; give `certificate` and `key`, or `certificates`",
        ),
        (
            "/listeners",
            json!([{"name": "s", "address": "h:1", "tls": {"key": "a"}}]),
            "aigw.yaml:1: error: listener \"s\": tls.certificate: is missing; give the certificate of the key",
        ),
        (
            "/listeners",
            json!([{"name": "s", "address": "h:1", "tls": {"certificates": [
                {"hostnames": ["a b"], "certificate": "a", "key": {"credential": "none"}}]}}]),
            "aigw.yaml:1: error: listener \"s\": tls.certificates[0].key: no credential is named \"none\"; none is defined\naigw.yaml:1: error: listener \"s\": tls.certificates[0].hostnames[0]: `a b` is not a host name; write it like api.example.com or *.example.com, without a port",
        ),
        (
            "/models",
            json!([{"name": "a", "model": "b"}, {"name": "b", "model": "a"}]),
            "aigw.yaml:41: error: alias \"a\": model: leads back to itself (a → b → a); point one of them at a model\naigw.yaml:42: error: alias \"b\": model: leads back to itself (b → a → b); point one of them at a model",
        ),
        (
            "/models",
            json!([{"name": "a", "model": "a"}]),
            "aigw.yaml:41: error: alias \"a\": model: leads back to itself (a → a); point one of them at a model",
        ),
        (
            "/models",
            json!([{"name": "a"}]),
            "aigw.yaml:41: error: alias \"a\": model: is needed: the model that is routed in its place",
        ),
        (
            "/models",
            json!([{"name": "a", "model": "m"}, {"name": "a", "model": "n"}]),
            "aigw.yaml:42: error: alias \"a\": name: the name is used twice, first at aigw.yaml:41; rename one",
        ),
        (
            "/credentials",
            json!([{"name": "client/x", "env": "K"}]),
            "aigw.yaml:11: error: credential \"client/x\": name: names beginning with `client/` are taken; choose another\naigw.yaml:11: warning: credential \"client/x\": nothing uses it",
        ),
        (
            "/clientKeys",
            json!([{"name": "a", "key": ""}]),
            "aigw.yaml:51: error: client key \"a\": key: is empty; give the text, `{env: VAR}` or `{file: PATH}`",
        ),
        (
            "/clientKeys",
            json!([{"name": "a", "key": "1"}, {"name": "a", "key": "2"}]),
            "aigw.yaml:52: error: client key \"a\": name: the name is used twice, first at aigw.yaml:51; rename one",
        ),
        (
            "/clientKeys",
            json!([{"name": "a", "key": "1", "models": [{"regex": "("}]}]),
            "aigw.yaml:51: error: client key \"a\": models[0]: `(` is not a regular expression: unclosed group",
        ),
        (
            "/limits",
            json!({"maxRequestBody": 0}),
            "aigw.yaml:61: error: limits: maxRequestBody: must be more than 0, such as 32MiB",
        ),
        (
            "/limits",
            json!({"bytesInFlight": "1MiB"}),
            "aigw.yaml:61: error: limits: bytesInFlight: 1MiB is less than one request body of 32MiB (maxRequestBody), so such a body could never be read; raise it",
        ),
        (
            "/limits",
            json!({"maxConcurrent": 0}),
            "aigw.yaml:61: error: limits: maxConcurrent: 0 would let no request in; leave it out for no limit",
        ),
        (
            "/limits",
            json!({"timeouts": {"connect": 0}}),
            "aigw.yaml:61: error: limits: timeouts.connect: must be more than 0s; leave it out for the default",
        ),
        (
            "/limits",
            json!({"allowedOrigins": ["app.example.com"]}),
            "aigw.yaml:61: error: limits: allowedOrigins[0]: `app.example.com` is not an origin; write scheme and host without a path, such as https://app.example.com",
        ),
    ];
    for (pointer, value, expected) in rows {
        assert_eq!(refused(with(pointer, value)), expected);
    }
}

#[test]
fn bad_costs_are_refused() {
    let cost = |key: &str| json!([{"metadataKey": key, "type": "TotalToken"}]);
    let cel = |text: &str| json!([{"metadataKey": "c", "type": "CEL", "cel": text}]);
    let rows = [
        (
            "/costs",
            cost(""),
            "aigw.yaml:71: error: costs[0]: metadataKey: a key is needed, such as `llm_total_token`",
        ),
        (
            "/costs",
            json!([{"metadataKey": "c", "type": "TotalToken"}, {"metadataKey": "c", "type": "InputToken"}]),
            "aigw.yaml:72: error: cost \"c\": metadataKey: `c` is the key of two costs; keep one",
        ),
        (
            "/costs",
            json!([{"metadataKey": "c", "type": "CEL"}]),
            "aigw.yaml:71: error: cost \"c\": cel: is needed for type CEL, such as `input_tokens + output_tokens * 4u`",
        ),
        (
            "/costs",
            cel("input_tokens +"),
            "aigw.yaml:71: error: cost \"c\": cel: is not CEL: column 15: Syntax error: mismatched input '<EOF>'",
        ),
        (
            "/routes/0/costs",
            cel("tokens * 2u"),
            "aigw.yaml:31: error: route \"all\": costs[0].cel: no variable is named \"tokens\"; there is \"backend\", \"cache_creation_input_tokens\", \"cached_input_tokens\", \"input_tokens\", \"model\", \"output_tokens\", \"reasoning_tokens\", \"route_name\", \"total_tokens\"",
        ),
        (
            "/routes/0/costs",
            cel("cached_input_tokens * 0.1"),
            "aigw.yaml:31: error: route \"all\": costs[0].cel: cannot mul uint and double; counts are uint, so write `4u`, or convert with `int(…)`, `uint(…)` or `double(…)`",
        ),
    ];
    for (pointer, value, expected) in rows {
        assert_eq!(refused(with(pointer, value)), expected);
    }
}

#[test]
fn one_run_shows_every_finding() {
    let mut document = good();
    document["backends"][0]["provider"] = json!("gorq");
    document["routes"][0]["rules"][0]["models"] = json!(["a*b"]);
    document["limits"] = json!({"maxConcurrent": 0});
    // The route's backend is bad, which is said at the backend and not a second time at the route.
    assert_eq!(refused(document).lines().count(), 3);
}

#[test]
fn what_works_but_may_not_be_meant_is_a_warning() {
    let rows = [
        (
            "/backends/0/apiKey",
            json!(null),
            "aigw.yaml:21: warning: backend \"openai\": apiKey: has no key, so requests go without one; give `apiKey`, or say `auth: {type: none}`",
        ),
        (
            "/credentials",
            json!([{"name": "k", "env": "K"}]),
            "aigw.yaml:11: warning: credential \"k\": nothing uses it",
        ),
        (
            "/clientKeys",
            json!([]),
            "configuration: warning: clientKeys: the list is empty, so every request is refused; add a key, or leave `clientKeys` out to ask for none",
        ),
        (
            "/routes/0/rules",
            json!([]),
            "aigw.yaml:31: warning: route \"all\": rules: there is none, so the route serves nothing",
        ),
        (
            "/routes/0/rules/-",
            json!({"models": ["m"], "backends": [{"name": "openai"}]}),
            "aigw.yaml:31: warning: route \"all\": rules[1]: is never reached: rules[0] before it takes every request; move it up",
        ),
        (
            "/costs",
            json!([{"metadataKey": "c", "type": "TotalToken", "cel": "1u"}]),
            "aigw.yaml:71: warning: cost \"c\": cel: has no effect with type TotalToken; write `type: CEL`",
        ),
        (
            "/routes/0/costs",
            json!([{"metadataKey": "route_name", "type": "TotalToken"}]),
            "aigw.yaml:31: warning: route \"all\": costs[0].metadataKey: is a key of the gateway itself, which overwrites it in the metadata; use another",
        ),
    ];
    for (pointer, value, expected) in rows {
        assert_eq!(compiled(with(pointer, value)).1, expected);
    }
}

#[test]
fn bad_addresses_are_refused() {
    let mut document = good();
    document["endpoints"] = json!([
        {"name": "a:1", "addresses": ["10.0.0.1", "10.0.0.1:80", "unix:m.sock", "h:0"]},
        {"name": "a:1", "addresses": []},
    ]);
    let said = refused(document);
    assert!(
        said.contains("`10.0.0.1` is no address; write it like 10.0.0.7:8080"),
        "{said}"
    );
    assert!(said.contains("`unix:m.sock` has no absolute path"), "{said}");
    assert!(said.contains("`h:0` has no usable port"), "{said}");
    assert!(said.contains("is given twice"), "{said}");
}
