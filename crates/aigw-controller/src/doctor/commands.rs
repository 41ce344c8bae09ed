//! Commands to paste, for the cluster that was looked at.

use crate::connect::Place;

/// Writes commands down.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    place: Place,
}

impl Commands {
    /// For this cluster.
    pub fn new(place: Place) -> Self {
        Self { place }
    }

    /// `kubectl …`.
    pub(super) fn kubectl(&self, rest: impl AsRef<str>) -> String {
        self.written("kubectl", "--context", rest.as_ref())
    }

    /// `helm …`.
    pub(super) fn helm(&self, rest: impl AsRef<str>) -> String {
        self.written("helm", "--kube-context", rest.as_ref())
    }

    /// `aigw COMMAND …`; the command goes before what names the cluster.
    pub(super) fn aigw(&self, command: &str) -> String {
        format!("aigw {command}{}", self.flags("--context"))
    }

    /// `kubectl apply` of an object, as YAML in one line.
    pub(super) fn apply(&self, object: &str) -> String {
        format!("{} <<'EOF'\n{object}\nEOF", self.kubectl("apply -f -"))
    }

    fn written(&self, program: &str, context: &str, rest: &str) -> String {
        format!("{program}{} {rest}", self.flags(context))
    }

    fn flags(&self, context: &str) -> String {
        let mut flags = String::new();
        if let Some(path) = &self.place.kubeconfig {
            flags.push_str(&format!(" --kubeconfig {}", quoted(&path.display().to_string())));
        }
        if let Some(name) = &self.place.context {
            flags.push_str(&format!(" {context} {}", quoted(name)));
        }
        flags
    }
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@=".contains(&byte);
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_cluster_that_was_looked_at() {
        let place = Place {
            kubeconfig: Some("/tmp/my files/it's".into()),
            context: Some("prod".to_owned()),
        };
        let commands = Commands::new(place);
        assert_eq!(
            commands.kubectl("get pods"),
            r"kubectl --kubeconfig '/tmp/my files/it'\''s' --context prod get pods"
        );
        assert!(commands.helm("list").contains(" --kube-context prod list"));
        assert_eq!(Commands::default().aigw("check"), "aigw check");
    }
}
