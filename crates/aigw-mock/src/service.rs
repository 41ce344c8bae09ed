//! One request from its head to its answer: fault, body, record, authentication, handler.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::body::MockBody;
use crate::call::{Call, Memo, Mock, now};
use crate::error::{Checked, Refusal};
use crate::fault::{self, Fault, Reset};
use crate::line::Line;
use crate::payload::Payload;
use crate::record::Watch;
use crate::reply::{Content, Reply};
use crate::route::{self, Dialect, Endpoint};
use crate::script::Script;
use crate::{anthropic, openai};

/// Larger bodies are not kept in benchmark mode.
const MEMO_BYTES: usize = 64 << 10;

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the request is not answered")]
pub(crate) struct Unanswered;

/// Answers one request.
pub(crate) async fn serve(
    mock: Arc<Mock>,
    line: Arc<Line>,
    request: Request<Incoming>,
) -> Result<Response<MockBody>, Unanswered> {
    let (head, body) = request.into_parts();
    let (endpoint, dialect) = route::find(head.uri.path(), &head.headers);
    let place = Place {
        endpoint,
        dialect,
        serial: mock.serial(),
    };
    if place.endpoint == Endpoint::Requests {
        return respond(requests(&mock, &head), &place, &Fault::default(), &line, None);
    }
    let fault = match asked_by_header(&mock, &head) {
        Ok(fault) => fault,
        Err(refusal) => return respond(refused(&refusal, &place), &place, &Fault::default(), &line, None),
    };
    let body = if fault.early {
        Bytes::new()
    } else {
        read(body, &fault).await?
    };
    if mock.options.bench
        && let Some(memo) = mock.recall(head.uri.path(), &body, &fault)
        && authorised(&mock, &head, dialect).is_ok()
    {
        let Memo { reply, fault, .. } = memo;
        return act(
            Decided {
                reply,
                fault,
                watch: None,
            },
            &place,
            &line,
        )
        .await;
    }
    let decided = decide(&mock, &head, &place, fault, &body)?;
    act(decided, &place, &line).await
}

/// What a request asks for, and its number.
struct Place {
    endpoint: Endpoint,
    dialect: Dialect,
    serial: u64,
}

/// An answer, the fault it is sent with, and the record that follows it.
struct Decided {
    reply: Reply,
    fault: Fault,
    watch: Option<Watch>,
}

fn decide(
    mock: &Mock,
    head: &request::Parts,
    place: &Place,
    mut fault: Fault,
    body: &Bytes,
) -> Result<Decided, Unanswered> {
    let payload = Payload::read(&head.headers, body);
    let asked = mock.options.bench.then(|| fault.clone());
    let named = payload.model().unwrap_or_default();
    let (spec, model) = fault::of_model(&named);
    let read = fault.read(spec.unwrap_or_default());
    if !mock.applies(&fault) {
        fault = Fault::default();
    }
    let answered = match read {
        Err(error) => Err(Refusal::bad(error.to_string())),
        Ok(()) => {
            let (method, headers) = (&head.method, &head.headers);
            let (payload, fault) = (&payload, &fault);
            let Place {
                endpoint,
                dialect,
                serial,
            } = place;
            let (dialect, serial) = (*dialect, *serial);
            let call = Call {
                mock,
                dialect,
                endpoint,
                method,
                headers,
                payload,
                fault,
                model,
                serial,
            };
            answer(&call, head)
        }
    };
    // A refusal may depend on the key, which the memo does not know.
    let memorable = answered.is_ok() && body.len() <= MEMO_BYTES && fault.times.is_none();
    let reply = answered.unwrap_or_else(|refusal| refused(&refusal, place));
    let reply = if fault.html { html(reply.status) } else { reply };
    if let Some(asked) = asked {
        if memorable {
            let (path, body) = (head.uri.path().to_owned(), body.clone());
            mock.remember(Memo {
                path,
                body,
                asked,
                reply: reply.clone(),
                fault: fault.clone(),
            });
        }
        return Ok(Decided {
            reply,
            fault,
            watch: None,
        });
    }
    let unanswered = fault.hang || fault.reset == Some(Reset::BeforeHead);
    let status = (!unanswered).then_some(reply.status.as_u16());
    let watch = mock
        .recorder
        .add(&record(head, payload, status))
        .map_err(|error| {
            tracing::error!(%error, "the mock cannot write its record");
            Unanswered
        })?;
    Ok(Decided {
        reply,
        fault,
        watch: Some(watch),
    })
}

async fn act(decided: Decided, place: &Place, line: &Arc<Line>) -> Result<Response<MockBody>, Unanswered> {
    let Decided { reply, fault, watch } = decided;
    let waiting = Waiting(watch);
    if let Some(delay) = fault.delay {
        tokio::time::sleep(delay).await;
    }
    if fault.hang {
        std::future::pending::<()>().await;
    }
    if fault.reset == Some(Reset::BeforeHead) {
        line.reset();
        if let Some(watch) = waiting.end() {
            watch.broken(0);
        }
        return Err(Unanswered);
    }
    if let Some(over) = fault.slow_headers {
        line.dribble(over);
    }
    respond(reply, place, &fault, line, waiting.end())
}

/// Notes that the client went away should this be dropped while the answer waits.
struct Waiting(Option<Watch>);

