//! Senders that remember what they were told about each request, and the comparison of that with
//! what is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use testkit::records::{ID, POINTS, Random, SENDER, Sender};
use testkit::{Doors, Fresnel};

use crate::door::{Caller, Door, Signal};

/// Who sends what where, and how large its requests are at most.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) tenant: &'static str,
    pub(crate) service: String,
    pub(crate) door: Door,
    pub(crate) records_max: u64,
    pub(crate) seed: u64,
}

/// What became of a request, as far as its sender knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Answered with success: there, exactly once.
    Acknowledged,
    /// Answered with a refusal: not there.
    Refused,
    /// Not answered, or with an error that leaves it open: there at most once, and whole or not.
    Unknown,
}

/// Numbers of the records of one request, and its fate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    first: u64,
    count: u64,
    pub(crate) fate: Fate,
}

/// A sender in a thread of its own, one request after the other, as fast as it is answered.
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Sent>,
}

/// Everything one sender did.
#[derive(Debug)]
pub(crate) struct Sent {
    plan: Plan,
    sender: Sender,
    pub(crate) attempts: Vec<Attempt>,
}

impl Plan {
    /// Begins to send.
    pub(crate) fn start(self, doors: Doors) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || self.send_until(&stopped, &doors));
        Running { stop, thread }
    }

    fn send_until(self, stopped: &AtomicBool, doors: &Doors) -> Sent {
        let sender = Sender::new(&self.service, self.seed);
        let mut caller = Caller::new(self.door, self.tenant, doors);
        let mut sent = Sent { sender, attempts: Vec::new(), plan: self };
        let mut random = Random::new(sent.plan.seed);
        while !stopped.load(Ordering::Relaxed) {
            let count = 1 + random.below(usize::try_from(sent.plan.records_max).unwrap()) as u64;
            let first = sent.sender.next();
            let fate = caller.send(&mut sent.sender, count, &mut random);
            sent.attempts.push(Attempt { first, count, fate });
            match fate {
                Fate::Acknowledged => {}
                // As a sender should: not at once again.
                Fate::Refused => std::thread::sleep(std::time::Duration::from_millis(50)),
                Fate::Unknown => break,
            }
        }
        sent
    }
}

impl Running {
    /// Ends the sender after its current request.
    pub(crate) fn finish(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Sent {
    /// How many requests had this fate.
    pub(crate) fn requests(&self, fate: Fate) -> usize {
        self.attempts.iter().filter(|attempt| attempt.fate == fate).count()
    }

    /// How many records were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.attempts
            .iter()
            .filter(|attempt| attempt.fate == Fate::Acknowledged)
            .map(|attempt| attempt.count)
            .sum()
    }

    /// How often the record of each number is there.
    fn found(&self, server: &Fresnel) -> BTreeMap<u64, i64> {
        let Plan { tenant, service, door, .. } = &self.plan;
        let signal = door.signal();
        let statement = match signal {
            Signal::Logs | Signal::Spans => {
                let table = if signal == Signal::Logs { "logs" } else { "spans" };
                format!(
                    "SELECT attributes['{ID}'] AS id, count(*) AS n FROM {table} WHERE service_name = '{service}' GROUP BY 1"
                )
            }
            Signal::Points => format!(
                "SELECT CAST(value AS BIGINT) AS id, count(*) AS n FROM metrics WHERE metric_name = '{POINTS}' \
                 AND service_name = '{service}' AND attributes['{SENDER}'] = '{}' GROUP BY 1",
                self.sender.name()
            ),
        };
        let rows = server.sql_of(tenant, &statement);
        let number = |id: &str| id.rsplit('-').next().unwrap().parse().unwrap();
        rows.texts("id")
            .iter()
            .map(|id| number(id))
            .zip(rows.texts("n").iter().map(|n| n.parse().unwrap()))
            .collect()
    }

    /// Compares what was said with what is there; gives how many records are.
    #[track_caller]
    pub(crate) fn verify(&self, server: &Fresnel) -> i64 {
        let found = self.found(server);
        for attempt in &self.attempts {
            let numbers = attempt.first..attempt.first + attempt.count;
            let times: Vec<i64> = numbers.map(|number| found.get(&number).copied().unwrap_or(0)).collect();
            let as_said = match attempt.fate {
                Fate::Acknowledged => times.iter().all(|times| *times == 1),
                Fate::Refused => times.iter().all(|times| *times == 0),
                Fate::Unknown => times.iter().all(|n| *n == times[0]) && times[0] <= 1,
            };
            assert!(
                as_said,
                "{:?} of {}: {attempt:?} is there {times:?} times",
                self.plan.door, self.plan.service
            );
        }
        let sent = self.sender.next();
        assert!(found.keys().all(|number| *number < sent), "nothing is there that was never sent");
        found.values().sum()
    }
}

/// The ledger balances, and what it calls stored is what SQL finds.
#[track_caller]
pub(crate) fn verify_ledger(server: &Fresnel, tenants: &[&str]) {
    let ledger = server.balanced_ledger();
    for tenant in tenants {
        for (signal, table) in [("logs", "logs"), ("spans", "spans"), ("metrics", "metrics")] {
            let found = server.sql_of(tenant, &format!("SELECT count(*) FROM {table}")).integer();
            let stored = ledger.entry(tenant, signal).map_or(0, |entry| entry.stored);
            assert_eq!(stored, found, "{tenant} {signal}: {ledger:?}");
        }
    }
}
