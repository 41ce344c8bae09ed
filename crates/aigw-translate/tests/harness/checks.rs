//! The four checks: request, answer, stream, error.

use aigw_translate::answer::{Answer, AnswerInputs};
use aigw_translate::dialect::{FrameRole, Observation, ReplyContext, Target};
use aigw_translate::host::Service;
use aigw_translate::ir::{DialectId, Error, Event, Losses, Usage};
use aigw_translate::operation::Operation;
use bytes::Bytes;

use super::Case;
use super::compare::{json_file, losses_file, stream_file, updating, usage_file, usage_value};
use super::frames::{Frame, split};

/// `request.client.json` → `request.upstream.json` and `losses.json`, or `request.error.json` where it is refused.
pub fn check_request(case: &Case) -> Result<bool, String> {
    let Some(body) = case.text("request.client.json")? else {
        return Ok(false);
    };
    let mut losses = Losses::default();
    let encoded = case.client.decode_request(body.as_bytes()).and_then(|request| {
        let target = Target {
            model: case.model(&request.model),
            quirks: case.quirks(),
            want_stream_usage: case.want_stream_usage(),
        };
        case.upstream.encode_request(&request, target, &mut losses)
    });
    match encoded {
        Ok(encoded) => {
            json_file(case, "request.upstream.json", &encoded)?;
            losses_file(case, "losses.json", &losses)?;
        }
        Err(error) => json_file(case, "request.error.json", &case.client.encode_error(&error))?,
    }
    Ok(true)
}

/// `response.upstream.json` → `response.client.json` and `response.losses.json`; the observer counts what the decoder counts.
pub fn check_response(case: &Case) -> Result<bool, String> {
    let Some(body) = case.text("response.upstream.json")? else {
        return Ok(false);
    };
    let response = case
        .upstream
        .decode_response(body.as_bytes())
        .map_err(|error| format!("response.upstream.json: {error}"))?;
    let mut losses = Losses::default();
    let encoded = case.client.encode_response(&response, &case.reply(), &mut losses);
    json_file(case, "response.client.json", &encoded)?;
    losses_file(case, "response.losses.json", &losses)?;

    let mut observation = Observation::default();
    case.upstream.observe_body(body.as_bytes(), &mut observation);
    same(
        "usage that observe_body saw",
        &usage_value(&response.usage),
        &usage_value(&observation.usage),
    )?;
    same("model that observe_body saw", &response.model, &observation.model)?;
    same("id that observe_body saw", &response.id, &observation.id)?;
    Ok(true)
}

/// `stream.upstream.sse` → `stream.client.sse`, `stream.losses.json` and `usage.json`, cut anywhere.
pub fn check_stream(case: &Case) -> Result<bool, String> {
    let Some(body) = case.text("stream.upstream.sse")? else {
        return Ok(false);
    };
    let body = body.as_bytes();
    let whole = split(&[body]);
    let played = play(case, &whole, &case.reply());
    stream_file(case, "stream.client.sse", &played.output)?;
    losses_file(case, "stream.losses.json", &played.losses)?;
    usage_file(case, "usage.json", &played.usage)?;
    observe(case, &whole, &played)?;
    if updating() {
        return Ok(true);
    }
    let expected = Carried {
        output: played.output,
        usage: played.usage,
    };
    for cut in 1..body.len() {
        let (left, right) = body.split_at(cut);
        let carried = carry(case, Service::Translate(case.upstream.id()), &[left, right]);
        same(
            &format!("the translated stream, cut at byte {cut}"),
            &expected,
            &carried,
        )?;
    }
    if case.client.id() == case.upstream.id() {
        let expected = Carried {
            output: body.to_vec(),
            usage: expected.usage,
        };
        for cut in 1..body.len() {
            let (left, right) = body.split_at(cut);
            let carried = carry(case, Service::PassThrough, &[left, right]);
            same(
                &format!("the stream passed through, cut at byte {cut}"),
                &expected,
                &carried,
            )?;
        }
    }
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    same("frames byte by byte", &whole, &split(&bytes))?;
    let crlf = String::from_utf8_lossy(body).replace('\n', "\r\n");
    same("frames with CRLF", &whole, &split(&[crlf.as_bytes()]))?;
    Ok(true)
}

