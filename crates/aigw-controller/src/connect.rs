//! The API server, as the operator reaches it.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use thiserror::Error;

/// Why the API server cannot be reached; nothing has been asked of it yet.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The file cannot be used: name another one with `--kubeconfig`.
    #[error("the kubeconfig {0} cannot be used: {1}")]
    File(String, kube::config::KubeconfigError),
    /// The context cannot be used: `kubectl config get-contexts` lists those that there are.
    #[error("the context {0} cannot be used: {1}")]
    Context(String, kube::config::KubeconfigError),
    /// Neither a pod's account nor a kubeconfig was found: name one with `--kubeconfig`.
    #[error("no cluster is known here: {0}; name a kubeconfig with --kubeconfig")]
    Nothing(kube::config::InferConfigError),
    /// What the configuration says cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Config(kube::Error),
}

/// Where a cluster is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// A kubeconfig. Without: that of the environment, else the pod's own account.
    pub kubeconfig: Option<PathBuf>,
    /// One of its contexts. Without: the current one.
    pub context: Option<String>,
}

/// A client of the cluster. Its default namespace is the one that the kubeconfig or the account names.
pub async fn connect(place: &Place) -> Result<Client, ConnectError> {
    let options = KubeConfigOptions {
        context: place.context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = match (&place.kubeconfig, &place.context) {
        (Some(path), _) => {
            let named = |error| ConnectError::File(path.display().to_string(), error);
            let parsed = Kubeconfig::read_from(path).map_err(named)?;
            Config::from_custom_kubeconfig(parsed, &options)
                .await
                .map_err(named)?
        }
        (None, Some(context)) => Config::from_kubeconfig(&options)
            .await
            .map_err(|error| ConnectError::Context(context.clone(), error))?,
        (None, None) => Config::infer().await.map_err(ConnectError::Nothing)?,
    };
    config.connect_timeout = Some(Duration::from_secs(5));
    // What failed is tried again here, where it is known whether that may still be done.
    config.default_retry = false;
    Client::try_from(config).map_err(ConnectError::Config)
}
