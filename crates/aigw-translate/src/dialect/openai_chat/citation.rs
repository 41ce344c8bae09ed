//! Citations as `annotations`: the dialect knows `url_citation` with a range of characters of the message.
//!
//! <https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat#output-and-citations>

use serde_json::{Value, json};

use super::schema::ID;
use crate::ir::Opaque;

/// Annotations of one message.
#[derive(Debug, Default)]
pub(super) struct Annotations(pub Vec<Value>);

impl Annotations {
    /// Adds a citation of the text between two characters; false when it cannot be said: it names no address.
    pub(super) fn add(&mut self, citation: &Opaque, start: usize, end: usize) -> bool {
        let said = annotation(citation, start, end);
        let sayable = said.is_some();
        self.0.extend(said);
        sayable
    }
}

/// The annotation that says a citation.
pub(super) fn annotation(citation: &Opaque, start: usize, end: usize) -> Option<Value> {
    if citation.dialect == ID {
        return Some(citation.value.clone());
    }
    let text = |name: &str| citation.value.get(name)?.as_str();
    let url = text("url")?;
    Some(json!({
        "type": "url_citation",
        "url_citation": {
            "url": url,
            "title": text("title").unwrap_or(url),
            "start_index": start,
            "end_index": end,
        },
    }))
}
