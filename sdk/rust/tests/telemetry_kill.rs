//! A process that records telemetry is killed. What is promised: whatever was recorded before a flush
//! that returned true is with the receiver, once, however often that refused, closed or hung before.
//! What is not: what was recorded afterwards, and what a flush that returned false is about.

#![cfg(all(feature = "http", unix))]
#![allow(clippy::unwrap_used)]

mod receiver;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::RangeInclusive;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use fresnel_sdk::Guard;
use fresnel_sdk::logging::LoggingConfig;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::receiver::{Receiver, Reply, integer, receiver};

/// What the child does; without it the child's test has nothing to do.
const SCENARIO: &str = "FRESNEL_TELEMETRY_KILL";
const PATIENCE: Duration = Duration::from_secs(60);

const BUSY: Reply = Reply::Status("429 Too Many Requests\r\nretry-after: 0");
const UNAVAILABLE: Reply = Reply::Status("503 Service Unavailable\r\nretry-after: 0");
const NEVER: Reply = Reply::Status("400 Bad Request");

/// The child.
#[test]
fn child() {
    let Ok(scenario) = std::env::var(SCENARIO) else { return };
    let quiet = LoggingConfig { outputs: Default::default(), ..LoggingConfig::default() };
    let guard = fresnel_sdk::builder().logging(quiet).start().unwrap();
    let mut from = 0;
    for n in 0.. {
        record(n);
        if n % 7 == 6 {
            flush(&guard, from..=n);
            from = n + 1;
        }
        if scenario == "stop" && n == 9 {
            say("recorded");
            // Until it is killed.
            std::io::stdin().read_exact(&mut [0]).unwrap();
        }
    }
}

fn record(n: u64) {
    tracing::info_span!("numbered", n).in_scope(|| tracing::info!(n, "numbered"));
}

/// Says which numbers are promised, and which are not.
fn flush(guard: &Guard, numbers: RangeInclusive<u64>) {
    let word = if guard.flush(PATIENCE) { "kept" } else { "lost" };
    say(&format!("{word} {} {}", numbers.start(), numbers.end()));
}

/// In one write, so that no line is torn, and on a line of its own.
fn say(line: &str) {
    std::io::stdout().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// A child, and what it says.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    kept: Vec<RangeInclusive<i64>>,
    lost: Vec<RangeInclusive<i64>>,
}

impl Running {
    fn start(scenario: &str, receiver: &Receiver, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name == "RUST_LOG")
        {
            command.env_remove(name);
        }
        command.args(["--exact", "child", "--nocapture"]).env(SCENARIO, scenario);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.address).envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, kept: Vec::new(), lost: Vec::new() }
    }

    /// Reads until it has said something; false if it says nothing any more.
    fn hear(&mut self) -> bool {
        let Some(Ok(line)) = self.lines.next() else { return false };
        let words: Vec<_> = line.split(' ').collect();
        if let [word @ ("kept" | "lost"), from, to] = words[..] {
            let numbers = from.parse().unwrap()..=to.parse().unwrap();
            let said = if word == "kept" { &mut self.kept } else { &mut self.lost };
            said.push(numbers);
        }
        line == "recorded" || words[0] == "kept" || words[0] == "lost" || self.hear()
    }

    /// What it said before the kill arrived counts too.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        while self.hear() {}
    }
}

/// The numbers of what the receiver took, in order: of records, and of spans.
fn numbers(receiver: &Receiver) -> [Vec<i64>; 2] {
    let logs = receiver.logs().iter().filter_map(|it| integer(&it.attributes, "n")).collect();
    let spans = receiver.all_spans().iter().filter_map(|it| integer(&it.attributes, "n")).collect();
    [logs, spans].map(|mut numbers: Vec<i64>| {
        numbers.sort_unstable();
        numbers
    })
}

/// Everything that was promised is there, and nothing twice. Returns what is missing of the rest that
/// was told: of records.
fn check(running: &Running, receiver: &Receiver) -> usize {
    let taken = numbers(receiver);
    for numbers in &taken {
        let once: BTreeSet<_> = numbers.iter().copied().collect();
        assert_eq!(once.len(), numbers.len(), "something is there twice");
        let missing: Vec<_> =
            running.kept.iter().cloned().flatten().filter(|it| !once.contains(it)).collect();
        assert!(missing.is_empty(), "promised, and not there: {missing:?}");
    }
    running.lost.iter().cloned().flatten().filter(|it| taken[0].binary_search(it).is_err()).count()
}

/// Answers in any order, the first of which loses something for good.
fn replies(random: &mut StdRng) -> Vec<Reply> {
    let mut replies = vec![NEVER];
    replies.extend((0..2000).map(|_| match random.random_range(0..100) {
        0..60 => Reply::Take,
        60..75 => BUSY,
        75..90 => UNAVAILABLE,
        90..93 => Reply::Close,
        _ => NEVER,
    }));
    replies
}

#[test]
fn what_a_flush_has_promised_outlives_a_kill_and_is_there_once() {
    let seed: u64 = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let (mut kept, mut missing) = (0, 0);
    for round in 0..8 {
        std::io::stderr().write_all(format!("seed {seed}, round {round}\n").as_bytes()).unwrap();
        let receiver = receiver(&replies(&mut random));
        let mut running = Running::start("run", &receiver, &[]);
        for _ in 0..random.random_range(1..40) {
            assert!(running.hear(), "the child goes on until it is killed");
        }
        // Anywhere: while something is recorded, sent, answered.
        std::thread::sleep(Duration::from_micros(random.random_range(0..20_000)));
        running.kill();
        missing += check(&running, &receiver);
        kept += running.kept.len();
    }
    assert!(kept > 0, "something was promised");
    assert!(missing > 0, "who says that something is lost is right");
}

#[test]
fn a_receiver_that_hangs_is_given_up_and_asked_again() {
    let receiver = receiver(&[Reply::Hang, Reply::Take, Reply::Hang]);
    let mut running = Running::start("run", &receiver, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "5000")]);
    while running.kept.len() < 3 {
        assert!(running.hear());
    }
    running.kill();
    check(&running, &receiver);
    assert!(running.lost.is_empty(), "{:?}", running.lost);
}

/// With nothing sent but by a flush.
#[test]
fn what_was_recorded_after_the_last_flush_dies_with_the_process() {
    let receiver = receiver(&[]);
    let hour = "3600000";
    let variables = ["OTEL_BLRP_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL"];
    let mut running = Running::start("stop", &receiver, &variables.map(|name| (name, hour)));
    assert!(running.hear() && running.hear());
    running.kill();
    assert_eq!(running.kept, [0..=6]);
    assert_eq!(numbers(&receiver), [(0..=6).collect::<Vec<_>>(), (0..=6).collect()]);
}