impl Waiting {
    fn end(mut self) -> Option<Watch> {
        self.0.take()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(watch) = &self.0 {
            watch.gone(0);
        }
    }
}

fn answer(call: &Call<'_>, head: &request::Parts) -> Checked<Reply> {
    if let Some(status) = call.fault.status {
        return told(status);
    }
    if *call.endpoint == Endpoint::Echo {
        let mut echo = record(head, Payload::Empty, None);
        if let Payload::Json(body) = call.payload
            && let Some(members) = echo.as_object_mut()
        {
            members.insert("body".to_owned(), body.clone());
        }
        return Ok(Reply::json(&echo));
    }
    authorised(call.mock, head, call.dialect)?;
    match call.dialect {
        Dialect::Anthropic => anthropic::answer(call),
        Dialect::OpenAi | Dialect::Cohere => openai::answer(call),
    }
}

/// The answer of `status=<code>`: an error in the dialect's shape, or an empty answer of that status.
fn told(status: StatusCode) -> Checked<Reply> {
    if status.is_client_error() || status.is_server_error() {
        return Err(Refusal::new(
            status,
            format!("The mock was told to answer {}.", status.as_u16()),
        ));
    }
    Ok(Reply::json(&json!({})).status(status))
}

/// Fault of the listener with the header's on top.
fn asked_by_header(mock: &Mock, head: &request::Parts) -> Checked<Fault> {
    let mut fault = mock.options.fault.clone();
    if let Some(header) = head.headers.get("x-mock-fault") {
        let spec = header
            .to_str()
            .map_err(|_| Refusal::bad("x-mock-fault is no text"))?;
        fault
            .read(spec)
            .map_err(|error| Refusal::bad(error.to_string()))?;
    }
    Ok(fault)
}

async fn read(mut body: Incoming, fault: &Fault) -> Result<Bytes, Unanswered> {
    let Some(pace) = fault.read_pace else {
        return Ok(body.collect().await.map_err(|_| Unanswered)?.to_bytes());
    };
    let mut read = Vec::new();
    loop {
        tokio::time::sleep(pace).await;
        match body.frame().await {
            None => return Ok(read.into()),
            Some(Ok(frame)) => read.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return Err(Unanswered),
        }
    }
}

fn authorised(mock: &Mock, head: &request::Parts, dialect: Dialect) -> Checked {
    if mock.options.keys.is_empty() {
        return Ok(());
    }
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let given = match dialect {
        // The vendor takes both, and x-api-key when both are there.
        Dialect::Anthropic => header("x-api-key").or(bearer),
        Dialect::OpenAi | Dialect::Cohere => bearer,
    };
    match given {
        Some(given) if mock.options.keys.iter().any(|key| key == given) => Ok(()),
        given => Err(match dialect {
            Dialect::Anthropic => anthropic::unauthorised(given),
            Dialect::OpenAi | Dialect::Cohere => openai::unauthorised(given),
        }),
    }
}

fn requests(mock: &Mock, head: &request::Parts) -> Reply {
    if head.method == Method::DELETE {
        mock.clear();
        return Reply::json(&json!({"cleared": true}));
    }
    let query = head.uri.query().unwrap_or_default();
    let since = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("since=")?.parse().ok())
        .unwrap_or(0);
    Reply::whole("application/json", mock.recorder.list(since))
}

fn record(head: &request::Parts, payload: Payload, status: Option<u16>) -> Value {
    let host = head
        .uri
        .authority()
        .map(|authority| authority.as_str().to_owned());
    let host =
        host.or_else(|| Some(String::from_utf8_lossy(head.headers.get("host")?.as_bytes()).into_owned()));
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), text(value)]))
        .collect();
    json!({
        "time": now(),
        "version": format!("{:?}", head.version),
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "host": host,
        "headers": headers,
        "body": payload.record(),
        "status": status,
    })
}

fn refused(refusal: &Refusal, place: &Place) -> Reply {
    let request_id = format!("req_{:016x}", place.serial);
    Reply::json(&refusal.body(place.dialect, &request_id)).status(refusal.status)
}

fn html(status: StatusCode) -> Reply {
    let page = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
    Reply::whole("text/html", page.into()).status(status)
}

fn respond(
    reply: Reply,
    place: &Place,
    fault: &Fault,
    line: &Arc<Line>,
    watch: Option<Watch>,
) -> Result<Response<MockBody>, Unanswered> {
    let media = match &reply.content {
        Content::Whole { media, .. } => media,
        Content::Events { .. } => "text/event-stream; charset=utf-8",
    };
    let script = Script::new(reply.content, fault, || match place.dialect {
        Dialect::Anthropic => anthropic::error_event(),
        Dialect::OpenAi | Dialect::Cohere => openai::error_event(&place.endpoint),
    });
    let body = MockBody::new(script, fault, line, watch).map_err(|_| Unanswered)?;
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    match place.dialect {
        Dialect::Anthropic => anthropic::headers(headers, place.serial),
        Dialect::OpenAi | Dialect::Cohere => openai::headers(headers, place.serial),
    }
    if let Some(encoding) = fault.encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    if let Some(after) = fault.retry_after.as_deref().and_then(|after| after.parse().ok()) {
        headers.insert(RETRY_AFTER, after);
    }
    if fault.close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    headers.extend(reply.headers);
    Ok(response)
}
