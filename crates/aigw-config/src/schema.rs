//! The names of upstream API schemas, and the facts that a preset supplies for a named provider.

use serde::{Deserialize, Serialize};

/// The API an upstream speaks and how it is hosted, by the names that the Kubernetes API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SchemaName {
    /// OpenAI's API, first-party or compatible.
    OpenAI,
    /// Cohere's own API.
    Cohere,
    /// Amazon Bedrock's Converse API.
    AWSBedrock,
    /// OpenAI's API as hosted by Azure.
    AzureOpenAI,
    /// Gemini on Google Vertex AI.
    GCPVertexAI,
    /// Anthropic Messages on Google Vertex AI.
    GCPAnthropic,
    /// Anthropic's Messages API, first-party.
    Anthropic,
    /// Anthropic Messages through Bedrock's InvokeModel.
    AWSAnthropic,
}

impl SchemaName {
    /// Every schema, in the order in which messages name them.
    pub const ALL: [Self; 8] = [
        Self::OpenAI,
        Self::Cohere,
        Self::AWSBedrock,
        Self::AzureOpenAI,
        Self::GCPVertexAI,
        Self::GCPAnthropic,
        Self::Anthropic,
        Self::AWSAnthropic,
    ];

    /// The provider label of a backend that names no preset.
    pub const fn provider(self) -> &'static str {
        match self {
            Self::OpenAI => "openai",
            Self::Cohere => "cohere",
            Self::AWSBedrock => "aws.bedrock",
            Self::AzureOpenAI => "azure.openai",
            Self::GCPVertexAI => "gcp.vertex_ai",
            Self::GCPAnthropic => "gcp.anthropic",
            Self::Anthropic => "anthropic",
            Self::AWSAnthropic => "aws.anthropic",
        }
    }

    /// The name as it is written in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAI => "OpenAI",
            Self::Cohere => "Cohere",
            Self::AWSBedrock => "AWSBedrock",
            Self::AzureOpenAI => "AzureOpenAI",
            Self::GCPVertexAI => "GCPVertexAI",
            Self::GCPAnthropic => "GCPAnthropic",
            Self::Anthropic => "Anthropic",
            Self::AWSAnthropic => "AWSAnthropic",
        }
    }
}

/// An upstream's schema as configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// Which API.
    pub name: SchemaName,
    /// Path prefix of OpenAI-compatible servers (`v1beta/openai`), or the API version of hosts that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Path prefix; wins over `version`. A leading slash is optional; neither means `v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

impl Schema {
    /// A schema with nothing but its name.
    pub const fn new(name: SchemaName) -> Self {
        Self {
            name,
            version: None,
            prefix: None,
        }
    }

    /// The path prefix without surrounding slashes: `prefix`, else `version` where that means a prefix, else `v1`.
    pub fn path_prefix(&self) -> &str {
        self.written_prefix().unwrap_or("v1")
    }

    /// The path prefix as far as one is written.
    pub fn written_prefix(&self) -> Option<&str> {
        let version = match self.name {
            SchemaName::OpenAI => self.version.as_deref(),
            _ => None,
        };
        said(self.prefix.as_deref()).or_else(|| said(version))
    }
}

fn said(text: Option<&str>) -> Option<&str> {
    text.map(|text| text.trim_matches('/'))
        .filter(|text| !text.is_empty())
}

/// Where a provider wants its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthKind {
    /// No credential.
    None,
    /// `authorization: Bearer <key>`.
    Bearer,
    /// The key alone in the named header, such as `x-api-key`.
    Header(&'static str),
}

/// Where a vendor departs from the dialect it claims. Data, so that no shared code names a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// `stream_options` is understood; when false it is not sent.
    pub stream_options: bool,
    /// `max_completion_tokens` is understood; when false `max_tokens` is sent in its place.
    pub max_completion_tokens: bool,
    /// The `developer` role is understood; when false `system` is sent in its place.
    pub developer_role: bool,
    /// `response_format: json_schema` is understood; when false it is reported as a loss.
    pub json_schema: bool,
    /// An assistant's reasoning is demanded back, as `reasoning_content`; when false it is left out, since many refuse it.
    pub reasoning_history: bool,
}

impl Quirks {
    /// A vendor without quirks.
    pub const NONE: Self = Self {
        stream_options: true,
        max_completion_tokens: true,
        developer_role: true,
        json_schema: true,
        reasoning_history: false,
    };
}

impl Default for Quirks {
    fn default() -> Self {
        Self::NONE
    }
}

/// What naming a provider supplies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresetFacts {
    /// The preset's id, used as the provider label.
    pub id: &'static str,
    /// API schema with prefix.
    pub schema: Schema,
    /// Base URL: scheme, host and, where it is not the scheme's own, port.
    pub url: &'static str,
    /// Where the key goes.
    pub auth: AuthKind,
    /// Departures from the dialect.
    pub quirks: Quirks,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_wins_over_version_and_v1_is_the_default() {
        let with = |version: Option<&str>, prefix: Option<&str>| Schema {
            name: SchemaName::OpenAI,
            version: version.map(str::to_owned),
            prefix: prefix.map(str::to_owned),
        };
        assert_eq!(with(None, None).path_prefix(), "v1");
        assert_eq!(with(Some("v1beta/openai"), None).path_prefix(), "v1beta/openai");
        assert_eq!(with(Some("v1"), Some("/openai/v1")).path_prefix(), "openai/v1");
        assert_eq!(with(Some("/v1/openai/"), Some("")).path_prefix(), "v1/openai");
        let anthropic = Schema {
            version: Some("2023-06-01".into()),
            ..Schema::new(SchemaName::Anthropic)
        };
        assert_eq!(anthropic.path_prefix(), "v1");
    }
}
