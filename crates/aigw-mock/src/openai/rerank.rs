//! `POST /v2/rerank` (<https://docs.cohere.com/reference/rerank>).

use serde_json::{Value, json};

use super::check;
use crate::call::Call;
use crate::error::{Checked, Refusal};
use crate::reply::Reply;

/// Ranks documents by the share of the query's words they contain; ties keep the order given.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    check::model(call, body)?;
    let query = check::required_str(body, "query", "query")?;
    let Some(documents) = body["documents"].as_array().filter(|list| !list.is_empty()) else {
        return Err(Refusal::bad(
            "invalid request: list of documents must not be empty",
        ));
    };
    let top = check::integer(body, "top_n", 1, u64::MAX)?.unwrap_or(u64::MAX);
    let mut scored = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        let text = document.as_str().or_else(|| document["text"].as_str());
        let text =
            text.ok_or_else(|| Refusal::bad(format!("invalid type: documents[{at}] must be a string")))?;
        scored.push((at, score(query, text)));
    }
    scored.sort_by(|one, other| other.1.total_cmp(&one.1));
    scored.truncate(usize::try_from(top).unwrap_or(usize::MAX));
    let results: Vec<Value> = scored
        .iter()
        .map(|(at, score)| json!({"index": at, "relevance_score": score}))
        .collect();
    let mut object = json!({"id": call.id("rerank-"), "results": results});
    if !call.fault.no_usage {
        object["meta"] = json!({"api_version": {"version": "2"}, "billed_units": {"search_units": 1}});
    }
    Ok(Reply::json(&object))
}

fn score(query: &str, document: &str) -> f64 {
    let document = document.to_lowercase();
    let words: Vec<_> = query.split_whitespace().map(str::to_lowercase).collect();
    let found = words
        .iter()
        .filter(|word| document.contains(word.as_str()))
        .count();
    found as f64 / words.len().max(1) as f64
}
