//! What a Claude model refuses, told from its name; a name of another form is taken to accept everything that the API documents.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting>,
//! <https://platform.claude.com/docs/en/about-claude/models/migration-guide>,
//! <https://platform.claude.com/docs/en/build-with-claude/effort>

use crate::ir::ReasoningEffort;

/// How a model is asked to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThinkingForm {
    /// It cannot.
    Unsupported,
    /// `enabled` with a budget.
    Budget,
    /// `adaptive` with an effort; `enabled` still works.
    Either,
    /// `adaptive` with an effort only.
    Adaptive,
}

/// What a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// How it is asked to think.
    pub thinking: ThinkingForm,
    /// What turns thinking off: `disabled`, `between_tools` or nothing.
    pub thinking_off: Option<&'static str>,
    /// Temperature, `top_p` and `top_k` are taken.
    pub sampling: bool,
    /// Temperature and `top_p` are taken together.
    pub sampling_together: bool,
    /// `tool_choice` may be `any` or `tool`.
    pub forced_tools: bool,
    /// `output_config.format` and strict tools are taken.
    pub structured: bool,
    /// Messages of role `system` after a user turn are taken; `None` when the name does not tell.
    pub mid_system: Option<bool>,
    /// `max_tokens` to ask for when the client named no limit.
    pub default_max_tokens: u64,
    /// Highest effort: 0 none at all, 3 `high`, 4 `max` without `xhigh`, 5 all.
    effort_levels: u8,
}

/// A limit that every model still served accepts, for names that tell nothing.
const DEFAULT_MAX_TOKENS: u64 = 8_192;
/// The smallest output limit among the models from Claude 4 on.
const DEFAULT_MAX_TOKENS_4: u64 = 32_000;
/// The output limit of the Claude 3 models.
const DEFAULT_MAX_TOKENS_3: u64 = 4_096;

impl Model {
    /// The model of this name, with any host's prefix or suffix around it.
    pub(super) fn named(name: &str) -> Self {
        match version(name) {
            Some((family, version)) => Self::of(family, version),
            None => Self::UNKNOWN,
        }
    }

    const UNKNOWN: Self = Self {
        thinking: ThinkingForm::Budget,
        thinking_off: Some("disabled"),
        sampling: true,
        sampling_together: true,
        forced_tools: true,
        structured: true,
        mid_system: None,
        default_max_tokens: DEFAULT_MAX_TOKENS,
        effort_levels: 0,
    };

    fn of(family: Family, version: (u32, u32)) -> Self {
        let always_thinks = family == Family::Fable;
        Self {
            thinking: match version {
                (0..=2, _) | (3, 0..=5) => ThinkingForm::Unsupported,
                (3, _) | (4, 0..=5) => ThinkingForm::Budget,
                (4, 6) => ThinkingForm::Either,
                _ => ThinkingForm::Adaptive,
            },
            thinking_off: match family {
                Family::Fable => None,
                Family::Opus if version >= (5, 5) => None,
                Family::Sonnet if version >= (5, 5) => Some("between_tools"),
                _ => Some("disabled"),
            },
            sampling: version < (4, 7),
            sampling_together: version < (4, 1),
            forced_tools: match family {
                Family::Haiku => true,
                Family::Fable => version < (5, 1),
                Family::Opus | Family::Sonnet => version < (5, 5),
            },
            structured: version >= (4, 5) || (family == Family::Opus && version >= (4, 1)),
            mid_system: Some(version >= (4, 8)),
            default_max_tokens: match version {
                (0..=3, 0..=4) => DEFAULT_MAX_TOKENS_3,
                (0..=3, _) => DEFAULT_MAX_TOKENS,
                _ => DEFAULT_MAX_TOKENS_4,
            },
            effort_levels: match version {
                _ if always_thinks || version >= (4, 7) => 5,
                (4, 6) => 4,
                (4, 5) if family == Family::Opus => 3,
                _ => 0,
            },
        }
    }

