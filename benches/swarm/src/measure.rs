//! What `/proc` tells of processes: seconds of CPU, memory, bytes on the wire. Linux only.

use std::fs;

use rustix::param::clock_ticks_per_second;

/// KiB of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The most that was ever resident, mapped files included (VmHWM).
    pub peak_kib: u64,
    /// Resident now.
    pub resident_kib: u64,
    /// Resident now and backed by no file.
    pub anonymous_kib: u64,
}

/// `pid` and all that it started and that they started.
pub fn family(pid: u32) -> Vec<u32> {
    let (mut found, mut todo) = (Vec::new(), vec![pid]);
    while let Some(pid) = todo.pop() {
        found.push(pid);
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            todo.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    found
}

/// Seconds of CPU, user and system, of a process and its family, the dead ones included that somebody waited for. A process
/// that has ended counts for as long as nobody waited for it.
pub fn cpu_seconds(pid: u32) -> f64 {
    let ticks = |pid| fs::read_to_string(format!("/proc/{pid}/stat")).map_or(0, |stat| ticks_of(&stat));
    seconds(family(pid).into_iter().map(ticks).sum())
}

/// Whether a process has ended, waited for or not.
pub fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    matches!(after_name(&stat).next(), None | Some("Z" | "X"))
}

/// Memory of a process and its family.
pub fn memory(pid: u32) -> Memory {
    let statuses =
        family(pid).into_iter().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
    statuses.map(|status| memory_of(&status)).fold(Memory::default(), |sum, one| Memory {
        peak_kib: sum.peak_kib + one.peak_kib,
        resident_kib: sum.resident_kib + one.resident_kib,
        anonymous_kib: sum.anonymous_kib + one.anonymous_kib,
    })
}

/// Bytes that left by `eth0` of the network that a process is in, frames and all.
pub fn sent_bytes(pid: u32) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/net/dev")).map_or(0, |table| sent_of(&table))
}

/// Seconds of CPU that the whole machine has spent working for processes, interrupts left out.
pub fn machine_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    seconds(ticks.iter().take(3).sum())
}

fn seconds(ticks: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let seconds = ticks as f64 / clock_ticks_per_second() as f64;
    seconds
}

/// What follows the name in `stat`, which may hold blanks and brackets itself.
fn after_name(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace()
}

/// utime, stime, cutime and cstime (proc(5)).
fn ticks_of(stat: &str) -> u64 {
    after_name(stat).skip(11).take(4).filter_map(|word| word.parse::<u64>().ok()).sum()
}

fn memory_of(status: &str) -> Memory {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Memory { peak_kib: field("VmHWM"), resident_kib: field("VmRSS"), anonymous_kib: field("RssAnon") }
}

fn sent_of(table: &str) -> u64 {
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix("eth0:"));
    line.and_then(|rest| rest.split_whitespace().nth(8)?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_name_with_blanks_and_brackets() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0 1 0";
        assert_eq!(ticks_of(stat), 127);
    }

    #[test]
    fn memory_is_read_from_status() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\nRssAnon:\t   512 kB\n";
        assert_eq!(memory_of(status), Memory { peak_kib: 2048, resident_kib: 1024, anonymous_kib: 512 });
    }

    #[test]
    fn sent_bytes_are_the_ninth_figure_of_eth0() {
        let table =
            "Inter-| Receive\n face |bytes\n    lo: 1 2 3 4 5 6 7 8 9\n  eth0: 1 2 3 4 5 6 7 8 4711 10\n";
        assert_eq!(sent_of(table), 4711);
    }

    #[test]
    fn we_ourselves_have_memory_and_have_not_ended() {
        let own = std::process::id();
        assert!(memory(own).peak_kib > 0 && !has_ended(own));
        assert!(family(own).contains(&own));
    }
}
