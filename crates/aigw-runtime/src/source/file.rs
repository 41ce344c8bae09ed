//! Configuration files: which ones a path means, and how paths inside them are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::expand::Environment;

/// A file that was read.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// The path as the user gave it, or as it was found in a directory.
    pub(super) name: Arc<str>,
    pub(super) text: String,
}

/// The files behind `input`: itself, or the `*.yaml` and `*.yml` of a directory by name. Hidden ones do not count.
pub(super) fn behind(input: &Path) -> Result<Vec<PathBuf>, String> {
    if !input.is_dir() {
        return Ok(vec![input.to_owned()]);
    }
    let entries = std::fs::read_dir(input).map_err(|error| cannot("read the directory", &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| is_configuration(path) && path.is_file())
        .collect();
    files.sort();
    if files.is_empty() {
        return Err("the directory holds no file that ends in .yaml or .yml".to_owned());
    }
    Ok(files)
}

/// Whether a directory that is given has this file for a part of the configuration.
pub(crate) fn is_configuration(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && matches!(extension, Some("yaml" | "yml"))
}

pub(super) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| cannot("read the file", &error))
}

fn cannot(what: &str, error: &std::io::Error) -> String {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be read by this user".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    };
    format!("cannot {what}: {reason}")
}

/// A path written in the file `inside`: relative ones begin at that file's directory, `~/` at the user's home.
pub(super) fn resolve(path: &str, inside: &str, environment: Environment<'_>) -> PathBuf {
    if let Some(rest) = path.strip_prefix("~/")
        && let Some(home) = environment("HOME")
    {
        return Path::new(&home).join(rest);
    }
    match Path::new(inside).parent() {
        Some(directory) => directory.join(path),
        None => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_file_that_names_them() {
        let home = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let none = |_: &str| None;
        let rows = [
            ("key", "conf/aigw.yaml", "conf/key"),
            ("../key", "/etc/aigw/aigw.yaml", "/etc/aigw/../key"),
            ("/run/key", "conf/aigw.yaml", "/run/key"),
            ("key", "aigw.yaml", "key"),
            ("~/key", "conf/aigw.yaml", "/home/me/key"),
        ];
        for (path, inside, expected) in rows {
            assert_eq!(resolve(path, inside, &home), PathBuf::from(expected), "{path}");
        }
        assert_eq!(resolve("~/key", "aigw.yaml", &none), PathBuf::from("~/key"));
    }

    #[test]
    fn a_directory_means_its_yaml_files_by_name() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yaml", ".hidden.yaml", "c.json"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        std::fs::create_dir(directory.path().join("d.yaml")).unwrap();
        let names: Vec<_> = behind(directory.path())
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["a.yaml", "b.yml"]);
        let empty = tempfile::tempdir().unwrap();
        assert!(behind(empty.path()).is_err());
        assert!(
            read(&empty.path().join("none"))
                .unwrap_err()
                .contains("does not exist")
        );
    }
}
