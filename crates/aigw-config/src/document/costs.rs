//! Numbers that are worked out from what a request used.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Origin;

/// A number that is worked out from what a request used, for metadata and the access log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostSpec {
    /// The name it goes by.
    pub metadata_key: String,
    /// What is counted.
    #[serde(rename = "type")]
    pub kind: CostType,
    /// The expression of `type: CEL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cel: Option<String>,
    /// Where it was written; of a route's own costs that is known of the route alone.
    #[serde(skip)]
    pub origin: Origin,
}

/// What a cost counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CostType {
    /// Generated tokens, reasoning included.
    OutputToken,
    /// Tokens of the prompt, cached ones included.
    InputToken,
    /// Tokens of the prompt that were read from a cache.
    CachedInputToken,
    /// Tokens of the prompt that were written to a cache.
    CacheCreationInputToken,
    /// Input and output.
    TotalToken,
    /// Generated tokens that were spent on reasoning.
    ReasoningToken,
    /// What an expression says.
    #[serde(rename = "CEL")]
    Cel,
}

impl CostType {
    /// The name as it is written in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutputToken => "OutputToken",
            Self::InputToken => "InputToken",
            Self::CachedInputToken => "CachedInputToken",
            Self::CacheCreationInputToken => "CacheCreationInputToken",
            Self::TotalToken => "TotalToken",
            Self::ReasoningToken => "ReasoningToken",
            Self::Cel => "CEL",
        }
    }
}
