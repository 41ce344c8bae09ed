//! The API server, as the operator reaches it.

use std::path::Path;
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
    /// Neither a pod's account nor a kubeconfig was found: name one with `--kubeconfig`.
    #[error("no cluster is known here: {0}; name a kubeconfig with --kubeconfig")]
    Nothing(kube::config::InferConfigError),
    /// What the configuration says cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Config(kube::Error),
}

/// A client by the kubeconfig of that name, else by that of the environment, else by the pod's own account. Its default
/// namespace is the one that these name.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    let mut config = match kubeconfig {
        Some(path) => {
            let named = |error| ConnectError::File(path.display().to_string(), error);
            let parsed = Kubeconfig::read_from(path).map_err(named)?;
            Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
                .await
                .map_err(named)?
        }
        None => Config::infer().await.map_err(ConnectError::Nothing)?,
    };
    config.connect_timeout = Some(Duration::from_secs(5));
    // What failed is tried again here, where it is known whether that may still be done.
    config.default_retry = false;
    Client::try_from(config).map_err(ConnectError::Config)
}
