//! One request as handlers see it, and the state that requests share.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::Options;
use crate::error::{Checked, Refusal};
use crate::fault::Fault;
use crate::payload::Payload;
use crate::record::Recorder;
use crate::reply::Reply;
use crate::route::{Dialect, Endpoint};

/// Responses kept for `GET /responses/{id}`.
const STORED_RESPONSES: usize = 1_000;
/// Distinct requests whose answers benchmark mode keeps.
const MEMOS: usize = 64;

/// The state of one listener.
pub(crate) struct Mock {
    pub options: Options,
    pub recorder: Recorder,
    serial: AtomicU64,
    responses: Mutex<VecDeque<Stored>>,
    memos: RwLock<Vec<Memo>>,
    times: Mutex<HashMap<String, u64>>,
}

/// The answer to one request of a benchmark.
#[derive(Clone)]
pub(crate) struct Memo {
    pub path: String,
    pub body: Bytes,
    /// The fault of listener and header, before the model's.
    pub asked: Fault,
    pub reply: Reply,
    pub fault: Fault,
}

/// A response made before.
#[derive(Clone)]
pub(crate) struct Stored {
    pub object: Value,
    /// All input items, those of the responses before it first.
    pub input: Vec<Value>,
}

impl Stored {
    /// Every item up to and with this response.
    pub(crate) fn conversation(self) -> Vec<Value> {
        let mut items = self.input;
        items.extend(self.object["output"].as_array().cloned().unwrap_or_default());
        items
    }
}

impl Mock {
    pub(crate) fn new(options: Options) -> io::Result<Self> {
        Ok(Self {
            recorder: Recorder::new(options.record.as_deref())?,
            options,
            serial: AtomicU64::new(0),
            responses: Mutex::default(),
            memos: RwLock::default(),
            times: Mutex::default(),
        })
    }

    /// A number no other request of this listener has.
    pub(crate) fn serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Forgets records and counters.
    pub(crate) fn clear(&self) {
        self.recorder.clear();
        self.times.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether a fault with `times` still applies; counts this use.
    pub(crate) fn applies(&self, fault: &Fault) -> bool {
        let Some(times) = fault.times else { return true };
        let mut counts = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(format!("{fault:?}")).or_default();
        *count += 1;
        *count <= times
    }

    /// The memo of an equal request.
    pub(crate) fn recall(&self, path: &str, body: &[u8], asked: &Fault) -> Option<Memo> {
        let memos = self.memos.read().unwrap_or_else(PoisonError::into_inner);
        memos
            .iter()
            .find(|memo| memo.path == path && memo.body == body && memo.asked == *asked)
            .cloned()
    }

    pub(crate) fn remember(&self, memo: Memo) {
        let mut memos = self.memos.write().unwrap_or_else(PoisonError::into_inner);
        if memos.len() < MEMOS {
            memos.push(memo);
        }
    }

    /// Keeps a response and the input items that led to it.
    pub(crate) fn store_response(&self, object: &Value, mut input: Vec<Value>) {
        let previous = object["previous_response_id"]
            .as_str()
            .and_then(|id| self.stored_response(id));
        let mut items = previous.map(|stored| stored.conversation()).unwrap_or_default();
        items.append(&mut input);
        let mut responses = self.responses.lock().unwrap_or_else(PoisonError::into_inner);
        if responses.len() == STORED_RESPONSES {
            responses.pop_front();
        }
        responses.push_back(Stored {
            object: object.clone(),
            input: items,
        });
    }

    pub(crate) fn stored_response(&self, id: &str) -> Option<Stored> {
        let responses = self.responses.lock().unwrap_or_else(PoisonError::into_inner);
        responses.iter().find(|stored| stored.object["id"] == id).cloned()
    }

    pub(crate) fn delete_response(&self, id: &str) -> bool {
        let mut responses = self.responses.lock().unwrap_or_else(PoisonError::into_inner);
        let before = responses.len();
        responses.retain(|stored| stored.object["id"] != id);
        responses.len() < before
    }

    /// Whether a model exists here.
    pub(crate) fn has_model(&self, model: &str) -> bool {
        match self.options.models.as_slice() {
            [] => !model.starts_with("missing"),
            models => models.iter().any(|known| known == model),
        }
    }
}

/// One request.
pub(crate) struct Call<'a> {
    pub mock: &'a Mock,
    pub dialect: Dialect,
    pub endpoint: &'a Endpoint,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    pub payload: &'a Payload,
    pub fault: &'a Fault,
    /// The model whose rules apply: the one named, without its fault.
    pub model: &'a str,
    pub serial: u64,
}

impl Call<'_> {
    /// An id such as `chatcmpl-0000000000000001`.
    pub(crate) fn id(&self, prefix: &str) -> String {
        format!("{prefix}{:016x}", self.serial)
    }

    /// The JSON body, once it holds no member that this provider refuses.
    pub(crate) fn object(&self) -> Checked<&Value> {
        let body = self.payload.object()?;
        for member in &self.mock.options.refuse {
            if body.get(member).is_some() {
                let message = format!("Unsupported parameter: '{member}' is not supported by this provider.");
                return Err(Refusal::bad(message).param(member).code("unsupported_parameter"));
            }
        }
        Ok(body)
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
