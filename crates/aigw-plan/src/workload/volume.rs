//! Volumes of a pod, and where containers have them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, DownwardAPIProjection, DownwardAPIVolumeFile, EmptyDirVolumeSource, KeyToPath,
    ObjectFieldSelector, ProjectedVolumeSource, ServiceAccountTokenProjection, Volume, VolumeMount,
    VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The last good snapshot. It holds provider keys, and so it is in memory and in no other container.
pub(super) const SNAPSHOT: Place = Place {
    volume: "snapshot",
    path: "/var/lib/aigw",
};
/// Sockets between `aigw` and Envoy, and Envoy's bootstrap, in a directory below it.
pub(super) const SOCKETS: Place = Place {
    volume: "sockets",
    path: "/run/aigw",
};
/// What Envoy's container lacks: the `aigw` binary, for its hook.
pub(super) const TOOLS: Place = Place {
    volume: "tools",
    path: "/opt/aigw",
};
/// What the API server knows `aigw` by.
pub(super) const TOKEN: Place = Place {
    volume: "token",
    path: "/var/run/secrets/kubernetes.io/serviceaccount",
};

/// The directory of the sockets, which `aigw` makes for its user alone.
pub(super) const RUN_DIR: &str = "/run/aigw/envoy";
/// Envoy's bootstrap.
pub(super) const BOOTSTRAP: &str = "/run/aigw/envoy/bootstrap.yaml";
/// The copy of `aigw`.
pub(super) const COPY: &str = "/opt/aigw/aigw";

/// A volume and where it is mounted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    volume: &'static str,
    path: &'static str,
}

impl Place {
    pub fn path(self) -> &'static str {
        self.path
    }

    pub fn mount(self) -> VolumeMount {
        VolumeMount {
            name: self.volume.to_owned(),
            mount_path: self.path.to_owned(),
            ..VolumeMount::default()
        }
    }

    pub fn read_only(self) -> VolumeMount {
        VolumeMount {
            read_only: Some(true),
            ..self.mount()
        }
    }

    fn directory(self, medium: Option<&str>, limit: &str) -> Volume {
        Volume {
            name: self.volume.to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                medium: medium.map(str::to_owned),
                size_limit: Some(Quantity(limit.to_owned())),
                ..EmptyDirVolumeSource::default()
            }),
            ..Volume::default()
        }
    }
}

/// Volumes that every pod has.
pub(super) fn own() -> Vec<Volume> {
    vec![token(), SNAPSHOT.directory(Some("Memory"), "128Mi")]
}

/// Volumes that a pod with Envoy has, too.
pub(super) fn beside_envoy() -> Vec<Volume> {
    vec![
        SOCKETS.directory(Some("Memory"), "16Mi"),
        TOOLS.directory(None, "256Mi"),
    ]
}

/// The same as Kubernetes projects into every container where automounting is on.
fn token() -> Volume {
    let file = |key: &str| KeyToPath {
        key: key.to_owned(),
        path: key.to_owned(),
        ..KeyToPath::default()
    };
    let sources = vec![
        VolumeProjection {
            service_account_token: Some(ServiceAccountTokenProjection {
                expiration_seconds: Some(3_600),
                path: "token".to_owned(),
                ..ServiceAccountTokenProjection::default()
            }),
            ..VolumeProjection::default()
        },
        VolumeProjection {
            config_map: Some(ConfigMapProjection {
                name: "kube-root-ca.crt".to_owned(),
                items: Some(vec![file("ca.crt")]),
                optional: None,
            }),
            ..VolumeProjection::default()
        },
        VolumeProjection {
            downward_api: Some(DownwardAPIProjection {
                items: Some(vec![DownwardAPIVolumeFile {
                    path: "namespace".to_owned(),
                    field_ref: Some(ObjectFieldSelector {
                        api_version: Some("v1".to_owned()),
                        field_path: "metadata.namespace".to_owned(),
                    }),
                    ..DownwardAPIVolumeFile::default()
                }]),
            }),
            ..VolumeProjection::default()
        },
    ];
    Volume {
        name: TOKEN.volume.to_owned(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(0o440),
            sources: Some(sources),
            ..ProjectedVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Requests as Kubernetes has them.
pub(super) fn amounts(amounts: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    amounts
        .iter()
        .map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned())))
        .collect()
}
