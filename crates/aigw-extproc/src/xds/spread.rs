//! The places behind one cluster, each with the `host` that requests to it have.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aigw_config::{Address, Endpoint, Place};
use envoy_types::pb::envoy::config::cluster::v3::OutlierDetection;
use envoy_types::pb::envoy::config::cluster::v3::cluster::CommonLbConfig;
use envoy_types::pb::envoy::config::core::v3::Address as EnvoyAddress;
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint as LbAddress, LbEndpoint, LocalityLbEndpoints, lb_endpoint,
};
use envoy_types::pb::envoy::r#type::v3::Percent;

use super::options::Options;
use super::typed::{number, pipe, seconds, socket};

/// How long an address that could not be reached is passed over: as in the native host.
const AVOID: u64 = 5;

/// Where a cluster's requests go.
pub(super) struct Spread {
    /// Addresses, and the `host` of requests to them: empty where Envoy is to leave it.
    pub addresses: Vec<(Option<EnvoyAddress>, String)>,
    /// There when Envoy has to ask for names; true for one name whose addresses are one place.
    pub by_name: Option<bool>,
}

/// Where requests to `endpoint` go, which has those places if they are known; or why Envoy cannot send them there.
pub(super) fn of(endpoint: &Endpoint, places: Option<&[Place]>, options: &Options) -> Result<Spread, String> {
    let Some(places) = places else {
        return Ok(itself(endpoint));
    };
    let has = |wanted: fn(&Address) -> bool| places.iter().any(|place| wanted(&place.at));
    let (names, sockets) = (
        has(|at| matches!(at, Address::Name(..))),
        has(|at| matches!(at, Address::Unix(_))),
    );
    if has_own_names(Some(places)) {
        for place in places
            .iter()
            .filter(|place| !matches!(place.at, Address::Unix(_)))
        {
            if options.proxies.find(&place.endpoint(endpoint))?.is_some() {
                return Err("Envoy cannot ask a forward proxy for one of several names".to_owned());
            }
        }
    } else if options.proxies.find(endpoint)?.is_some() {
        if sockets {
            return Err("Envoy cannot have both a forward proxy and a Unix socket in one cluster".to_owned());
        }
        // A forward proxy is told the name alone.
        return Ok(itself(endpoint));
    }
    if names && sockets {
        return Err("Envoy cannot have both names and Unix sockets in one cluster".to_owned());
    }
    let one = |place: &Place| {
        let address = match &place.at {
            Address::Ip(at) => socket(&at.ip().to_string(), at.port()),
            Address::Name(name, port) => socket(name, *port),
            Address::Unix(path) => pipe(path),
        };
        let host = match (place.own_name, names) {
            (true, _) => place.endpoint(endpoint).authority,
            // Where Envoy asks for names it would take them for the host.
            (false, true) => endpoint.authority.clone(),
            (false, false) => String::new(),
        };
        (address, host)
    };
    Ok(Spread {
        addresses: places.iter().map(one).collect(),
        by_name: names.then_some(false),
    })
}

fn itself(endpoint: &Endpoint) -> Spread {
    let is_name = endpoint.host.parse::<IpAddr>().is_err();
    let host = match is_name {
        true => endpoint.authority.clone(),
        false => String::new(),
    };
    Spread {
        addresses: vec![(socket(&endpoint.host, endpoint.port), host)],
        by_name: is_name.then_some(true),
    }
}

pub(super) fn has_own_names(places: Option<&[Place]>) -> bool {
    places.is_some_and(|places| places.iter().any(|place| place.own_name))
}

/// Whom TLS is with: a cluster has one name for that.
pub(super) fn told(endpoint: &Endpoint, places: Option<&[Place]>) -> Result<Endpoint, String> {
    let places = places
        .filter(|_| endpoint.server_name.is_none())
        .unwrap_or_default();
    let mut all = places.iter().map(|place| place.endpoint(endpoint));
    let Some(first) = all.next() else {
        return Ok(endpoint.clone());
    };
    let others: BTreeSet<String> = all
        .map(|one| one.host)
        .filter(|host| *host != first.host)
        .collect();
    match others.first() {
        None => Ok(first),
        Some(other) => Err(format!(
            "Envoy cannot ask for {} and {other} with TLS in one cluster",
            first.host
        )),
    }
}

/// One that could not be reached twice is passed over for a while. Envoy counts a connection that breaks under a request as well, which
/// once is no reason. What comes as an answer is nobody's business here.
pub(super) fn avoid() -> OutlierDetection {
    OutlierDetection {
        split_external_local_origin_errors: true,
        consecutive_local_origin_failure: number(2),
        enforcing_consecutive_local_origin_failure: number(100),
        enforcing_local_origin_success_rate: number(0),
        enforcing_consecutive_5xx: number(0),
        enforcing_consecutive_gateway_failure: number(0),
        enforcing_success_rate: number(0),
        enforcing_failure_percentage: number(0),
        enforcing_failure_percentage_local_origin: number(0),
        interval: seconds(1),
        base_ejection_time: seconds(AVOID),
        max_ejection_time: seconds(AVOID),
        max_ejection_percent: number(100),
        ..OutlierDetection::default()
    }
}

/// Where all are passed over, all are tried: only where there is no better one is one that failed asked again.
pub(super) fn rather_all_than_none() -> CommonLbConfig {
    CommonLbConfig {
        healthy_panic_threshold: Some(Percent { value: 1.0 }),
        ..CommonLbConfig::default()
    }
}

/// A cluster's addresses, and the `host` of requests to each.
pub(super) fn assignment(
    name: &str,
    addresses: impl IntoIterator<Item = (Option<EnvoyAddress>, String)>,
) -> ClusterLoadAssignment {
    let endpoint = |(address, hostname)| LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(LbAddress {
            address,
            hostname,
            ..LbAddress::default()
        })),
        ..LbEndpoint::default()
    };
    ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: addresses.into_iter().map(endpoint).collect(),
            ..LocalityLbEndpoints::default()
        }],
        ..ClusterLoadAssignment::default()
    }
}
