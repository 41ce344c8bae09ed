//! Configurations as people write them: each directory of `tests/golden` has `input.yaml` (or a directory `input`), `environment`
//! (`NAME=value` lines) and what comes out: the document, what is said, and which credentials there are. The document and the
//! findings are those after compilation; `UPDATE_GOLDEN=1` writes them anew.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at the first surprise"
)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aigw_runtime::{Loaded, load};
use aigw_translate::host::Registry;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn environment(case: &Path) -> HashMap<String, String> {
    let text = std::fs::read_to_string(case.join("environment")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn load_case(case: &Path) -> Result<Loaded, String> {
    let variables = environment(case);
    let name = if case.join("input").is_dir() {
        "input"
    } else {
        "input.yaml"
    };
    load(
        &[case.join(name)],
        &|name| variables.get(name).cloned(),
        &Registry,
    )
    .map_err(|found| found.to_string())
}

/// Everything that comes out, as one text.
fn outcome(case: &Path) -> String {
    let loaded = match load_case(case) {
        Ok(loaded) => loaded,
        Err(findings) => return format!("refused:\n{findings}\n"),
    };
    let mut credentials: Vec<String> = loaded
        .credentials
        .ids()
        .map(|id| {
            let secret = loaded.credentials.find(id).unwrap();
            format!("{id} = {}", secret.reveal())
        })
        .collect();
    credentials.sort();
    match loaded.compile(&Registry) {
        Err(findings) => format!("refused:\n{findings}\n"),
        Ok(ready) => {
            let mut out = String::new();
            let document = serde_json::to_string_pretty(&ready.snapshot.document).unwrap();
            writeln!(out, "findings:\n{}\n", ready.diagnostics).unwrap();
            writeln!(out, "credentials:\n{}\n", credentials.join("\n")).unwrap();
            writeln!(out, "document:\n{document}").unwrap();
            out
        }
    }
}

/// Paths in findings begin at the case.
fn relative(text: &str, case: &Path) -> String {
    text.replace(&format!("{}/", case.display()), "")
}

#[test]
fn every_case_comes_out_as_recorded() {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    let mut failures = String::new();
    for case in &cases {
        let found = relative(&outcome(case), case);
        let file = case.join("expected");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            let name = case.file_name().unwrap().to_string_lossy();
            write!(
                failures,
                "\n=== {name}\n--- expected\n{expected}\n--- found\n{found}"
            )
            .unwrap();
        }
    }
    assert!(cases.len() >= 10, "the cases are found");
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn no_document_shows_a_secret() {
    for case in std::fs::read_dir(golden()).unwrap() {
        let Ok(loaded) = load_case(&case.unwrap().path()) else {
            continue;
        };
        let shown = format!(
            "{:?}\n{}\n{}",
            loaded.document,
            serde_json::to_string(&loaded.document).unwrap(),
            loaded.diagnostics
        );
        for id in loaded.credentials.ids() {
            let secret = loaded.credentials.find(id).unwrap().reveal();
            assert!(!shown.contains(secret), "{id} is shown");
        }
    }
}

#[test]
fn every_example_compiles() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(&examples).unwrap() {
        let directory = entry.unwrap().path();
        if !directory.is_dir() {
            continue;
        }
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        assert!(directory.join("README.md").is_file(), "{name} has a README.md");
        let key = |variable: &str| variable.ends_with("_KEY").then(|| format!("sk-{variable}"));
        let ready = load(&[directory], &key, &Registry)
            .and_then(|loaded| loaded.compile(&Registry))
            .unwrap_or_else(|findings| panic!("{name}: {findings}"));
        assert_eq!(ready.diagnostics.to_string(), "", "{name}");
        assert!(!ready.snapshot.routes.is_empty(), "{name} serves something");
        count += 1;
    }
    assert!(count >= 6, "the examples are found");
}
