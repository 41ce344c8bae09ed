//! The API server, and whether its version will do.

use super::finding::Report;
use super::patient::Patient;
use crate::look::answered;

/// The chart says which versions it is made for.
const CHART: &str = include_str!("../../../../charts/aigw/Chart.yaml");

/// Whether there is an API server to ask.
pub(super) async fn examine(patient: &Patient<'_>, report: &mut Report) -> bool {
    const ABOUT: &str = "Kubernetes";
    let info = match answered(patient.client.apiserver_version()).await {
        Ok(info) => info,
        Err(error) => {
            let what = format!("the API server cannot be asked: {error}");
            report.problem(ABOUT, what, patient.commands.kubectl("version"));
            return false;
        }
    };
    let found = numbers(&info.git_version);
    match (found, wanted()) {
        (Some(found), Some(wanted)) if found < wanted => report.problem(
            ABOUT,
            format!(
                "{} is older than {}.{}, which the chart needs; upgrade the control plane and the nodes",
                info.git_version, wanted.0, wanted.1
            ),
            patient.commands.kubectl("get nodes -o wide"),
        ),
        (None, _) => report.warning(
            ABOUT,
            format!("the version {} cannot be compared", info.git_version),
            None,
        ),
        _ => report.ok(ABOUT, info.git_version),
    }
    true
}

/// Major and minor number of `kubeVersion: ">=1.31.0-0"`.
fn wanted() -> Option<(u32, u32)> {
    let line = CHART.lines().find_map(|line| line.strip_prefix("kubeVersion:"))?;
    numbers(line.trim().trim_matches('"').strip_prefix(">=")?)
}

/// Major and minor number of `v1.36.0`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    let minor = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    Some((parts.next()?.parse().ok()?, minor(parts.next()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(wanted().is_some_and(|wanted| wanted > (1, 9)), "{CHART}");
        assert_eq!(numbers("v1.36.0-rc.1+k3s1"), Some((1, 36)));
        assert_eq!(numbers("1.31+"), Some((1, 31)));
        assert!(numbers("v1.9.0") < numbers("v1.31.0"));
        assert_eq!(numbers("main"), None);
    }
}
