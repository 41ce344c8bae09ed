//! Envoy Gateway's ClusterSettings, <https://gateway.envoyproxy.io/docs/api/extension_types/#clustersettings>: how connections to
//! servers behave.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{rule, scalar};

/// How connections to servers behave.
pub(crate) fn backend_settings(generator: &mut SchemaGenerator) -> Schema {
    let shapes = Shapes {
        duration: scalar::duration(generator).into(),
        bytes: bytes(generator),
    };
    json_schema!({
        "type": "object",
        "properties": {
            "circuitBreaker": circuit_breaker(),
            "connection": shapes.connection(),
            "dns": shapes.dns(),
            "healthCheck": object(json!({
                "panicThreshold": whole(0, Some(100)),
                "active": shapes.active_health_check(),
                "passive": shapes.passive_health_check(),
            })),
            "http2": shapes.http2(),
            "loadBalancer": shapes.load_balancer(),
            "proxyProtocol": needing(&["version"], json!({ "version": choice(&["V1", "V2"]) })),
            "retry": shapes.retry(),
            "tcpKeepalive": object(json!({
                "probes": whole(0, None), "idleTime": shapes.duration, "interval": shapes.duration,
            })),
            "timeout": shapes.timeout(),
        },
        "x-kubernetes-validations": [rule(
            "!(has(self.connection) && has(self.connection.preconnect) && \
             has(self.connection.preconnect.predictivePercent)) || \
             (has(self.loadBalancer) && self.loadBalancer.type in ['Random', 'RoundRobin'])",
            "predictivePercent in preconnect policy only works with RoundRobin or Random load balancers",
        )],
    })
}

fn object(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties })
}

