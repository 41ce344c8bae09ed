//! The facts of a message request that the answer depends on.

use serde_json::Value;

use super::blocks;
use super::parameters::Rules;
use super::turns::{Block, Turn};
use crate::content::{Prompt, ToolResult};
use crate::error::Checked;

/// A document that may be cited.
#[derive(Debug)]
pub(crate) struct Source {
    pub title: Option<String>,
    /// The text of a plain-text document.
    pub text: Option<String>,
}

/// Gathers the prompt and the sources of the last user turn with documents, checking every block on the way.
pub(crate) fn read(turns: &[Turn<'_>], rules: Rules) -> Checked<(Prompt, Vec<Source>)> {
    let mut prompt = Prompt::default();
    let mut sources = Vec::new();
    for turn in turns {
        for placed in &turn.blocks {
            blocks::check(placed, turn.user, rules)?;
        }
        prompt.results.clear();
        if turn.user {
            user(turn, &mut prompt, &mut sources)?;
        } else if turn.blocks.iter().any(|placed| placed.block.kind() == "tool_use") {
            prompt.rounds += 1;
        }
    }
    Ok((prompt, sources))
}

fn user(turn: &Turn<'_>, prompt: &mut Prompt, sources: &mut Vec<Source>) -> Checked {
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for placed in &turn.blocks {
        match placed.block {
            Block::Text(text) => texts.push(text.to_owned()),
            Block::Object(block) => match placed.block.kind() {
                "image" => media.push(blocks::image(block, &placed.path)?),
                "document" => {
                    media.push(blocks::document(block, &placed.path)?);
                    sources.extend(source(block));
                }
                "tool_result" => prompt.results.push(result(block, &placed.path)?),
                _ => texts.extend(block["text"].as_str().map(str::to_owned)),
            },
        }
    }
    if prompt.results.is_empty() {
        prompt.text = texts.join("\n");
        prompt.media = media;
        prompt.rounds = 0;
    }
    Ok(())
}

fn source(block: &Value) -> Option<Source> {
    if block["citations"]["enabled"] != true {
        return None;
    }
    let plain = block["source"]["type"] == "text";
    Some(Source {
        title: block["title"].as_str().map(str::to_owned),
        text: block["source"]["data"]
            .as_str()
            .filter(|_| plain)
            .map(str::to_owned),
    })
}

fn result(block: &Value, path: &str) -> Checked<ToolResult> {
    let text = match &block["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let mut texts = Vec::new();
            for (at, part) in parts.iter().enumerate() {
                let path = format!("{path}.tool_result.content.{at}");
                match part["type"].as_str() {
                    Some("image") => texts.push(blocks::image(part, &path)?.describe()),
                    Some("document") => texts.push(blocks::document(part, &path)?.describe()),
                    _ => texts.extend(part["text"].as_str().map(str::to_owned)),
                }
            }
            texts.join("\n")
        }
        _ => String::new(),
    };
    Ok(ToolResult {
        text,
        failed: block["is_error"] == true,
    })
}
