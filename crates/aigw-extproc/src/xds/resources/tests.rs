use std::collections::HashMap;
use std::sync::Arc;

use aigw_config::{
    Backend, BackendAuth, CertificatePair, Credentials, Document, Limits, Listener as Spec, Millis, Origin,
    PemSource, Quirks, Schema, SchemaName, Timeouts, Tls,
};
use aigw_proxy::Proxies;
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType, LbPolicy};
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::ClusterSpecifier;
use envoy_types::pb::google::protobuf::Duration as ProtoDuration;
use prost::Message;

use super::*;
use crate::Places;

fn snapshot(listeners: &[(&str, &str)], endpoints: &[Endpoint]) -> Snapshot {
    let backend = |(index, endpoint): (usize, &Endpoint)| {
        let name = format!("backend-{index}");
        let backend = Backend {
            name: Arc::from(name.as_str()),
            provider: Arc::from("openai"),
            schema: Schema::new(SchemaName::OpenAI),
            endpoint: endpoint.clone(),
            places: None,
            auth: BackendAuth::None,
            quirks: Quirks::default(),
            max_concurrent: None,
        };
        (name, Arc::new(backend))
    };
    Snapshot {
        version: Arc::from("v1"),
        listeners: listeners
            .iter()
            .map(|(name, address)| Spec {
                name: (*name).to_owned(),
                address: (*address).to_owned(),
                tls: None,
                hostnames: Vec::new(),
                origin: Origin::default(),
            })
            .collect(),
        routes: Vec::new(),
        backends: endpoints.iter().enumerate().map(backend).collect(),
        aliases: HashMap::new(),
        models: Vec::new(),
        client_keys: None,
        limits: Limits {
            max_request_body: 1 << 20,
            bytes_in_flight: 1 << 30,
            max_concurrent: None,
            timeouts: Timeouts {
                connect: Millis(1_500),
                first_byte: Millis(600_000),
                first_byte_stream: Millis(120_000),
                idle: Millis(300_000),
                request: None,
            },
            request_received: None,
            client_idle: None,
            allowed_origins: Vec::new(),
        },
        document: Document::default(),
    }
}

fn endpoint(https: bool, host: &str, port: u16) -> Endpoint {
    Endpoint {
        https,
        host: host.to_owned(),
        port,
        authority: host.to_owned(),
        ca: None,
        server_name: None,
    }
}

fn options(path: DataPath) -> Options {
    let folder = tempfile::tempdir().unwrap();
    Options {
        authorities: Some("/etc/ca.pem".into()),
        ..Options::new(path, Places::open(folder.path()).unwrap())
    }
}

fn make(snapshot: &Snapshot, options: &Options) -> Result<Resources, ResourceError> {
    let materials = Materials::read(snapshot, &Credentials::default());
    resources(snapshot, &materials, options)
}

fn unpack<T: Message + Name + Default>(made: &Resources, kind: Kind, name: &str) -> T {
    let any = &made.all(kind)[name];
    assert_eq!(any.type_url, T::type_url());
    assert_eq!(any.type_url, kind.type_url());
    T::decode(any.value.as_slice()).unwrap()
}

#[test]
fn equal_snapshots_make_equal_resources() {
    let options = options(DataPath::Extproc);
    let endpoints = [
        endpoint(true, "api.openai.com", 443),
        endpoint(false, "10.0.0.1", 80),
    ];
    let make = || make(&snapshot(&[("main", "127.0.0.1:80")], &endpoints), &options).unwrap();
    assert!(make() == make());
}

#[test]
fn addresses_come_apart_and_names_do_not() {
    let by_name = endpoint(true, "api.openai.com", 443);
    let by_address = endpoint(false, "::1", 8080);
    let endpoints = [by_name.clone(), by_address.clone(), by_name.clone()];
    let made = make(&snapshot(&[], &endpoints), &options(DataPath::Extproc)).unwrap();
    let clusters: Vec<&String> = made.all(Kind::Cluster).keys().collect();
    let addressed = names::cluster(&by_address);
    assert_eq!(clusters.len(), 4, "{clusters:?}");
    assert!(made.has_cluster(names::LOCAL_CLUSTER) && made.reaches(&by_name) && made.reaches(&by_address));
    let addresses: Vec<&String> = made.all(Kind::Endpoint).keys().collect();
    assert_eq!(addresses, [&addressed]);
    let cluster: Cluster = unpack(&made, Kind::Cluster, &addressed);
    assert_eq!(cluster.load_assignment, None);
    assert_eq!(cluster.transport_socket, None);
    let named: Cluster = unpack(&made, Kind::Cluster, &names::cluster(&by_name));
    assert!(named.load_assignment.is_some() && named.transport_socket.is_some());
    assert_eq!(
        named.connect_timeout,
        Some(ProtoDuration {
            seconds: 1,
            nanos: 500_000_000
        })
    );
}

