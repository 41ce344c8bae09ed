//! Processes that do not outlive the test, and the two of them that make a cluster.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::keys::{Authority, Signed};

/// Says the pid of the command, and ends it when its own input ends, which it does when the test's process does, however that ends.
const LEASH: &str = r#""$@" </dev/null >&2 & echo $!; exec >/dev/null; cat; kill -KILL $!; wait"#;
/// Removes a folder when its input ends; by then what writes there is gone.
const BROOM: &str = r#"cat; sleep 1; rm -rf "$1""#;

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, "sh"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    // Not ended by the signal of a terminal: it must outlive the test.
    shell.process_group(0);
    shell
}

/// Has `folder` removed when this process ends.
pub fn remove_afterwards(folder: &Path) -> Child {
    shell(BROOM)
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A process with a log. Dropping it ends it at once, as a crash would.
pub struct Process {
    leash: Child,
    pid: u32,
    log: PathBuf,
}

impl Process {
    pub fn start(command: &Path, arguments: &[String], environment: &[(&str, &str)], log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let mut leash = shell(LEASH)
            .arg(command)
            .args(arguments)
            .envs(environment.iter().copied())
            .stderr(Stdio::from(file))
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(leash.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            leash,
            pid: line.trim().parse().unwrap(),
            log: log.to_owned(),
        }
    }

    /// Its process id, for signals.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it ended by itself.
    pub fn ended(&self) -> bool {
        // Its leash waits for it only at the end; a process that ended has no executable.
        !Path::new(&format!("/proc/{}/exe", self.pid)).exists()
    }

    /// The end of its log.
    pub fn tail(&self) -> String {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(&self.log) {
            let length = file.metadata().map_or(0, |meta| meta.len());
            let _ = file.seek(SeekFrom::Start(length.saturating_sub(6000)));
            let _ = file.read_to_end(&mut bytes);
        }
        format!(
            "--- end of {}\n{}",
            self.log.display(),
            String::from_utf8_lossy(&bytes)
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        let _ = self.leash.wait();
    }
}

/// A port of the loopback interface that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|one| one.local_addr())
        .unwrap()
        .port()
}

/// The folder with `etcd` and `kube-apiserver`.
pub fn binaries() -> PathBuf {
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS") {
        return folder.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = Command::new(root.join("scripts/kubernetes.sh"))
        .stderr(Stdio::inherit())
        .output();
    let out = out.unwrap();
    assert!(
        out.status.success(),
        "scripts/kubernetes.sh failed: {}",
        out.status
    );
    String::from_utf8(out.stdout).unwrap().trim().into()
}

/// Starts etcd with its data in `folder`.
pub fn etcd(folder: &Path, port: u16) -> Process {
    let url = format!("http://127.0.0.1:{port}");
    let arguments = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        // What is here need not survive the machine.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    Process::start(
        &binaries().join("etcd"),
        &arguments,
        &[],
        &folder.join("etcd.log"),
    )
}

/// What everybody but the server itself and the administrator asks is written to the audit log.
const AUDIT: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: [admin, "system:apiserver", "system:anonymous"]
  - level: Metadata
"#;

/// Writes the files that the API server reads.
pub fn write_files(folder: &Path, authority: &Authority) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let Signed { certificate, key } = authority.server();
    write("ca.crt", &authority.certificate);
    write("server.crt", &certificate);
    write("server.key", &key);
    let accounts = rcgen::KeyPair::generate().unwrap();
    write("accounts.key", &accounts.serialize_pem());
    write("accounts.pub", &accounts.public_key_pem());
    write("audit.yaml", AUDIT);
    write("egress.yaml", &super::network::egress(folder));
}

/// Starts the API server on what [`write_files`] wrote.
pub fn api_server(folder: &Path, port: u16, etcd: u16) -> Process {
    let file = |name: &str| folder.join(name).display().to_string();
    let arguments = [
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        // The address of an Endpoints object may not be a loopback one.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--secure-port={port}"),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        // Nobody makes the service account that it would ask of a pod.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--tls-cert-file={}", file("server.crt")),
        format!("--tls-private-key-file={}", file("server.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("accounts.pub")),
        format!("--service-account-signing-key-file={}", file("accounts.key")),
        format!("--audit-policy-file={}", file("audit.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
        format!("--egress-selector-config-file={}", file("egress.yaml")),
        "--profiling=false".to_owned(),
    ];
    let command = binaries().join("kube-apiserver");
    Process::start(&command, &arguments, &[], &folder.join("kube-apiserver.log"))
}
