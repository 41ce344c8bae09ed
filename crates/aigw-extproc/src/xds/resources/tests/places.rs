//! Several places behind one endpoint.

use aigw_config::Place;
use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;

use super::*;

fn set(snapshot: &mut Snapshot, texts: &[&str], own_name: bool) {
    let place = |text: &&str| Place {
        at: text.parse().unwrap(),
        own_name,
    };
    let places: Arc<[Place]> = texts.iter().map(place).collect();
    for backend in snapshot.backends.values_mut() {
        Arc::get_mut(backend).unwrap().places = Some(Arc::clone(&places));
    }
}

/// Where requests go, and the host that they have there.
fn told(assigned: &ClusterLoadAssignment) -> Vec<String> {
    let all = assigned.endpoints[0].lb_endpoints.iter();
    all.map(|one| {
        let Some(HostIdentifier::Endpoint(one)) = one.host_identifier.clone() else {
            panic!("{one:?}")
        };
        match one.address.unwrap().address.unwrap() {
            Address::SocketAddress(at) => {
                let Some(PortSpecifier::PortValue(port)) = at.port_specifier else {
                    panic!("{at:?}")
                };
                format!("{} {port} as {}", at.address, one.hostname)
            }
            Address::Pipe(pipe) => format!("{} as {}", pipe.path, one.hostname),
            other => panic!("{other:?}"),
        }
    })
    .collect()
}

/// Those places, as Envoy is told them, or why it is not.
fn spread(
    endpoint: &Endpoint,
    texts: &[&str],
    own_name: bool,
    proxies: Proxies,
) -> Result<Vec<String>, String> {
    let mut with = snapshot(&[], std::slice::from_ref(endpoint));
    set(&mut with, texts, own_name);
    let options = Options {
        proxies: Arc::new(proxies),
        authorities: Some("/ca.pem".into()),
        ..options(DataPath::Extproc)
    };
    let made = make(&with, &options).unwrap();
    if let Some(left_out) = made.left_out().first() {
        assert!(!made.reaches(endpoint));
        return Err(left_out.detail.clone());
    }
    let name = names::cluster(endpoint);
    let cluster: Cluster = unpack(&made, Kind::Cluster, &name);
    assert_eq!(cluster.lb_policy(), LbPolicy::LeastRequest);
    Ok(told(&match cluster.load_assignment {
        Some(assigned) => assigned,
        None => unpack(&made, Kind::Endpoint, &name),
    }))
}

#[test]
fn known_addresses_share_a_cluster() {
    let mut with = snapshot(&[], &[endpoint(false, "models.ns.svc", 8080)]);
    set(&mut with, &["10.0.0.1:80", "[fd00::1]:80"], false);
    let made = make(&with, &options(DataPath::Extproc)).unwrap();
    let name = names::cluster(&endpoint(false, "models.ns.svc", 8080));
    let cluster: Cluster = unpack(&made, Kind::Cluster, &name);
    assert_eq!(cluster.lb_policy(), LbPolicy::LeastRequest);
    let discovery = ClusterDiscoveryType::Type(DiscoveryType::Eds.into());
    assert_eq!(cluster.cluster_discovery_type, Some(discovery));
    let assigned: ClusterLoadAssignment = unpack(&made, Kind::Endpoint, &name);
    assert_eq!(assigned.endpoints[0].lb_endpoints.len(), 2);

    // Pods come and go: the cluster, and with it its connections, stays.
    set(&mut with, &[], false);
    let made = make(&with, &options(DataPath::Extproc)).unwrap();
    assert_eq!(unpack::<Cluster>(&made, Kind::Cluster, &name), cluster);
    let assigned: ClusterLoadAssignment = unpack(&made, Kind::Endpoint, &name);
    assert!(assigned.endpoints[0].lb_endpoints.is_empty());
}

#[test]
fn places_of_every_form_are_told_with_their_host() {
    let endpoint = endpoint(false, "models.test", 8080);
    let none = Proxies::none;
    let forms = ["10.0.0.1:80", "[fd00::1]:8000", "unix:/run/m.sock"];
    assert_eq!(
        spread(&endpoint, &forms, true, none()).unwrap(),
        [
            "10.0.0.1 80 as 10.0.0.1",
            "fd00::1 8000 as [fd00::1]:8000",
            "/run/m.sock as localhost"
        ]
    );
    assert_eq!(
        spread(&endpoint, &["a.test:80", "10.0.0.1:81"], true, none()).unwrap(),
        ["a.test 80 as a.test", "10.0.0.1 81 as 10.0.0.1:81"]
    );
    // By the endpoint's name: said where Envoy would take another, left alone where it would not.
    assert_eq!(
        spread(&endpoint, &["a.test:80", "10.0.0.1:81"], false, none()).unwrap(),
        ["a.test 80 as models.test", "10.0.0.1 81 as models.test"]
    );
    assert_eq!(
        spread(&endpoint, &["unix:/run/m.sock"], false, none()).unwrap(),
        ["/run/m.sock as "]
    );
}

#[test]
fn what_one_cluster_cannot_have_is_left_to_the_native_host() {
    let plain = endpoint(false, "models.test", 80);
    let tls = endpoint(true, "models.test", 443);
    let named = Endpoint {
        server_name: Some("all.test".to_owned()),
        ..tls.clone()
    };
    let none = Proxies::none;
    let proxy = || Proxies::to("http://10.9.9.9:3128", "");
    let (two, mixed) = (["a.test:443", "b.test:443"], ["a.test:80", "unix:/m.sock"]);
    assert!(
        spread(&plain, &mixed, true, none())
            .unwrap_err()
            .contains("names and Unix sockets")
    );
    assert!(
        spread(&tls, &two, true, none())
            .unwrap_err()
            .contains("a.test and b.test")
    );
    for fits in [
        spread(&named, &two, true, none()),
        spread(&tls, &two, false, none()),
        spread(&tls, &["a.test:443", "a.test:8443"], true, none()),
        spread(&plain, &two, true, none()),
        spread(&plain, &["unix:/m.sock"], true, proxy()),
    ] {
        fits.unwrap();
    }
    for own in [true, false] {
        let reason = spread(&plain, &["10.0.0.1:80", "unix:/m.sock"], own, proxy()).unwrap_err();
        assert!(reason.contains("forward proxy"), "{reason}");
    }
}
