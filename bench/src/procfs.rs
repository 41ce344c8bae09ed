//! CPU time and memory of a process, as Linux reports them under `/proc/<pid>`.
//!
//! <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>,
//! <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>

use std::time::Duration;

use crate::failure::Failure;

/// `/proc` counts CPU time in units of 1/100 s on every Linux architecture (the kernel's `USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// User and system CPU time that all threads of a process have used, including those that have ended.
pub fn cpu_time(pid: u32) -> Result<Duration, Failure> {
    let stat = read(pid, "stat")?;
    let ticks = cpu_ticks(&stat).ok_or_else(|| unreadable(pid, "stat"))?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Resident memory of a process, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Resident now (`VmRSS`).
    pub resident_kib: u64,
    /// The most it ever was (`VmHWM`).
    pub peak_kib: u64,
}

/// Reads the resident memory of a process.
pub fn memory(pid: u32) -> Result<Memory, Failure> {
    let status = read(pid, "status")?;
    memory_fields(&status).ok_or_else(|| unreadable(pid, "status"))
}

/// Name of a process, of which the kernel keeps 15 bytes; `None` where there is no such process.
pub fn name(pid: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// A process of that name that another one has started.
pub fn child_named(parent: u32, wanted: &str) -> Result<Option<u32>, Failure> {
    let entries = std::fs::read_dir("/proc").map_err(Failure::system("/proc"))?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // One that ends while this looks is not the one.
    let is_child = |pid: &u32| read(*pid, "stat").is_ok_and(|stat| parent_of(&stat) == Some(parent));
    let mut children = pids.filter(is_child);
    Ok(children.find(|pid| name(*pid).is_some_and(|name| name == wanted)))
}

/// Field 4.
fn parent_of(stat: &str) -> Option<u32> {
    let (_, after_command) = stat.rsplit_once(')')?;
    after_command.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn read(pid: u32, file: &str) -> Result<String, Failure> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).map_err(Failure::system(path))
}

fn unreadable(pid: u32, file: &str) -> Failure {
    let source = std::io::Error::from(std::io::ErrorKind::InvalidData);
    Failure::System {
        what: format!("/proc/{pid}/{file}"),
        source,
    }
}

/// `utime + stime`, fields 14 and 15. Field 2 is the command in parentheses and may itself hold spaces and
/// parentheses, so fields are counted from the last one.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_command) = stat.rsplit_once(')')?;
    let mut fields = after_command.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn memory_fields(status: &str) -> Option<Memory> {
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some(Memory {
        resident_kib: field("VmRSS:")?,
        peak_kib: field("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Memory, child_named, cpu_ticks, memory, memory_fields};

    #[test]
    fn ticks_are_fields_14_and_15_whatever_the_command_is() {
        let tail = "S 1 42 42 0 -1 4194560 901 0 3 0 157 68 11 12 20 0 3 0 8811 250 90";
        assert_eq!(cpu_ticks(&format!("42 (aigw) {tail}")), Some(225));
        assert_eq!(cpu_ticks(&format!("42 (a ) (b 7) {tail}")), Some(225));
        assert_eq!(cpu_ticks("42 (aigw) S 1 42"), None);
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn memory_is_found_by_name() {
        let status = "Name:\taigw\nVmPeak:\t  900 kB\nVmHWM:\t   14336 kB\nVmRSS:\t   12040 kB\n";
        assert_eq!(
            memory_fields(status),
            Some(Memory {
                resident_kib: 12040,
                peak_kib: 14336
            })
        );
        assert_eq!(memory_fields("Name:\taigw\nVmRSS:\t 1 kB\n"), None);
    }

    #[test]
    fn this_very_process_is_readable() {
        let own = memory(std::process::id()).unwrap();
        assert!(
            own.resident_kib > 0 && own.peak_kib >= own.resident_kib,
            "{own:?}"
        );
    }

    #[test]
    fn a_child_is_found_by_its_name() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let found = child_named(std::process::id(), "sleep").unwrap();
        let nobody = child_named(std::process::id(), "envoy").unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((found, nobody), (Some(child.id()), None));
    }
}