#[test]
fn every_cluster_is_without_limits() {
    let snapshot = snapshot(
        &[("main", "127.0.0.1:80")],
        &[endpoint(true, "a.test", 443), endpoint(false, "127.0.0.1", 80)],
    );
    for path in [DataPath::Local, DataPath::Extproc] {
        let made = make(&snapshot, &options(path)).unwrap();
        assert!(!made.all(Kind::Cluster).is_empty());
        for name in made.all(Kind::Cluster).keys() {
            let cluster: Cluster = unpack(&made, Kind::Cluster, name);
            let [thresholds] = &*cluster.circuit_breakers.unwrap().thresholds else {
                panic!("{name}")
            };
            for limit in [
                thresholds.max_connections,
                thresholds.max_pending_requests,
                thresholds.max_requests,
                thresholds.max_retries,
            ] {
                assert_eq!(limit.unwrap().value, u32::MAX, "{name}");
            }
        }
    }
}

#[test]
fn one_route_without_a_time_limit_takes_everything() {
    let snapshot = snapshot(&[("main", "127.0.0.1:80")], &[]);
    let specifiers = [DataPath::Local, DataPath::Extproc].map(|path| {
        let made = make(&snapshot, &options(path)).unwrap();
        let config: RouteConfiguration = unpack(&made, Kind::Route, "main");
        let [host] = &*config.virtual_hosts else {
            panic!("{config:?}")
        };
        let [route] = &*host.routes else {
            panic!("{config:?}")
        };
        let Some(Action::Route(action)) = route.action.clone() else {
            panic!("{config:?}")
        };
        let zero = ProtoDuration { seconds: 0, nanos: 0 };
        assert_eq!(action.timeout, Some(zero));
        // Without rules there is nobody to wait for: the idle timeout and its margin.
        assert_eq!(action.idle_timeout.unwrap().seconds, 305);
        assert!(
            config
                .request_headers_to_remove
                .contains(&names::CLUSTER_HEADER.to_owned())
        );
        action.cluster_specifier.unwrap()
    });
    assert_eq!(
        specifiers,
        [
            ClusterSpecifier::Cluster("aigw-listener/main".to_owned()),
            ClusterSpecifier::ClusterHeader("x-aigw-cluster".to_owned())
        ]
    );
}

#[test]
fn ports_must_be_said_and_names_resolved() {
    let options = options(DataPath::Local);
    let error = make(&snapshot(&[("main", "127.0.0.1:0")], &[]), &options).unwrap_err();
    assert_eq!(error.listener, "main");
    assert!(error.detail.contains("the port must be said"), "{error}");
    let unknown = snapshot(&[("main", "nowhere.invalid:80")], &[]);
    let error = resources(&unknown, &Materials::default(), &options).unwrap_err();
    assert!(error.detail.contains("nowhere.invalid"), "{error}");
    assert!(
        make(
            &snapshot(&[("main", "localhost:80"), ("six", "[::]:81")], &[]),
            &options
        )
        .is_ok()
    );
}

#[test]
fn what_envoy_cannot_do_is_left_out_with_a_reason() {
    let reason = |proxies: Proxies, endpoint: Endpoint, authorities: Option<&str>| {
        let options = Options {
            proxies: Arc::new(proxies),
            authorities: authorities.map(Into::into),
            ..options(DataPath::Extproc)
        };
        let made = make(&snapshot(&[], std::slice::from_ref(&endpoint)), &options).unwrap();
        let reason = made.left_out().first().map(|left_out| left_out.detail.clone());
        assert_eq!(reason.is_none(), made.reaches(&endpoint));
        reason
    };
    let api = || endpoint(true, "api.test", 443);
    let to = |proxy: &str| Proxies::to(proxy, "");
    let system = Some("/etc/ca.pem");
    assert_eq!(reason(Proxies::none(), api(), system), None);
    let address = || endpoint(true, "192.0.2.7", 443);
    assert_eq!(reason(to("http://127.0.0.1:3128"), address(), system), None);
    for (found, part) in [
        (reason(Proxies::none(), api(), None), "ca-certificates"),
        (
            reason(to("http://127.0.0.1:3128"), api(), system),
            "in place of the name",
        ),
        (reason(to("http://proxy.test:3128"), address(), system), "by name"),
        (
            reason(to("http://me:you@127.0.0.1:3128"), address(), system),
            "password",
        ),
        (reason(to("socks5://127.0.0.1:1080"), api(), system), "socks5"),
    ] {
        assert!(
            found.as_ref().is_some_and(|found| found.contains(part)),
            "{part}: {found:?}"
        );
    }
}

#[test]
fn keys_are_not_shown() {
    let mut materials = Materials::default();
    let pair = (b"CHAIN".to_vec(), b"SECRETKEY".to_vec());
    let place = |entry: &str| PemSource::Credential(format!("secret/ai/web/{entry}"));
    let from = CertificatePair {
        certificate: place("tls.crt"),
        key: place("tls.key"),
    };
    materials.certificates.insert(from.clone(), Ok(pair));
    let mut snapshot = snapshot(&[("main", "127.0.0.1:80")], &[]);
    snapshot.listeners[0].tls = Some(Tls::of(from));
    let made = resources(&snapshot, &materials, &options(DataPath::Local)).unwrap();
    let shown = format!("{made:?} {materials:?}");
    assert!(
        shown.contains("aigw-certificate/secret/ai/web/tls.crt|"),
        "{shown}"
    );
    let bytes = format!("{:?}", b"SECRETKEY");
    assert!(
        !shown.contains("SECRETKEY") && !shown.contains(bytes.trim_matches(['[', ']'])),
        "{shown}"
    );
}

mod places;
