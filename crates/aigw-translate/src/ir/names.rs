//! How a source dialect spells what the representation has a field for, so that losses name the member that the client wrote.

use super::extra::DialectId;
use super::loss::{Losses, Place};

/// JSON pointers of one dialect. Those of the request's top level are whole; those of pieces and tools are suffixes of the
/// pointer of the piece or tool. Each dialect has one static value of this; decoders put it into the request.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// The dialect that spells them so.
    pub dialect: DialectId,
    /// `Request::tool_choice`.
    pub tool_choice: &'static str,
    /// `Request::parallel_tool_calls`.
    pub parallel_tool_calls: &'static str,
    /// `Sampling::temperature`.
    pub temperature: &'static str,
    /// `Sampling::top_p`.
    pub top_p: &'static str,
    /// `Sampling::top_k`.
    pub top_k: &'static str,
    /// `Sampling::frequency_penalty`.
    pub frequency_penalty: &'static str,
    /// `Sampling::presence_penalty`.
    pub presence_penalty: &'static str,
    /// `Sampling::seed`.
    pub seed: &'static str,
    /// `Request::max_output_tokens`.
    pub max_output_tokens: &'static str,
    /// `Request::stop`.
    pub stop: &'static str,
    /// `Request::reasoning` as a whole, its budget and its display.
    pub reasoning: &'static str,
    /// `Reasoning::effort`.
    pub effort: &'static str,
    /// `Request::output`.
    pub output: &'static str,
    /// `Request::candidates`.
    pub candidates: &'static str,
    /// `Request::user`.
    pub user: &'static str,
    /// `Request::cache_key`.
    pub cache_key: &'static str,
    /// `Request::service_tier`.
    pub service_tier: &'static str,
    /// Suffix: the cache marker of a piece, a tool or the request.
    pub cache: &'static str,
    /// Suffix: `ToolKind::Function::strict`.
    pub tool_strict: &'static str,
    /// Suffix: `Media::detail`.
    pub media_detail: &'static str,
    /// Suffix: `Document::title`.
    pub document_title: &'static str,
    /// Suffix: `Document::context`.
    pub document_context: &'static str,
    /// Suffix: `Document::citations`, and citations of a text.
    pub citations: &'static str,
    /// Suffix: `ToolResult::is_error`.
    pub is_error: &'static str,
    /// Suffix: `Message::name`.
    pub name: &'static str,
}

impl Names {
    /// OpenAI Chat Completions', which are also those of a request that no decoder made.
    pub const OPENAI_CHAT: Self = Self {
        dialect: DialectId::OpenAiChat,
        tool_choice: "/tool_choice",
        parallel_tool_calls: "/parallel_tool_calls",
        temperature: "/temperature",
        top_p: "/top_p",
        top_k: "/top_k",
        frequency_penalty: "/frequency_penalty",
        presence_penalty: "/presence_penalty",
        seed: "/seed",
        max_output_tokens: "/max_completion_tokens",
        stop: "/stop",
        reasoning: "/reasoning_effort",
        effort: "/reasoning_effort",
        output: "/response_format",
        candidates: "/n",
        user: "/user",
        cache_key: "/prompt_cache_key",
        service_tier: "/service_tier",
        cache: "/cache_control",
        tool_strict: "/function/strict",
        media_detail: "/image_url/detail",
        document_title: "/file/filename",
        document_context: "/context",
        citations: "/citations",
        is_error: "/is_error",
        name: "/name",
    };
}

impl Default for &'static Names {
    fn default() -> Self {
        const { &Names::OPENAI_CHAT }
    }
}

impl Losses {
    /// Reports a member of the top level, or what an own pointer of [`Names`] names.
    pub fn report_named(&mut self, pointer: &'static str) {
        self.report_pointer(pointer.to_owned());
    }

    /// Reports the member that `suffix`, one of [`Names`], names in the piece or tool at `place`.
    pub fn report_suffix(&mut self, place: Place, suffix: &'static str) {
        let mut pointer = place.pointer();
        pointer.push_str(suffix);
        self.report_pointer(pointer);
    }
}