/// `error.upstream.json` or `.txt` with `status` → `error.client.json`.
pub fn check_error(case: &Case) -> Result<bool, String> {
    let Some(body) = case
        .text("error.upstream.json")?
        .or(case.text("error.upstream.txt")?)
    else {
        return Ok(false);
    };
    let error = case.upstream.decode_error(case.status(), body.as_bytes());
    same("status of the error", &case.status(), &error.status)?;
    json_file(case, "error.client.json", &case.client.encode_error(&error))?;
    Ok(true)
}

#[derive(Debug, PartialEq)]
struct Played {
    output: Vec<u8>,
    losses: Losses,
    usage: Usage,
    complete: bool,
    failed: bool,
    /// A frame was not of the dialect; an observer may not notice.
    invalid: bool,
}

fn play(case: &Case, frames: &[Frame], reply: &ReplyContext) -> Played {
    let mut decoder = case.upstream.stream_decoder();
    let mut encoder = case.client.stream_encoder(reply);
    let mut played = Played {
        output: Vec::new(),
        losses: Losses::default(),
        usage: Usage::default(),
        complete: false,
        failed: false,
        invalid: false,
    };
    let mut events = Vec::new();
    for frame in frames {
        if let Err(problem) = decoder.frame(frame.event.as_deref(), &frame.data, &mut events) {
            let error = Error::gateway(502, "upstream_invalid", problem);
            case.client.encode_stream_error(&error, &mut played.output);
            played.invalid = true;
            return played;
        }
        emit(&mut events, encoder.as_mut(), &mut played);
        if played.failed {
            return played;
        }
    }
    played.complete = decoder.finish(&mut events);
    emit(&mut events, encoder.as_mut(), &mut played);
    if !played.complete && !played.failed {
        case.client.encode_stream_error(&cut_short(), &mut played.output);
    }
    played
}

fn emit(
    events: &mut Vec<Event>,
    encoder: &mut dyn aigw_translate::dialect::StreamEncoder,
    played: &mut Played,
) {
    for event in events.drain(..) {
        match &event {
            Event::Usage(usage) => played.usage.merge(usage),
            Event::Error(_) => played.failed = true,
            _ => {}
        }
        encoder.event(&event, &mut played.output, &mut played.losses);
    }
}

/// What a client gets, and what is counted.
#[derive(PartialEq)]
struct Carried {
    output: Vec<u8>,
    usage: Usage,
}

impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}\n{}", self.usage, String::from_utf8_lossy(&self.output))
    }
}

/// Carries a body that comes in pieces from the upstream to the client, as the gateway does.
fn carry(case: &Case, service: Service, pieces: &[&[u8]]) -> Carried {
    let operation = match case.client.id() {
        DialectId::AnthropicMessages => Operation::Messages,
        _ => Operation::ChatCompletions,
    };
    let mut answer = Answer::new(AnswerInputs {
        operation,
        service,
        status: 200,
        stream: true,
        forced_usage: false,
        content_type: Some("text/event-stream"),
        content_encoding: None,
        context: case.reply(),
    });
    let mut out = Vec::new();
    let pushed = pieces
        .iter()
        .try_for_each(|piece| answer.push(Bytes::copy_from_slice(piece), &mut out));
    let ended = pushed.and_then(|()| answer.finish(&mut out));
    let failure = match ended {
        _ if service == Service::PassThrough => None,
        Ok(true) => None,
        Ok(false) => Some(cut_short()),
        Err(problem) => Some(Error::gateway(502, "upstream_invalid", problem)),
    };
    if let Some(error) = failure {
        assert!(answer.fail(&error, &mut out));
    }
    Carried {
        output: out.concat(),
        usage: answer.observation().usage,
    }
}

fn cut_short() -> Error {
    Error::gateway(502, "upstream_cut", "The upstream ended its answer early.")
}

/// A passed-through stream must be counted as a translated one.
fn observe(case: &Case, frames: &[Frame], played: &Played) -> Result<(), String> {
    let mut observation = Observation::default();
    let mut content = false;
    for frame in frames {
        let role = case
            .upstream
            .observe_frame(frame.event.as_deref(), &frame.data, &mut observation);
        content |= role == FrameRole::Content;
    }
    same(
        "usage that observe_frame saw",
        &usage_value(&played.usage),
        &usage_value(&observation.usage),
    )?;
    same(
        "failure that observe_frame saw",
        &played.failed,
        &observation.error.is_some(),
    )?;
    if !played.failed {
        same(
            "completeness that observe_frame saw",
            &played.complete,
            &observation.complete,
        )?;
        same("content that observe_frame saw", &true, &content)?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, actual: &T) -> Result<(), String> {
    if expected == actual {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, actual {actual:?}"))
    }
}
