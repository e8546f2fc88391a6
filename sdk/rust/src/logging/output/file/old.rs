//! Files that were put aside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Compression;
use crate::logging::format::time::Moment;

/// This build cannot pack files like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compression `{name}` is not in this build, it needs the feature `{feature}`")]
pub struct NotInBuild {
    name: &'static str,
    feature: &'static str,
}

pub(super) fn check(compression: Compression) -> Result<(), NotInBuild> {
    match compression {
        Compression::Gzip if cfg!(not(feature = "gzip")) => {
            Err(NotInBuild { name: "gzip", feature: "logging" })
        }
        Compression::Zstd if cfg!(not(feature = "zstd")) => Err(NotInBuild { name: "zstd", feature: "zstd" }),
        _ => Ok(()),
    }
}

/// A name that nothing has, packed or not, and that sorts behind all others of its second.
pub(super) fn free_name(path: &Path, moment: Moment) -> PathBuf {
    let start = appended(path, &format!(".{}.", moment.compact()));
    let start = start.to_string_lossy();
    let number = |other: &PathBuf| {
        let other = other.to_string_lossy();
        other.strip_prefix(&*start)?.split('.').next()?.parse::<u32>().ok()
    };
    let taken = all(path).unwrap_or_default().iter().filter_map(number).max();
    let next = taken.map_or(0, |taken| taken + 1);
    appended(path, &format!(".{}.{next:04}", moment.compact()))
}

fn appended(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Those that are there, the oldest first.
fn all(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let start = format!("{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(&start));
        // Ours begin with the time; whatever else lies there is not touched.
        if rest.is_some_and(is_ours) {
            found.push(path.with_file_name(name));
        }
    }
    found.sort();
    Ok(found)
}

fn is_ours(rest: &str) -> bool {
    let mut parts = rest.split('.');
    let time = parts.next().unwrap_or_default();
    let number = parts.next().unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    time.len() == 15
        && time.split('T').all(digits)
        && digits(number)
        && matches!(parts.next(), None | Some("gz" | "zst" | "part"))
}

pub(super) fn delete_oldest(path: &Path, files_max: usize) -> io::Result<()> {
    let all = all(path)?;
    let surplus = all.len().saturating_sub(files_max);
    all.iter().take(surplus).try_for_each(fs::remove_file)
}

/// Replaces a file by a packed one. Until that is whole, the file stays.
pub(super) fn pack(path: &Path, compression: Compression) -> io::Result<()> {
    let end = match compression {
        Compression::None => return Ok(()),
        Compression::Gzip => ".gz",
        Compression::Zstd => ".zst",
    };
    let part = appended(path, ".part");
    let packed = fs::File::create(&part)?;
    write_packed(&mut fs::File::open(path)?, &packed, compression)?;
    packed.sync_data()?;
    fs::rename(&part, appended(path, end))?;
    fs::remove_file(path)
}

#[cfg_attr(
    not(any(feature = "gzip", feature = "zstd")),
    expect(unused_variables, reason = "nothing can be packed")
)]
fn write_packed(file: &mut fs::File, packed: &fs::File, compression: Compression) -> io::Result<()> {
    match compression {
        #[cfg(feature = "gzip")]
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::default());
            io::copy(file, &mut encoder)?;
            encoder.finish().map(drop)
        }
        #[cfg(feature = "zstd")]
        Compression::Zstd => zstd::stream::copy_encode(file, packed, 0),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}
