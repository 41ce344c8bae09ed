//! A request for a conversation turn.

use std::borrow::Cow;

use serde_json::Value;

use super::extra::{DialectId, Extra, Opaque};
use super::loss::Place;
use super::names::Names;

/// A request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Model name as the client wrote it; encoders write the target's.
    pub model: String,
    /// All turns in order, instructions included (as [`Role::System`] or [`Role::Developer`]); encoders hoist them where the
    /// target keeps them apart.
    pub messages: Vec<Message>,
    /// Tools that may be called.
    pub tools: Vec<Tool>,
    /// Whether and which tool must be called.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called in one turn; `None` is the vendor's default.
    pub parallel_tool_calls: Option<bool>,
    /// Sampling.
    pub sampling: Sampling,
    /// Longest answer, tokens.
    pub max_output_tokens: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Reasoning.
    pub reasoning: Option<Reasoning>,
    /// Form of the answer.
    pub output: OutputFormat,
    /// How many alternative answers (`n`).
    pub candidates: Option<u32>,
    /// Answer as a stream.
    pub stream: bool,
    /// In streams: the client asked for usage (`stream_options.include_usage`); dialects that always send it say true.
    pub stream_usage: bool,
    /// Stable id of the end user (OpenAI `safety_identifier`, else `user`; Anthropic `metadata.user_id`).
    pub user: Option<String>,
    /// Key that groups requests by prompt prefix (OpenAI `prompt_cache_key`).
    pub cache_key: Option<String>,
    /// Request-wide cache marker (Anthropic's top-level `cache_control`).
    pub cache: Option<CacheMarker>,
    /// Service tier in the source dialect's word.
    pub service_tier: Option<String>,
    /// What else stood at the top level.
    pub extra: Extra,
    /// How the source spells all this, for losses; it also tells which dialect the request came in.
    pub names: &'static Names,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions in the word of newer OpenAI models.
    Developer,
    /// The caller's side. Tool results are parts of user turns ([`Part::ToolResult`]), or turns of [`Role::Tool`] where the
    /// source keeps them apart; encoders group or split them as the target wants.
    User,
    /// The model.
    Assistant,
    /// A tool's answer.
    Tool,
}

/// One turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// Participant's name (OpenAI `name`).
    pub name: Option<String>,
    /// Content in order.
    pub content: Vec<Block>,
    /// Other members of the message.
    pub extra: Extra,
    /// Where it stood.
    pub place: Place,
}

/// One piece of content with what can be attached to any piece.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The piece.
    pub part: Part,
    /// Cache everything up to and including this piece.
    pub cache: Option<CacheMarker>,
    /// Other members of the piece.
    pub extra: Extra,
    /// Where it stood.
    pub place: Place,
}

impl Block {
    /// A piece with nothing attached.
    pub fn new(part: Part) -> Self {
        Self {
            part,
            cache: None,
            extra: Extra::none(),
            place: Place::ROOT,
        }
    }

    /// A piece of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Part::Text {
            text: text.into(),
            citations: Citations::default(),
        })
    }
}

/// A piece of content.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text, with the sources it cites.
    Text {
        /// The text.
        text: String,
        /// Citations, in the vendor's form.
        citations: Citations,
    },
    /// An image, a recording or a film.
    Media(Media),
    /// A document (PDF or text).
    Document(Document),
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// A tool's answer.
    ToolResult(ToolResult),
    /// The model's reasoning.
    Reasoning(ReasoningBlock),
    /// The model declines.
    Refusal(String),
    /// A piece of a type that the representation does not know.
    Opaque(Opaque),
}

/// Citations, each as its vendor writes it, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citations(pub Vec<Opaque>);

/// What sort of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A still image.
    Image,
    /// Sound.
    Audio,
    /// Moving images.
    Video,
}

/// An image, a recording or a film.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// Sort.
    pub kind: MediaKind,
    /// Where its bytes are.
    pub source: MediaSource,
    /// How closely to look (OpenAI `detail`).
    pub detail: Option<String>,
}

/// Where bytes are.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaSource {
    /// Inline.
    Base64 {
        /// MIME type such as `image/png`; formats without one (OpenAI `input_audio.format: "wav"`) become `audio/wav`.
        media_type: String,
        /// Standard base64, padded, as it came.
        data: String,
    },
    /// At a URL that the upstream fetches.
    Url {
        /// The URL.
        url: String,
        /// MIME type when known.
        media_type: Option<String>,
    },
    /// In the vendor's file store.
    File {
        /// The vendor's id.
        id: String,
    },
    /// Plain text (documents only).
    Text {
        /// MIME type, `text/plain` mostly.
        media_type: String,
        /// The text.
        text: String,
    },
    /// As pieces of content (documents only).
    Blocks(Vec<Block>),
}

/// A document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where its bytes are.
    pub source: MediaSource,
    /// File name or title.
    pub title: Option<String>,
    /// Context that is not cited from (Anthropic `context`).
    pub context: Option<String>,
    /// The answer should cite it.
    pub citations: Option<bool>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Id that the result refers to; vendors without ids get one made from position.
    pub id: String,
    /// Tool's name.
    pub name: String,
    /// JSON text of the arguments, exactly as the model wrote it (it may be invalid JSON); empty means `{}`.
    pub arguments: String,
    /// True for a call of a free-form tool whose input is plain text (OpenAI `custom`), held in `arguments`.
    pub custom: bool,
    /// Opaque proof that some vendors want back with the call (Gemini `thoughtSignature`).
    pub signature: Option<Signature>,
}

/// A tool's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The call it answers.
    pub call_id: String,
    /// Tool's name, for vendors that match by it; filled by decoders from the call when the source does not say.
    pub name: Option<String>,
    /// What the tool returned.
    pub content: Vec<Block>,
    /// The tool failed.
    pub is_error: Option<bool>,
}

