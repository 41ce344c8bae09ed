//! What a plan wants of the cluster, with what is needed to tell whether it is there already.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aigw_plan::cluster::{ClusterPlan, GatewayPlan};
use aigw_plan::workload::POD_TEMPLATE;
use serde_json::Value;
use tracing::error;

use crate::kinds::index_of;
use crate::managed::MADE;
use crate::named::Named;
use crate::read::print_of_value;
use crate::table::Key;

/// An object of a watched kind or of a made one: index into that table, and key.
pub(crate) type Place = (usize, Key);

/// What a plan wants.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Plans by Gateway.
    pub(crate) gateways: BTreeMap<Key, Arc<GatewayPlan>>,
    /// Objects by kind, an index into [`MADE`], and place.
    pub(crate) objects: HashMap<Place, WantedObject>,
    /// Statuses by kind, an index into [`crate::kinds::WATCHED`], and place.
    pub(crate) statuses: HashMap<Place, WantedStatus>,
}

/// An object.
#[derive(Debug)]
pub(crate) struct WantedObject {
    /// Its Gateway.
    pub(crate) gateway: Key,
    /// The object.
    pub(crate) value: Value,
    /// Hash of its pods' template, of a Deployment.
    pub(crate) template: Option<String>,
    /// Hash of it.
    pub(crate) print: u64,
}

/// A status.
#[derive(Debug)]
pub(crate) struct WantedStatus {
    /// Uid of the object that it is of.
    pub(crate) uid: String,
    /// The status without times.
    pub(crate) value: Value,
    /// Hash of it.
    pub(crate) print: u64,
}

impl Wanted {
    pub(crate) fn of(plan: ClusterPlan) -> Self {
        let mut wanted = Self::default();
        for (key, gateway) in plan.gateways {
            let key = (key.namespace, key.name);
            for value in &gateway.objects {
                let Some(place) = place_of(value) else {
                    error!(
                        "a planned object is of a kind that is not made: {}",
                        Named::of(value).kind
                    );
                    continue;
                };
                let object = WantedObject {
                    gateway: key.clone(),
                    print: print_of_value(value),
                    template: template_of(value).map(str::to_owned),
                    value: value.clone(),
                };
                wanted.objects.insert(place, object);
            }
            wanted.gateways.insert(key, Arc::new(gateway));
        }
        for status in plan.statuses {
            let group = status.api_version.split_once('/').map_or("", |(group, _)| group);
            let Some(index) = index_of(group, &status.kind) else {
                error!(
                    "a planned status is of a kind that is not watched: {}",
                    status.kind
                );
                continue;
            };
            let one = WantedStatus {
                uid: status.uid,
                print: print_of_value(&status.value),
                value: status.value,
            };
            let key = (status.namespace, status.name);
            wanted.statuses.insert((index, key), one);
        }
        wanted
    }
}

fn template_of(value: &Value) -> Option<&str> {
    value
        .get("metadata")?
        .get("annotations")?
        .get(POD_TEMPLATE)?
        .as_str()
}

fn place_of(value: &Value) -> Option<Place> {
    let named = Named::of(value);
    let index = MADE
        .iter()
        .position(|one| (one.0, one.1, one.2) == (named.group, named.version, named.kind))?;
    Some((index, (named.namespace.to_owned(), named.name.to_owned())))
}
