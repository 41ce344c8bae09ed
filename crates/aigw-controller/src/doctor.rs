//! Examines what a cluster's operator, definitions and data planes need, and says what to do about what is not well.
//!
//! Every examination asks with the rights of whoever asks; what may not be looked at is said and is no problem of the cluster.

mod classes;
mod commands;
mod credentials;
mod definitions;
mod finding;
mod gateways;
mod objects;
mod operator;
mod patient;
mod pods;
mod rights;
mod server;

pub use commands::Commands;
pub use finding::{Finding, Level, Report};

use aigw_plan::cluster::Means;
use kube::Client;
use patient::Patient;

use crate::look::SetUp;

/// Examines the cluster. `set_ups`: its operators and how they plan, one without an operator where none was found.
/// `namespaces`: those that are looked at, empty for all.
pub async fn examine(
    client: &Client,
    set_ups: &[SetUp],
    namespaces: &[String],
    commands: Commands,
    means: Means<'_>,
) -> Report {
    let mut report = Report::default();
    let patient = Patient {
        client,
        namespaces,
        commands: &commands,
    };
    if !server::examine(&patient, &mut report).await {
        return report;
    }
    rights::of_the_asker(&patient, set_ups, &mut report).await;
    definitions::examine(&patient, &mut report).await;
    for set_up in set_ups {
        if let Some(operator) = &set_up.operator {
            operator::examine(&patient, operator, &mut report).await;
            rights::of_operator(&patient, operator, set_up, &mut report).await;
        } else {
            operator::missing(&patient, set_up, &mut report);
        }
    }
    operator::compare(&patient, set_ups, &mut report);
    for set_up in set_ups {
        classes::examine(&patient, set_up, &mut report).await;
        objects::examine(&patient, set_up, means, &mut report).await;
    }
    credentials::examine(&patient, &mut report).await;
    report
}
