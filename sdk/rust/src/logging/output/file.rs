//! Lines in a file that is put aside when it is large or the day is over.

mod old;

pub use self::old::NotInBuild;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Formatted, Output, WriteError, of_system};
use crate::config::ByteSize;
use crate::logging::format::time::Moment;

/// After a file could not be put aside, as long none is.
const ROTATION_PAUSE: Duration = Duration::from_secs(60);

/// How files that are put aside are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// They stay as they are.
    #[default]
    None,
    /// Needs the feature `logging`.
    Gzip,
    /// Needs the feature `zstd`.
    Zstd,
}

/// When a file is put aside, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A line that would make it larger goes to a new file.
    pub bytes_max: Option<ByteSize>,
    /// The first line of a day (UTC) goes to a new file.
    pub daily: bool,
    /// So many are kept besides the one that is written; older ones are deleted.
    pub files_max: usize,
    /// How they are packed.
    pub compression: Compression,
}

impl Default for Rotation {
    fn default() -> Self {
        let bytes_max = Some(ByteSize::mib(100));
        Self { bytes_max, daily: false, files_max: 10, compression: Compression::None }
    }
}

/// Lines in a file. Those put aside have the time of that in their names: `app.log.20261127T021753`.
///
/// Others may append to it, move it away, delete it or empty it meanwhile, as `logrotate` does. Where
/// it cannot be put aside, it is written on.
#[derive(Debug)]
pub struct File {
    name: String,
    path: PathBuf,
    rotation: Rotation,
    open: Option<Open>,
    packing: Option<JoinHandle<io::Result<()>>>,
    /// What went wrong with files that are put aside.
    trouble: Option<String>,
    /// None is before the line of this time.
    aside_from: Option<SystemTime>,
}

#[derive(Debug)]
struct Open {
    file: fs::File,
    length: u64,
    /// A line before was cut off.
    torn: bool,
    /// The day of the last line.
    date: Option<(u64, u64, u64)>,
}

impl File {
    /// At this path; folders are made. It is opened by the first line.
    ///
    /// # Errors
    /// This build cannot pack files like that.
    pub fn new(path: impl Into<PathBuf>, rotation: Rotation) -> Result<Self, NotInBuild> {
        old::check(rotation.compression)?;
        let path = path.into();
        let name = format!("file {}", path.display());
        Ok(Self { name, path, rotation, open: None, packing: None, trouble: None, aside_from: None })
    }

