//! The HorizontalPodAutoscaler.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

use super::envoyproxy::HpaSettings;
use super::labels::Marks;

/// Processor time in use that is aimed at, in percent of what the pods request.
const BUSY: i32 = 80;

pub(super) fn autoscaler(marks: &Marks, wanted: &HpaSettings) -> HorizontalPodAutoscaler {
    HorizontalPodAutoscaler {
        metadata: marks.object(),
        spec: HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: marks.base().to_owned(),
            },
            min_replicas: wanted.min_replicas,
            max_replicas: wanted.max_replicas.unwrap_or(1),
            metrics: Some(wanted.metrics.clone().unwrap_or_else(|| busy(BUSY))),
            behavior: wanted.behavior.clone(),
        },
        status: None,
    }
}

/// The share of processor time, in percent, as a metric.
pub(super) fn busy(percent: i32) -> Vec<MetricSpec> {
    vec![MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: "cpu".to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(percent),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }]
}
