//! Configured edits of the upstream request, after translation.

use aigw_config::Candidate;
use aigw_translate::json::{Edit, literal, patch};
use bytes::Bytes;
use http::HeaderMap;

/// Removes, then sets.
pub(crate) fn headers(candidate: &Candidate, headers: &mut HeaderMap) {
    for name in &candidate.remove_headers {
        headers.remove(name);
    }
    for (name, value) in &candidate.set_headers {
        headers.insert(name.clone(), value.clone());
    }
}

/// Removes, then sets top-level members of a JSON body; every other byte stays.
pub(crate) fn body(candidate: &Candidate, body: Bytes) -> Result<Bytes, String> {
    if candidate.remove_body.is_empty() && candidate.set_body.is_empty() {
        return Ok(body);
    }
    let values: Vec<_> = candidate
        .set_body
        .iter()
        .map(|set| (set.path.as_str(), literal(&set.value)))
        .collect();
    let removes = candidate.remove_body.iter().map(|name| Edit::Remove { name });
    let sets = values.iter().map(|(name, value)| Edit::Set { name, value });
    let edits: Vec<Edit<'_>> = removes.chain(sets).collect();
    patch(&body, &edits)
        .map(Bytes::from)
        .map_err(|error| error.to_string())
}
