//! `aigw explain`.

use std::process::ExitCode;

use aigw_engine::{Explanation, Inquiry, explain as ask};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cli::{ExplainArgs, say};
use crate::input::Input;

/// Prints what a request would meet.
pub(crate) fn explain(args: &ExplainArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let ready = Input::Files(args.inputs.clone())
        .read(None)
        .map_err(|found| format!("the configuration cannot be used:\n{found}"))?;
    let snapshot = &ready.live.snapshot;
    let headers = headers(&args.headers)?;
    let host = headers
        .get("host")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let body = match &args.body {
        Some(path) => {
            Some(Bytes::from(std::fs::read(path).map_err(|error| {
                format!("cannot read {}: {error}", path.display())
            })?))
        }
        None => None,
    };
    let listener = snapshot
        .listeners
        .first()
        .map_or("", |listener| listener.name.as_str());
    let inquiry = Inquiry {
        listener,
        host: &host,
        path: &args.path,
        model: &args.model,
        headers: &headers,
        body,
    };
    let found = ask(snapshot, &inquiry)?;
    show(&found, &args.model);
    Ok(ExitCode::SUCCESS)
}

fn headers(lines: &[String]) -> Result<HeaderMap, Box<dyn std::error::Error>> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| format!("`{line}` is not `name: value`"))?;
        headers.append(
            HeaderName::try_from(name.trim())?,
            HeaderValue::try_from(value.trim())?,
        );
    }
    Ok(headers)
}

fn show(found: &Explanation, asked: &str) {
    say(&format!("operation  {}", found.operation));
    if found.model == asked {
        say(&format!("model      {asked}"));
    } else {
        say(&format!("model      {asked} → {}", found.model));
    }
    say(&format!("route      {}, rule {}", found.route, found.rule));
    if let Some(reason) = &found.refused {
        say(&format!("refused    503: {reason}"));
    }
    for cost in &found.costs {
        say(&format!("cost       {cost}"));
    }
    for candidate in &found.candidates {
        say(&format!(
            "\nbackend    {} (priority {}, weight {})",
            candidate.backend, candidate.priority, candidate.weight
        ));
        match (&candidate.url, &candidate.service) {
            (Some(url), Some(service)) => {
                say(&format!("  url      {url}"));
                say(&format!("  body     {service}, model {}", candidate.model));
            }
            _ => say("  skipped  its schema does not serve this operation"),
        }
        say(&format!("  auth     {}", candidate.auth));
        if !candidate.losses.is_empty() {
            say(&format!("  losses   {}", candidate.losses.join(", ")));
        }
    }
}
