//! `kill -9` at random moments, into ingestion, seals, commits, merges and replay.

use std::fmt;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use testkit::http::{Request, send};
use testkit::records::Random;
use testkit::{Fresnel, tell};

use crate::door::{Door, Signal};
use crate::senders::{Fate, Plan, Sent, verify, verify_ledger};
use crate::settings::{QUIET, TINY_FILES};
use crate::{fresnel, seed, setting};

/// Rounds on one directory; then a new one is begun, so that a long run does not only look at old
/// records.
const ROUNDS_PER_DIRECTORY: usize = 20;
const TENANTS: [&str; 2] = ["default", "other"];
/// The longest that a process lives before it is killed.
const LIFE_MILLIS: usize = 1_500;

/// Every door, and some for two tenants; the largest number of records in a request.
const DOORS: [(&str, Door, u64); 9] = [
    ("default", Door::Http(Signal::Logs), 60),
    ("default", Door::Http(Signal::Spans), 60),
    ("default", Door::Http(Signal::Points), 150),
    ("other", Door::Http(Signal::Logs), 20),
    ("default", Door::Grpc(Signal::Logs), 60),
    ("other", Door::Grpc(Signal::Spans), 60),
    ("default", Door::Grpc(Signal::Points), 150),
    ("default", Door::RemoteWrite, 150),
    ("other", Door::Push, 60),
];

fn plans(round: u64, seed: u64) -> Vec<Plan> {
    let plan = |(number, (tenant, door, records_max)): (u64, (_, Door, _))| Plan {
        tenant,
        service: format!("round-{round}-{}", door.name()),
        door,
        records_max,
        // What a sender chooses is not what the one beside it chooses.
        seed: seed.wrapping_add(round * DOORS.len() as u64 + number),
    };
    (0..).zip(DOORS).map(plan).collect()
}

/// How long after a merge the next one is asked for.
const BETWEEN_MERGES: Duration = Duration::from_millis(200);

/// Asks for everything to be merged, again and again until the server is gone; how often all was.
fn merging(http: SocketAddr) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut merged = 0;
        while let Ok(answer) = send(http, &Request::post("/api/v1/admin/compact", "")) {
            merged += u64::from(answer.status == 200);
            std::thread::sleep(BETWEEN_MERGES);
        }
        merged
    })
}

/// One life: start, send, merge, kill; gives what was sent.
fn live(server: &mut Fresnel, round: u64, random: &mut Random, seed: u64, merges: &mut u64) -> Vec<Sent> {
    let doors = server.doors();
    // In every other round only the server merges.
    let merging = round.is_multiple_of(2).then(|| merging(doors.http));
    let senders: Vec<_> = plans(round, seed).into_iter().map(|plan| plan.start(doors)).collect();
    std::thread::sleep(Duration::from_millis(random.below(LIFE_MILLIS) as u64));
    server.kill9();
    *merges += merging.map_or(0, |merging| merging.join().unwrap());
    senders.into_iter().map(|sender| sender.finish()).collect()
}

/// What became of what was sent by one door.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Records.
    acknowledged: u64,
    /// Requests.
    without_answer: usize,
}

type Tallies = [Tally; DOORS.len()];

impl Tally {
    fn add(&mut self, sent: &Sent) {
        self.acknowledged += sent.acknowledged();
        self.without_answer += sent.requests(Fate::Unknown);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, without_answer } = self;
        write!(to, "{acknowledged} records acknowledged, {without_answer} requests without an answer")
    }
}

/// Over all doors.
fn sum(tallies: &Tallies) -> Tally {
    Tally {
        acknowledged: tallies.iter().map(|tally| tally.acknowledged).sum(),
        without_answer: tallies.iter().map(|tally| tally.without_answer).sum(),
    }
}

/// What was sent, and how many records of it were found after the restart that followed.
type History = Vec<(Sent, i64)>;

/// The ledger balances, and what each round left behind stays as it was found after its restart.
fn verify_counts(server: &Fresnel, history: &History) {
    let counts = verify_ledger(server, &TENANTS);
    for (sent, count) in history {
        assert_eq!(sent.count(&counts), *count, "records came or went later: {sent:?}");
    }
    let all: i64 = history.iter().map(|(_, count)| count).sum();
    assert_eq!(counts.values().sum::<i64>(), all, "records of nobody: {counts:?}");
}

/// Rounds on a directory of its own; what was sent and found stays so until its end. Gives how often
/// all was merged because it was asked for.
fn directory(rounds: std::ops::Range<u64>, random: &mut Random, seed: u64, tallies: &mut Tallies) -> u64 {
    let mut merges = 0;
    // A torn end of the log is expected after a kill, and said.
    let mut server = fresnel().config(&format!("{QUIET}{TINY_FILES}")).allow_warning("wal").start();
    let mut history = History::new();
    for round in rounds {
        let sent = live(&mut server, round, random, seed, &mut merges);
        if random.below(4) == 0 {
            server.restart_and_kill9(Duration::from_millis(random.below(200) as u64));
        }
        server.restart();
        tallies.iter_mut().zip(&sent).for_each(|(tally, sent)| tally.add(sent));
        let counts = verify(&server, &sent);
        history.extend(sent.into_iter().zip(counts));
        verify_counts(&server, &history);
    }
    // Stopped gracefully and started again, everything still is as it was.
    assert!(server.terminate().success());
    server.restart();
    let (sent, counts): (Vec<Sent>, Vec<i64>) = history.into_iter().unzip();
    assert_eq!(verify(&server, &sent), counts, "a record of an earlier round came or went");
    verify_ledger(&server, &TENANTS);
    merges
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kill_9() {
    let (rounds, seed) = (setting("FRESNEL_SOAK_ROUNDS", 20), seed());
    let mut random = Random::new(seed);
    let mut tallies = [Tally::default(); DOORS.len()];
    let mut merges = 0;
    for first in (0..rounds).step_by(ROUNDS_PER_DIRECTORY) {
        let end = rounds.min(first + ROUNDS_PER_DIRECTORY as u64);
        merges += directory(first..end, &mut random, seed, &mut tallies);
        eprintln!("{end} of {rounds} rounds: {}", sum(&tallies));
    }
    tell(&format!("{rounds} rounds, merged when asked: {merges}"));
    assert!(merges > 0, "nothing was merged when asked");
    for ((tenant, door, _), tally) in DOORS.iter().zip(tallies) {
        tell(&format!("{rounds} rounds, {tenant}, {door:?}: {tally}"));
        assert!(
            tally.acknowledged > 10 * rounds && tally.without_answer > 0,
            "the rounds were no test of {door:?}: {tally}"
        );
    }
    tell(&format!("{rounds} rounds of kill -9, nothing lost or doubled: {}", sum(&tallies)));
}
