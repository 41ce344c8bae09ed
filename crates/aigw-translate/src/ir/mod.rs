//! The intermediate representation of a conversation: what every dialect decodes to and encodes from.
//!
//! The table of concepts by dialect, with its sources, is `docs/design/ir.md`.

mod error;
mod event;
mod extra;
mod loss;
mod names;
mod request;
mod response;
mod unfold;
mod usage;

pub use error::{Error, ErrorKind};
pub use event::{BlockKind, Delta, Event};
pub use extra::{DialectId, Extra, Opaque};
pub use loss::{Losses, Place};
pub use names::Names;
pub use request::{
    Block, CacheMarker, Citations, Document, JsonSchema, Media, MediaKind, MediaSource, Message,
    OutputFormat, Part, Reasoning, ReasoningBlock, ReasoningEffort, Request, Role, Sampling, Signature, Tool,
    ToolCall, ToolChoice, ToolKind, ToolResult,
};
pub use response::{Candidate, Finish, FinishReason, Response};
pub use usage::Usage;
