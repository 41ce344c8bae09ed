//! Compiles a document of which some objects may be left out when they are bad.

use std::collections::HashSet;

use aigw_config::{
    Capabilities, Diagnostic, Diagnostics, Document, Origin, RuleSpec, Severity, Snapshot, compile,
};

/// Compiles `document`; while an error is about an object whose place is in `tolerated`, that object is left out and the rest is
/// compiled again. The findings have the errors of what was left out. `Err` when an error is about something else.
pub fn compile_tolerantly(
    mut document: Document,
    tolerated: &[Origin],
    capabilities: &dyn Capabilities,
) -> Result<(Snapshot, Diagnostics), Diagnostics> {
    let tolerated: HashSet<&Origin> = tolerated.iter().collect();
    let mut kept = Diagnostics::default();
    loop {
        let found = match compile(document.clone(), capabilities) {
            Ok((snapshot, warnings)) => {
                kept.extend(warnings);
                return Ok((snapshot, kept));
            }
            Err(found) => found,
        };
        let errors = || found.iter().filter(|one| one.severity == Severity::Error);
        let bad: HashSet<Origin> = errors().map(|one| one.origin.clone()).collect();
        if bad.iter().any(|origin| !tolerated.contains(origin)) || !leave_out(&mut document, &bad) {
            kept.extend(found);
            return Err(kept);
        }
        kept.extend(Diagnostics(errors().map(left_out).collect()));
    }
}

fn left_out(error: &Diagnostic) -> Diagnostic {
    Diagnostic {
        message: format!("{}; the object is left out", error.message),
        ..error.clone()
    }
}

/// Leaves out the objects written at `bad`; false when there is none, so that the caller's loop ends.
fn leave_out(document: &mut Document, bad: &HashSet<Origin>) -> bool {
    let count = |document: &Document| {
        document.listeners.len()
            + document.routes.len()
            + document.backends.len()
            + document.credentials.len()
    };
    let before = count(document);
    document.listeners.retain(|one| !bad.contains(&one.origin));
    document.routes.retain(|one| !bad.contains(&one.origin));
    document.backends.retain(|one| !bad.contains(&one.origin));
    document.credentials.retain(|one| !bad.contains(&one.origin));
    let limits = bad.contains(&document.limits.origin);
    if limits {
        document.limits = aigw_config::LimitsSpec::default();
    }
    let names: HashSet<String> = document.backends.iter().map(|one| one.name.clone()).collect();
    let listeners: HashSet<String> = document.listeners.iter().map(|one| one.name.clone()).collect();
    for route in &mut document.routes {
        for rule in &mut route.rules {
            forget_backends(rule, &names);
        }
    }
    document.routes.retain_mut(|route| {
        let attached = !route.listeners.is_empty();
        route.listeners.retain(|name| listeners.contains(name));
        // A route without listeners would be on all of them.
        !(attached && route.listeners.is_empty())
    });
    limits || count(document) < before
}

fn forget_backends(rule: &mut RuleSpec, names: &HashSet<String>) {
    let before = rule.backends.len();
    rule.backends.retain(|one| names.contains(&one.name));
    let takes = rule.backends.iter().any(|one| one.weight > 0);
    if rule.backends.len() < before && !takes && rule.refuse.is_none() {
        rule.refuse = Some("none of the backends that this model is routed to can be used".to_owned());
    }
}
