//! Whether the data plane serves an object as it is now, by what its pods report.

use std::collections::{BTreeMap, HashMap};

use aigw_api::condition::{self, reason};

use super::types::{GatewayPlan, Report};
use crate::condition::Condition;
use crate::index::Key;

/// Reports of ready pods by the uid of their Gateway, in the order of pods' names.
#[derive(Debug)]
pub(super) struct Reports<'a>(HashMap<&'a str, Vec<&'a Report>>);

impl<'a> Reports<'a> {
    pub(super) fn of(reports: &'a [Report]) -> Self {
        let mut out: HashMap<&str, Vec<&Report>> = HashMap::new();
        for report in reports.iter().filter(|report| report.ready) {
            out.entry(report.gateway_uid.as_str()).or_default().push(report);
        }
        for of_gateway in out.values_mut() {
            of_gateway.sort_by(|a, b| a.pod.cmp(&b.pod));
        }
        Self(out)
    }

    /// Whether every ready pod of the Gateway serves `object` as the plan has it.
    pub(super) fn programmed(&self, gateway: &Key, plan: &GatewayPlan, object: &str) -> Condition {
        let no = |reason, message: String| Condition::is_not(condition::PROGRAMMED, reason, message);
        let Some(hash) = plan.hashes.get(object) else {
            let message = "is left out; its other conditions say why".to_owned();
            return no(reason::LEFT_OUT, message);
        };
        let pods = self
            .0
            .get(plan.uid.as_str())
            .map(Vec::as_slice)
            .unwrap_or_default();
        if pods.is_empty() {
            let message = format!("Gateway \"{gateway}\" has no ready pod");
            return no(reason::NO_READY_PODS, message);
        }
        let behind = || pods.iter().filter(|pod| pod.hashes.get(object) != Some(hash));
        let Some(first) = behind().next() else {
            let message = "every ready pod serves it as it is";
            return Condition::is(condition::PROGRAMMED, reason::PROGRAMMED, message);
        };
        if let Some((pod, why)) = behind().find_map(|pod| Some((&pod.pod, pod.rejected.as_ref()?))) {
            let message = format!("pod {pod} of Gateway \"{gateway}\" refused the configuration: {why}");
            return no(reason::REJECTED, message);
        }
        let message = format!(
            "{} of {} ready pods of Gateway \"{gateway}\" do not serve it as it is yet, {} among them",
            behind().count(),
            pods.len(),
            first.pod
        );
        Condition::unknown(condition::PROGRAMMED, reason::PENDING, message)
    }

    /// The same over all Gateways that serve the object.
    pub(super) fn everywhere(
        &self,
        gateways: &BTreeMap<Key, GatewayPlan>,
        users: Option<&Vec<Key>>,
        object: &str,
    ) -> Condition {
        let of_users = users.into_iter().flatten();
        let all: Vec<Condition> = of_users
            .filter_map(|key| Some(self.programmed(key, gateways.get(key)?, object)))
            .collect();
        Condition::all(&all).unwrap_or_else(|| {
            let message = "nothing that a Gateway serves refers to it";
            Condition::is_not(condition::PROGRAMMED, reason::NOT_USED, message)
        })
    }
}
