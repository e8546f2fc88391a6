//! `kill -9` at random moments, into ingestion, seals, commits, merges and replay.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use testkit::http::{Request, send};
use testkit::records::Random;
use testkit::{Fresnel, tell};

use crate::door::{Door, Signal};
use crate::senders::{Fate, Plan, Sent, verify_ledger};
use crate::settings::{QUIET, TINY_FILES};
use crate::{fresnel, seed, setting};

/// Rounds on one directory; then a new one is begun, so that a long run does not only look at old
/// records.
const ROUNDS_PER_DIRECTORY: u64 = 40;
const TENANTS: [&str; 2] = ["default", "other"];
/// The longest that a process lives before it is killed.
const LIFE_MILLIS: usize = 1_500;

/// Every door, and some for two tenants; the largest number of records in a request.
const DOORS: [(&str, Door, u64); 9] = [
    ("default", Door::Http(Signal::Logs), 200),
    ("default", Door::Http(Signal::Spans), 200),
    ("default", Door::Http(Signal::Points), 500),
    ("other", Door::Http(Signal::Logs), 20),
    ("default", Door::Grpc(Signal::Logs), 200),
    ("other", Door::Grpc(Signal::Spans), 200),
    ("default", Door::Grpc(Signal::Points), 500),
    ("default", Door::RemoteWrite, 500),
    ("other", Door::Push, 200),
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

/// Asks for everything to be merged, again and again until the server is gone; how often all was.
fn merging(http: SocketAddr) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut merged = 0;
        while let Ok(answer) = send(http, &Request::post("/api/v1/admin/compact", "")) {
            merged += u64::from(answer.status == 200);
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

impl Tally {
    fn add(&mut self, sent: &Sent) {
        self.acknowledged += sent.acknowledged();
        self.without_answer += sent.requests(Fate::Unknown);
    }
}

/// What earlier rounds left behind stays as it was found after its own restart.
fn verify_earlier(server: &Fresnel, counts: &[(Sent, i64)]) {
    for (sent, count) in counts {
        assert_eq!(sent.verify(server), *count, "a record of an earlier round came or went");
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kill_9() {
    let (rounds, seed) = (setting("FRESNEL_SOAK_ROUNDS", 20), seed());
    let mut random = Random::new(seed);
    let mut tallies = [Tally::default(); DOORS.len()];
    let (mut round, mut merges) = (0, 0);
    while round < rounds {
        // A torn end of the log is expected after a kill, and said.
        let mut server = fresnel().config(&format!("{QUIET}{TINY_FILES}")).allow_warning("wal").start();
        let mut history: Vec<(Sent, i64)> = Vec::new();
        for _ in 0..ROUNDS_PER_DIRECTORY.min(rounds - round) {
            let sent = live(&mut server, round, &mut random, seed, &mut merges);
            if random.below(4) == 0 {
                server.restart_and_kill9(Duration::from_millis(random.below(200) as u64));
            }
            server.restart();
            for (tally, sent) in tallies.iter_mut().zip(sent) {
                tally.add(&sent);
                let count = sent.verify(&server);
                history.push((sent, count));
            }
            verify_ledger(&server, &TENANTS);
            round += 1;
        }
        verify_earlier(&server, &history);
        // Stopped gracefully and started again, everything still is as it was.
        assert!(server.terminate().success());
        server.restart();
        verify_earlier(&server, &history);
        verify_ledger(&server, &TENANTS);
    }
    tell(&format!("{rounds} rounds, merged when asked: {merges}"));
    assert!(merges > 0, "nothing was merged when asked");
    for ((tenant, door, _), tally) in DOORS.iter().zip(tallies) {
        tell(&format!("{rounds} rounds, {tenant}, {door:?}: {tally:?}"));
        assert!(
            tally.acknowledged > 10 * rounds && tally.without_answer > 0,
            "the rounds were no test of {door:?}: {tally:?}"
        );
    }
}
