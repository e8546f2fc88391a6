//! `kill -9` at random moments, into ingestion, seals, commits, merges and replay.

use std::time::Duration;

use testkit::Fresnel;
use testkit::records::Random;

use crate::senders::{Fate, Plan, Sent, Signal, verify_ledger};
use crate::settings::{QUIET, TINY_FILES};
use crate::{fresnel, seed, setting};

/// Rounds on one directory; then a new one is begun, so that a long run does not only look at old
/// records.
const ROUNDS_PER_DIRECTORY: u64 = 40;
const TENANTS: [&str; 2] = ["default", "other"];
/// The longest that a process lives before it is killed.
const LIFE_MILLIS: usize = 1_500;

fn plans(round: u64, seed: u64) -> Vec<Plan> {
    let plan = |tenant, signal, records_max| Plan {
        tenant,
        service: format!("round-{round}-{signal:?}").to_lowercase(),
        signal,
        records_max,
        seed: seed.wrapping_add(round),
    };
    vec![
        plan("default", Signal::Logs, 200),
        plan("default", Signal::Spans, 200),
        plan("default", Signal::Points, 500),
        plan("other", Signal::Logs, 20),
    ]
}

/// One life: start, send, kill; gives what was sent.
fn live(server: &mut Fresnel, round: u64, random: &mut Random, seed: u64) -> Vec<Sent> {
    let door = server.doors().otlp_http;
    let senders: Vec<_> = plans(round, seed).into_iter().map(|plan| plan.start(door)).collect();
    std::thread::sleep(Duration::from_millis(random.below(LIFE_MILLIS) as u64));
    server.kill9();
    senders.into_iter().map(|sender| sender.finish()).collect()
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
    let (mut acknowledged, mut without_answer) = (0, 0);
    let mut round = 0;
    while round < rounds {
        // A torn end of the log is expected after a kill, and said.
        let mut server = fresnel().config(&format!("{QUIET}{TINY_FILES}")).allow_warning("wal").start();
        let mut history: Vec<(Sent, i64)> = Vec::new();
        for _ in 0..ROUNDS_PER_DIRECTORY.min(rounds - round) {
            let sent = live(&mut server, round, &mut random, seed);
            if random.below(4) == 0 {
                server.restart_and_kill9(Duration::from_millis(random.below(200) as u64));
            }
            server.restart();
            for sent in sent {
                acknowledged += sent.acknowledged();
                without_answer += sent.requests(Fate::Unknown);
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
    eprintln!(
        "{rounds} rounds: {acknowledged} records acknowledged, {without_answer} requests without an answer"
    );
    assert!(
        acknowledged > 100 * rounds && without_answer > 0,
        "the rounds were no test: {acknowledged}, {without_answer}"
    );
}
