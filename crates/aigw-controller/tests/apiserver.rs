//! What the other tests stand on: the API server answers, judges its users, and comes back with what it held.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

mod common;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams};

use common::{Cluster, cluster};

const ROLE: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reads-config-maps}
rules:
  - {apiGroups: [''], resources: [configmaps], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reads-config-maps}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reads-config-maps}
subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: reader}
";

#[tokio::test]
async fn a_user_may_do_what_its_roles_say_and_no_more() {
    let cluster = cluster().await;
    let space = cluster.space("users").await;
    space.apply(ROLE).await;
    let reader = cluster.user("reader");
    let maps: Api<ConfigMap> = Api::namespaced(reader.clone(), &space.name);
    common::eventually(std::time::Duration::from_secs(5), || async {
        let listed = maps.list(&ListParams::default()).await;
        listed.map_err(|error| error.to_string())
    })
    .await;
    let secrets: Api<Secret> = Api::namespaced(reader, &space.name);
    let refused = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("User \"reader\" cannot list resource \"secrets\""),
        "{refused}"
    );
    let asked = cluster.audit("reader");
    let refused: Vec<_> = asked.iter().filter(|one| one.resource == "secrets").collect();
    assert_eq!((refused.len(), refused[0].code), (1, 403), "{asked:?}");
}

#[tokio::test]
async fn a_killed_server_comes_back_with_what_it_held() {
    let cluster = Cluster::start().await;
    let space = cluster.space("back").await;
    space
        .apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}, data: {a: b}}")
        .await;
    cluster.kill_server();
    let maps = space.api::<ConfigMap>();
    maps.get("kept").await.unwrap_err();
    cluster.start_server().await;
    let kept = maps.get("kept").await.unwrap();
    assert_eq!(kept.data.unwrap()["a"], "b");
}
