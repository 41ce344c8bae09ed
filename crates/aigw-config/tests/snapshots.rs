//! A good document, and what the data plane is given.

mod support;

use aigw_config::{BackendAuth, Millis, ModelPattern, OnError, Quirks, SchemaName};
use serde_json::json;

use support::compiled;

#[test]
fn defaults_are_filled_in() {
    let (snapshot, warnings) = compiled(json!({
        "backends": [{"name": "a", "provider": "openai", "apiKey": "k"}],
        "routes": [{"name": "r", "rules": [{"backends": [{"name": "a"}]}]}],
    }));
    assert_eq!(warnings, "");
    let limits = &snapshot.limits;
    assert_eq!(limits.max_request_body, 32 << 20);
    assert_eq!(limits.bytes_in_flight, 1 << 30);
    assert_eq!(limits.max_concurrent, None);
    assert_eq!(limits.timeouts.connect, Millis(10_000));
    assert_eq!(limits.timeouts.first_byte, Millis(600_000));
    assert_eq!(limits.timeouts.first_byte_stream, Millis(120_000));
    assert_eq!(limits.timeouts.idle, Millis(300_000));
    assert_eq!(limits.timeouts.request, None);
    assert!(snapshot.client_keys.is_none());
    let rule = &snapshot.routes[0].rules[0];
    assert_eq!(rule.name.as_ref(), "0");
    assert_eq!((rule.retry.attempts, rule.retry.attempts_per_backend), (1, 1));
    assert_eq!(rule.retry.on_error, OnError::Retry);
    assert_eq!((rule.candidates[0].weight, rule.candidates[0].priority), (1, 0));
    assert_eq!(rule.candidates[0].timeouts, limits.timeouts);
}

#[test]
fn a_preset_gives_schema_place_and_auth() {
    let (snapshot, _) = compiled(json!({"backends": [
        {"name": "groq", "provider": "groq", "apiKey": "k"},
        {"name": "claude", "provider": "anthropic", "apiKey": {"env": "K"}},
        {"name": "ollama", "provider": "ollama"},
        {"name": "guarded", "provider": "ollama", "apiKey": "k", "url": "http://gpu:9000"},
        {"name": "mirror", "provider": "groq", "url": "https://mirror.example/llm/v1", "apiKey": "k"},
        {"name": "other-api", "provider": "groq", "schema": {"name": "Anthropic"}, "apiKey": "k"},
        {"name": "bare", "schema": {"name": "Anthropic"}, "apiKey": "k"},
    ]}));
    let backend = |name: &str| snapshot.backends.get(name).unwrap();
    let groq = backend("groq");
    assert_eq!(groq.schema.path_prefix(), "openai/v1");
    assert_eq!(groq.endpoint.authority, "api.groq.com");
    assert_eq!(groq.provider.as_ref(), "groq");
    assert_eq!(groq.auth, BackendAuth::Bearer("backend/groq".into()));
    assert!(!groq.quirks.json_schema);
    let key_header = http::HeaderName::from_static("x-api-key");
    assert_eq!(
        backend("claude").auth,
        BackendAuth::Header(key_header.clone(), "backend/claude".into())
    );
    assert_eq!(backend("ollama").auth, BackendAuth::None);
    assert_eq!(
        backend("guarded").auth,
        BackendAuth::Bearer("backend/guarded".into())
    );
    assert_eq!(backend("guarded").endpoint.authority, "gpu:9000");
    assert_eq!(backend("mirror").schema.path_prefix(), "llm/v1");
    assert_eq!(backend("mirror").endpoint.host, "mirror.example");
    // Another dialect of the same vendor: the preset's place and label, but not its key header and quirks.
    let other = backend("other-api");
    assert_eq!(other.schema.name, SchemaName::Anthropic);
    assert_eq!(other.endpoint.host, "api.groq.com");
    assert_eq!(
        other.auth,
        BackendAuth::Header(key_header, "backend/other-api".into())
    );
    assert_eq!((other.provider.as_ref(), other.quirks), ("groq", Quirks::NONE));
    assert_eq!(backend("bare").endpoint.host, "api.anthropic.com");
    assert_eq!(backend("bare").provider.as_ref(), "anthropic");
}

#[test]
fn a_urls_path_is_the_prefix() {
    let (snapshot, _) = compiled(json!({"backends": [
        {"name": "a", "schema": {"name": "OpenAI"}, "url": "http://h:1/api/v2/"},
        {"name": "b", "schema": {"name": "OpenAI", "version": "v1"}, "url": "http://h:1/v1"},
        {"name": "c", "schema": {"name": "OpenAI", "version": "x", "prefix": "/p"}, "url": "http://h:1"},
    ]}));
    let prefix = |name: &str| snapshot.backends[name].schema.path_prefix().to_owned();
    assert_eq!(
        (prefix("a"), prefix("b"), prefix("c")),
        ("api/v2".into(), "v1".into(), "p".into())
    );
}