/// Reasoning that a model showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReasoningBlock {
    /// Text or summary; `None` when it is wholly hidden.
    pub text: Option<String>,
    /// The vendor's proof, to be returned unchanged.
    pub signature: Option<Signature>,
    /// Encrypted reasoning (Anthropic `redacted_thinking.data`, OpenAI Responses `encrypted_content`, Bedrock
    /// `redactedContent`), readable by the vendor that made it alone.
    pub redacted: Option<Signature>,
}

/// A vendor's proof, opaque to everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The dialect whose vendor made it.
    pub dialect: DialectId,
    /// As it came.
    pub value: String,
}

impl Signature {
    /// What introduces a proof that travels through a client of another dialect.
    const CARRIED: &'static str = "aigw.";

    /// How a message of `carrier` says it: as it is when the same vendor made it, else with its dialect in front, so that
    /// [`Signature::read`] tells them apart when the client returns it.
    pub fn write(&self, carrier: DialectId) -> Cow<'_, str> {
        if self.dialect == carrier {
            Cow::Borrowed(&self.value)
        } else {
            Cow::Owned(format!(
                "{}{}.{}",
                Self::CARRIED,
                self.dialect.as_str(),
                self.value
            ))
        }
    }

    /// Reads what a message of `carrier` says.
    pub fn read(carrier: DialectId, text: String) -> Self {
        let carried = text
            .strip_prefix(Self::CARRIED)
            .and_then(|rest| rest.split_once('.'))
            .and_then(|(name, value)| Some((DialectId::from_name(name)?, value.to_owned())));
        match carried {
            Some((dialect, value)) => Self { dialect, value },
            None => Self {
                dialect: carrier,
                value: text,
            },
        }
    }
}

/// A cache marker.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheMarker {
    /// `5m`, `1h`; `None` is the vendor's default.
    pub ttl: Option<String>,
    /// Other members.
    pub extra: Extra,
}

/// A tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// What it is.
    pub kind: ToolKind,
    /// Cache everything up to and including this tool.
    pub cache: Option<CacheMarker>,
    /// Other members.
    pub extra: Extra,
    /// Where it stood.
    pub place: Place,
}

/// What a tool is.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// A function with a JSON Schema.
    Function {
        /// Name.
        name: String,
        /// For the model.
        description: Option<String>,
        /// JSON Schema of the arguments; `None`: no arguments.
        parameters: Option<Value>,
        /// Arguments are guaranteed to fit the schema.
        strict: Option<bool>,
    },
    /// A tool of the vendor (web search, code execution, `custom`, …) as the source wrote it.
    Opaque(Opaque),
}

/// Whether and which tool must be called.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// None may be called.
    None,
    /// Some tool must be called.
    Required,
    /// This one must be called.
    Tool(String),
    /// A form that only its dialect knows.
    Opaque(Opaque),
}

/// Sampling. Numbers stay JSON numbers, so that they are written as they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 1 or 2.
    pub temperature: Option<serde_json::Number>,
    /// 0 to 1.
    pub top_p: Option<serde_json::Number>,
    /// Whole number.
    pub top_k: Option<serde_json::Number>,
    /// −2 to 2.
    pub frequency_penalty: Option<serde_json::Number>,
    /// −2 to 2.
    pub presence_penalty: Option<serde_json::Number>,
    /// Whole number.
    pub seed: Option<serde_json::Number>,
}

/// Reasoning as asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// `Some(false)`: no reasoning; `Some(true)`: reasoning; `None`: as `effort` or the vendor decides.
    pub enabled: Option<bool>,
    /// Tokens it may spend (Anthropic `budget_tokens`, Gemini `thinkingBudget`).
    pub budget: Option<u64>,
    /// How hard to think.
    pub effort: Option<ReasoningEffort>,
    /// The model decides how much (Anthropic `adaptive`).
    pub adaptive: bool,
    /// How much of it is shown, in the source's word (`summarized`, `omitted`, `auto`, `detailed`).
    pub display: Option<String>,
    /// Other members.
    pub extra: Extra,
}

/// How hard to think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReasoningEffort {
    /// Not at all.
    None,
    /// Hardly.
    Minimal,
    /// Little.
    Low,
    /// Somewhat.
    Medium,
    /// Much.
    High,
    /// More than `high`.
    XHigh,
    /// As much as possible.
    Max,
    /// A word that is not known here.
    Other(String),
}

/// Form of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OutputFormat {
    /// Text.
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON of a schema.
    JsonSchema(JsonSchema),
    /// A form that only its dialect knows.
    Opaque(Opaque),
}

/// A schema that the answer must fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonSchema {
    /// Name, where the source gives one.
    pub name: Option<String>,
    /// For the model.
    pub description: Option<String>,
    /// JSON Schema.
    pub schema: Value,
    /// Guaranteed, not only asked for.
    pub strict: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_signature_survives_a_client_of_another_dialect() {
        let signature = Signature {
            dialect: DialectId::Gemini,
            value: "a.b/c+==".to_owned(),
        };
        let carried = signature.write(DialectId::AnthropicMessages).into_owned();
        assert_eq!(carried, "aigw.gemini.a.b/c+==");
        assert_eq!(Signature::read(DialectId::AnthropicMessages, carried), signature);
        assert_eq!(signature.write(DialectId::Gemini), "a.b/c+==");
    }

    #[test]
    fn a_text_that_only_looks_carried_is_the_carriers_own() {
        let read = Signature::read(DialectId::AnthropicMessages, "aigw.nobody.x".to_owned());
        assert_eq!(read.dialect, DialectId::AnthropicMessages);
        assert_eq!(read.value, "aigw.nobody.x");
    }
}
