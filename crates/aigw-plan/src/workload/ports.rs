//! Where a pod listens for a listener's port. Pods run without privileges, so ports below 1024 have another one in the pod.

use std::collections::{BTreeMap, BTreeSet};

/// The administration of `aigw`, on the pod's loopback interface alone.
pub const ADMIN_PORT: u16 = 1064;
/// Health, readiness, metrics and version, on the pod's address.
pub const STATUS_PORT: u16 = 1065;
/// The name by which a pod's status port is found.
pub const STATUS_PORT_NAME: &str = "status";

/// What is added to ports that need privileges; those in the range that this gives, and ours, get `OUT_OF_THE_WAY`.
const UNPRIVILEGED: u16 = 10_000;
const OUT_OF_THE_WAY: u16 = 30_000;

/// The pod's port for each listener's. A port from 1024 on is its own, unless it is taken by one of ours or by a listener that
/// moved; then it is the first free one from 30000 on. No two are equal, and a port below 1024 keeps its place whatever the
/// others are.
pub fn container_ports(listeners: impl IntoIterator<Item = u16>) -> BTreeMap<u16, u16> {
    let all: BTreeSet<u16> = listeners.into_iter().filter(|port| *port != 0).collect();
    let mut out: BTreeMap<u16, u16> = all
        .iter()
        .take_while(|port| **port < 1024)
        .map(|port| (*port, port + UNPRIVILEGED))
        .collect();
    let moved: BTreeSet<u16> = out.values().copied().chain([ADMIN_PORT, STATUS_PORT]).collect();
    let (displaced, own): (Vec<u16>, Vec<u16>) = all
        .iter()
        .copied()
        .filter(|port| *port >= 1024)
        .partition(|port| moved.contains(port));
    out.extend(own.iter().map(|port| (*port, *port)));
    let mut free = (OUT_OF_THE_WAY..=u16::MAX).filter(|port| !own.contains(port));
    for port in displaced {
        // Listeners of one Gateway are 64 at most, so that there always is one.
        if let Some(place) = free.next() {
            out.insert(port, place);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_keep_their_number_where_they_can() {
        let rows = [
            (vec![80, 443, 8080], vec![(80, 10080), (443, 10443), (8080, 8080)]),
            (vec![80, 10080], vec![(80, 10080), (10080, 30000)]),
            (
                vec![80, 10080, 30000],
                vec![(80, 10080), (10080, 30001), (30000, 30000)],
            ),
            (vec![ADMIN_PORT, STATUS_PORT], vec![(1064, 30000), (1065, 30001)]),
            (
                vec![1, 1023, 65535],
                vec![(1, 10001), (1023, 11023), (65535, 65535)],
            ),
        ];
        for (asked, expected) in rows {
            let expected: BTreeMap<u16, u16> = expected.into_iter().collect();
            assert_eq!(container_ports(asked.iter().copied()), expected, "{asked:?}");
        }
    }
}
