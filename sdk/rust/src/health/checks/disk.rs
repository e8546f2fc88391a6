use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;

use super::percent;
use crate::health::{Check, Finding};

/// The disk on which a folder is, such as that of the data. Critical, as nothing can be kept on a
/// full one.
#[derive(Clone, Debug)]
pub struct Disk {
    path: PathBuf,
    max: f64,
    /// A look that hangs cannot be cut off: there is one at a time.
    looking: Arc<AtomicBool>,
}

/// Of a disk, in bytes.
#[derive(Clone, Copy, Debug)]
struct Space {
    total: u64,
    available: u64,
}

impl Disk {
    /// Unhealthy above 95 %.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max: 0.95, looking: Arc::default() }
    }

    /// Unhealthy above this share, from 0 to 1.
    #[must_use]
    pub fn above(self, max: f64) -> Self {
        Self { max, ..self }
    }

    fn judge(&self, space: Space) -> Finding {
        let share = if space.total == 0 { 1.0 } else { 1.0 - space.available as f64 / space.total as f64 };
        let finding = if share > self.max {
            let (share, max) = (percent(share), percent(self.max));
            Finding::unhealthy(format!("{share} of the disk is used, more than {max}"))
        } else {
            Finding::healthy()
        };
        finding
            .detail("path", self.path.display().to_string())
            .detail("total_bytes", space.total)
            .detail("available_bytes", space.available)
            .detail("used_share", share)
            .detail("threshold", self.max)
    }
}

impl Check for Disk {
    fn check(&self) -> BoxFuture<'_, Finding> {
        Box::pin(async {
            if self.looking.swap(true, Ordering::AcqRel) {
                return Finding::failed("the look before still hangs");
            }
            let (path, looking) = (self.path.clone(), self.looking.clone());
            let look = move || {
                let space = space(&path);
                looking.store(false, Ordering::Release);
                space
            };
            // A disk over a network may not answer: that must not hold a thread of the runtime.
            let space = match tokio::runtime::Handle::try_current() {
                Ok(runtime) => runtime.spawn_blocking(look).await.map_err(std::io::Error::other),
                Err(_) => Ok(look()),
            };
            match space.and_then(|space| space) {
                Ok(space) => self.judge(space),
                Err(error) => Finding::failed(error).detail("path", self.path.display().to_string()),
            }
        })
    }
}

#[cfg(unix)]
fn space(path: &std::path::Path) -> std::io::Result<Space> {
    let stat = rustix::fs::statvfs(path)?;
    // What is kept for the administrator cannot be used: it counts neither way, as `df` has it.
    let kept = stat.f_bfree.saturating_sub(stat.f_bavail);
    let total = stat.f_blocks.saturating_sub(kept).saturating_mul(stat.f_frsize);
    Ok(Space { total, available: stat.f_bavail.saturating_mul(stat.f_frsize) })
}

#[cfg(not(unix))]
fn space(_: &std::path::Path) -> std::io::Result<Space> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "the disk is not known on this system"))
}
