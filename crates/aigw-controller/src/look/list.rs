//! Lists, page by page and within bounds of time.

use std::fmt;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::ApiResource;
use tokio::time::timeout;

use super::LookError;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Objects of a page, as `kubectl` asks for.
const PAGE: u32 = 500;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The API server refuses, or it cannot be reached.
    Error(kube::Error),
    /// It takes too long.
    Late,
}

impl NoAnswer {
    /// What the API server says when the asker may not.
    pub(crate) fn forbidden(&self) -> Option<&str> {
        match self {
            Self::Error(kube::Error::Api(status)) if status.code == 403 => Some(&status.message),
            _ => None,
        }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(kube::Error::Api(status)) => f.write_str(&status.message),
            Self::Error(error) => {
                write!(f, "{error}")?;
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
            Self::Late => write!(f, "no answer within {} s", PATIENCE.as_secs()),
        }
    }
}

/// The answer, within [`PATIENCE`].
pub(crate) async fn answered<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, NoAnswer> {
    match timeout(PATIENCE, request).await {
        Ok(answer) => answer.map_err(NoAnswer::Error),
        Err(_) => Err(NoAnswer::Late),
    }
}

/// All objects of a kind in `namespaces`; of the whole cluster when there are none.
pub(crate) async fn list(
    client: &Client,
    resource: &ApiResource,
    namespaces: &[String],
    labels: Option<&str>,
) -> Result<Vec<DynamicObject>, LookError> {
    let everywhere = [None];
    let named: Vec<Option<&String>> = namespaces.iter().map(Some).collect();
    let places = if named.is_empty() { &everywhere[..] } else { &named };
    let mut out = Vec::new();
    for place in places {
        let api: Api<DynamicObject> = match place {
            Some(name) => Api::namespaced_with(client.clone(), name, resource),
            None => Api::all_with(client.clone(), resource),
        };
        let mut params = ListParams {
            label_selector: labels.map(str::to_owned),
            ..ListParams::default().limit(PAGE)
        };
        loop {
            let page = answered(api.list(&params))
                .await
                .map_err(|error| match error.forbidden() {
                    Some(why) => LookError::Forbidden {
                        what: resource.plural.clone(),
                        namespace: place.cloned(),
                        why: why.to_owned(),
                    },
                    None => LookError::Server(format!("{}: {error}", resource.plural)),
                })?;
            out.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break,
            }
        }
    }
    Ok(out)
}