    /// The vendor's word for an effort and whether it says all of it; `None` when the model has no efforts or the word is
    /// for no effort at all.
    pub(super) fn effort(&self, effort: &ReasoningEffort) -> Option<(&'static str, bool)> {
        let levels = self.effort_levels;
        if levels == 0 {
            return None;
        }
        Some(match effort {
            ReasoningEffort::Minimal => ("low", false),
            ReasoningEffort::Low => ("low", true),
            ReasoningEffort::Medium => ("medium", true),
            ReasoningEffort::High => ("high", true),
            ReasoningEffort::XHigh if levels >= 5 => ("xhigh", true),
            ReasoningEffort::Max if levels >= 4 => ("max", true),
            ReasoningEffort::XHigh | ReasoningEffort::Max => ("high", false),
            ReasoningEffort::None | ReasoningEffort::Other(_) => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Haiku,
    Sonnet,
    Opus,
    /// Fable and Mythos, which always think.
    Fable,
}

/// Family and version in a name such as `claude-opus-4-5-20251101`, `claude-3-7-sonnet-latest` or
/// `us.anthropic.claude-sonnet-4-20250514-v1:0`.
fn version(name: &str) -> Option<(Family, (u32, u32))> {
    let lower = name.to_ascii_lowercase();
    let (_, rest) = lower.split_once("claude-")?;
    let mut family = None;
    let mut numbers = Vec::with_capacity(2);
    for word in rest.split(['-', '.', '@', ':', '/', '_']) {
        match word {
            "haiku" => family = Some(Family::Haiku),
            "sonnet" => family = Some(Family::Sonnet),
            "opus" => family = Some(Family::Opus),
            "fable" | "mythos" => family = Some(Family::Fable),
            // The preview came before the numbered ones and takes what they take.
            "preview" if numbers.is_empty() => numbers.push(5),
            // A date is no version.
            word if word.len() <= 2 => match word.parse() {
                Ok(number) if numbers.len() < 2 => numbers.push(number),
                _ => {}
            },
            _ => {}
        }
    }
    let major = numbers.first().copied()?;
    Some((family?, (major, numbers.get(1).copied().unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_family_and_version() {
        for (name, expected) in [
            ("claude-opus-4-5-20251101", (Family::Opus, (4, 5))),
            ("claude-3-7-sonnet-latest", (Family::Sonnet, (3, 7))),
            ("claude-3-haiku-20240307", (Family::Haiku, (3, 0))),
            (
                "us.anthropic.claude-sonnet-4-20250514-v1:0",
                (Family::Sonnet, (4, 0)),
            ),
            ("claude-sonnet-4-5@20250929", (Family::Sonnet, (4, 5))),
            ("claude-fable-5-1", (Family::Fable, (5, 1))),
            ("claude-mythos-preview", (Family::Fable, (5, 0))),
            ("anthropic/claude-opus-4.7", (Family::Opus, (4, 7))),
        ] {
            assert_eq!(version(name), Some(expected), "{name}");
        }
        assert_eq!(version("demo-anthropic_messages"), None);
        assert_eq!(version("claude-instant"), None);
    }

    #[test]
    fn generations_differ() {
        assert_eq!(Model::named("claude-haiku-4-5").thinking, ThinkingForm::Budget);
        assert_eq!(Model::named("claude-opus-4-6").thinking, ThinkingForm::Either);
        assert_eq!(Model::named("claude-opus-4-7").thinking, ThinkingForm::Adaptive);
        assert_eq!(
            Model::named("claude-3-5-sonnet-20241022").thinking,
            ThinkingForm::Unsupported
        );
        assert_eq!(
            Model::named("claude-sonnet-5-5").thinking_off,
            Some("between_tools")
        );
        assert_eq!(Model::named("claude-opus-5-5").thinking_off, None);
        assert!(!Model::named("claude-opus-4-8").sampling);
        assert!(Model::named("glm-5").sampling_together);
    }

    #[test]
    fn efforts_fall_to_the_next_lower() {
        let opus = Model::named("claude-opus-4-6");
        assert_eq!(opus.effort(&ReasoningEffort::XHigh), Some(("high", false)));
        assert_eq!(opus.effort(&ReasoningEffort::Max), Some(("max", true)));
        assert_eq!(
            Model::named("claude-sonnet-4-5").effort(&ReasoningEffort::Low),
            None
        );
    }
}
