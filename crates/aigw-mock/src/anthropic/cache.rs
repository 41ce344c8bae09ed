//! Cache markers and what they make of the usage
//! (<https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching>).
//!
//! The mock's rule has no state: what stands up to a marker before the last assistant turn was written by an earlier
//! request and is read; what stands up to a later marker is written. There is no least length.

use serde_json::Value;

use super::check::{self, bad};
use crate::error::{Checked, Refusal};
use crate::words;

const MOST_MARKERS: usize = 4;
/// Tokens of an image or a document.
const MEDIA_TOKENS: u64 = 250;

/// The prompt's tokens, by how they are billed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Input {
    pub plain: u64,
    pub read: u64,
    pub written_5m: u64,
    pub written_1h: u64,
}

impl Input {
    /// All of them.
    pub(crate) fn total(self) -> u64 {
        self.plain + self.read + self.written_5m + self.written_1h
    }
}

/// Counts a prompt in its order: tools, system, messages.
pub(crate) fn count(body: &Value) -> Checked<Input> {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let last_assistant = messages
        .iter()
        .rposition(|message| message["role"] == "assistant");
    let mut counter = Counter::default();
    for (at, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        counter.block(tool, &format!("tools.{at}"), last_assistant.is_some())?;
    }
    for (at, block) in list(&body["system"]).iter().enumerate() {
        if block["text"].as_str().is_some_and(str::is_empty) {
            return Err(bad("system", "text content blocks must be non-empty"));
        }
        counter.block(block, &format!("system.{at}"), last_assistant.is_some())?;
    }
    for (at, message) in messages.iter().enumerate() {
        let earlier = last_assistant.is_some_and(|last| at < last);
        for (inner, block) in list(&message["content"]).iter().enumerate() {
            counter.block(block, &format!("messages.{at}.content.{inner}"), earlier)?;
        }
    }
    if let Some(control) = check::present(body, "cache_control") {
        counter.marker(control, "cache_control", false)?;
    }
    if counter.markers > MOST_MARKERS {
        let message = format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {}.",
            counter.markers
        );
        return Err(Refusal::bad(message));
    }
    counter.input.plain = counter.open;
    if counter.input.total() == 0 {
        counter.input.plain = 1;
    }
    Ok(counter.input)
}

/// A string content as the one block it stands for.
fn list(content: &Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![serde_json::json!({"type": "text", "text": text})],
        Value::Array(blocks) => blocks.clone(),
        _ => Vec::new(),
    }
}

#[derive(Default)]
struct Counter {
    input: Input,
    /// Tokens since the last marker.
    open: u64,
    markers: usize,
    short_seen: bool,
}

impl Counter {
    fn block(&mut self, block: &Value, path: &str, earlier: bool) -> Checked {
        self.open += tokens(block);
        match check::present(block, "cache_control") {
            Some(control) => self.marker(control, &format!("{path}.cache_control"), earlier),
            None => Ok(()),
        }
    }

    fn marker(&mut self, control: &Value, path: &str, earlier: bool) -> Checked {
        if check::required_str(control, "type", &format!("{path}.type"))? != "ephemeral" {
            return Err(check::not_among(&format!("{path}.type"), &["ephemeral"]));
        }
        let long = check::one_of(control, "ttl", &format!("{path}.ttl"), &["5m", "1h"])? == Some("1h");
        if long && self.short_seen {
            let message = "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.";
            return Err(bad(&format!("{path}.ttl"), message));
        }
        self.short_seen |= !long;
        self.markers += 1;
        let bucket = match (earlier, long) {
            (true, _) => &mut self.input.read,
            (false, true) => &mut self.input.written_1h,
            (false, false) => &mut self.input.written_5m,
        };
        *bucket += std::mem::take(&mut self.open);
        Ok(())
    }
}

/// The words of every text in a block.
fn tokens(block: &Value) -> u64 {
    match block["type"].as_str() {
        Some("image" | "document") => MEDIA_TOKENS,
        Some("tool_use") => words::count(&block["input"].to_string()),
        Some("tool_result") => list(&block["content"]).iter().map(tokens).sum(),
        _ => ["text", "thinking", "name", "description"]
            .iter()
            .filter_map(|name| block[*name].as_str())
            .map(words::count)
            .sum(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn marked(text: &str, ttl: &str) -> Value {
        json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}])
    }

    #[test]
    fn a_first_turn_writes_and_a_second_reads() {
        let system = marked("one two three", "1h");
        let first =
            json!({"system": system, "messages": [{"role": "user", "content": marked("four five", "5m")}]});
        assert_eq!(
            count(&first).unwrap(),
            Input {
                written_1h: 3,
                written_5m: 2,
                ..Input::default()
            }
        );
        let second = json!({"system": system, "messages": [
            {"role": "user", "content": marked("four five", "5m")},
            {"role": "assistant", "content": "six"},
            {"role": "user", "content": "seven eight"}]});
        assert_eq!(
            count(&second).unwrap(),
            Input {
                read: 5,
                plain: 3,
                ..Input::default()
            }
        );
    }

    #[test]
    fn markers_are_limited_and_ordered() {
        let text = json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}});
        let content: Vec<_> = (0..5).map(|_| text.clone()).collect();
        let refusal = count(&json!({"messages": [{"role": "user", "content": content}]})).unwrap_err();
        assert!(refusal.message.contains("Found 5"), "{}", refusal.message);
        let wrong = json!({"system": marked("a", "5m"), "messages": [{"role": "user", "content": marked("b", "1h")}]});
        assert!(count(&wrong).unwrap_err().message.contains("must not come after"));
    }
}