fn needing(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn ruled(mut schema: Value, rules: &[(&str, &str)]) -> Value {
    schema["x-kubernetes-validations"] = rules.iter().map(|(test, message)| rule(test, message)).collect();
    schema
}

fn with(mut schema: Value, default: impl Into<Value>) -> Value {
    schema["default"] = default.into();
    schema
}

fn whole(min: i64, max: Option<i64>) -> Value {
    let mut schema = json!({ "type": "integer", "format": "int64", "minimum": min });
    if let Some(max) = max {
        schema["maximum"] = max.into();
    }
    schema
}

fn choice(values: &[&str]) -> Value {
    json!({ "type": "string", "enum": values })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// A whole number of bytes, perhaps with a suffix.
fn bytes(generator: &mut SchemaGenerator) -> Value {
    let mut schema = Value::from(scalar::quantity(generator));
    schema["x-kubernetes-validations"] = json!([rule(
        "type(self) == string ? self.matches('^[1-9]+[0-9]*([EPTGMK]i|[EPTGMk])?$') : type(self) == int",
        "the value must be a whole number, with a suffix such as Ki or M or none",
    )]);
    schema
}

fn circuit_breaker() -> Value {
    let limit = with(whole(0, Some(4_294_967_295)), 1024);
    let fraction = ruled(
        needing(
            &["numerator"],
            json!({ "numerator": whole(0, None), "denominator": with(whole(1, None), 100) }),
        ),
        &[(
            "self.numerator <= self.denominator",
            "numerator must be less than or equal to denominator",
        )],
    );
    object(json!({
        "maxConnections": limit,
        "maxParallelRequests": limit,
        "maxParallelRetries": limit,
        "maxPendingRequests": limit,
        "maxRequestsPerConnection": whole(0, Some(4_294_967_295)),
        "perEndpoint": object(json!({ "maxConnections": limit })),
        "retryBudget": needing(&["percent"], json!({ "percent": fraction, "minRetryConcurrency": whole(0, None) })),
    }))
}

/// What parts are made of.
struct Shapes {
    duration: Value,
    bytes: Value,
}

impl Shapes {
    fn connection(&self) -> Value {
        object(json!({
            "bufferLimit": self.bytes,
            "socketBufferLimit": self.bytes,
            "preconnect": object(json!({
                "perEndpointPercent": whole(100, Some(300)), "predictivePercent": whole(100, None),
            })),
        }))
    }

    fn dns(&self) -> Value {
        let families = ["IPv4", "IPv6", "IPv4Preferred", "IPv6Preferred", "IPv4AndIPv6"];
        object(json!({
            "dnsRefreshRate": self.duration, "lookupFamily": choice(&families), "respectDnsTtl": flag(),
        }))
    }

    fn active_health_check(&self) -> Value {
        let payload = ruled(
            needing(
                &["type"],
                json!({ "type": choice(&["Text", "Binary"]), "text": text(), "binary": { "type": "string", "format": "byte" } }),
            ),
            &[
                (
                    "self.type == 'Text' ? has(self.text) : !has(self.text)",
                    "If payload type is Text, text field needs to be set.",
                ),
                (
                    "self.type == 'Binary' ? has(self.binary) : !has(self.binary)",
                    "If payload type is Binary, binary field needs to be set.",
                ),
            ],
        );
        let status = whole(100, Some(599));
        let http = needing(
            &["path"],
            json!({
                "path": { "type": "string", "minLength": 1, "maxLength": 1024 },
                "method": text(),
                "hostname": text(),
                "expectedStatuses": list(status.clone()),
                "retriableStatuses": list(status),
                "expectedResponse": payload,
            }),
        );
        ruled(
            needing(
                &["type"],
                json!({
                    "type": choice(&["HTTP", "TCP", "GRPC"]),
                    "timeout": with(self.duration.clone(), "1s"),
                    "interval": with(self.duration.clone(), "3s"),
                    "initialJitter": self.duration,
                    "unhealthyThreshold": with(whole(1, None), 3),
                    "healthyThreshold": with(whole(1, None), 1),
                    "overrides": object(json!({ "port": whole(1, Some(65535)) })),
                    "http": http,
                    "tcp": object(json!({ "send": payload, "receive": payload })),
                    "grpc": object(json!({ "service": text() })),
                }),
            ),
            &[
                (
                    "self.type == 'HTTP' ? has(self.http) : !has(self.http)",
                    "If Health Checker type is HTTP, http field needs to be set.",
                ),
                (
                    "self.type == 'TCP' ? has(self.tcp) : !has(self.tcp)",
                    "If Health Checker type is TCP, tcp field needs to be set.",
                ),
                (
                    "has(self.grpc) ? self.type == 'GRPC' : true",
                    "The grpc field can only be set if the Health Checker type is GRPC.",
                ),
            ],
        )
    }

    fn passive_health_check(&self) -> Value {
        object(json!({
            "consecutiveLocalOriginFailures": with(whole(0, None), 5),
            "consecutiveGatewayErrors": whole(0, None),
            "consecutive5XxErrors": with(whole(0, None), 5),
            "interval": with(self.duration.clone(), "3s"),
            "baseEjectionTime": with(self.duration.clone(), "30s"),
            "maxEjectionPercent": with(whole(0, Some(100)), 10),
            "splitExternalLocalOriginErrors": with(flag(), false),
            "alwaysEjectOneEndpoint": with(flag(), false),
            "failurePercentageThreshold": whole(0, Some(100)),
        }))
    }

    fn http2(&self) -> Value {
        let keepalive = ruled(
            object(json!({
                "interval": self.duration,
                "timeout": self.duration,
                "idleInterval": self.duration,
                "intervalJitter": whole(0, Some(100)),
            })),
            &[(
                "!has(self.timeout) || !has(self.interval) || duration(self.timeout) < duration(self.interval)",
                "timeout must be less than interval",
            )],
        );
        object(json!({
            "initialStreamWindowSize": self.bytes,
            "initialConnectionWindowSize": self.bytes,
            "maxConcurrentStreams": whole(1, Some(2_147_483_647)),
            "onInvalidMessage": text(),
            "connectionKeepalive": keepalive,
        }))
    }

    fn load_balancer(&self) -> Value {
        let types = [
            "ConsistentHash",
            "LeastRequest",
            "Random",
            "RoundRobin",
            "BackendUtilization",
            "DynamicModule",
        ];
        let schema = needing(
            &["type"],
            json!({
                "type": choice(&types),
                "consistentHash": self.consistent_hash(),
                "backendUtilization": object(json!({
                    "blackoutPeriod": self.duration,
                    "weightExpirationPeriod": self.duration,
                    "weightUpdatePeriod": self.duration,
                    "errorUtilizationPenaltyPercent": whole(0, None),
                    "metricNamesForComputingUtilization": list(text()),
                    "keepResponseHeaders": with(flag(), false),
                })),
                "dynamicModule": needing(&["lbPolicyName", "name"], json!({
                    "name": text(), "lbPolicyName": text(), "config": { "x-kubernetes-preserve-unknown-fields": true },
                })),
                "endpointOverride": needing(&["extractFrom"], json!({ "extractFrom": {
                    "type": "array", "minItems": 1, "maxItems": 10, "items": object(json!({ "header": text() })),
                } })),
                "slowStart": needing(&["window"], json!({ "window": self.duration })),
                "zoneAware": zone_aware(),
            }),
        );
        ruled(schema, &LOAD_BALANCER)
    }

    fn consistent_hash(&self) -> Value {
        let named = needing(&["name"], json!({ "name": text() }));
        let cookie = needing(
            &["name"],
            json!({
                "name": text(),
                "ttl": self.duration,
                "attributes": { "type": "object", "additionalProperties": { "type": "string" } },
            }),
        );
        let schema = needing(
            &["type"],
            json!({
                "type": choice(&["SourceIP", "Header", "Headers", "Cookie", "QueryParams"]),
                "header": named,
                "headers": list(named.clone()),
                "cookie": cookie,
                "queryParams": list(named),
                "tableSize": with(whole(2, Some(5_000_011)), 65537),
            }),
        );
        ruled(
            schema,
            &[
                (
                    "self.type == 'Header' ? has(self.header) : !has(self.header)",
                    "If consistent hash type is header, the header field must be set.",
                ),
                (
                    "self.type == 'Headers' ? has(self.headers) : !has(self.headers)",
                    "If consistent hash type is headers, the headers field must be set.",
                ),
                (
                    "self.type == 'Cookie' ? has(self.cookie) : !has(self.cookie)",
                    "If consistent hash type is cookie, the cookie field must be set.",
                ),
                (
                    "self.type == 'QueryParams' ? has(self.queryParams) : !has(self.queryParams)",
                    "If consistent hash type is queryParams, the queryParams field must be set.",
                ),
            ],
        )
    }

    fn retry(&self) -> Value {
        let triggers = [
            "5xx",
            "gateway-error",
            "reset",
            "reset-before-request",
            "connect-failure",
            "retriable-4xx",
            "refused-stream",
            "retriable-status-codes",
            "cancelled",
            "deadline-exceeded",
            "internal",
            "resource-exhausted",
            "unavailable",
        ];
        object(json!({
            "numRetries": with(whole(0, None), 2),
            "numAttemptsPerPriority": whole(0, None),
            "perRetry": object(json!({
                "timeout": self.duration,
                "backOff": object(json!({ "baseInterval": self.duration, "maxInterval": self.duration })),
            })),
            "retryOn": object(json!({
                "triggers": list(choice(&triggers)), "httpStatusCodes": list(whole(100, Some(599))),
            })),
        }))
    }

    fn timeout(&self) -> Value {
        object(json!({
            "tcp": object(json!({ "connectTimeout": self.duration })),
            "http": object(json!({
                "connectionIdleTimeout": self.duration,
                "maxConnectionDuration": self.duration,
                "maxStreamDuration": self.duration,
                "requestTimeout": self.duration,
                "streamIdleTimeout": self.duration,
            })),
        }))
    }
}

fn zone_aware() -> Value {
    let local = object(json!({
        "force": object(json!({ "minEndpointsInZoneThreshold": whole(0, None) })),
        "minEndpointsThreshold": whole(0, None),
        "percentageEnabled": whole(0, Some(100)),
    }));
    let zones = json!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["zone"],
        "items": needing(&["weight", "zone"], json!({ "zone": text(), "weight": whole(0, None) })),
    });
    ruled(
        object(json!({ "preferLocal": local, "weightedZones": zones })),
        &[(
            "!(has(self.preferLocal) && has(self.weightedZones))",
            "preferLocal and weightedZones cannot both be set.",
        )],
    )
}

