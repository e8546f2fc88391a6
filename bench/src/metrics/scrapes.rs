//! Real scrapes of a node_exporter on this machine, taken now, while something runs on it.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testkit::http::{Client, Request, send};

use super::peer::Process;
use crate::debian;
use crate::options::Options;

/// Scrapes, at full scale: three hours of them, 15 seconds apart.
const SCRAPES: usize = 720;
const SCRAPES_MIN: usize = 60;
/// Between two of them here: counters that count slower than every 15 s are rarer than these.
const EVERY: Duration = Duration::from_millis(250);
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A series of one machine: its labels, and its value at each scrape.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) labels: Vec<(String, String)>,
    pub(super) values: Vec<f64>,
}

/// Takes scrapes; gives the series that are in all of them.
pub(super) fn take(options: &Options) -> Result<Vec<Series>> {
    let scrapes = options.scaled(SCRAPES, SCRAPES_MIN);
    let program = debian::found("prometheus-node-exporter", options.dir())?;
    let http = free_address()?;
    let mut command = Command::new(program);
    command.arg(format!("--web.listen-address={http}")).stdin(Stdio::null());
    let exporter = Process::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    exporter.until_ready(READY_WITHIN, || {
        send(http, &Request::get("/metrics")).is_ok_and(|answer| answer.status == 200)
    })?;
    let folder = options.temporary("load")?;
    let over = AtomicBool::new(false);
    let texts = std::thread::scope(|scope| {
        scope.spawn(|| work(folder.path(), &over));
        let texts = scrape(http, scrapes);
        over.store(true, Ordering::Relaxed);
        texts
    })?;
    let series = complete(&texts);
    ensure!(series.len() > 100, "node_exporter has {} series only", series.len());
    Ok(series)
}

/// An address of this machine on which nothing listens.
pub(super) fn free_address() -> Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).context("find a free port")
}

fn scrape(http: SocketAddr, scrapes: usize) -> Result<Vec<String>> {
    let (mut client, started) = (Client::new(http), Instant::now());
    let mut texts = Vec::with_capacity(scrapes);
    for number in 0..scrapes {
        let due = started + EVERY * u32::try_from(number).context("that many")?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        texts.push(client.send(&Request::get("/metrics")).context("scrape")?.expect(200).text());
    }
    Ok(texts)
}

/// A machine that does nothing has figures that do not change: computes and writes, now and then.
fn work(folder: &std::path::Path, over: &AtomicBool) {
    let mut round = 0u64;
    while !over.load(Ordering::Relaxed) {
        let bytes: Vec<u8> = (0..1u64 << (14 + round % 7)).map(|byte| (byte * byte + round) as u8).collect();
        // It is only done for what the exporter says of it.
        std::fs::write(folder.join((round % 16).to_string()), bytes).ok();
        round += 1;
        std::thread::sleep(Duration::from_millis(round * 7 % 90));
    }
}

fn complete(texts: &[String]) -> Vec<Series> {
    let mut values: HashMap<&str, Vec<f64>> = HashMap::new();
    for text in texts {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.rsplit_once(' ') else { continue };
            if let Ok(value) = value.parse() {
                values.entry(key).or_default().push(value);
            }
        }
    }
    let mut keys: Vec<_> = values.into_iter().filter(|(_, values)| values.len() == texts.len()).collect();
    keys.sort_unstable_by_key(|(key, _)| *key);
    let series = |(key, values): (&str, Vec<f64>)| Some(Series { labels: labels(key)?, values });
    keys.into_iter().filter_map(series).collect()
}

/// `name{a="b",c="d"}`; nothing of one with escapes, which is rare.
fn labels(key: &str) -> Option<Vec<(String, String)>> {
    if key.contains('\\') {
        return None;
    }
    let (name, rest) = key.split_once('{').unwrap_or((key, "}"));
    let mut labels = vec![("__name__".to_owned(), name.to_owned())];
    let mut rest = rest.strip_suffix('}')?;
    while let Some((name, tail)) = rest.split_once("=\"") {
        let (value, tail) = tail.split_once('"')?;
        labels.push((name.trim_start_matches(',').to_owned(), value.to_owned()));
        rest = tail;
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn series_of_all_scrapes_are_read_with_their_labels() {
        let first = "# HELP a b\na 1\nb{x=\"y z\",mode=\"idle\"} 2.5\nc{d=\"\\\"\"} 3\ne 1\n";
        let second = "a 1e+06\nb{x=\"y z\",mode=\"idle\"} NaN\nc{d=\"\\\"\"} 3\n";
        let found = complete(&[first.to_owned(), second.to_owned()]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].labels.len(), found[0].values.as_slice()), (1, &[1.0, 1e6][..]));
        let labels: Vec<_> = found[1].labels.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(labels, [("__name__", "b"), ("x", "y z"), ("mode", "idle")]);
    }
}
