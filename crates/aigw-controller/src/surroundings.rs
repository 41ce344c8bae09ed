//! What the cluster has besides objects: kinds, their versions, another controller.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use kube::core::metadata::PartialObjectMeta;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use crate::backoff::Backoff;
use crate::bell::Bell;
use crate::caches::Caches;
use crate::discovery::discover;
use crate::table::{Key, Table};
use crate::watch::Watch;

/// Label of the Deployment of Envoy Gateway, as its chart has it.
pub(crate) const ENVOY_GATEWAY: &str = "control-plane=envoy-gateway";
/// Where Gateway API's CRDs say their version.
pub(crate) const BUNDLE_VERSION: &str = "gateway.networking.k8s.io/bundle-version";
/// A kind is served a moment after its CRD says so.
const AGAIN_AFTER: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// CRDs may not be watched everywhere; what the server serves may always be asked.
const ANYWAY: Duration = Duration::from_secs(30);

/// What a plan is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// Whether an Envoy Gateway is installed in the cluster.
    pub(crate) envoy_gateway_runs: bool,
    /// Version of Gateway API's CRDs.
    pub(crate) bundle_version: Option<String>,
}

/// A definition or a Deployment: its version, and an annotation of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    uid: String,
    generation: i64,
    bundle: Option<String>,
}

type Seens = Arc<Table<Seen>>;

fn read(object: PartialObjectMeta<DynamicObject>) -> Seen {
    let meta = object.metadata;
    Seen {
        uid: meta.uid.unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        bundle: meta.annotations.and_then(|mut all| all.remove(BUNDLE_VERSION)),
    }
}

/// Keeps what is watched and told in step with the cluster; never ends.
/// Of `namespaces`, all when there are none, an Envoy Gateway is looked for.
pub(crate) async fn follow(
    client: Client,
    namespaces: Vec<String>,
    caches: Arc<Caches>,
    out: watch::Sender<Surroundings>,
) {
    let bell = Arc::new(Bell::default());
    let mut tasks = JoinSet::new();
    let definitions = resource(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    );
    let deployments = resource("apps", "Deployment", "deployments");
    let all = Api::all_with(client.clone(), &definitions);
    let definitions = begin(all, "customresourcedefinitions", None, &bell, &mut tasks);
    let within = |name: &String| Api::namespaced_with(client.clone(), name, &deployments);
    let mut places: Vec<Api<_>> = namespaces.iter().map(within).collect();
    if places.is_empty() {
        places.push(Api::all_with(client.clone(), &deployments));
    }
    let begin_one = |api| begin(api, "deployments", Some(ENVOY_GATEWAY), &bell, &mut tasks);
    let gateways: Vec<Seens> = places.into_iter().map(begin_one).collect();
    let mut backoff = Backoff::watch();
    let mut again = AGAIN_AFTER.iter();
    loop {
        let mut pause = ANYWAY;
        match discover(&client).await {
            Ok(installed) => {
                backoff.reset();
                caches.follow(&installed);
                tell(&definitions, &gateways, &caches, &out);
                if let Some(next) = again.next() {
                    pause = *next;
                }
            }
            Err(error) => {
                pause = backoff.pause(0);
                warn!("what the cluster has cannot be asked: {error}; trying again");
            }
        }
        tokio::select! {
            () = bell.changed() => again = AGAIN_AFTER.iter(),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// How a kind in version `v1` is reached.
pub(crate) fn resource(group: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: group.to_owned(),
        version: "v1".to_owned(),
        api_version: format!("{group}/v1"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

fn begin(
    api: Api<PartialObjectMeta<DynamicObject>>,
    what: &str,
    labels: Option<&str>,
    bell: &Arc<Bell>,
    tasks: &mut JoinSet<()>,
) -> Seens {
    let table: Seens = Arc::default();
    let (differs, synced) = (Arc::clone(bell), Arc::clone(bell));
    let watch = Watch {
        what: what.to_owned(),
        api,
        fields: None,
        labels: labels.map(str::to_owned),
        read: Box::new(read),
        differs: Box::new(move |_: &Key, old, new| {
            if old != new {
                differs.ring();
            }
        }),
        synced: Box::new(move || synced.ring()),
        table: Arc::clone(&table),
    };
    tasks.spawn(watch.run());
    table
}

fn tell(definitions: &Seens, gateways: &[Seens], caches: &Caches, out: &watch::Sender<Surroundings>) {
    let gateway = (String::new(), "gateways.gateway.networking.k8s.io".to_owned());
    let now = Surroundings {
        envoy_gateway_runs: gateways.iter().any(|table| !table.rows().is_empty()),
        bundle_version: definitions.row(&gateway).and_then(|one| one.bundle.clone()),
    };
    let changed = out.send_if_modified(|before| {
        let differs = *before != now;
        *before = now;
        differs
    });
    if changed {
        caches.bells.plan.ring();
    }
}
