//! What an answer must be, so that a broken subject cannot look fast.

use std::collections::BTreeSet;

use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;

use crate::failure::Failure;
use crate::payload::{DONE, INPUT_TOKENS, OUTPUT_TOKENS};

/// The answer that a client must be given.
#[derive(Debug, Clone)]
pub enum Expect {
    /// Exactly these bytes.
    Exact(Bytes),
    /// An OpenAI chat completion, translated: its text.
    Completion(String),
    /// An OpenAI stream, translated: its text and in how many deltas it comes.
    Stream {
        /// All deltas end to end.
        text: String,
        /// At least that many events carry a piece of it.
        deltas: usize,
    },
}

impl Expect {
    /// The check of every answer: cheap, since the generator shares the machine's cores with what it measures.
    pub fn verify(&self, status: u16, body: &[u8]) -> Result<(), Failure> {
        if status != 200 {
            return Err(wrong(format!("status {status}"), body));
        }
        match self {
            Self::Exact(bytes) if body == bytes => Ok(()),
            Self::Exact(bytes) => Err(wrong(first_difference(bytes, body), body)),
            Self::Completion(text) => {
                let text = Value::from(text.as_str()).to_string();
                let total = (INPUT_TOKENS + OUTPUT_TOKENS).to_string();
                holds(body, text.as_bytes()).and_then(|()| holds(body, total.as_bytes()))
            }
            Self::Stream { deltas, .. } => {
                if !body.ends_with(DONE) {
                    return Err(wrong("the stream does not end with [DONE]".to_owned(), body));
                }
                let events = memmem::find_iter(body, b"data: ").count();
                if events <= *deltas {
                    return Err(wrong(
                        format!("{events} events, more than {deltas} expected"),
                        body,
                    ));
                }
                holds(body, b"\"stop\"")
            }
        }
    }

    /// The check of one answer in each slice: everything that `verify` checks, and the parsed content.
    pub fn inspect(&self, status: u16, body: &[u8]) -> Result<(), Failure> {
        self.verify(status, body)?;
        let (expected, seen) = match self {
            Self::Exact(_) => return Ok(()),
            Self::Completion(text) => (text, completion(body)?),
            Self::Stream { text, .. } => (text, stream(body)?),
        };
        if seen.text != *expected {
            return Err(wrong("the text is not the upstream's".to_owned(), body));
        }
        if !seen.finished.contains("stop") || seen.finished.len() != 1 {
            return Err(wrong(
                format!("finish reasons {:?}, \"stop\" expected", seen.finished),
                body,
            ));
        }
        Ok(())
    }
}

/// What a parse of an OpenAI answer finds.
#[derive(Default)]
struct Seen {
    text: String,
    finished: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, document: &[u8], part: &str) -> Result<(), Failure> {
        let value: Value = serde_json::from_slice(document)
            .map_err(|error| wrong(format!("not JSON ({error})"), document))?;
        let choice = value.pointer("/choices/0");
        let text = choice
            .and_then(|choice| choice.pointer(part))
            .and_then(Value::as_str);
        self.text.push_str(text.unwrap_or_default());
        let reason = choice
            .and_then(|choice| choice.get("finish_reason"))
            .and_then(Value::as_str);
        self.finished.extend(reason.map(str::to_owned));
        Ok(())
    }
}

fn completion(body: &[u8]) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    seen.add(body, "/message/content")?;
    Ok(seen)
}

fn stream(body: &[u8]) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    for line in body.split(|byte| *byte == b'\n') {
        match line.strip_prefix(b"data: ") {
            None | Some(b"[DONE]") => {}
            Some(document) => seen.add(document, "/delta/content")?,
        }
    }
    Ok(seen)
}

fn holds(body: &[u8], needle: &[u8]) -> Result<(), Failure> {
    if memmem::find(body, needle).is_some() {
        return Ok(());
    }
    Err(wrong(format!("it lacks {}", excerpt(needle)), body))
}

fn first_difference(expected: &[u8], seen: &[u8]) -> String {
    let at = expected.iter().zip(seen).take_while(|(a, b)| a == b).count();
    format!(
        "{} bytes expected, {} came; they differ at {at}",
        expected.len(),
        seen.len()
    )
}

fn wrong(what: String, body: &[u8]) -> Failure {
    Failure::Answer(format!("{what}; the answer begins with {}", excerpt(body)))
}

fn excerpt(bytes: &[u8]) -> String {
    let start: Vec<u8> = bytes.iter().copied().take(200).collect();
    format!("{:?}", String::from_utf8_lossy(&start))
}

#[cfg(test)]
mod tests {
    use super::Expect;
    use crate::payload::{INPUT_TOKENS, OUTPUT_TOKENS};
    use bytes::Bytes;
    use serde_json::json;

    #[test]
    fn exact_refuses_status_length_and_content() {
        let expect = Expect::Exact(Bytes::from_static(b"abc"));
        assert!(expect.inspect(200, b"abc").is_ok());
        assert!(expect.verify(502, b"abc").is_err());
        assert!(expect.verify(200, b"ab").is_err());
        let message = expect.verify(200, b"abd").unwrap_err().to_string();
        assert!(message.contains("differ at 2"), "{message}");
    }

    #[test]
    fn completion_checks_text_usage_and_finish_reason() {
        let expect = Expect::Completion("say \"hi\"".to_owned());
        let answer = |text: &str, finish: &str, total: u64| {
            let choice = json!({"message": {"content": text}, "finish_reason": finish});
            json!({"choices": [choice], "usage": {"total_tokens": total}}).to_string()
        };
        let total = INPUT_TOKENS + OUTPUT_TOKENS;
        assert!(
            expect
                .inspect(200, answer("say \"hi\"", "stop", total).as_bytes())
                .is_ok()
        );
        assert!(
            expect
                .verify(200, answer("say hi", "stop", total).as_bytes())
                .is_err()
        );
        assert!(
            expect
                .verify(200, answer("say \"hi\"", "stop", 7).as_bytes())
                .is_err()
        );
        assert!(
            expect
                .inspect(200, answer("say \"hi\"", "length", total).as_bytes())
                .is_err()
        );
    }

    #[test]
    fn stream_checks_its_events_its_end_and_its_text() {
        let expect = Expect::Stream {
            text: "ab".to_owned(),
            deltas: 2,
        };
        let delta = |text: &str| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}));
        let stop = format!(
            "data: {}\n\n",
            json!({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        );
        let (a, b, done) = (delta("a"), delta("b"), "data: [DONE]\n\n");
        assert!(
            expect
                .inspect(200, format!("{a}{b}{stop}{done}").as_bytes())
                .is_ok()
        );
        assert!(expect.verify(200, format!("{a}{b}{stop}").as_bytes()).is_err());
        assert!(expect.verify(200, format!("{a}{done}").as_bytes()).is_err());
        assert!(expect.verify(200, format!("{a}{b}{done}").as_bytes()).is_err());
        assert!(
            expect
                .inspect(200, format!("{b}{a}{stop}{done}").as_bytes())
                .is_err()
        );
    }
}
