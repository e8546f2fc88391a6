//! What came out, for people.

use std::fmt;
use std::path::{Path, PathBuf};

use super::run::{Subject, Verdict, run};
use super::script;

/// The verdicts of some files.
#[derive(Debug, Default)]
pub(crate) struct Report {
    verdicts: Vec<(String, Verdict)>,
    /// Files that could not be run.
    broken: Vec<String>,
}

/// The `.test` files of a directory, by name.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "test"));
    files.sort();
    assert!(!files.is_empty(), "no .test files in {}", directory.display());
    files
}

pub(crate) fn name(file: &Path) -> &str {
    file.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// What a subject makes of a file.
pub(crate) fn of_file(file: &Path, subject: &mut impl Subject) -> Report {
    let name = name(file);
    let mut report = Report::default();
    let verdicts = std::fs::read_to_string(file)
        .map_err(|error| error.to_string())
        .and_then(|text| script::parse(&text))
        .and_then(|commands| run(&commands, subject));
    match verdicts {
        Ok(verdicts) => {
            report.verdicts.extend(verdicts.into_iter().map(|verdict| (name.to_owned(), verdict)))
        }
        Err(error) => report.broken.push(format!("{name}: {error}")),
    }
    report
}

impl FromIterator<Report> for Report {
    fn from_iter<T: IntoIterator<Item = Report>>(reports: T) -> Self {
        let mut all = Report::default();
        for report in reports {
            all.verdicts.extend(report.verdicts);
            all.broken.extend(report.broken);
        }
        all
    }
}

impl Report {
    /// # Panics
    /// When something differs that is not known to. Also when something known is as expected by now.
    #[track_caller]
    pub(crate) fn assert_clean(&self, known: &[(&str, usize, &str)]) {
        let is_known = |file: &str, line: usize| known.iter().any(|entry| (entry.0, entry.1) == (file, line));
        let mut faults = self.broken.clone();
        for (file, verdict) in &self.verdicts {
            let place = format!("{file}:{}", verdict.line);
            match (verdict.fault(), is_known(file, verdict.line)) {
                (Some(fault), false) => faults.push(format!("{place}: {}\n    {fault}", verdict.query)),
                (None, true) => faults.push(format!("{place}: is as expected and need not be excused")),
                _ => {}
            }
        }
        assert!(faults.is_empty(), "{self}\n{}\n{self}", faults.join("\n"));
    }
}

impl Verdict {
    fn fault(&self) -> Option<&str> {
        self.plain.as_ref().err().or(self.variants.as_ref().err()).map(String::as_str)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.verdicts.len();
        let plain = self.verdicts.iter().filter(|(_, verdict)| verdict.plain.is_ok()).count();
        let whole = self.verdicts.iter().filter(|(_, verdict)| verdict.fault().is_none()).count();
        write!(formatter, "{plain} evaluations of {all} pass ({whole} with variants)")?;
        match self.broken.len() {
            0 => Ok(()),
            broken => write!(formatter, "; {broken} files cannot be run"),
        }
    }
}
