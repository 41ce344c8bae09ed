//! Matching of model names and header values: exact, prefix, regular expression.

use regex::Regex;

/// How a model name is matched.
#[derive(Clone, Debug)]
pub enum ModelPattern {
    /// The whole name.
    Exact(String),
    /// The beginning of the name.
    Prefix(String),
    /// A regular expression that must match the whole name.
    Regex(Regex),
}

impl ModelPattern {
    /// True when `model` is matched.
    pub fn matches(&self, model: &str) -> bool {
        match self {
            Self::Exact(name) => name == model,
            Self::Prefix(prefix) => model.starts_with(prefix.as_str()),
            Self::Regex(regex) => regex.is_match(model),
        }
    }

    /// A pattern that `text` must match as a whole, as Envoy's `safe_regex` does.
    pub fn regex(text: &str) -> Result<Self, String> {
        whole(text).map(Self::Regex)
    }
}

/// How a header value is matched.
#[derive(Clone, Debug)]
pub enum ValuePattern {
    /// The whole value.
    Exact(String),
    /// A regular expression that must match the whole value.
    Regex(Regex),
}

impl ValuePattern {
    /// True when `value` is matched.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => text == value,
            Self::Regex(regex) => regex.is_match(value),
        }
    }

    /// A regular expression over the whole value.
    pub fn regex(text: &str) -> Result<Self, String> {
        whole(text).map(Self::Regex)
    }
}

/// Anchors at both ends; the linear-time engine needs no other bound, and 1 MiB of compiled program is plenty.
/// The text must be an expression by itself, so that no stray parenthesis gets past the anchors.
fn whole(text: &str) -> Result<Regex, String> {
    let build = |text: &str| regex::RegexBuilder::new(text).size_limit(1 << 20).build();
    build(text)
        .and_then(|_| build(&format!("^(?:{text})$")))
        .map_err(|error| format!("`{text}` is not a regular expression: {}", reason(&error)))
}

/// The library draws the place over several lines; the last one says what is wrong.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_value() {
        assert!(ModelPattern::regex("gpt-.*").is_ok_and(|p| p.matches("gpt-4o") && !p.matches("my-gpt-4o")));
        assert!(ModelPattern::regex("a|b").is_ok_and(|p| p.matches("b") && !p.matches("ab")));
        assert!(ModelPattern::Prefix("claude-".into()).matches("claude-x"));
        assert!(!ModelPattern::Exact("claude".into()).matches("claude-x"));
        assert!(ModelPattern::regex("(").is_err());
        assert!(ModelPattern::regex("a)|(?:b").is_err());
    }
}
