use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::future::BoxFuture;
use parking_lot::Mutex;

use super::percent;
use crate::clock;
use crate::health::{Check, Finding};

/// Linux counts processor time for user space in hundredths of a second, whatever its own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// The processor time of the process since the check before, against what it may have: the quota of
/// its control group, or all processors. It degrades only: a busy service works.
///
/// On systems without `/proc` it is [unknown](crate::health::Status::Unknown).
#[derive(Debug)]
pub struct Cpu {
    max: f64,
    root: PathBuf,
    /// When, and how many seconds had been used.
    last: Mutex<Option<(Instant, f64)>>,
}

/// Degraded above 95 %.
impl Default for Cpu {
    fn default() -> Self {
        Self::above(0.95)
    }
}

impl Cpu {
    /// Degraded above this share, from 0 to 1.
    pub fn above(max: f64) -> Self {
        Self { max, root: "/".into(), last: Mutex::new(None) }
    }

    /// Reads `/proc` and `/sys` below another root.
    #[cfg(test)]
    pub(in crate::health) fn rooted(self, root: &Path) -> Self {
        Self { root: root.to_owned(), ..self }
    }

    fn find(&self) -> Finding {
        let Some(used) = used_seconds(&self.root) else {
            return Finding::unknown("the processor time of the process is not known on this system");
        };
        let cpus = quota(&self.root).unwrap_or_else(processors);
        let now = clock::now();
        let last = self.last.lock().replace((now, used));
        let elapsed = last.map(|(at, before)| ((now - at).as_secs_f64(), used - before));
        let Some((elapsed, used)) = elapsed.filter(|(elapsed, _)| *elapsed > 0.0) else {
            return Finding::healthy().message("measured from now on").detail("cpus", cpus);
        };
        let share = used / elapsed / cpus;
        let finding = if share > self.max {
            let (share, max) = (percent(share), percent(self.max));
            Finding::degraded(format!("{share} of the processor time is used, more than {max}"))
        } else {
            Finding::healthy()
        };
        finding.detail("used_share", share).detail("cpus", cpus).detail("threshold", self.max)
    }
}

impl Check for Cpu {
    fn check(&self) -> BoxFuture<'_, Finding> {
        Box::pin(async { self.find() })
    }
}

fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64)
}

/// The fields `utime` and `stime` of `/proc/self/stat`; the name before them may have spaces.
fn used_seconds(root: &Path) -> Option<f64> {
    let stat = std::fs::read_to_string(root.join("proc/self/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) as f64 / TICKS_PER_SECOND)
}

/// The processors that the control group may use: `cpu.max` of version 2.
fn quota(root: &Path) -> Option<f64> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let base = root.join("sys/fs/cgroup");
    let inner = base.join(path.trim_start_matches('/'));
    let groups = inner.ancestors().take_while(|group| group.starts_with(&base));
    let quotas = groups.filter_map(|group| {
        let text = std::fs::read_to_string(group.join("cpu.max")).ok()?;
        let (quota, period) = text.trim().split_once(' ')?;
        Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
    });
    quotas.filter(|quota| *quota > 0.0).min_by(f64::total_cmp)
}