    fn open(&mut self) -> io::Result<&mut Open> {
        if self.open.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            let metadata = file.metadata()?;
            let length = if metadata.is_file() { metadata.len() } else { 0 };
            let date = metadata.modified().ok().filter(|_| length > 0).map(|at| Moment::of(at).date());
            let torn = length > 0 && ends_torn(&self.path, length);
            self.open = Some(Open { file, length, torn, date });
        }
        self.open.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Sees what others did with the file since: it was moved or deleted, or is of another length.
    fn look(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        match fs::metadata(&self.path) {
            Ok(there) if is_same(&open.file, &there)? => {
                open.length = if there.is_file() { there.len() } else { 0 };
                Ok(())
            }
            Ok(_) => {
                self.open = None;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.open = None;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether it is not too early to try again to put the file aside.
    fn may_rotate(&self, line: &Formatted) -> bool {
        self.aside_from.is_none_or(|from| line.entry.time >= from)
    }

    /// Whether a line belongs to a new file; so many bytes wait to be written before it.
    fn is_due(&mut self, line: &Formatted, waiting: u64) -> io::Result<bool> {
        let (daily, bytes_max) = (self.rotation.daily, self.rotation.bytes_max);
        let date = Moment::of(line.entry.time).date();
        let may = self.may_rotate(line);
        let open = self.open()?;
        let length = open.length + waiting;
        let full = bytes_max.is_some_and(|max| length + line.line.len() as u64 + 1 > max.bytes());
        let over = daily && open.date.is_some_and(|last| last < date);
        Ok(length > 0 && (full || over) && may)
    }

    fn rotate(&mut self, line: &Formatted) -> io::Result<()> {
        if let Some(open) = self.open.take() {
            open.file.sync_data()?;
        }
        let aside = old::free_name(&self.path, Moment::of(line.entry.time));
        if let Err(error) = fs::rename(&self.path, &aside) {
            // It may be mounted, or the folder not be ours: better one large file than none.
            self.trouble = Some(format!("cannot put files aside: {error}"));
            self.aside_from = Some(line.entry.time + ROTATION_PAUSE);
            return Ok(());
        }
        self.aside_from = None;
        self.finish_packing();
        let (path, rotation) = (self.path.clone(), self.rotation.clone());
        // Beside the writing, which must not wait for it.
        let packing = std::thread::Builder::new().name("log-pack".into());
        let spawned = packing.spawn(move || {
            let packed = old::pack(&aside, rotation.compression);
            old::delete_oldest(&path, rotation.files_max).and(packed)
        });
        self.packing = Some(spawned?);
        Ok(())
    }

    fn finish_packing(&mut self) {
        let Some(packing) = self.packing.take() else { return };
        let result = packing.join().unwrap_or_else(|_| Err(io::Error::other("packing panicked")));
        self.trouble = result.err().map(|error| format!("cannot put files aside: {error}"));
    }

    /// Lines of one file are written together.
    fn write_from(&mut self, batch: &[Formatted], done: &mut usize) -> io::Result<()> {
        self.look()?;
        let mut waiting = 0;
        for (place, line) in batch.iter().enumerate() {
            let before = &batch[*done..place];
            let next_day = self.rotation.daily && differ(before, line) && self.may_rotate(line);
            if self.is_due(line, waiting)? || next_day {
                self.append(batch, place, done)?;
                waiting = 0;
                self.rotate(line)?;
            }
            waiting += line.line.len() as u64 + 1;
        }
        self.append(batch, batch.len(), done)
    }

    /// Writes lines up to a place. When a full disk cuts one off, those before it are done. The part
    /// stays, as others may have written after it, and is a line of its own.
    fn append(&mut self, batch: &[Formatted], to: usize, done: &mut usize) -> io::Result<()> {
        let batch = &batch[*done..to];
        let Some(last) = batch.last() else { return Ok(()) };
        let date = Moment::of(last.entry.time).date();
        let open = self.open()?;
        if open.torn {
            open.file.write_all(b"\n")?;
            open.torn = false;
        }
        let lines = lines(batch);
        let (written, outcome) = write_as_far_as_it_goes(&open.file, &lines);
        open.length += written as u64;
        if let Err(error) = outcome {
            *done += whole_lines(batch, written);
            return Err(error);
        }
        open.date = Some(date);
        *done = to;
        Ok(())
    }
}

impl Output for File {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError> {
        let mut done = 0;
        self.write_from(batch, &mut done).map_err(|error| {
            let left = (done..batch.len()).collect();
            // It may have been moved or deleted: the next attempt opens it anew.
            self.open = None;
            of_system(&format!("cannot write to {}", self.path.display()), &error).with_left(left, 0)
        })
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let Some(open) = &self.open else { return Ok(()) };
        let synced = open.file.sync_data();
        // Devices and pipes cannot be synced.
        let synced = synced.or_else(|error| match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Ok(()),
            _ => Err(error),
        });
        synced.map_err(|error| WriteError::permanent(format!("cannot sync {}: {error}", self.path.display())))
    }

    fn health(&self) -> Result<(), String> {
        self.trouble.clone().map_or(Ok(()), Err)
    }

    fn close(&mut self) -> Result<(), WriteError> {
        let flushed = self.flush();
        self.finish_packing();
        self.open = None;
        flushed
    }

    fn is_remote(&self) -> bool {
        false
    }
}

/// Writes bytes, and says how many of them.
fn write_as_far_as_it_goes(mut file: &fs::File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// How many lines so many bytes hold, each with its end.
fn whole_lines(batch: &[Formatted], bytes: usize) -> usize {
    let ends = batch.iter().scan(0, |end, it| {
        *end += it.line.len() + 1;
        Some(*end)
    });
    ends.take_while(|end| *end <= bytes).count()
}

/// Whether the last line has no end. One that cannot be read counts as whole.
fn ends_torn(path: &Path, length: u64) -> bool {
    let last = || -> io::Result<u8> {
        let mut file = fs::File::open(path)?;
        file.seek(io::SeekFrom::Start(length - 1))?;
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        Ok(byte[0])
    };
    last().is_ok_and(|last| last != b'\n')
}

/// Whether a file that is open is the one at its path.
#[cfg(unix)]
fn is_same(open: &fs::File, there: &fs::Metadata) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let own = open.metadata()?;
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

/// Elsewhere a file that is open can be neither moved nor deleted.
#[cfg(not(unix))]
fn is_same(_: &fs::File, _: &fs::Metadata) -> io::Result<bool> {
    Ok(true)
}

/// Whether a line is of another day than the lines before it.
fn differ(before: &[Formatted], line: &Formatted) -> bool {
    let date = |it: &Formatted| Moment::of(it.entry.time).date();
    before.last().is_some_and(|last| date(last) < date(line))
}

/// The lines of a batch, each with its end.
pub(super) fn lines(batch: &[Formatted]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(batch.iter().map(|it| it.line.len() + 1).sum());
    for it in batch {
        bytes.extend_from_slice(&it.line);
        bytes.push(b'\n');
    }
    bytes
}

/// Whether a path could be that of a file.
pub(in crate::logging) fn is_path(path: &Path) -> bool {
    path.file_name().is_some()
}
