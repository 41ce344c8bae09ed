//! One golden directory: its files, its two dialects and its settings.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aigw_config::Quirks;
use aigw_translate::dialect::{self, Dialect, ReplyContext};
use aigw_translate::ir::DialectId;
use serde_json::Value;

/// A golden directory.
pub struct Case {
    directory: PathBuf,
    /// The client's dialect.
    pub client: &'static dyn Dialect,
    /// The upstream's dialect.
    pub upstream: &'static dyn Dialect,
    /// `case.json`, or null.
    settings: Value,
    read: RefCell<BTreeSet<String>>,
}

/// Names that a directory may hold.
const FILES: &[&str] = &[
    "source.txt",
    "case.json",
    "request.client.json",
    "request.upstream.json",
    "request.error.json",
    "losses.json",
    "response.upstream.json",
    "response.client.json",
    "response.losses.json",
    "stream.upstream.sse",
    "stream.client.sse",
    "stream.losses.json",
    "usage.json",
    "error.upstream.json",
    "error.upstream.txt",
    "error.client.json",
];

const SETTINGS: &[&str] = &[
    "model",
    "quirks",
    "want_stream_usage",
    "stream_usage",
    "reply_model",
    "status",
];

impl Case {
    /// Reads the directory's settings.
    pub fn open(directory: &Path) -> Result<Self, String> {
        let mut names = directory
            .components()
            .rev()
            .filter_map(|part| part.as_os_str().to_str());
        let upstream = names.next().unwrap_or_default();
        let client = names.nth(1).unwrap_or_default();
        let mut case = Self {
            directory: directory.to_owned(),
            client: built(client)?,
            upstream: built(upstream)?,
            settings: Value::Null,
            read: RefCell::default(),
        };
        if let Some(text) = case.text("case.json")? {
            case.settings = serde_json::from_str(&text).map_err(|error| format!("case.json: {error}"))?;
        }
        let members = case.settings.as_object().into_iter().flatten();
        match members
            .map(|(name, _)| name)
            .find(|name| !SETTINGS.contains(&name.as_str()))
        {
            Some(name) => Err(format!(
                "case.json: unknown setting {name:?}; known are {SETTINGS:?}"
            )),
            None => Ok(case),
        }
    }

    /// True when the file is there.
    pub fn has(&self, file: &str) -> bool {
        self.directory.join(file).exists()
    }

    /// The file's text, when it is there.
    pub fn text(&self, file: &str) -> Result<Option<String>, String> {
        assert!(FILES.contains(&file), "{file} is not listed");
        self.read.borrow_mut().insert(file.to_owned());
        match std::fs::read_to_string(self.directory.join(file)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{file}: {error}")),
        }
    }

    /// The file as JSON, when it is there.
    pub fn json(&self, file: &str) -> Result<Option<Value>, String> {
        self.text(file)?
            .map(|text| serde_json::from_str(&text).map_err(|error| format!("{file}: {error}")))
            .transpose()
    }

    /// Writes an expectation; called only when `UPDATE_GOLDEN` is set.
    pub fn write(&self, file: &str, text: &str) -> Result<(), String> {
        self.read.borrow_mut().insert(file.to_owned());
        std::fs::write(self.directory.join(file), text).map_err(|error| format!("{file}: {error}"))
    }

    /// Takes an expectation away; called only when `UPDATE_GOLDEN` is set.
    pub fn remove(&self, file: &str) {
        if self.has(file) {
            std::fs::remove_file(self.directory.join(file)).unwrap();
        }
    }

    /// Files that no check has looked at.
    pub fn unread(&self) -> impl Iterator<Item = String> {
        let entries = std::fs::read_dir(&self.directory).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != "source.txt" && !self.read.borrow().contains(name))
    }

    /// Model to ask the upstream for: `model`, else the client's.
    pub fn model<'a>(&'a self, of_client: &'a str) -> &'a str {
        self.settings
            .get("model")
            .and_then(Value::as_str)
            .unwrap_or(of_client)
    }

    /// `want_stream_usage`, false when absent.
    pub fn want_stream_usage(&self) -> bool {
        self.settings
            .get("want_stream_usage")
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// HTTP status of an error, 400 when absent.
    pub fn status(&self) -> u16 {
        let status = self.settings.get("status").and_then(Value::as_u64).unwrap_or(400);
        u16::try_from(status).unwrap()
    }

    /// Quirks of the backend, none when absent.
    pub fn quirks(&self) -> Quirks {
        let mut quirks = Quirks::NONE;
        let members = self.settings.get("quirks").and_then(Value::as_object);
        for (name, value) in members.into_iter().flatten() {
            let value = value.as_bool().expect("a quirk is true or false");
            match name.as_str() {
                "stream_options" => quirks.stream_options = value,
                "max_completion_tokens" => quirks.max_completion_tokens = value,
                "developer_role" => quirks.developer_role = value,
                "json_schema" => quirks.json_schema = value,
                "reasoning_history" => quirks.reasoning_history = value,
                name => panic!("unknown quirk {name:?}"),
            }
        }
        quirks
    }

    /// What the client's encoder knows: the same id and time in every case.
    pub fn reply(&self) -> ReplyContext {
        let setting = |name| self.settings.get(name);
        ReplyContext {
            model: setting("reply_model")
                .and_then(Value::as_str)
                .unwrap_or("asked-model")
                .to_owned(),
            id: "0123456789abcdef".to_owned(),
            created: 1_700_000_000,
            stream_usage: setting("stream_usage").and_then(Value::as_bool).unwrap_or(true),
        }
    }
}

fn built(name: &str) -> Result<&'static dyn Dialect, String> {
    DialectId::from_name(name)
        .and_then(dialect::find)
        .ok_or_else(|| format!("{name:?} is not a dialect that is built"))
}
