//! Reads a stream of chunks.
//!
//! <https://platform.openai.com/docs/api-reference/chat/streaming>. The dialect marks no beginning and no end of what it says: a
//! block ends where something else begins. What each choice has open is kept in [`Choice`](super::stream_choice::Choice).

use serde_json::{Map, Value};

use super::chunk::{self, Chunk, Rest, Scalar};
use super::error::{decode_error, read_error, stream_status};
use super::fields::whole;
use super::schema::ID;
use super::stream_choice::Choice;
use super::usage;
use crate::dialect::StreamDecoder;
use crate::ir::{Event, Extra, Opaque};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    ended: bool,
    /// Members that hold for the whole answer, as last said.
    told: Map<String, Value>,
    choices: Vec<Choice>,
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, event: Option<&str>, data: &[u8], out: &mut Vec<Event>) -> Result<(), String> {
        let data = data.trim_ascii();
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.end(out);
            return Ok(());
        }
        let chunk: Result<Chunk<'_>, _> = serde_json::from_slice(data);
        match chunk {
            Ok(chunk) if event != Some("error") && !is_error(&chunk) => self.chunk(chunk, out),
            Err(error) if event != Some("error") && !data.starts_with(b"[") => {
                Err(format!("a chunk cannot be read: {error}"))
            }
            _ => {
                self.fail(data, out);
                Ok(())
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> bool {
        if self.ended {
            return true;
        }
        let complete = !self.choices.is_empty() && self.choices.iter().all(Choice::is_finished);
        if complete {
            self.end(out);
        }
        complete
    }
}

/// An error in place of a chunk, also where its members stand at the top.
fn is_error(chunk: &Chunk<'_>) -> bool {
    let says = |name| chunk.rest.as_ref().is_some_and(|rest| rest.contains_key(name));
    chunk.error.is_some()
        || (chunk.choices.is_none() && chunk.usage.is_none() && (says("message") || says("detail")))
}

impl Decoder {
    fn fail(&mut self, data: &[u8], out: &mut Vec<Event>) {
        let error = match serde_json::from_slice::<Value>(data) {
            Ok(Value::Object(mut members)) => {
                // Some put the error into a chunk; the chunk is not part of it.
                if let Some(error) = members.shift_remove("error").filter(|error| !error.is_null()) {
                    members = Map::new();
                    members.insert("error".to_owned(), error);
                }
                let value = Value::Object(members);
                read_error(stream_status(&value), value)
            }
            Ok(value) => read_error(stream_status(value.get(0).unwrap_or(&value)), value),
            Err(_) => decode_error(500, data),
        };
        self.ended = true;
        out.push(Event::Error(error));
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        for choice in &mut self.choices {
            choice.end(out);
        }
        if !self.started {
            self.start(Chunk::default(), out);
        }
        self.ended = true;
        out.push(Event::End);
    }

    fn start(&mut self, chunk: Chunk<'_>, out: &mut Vec<Event>) {
        self.started = true;
        let created = match &chunk.created {
            Scalar::Other(value) => value.as_number().and_then(whole),
            _ => None,
        };
        out.push(Event::Start {
            id: chunk.id.into_text(),
            model: chunk.model.into_text(),
            created,
            extra: Extra::new(ID, self.told.clone()),
        });
    }

    fn chunk(&mut self, mut chunk: Chunk<'_>, out: &mut Vec<Event>) -> Result<(), String> {
        let choices = chunk.choices.take().unwrap_or_default();
        let usage = chunk.usage.take();
        let mut rest = self.news(&mut chunk);
        if !self.started {
            self.told.append(&mut rest);
            // A first chunk without a choice may only tell about the prompt; it has neither id nor model then.
            if !choices.is_empty() || usage.is_some() || chunk.id.text().is_some() {
                self.start(chunk, out);
            }
        }
        let mut unknown = Vec::new();
        for mut choice in choices {
            let more = leftovers(&mut choice);
            unknown.extend(more);
            self.choice(choice.index).take(choice, out)?;
        }
        if let Some(usage) = usage {
            out.push(Event::Usage(usage::read(&usage)));
        }
        if !rest.is_empty() || !unknown.is_empty() {
            for (name, value) in &rest {
                self.told.insert(name.clone(), value.clone());
            }
            rest.insert("choices".to_owned(), Value::Array(unknown));
            let value = Value::Object(rest);
            out.push(Event::Opaque(Opaque { dialect: ID, value }));
        }
        Ok(())
    }

    /// What the chunk tells of the whole answer that was not told before.
    fn news(&self, chunk: &mut Chunk<'_>) -> Map<String, Value> {
        let mut rest = std::mem::take(&mut chunk.rest).map_or_else(Map::new, |rest| *rest);
        rest.retain(|name, value| self.told.get(name) != Some(value));
        let texts = [
            ("service_tier", &chunk.service_tier),
            ("system_fingerprint", &chunk.system_fingerprint),
        ];
        for (name, text) in texts {
            let told = self.told.get(name).and_then(Value::as_str);
            if let Some(text) = text.text().filter(|text| told != Some(text)) {
                rest.insert(name.to_owned(), text.into());
            }
        }
        rest
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let position = self.choices.iter().position(|choice| choice.index() == index);
        let position = position.unwrap_or_else(|| {
            self.choices.push(Choice::new(index));
            self.choices.len() - 1
        });
        // The position was found or made just now.
        #[expect(clippy::indexing_slicing, reason = "position is below the length")]
        &mut self.choices[position]
    }
}

/// What a choice says that the representation has no word for, as a choice of its own.
fn leftovers(choice: &mut chunk::Choice<'_>) -> Option<Value> {
    if choice.rest.is_none() && choice.delta.rest.is_none() {
        return None;
    }
    let taken = |rest: &mut Rest| std::mem::take(rest).map_or_else(Map::new, |rest| *rest);
    let mut members = taken(&mut choice.rest);
    let delta = taken(&mut choice.delta.rest);
    members.insert("index".to_owned(), choice.index.into());
    members.insert("delta".to_owned(), Value::Object(delta));
    members.insert("finish_reason".to_owned(), Value::Null);
    Some(Value::Object(members))
}
