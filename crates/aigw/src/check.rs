//! `aigw check`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use aigw_config::{Diagnostic, Diagnostics, Origin, Severity, Tls};
use aigw_controller::connect;
use aigw_controller::look::{LookError, look};
use aigw_proxy::{read_authorities, read_certificate};
use aigw_runtime::Live;

use crate::cli::{CheckArgs, say};
use crate::controller::MEANS;
use crate::input::Input;
use crate::operators::set_ups;
use crate::process::{Failure, runtime};

/// Prints every finding; fails on errors, with `--strict` on warnings too.
pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    if args.place.is_given() {
        return runtime(2)?.block_on(cluster(args));
    }
    let (findings, usable) = match Input::Files(args.inputs.clone()).read(None) {
        Ok(ready) => {
            let mut findings = ready.diagnostics;
            materials(&ready.live, &mut findings);
            (findings, true)
        }
        Err(findings) => (findings, false),
    };
    for finding in findings.iter() {
        say(&finding.to_string());
    }
    Ok(verdict(&findings, usable, args.strict))
}

/// Certificates and authorities that cannot be served: those who serve find out when they read them.
fn materials(live: &Live, findings: &mut Diagnostics) {
    for listener in &live.snapshot.listeners {
        for pair in listener.tls.iter().flat_map(Tls::pairs) {
            if let Err(why) = read_certificate(pair, &live.credentials) {
                let object = format!("listener \"{}\"", listener.name);
                findings.error(&listener.origin, object, "tls", why);
            }
        }
    }
    for backend in live.snapshot.backends.values() {
        let ca = backend.endpoint.ca.as_ref().filter(|_| backend.endpoint.https);
        if let Some(Err(why)) = ca.map(String::as_str).map(read_authorities) {
            let object = format!("backend \"{}\"", backend.name);
            findings.error(&Origin::default(), object, "tls.ca", why);
        }
    }
}

/// The same of what a cluster holds: it is planned as its operators plan it, with what the asker may read.
async fn cluster(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let client = connect(&args.place.place()).await?;
    let (set_ups, notes) = set_ups(&client, &args.namespaces).await.map_err(advice)?;
    for note in notes {
        say(&format!("note: {note}"));
    }
    let mut all = Diagnostics::default();
    for one in set_ups {
        let namespaces = one.within(&args.namespaces);
        let found = look(&client, &namespaces, one.plan.clone(), MEANS)
            .await
            .map_err(advice)?;
        let who = match &one.operator {
            Some(operator) => format!("as operator {}/{} plans them", operator.namespace, operator.name),
            None => "as an operator with the chart's values would plan them; none was found".to_owned(),
        };
        let within = match namespaces.as_slice() {
            [] => String::new(),
            some => format!(" in {}", some.join(", ")),
        };
        say(&format!("note: {} objects{within}, {who}", found.objects));
        let names: BTreeSet<String> = found.unread.iter().map(ToString::to_string).collect();
        for name in names {
            say(&format!(
                "note: you may not read {name}; it counts as missing here"
            ));
        }
        all.extend(found.plan.diagnostics());
    }
    all.remove_repeated();
    for finding in all.iter() {
        say(&line(finding));
    }
    Ok(verdict(&all, true, args.strict))
}

/// A finding about an object in a cluster, which has a name in place of a file and a line.
fn line(finding: &Diagnostic) -> String {
    let level = match finding.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let field = match finding.field.as_str() {
        "" => String::new(),
        field => format!("{field}: "),
    };
    format!("{}: {level}: {field}{}", finding.object, finding.message)
}

/// What to do about it.
fn advice(error: LookError) -> Failure {
    match &error {
        LookError::Forbidden { namespace: None, .. } => {
            format!("{error}; name the namespaces where you may with --namespace, or use an account that may")
                .into()
        }
        _ => error.into(),
    }
}

fn verdict(findings: &Diagnostics, usable: bool, strict: bool) -> ExitCode {
    let errors = count(findings, Severity::Error);
    let warnings = count(findings, Severity::Warning);
    let good = usable && errors == 0 && !(strict && warnings > 0);
    let counts: Vec<String> = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    let verdict = if good { "ok" } else { "failed" };
    say(&match counts.is_empty() {
        true => verdict.to_owned(),
        false => format!("{verdict}: {}", counts.join(", ")),
    });
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn count(findings: &Diagnostics, severity: Severity) -> usize {
    findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .count()
}
