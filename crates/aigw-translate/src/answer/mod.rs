//! The way back: one upstream answer, passed through and observed, or translated, piece by piece.

mod observed;
mod page;
mod translated;

use bytes::Bytes;

use crate::dialect::{Observation, ReplyContext};
use crate::host::Service;
use crate::ir::Error;
use crate::operation::Operation;

/// What is known when an answer's head arrives.
#[derive(Clone, Debug)]
pub struct AnswerInputs<'a> {
    /// What the client asked for.
    pub operation: Operation,
    /// How the backend serves it.
    pub service: Service,
    /// The upstream's status.
    pub status: u16,
    /// The client asked for a stream.
    pub stream: bool,
    /// Usage was asked for in the client's stead.
    pub forced_usage: bool,
    /// The upstream's content type.
    pub content_type: Option<&'a str>,
    /// The upstream's content encoding.
    pub content_encoding: Option<&'a str>,
    /// For encoders.
    pub context: ReplyContext,
}

/// How a body reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As it comes, byte for byte: its length and its encoding stay.
    Untouched,
    /// As it comes, with edits: length and encoding are gone.
    Edited,
    /// All at once, at the end.
    Collected,
}

/// One upstream answer on its way to the client.
#[derive(Debug)]
pub struct Answer(Kind);

#[derive(Debug)]
enum Kind {
    Observed(observed::Observed),
    Page(page::Page),
    Translated(Box<translated::Translated>),
}

impl Answer {
    /// Decides by the head how the body is treated.
    pub fn new(inputs: AnswerInputs<'_>) -> Self {
        let is_page =
            inputs.status >= 400 && !is_json(inputs.content_type) && !is_event_stream(inputs.content_type);
        match inputs.service {
            Service::PassThrough if is_page => Self(Kind::Page(page::Page::new(&inputs))),
            Service::PassThrough => Self(Kind::Observed(observed::Observed::new(&inputs))),
            Service::Translate(upstream) => Self(Kind::Translated(Box::new(translated::Translated::new(
                upstream, inputs,
            )))),
        }
    }

    /// How the body reaches the client.
    pub fn delivery(&self) -> Delivery {
        match &self.0 {
            Kind::Observed(observed) => observed.delivery(),
            Kind::Page(_) => Delivery::Collected,
            Kind::Translated(translated) => translated.delivery(),
        }
    }

    /// The client's content type, where it is not the upstream's.
    pub fn content_type(&self) -> Option<&'static str> {
        match &self.0 {
            Kind::Observed(_) => None,
            Kind::Page(_) => Some("application/json"),
            Kind::Translated(translated) => Some(translated.content_type()),
        }
    }

    /// Takes a piece of the upstream's body and appends what the client gets for it. `Err`: the answer cannot be used.
    pub fn push(&mut self, data: Bytes, out: &mut Vec<Bytes>) -> Result<(), String> {
        match &mut self.0 {
            Kind::Observed(observed) => observed.push(data, out),
            Kind::Page(page) => {
                page.push(&data);
                Ok(())
            }
            Kind::Translated(translated) => translated.push(&data, out),
        }
    }

    /// The upstream's body is complete. `Ok(false)`: it ended before the answer did.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<bool, String> {
        match &mut self.0 {
            Kind::Observed(observed) => Ok(observed.finish(out)),
            Kind::Page(page) => {
                page.finish(out);
                Ok(true)
            }
            Kind::Translated(translated) => translated.finish(out),
        }
    }

    /// Says an error inside a stream that has begun; false when the format has no way to say it.
    pub fn fail(&mut self, error: &Error, out: &mut Vec<Bytes>) -> bool {
        match &mut self.0 {
            Kind::Observed(observed) => observed.fail(error, out),
            Kind::Page(_) => false,
            Kind::Translated(translated) => translated.fail(error, out),
        }
    }

    /// What the answer told so far.
    pub fn observation(&self) -> &Observation {
        match &self.0 {
            Kind::Observed(observed) => observed.observation(),
            Kind::Page(page) => page.observation(),
            Kind::Translated(translated) => translated.observation(),
        }
    }

    /// A stream has carried content.
    pub fn saw_content(&self) -> bool {
        match &self.0 {
            Kind::Observed(observed) => observed.saw_content(),
            Kind::Page(_) => false,
            Kind::Translated(translated) => translated.saw_content(),
        }
    }

    /// Bytes of the answer that are kept until its end.
    pub fn held(&self) -> u64 {
        match &self.0 {
            Kind::Observed(observed) => observed.held(),
            Kind::Page(page) => page.held(),
            Kind::Translated(translated) => translated.held(),
        }
    }

    /// Keeps nothing more of an answer that is only watched: what it would have told stays unknown.
    pub fn unwatch(&mut self) {
        if let Kind::Observed(observed) = &mut self.0 {
            observed.unwatch();
        }
    }

    /// Members of the answer that the client's dialect could not say.
    pub fn losses(&self) -> u32 {
        match &self.0 {
            Kind::Observed(_) | Kind::Page(_) => 0,
            Kind::Translated(translated) => translated.losses(),
        }
    }
}

/// True for `text/event-stream`, with or without parameters.
fn is_event_stream(content_type: Option<&str>) -> bool {
    essence(content_type).eq_ignore_ascii_case("text/event-stream")
}

/// True for JSON, also `application/problem+json` and the like.
fn is_json(content_type: Option<&str>) -> bool {
    let kind = essence(content_type);
    let suffix = kind.rfind('+').and_then(|at| kind.get(at..)).unwrap_or_default();
    kind.eq_ignore_ascii_case("application/json") || suffix.eq_ignore_ascii_case("+json")
}

fn essence(content_type: Option<&str>) -> &str {
    content_type
        .and_then(|kind| kind.split(';').next())
        .map(str::trim)
        .unwrap_or_default()
}
