//! What the data plane can do, as far as a configuration depends on it.

use crate::schema::{AuthKind, PresetFacts, SchemaName};

/// What the data plane can do, asked by [`compile`](crate::compile) so that it can refuse what could not work.
pub trait Capabilities {
    /// The preset with this id.
    fn preset(&self, id: &str) -> Option<PresetFacts>;
    /// All preset ids, sorted.
    fn preset_ids(&self) -> Vec<&'static str>;
    /// True when the schema can be served.
    fn supports(&self, schema: SchemaName) -> bool;
    /// Where servers of this schema want their key, when no preset says so.
    fn auth(&self, schema: SchemaName) -> AuthKind;
    /// The first-party base URL of the schema, when there is one.
    fn url(&self, schema: SchemaName) -> Option<&'static str>;
}
