//! What the mock answers: a pure function of the facts of a conversation, the same for every dialect.
//!
//! The rules, first match wins:
//!
//! 1. tool results in the last turn → `The tool said: <text>`, `The tool failed: <text>`, joined by ` and `;
//!    but while the last user text says `then`, the tools it names are called one a round, in its order;
//! 2. the last user text contains `refuse` → a refusal;
//! 3. the tool choice forces a tool, or the text names tools → calls with sample arguments; `and also` with one
//!    named tool calls it twice; with `explain` a text stands before the calls;
//! 4. a schema is asked for → its sample value; a JSON object is asked for → `{"answer": "<rule 5>"}`;
//! 5. `ping` → `pong`; `count to N` → the words `1 2 … N`; media → `I see an image of N bytes (type)`,
//!    `I read a document of N bytes`; no text → `You said nothing.`; else `You said: <text>`.

use serde_json::{Value, json};

use crate::reply::SIZE_MARK;
use crate::{sample, words};

/// The answer to a refused request.
pub(crate) const REFUSAL: &str = "I cannot help with that.";
/// The most words `count to N` gives.
const MOST_WORDS: u64 = 1_000_000;

/// The facts of a conversation that the answer depends on.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    /// The text of the last user message that has one.
    pub text: String,
    /// Images and documents of the last user message.
    pub media: Vec<Media>,
    /// Tool results after the last assistant turn.
    pub results: Vec<ToolResult>,
    /// Assistant turns with calls since the last user text.
    pub rounds: usize,
    pub tools: Vec<Tool>,
    pub choice: Choice,
    /// At most one call a turn.
    pub single_call: bool,
    pub format: Format,
    /// Tokens of the prompt.
    pub tokens: u64,
    /// The answer's text is to be of the size the fault asks for.
    pub sized: bool,
}

/// A callable tool.
#[derive(Debug)]
pub(crate) struct Tool {
    pub name: String,
    pub schema: Value,
}

/// An image or a document.
#[derive(Debug)]
pub(crate) enum Media {
    Image { bytes: usize, media: String },
    ImageUrl(String),
    Document { bytes: usize },
    DocumentUrl(String),
    Audio { bytes: usize, format: String },
}

#[derive(Debug)]
pub(crate) struct ToolResult {
    pub text: String,
    pub failed: bool,
}

/// Which tools may be called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    Auto,
    None,
    Any,
    Named(String),
}

/// The form asked of the text.
#[derive(Debug, Default)]
pub(crate) enum Format {
    #[default]
    Text,
    JsonObject,
    Schema(Value),
}

/// What the mock says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub text: String,
    pub calls: Vec<ToolCall>,
    pub finish: Finish,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToolCall {
    pub name: String,
    /// JSON text of an object.
    pub arguments: String,
}

/// Why the answer ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Finish {
    #[default]
    Stop,
    StopSequence(String),
    Length,
    Calls,
    Refusal,
}

impl Prompt {
    /// The answer, cut by the token limit and the stop sequences.
    pub(crate) fn answer(&self, limit: Option<u64>, stop: &[String]) -> Answer {
        if let Some(calls) = self.calls().filter(|calls| !calls.is_empty()) {
            let text = if self.text.contains("explain") {
                self.announce(&calls)
            } else {
                String::new()
            };
            return Answer {
                text,
                calls,
                finish: Finish::Calls,
            };
        }
        if self.results.is_empty() && self.text.contains("refuse") {
            return Answer {
                text: REFUSAL.to_owned(),
                calls: Vec::new(),
                finish: Finish::Refusal,
            };
        }
        let mut answer = Answer {
            text: self.say(),
            ..Answer::default()
        };
        let first = stop
            .iter()
            .filter_map(|stop| Some((answer.text.find(stop.as_str())?, stop)))
            .min();
        if let Some((at, stop)) = first {
            answer.text.truncate(at);
            answer.finish = Finish::StopSequence(stop.clone());
        }
        if let Some(text) = limit.and_then(|limit| words::truncate(&answer.text, limit)) {
            answer.text = text;
            answer.finish = Finish::Length;
        }
        answer
    }

    /// The reasoning that stands before an answer.
    pub(crate) fn reasoning(&self) -> String {
        let said = words::truncate(&self.text, 50).unwrap_or_else(|| self.text.clone());
        format!("The user said {said:?}, so the rules of the mock decide.")
    }

    fn announce(&self, calls: &[ToolCall]) -> String {
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        format!("I will call {}.", names.join(" and "))
    }

    fn calls(&self) -> Option<Vec<ToolCall>> {
        if self.choice == Choice::None || self.tools.is_empty() {
            return None;
        }
        let named = self.named();
        let in_turn = self.text.contains(" then ");
        if in_turn && named.len() > 1 {
            return Some(
                named
                    .get(self.rounds)
                    .map(|tool| call(tool))
                    .into_iter()
                    .collect(),
            );
        }
        if !self.results.is_empty() || self.text.contains("refuse") {
            return None;
        }
        let mut tools = match &self.choice {
            Choice::Named(name) => self.tools.iter().filter(|tool| tool.name == *name).collect(),
            Choice::Any if named.is_empty() => self.tools.iter().take(1).collect(),
            _ => named,
        };
        if let [only] = tools.as_slice()
            && self.text.contains("and also")
        {
            tools = vec![only, only];
        }
        if self.single_call {
            tools.truncate(1);
        }
        Some(tools.into_iter().map(call).collect())
    }

    /// The tools that the text names, in its order.
    fn named(&self) -> Vec<&Tool> {
        let mut named: Vec<_> = self
            .tools
            .iter()
            .filter_map(|tool| Some((self.text.find(&tool.name)?, tool)))
            .collect();
        named.sort_by_key(|(at, _)| *at);
        named.into_iter().map(|(_, tool)| tool).collect()
    }

