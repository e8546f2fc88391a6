//! Where targets come from: the configuration, files, servers.
//!
//! Enters: a job. Leaves: groups of targets, again whenever they change. Must hold: what cannot be
//! read leaves what was there; a file that is gone has no targets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::{Client, Url};
use serde_json::Value;
use tokio::time::Instant;

use super::config::{FileSd, Group, HttpSd, Job};
use super::fetch::{Access, Asked, fetch};
use super::labels::Labels;
use crate::intake::Intake;

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a server may take to tell its targets.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);
/// Files that one pattern may name.
const FILES_MAX: usize = 1_000;
const JSON: &str = "application/json";

/// A group, and what its discovery says of it.
pub(super) type Found = (Group, Labels);

/// All discoveries of a job.
pub(super) struct Discovery {
    fixed: Vec<Found>,
    files: Vec<Files>,
    servers: Vec<Server>,
}

struct Files {
    config: FileSd,
    /// What is known of each file, with what it looked like when it was read.
    known: BTreeMap<PathBuf, (Option<Mark>, Vec<Found>)>,
    look_at: Instant,
    read_at: Instant,
}

type Mark = (Option<SystemTime>, u64);

struct Server {
    config: HttpSd,
    url: Url,
    client: Client,
    found: Vec<Found>,
    ask_at: Instant,
    failing: bool,
}

impl Discovery {
    /// What a job says.
    ///
    /// # Errors
    /// A server that cannot be asked at all.
    pub(super) fn new(job: &Job) -> Result<Self, String> {
        let now = Instant::now();
        let server = |config: &HttpSd| -> Result<Server, String> {
            let url = Url::parse(&config.url).map_err(|error| format!("{}: {error}", config.url))?;
            let client = Access::from(config).client(&url)?;
            Ok(Server { config: config.clone(), url, client, found: Vec::new(), ask_at: now, failing: false })
        };
        let files = |config: &FileSd| Files {
            config: config.clone(),
            known: BTreeMap::new(),
            look_at: now,
            read_at: now,
        };
        Ok(Self {
            fixed: job.static_configs.iter().map(|group| (group.clone(), Labels::default())).collect(),
            files: job.file_sd_configs.iter().map(files).collect(),
            servers: job.http_sd_configs.iter().map(server).collect::<Result<_, _>>()?,
        })
    }

    /// What is known now.
    pub(super) fn groups(&self) -> Vec<Found> {
        let files = self.files.iter().flat_map(|files| files.known.values()).flat_map(|(_, found)| found);
        let servers = self.servers.iter().flat_map(|server| &server.found);
        self.fixed.iter().chain(files).chain(servers).cloned().collect()
    }

    /// Reads all files and asks all servers once.
    pub(super) async fn first(&mut self, intake: &Intake) {
        for files in &mut self.files {
            tokio::task::block_in_place(|| files.look());
        }
        for server in &mut self.servers {
            server.ask(intake).await;
        }
    }

    /// Waits until something is another one than it was. May be dropped and called again.
    pub(super) async fn changed(&mut self, intake: &Intake) {
        loop {
            let files = self.files.iter().map(|files| files.look_at);
            let Some(next) = files.chain(self.servers.iter().map(|server| server.ask_at)).min() else {
                return std::future::pending().await;
            };
            tokio::time::sleep_until(next).await;
            let mut changed = false;
            for files in self.files.iter_mut().filter(|files| files.look_at <= next) {
                changed |= tokio::task::block_in_place(|| files.look());
            }
            for server in self.servers.iter_mut().filter(|server| server.ask_at <= next) {
                changed |= server.ask(intake).await;
            }
            if changed {
                return;
            }
        }
    }
}

