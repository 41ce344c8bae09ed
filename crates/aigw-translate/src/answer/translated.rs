//! A body that is read in the upstream's dialect and written in the client's.

use std::fmt;

use bytes::Bytes;

use super::{AnswerInputs, Delivery, is_event_stream};
use crate::codec::encoding::Decoder as Decompressor;
use crate::codec::sse;
use crate::dialect::{self, Dialect, Observation, ReplyContext, StreamDecoder, StreamEncoder};
use crate::ir::{BlockKind, DialectId, Error, Event, Losses, Response};
use crate::operation::encode_stream_error;

/// A whole answer of more bytes than this is not translated.
const WHOLE_LIMIT: usize = 64 << 20;

/// A translated answer.
pub(super) struct Translated {
    client: Option<&'static dyn Dialect>,
    upstream: Option<&'static dyn Dialect>,
    status: u16,
    wants_stream: bool,
    context: ReplyContext,
    shape: crate::operation::ErrorShape,
    decompress: Option<Decompressor>,
    /// The upstream's encoding is not known here.
    unreadable: Option<String>,
    body: Body,
    observation: Observation,
    losses: Losses,
    saw_content: bool,
}

enum Body {
    Whole(Vec<u8>),
    Stream(Box<Stream>),
}

struct Stream {
    frames: sse::Decoder,
    decoder: Box<dyn StreamDecoder>,
    encoder: Box<dyn StreamEncoder>,
    events: Vec<Event>,
}

