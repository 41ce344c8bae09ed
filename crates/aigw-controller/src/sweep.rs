//! Which of the operator's own objects have nothing to be there for any more.

use aigw_api::GATEWAY_GROUP;
use aigw_plan::Kind;

use crate::caches::Caches;
use crate::kinds::index_of;
use crate::managed::{Mark, SNAPSHOT};
use crate::wanted::Wanted;

/// What is known of the Gateway that an object was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// There is no such Gateway.
    Gone,
    /// It is ours and planned for; its uid.
    Served(String),
    /// It belongs to another controller by now.
    Left,
    /// It is there, but nobody's, since its class is missing, or its settings cannot be followed. What serves goes on. Its uid.
    Unclaimed(String),
}

/// Looks the Gateway up.
pub(crate) fn owner(
    caches: &Caches,
    wanted: &Wanted,
    namespace: &str,
    gateway: &str,
    controller: &str,
) -> Owner {
    let key = (namespace.to_owned(), gateway.to_owned());
    let row = index_of(GATEWAY_GROUP, "Gateway").and_then(|index| caches.row(index, &key));
    let Some(row) = row else {
        return Owner::Gone;
    };
    match wanted.gateways.get(&key) {
        Some(gateway) if gateway.keeps => return Owner::Unclaimed(row.uid.clone()),
        Some(_) => return Owner::Served(row.uid.clone()),
        None => {}
    }
    let class = match row.object.as_ref().map(|object| &object.kind) {
        Some(Kind::Gateway(gateway)) => gateway.spec.gateway_class_name.clone(),
        _ => String::new(),
    };
    let class =
        index_of(GATEWAY_GROUP, "GatewayClass").and_then(|index| caches.row(index, &(String::new(), class)));
    match class
        .as_ref()
        .and_then(|row| row.object.as_ref())
        .map(|object| &object.kind)
    {
        Some(Kind::GatewayClass(class)) if class.spec.controller_name != controller => Owner::Left,
        _ => Owner::Unclaimed(row.uid.clone()),
    }
}

/// Whether the object is to be deleted. `wanted`: the plan has it.
pub(crate) fn is_stale(mark: &Mark, owner: &Owner, wanted: bool) -> bool {
    if mark.gateway.is_empty() || mark.going || wanted {
        return false;
    }
    match owner {
        Owner::Gone | Owner::Left => true,
        // Slots of the pool that are not in use stay for the next snapshot.
        Owner::Served(uid) => mark.owner != *uid || mark.component != SNAPSHOT,
        Owner::Unclaimed(uid) => mark.owner != *uid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_can_want_is_deleted() {
        let mark = |component: &str, owner: &str, gateway: &str| Mark {
            uid: "u".to_owned(),
            version: "1".to_owned(),
            owner: owner.to_owned(),
            gateway: gateway.to_owned(),
            component: component.to_owned(),
            template: None,
            print: 0,
            going: false,
        };
        let served = |uid: &str| Owner::Served(uid.to_owned());
        let unclaimed = |uid: &str| Owner::Unclaimed(uid.to_owned());
        let plain = mark("proxy", "g1", "gw");
        assert!(is_stale(&plain, &Owner::Gone, false));
        assert!(is_stale(&plain, &Owner::Left, false));
        assert!(is_stale(&plain, &served("g1"), false), "not planned any more");
        assert!(!is_stale(&plain, &served("g1"), true));
        assert!(
            !is_stale(&plain, &unclaimed("g1"), false),
            "a missing class ends no data plane"
        );
        assert!(is_stale(&plain, &unclaimed("g2"), false), "of a Gateway before");
        assert!(!is_stale(&mark(SNAPSHOT, "g1", "gw"), &served("g1"), false));
        assert!(is_stale(&mark(SNAPSHOT, "g1", "gw"), &served("g2"), false));
        assert!(
            !is_stale(&mark("x", "", ""), &Owner::Gone, false),
            "made for no Gateway"
        );
    }
}
