//! Model conditions, aliases and the list of models.

use std::collections::{HashMap, HashSet};

use super::report::Report;
use crate::diagnostic::Diagnostics;
use crate::document::{Alias, Document, ModelMatch, RuleSpec};
use crate::pattern::ModelPattern;
use crate::snapshot::{ModelEntry, Route};

const DEFAULT_OWNER: &str = "aigw";

pub(super) fn pattern(spec: &ModelMatch) -> Result<ModelPattern, String> {
    match spec {
        ModelMatch::Regex { regex } => ModelPattern::regex(regex),
        ModelMatch::Prefix { prefix } => Ok(ModelPattern::Prefix(prefix.clone())),
        ModelMatch::Text(text) if text.is_empty() => {
            Err("is empty; write a model name, or `*` for every model".to_owned())
        }
        ModelMatch::Text(text) => match text.split_once('*') {
            None => Ok(ModelPattern::Exact(text.clone())),
            Some((prefix, "")) => Ok(ModelPattern::Prefix(prefix.to_owned())),
            Some(_) => Err(format!(
                "`{text}` has a `*` that is not at its end; write `{{regex: …}}` for such a pattern"
            )),
        },
    }
}

/// Aliases with chains followed to their end, so that one look-up is enough.
pub(super) fn aliases(specs: &[Alias], findings: &mut Diagnostics) -> HashMap<String, String> {
    let mut seen = HashMap::new();
    let direct: HashMap<&str, &str> = specs
        .iter()
        .map(|a| (a.name.as_str(), a.model.as_str()))
        .collect();
    let mut out = HashMap::new();
    for (index, spec) in specs.iter().enumerate() {
        let mut report = Report::new(
            findings,
            &spec.origin,
            "alias",
            &spec.name,
            format!("models[{index}]"),
        );
        if !report.check_name(&spec.name, &mut seen) {
            continue;
        }
        if spec.model.is_empty() {
            report.error("model", "is needed: the model that is routed in its place");
            continue;
        }
        match follow(&spec.name, &direct) {
            Ok(target) => {
                out.insert(spec.name.clone(), target.to_owned());
            }
            Err(path) => report.error(
                "model",
                format!("leads back to itself ({path}); point one of them at a model"),
            ),
        }
    }
    out
}

/// The model at the end of the chain that begins at `name`, or the circle it runs into.
fn follow<'a>(name: &'a str, direct: &HashMap<&'a str, &'a str>) -> Result<&'a str, String> {
    let mut path = vec![name];
    let mut at = name;
    while let Some(next) = direct.get(at).copied() {
        let circle = path.contains(&next);
        path.push(next);
        if circle {
            return Err(path.join(" → "));
        }
        at = next;
    }
    Ok(at)
}

/// Exact names of rules in configuration order, then aliases that are not hidden. A name is left out where an earlier line
/// of the same name is seen by the same clients. `routes` are the compiled `document.routes`, one for one.
pub(super) fn list(
    document: &Document,
    routes: &[Route],
    aliases: &HashMap<String, String>,
) -> Vec<ModelEntry> {
    let hidden: HashSet<&str> = document
        .models
        .iter()
        .filter(|alias| alias.hidden)
        .map(|alias| alias.name.as_str())
        .collect();
    let mut out: Vec<ModelEntry> = Vec::new();
    for (index, route) in document.routes.iter().enumerate() {
        // What is refused, perhaps because who may see it is not known, is not shown.
        for rule in route.rules.iter().filter(|_| route.refuse.is_none()) {
            for name in exact_names(rule).filter(|name| !hidden.contains(name)) {
                let owner = rule.models_owned_by.as_deref().unwrap_or(DEFAULT_OWNER);
                let created = rule.models_created_at.unwrap_or_default();
                add(&mut out, routes, entry(name, owner, created, Some(index)));
            }
        }
    }
    for alias in document.models.iter().filter(|alias| !alias.hidden) {
        let Some(target) = aliases.get(&alias.name) else {
            continue;
        };
        let route = serving(routes, target);
        let refused = route
            .and_then(|index| routes.get(index))
            .is_some_and(|r| r.refuse.is_some());
        if refused {
            continue;
        }
        let shown = out.iter().find(|one| one.name == *target).cloned();
        let owner = alias
            .owned_by
            .as_deref()
            .or(shown.as_ref().map(|one| one.owned_by.as_str()));
        let created = shown.as_ref().map(|one| one.created).unwrap_or_default();
        let line = entry(&alias.name, owner.unwrap_or(DEFAULT_OWNER), created, route);
        add(&mut out, routes, line);
    }
    out
}

fn entry(name: &str, owned_by: &str, created: u64, route: Option<usize>) -> ModelEntry {
    ModelEntry {
        name: name.to_owned(),
        owned_by: owned_by.to_owned(),
        created,
        route,
    }
}

fn exact_names(rule: &RuleSpec) -> impl Iterator<Item = &str> {
    let by_header = rule
        .matches
        .iter()
        .flat_map(|one| &one.headers)
        .filter_map(|header| {
            let exact = header.kind == crate::document::HeaderValueMatch::Exact;
            (exact && header.name.eq_ignore_ascii_case("x-ai-eg-model")).then_some(header.value.as_str())
        });
    let in_matches = rule.matches.iter().filter_map(|one| one.model.as_ref());
    rule.models
        .iter()
        .chain(in_matches)
        .filter_map(|model| match model {
            ModelMatch::Text(text) if !text.contains('*') => Some(text.as_str()),
            _ => None,
        })
        .chain(by_header)
}

/// The first route with a rule for the model.
fn serving(routes: &[Route], model: &str) -> Option<usize> {
    routes.iter().position(|route| {
        route.rules.iter().any(|rule| {
            let by_models = rule.models.is_empty() || rule.models.iter().any(|p| p.matches(model));
            let by_matches = rule.matches.is_empty()
                || rule
                    .matches
                    .iter()
                    .any(|one| one.model.as_ref().is_none_or(|p| p.matches(model)));
            by_models && by_matches
        })
    })
}

fn add(out: &mut Vec<ModelEntry>, routes: &[Route], line: ModelEntry) {
    let scope = |entry: &ModelEntry| {
        let route = entry.route.and_then(|index| routes.get(index));
        route
            .map(|r| (r.listeners.clone(), r.hostnames.clone()))
            .unwrap_or_default()
    };
    let wanted = scope(&line);
    let covered = out.iter().filter(|one| one.name == line.name).any(|one| {
        let (listeners, hostnames) = scope(one);
        (listeners.is_empty() || listeners == wanted.0) && (hostnames.is_empty() || hostnames == wanted.1)
    });
    if !covered {
        out.push(line);
    }
}
