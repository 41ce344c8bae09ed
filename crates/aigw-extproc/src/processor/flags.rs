//! What Envoy's response flags say of an attempt.
//!
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage#response-flags>

use aigw_engine::{Failure, FailureKind};

/// The failure behind an answer that Envoy made itself.
pub(super) fn failure(flags: &str) -> Failure {
    let mut known = flags.split(',').filter_map(|flag| meaning(flag.trim()));
    let (kind, message) = known
        .next()
        .unwrap_or((FailureKind::Reset, "Envoy answered in its place"));
    Failure {
        kind,
        message: format!("{message} ({flags})"),
    }
}

fn meaning(flag: &str) -> Option<(FailureKind, &'static str)> {
    Some(match flag {
        "UF" => (FailureKind::Connect, "no connection came about"),
        "UH" => (FailureKind::Connect, "no address of it is known to be healthy"),
        "NC" => (FailureKind::Connect, "Envoy does not know its cluster yet"),
        "NR" => (FailureKind::Connect, "Envoy has no route to it"),
        "UO" => (FailureKind::Connect, "Envoy's circuit breaker is open"),
        "DF" => (FailureKind::Connect, "its name cannot be resolved"),
        "UC" => (FailureKind::Reset, "the connection was closed before the answer"),
        "UR" => (FailureKind::Reset, "the stream was reset"),
        "LR" => (FailureKind::Reset, "Envoy reset the stream"),
        "UT" | "SI" | "DT" => (FailureKind::Reset, "Envoy's timeout passed"),
        "UPE" => (FailureKind::Protocol, "its answer broke a rule of HTTP"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_flag_counts() {
        assert_eq!(failure("UF,URX").kind, FailureKind::Connect);
        assert_eq!(failure("URX,UC").kind, FailureKind::Reset);
        assert_eq!(failure("UPE").kind, FailureKind::Protocol);
        assert_eq!(failure("-").message, "Envoy answered in its place (-)");
    }
}
