//! What a dialect says that the representation has no word for, kept with the dialect's name.

use serde_json::{Map, Value};

/// A wire format. The spelling of [`DialectId::as_str`] is used in folders, golden paths and metric labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DialectId {
    /// OpenAI Chat Completions.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    AnthropicMessages,
    /// Gemini generateContent.
    Gemini,
    /// Bedrock Converse.
    BedrockConverse,
    /// Cohere Chat v2.
    CohereChat,
}

impl DialectId {
    /// The dialect's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::BedrockConverse => "bedrock_converse",
            Self::CohereChat => "cohere_chat",
        }
    }

    /// Every dialect, built or not.
    pub const ALL: [Self; 6] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::BedrockConverse,
        Self::CohereChat,
    ];

    /// The dialect with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }
}

/// Members of one JSON object that the representation has no word for, as the source dialect spelled them.
///
/// An encoder of the same dialect writes them back; an encoder of another reports each as a loss.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra(Option<Box<(DialectId, Map<String, Value>)>>);

impl Extra {
    /// Nothing.
    pub const fn none() -> Self {
        Self(None)
    }

    /// The members left over from an object of `dialect`.
    pub fn new(dialect: DialectId, members: Map<String, Value>) -> Self {
        if members.is_empty() {
            Self(None)
        } else {
            Self(Some(Box::new((dialect, members))))
        }
    }

    /// Adds one member.
    pub fn insert(&mut self, dialect: DialectId, name: impl Into<String>, value: Value) {
        match &mut self.0 {
            Some(inner) => {
                inner.1.insert(name.into(), value);
            }
            None => {
                let mut members = Map::new();
                members.insert(name.into(), value);
                self.0 = Some(Box::new((dialect, members)));
            }
        }
    }

    /// The members, when they came from `dialect`.
    pub fn of(&self, dialect: DialectId) -> Option<&Map<String, Value>> {
        self.0
            .as_deref()
            .filter(|inner| inner.0 == dialect)
            .map(|inner| &inner.1)
    }

    /// One member, when it came from `dialect`.
    pub fn find(&self, dialect: DialectId, name: &str) -> Option<&Value> {
        self.of(dialect).and_then(|members| members.get(name))
    }

    /// The members with their dialect, whichever it is.
    pub fn any(&self) -> Option<(DialectId, &Map<String, Value>)> {
        self.0.as_deref().map(|inner| (inner.0, &inner.1))
    }

    /// Names of the members that an encoder of `target` cannot write.
    pub fn foreign(&self, target: DialectId) -> impl Iterator<Item = &str> {
        self.0
            .as_deref()
            .filter(|inner| inner.0 != target)
            .into_iter()
            .flat_map(|inner| inner.1.keys().map(String::as_str))
    }

    /// True when there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// A whole value (a content part, a tool, a stream event) of an unknown type.
#[derive(Clone, Debug, PartialEq)]
pub struct Opaque {
    /// The dialect it is written in.
    pub dialect: DialectId,
    /// As it was.
    pub value: Value,
}