#[test]
fn credentials_are_placed_as_said() {
    let (snapshot, warnings) = compiled(json!({
        "credentials": [{"name": "shared", "env": "K"}],
        "backends": [
            {"name": "a", "provider": "openai", "auth": {"type": "apiKey", "credential": "shared"}},
            {"name": "b", "provider": "anthropic", "auth": {"type": "bearer", "credential": "shared"}},
            {"name": "c", "provider": "openai", "apiKey": "k", "auth": {"type": "header", "name": "Api-Key"}},
            {"name": "d", "provider": "openai", "auth": {"type": "passthrough"}},
            {"name": "e", "provider": "openai", "auth": {"type": "none"}},
        ],
        "clientKeys": [{"name": "team", "key": "secret", "models": ["gpt-*"]}],
    }));
    assert_eq!(warnings, "");
    let auth = |name: &str| snapshot.backends[name].auth.clone();
    assert_eq!(auth("a"), BackendAuth::Bearer("shared".into()));
    assert_eq!(auth("b"), BackendAuth::Bearer("shared".into()));
    assert_eq!(
        auth("c"),
        BackendAuth::Header(http::HeaderName::from_static("api-key"), "backend/c".into())
    );
    assert_eq!(auth("d"), BackendAuth::Passthrough);
    assert_eq!(auth("e"), BackendAuth::None);
    let keys = snapshot.client_keys.unwrap();
    assert_eq!(keys[0].credential, "client/team");
    assert!(keys[0].models[0].matches("gpt-4o"));
}

#[test]
fn candidates_are_sorted_merged_and_timed() {
    let (snapshot, _) = compiled(json!({
        "limits": {"timeouts": {"idle": "1m", "request": "9s"}},
        "backends": [
            {"name": "a", "provider": "openai", "apiKey": "k", "timeouts": {"request": "0s"},
             "headerMutation": {"set": [{"name": "X-Team", "value": "backend"}], "remove": ["x-b"]},
             "bodyMutation": {"set": [{"path": "user", "value": "1"}]}},
            {"name": "b", "provider": "ollama", "timeouts": {"connect": "1s"}},
        ],
        "routes": [{"name": "r", "rules": [{
            "timeouts": {"connect": "2s", "firstByte": "3s"},
            "backends": [
                {"name": "a", "priority": 1, "modelNameOverride": "m2",
                 "headerMutation": {"set": [{"name": "x-team", "value": "rule"}]},
                 "bodyMutation": {"remove": ["user"]}},
                {"name": "b", "priority": 0},
                {"name": "a", "priority": 0, "weight": 0},
            ],
        }]}],
    }));
    let rule = &snapshot.routes[0].rules[0];
    let order: Vec<_> = rule
        .candidates
        .iter()
        .map(|c| (c.backend.name.as_ref(), c.priority))
        .collect();
    assert_eq!(order, [("b", 0), ("a", 0), ("a", 1)]);
    assert_eq!(rule.retry.attempts, 2, "the one of weight 0 takes nothing");
    let [b, _, a] = rule.candidates.as_slice() else {
        panic!("three candidates");
    };
    assert_eq!(a.model.as_deref(), Some("m2"));
    assert_eq!(a.set_headers.len(), 1);
    assert_eq!(a.set_headers[0].1, "rule");
    assert_eq!(a.remove_headers, ["x-b"]);
    assert_eq!(
        (a.set_body.len(), a.remove_body.as_slice()),
        (0, ["user".to_owned()].as_slice())
    );
    assert_eq!(a.timeouts.request, None);
    assert_eq!(b.timeouts.request, Some(Millis(9_000)));
    assert_eq!(
        (a.timeouts.connect, b.timeouts.connect),
        (Millis(2_000), Millis(1_000))
    );
    assert_eq!(
        (b.timeouts.first_byte, b.timeouts.idle),
        (Millis(3_000), Millis(60_000))
    );
}

