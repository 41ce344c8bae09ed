//! The objects themselves, planned as the operator does; `aigw check` has the details.

use aigw_config::Severity;
use aigw_plan::cluster::Means;

use super::finding::Report;
use super::patient::Patient;
use crate::look::{SetUp, look};

pub(super) async fn examine(patient: &Patient<'_>, set_up: &SetUp, means: Means<'_>, report: &mut Report) {
    const ABOUT: &str = "objects";
    let within = set_up.within(patient.namespaces);
    let found = match look(patient.client, &within, set_up.plan.clone(), means).await {
        Ok(found) => found,
        Err(error) => {
            return report.warning(
                ABOUT,
                format!("not looked at: {error}"),
                patient.commands.aigw("check"),
            );
        }
    };
    let fix = || {
        let namespaces: Vec<String> = within.iter().map(|name| format!(" -n {name}")).collect();
        format!("{}{}", patient.commands.aigw("check"), namespaces.concat())
    };
    if !found.unread.is_empty() {
        let names: Vec<String> = found.unread.iter().take(5).map(ToString::to_string).collect();
        let more = found.unread.len().saturating_sub(names.len());
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let what = format!(
            "you may not read {}{more}; they count as missing here",
            names.join(", ")
        );
        report.warning(ABOUT, what, None);
    }
    let all = found.plan.diagnostics();
    let count = |severity| all.iter().filter(|one| one.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let said = match all.iter().min_by_key(|one| one.severity != Severity::Error) {
        Some(first) => format!(
            "{errors} errors, {warnings} warnings, such as {}: {}",
            first.object, first.message
        ),
        None => String::new(),
    };
    match (errors, warnings) {
        (0, 0) => report.ok(ABOUT, format!("{} are planned without a finding", found.objects)),
        (0, _) => report.warning(ABOUT, said, fix()),
        _ => report.problem(ABOUT, said, fix()),
    }
}
