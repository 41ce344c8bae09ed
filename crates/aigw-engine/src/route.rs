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
    if left.len() <= 1 {
        return left;
    }
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
pub(crate) fn scramble(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use aigw_config::{Capabilities, compile};
    use aigw_translate::host::Registry;

    use super::*;

    /// A rule with candidates of these weights and priorities.
    fn rule(candidates: &[(u32, u32)]) -> Rule {
        let names: Vec<String> = (0..candidates.len()).map(|index| format!("b{index}")).collect();
        let backends: Vec<_> = names
            .iter()
            .map(|name| serde_json::json!({"name": name, "schema": {"name": "OpenAI"}, "url": "http://b.test"}))
            .collect();
        let refs: Vec<_> = names
            .iter()
            .zip(candidates)
            .map(|(name, (weight, priority))| serde_json::json!({"name": name, "weight": weight, "priority": priority}))
            .collect();
        let document = serde_json::json!({"backends": backends, "routes": [{"name": "r", "rules": [{"models": ["m"], "backends": refs}]}]});
        let (mut snapshot, _) = compile(
            serde_json::from_value(document).unwrap(),
            &Registry as &dyn Capabilities,
        )
        .unwrap();
        snapshot.routes.remove(0).rules.remove(0)
    }

    #[test]
    fn first_places_are_shared_out_by_weight() {
        let rule = rule(&[(1, 0), (3, 0), (0, 0), (6, 0), (5, 1)]);
        let mut first = [0u32; 5];
        let mut second = [0u32; 5];
        for draw in 0..20_000u64 {
            let order = order(&rule, draw.wrapping_mul(0x2545_F491_4F6C_DD1D), |_| true);
            assert_eq!(order.len(), 4, "all but the one of weight 0");
            assert_eq!(order[3], 4, "a higher number comes last");
            first[order[0]] += 1;
            second[order[1]] += 1;
        }
        for (index, share) in [(0, 2_000), (1, 6_000), (2, 0), (3, 12_000), (4, 0)] {
            assert!(
                first[index].abs_diff(share) < 400,
                "{index}: {} of {share}",
                first[index]
            );
        }
        // 1 is second with probability 0.1 * 3/9 + 0.6 * 3/4.
        assert!(second[1].abs_diff(9_667) < 400, "{}", second[1]);
    }

    #[test]
    fn those_that_cannot_serve_are_left_out() {
        let rule = rule(&[(1, 0), (1, 0), (1, 1)]);
        assert_eq!(order(&rule, 1, |index| index != 1), [0, 2]);
        assert!(order(&rule, 1, |_| false).is_empty());
    }

    #[test]
    fn wildcards_cover_labels_below_only() {
        assert_eq!(host_specificity("*.example.com", "example.com"), None);
        assert_eq!(host_specificity("*.example.com", "badexample.com"), None);
        let wide = host_specificity("*.com", "a.b.example.com");
        let narrow = host_specificity("*.example.com", "a.b.example.com");
        let exact = host_specificity("a.b.example.com", "a.b.example.com");
        assert!(wide.is_some() && wide < narrow && narrow < exact);
    }
}
