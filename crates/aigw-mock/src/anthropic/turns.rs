//! The order of messages: who begins, what follows a tool use, where thinking must stand
//! (<https://docs.anthropic.com/en/api/messages>,
//! <https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/implement-tool-use#handling-tool-results>).

use serde_json::Value;

use super::check::{self, bad};
use super::parameters::Rules;
use crate::error::{Checked, Refusal};

/// Consecutive messages of one role, as the vendor combines them.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub user: bool,
    /// Index of its first message.
    pub at: usize,
    pub blocks: Vec<Placed<'a>>,
}

/// A content block and its place in the request.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    pub path: String,
    pub block: Block<'a>,
}

/// A content block; a string content is one text block.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Block<'a> {
    Text(&'a str),
    Object(&'a Value),
}

impl<'a> Block<'a> {
    pub(crate) fn kind(self) -> &'a str {
        match self {
            Self::Text(_) => "text",
            Self::Object(block) => block["type"].as_str().unwrap_or_default(),
        }
    }

    pub(crate) fn member(self, name: &str) -> Option<&'a str> {
        match self {
            Self::Text(text) => (name == "text").then_some(text),
            Self::Object(block) => block[name].as_str(),
        }
    }
}

/// Members of other dialects' messages.
const FOREIGN: &[&str] = &[
    "name",
    "tool_calls",
    "tool_call_id",
    "refusal",
    "reasoning_content",
    "function_call",
    "audio",
];

/// Combines the messages into turns, checking each message by itself.
pub(crate) fn read<'a>(body: &'a Value, rules: Rules) -> Checked<Vec<Turn<'a>>> {
    let messages = check::required(body, "messages", "messages")?;
    let messages = messages
        .as_array()
        .ok_or_else(|| bad("messages", "Input should be a valid array"))?;
    if messages.is_empty() {
        return Err(bad("messages", "at least one message is required"));
    }
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages.{at}");
        let user = match check::required_str(message, "role", &format!("{path}.role"))? {
            "user" => true,
            "assistant" => false,
            "system" if rules.takes_system_messages() && at > 0 => continue,
            "system" => {
                let message = "Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.";
                return Err(bad("messages", message));
            }
            _ => return Err(check::not_among(&format!("{path}.role"), &["user", "assistant"])),
        };
        if let Some(name) = FOREIGN.iter().find(|name| message.get(**name).is_some()) {
            return Err(bad(&format!("{path}.{name}"), "Extra inputs are not permitted"));
        }
        let blocks = blocks(message, &path, user || at + 1 < messages.len())?;
        match turns.last_mut() {
            Some(turn) if turn.user == user => turn.blocks.extend(blocks),
            _ => turns.push(Turn { user, at, blocks }),
        }
    }
    if turns.first().is_none_or(|turn| !turn.user) {
        return Err(bad("messages", "first message must use the \"user\" role"));
    }
    Ok(turns)
}

fn blocks<'a>(message: &'a Value, path: &str, needed: bool) -> Checked<Vec<Placed<'a>>> {
    let content = check::required(message, "content", &format!("{path}.content"))?;
    let blocks: Vec<_> = match content {
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => vec![Placed {
            path: format!("{path}.content"),
            block: Block::Text(text),
        }],
        Value::Array(list) => {
            let placed = |(at, block)| Placed {
                path: format!("{path}.content.{at}"),
                block: Block::Object(block),
            };
            list.iter().enumerate().map(placed).collect()
        }
        _ => {
            return Err(bad(
                &format!("{path}.content"),
                "Input should be a valid string or a valid array",
            ));
        }
    };
    if blocks.is_empty() && needed {
        let message =
            "all messages must have non-empty content except for the optional final assistant message";
        return Err(bad(path, message));
    }
    Ok(blocks)
}

/// Checks what the order of turns and blocks has to be; `thinking` is manual thinking.
pub(crate) fn check(turns: &[Turn<'_>], thinking: bool, rules: Rules) -> Checked {
    for (at, turn) in turns.iter().enumerate() {
        if turn.user {
            results(turn, at.checked_sub(1).and_then(|before| turns.get(before)))?;
        } else {
            answered(turn, turns.get(at + 1))?;
        }
    }
    unique(turns)?;
    if let Some(last) = turns.last().filter(|turn| !turn.user) {
        prefill(last, rules)?;
    }
    if thinking { thinks_first(turns) } else { Ok(()) }
}

fn ids<'a>(turn: &Turn<'a>) -> Vec<&'a str> {
    let uses = turn
        .blocks
        .iter()
        .filter(|placed| placed.block.kind() == "tool_use");
    uses.filter_map(|placed| placed.block.member("id")).collect()
}

/// Every tool use is answered at the very beginning of the next turn.
fn answered(turn: &Turn<'_>, next: Option<&Turn<'_>>) -> Checked {
    let leading = next.into_iter().flat_map(|next| &next.blocks);
    let leading = leading.take_while(|placed| placed.block.kind() == "tool_result");
    let answered: Vec<_> = leading
        .filter_map(|placed| placed.block.member("tool_use_id"))
        .collect();
    let open: Vec<_> = ids(turn)
        .into_iter()
        .filter(|id| !answered.contains(id))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let message = format!(
        "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        open.join(", ")
    );
    Err(bad(&format!("messages.{}", turn.at), &message))
}

fn results(turn: &Turn<'_>, before: Option<&Turn<'_>>) -> Checked {
    let called = before.map(ids).unwrap_or_default();
    let mut seen = Vec::new();
    for placed in turn
        .blocks
        .iter()
        .filter(|placed| placed.block.kind() == "tool_result")
    {
        let id = placed.block.member("tool_use_id").unwrap_or_default();
        if !called.contains(&id) {
            let message = format!(
                "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            );
            return Err(bad(&placed.path, &message));
        }
        if seen.contains(&id) {
            return Err(bad(
                &placed.path,
                &format!(
                    "each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}"
                ),
            ));
        }
        seen.push(id);
    }
    Ok(())
}

fn unique(turns: &[Turn<'_>]) -> Checked {
    let mut all: Vec<_> = turns.iter().filter(|turn| !turn.user).flat_map(ids).collect();
    all.sort_unstable();
    match all.windows(2).any(|pair| pair.first() == pair.last()) {
        true => Err(bad("messages", "`tool_use` ids must be unique")),
        false => Ok(()),
    }
}

fn prefill(last: &Turn<'_>, rules: Rules) -> Checked {
    if !rules.takes_prefill() {
        let message = "This model does not support assistant message prefill. The conversation must end with a user message.";
        return Err(Refusal::bad(message));
    }
    let text = last
        .blocks
        .last()
        .and_then(|placed| placed.block.member("text"))
        .unwrap_or_default();
    if text.ends_with(char::is_whitespace) {
        return Err(bad(
            "messages",
            "final assistant content cannot end with trailing whitespace",
        ));
    }
    Ok(())
}

/// With manual thinking, the assistant turn that a tool result answers begins with its thinking.
fn thinks_first(turns: &[Turn<'_>]) -> Checked {
    let Some(turn) = turns.iter().rev().find(|turn| !turn.user) else {
        return Ok(());
    };
    let Some(first) = turn.blocks.first() else {
        return Ok(());
    };
    if ids(turn).is_empty() || matches!(first.block.kind(), "thinking" | "redacted_thinking") {
        return Ok(());
    }
    let message = format!(
        "Expected `thinking` or `redacted_thinking`, but found `{}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks).",
        first.block.kind()
    );
    Err(bad(&format!("{}.type", first.path), &message))
}
