//! The map: which rule takes a request, and in which order its candidates are tried.

use aigw_config::{Match, Route, Rule, Snapshot};
use http::{HeaderMap, HeaderName};

/// What the map looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// Listener.
    pub(crate) listener: &'a str,
    /// Host name without port, lower case.
    pub(crate) host: &'a str,
    /// Model, aliases resolved; `None` for operations that name none.
    pub(crate) model: Option<&'a str>,
    /// Client's headers.
    pub(crate) headers: &'a HeaderMap,
}

/// A rule by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) route: usize,
    pub(crate) rule: usize,
}

/// The first rule that takes the request: routes in order, those with a more specific host name first.
pub(crate) fn find(snapshot: &Snapshot, question: Question<'_>) -> Option<Place> {
    let mut best: Option<(u32, Place)> = None;
    for (index, route) in snapshot.routes.iter().enumerate() {
        let Some(specificity) = serves(route, question.listener, question.host) else {
            continue;
        };
        if best.as_ref().is_some_and(|(found, _)| *found >= specificity) {
            continue;
        }
        if let Some(rule) = route.rules.iter().position(|rule| takes(rule, question)) {
            best = Some((specificity, Place { route: index, rule }));
        }
    }
    best.map(|(_, place)| place)
}

/// How specifically a route serves a host on a listener; `None`: it does not.
pub(crate) fn serves(route: &Route, listener: &str, host: &str) -> Option<u32> {
    if !route.listeners.is_empty() && !route.listeners.iter().any(|name| name == listener) {
        return None;
    }
    if route.hostnames.is_empty() {
        return Some(0);
    }
    route
        .hostnames
        .iter()
        .filter_map(|pattern| host_specificity(pattern, host))
        .max()
}

/// `*.example.com` covers any number of labels below; an exact name is more specific than every wildcard.
pub(crate) fn host_specificity(pattern: &str, host: &str) -> Option<u32> {
    match pattern.strip_prefix('*') {
        None => (pattern == host).then_some(u32::MAX),
        Some(suffix) => (host.len() > suffix.len() && host.ends_with(suffix))
            .then(|| u32::try_from(suffix.len()).unwrap_or(1)),
    }
}

/// True when the rule takes the request. A request without a model is taken by rules that do not ask for one.
pub(crate) fn takes(rule: &Rule, question: Question<'_>) -> bool {
    let by_model = rule.models.is_empty()
        || question
            .model
            .is_some_and(|model| rule.models.iter().any(|pattern| pattern.matches(model)));
    by_model && (rule.matches.is_empty() || rule.matches.iter().any(|one| holds(one, question)))
}

fn holds(one: &Match, question: Question<'_>) -> bool {
    let by_model = match (&one.model, question.model) {
        (None, _) => true,
        (Some(pattern), Some(model)) => pattern.matches(model),
        (Some(_), None) => false,
    };
    by_model
        && one.headers.iter().all(|condition| {
            header(question, &condition.name).is_some_and(|value| condition.value.matches(&value))
        })
}

/// The value of a header: several lines count as one joined by commas (RFC 9110). `x-ai-eg-model` is the model, whatever the
/// client sent under that name.
fn header(question: Question<'_>, name: &HeaderName) -> Option<String> {
    if name == "x-ai-eg-model" {
        return question.model.map(str::to_owned);
    }
    let mut values = question
        .headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let first = values.next()?.to_owned();
    Some(values.fold(first, |joined, value| joined + "," + value))
}

/// The order in which candidates are tried: by priority, and within one by a weighted draw without putting back.
/// `usable` says which candidates can serve the operation at all; weight 0 takes no traffic.
pub(crate) fn order(rule: &Rule, entropy: u64, usable: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut left: Vec<usize> = (0..rule.candidates.len())
        .filter(|index| rule.candidates.get(*index).is_some_and(|c| c.weight > 0) && usable(*index))
        .collect();
    let mut state = entropy;
    let mut out = Vec::with_capacity(left.len());
    while let Some(priority) = left
        .iter()
        .filter_map(|index| rule.candidates.get(*index))
        .map(|c| c.priority)
        .min()
    {
        let weight = |index: &usize| {
            rule.candidates
                .get(*index)
                .filter(|c| c.priority == priority)
                .map_or(0, |c| u64::from(c.weight))
        };
        let total: u64 = left.iter().map(weight).sum();
        state = scramble(state);
        let mut draw = if total == 0 { 0 } else { state % total };
        let position = left.iter().position(|index| {
            let share = weight(index);
            if draw < share {
                return true;
            }
            draw -= share;
            false
        });
        match position {
            Some(position) => out.push(left.remove(position)),
            None => break,
        }
    }
    out
}

/// SplitMix64 (Steele, Lea, Flood 2014): spreads one random number over several draws.
fn scramble(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
