//! Groups messages into the turns that the vendor wants: equal neighbours are one, tool results stand first, instructions apart.
//!
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls>,
//! <https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages>

use super::encode_content::{Writing, plain};
use super::models::Model;
use super::write::{Object, WriteExtra};
use crate::ir::{Block, DialectId, Extra, Message, Part, Request, Role};

const THIS: DialectId = DialectId::AnthropicMessages;

/// A turn with its blocks already written, without brackets.
pub(super) struct Turn<'a> {
    role: &'static str,
    /// Tool results.
    results: Vec<u8>,
    /// All other blocks.
    others: Vec<u8>,
    /// The text, when the turn is nothing but one plain text.
    plain: Option<&'a str>,
    extra: &'a Extra,
    starts_with_thinking: bool,
    calls: bool,
}

/// Instructions and turns.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    /// Blocks of the system prompt, without brackets.
    system: Vec<u8>,
    system_plain: Option<&'a str>,
    turns: Vec<Turn<'a>>,
}

impl<'a> Conversation<'a> {
    /// Groups the messages of a request.
    ///
    /// Instructions move to the top in their order. Those between a user's turn and an assistant's, or between a user's turn and
    /// the end, stay where they are on a model that takes them there (one that is not known: when the client wrote this
    /// dialect), so that the prompt before them stays cached.
    pub(super) fn new(request: &'a Request, model: &Model, writing: &mut Writing<'_>) -> Self {
        let mut conversation = Self::default();
        let in_place = model.mid_system.unwrap_or(request.names.dialect == THIS);
        for message in &request.messages {
            if message.name.is_some() {
                writing.losses.report_suffix(message.place, writing.names.name);
            }
            writing.losses.report_extra(message.place, &message.extra, THIS);
            let role = match message.role {
                Role::System | Role::Developer
                    if in_place && matches!(conversation.last_role(), Some("user" | "system")) =>
                {
                    "system"
                }
                Role::System | Role::Developer => {
                    conversation.instruct(message, writing);
                    continue;
                }
                Role::User | Role::Tool => "user",
                Role::Assistant => "assistant",
            };
            conversation.say(role, message, writing);
        }
        conversation
    }

    fn last_role(&self) -> Option<&'static str> {
        self.turns.last().map(|turn| turn.role)
    }

    /// There is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The last assistant turn calls tools and does not start with its thinking.
    pub(super) fn broken_loop(&self) -> bool {
        let last = self.turns.iter().rev().find(|turn| turn.role == "assistant");
        last.is_some_and(|turn| turn.calls && !turn.starts_with_thinking)
    }

    fn instruct(&mut self, message: &'a Message, writing: &mut Writing<'_>) {
        for block in &message.content {
            if !instructs(block, writing) {
                continue;
            }
            let alone = self.system.is_empty();
            if append(&mut self.system, block, writing) {
                self.system_plain = plain(std::slice::from_ref(block)).filter(|_| alone);
            }
        }
    }

    /// Moves instructions that turned out not to stand before an answer to the top.
    fn hoist(&mut self) {
        let Some(turn) = self.turns.pop_if(|turn| turn.role == "system") else {
            return;
        };
        self.system_plain = turn.plain.filter(|_| self.system.is_empty());
        if !self.system.is_empty() {
            self.system.push(b',');
        }
        self.system.extend_from_slice(&turn.others);
    }

    fn say(&mut self, role: &'static str, message: &'a Message, writing: &mut Writing<'_>) {
        if role == "user" {
            self.hoist();
        }
        // A message of which nothing can be said makes no turn.
        let mut turn = Turn {
            role,
            results: Vec::new(),
            others: Vec::new(),
            plain: None,
            extra: &message.extra,
            starts_with_thinking: false,
            calls: false,
        };
        let joined = self.last_role() == Some(role);
        let target = match self.turns.last_mut() {
            Some(last) if joined => last,
            _ => &mut turn,
        };
        for block in &message.content {
            if role != "system" || instructs(block, writing) {
                target.add(block, writing);
            }
        }
        if !joined && !turn.is_empty() {
            self.turns.push(turn);
        }
    }

    /// Writes `system` and `messages`.
    pub(super) fn write(&self, object: &mut Object<'_>) {
        if let Some(text) = self.system_plain {
            object.member("system", text);
        } else if !self.system.is_empty() {
            bracket(object.key("system"), &[&self.system]);
        }
        super::write::list(object.key("messages"), &self.turns, |out, turn| turn.write(out));
    }
}

impl<'a> Turn<'a> {
    fn is_empty(&self) -> bool {
        self.results.is_empty() && self.others.is_empty()
    }

    fn add(&mut self, block: &'a Block, writing: &mut Writing<'_>) {
        let alone = self.is_empty();
        let out = match block.part {
            Part::ToolResult(_) => &mut self.results,
            _ => &mut self.others,
        };
        if !append(out, block, writing) {
            return;
        }
        self.plain = plain(std::slice::from_ref(block)).filter(|_| alone);
        self.calls |= matches!(block.part, Part::ToolCall(_));
        self.starts_with_thinking |= alone && matches!(block.part, Part::Reasoning(_));
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.member("role", self.role);
        match self.plain {
            Some(text) => object.member("content", text),
            None => bracket(object.key("content"), &[&self.results, &self.others]),
        }
        object.extra(self.extra, &[]);
        object.close();
    }
}

/// Instructions are text, or what only this dialect knows.
fn instructs(block: &Block, writing: &mut Writing<'_>) -> bool {
    let text = matches!(block.part, Part::Text { .. } | Part::Refusal(_) | Part::Opaque(_));
    if !text {
        writing.losses.report(block.place, "");
    }
    text
}

/// Appends a block and the comma before it; nothing when it cannot be said.
fn append(out: &mut Vec<u8>, block: &Block, writing: &mut Writing<'_>) -> bool {
    let before = out.len();
    if before > 0 {
        out.push(b',');
    }
    let written = writing.block(out, block);
    if !written {
        out.truncate(before);
    }
    written
}

fn bracket(out: &mut Vec<u8>, lists: &[&[u8]]) {
    out.push(b'[');
    let mut first = true;
    for list in lists.iter().filter(|list| !list.is_empty()) {
        if !first {
            out.push(b',');
        }
        out.extend_from_slice(list);
        first = false;
    }
    out.push(b']');
}