    fn say(&self) -> String {
        match &self.format {
            Format::Schema(schema) => sample::value(schema).to_string(),
            Format::JsonObject => json!({"answer": self.plain()}).to_string(),
            Format::Text => self.plain(),
        }
    }

    fn plain(&self) -> String {
        if self.sized {
            return SIZE_MARK.to_owned();
        }
        if !self.results.is_empty() {
            let said = self.results.iter().map(|result| {
                let verb = if result.failed { "failed" } else { "said" };
                format!("The tool {verb}: {}", result.text)
            });
            return said.collect::<Vec<_>>().join(" and ");
        }
        if !self.media.is_empty() {
            return self
                .media
                .iter()
                .map(Media::describe)
                .collect::<Vec<_>>()
                .join(" and ");
        }
        let text = self.text.trim();
        match text {
            "ping" => "pong".to_owned(),
            "" => "You said nothing.".to_owned(),
            _ => counted(text).unwrap_or_else(|| format!("You said: {text}")),
        }
    }
}

impl Media {
    /// What the mock says of it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Image { bytes, media } => format!("I see an image of {bytes} bytes ({media})"),
            Self::ImageUrl(url) => format!("I see an image at {url}"),
            Self::Document { bytes } => format!("I read a document of {bytes} bytes"),
            Self::DocumentUrl(url) => format!("I read a document at {url}"),
            Self::Audio { bytes, format } => format!("I hear audio of {bytes} bytes ({format})"),
        }
    }
}

fn call(tool: &Tool) -> ToolCall {
    let arguments = match sample::value(&tool.schema) {
        arguments @ Value::Object(_) => arguments,
        _ => json!({}),
    };
    ToolCall {
        name: tool.name.clone(),
        arguments: arguments.to_string(),
    }
}

fn counted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("count to ")?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .map_or(rest, |end| rest.get(..end).unwrap_or_default());
    let words: Vec<_> = (1..=digits.parse::<u64>().ok()?.min(MOST_WORDS))
        .map(|word| word.to_string())
        .collect();
    Some(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(text: &str, tools: &[&str]) -> Prompt {
        let schema =
            json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}});
        let tools = tools
            .iter()
            .map(|name| Tool {
                name: (*name).to_owned(),
                schema: schema.clone(),
            })
            .collect();
        Prompt {
            text: text.to_owned(),
            tools,
            ..Prompt::default()
        }
    }

    fn names(prompt: &Prompt) -> Vec<String> {
        prompt
            .answer(None, &[])
            .calls
            .into_iter()
            .map(|call| call.name)
            .collect()
    }

    #[test]
    fn texts() {
        for (text, expected) in [
            ("ping", "pong"),
            ("please count to 3.", "1 2 3"),
            ("", "You said nothing."),
            ("hello", "You said: hello"),
            ("count to many", "You said: count to many"),
        ] {
            assert_eq!(prompt(text, &[]).answer(None, &[]).text, expected);
        }
        assert_eq!(
            prompt("refuse this", &[]).answer(None, &[]).finish,
            Finish::Refusal
        );
    }

    #[test]
    fn limits() {
        let prompt = prompt("count to 9", &[]);
        let answer = prompt.answer(Some(2), &[]);
        assert_eq!((answer.text.as_str(), answer.finish), ("1 2", Finish::Length));
        let answer = prompt.answer(Some(20), &["5".to_owned(), "3".to_owned()]);
        assert_eq!(
            (answer.text.as_str(), answer.finish),
            ("1 2 ", Finish::StopSequence("3".to_owned()))
        );
    }

    #[test]
    fn tools_are_called_when_named_or_forced() {
        let tools = ["get_weather", "get_time"];
        assert!(names(&prompt("hello", &tools)).is_empty());
        assert_eq!(
            names(&prompt("get_time and get_weather", &tools)),
            ["get_time", "get_weather"]
        );
        assert_eq!(
            names(&prompt("get_time for Rome and also Oslo", &tools)),
            ["get_time", "get_time"]
        );
        let forced = Prompt {
            choice: Choice::Named("get_time".into()),
            ..prompt("hello", &tools)
        };
        assert_eq!(names(&forced), ["get_time"]);
        assert_eq!(
            names(&Prompt {
                choice: Choice::Any,
                ..prompt("hello", &tools)
            }),
            ["get_weather"]
        );
        assert!(
            names(&Prompt {
                choice: Choice::None,
                ..prompt("get_time", &tools)
            })
            .is_empty()
        );
        let single = Prompt {
            single_call: true,
            ..prompt("get_time and get_weather", &tools)
        };
        assert_eq!(names(&single), ["get_time"]);
        assert_eq!(single.answer(None, &[]).calls[0].arguments, r#"{"city":"city"}"#);
    }

    #[test]
    fn rounds_and_results() {
        let result = || {
            vec![ToolResult {
                text: "sunny".into(),
                failed: false,
            }]
        };
        let text = "call get_weather then get_time";
        let second = Prompt {
            rounds: 1,
            results: result(),
            ..prompt(text, &["get_weather", "get_time"])
        };
        assert_eq!(names(&second), ["get_time"]);
        let last = Prompt {
            rounds: 2,
            results: result(),
            ..prompt(text, &["get_weather", "get_time"])
        };
        assert_eq!(last.answer(None, &[]).text, "The tool said: sunny");
        let failed = vec![ToolResult {
            text: "no".into(),
            failed: true,
        }];
        let failed = Prompt {
            results: failed,
            ..prompt("get_time", &["get_time"])
        };
        assert_eq!(failed.answer(None, &[]).text, "The tool failed: no");
    }
}
