//! The snapshot document: the native configuration form, with defaults. Field names are camelCase; unknown fields are kept
//! out by the loader, which reports them.

mod backends;
mod costs;
mod credentials;
mod failures;
mod health;
mod limits;
mod mutations;
mod routes;

use serde::{Deserialize, Serialize};

use crate::certificate::ListenerTls;
use crate::diagnostic::Origin;

pub use backends::{Auth, BackendSpec, EndpointsSpec, UpstreamTls};
pub use costs::{CostSpec, CostType};
pub use credentials::{ClientKeySpec, CredentialSpec, SecretSource};
pub use failures::{BackoffSpec, EjectionSpec, OnError, RetrySpec};
pub use health::{HealthCheckSpec, StatusSpec};
pub use limits::{LimitsSpec, TimeoutsSpec};
pub use mutations::{BodyMutation, BodySet, HeaderMutation, HeaderSet};
pub use routes::{BackendRef, HeaderMatchSpec, HeaderValueMatch, MatchSpec, ModelMatch, RouteSpec, RuleSpec};

/// The whole configuration of one gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Document {
    /// Where clients connect. None means the loader's default listener.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerSpec>,
    /// Which requests go where.
    pub routes: Vec<RouteSpec>,
    /// Other names for models.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Alias>,
    /// Providers and servers that requests may go to.
    pub backends: Vec<BackendSpec>,
    /// Named credentials; their bytes leave the document when it is loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<CredentialSpec>,
    /// Keys that clients must present. Absent: no key is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_keys: Option<Vec<ClientKeySpec>>,
    /// Numbers to work out for each request, unless its route has its own under the same key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<CostSpec>,
    /// Sizes, timeouts and concurrency.
    pub limits: LimitsSpec,
    /// Addresses behind hosts of backends' URLs, in place of asking for the name. They come and go with pods, so they are no
    /// part of the version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointsSpec>,
}

/// One place where clients connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerSpec {
    /// Unique name.
    pub name: String,
    /// `host:port`; port 0 takes a free one.
    pub address: String,
    /// Serve HTTPS with these certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// Host names served here (exact or `*.example.com`); empty means every name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}

/// Another name for a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alias {
    /// The name that clients ask for.
    pub name: String,
    /// The model that is routed in its place.
    pub model: String,
    /// Left out of the list of models.
    pub hidden: bool,
    /// Shown as `owned_by` in the list of models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<String>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}