impl Files {
    /// Reads what changed; whether targets did.
    fn look(&mut self) -> bool {
        let now = Instant::now();
        self.look_at = now + LOOK_EVERY;
        let all = now >= self.read_at;
        if all {
            self.read_at = now + self.config.refresh_interval.get();
        }
        let paths: Vec<PathBuf> = self.config.files.iter().flat_map(|pattern| matching(pattern)).collect();
        let before = self.known.len();
        self.known.retain(|path, _| paths.contains(path));
        let mut changed = self.known.len() != before;
        for path in paths {
            let mark = mark(&path);
            let known = self.known.get(&path);
            if !all && known.is_some_and(|(seen, _)| *seen == mark) {
                continue;
            }
            let old = known.map(|(_, found)| found.clone()).unwrap_or_default();
            let new = match read(&path) {
                Ok(found) => found,
                Err(reason) => {
                    let file = path.display();
                    tracing::warn!(%file, error = %reason, "keep the targets that a file had before");
                    old.clone()
                }
            };
            changed |= new != old;
            self.known.insert(path, (mark, new));
        }
        changed
    }
}

/// What changes when a file does.
fn mark(path: &Path) -> Option<Mark> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok(), metadata.len()))
}

/// The files that a pattern names, ascending.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let path = Path::new(pattern);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((start, end)) = name.split_once('*') else {
        return if path.exists() { vec![path.to_owned()] } else { Vec::new() };
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let fits = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(fits).collect();
    found.sort();
    found.truncate(FILES_MAX);
    found
}

fn read(path: &Path) -> Result<Vec<Found>, String> {
    let value = fresnel_sdk::config::read_value(path).map_err(|error| error.to_string())?;
    let groups = groups(&value)?;
    let meta: Labels = [("__meta_filepath", path.to_string_lossy())].into_iter().collect();
    Ok(groups.into_iter().map(|group| (group, meta.clone())).collect())
}

impl Server {
    /// Asks for the targets; whether they are other ones.
    async fn ask(&mut self, intake: &Intake) -> bool {
        let asked = Asked {
            url: &self.url,
            accept: JSON,
            compressed: true,
            bytes_max: 0,
            timeout: HTTP_TIMEOUT.min(self.config.refresh_interval.get()),
        };
        let answered = fetch(&self.client, Access::from(&self.config), &asked, intake).await;
        self.ask_at = Instant::now() + self.config.refresh_interval.get();
        let found = answered.and_then(|fetched| {
            let value =
                serde_json::from_slice(fetched.body()).map_err(|error| format!("no JSON: {error}"))?;
            groups(&value)
        });
        match found {
            Ok(groups) => {
                self.failing = false;
                let meta: Labels = [("__meta_url", self.url.as_str())].into_iter().collect();
                let found: Vec<Found> = groups.into_iter().map(|group| (group, meta.clone())).collect();
                let changed = found != self.found;
                self.found = found;
                changed
            }
            Err(reason) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(url = %self.config.url, error = %reason, "keep the targets that a server told before");
                }
                false
            }
        }
    }
}

/// Groups as both kinds of discovery write them.
fn groups(value: &Value) -> Result<Vec<Group>, String> {
    let list = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err("must be a list of groups with `targets` and `labels`".into()),
    };
    list.iter().map(group).collect()
}

fn group(value: &Value) -> Result<Group, String> {
    let table = value.as_object().ok_or("a group must have `targets` and perhaps `labels`")?;
    if let Some(key) = table.keys().find(|key| !matches!(key.as_str(), "targets" | "labels")) {
        return Err(format!("a group has `targets` and `labels`, not `{key}`"));
    }
    let targets = table.get("targets").and_then(Value::as_array).ok_or("a group needs `targets`")?;
    let targets = targets
        .iter()
        .map(|target| text(target).ok_or("a target must be a text"))
        .collect::<Result<_, _>>()?;
    let labels = table.get("labels").and_then(Value::as_object).into_iter().flatten();
    let labels = labels.map(|(name, value)| Some((name.clone(), text(value)?)));
    let labels = labels.collect::<Option<_>>().ok_or("the value of a label must be a text")?;
    Ok(Group { targets, labels })
}

/// A text, also where YAML takes it for a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
