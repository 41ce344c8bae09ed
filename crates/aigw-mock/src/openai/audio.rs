//! `POST /audio/speech`, `/audio/transcriptions` and `/audio/translations`
//! (<https://platform.openai.com/docs/api-reference/audio>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::check;
use crate::call::Call;
use crate::error::{Checked, Refusal};
use crate::multipart::Part;
use crate::reply::Reply;
use crate::route::Endpoint;
use crate::{sse, words};

/// One silent MPEG-1 layer III frame's header; speech is a frame a word.
const FRAME_HEAD: &[u8] = &[0xff, 0xfb, 0x90, 0x64];
const FRAME_BYTES: usize = 417;

/// Speaks a text.
pub(crate) fn speech(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    check::model(call, body)?;
    let input = check::required_str(body, "input", "input")?;
    if input.is_empty() || input.chars().count() > 4096 {
        return Err(
            Refusal::bad("Invalid 'input': expected a string of 1 to 4096 characters.").param("input"),
        );
    }
    check::required(body, "voice", "voice")?;
    check::number(body, "speed", 0.25, 4.0)?;
    let formats = ["mp3", "opus", "aac", "flac", "wav", "pcm"];
    let media = match check::one_of(body, "response_format", &formats)? {
        Some("opus") => "audio/ogg",
        Some("aac") => "audio/aac",
        Some("flac") => "audio/flac",
        Some("wav") => "audio/wav",
        Some("pcm") => "audio/pcm",
        _ => "audio/mpeg",
    };
    let frames = usize::try_from(words::count(input)).unwrap_or(1).max(1);
    let mut frame = FRAME_HEAD.to_vec();
    frame.resize(FRAME_BYTES, 0);
    if check::one_of(body, "stream_format", &["sse", "audio"])? == Some("sse") {
        return Ok(spoken_events(&frame, frames, input));
    }
    Ok(Reply::whole(media, Bytes::from(frame.repeat(frames))))
}

fn spoken_events(frame: &[u8], frames: usize, input: &str) -> Reply {
    let audio = STANDARD.encode(frame);
    let mut list = vec![sse::data(&json!({"type": "speech.audio.delta", "audio": audio})); frames];
    let tokens = words::count(input);
    list.push(sse::data(&json!({"type": "speech.audio.done",
        "usage": {"input_tokens": tokens, "output_tokens": frames, "total_tokens": tokens + frames as u64}})));
    Reply::events(list, Some(0))
}

/// Writes down, or translates, a recording sent as a form.
pub(crate) fn transcribe(call: &Call<'_>) -> Checked<Reply> {
    let form = call.payload.form()?;
    let field = |name: &str| {
        form.iter()
            .find(|part| part.name == name && part.filename.is_none())
            .map(Part::text)
    };
    let file = form
        .iter()
        .find(|part| part.name == "file")
        .ok_or_else(|| check::missing("file"))?;
    if file.filename.is_none() || file.data.is_empty() {
        return Err(Refusal::bad("Invalid file format: the file has no name or no content.").param("file"));
    }
    let model = field("model").ok_or_else(|| Refusal::bad("you must provide a model parameter"))?;
    check::exists(call, call.model)?;
    let translation = *call.endpoint == Endpoint::Translations;
    let verb = if translation { "Translated" } else { "Heard" };
    let text = format!(
        "{verb} {} bytes of {}",
        file.data.len(),
        file.filename.as_deref().unwrap_or_default()
    );
    if field("stream").as_deref() == Some("true") && !translation {
        return Ok(heard_events(call, &text));
    }
    let usage = json!({"type": "tokens", "input_tokens": 10, "output_tokens": words::count(&text),
        "total_tokens": 10 + words::count(&text), "input_token_details": {"audio_tokens": 10, "text_tokens": 0}});
    let language = field("language").unwrap_or_else(|| "english".to_owned());
    match field("response_format").as_deref() {
        Some("text") => Ok(plain(format!("{text}\n"))),
        Some("srt") => Ok(plain(format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n"))),
        Some("vtt") => Ok(plain(format!("WEBVTT\n\n00:00.000 --> 00:01.000\n{text}\n\n"))),
        Some("verbose_json") => Ok(Reply::json(&json!({
            "task": if translation { "translate" } else { "transcribe" }, "language": language, "duration": 1.0,
            "text": text, "segments": [{"id": 0, "seek": 0, "start": 0.0, "end": 1.0, "text": text, "tokens": [1],
                "temperature": 0.0, "avg_logprob": -0.25, "compression_ratio": 1.0, "no_speech_prob": 0.01}],
            "usage": {"type": "duration", "seconds": 1}}))),
        None | Some("json") if call.fault.no_usage || model.starts_with("whisper") || translation => {
            Ok(Reply::json(&json!({"text": text})))
        }
        None | Some("json") => Ok(Reply::json(&json!({"text": text, "usage": usage}))),
        Some(other) => Err(check::wrong_value(
            other,
            "response_format",
            &["json", "text", "srt", "verbose_json", "vtt"],
        )),
    }
}

fn plain(text: String) -> Reply {
    Reply::whole("text/plain; charset=utf-8", Bytes::from(text))
}

fn heard_events(call: &Call<'_>, text: &str) -> Reply {
    let mut list: Vec<_> = words::pieces(text)
        .iter()
        .map(|piece| sse::data(&json!({"type": "transcript.text.delta", "delta": piece})))
        .collect();
    let mut done = json!({"type": "transcript.text.done", "text": text});
    if !call.fault.no_usage {
        let tokens = words::count(text);
        done["usage"] = json!({"type": "tokens", "input_tokens": 10, "output_tokens": tokens,
            "total_tokens": 10 + tokens, "input_token_details": {"audio_tokens": 10, "text_tokens": 0}});
    }
    list.push(sse::data(&done));
    list.push(sse::DONE);
    Reply::events(list, Some(0))
}