#[test]
fn conditions_are_compiled() {
    let (snapshot, _) = compiled(json!({
        "backends": [{"name": "a", "provider": "ollama"}],
        "routes": [{"name": "r", "hostnames": ["*.Example.COM"], "rules": [{
            "models": ["exact", "pre-*", "*", {"prefix": "p*"}, {"regex": "a|b"}],
            "matches": [{"headers": [
                {"name": "X-AI-EG-Model", "value": "lit*eral"},
                {"name": "X-Tier", "value": "g.*", "type": "RegularExpression"},
            ]}],
            "backends": [{"name": "a"}],
        }]}],
    }));
    let route = &snapshot.routes[0];
    assert_eq!(route.hostnames, ["*.example.com"]);
    let rule = &route.rules[0];
    assert!(matches!(&rule.models[0], ModelPattern::Exact(text) if text == "exact"));
    assert!(matches!(&rule.models[1], ModelPattern::Prefix(text) if text == "pre-"));
    assert!(matches!(&rule.models[2], ModelPattern::Prefix(text) if text.is_empty()));
    assert!(matches!(&rule.models[3], ModelPattern::Prefix(text) if text == "p*"));
    assert!(rule.models[4].matches("b") && !rule.models[4].matches("ab"));
    let model = rule.matches[0].model.as_ref().unwrap();
    assert!(matches!(model, ModelPattern::Exact(text) if text == "lit*eral"));
    assert_eq!(rule.matches[0].headers[0].name, "x-tier");
    assert!(rule.matches[0].headers[0].value.matches("gold"));
}

#[test]
fn the_list_has_exact_names_and_shown_aliases_once() {
    let (snapshot, _) = compiled(json!({
        "backends": [{"name": "a", "provider": "ollama"}],
        "models": [
            {"name": "fast", "model": "middle"},
            {"name": "middle", "model": "m1", "hidden": true},
            {"name": "own", "model": "elsewhere", "ownedBy": "us"},
        ],
        "routes": [
            {"name": "r", "rules": [
                {"models": ["m1", "pre-*", "m2"], "modelsOwnedBy": "lab", "modelsCreatedAt": 7, "backends": [{"name": "a"}]},
                {"matches": [{"model": "m3"}, {"headers": [{"name": "x-ai-eg-model", "value": "m4"}]}, {"model": "m1"}],
                 "backends": [{"name": "a"}]},
            ]},
            {"name": "inner", "hostnames": ["in.example"], "rules": [{"models": ["m1", "m9"], "backends": [{"name": "a"}]}]},
            {"name": "shut", "refuse": "not supported", "rules": [{"models": ["m5"], "backends": [{"name": "a"}]}]},
        ],
    }));
    let lines: Vec<_> = snapshot
        .models
        .iter()
        .map(|m| (m.name.as_str(), m.owned_by.as_str(), m.created, m.route))
        .collect();
    assert_eq!(
        lines,
        [
            ("m1", "lab", 7, Some(0)),
            ("m2", "lab", 7, Some(0)),
            ("m3", "aigw", 0, Some(0)),
            ("m4", "aigw", 0, Some(0)),
            ("m9", "aigw", 0, Some(1)),
            ("fast", "lab", 7, Some(0)),
            ("own", "us", 0, None),
        ]
    );
    assert_eq!(snapshot.aliases["fast"], "m1", "chains are followed to their end");
}

#[test]
fn the_version_follows_the_content_and_shows_no_secret() {
    let with = |key: &str, name: &str| {
        let backends = json!([{"name": name, "provider": "openai", "apiKey": key}]);
        compiled(json!({ "backends": backends })).0
    };
    let one = with("sk-one", "a");
    assert_eq!(one.version.len(), 16);
    assert_eq!(one.version, with("sk-two", "a").version);
    assert_ne!(one.version, with("sk-one", "b").version);
    assert!(!format!("{one:?}").contains("sk-one"));
}

#[test]
fn a_rule_may_refuse_without_a_backend() {
    let (snapshot, warnings) = compiled(json!({
        "routes": [{"name": "r", "rules": [{"models": ["m"], "refuse": "nothing left"}]}],
    }));
    assert_eq!(warnings, "");
    assert_eq!(
        snapshot.routes[0].rules[0].refuse.as_deref(),
        Some("nothing left")
    );
}

#[test]
fn a_routes_own_costs_go_before_the_documents() {
    let (snapshot, warnings) = compiled(json!({
        "backends": [{"name": "a", "provider": "ollama"}],
        "costs": [
            {"metadataKey": "total", "type": "TotalToken"},
            {"metadataKey": "price", "type": "CEL", "cel": "input_tokens + output_tokens * 4u"},
        ],
        "routes": [
            {"name": "plain", "rules": [{"models": ["m"], "backends": [{"name": "a"}]}]},
            {"name": "own", "rules": [{"models": ["n"], "backends": [{"name": "a"}]}], "costs": [
                {"metadataKey": "out", "type": "OutputToken"},
                {"metadataKey": "total", "type": "InputToken"},
            ]},
        ],
    }));
    assert_eq!(warnings, "");
    let costs = |route: usize| -> Vec<String> {
        let costs = &snapshot.routes[route].costs;
        costs.iter().map(|cost| cost.to_string()).collect()
    };
    let price = "price: input_tokens + output_tokens * 4u";
    assert_eq!(costs(0), ["total: TotalToken", price]);
    assert_eq!(costs(1), ["out: OutputToken", "total: InputToken", price]);
}

