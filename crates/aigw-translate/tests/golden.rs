//! Walks `tests/golden/<client dialect>/<behaviour>/<upstream dialect>/` and checks every vector there; see `golden/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod harness;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::{Case, check_error, check_request, check_response, check_stream};

#[test]
fn goldens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let only = std::env::var("GOLDEN").unwrap_or_default();
    let name = |directory: &Path| directory.strip_prefix(&root).unwrap().display().to_string();
    let mut all = Vec::new();
    for client in directories(&root) {
        for behaviour in directories(&client) {
            all.extend(directories(&behaviour));
        }
    }
    all.retain(|directory| name(directory).contains(&only));
    assert!(!all.is_empty(), "no golden directory matches");

    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(directory) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let message = match catch_unwind(AssertUnwindSafe(|| run(directory))) {
                Ok(Ok(())) => continue,
                Ok(Err(message)) => message,
                Err(_) => "panicked (its message is above)".to_owned(),
            };
            let failure = format!("{}: {message}", name(directory));
            failures.lock().unwrap().push(failure);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {} goldens differ:\n\n{}",
        failures.len(),
        all.len(),
        failures.join("\n\n")
    );
}

fn run(directory: &Path) -> Result<(), String> {
    let case = Case::open(directory)?;
    let checks = [
        check_request(&case),
        check_response(&case),
        check_stream(&case),
        check_error(&case),
    ];
    let mut problems = Vec::new();
    let mut checked = 0;
    for check in checks {
        match check {
            Ok(done) => checked += usize::from(done),
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(
        case.unread()
            .map(|file| format!("{file} is not a file of the harness")),
    );
    if !case.has("source.txt") {
        problems.push("source.txt is missing: say where the vector comes from".to_owned());
    }
    if checked == 0 && problems.is_empty() {
        problems.push("nothing to check: no *.client.* or *.upstream.* input".to_owned());
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}
