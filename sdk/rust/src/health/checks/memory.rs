use std::path::{Path, PathBuf};

use futures::future::BoxFuture;

use super::percent;
use crate::health::{Check, Finding};

/// The resident memory of the process against what it may have: the limit of its control group, or
/// the memory of the machine. Critical, as a process beyond its limit is ended.
///
/// On systems without `/proc` it is [unknown](crate::health::Status::Unknown).
#[derive(Clone, Debug)]
pub struct Memory {
    max: f64,
    root: PathBuf,
}

/// Unhealthy above 90 %.
impl Default for Memory {
    fn default() -> Self {
        Self::above(0.9)
    }
}

impl Memory {
    /// Unhealthy above this share, from 0 to 1.
    pub fn above(max: f64) -> Self {
        Self { max, root: "/".into() }
    }

    /// Reads `/proc` and `/sys` below another root.
    #[cfg(test)]
    pub(in crate::health) fn rooted(self, root: &Path) -> Self {
        Self { root: root.to_owned(), ..self }
    }

    fn find(&self) -> Finding {
        let Some(resident) = kib(&self.root.join("proc/self/status"), "VmRSS:") else {
            return Finding::unknown("the memory of the process is not known on this system");
        };
        let machine = kib(&self.root.join("proc/meminfo"), "MemTotal:");
        let group = group_limit(&self.root);
        // Without a limit, some systems tell a number that is larger than any memory.
        let Some(limit) = [machine, group].into_iter().flatten().min().filter(|limit| *limit > 0) else {
            return Finding::unknown("the limit of the memory is not known on this system");
        };
        let share = resident as f64 / limit as f64;
        let finding = if share > self.max {
            let (share, max) = (percent(share), percent(self.max));
            Finding::unhealthy(format!("{share} of the memory is used, more than {max}"))
        } else {
            Finding::healthy()
        };
        finding
            .detail("resident_bytes", resident)
            .detail("limit_bytes", limit)
            .detail("used_share", share)
            .detail("threshold", self.max)
    }
}

impl Check for Memory {
    fn check(&self) -> BoxFuture<'_, Finding> {
        // These files are in memory: reading them waits for nothing.
        Box::pin(async { self.find() })
    }
}

/// A line like `VmRSS:  123 kB`, in bytes.
fn kib(path: &Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let value: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    value.checked_mul(1024)
}

/// The limit of the control group of the process: that of version 2, else of version 1.
fn group_limit(root: &Path) -> Option<u64> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    groups.lines().find_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(':')?;
        let (base, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            "memory" => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        tightest(&root.join(base), path, file)
    })
}

/// The smallest number in files of this name, from the group up to the root. Inside a container
/// the path may be the one outside, of which only the root is seen.
fn tightest(base: &Path, path: &str, file: &str) -> Option<u64> {
    let inner = base.join(path.trim_start_matches('/'));
    let groups = inner.ancestors().take_while(|group| group.starts_with(base));
    let limits = groups.filter_map(|group| std::fs::read_to_string(group.join(file)).ok());
    limits.filter_map(|text| text.trim().parse().ok()).min()
}
