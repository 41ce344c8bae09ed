//! The operators of a cluster, by what they are told.

use aigw_controller::look::{LookError, Operator, SetUp, operators};
use clap::Parser as _;
use kube::Client;

use crate::cli::{Cli, Command, ControllerArgs};
use crate::controller::plan_options;

/// Settings that may be given by the environment too.
const BY_ENVIRONMENT: [(&str, &str); 3] = [
    ("AIGW_CONTROLLER_NAME", "--controller-name"),
    ("AIGW_CLAIM_ENVOY_GATEWAY", "--claim-envoy-gateway"),
    ("AIGW_WATCH_NAMESPACES", "--watch-namespace"),
];
const DESPITE_POLICIES: (&str, &str) = ("AIGW_SERVE_DESPITE_POLICIES", "--serve-despite-policies");

/// The operators that look there, or one with the chart's values where none is found, and notes for whoever reads the rest.
/// `namespaces`: those that may be looked at, empty for all.
pub(crate) async fn set_ups(
    client: &Client,
    namespaces: &[String],
) -> Result<(Vec<SetUp>, Vec<String>), LookError> {
    // An operator is most often in another namespace than what it serves.
    let found = match operators(client, &[]).await {
        Err(LookError::Forbidden { .. }) if !namespaces.is_empty() => operators(client, namespaces).await,
        found => found,
    };
    let mut notes = Vec::new();
    let mut hidden = None;
    let found = match found {
        Ok(found) => found,
        Err(error @ LookError::Forbidden { .. }) => {
            notes.push(format!("{error}; how an operator is set up is not known"));
            hidden = Some(error.to_string());
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let mut all: Vec<SetUp> = Vec::new();
    for operator in found {
        let name = format!("{}/{}", operator.namespace, operator.name);
        match told(&operator) {
            Ok(args) => all.push(SetUp {
                namespaces: args.watched.namespaces.clone(),
                plan: plan_options(&args),
                operator: Some(operator),
                hidden: None,
            }),
            Err(why) => {
                notes.push(format!("what operator {name} is told is not understood: {why}"));
                all.push(SetUp {
                    operator: Some(operator),
                    ..SetUp::default()
                });
            }
        }
    }
    all.retain(|one| one.concerns(namespaces));
    if all.is_empty() {
        all.push(SetUp {
            hidden,
            ..SetUp::default()
        });
    }
    Ok((all, notes))
}

/// What its arguments and its environment say.
fn told(operator: &Operator) -> Result<ControllerArgs, String> {
    let mut arguments = vec!["aigw".to_owned(), "controller".to_owned()];
    arguments.extend(operator.arguments.iter().cloned());
    let given = |flag: &str| operator.arguments.iter().any(|one| one.starts_with(flag));
    for (name, flag) in BY_ENVIRONMENT {
        if let Some(value) = operator.environment.get(name).filter(|_| !given(flag)) {
            arguments.push(format!("{flag}={value}"));
        }
    }
    let (name, flag) = DESPITE_POLICIES;
    let value = operator.environment.get(name).map(|text| text.to_lowercase());
    if value.is_some_and(|text| matches!(text.as_str(), "1" | "true" | "yes" | "on")) && !given(flag) {
        arguments.push(flag.to_owned());
    }
    match Cli::try_parse_from(arguments).map(|cli| cli.command) {
        Ok(Command::Controller(args)) => Ok(args),
        Ok(_) => Err("it runs another command".to_owned()),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Err(first.trim_start_matches("error: ").to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn arguments_count_more_than_the_environment() {
        let operator = Operator {
            arguments: vec!["--watch-namespace=a".to_owned(), "--watch-namespace=b".to_owned()],
            environment: [
                ("AIGW_WATCH_NAMESPACES", "c"),
                ("AIGW_CONTROLLER_NAME", "example.com/mine"),
                ("AIGW_SERVE_DESPITE_POLICIES", "true"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            ..Operator::default()
        };
        let args = told(&operator).unwrap();
        assert_eq!(args.watched.namespaces, ["a", "b"]);
        assert_eq!(args.controller_name, "example.com/mine");
        assert!(args.serve_despite_policies);
    }

    #[test]
    fn an_operator_that_is_told_something_unknown_says_what() {
        let operator = Operator {
            arguments: vec!["--from-the-future".to_owned()],
            ..Operator::default()
        };
        assert!(told(&operator).unwrap_err().contains("--from-the-future"));
    }
}