const LOAD_BALANCER: [(&str, &str); 6] = [
    (
        "self.type == 'ConsistentHash' ? has(self.consistentHash) : !has(self.consistentHash)",
        "If LoadBalancer type is consistentHash, consistentHash field needs to be set.",
    ),
    (
        "self.type == 'BackendUtilization' ? has(self.backendUtilization) : !has(self.backendUtilization)",
        "If LoadBalancer type is BackendUtilization, backendUtilization field needs to be set.",
    ),
    (
        "self.type == 'DynamicModule' ? has(self.dynamicModule) : !has(self.dynamicModule)",
        "If LoadBalancer type is DynamicModule, dynamicModule field needs to be set.",
    ),
    (
        "!(self.type in ['Random', 'ConsistentHash', 'DynamicModule'] && has(self.slowStart))",
        "slowStart cannot be set with the LoadBalancer types Random, ConsistentHash and DynamicModule.",
    ),
    (
        "!(self.type in ['ConsistentHash', 'BackendUtilization'] && has(self.zoneAware) && \
         has(self.zoneAware.preferLocal))",
        "preferLocal cannot be set with the LoadBalancer types ConsistentHash and BackendUtilization.",
    ),
    (
        "!(self.type == 'DynamicModule' && (has(self.zoneAware) || has(self.endpointOverride)))",
        "zoneAware and endpointOverride cannot be set with the LoadBalancer type DynamicModule.",
    ),
];