#[test]
fn addresses_belong_to_the_backends_of_their_host() {
    let (snapshot, warnings) = compiled(json!({
        "backends": [
            {"name": "pods", "schema": {"name": "OpenAI"}, "url": "http://models.ns.svc/v1"},
            {"name": "six", "schema": {"name": "OpenAI"}, "url": "http://[fd00::1]:8080"},
            {"name": "elsewhere", "schema": {"name": "OpenAI"}, "url": "http://other.ns.svc"},
            {"name": "mixed", "schema": {"name": "OpenAI"}, "url": "http://mixed.invalid"},
        ],
        "endpoints": [
            {"name": "models.ns.svc:80", "addresses": ["10.0.0.2:8000", "10.0.0.1:8000", "10.0.0.2:8000"]},
            {"name": "[fd00::1]:8080", "addresses": []},
            {"name": "mixed.invalid:80", "ownNames": true,
             "addresses": ["unix:/run/m.sock", "b.test:443", "10.0.0.1:80", "B.test:443"]},
        ],
    }));
    assert_eq!(warnings, "");
    let addresses = |name: &str| {
        let found = snapshot.backends[name].places.as_ref()?;
        Some(found.iter().map(|place| place.at.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(
        addresses("pods"),
        Some(vec!["10.0.0.1:8000".to_owned(), "10.0.0.2:8000".to_owned()])
    );
    assert_eq!(addresses("six"), Some(Vec::new()), "nobody is there");
    assert_eq!(addresses("elsewhere"), None, "its name is asked for");
    let mixed = ["10.0.0.1:80", "b.test:443", "unix:/run/m.sock"].map(str::to_owned);
    assert_eq!(addresses("mixed"), Some(mixed.to_vec()));
    let own = |name: &str| {
        let places = snapshot.backends[name].places.as_ref();
        places.unwrap().iter().all(|place| place.own_name)
    };
    assert!(own("mixed") && !own("pods"));
}

#[test]
fn the_time_for_an_attempt_bounds_the_wait_for_its_first_byte() {
    let document = json!({
        "backends": [
            {"name": "a", "schema": {"name": "OpenAI"}, "url": "http://a"},
            {"name": "b", "schema": {"name": "OpenAI"}, "url": "http://b", "timeouts": {"firstByteStream": "1s"}}],
        "routes": [{"name": "r", "rules": [{"backends": [{"name": "a"}, {"name": "b"}], "maxConcurrent": 3,
            "retry": {"timeout": "4s", "backoff": {"base": "20ms"}}}]}],
    });
    let (snapshot, _) = compiled(document);
    let rule = &snapshot.routes[0].rules[0];
    let waits: Vec<_> = rule
        .candidates
        .iter()
        .map(|one| (one.timeouts.first_byte.0, one.timeouts.first_byte_stream.0))
        .collect();
    assert_eq!(waits, [(4_000, 4_000), (4_000, 1_000)]);
    assert_eq!(rule.retry.backoff.unwrap().max.0, 200);
    let limit = rule.max_concurrent.as_ref().unwrap();
    assert_eq!((limit.key.as_ref(), limit.limit), ("r 0", 3));
}

#[test]
fn the_last_backend_is_never_left_out() {
    // Backends, percent, always one: how many may be out, and whether a warning says that none may.
    let rows = [
        (1, 100, true, None, false),
        (2, 100, false, Some(1), false),
        (2, 10, false, None, true),
        (2, 10, true, Some(1), false),
        (5, 50, false, Some(2), false),
        (5, 100, false, Some(4), false),
    ];
    for (count, percent, always_one, most, warned) in rows {
        let names: Vec<String> = (0..count).map(|at| format!("b{at}")).collect();
        let backends = names
            .iter()
            .map(|name| json!({"name": name, "schema": {"name": "OpenAI"}, "url": "http://a"}));
        let refs = names.iter().map(|name| json!({"name": name}));
        let (snapshot, warnings) = compiled(json!({
            "backends": backends.collect::<Vec<_>>(),
            "routes": [{"name": "r", "rules": [{"backends": refs.collect::<Vec<_>>(),
                "ejection": {"maxPercent": percent, "alwaysOne": always_one}}]}],
        }));
        let ejection = snapshot.routes[0].rules[0].ejection.as_ref();
        assert_eq!(
            ejection.map(|one| one.most),
            most,
            "{count} {percent} {always_one}"
        );
        assert_eq!(
            warnings.contains("so none is ever left out"),
            warned,
            "{warnings}"
        );
    }
}
