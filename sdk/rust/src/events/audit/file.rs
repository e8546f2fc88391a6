//! The file that is written, and those that were put aside.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::line::{self, Last};
use super::{AuditError, AuditFile, AuditFormat};
use crate::events::Event;
use crate::logging::compact_date;

/// So much of the end of a file is searched for its last line: more than the longest has.
const TAIL_BYTES: u64 = 4 << 20;
/// The files that the bound is divided into, at least.
const PARTS: u64 = 8;

pub(super) struct Files {
    path: PathBuf,
    format: AuditFormat,
    bytes_max: u64,
    /// None when it could not be opened again; the next line tries.
    open: Option<Open>,
}

struct Open {
    file: File,
    length: u64,
    /// Of its events; none while it has none.
    day: Option<String>,
}

/// What was deleted.
#[derive(Default)]
pub(super) struct Swept {
    pub(super) expired: u64,
    pub(super) evicted: u64,
    pub(super) error: Option<io::Error>,
}

impl Files {
    /// Opens or makes it, without what a crash left at its end.
    pub(super) fn open(file: &AuditFile, format: AuditFormat) -> Result<(Self, Option<Last>), AuditError> {
        let bytes_max = file.bytes_max.bytes();
        if bytes_max < AuditFile::BYTES_MIN {
            return Err(AuditError::Bound(bytes_max));
        }
        let mut files = Self { path: file.path.clone(), format, bytes_max, open: None };
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::WouldBlock => AuditError::InUse(file.path.clone()),
            _ => AuditError::Io { path: file.path.clone(), source },
        };
        let last = files.reopen().map_err(failed)?;
        let last = last.map_or_else(|| files.last_aside(), |last| Ok(Some(last))).map_err(failed)?;
        Ok((files, last))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last event in the file.
    fn reopen(&mut self) -> io::Result<Option<Last>> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
            TryLockError::Error(error) => error,
        })?;
        let metadata = file.metadata()?;
        // A device or a pipe has nothing to go on from.
        let length = if metadata.is_file() { metadata.len() } else { 0 };
        let Tail { last, end, torn } = tail(&mut file, length)?;
        let last = last.filter(|(_, format)| *format == self.format && torn).map(|(last, _)| last);
        if length > 0 && last.is_none() {
            // It is of another format, or of somebody else: nothing of it is lost.
            self.open = Some(Open { file, length, day: Some(compact_date(metadata.modified()?)) });
            self.put_aside()?;
            return self.reopen();
        }
        if end < length {
            file.set_len(end)?;
        }
        self.open = Some(Open { file, length: end, day: last.as_ref().map(|last| last.day.clone()) });
        Ok(last)
    }

    fn last_aside(&self) -> io::Result<Option<Last>> {
        let Some((_, newest)) = self.aside()?.pop() else { return Ok(None) };
        let mut file = File::open(newest)?;
        let length = file.metadata()?.len();
        Ok(tail(&mut file, length)?.last.map(|(last, _)| last))
    }

    /// Writes a line as a whole, in the file of its day. True if another was put aside for that.
    pub(super) fn append(&mut self, event: &Event, time: SystemTime) -> io::Result<bool> {
        let (line, day) = (line::of(self.format, event, time), compact_date(time));
        if self.open.is_none() {
            self.reopen()?;
        }
        let due = self.open.as_ref().is_some_and(|open| {
            let full = open.length + line.len() as u64 > self.bytes_max / PARTS;
            // A clock that was set back begins no new day.
            open.day.as_ref().is_some_and(|own| full || *own < day)
        });
        if due {
            self.put_aside()?;
            self.reopen()?;
        }
        let Some(open) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        let head = if open.length == 0 { line::head(self.format) } else { "" };
        let bytes = format!("{head}{line}");
        if let Err(error) = open.file.write_all(bytes.as_bytes()) {
            // What a full disk cut off is taken back. What is no file has no length.
            let _ = open.file.set_len(open.length);
            return Err(error);
        }
        open.length += bytes.len() as u64;
        open.day = open.day.take().max(Some(day));
        Ok(due)
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        open.file.sync_data()?;
        let day = open.day.unwrap_or_default();
        let of_day = self.aside()?.into_iter().filter(|((other, _), _)| *other == day);
        let next = of_day.map(|((_, number), _)| number + 1).max().unwrap_or(0);
        fs::rename(&self.path, appended(&self.path, &format!(".{day}.{next:04}")))
    }

    /// Those put aside, by day and number, the oldest first.
    fn aside(&self) -> io::Result<Vec<((String, u32), PathBuf)>> {
        let folder = self.path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let start = appended(Path::new(self.path.file_name().unwrap_or_default()), ".");
        let start = start.to_string_lossy();
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let parts = name.strip_prefix(&*start).and_then(|rest| rest.split_once('.'));
            let Some((day, number)) = parts else { continue };
            let is_day = day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit());
            if let Some(number) = number.parse().ok().filter(|_| is_day) {
                found.push(((day.to_owned(), number), entry.path()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Deletes files of which every event is older than `cutoff`, and the oldest if all are too much.
    pub(super) fn sweep(&mut self, cutoff: SystemTime) -> Swept {
        let mut swept = Swept::default();
        swept.error = self.try_sweep(&compact_date(cutoff), &mut swept).err();
        swept
    }

    fn try_sweep(&mut self, cutoff: &str, swept: &mut Swept) -> io::Result<()> {
        let own = self.open.as_ref().and_then(|open| open.day.as_deref());
        if own.is_some_and(|day| day < cutoff) {
            self.put_aside()?;
            self.reopen()?;
        }
        let mut left = Vec::new();
        for ((day, _), path) in self.aside()? {
            if *day < *cutoff {
                fs::remove_file(&path)?;
                swept.expired += 1;
            } else {
                left.push((fs::metadata(&path)?.len(), path));
            }
        }
        let written = self.open.as_ref().map_or(0, |open| open.length);
        let mut bytes = written + left.iter().map(|(length, _)| length).sum::<u64>();
        // Room for the file that is written, which may become as large as any.
        let room = self.bytes_max - self.bytes_max / PARTS;
        for (length, path) in left {
            if bytes - written <= room {
                break;
            }
            fs::remove_file(&path)?;
            bytes -= length;
            swept.evicted += 1;
        }
        Ok(())
    }
}

fn appended(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The end of a file.
struct Tail {
    /// The last event in it.
    last: Option<(Last, AuditFormat)>,
    /// Where its line ends.
    end: u64,
    /// Whether what follows, if anything does, is what a crash left of a line.
    torn: bool,
}

fn tail(file: &mut File, length: u64) -> io::Result<Tail> {
    if length == 0 {
        return Ok(Tail { last: None, end: 0, torn: true });
    }
    let start = length.saturating_sub(TAIL_BYTES);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(match line::last(&bytes) {
        Some((last, format, end)) => {
            let torn = !bytes[end..].contains(&b'\n');
            Tail { last: Some((last, format)), end: start + end as u64, torn }
        }
        None => Tail { last: None, end: 0, torn: false },
    })
}
