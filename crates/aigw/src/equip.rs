//! What the container of an Envoy that is started apart lacks, put where both containers see it. Each file appears whole or
//! not at all, and takes the place of one that an earlier process left, even of a program that runs.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::process::Failure;

/// Writes Envoy's bootstrap for this user alone.
pub(crate) fn write_bootstrap(file: &Path, bootstrap: &str) -> Result<(), Failure> {
    put(file, 0o600, |to| to.write_all(bootstrap.as_bytes()))
        .map_err(|error| format!("cannot write Envoy's bootstrap to {}: {error}", file.display()).into())
}

/// Copies this program.
pub(crate) fn copy_program(file: &Path) -> Result<(), Failure> {
    let copied = std::env::current_exe().and_then(|program| {
        let mut from = fs::File::open(program)?;
        put(file, 0o755, |to| io::copy(&mut from, to).map(drop))
    });
    copied.map_err(|error| format!("cannot copy this program to {}: {error}", file.display()).into())
}

fn put(file: &Path, mode: u32, fill: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<()> {
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let mut to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(partial)?;
    fill(&mut to)?;
    // Whatever the process's mask, and whatever was there.
    fs::set_permissions(partial, Permissions::from_mode(mode))?;
    drop(to);
    fs::rename(partial, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_whole_private_where_they_should_be_and_replace_a_program_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        let bootstrap = folder.path().join("bootstrap.yaml");
        write_bootstrap(&bootstrap, "first, and longer").unwrap();
        write_bootstrap(&bootstrap, "second").unwrap();
        assert_eq!(fs::read_to_string(&bootstrap).unwrap(), "second");
        let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&bootstrap), 0o600);

        let program = folder.path().join("aigw");
        fs::copy("/bin/sleep", &program).unwrap();
        let mut running = std::process::Command::new(&program).arg("600").spawn().unwrap();
        copy_program(&program).unwrap();
        running.kill().unwrap();
        running.wait().unwrap();
        assert_eq!(mode(&program), 0o755);
        let own = fs::metadata(std::env::current_exe().unwrap()).unwrap().len();
        assert_eq!(fs::metadata(&program).unwrap().len(), own);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing is left over"
        );

        let error = copy_program(Path::new("/nowhere/aigw")).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot copy this program to /nowhere/aigw: "),
            "{error}"
        );
    }
}
