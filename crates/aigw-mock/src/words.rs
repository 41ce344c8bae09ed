//! The mock's tokenizer: a token is a whitespace-separated word.

/// Number of tokens of a text.
pub(crate) fn count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// Cuts a text into one piece a word, whitespace kept, so that the pieces joined are the text.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut in_word) = (0, false);
    for (at, c) in text.char_indices() {
        if c.is_whitespace() && in_word {
            pieces.push(text.get(start..at).unwrap_or_default());
            start = at;
        }
        in_word = !c.is_whitespace();
    }
    if start < text.len() {
        pieces.push(text.get(start..).unwrap_or_default());
    }
    pieces
}

/// Cuts a text into pieces of about eight bytes, as providers cut the arguments of a tool call.
pub(crate) fn shreds(text: &str) -> Vec<&str> {
    let mut shreds = Vec::new();
    let mut start = 0;
    for (at, _) in text.char_indices() {
        if at - start >= 8 {
            shreds.push(text.get(start..at).unwrap_or_default());
            start = at;
        }
    }
    if start < text.len() {
        shreds.push(text.get(start..).unwrap_or_default());
    }
    shreds
}

/// The first `limit` tokens of a text, or `None` when it has no more than that.
pub(crate) fn truncate(text: &str, limit: u64) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let pieces = pieces(text);
    let kept = pieces.get(..limit).filter(|kept| kept.len() < pieces.len())?;
    Some(kept.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text() {
        for text in ["You said: ping", "  a  b \n", "", "één", "\t"] {
            assert_eq!(pieces(text).concat(), text);
            assert_eq!(shreds(text).concat(), text);
        }
        assert_eq!(pieces("one two three"), ["one", " two", " three"]);
    }

    #[test]
    fn truncates_only_longer_texts() {
        assert_eq!(truncate("a b c", 2).as_deref(), Some("a b"));
        assert_eq!(truncate("a b c", 3), None);
        assert_eq!(truncate("a b c", u64::MAX), None);
    }
}
