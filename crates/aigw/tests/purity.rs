//! Pure crates stay pure: no runtime, no HTTP implementation, no clock or randomness of their own in their dependencies.

use std::process::Command;

const PURE: [&str; 6] = [
    "aigw-config",
    "aigw-translate",
    "aigw-sign",
    "aigw-engine",
    "aigw-api",
    "aigw-plan",
];
const FORBIDDEN: [&str; 15] = [
    "tokio",
    "hyper",
    "hyper-util",
    "axum",
    "tonic",
    "reqwest",
    "kube-client",
    "kube-runtime",
    "mio",
    "rustls",
    "rand",
    "getrandom",
    "chrono",
    "notify",
    "socket2",
];

#[test]
fn pure_crates_bring_no_io() {
    for package in PURE {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--locked",
                "--offline",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--format",
                "{p}",
                "--package",
                package,
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "cargo tree: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let tree = String::from_utf8(output.stdout).unwrap();
        let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(names.contains(&package), "the tree of {package} is empty");
        for name in FORBIDDEN {
            assert!(!names.contains(&name), "{package} must not depend on {name}");
        }
    }
}

#[test]
fn arrows_point_down() {
    let order = [
        "aigw-config",
        "aigw-translate",
        "aigw-sign",
        "aigw-api",
        "aigw-engine",
        "aigw-plan",
        "aigw-runtime",
        "aigw-proxy",
        "aigw-controller",
    ];
    for (index, package) in order.iter().enumerate() {
        let path = format!("{}/../{package}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(&path).unwrap();
        for above in &order[index + 1..] {
            assert!(
                !manifest.contains(&format!("\n{above}.workspace")),
                "{package} must not depend on {above}"
            );
        }
    }
}