impl Stream {
    fn read(
        &mut self,
        data: &[u8],
        observation: &mut Observation,
        saw_content: &mut bool,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let mut frames = self.frames.push(data);
        while let Some(frame) = frames.next().map_err(|error| error.to_string())? {
            let Some(data) = frame.data else { continue };
            self.decoder
                .frame(frame.event.as_deref(), data, &mut self.events)?;
            for event in self.events.drain(..) {
                note(&event, observation, saw_content);
                self.encoder.event(&event, out, losses);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Translated")
            .field("status", &self.status)
            .field("observation", &self.observation)
            .finish_non_exhaustive()
    }
}

impl Translated {
    pub(super) fn new(upstream: DialectId, inputs: AnswerInputs<'_>) -> Self {
        let client = inputs.operation.conversation().and_then(dialect::find);
        let upstream = dialect::find(upstream);
        let encoding = inputs.content_encoding.unwrap_or("identity");
        let streams = inputs.status < 300 && is_event_stream(inputs.content_type);
        let decompressor = if streams && inputs.stream {
            Decompressor::for_stream(encoding, WHOLE_LIMIT as u64)
        } else {
            Decompressor::new(encoding, WHOLE_LIMIT as u64)
        };
        let (decompress, unreadable) = match decompressor {
            Ok(decoder) if decoder.is_identity() => (None, None),
            Ok(decoder) => (Some(decoder), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let body = match (client, upstream) {
            (Some(client), Some(upstream)) if streams && inputs.stream => Body::Stream(Box::new(Stream {
                frames: sse::Decoder::default(),
                decoder: upstream.stream_decoder(),
                encoder: client.stream_encoder(&inputs.context),
                events: Vec::new(),
            })),
            _ => Body::Whole(Vec::new()),
        };
        Self {
            client,
            upstream,
            status: inputs.status,
            wants_stream: inputs.stream,
            context: inputs.context,
            shape: inputs.operation.errors(),
            decompress,
            unreadable,
            body,
            observation: Observation::default(),
            losses: Losses::default(),
            saw_content: false,
        }
    }

    pub(super) fn delivery(&self) -> Delivery {
        match self.body {
            Body::Whole(_) => Delivery::Collected,
            Body::Stream(_) => Delivery::Edited,
        }
    }

    pub(super) fn content_type(&self) -> &'static str {
        match self.body {
            Body::Stream(_) => "text/event-stream",
            Body::Whole(_) if self.wants_stream && self.status < 300 => "text/event-stream",
            Body::Whole(_) => "application/json",
        }
    }

    pub(super) fn push(&mut self, data: &Bytes, out: &mut Vec<Bytes>) -> Result<(), String> {
        if let Some(detail) = &self.unreadable {
            return Err(detail.clone());
        }
        let mut plain = Vec::new();
        let data: &[u8] = match &mut self.decompress {
            None => data,
            Some(decoder) => {
                decoder
                    .push(data, &mut plain)
                    .map_err(|error| error.to_string())?;
                &plain
            }
        };
        match &mut self.body {
            Body::Whole(whole) => {
                if whole.len().saturating_add(data.len()) > WHOLE_LIMIT {
                    return Err(format!("it has more than {WHOLE_LIMIT} bytes"));
                }
                whole.extend_from_slice(data);
            }
            Body::Stream(stream) => {
                let mut bytes = Vec::new();
                let read = stream.read(
                    data,
                    &mut self.observation,
                    &mut self.saw_content,
                    &mut self.losses,
                    &mut bytes,
                );
                // What was said before a frame that cannot be read is the client's all the same.
                if !bytes.is_empty() {
                    out.push(Bytes::from(bytes));
                }
                read?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<bool, String> {
        // A compressed body that was cut shows in what is missing below.
        match &mut self.body {
            Body::Stream(stream) => {
                let mut bytes = Vec::new();
                if let Some(tail) = stream.frames.finish().filter(|tail| tail.whole)
                    && let Some(data) = tail.frame.data
                {
                    stream
                        .decoder
                        .frame(tail.frame.event.as_deref(), data, &mut stream.events)?;
                }
                let complete = stream.decoder.finish(&mut stream.events);
                for event in stream.events.drain(..) {
                    note(&event, &mut self.observation, &mut self.saw_content);
                    stream.encoder.event(&event, &mut bytes, &mut self.losses);
                }
                if !bytes.is_empty() {
                    out.push(Bytes::from(bytes));
                }
                Ok(complete || self.observation.error.is_some())
            }
            Body::Whole(whole) => {
                let whole = std::mem::take(whole);
                self.finish_whole(&whole, out).map(|()| true)
            }
        }
    }

    fn finish_whole(&mut self, whole: &[u8], out: &mut Vec<Bytes>) -> Result<(), String> {
        let (Some(client), Some(upstream)) = (self.client, self.upstream) else {
            return Err("the dialect is not built".into());
        };
        if self.status >= 300 {
            let error = upstream.decode_error(self.status, whole);
            out.push(Bytes::from(client.encode_error(&error)));
            self.observation.error = Some(error);
            return Ok(());
        }
        let response = upstream.decode_response(whole)?;
        self.observation.usage = response.usage;
        self.observation.model.clone_from(&response.model);
        self.observation.id.clone_from(&response.id);
        self.observation.complete = true;
        self.observation.finish = response
            .candidates
            .first()
            .and_then(|candidate| candidate.finish.as_ref())
            .map(|finish| finish.reason.as_str().to_owned());
        let bytes = if self.wants_stream {
            self.saw_content = true;
            as_stream(client, response, &self.context, &mut self.losses)
        } else {
            client.encode_response(&response, &self.context, &mut self.losses)
        };
        out.push(Bytes::from(bytes));
        Ok(())
    }

    pub(super) fn fail(&mut self, error: &Error, out: &mut Vec<Bytes>) -> bool {
        if !matches!(self.body, Body::Stream(_)) {
            return false;
        }
        let mut bytes = Vec::new();
        encode_stream_error(self.shape, error, &mut bytes);
        out.push(Bytes::from(bytes));
        true
    }

    pub(super) fn held(&self) -> u64 {
        match &self.body {
            Body::Whole(whole) => whole.len() as u64,
            Body::Stream(_) => 0,
        }
    }

    pub(super) fn observation(&self) -> &Observation {
        &self.observation
    }

    pub(super) fn saw_content(&self) -> bool {
        self.saw_content
    }

    pub(super) fn losses(&self) -> u32 {
        u32::try_from(self.losses.pointers().len()).unwrap_or(u32::MAX)
    }
}

/// A client that asked for a stream gets one, though the upstream answered in one piece.
fn as_stream(
    client: &dyn Dialect,
    response: Response,
    context: &ReplyContext,
    losses: &mut Losses,
) -> Vec<u8> {
    let mut encoder = client.stream_encoder(context);
    let mut out = Vec::new();
    for event in response.into_events() {
        encoder.event(&event, &mut out, losses);
    }
    out
}

/// Takes from an event what the record wants to know.
fn note(event: &Event, observation: &mut Observation, saw_content: &mut bool) {
    match event {
        Event::Start { id, model, .. } => {
            observation.id.clone_from(id);
            observation.model.clone_from(model);
        }
        Event::Delta { .. } => *saw_content = true,
        Event::BlockStart {
            kind: BlockKind::ToolCall { .. } | BlockKind::Redacted { .. },
            ..
        } => *saw_content = true,
        Event::Usage(usage) => observation.usage.merge(usage),
        Event::Finish { finish, .. } => {
            observation
                .finish
                .get_or_insert_with(|| finish.reason.as_str().to_owned());
        }
        Event::Error(error) => observation.error = Some(error.clone()),
        Event::End => observation.complete = true,
        _ => {}
    }
}
