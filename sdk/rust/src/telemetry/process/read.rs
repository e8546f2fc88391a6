//! Linux's files about the process and the machine.

use std::path::PathBuf;

/// Linux counts processor time for user space in hundredths of a second, whatever its own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads below a root, so that tests have machines of their own.
pub(super) struct Reading {
    pub(super) root: PathBuf,
}

impl Default for Reading {
    fn default() -> Self {
        Self { root: "/proc".into() }
    }
}

impl Reading {
    fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }

    /// The fields of `self/stat` behind the name, which may have spaces.
    fn stat(&self, index: usize) -> Option<f64> {
        let stat = self.text("self/stat")?;
        let (_, fields) = stat.rsplit_once(')')?;
        fields.split_whitespace().nth(index)?.parse().ok()
    }

    /// Seconds in user space and in the kernel.
    pub(super) fn cpu_seconds(&self) -> Option<[f64; 2]> {
        Some([self.stat(11)? / TICKS_PER_SECOND, self.stat(12)? / TICKS_PER_SECOND])
    }

    /// Seconds since the process began.
    pub(super) fn uptime(&self) -> Option<f64> {
        let since_boot: f64 = self.text("uptime")?.split_whitespace().next()?.parse().ok()?;
        Some((since_boot - self.stat(19)? / TICKS_PER_SECOND).max(0.0))
    }

    /// The number of a line of `self/status`; of memory in KiB.
    pub(super) fn status(&self, field: &str) -> Option<u64> {
        number(&self.text("self/status")?, field)
    }

    /// The number of a line of `meminfo`, in KiB.
    pub(super) fn memory(&self, field: &str) -> Option<u64> {
        number(&self.text("meminfo")?, field)
    }

    pub(super) fn file_descriptors(&self) -> Option<u64> {
        // The one that reads is not counted.
        let open = std::fs::read_dir(self.root.join("self/fd")).ok()?.count();
        Some(open.saturating_sub(1) as u64)
    }

    /// Tasks that run or want to, over a minute.
    pub(super) fn load(&self) -> Option<f64> {
        self.text("loadavg")?.split_whitespace().next()?.parse().ok()
    }
}

fn number(text: &str, field: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| *name == field)?;
    value.split_whitespace().next()?.parse().ok()
}
