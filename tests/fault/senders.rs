//! Senders that remember what they were told about each request, and the comparison of that with
//! what is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use testkit::records::{Random, Sender};
use testkit::{Doors, Fresnel, Rows};

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

    /// What [`Found`] knows it by.
    fn key(&self) -> (&'static str, String) {
        (self.plan.tenant, self.sender.name())
    }

    /// How many of its records these are.
    pub(crate) fn count(&self, counts: &Counts) -> i64 {
        let key = (self.plan.tenant, self.plan.door.signal(), self.plan.service.clone());
        counts.get(&key).copied().unwrap_or(0)
    }

    /// Compares what was said with how often the record of each number is there; gives how many
    /// records are.
    #[track_caller]
    fn verify(&self, found: &BTreeMap<u64, i64>) -> i64 {
        let times = |number| found.get(&number).copied().unwrap_or(0);
        for attempt in &self.attempts {
            let mut numbers = attempt.first..attempt.first + attempt.count;
            let first = times(attempt.first);
            let as_said = match attempt.fate {
                Fate::Acknowledged => numbers.all(|number| times(number) == 1),
                Fate::Refused => numbers.all(|number| times(number) == 0),
                Fate::Unknown => first <= 1 && numbers.all(|number| times(number) == first),
            };
            let all = attempt.first..attempt.first + attempt.count;
            assert!(
                as_said,
                "{:?} of {}: {attempt:?} is there {:?} times",
                self.plan.door,
                self.plan.service,
                all.map(times).collect::<Vec<_>>()
            );
        }
        let sent = self.sender.next();
        assert!(found.keys().all(|number| *number < sent), "nothing is there that was never sent");
        found.values().sum()
    }
}

/// How often each record of these senders is there, by tenant and sender.
type Found = BTreeMap<(&'static str, String), BTreeMap<u64, i64>>;

/// Compares what the senders were told with what is there; gives how many records of each are.
#[track_caller]
pub(crate) fn verify(server: &Fresnel, sent: &[Sent]) -> Vec<i64> {
    let mut found = found(server, sent);
    let counts =
        sent.iter().map(|sent| sent.verify(&found.remove(&sent.key()).unwrap_or_default())).collect();
    assert!(found.is_empty(), "records of others: {:?}", found.keys());
    counts
}

/// Asks once for each table of a tenant: what a statement costs are the files that it reads, not the
/// senders that it tells of.
fn found(server: &Fresnel, sent: &[Sent]) -> Found {
    let mut tables: BTreeMap<(&'static str, Signal), Vec<String>> = BTreeMap::new();
    for Sent { plan, .. } in sent {
        let services = tables.entry((plan.tenant, plan.door.signal())).or_default();
        services.push(format!("'{}'", plan.service));
    }
    let statement = |(&(tenant, signal), services): (&(&'static str, Signal), &Vec<String>)| {
        let (id, table, services) = (signal.id(), signal.table(), services.join(", "));
        let statement = format!(
            "SELECT {id} AS id, count(*) AS n FROM {table} WHERE service_name IN ({services}) GROUP BY 1"
        );
        (tenant, statement)
    };
    let mut found = Found::new();
    for (tenant, rows) in ask(server, tables.iter().map(statement)) {
        for (id, n) in rows.texts("id").iter().zip(rows.texts("n")) {
            let (sender, number) = id.rsplit_once('-').unwrap();
            let of_sender = found.entry((tenant, sender.to_owned())).or_default();
            of_sender.insert(number.parse().unwrap(), n.parse().unwrap());
        }
    }
    found
}

/// Runs the statements of these tenants side by side.
fn ask(
    server: &Fresnel,
    statements: impl Iterator<Item = (&'static str, String)>,
) -> Vec<(&'static str, Rows)> {
    std::thread::scope(|scope| {
        let running: Vec<_> = statements
            .map(|(tenant, statement)| (tenant, scope.spawn(move || server.sql_of(tenant, &statement))))
            .collect();
        running.into_iter().map(|(tenant, rows)| (tenant, rows.join().unwrap())).collect()
    })
}

/// How many records there are, by tenant, signal and service.
pub(crate) type Counts = BTreeMap<(&'static str, Signal, String), i64>;

/// The ledger balances, and what it calls stored is what SQL finds; gives that.
#[track_caller]
pub(crate) fn verify_ledger(server: &Fresnel, tenants: &[&'static str]) -> Counts {
    let ledger = server.balanced_ledger();
    let tables: Vec<_> =
        tenants.iter().flat_map(|tenant| Signal::ALL.map(|signal| (*tenant, signal))).collect();
    let statement = |(tenant, signal): &(&'static str, Signal)| {
        let table = signal.table();
        (*tenant, format!("SELECT service_name, count(*) AS n FROM {table} GROUP BY 1"))
    };
    let answers = ask(server, tables.iter().map(statement));
    let mut counts = Counts::new();
    for ((tenant, signal), (_, rows)) in tables.into_iter().zip(answers) {
        let numbers: Vec<i64> = rows.texts("n").iter().map(|n| n.parse().unwrap()).collect();
        let stored = ledger.entry(tenant, signal.table()).map_or(0, |entry| entry.stored);
        assert_eq!(stored, numbers.iter().sum::<i64>(), "{tenant} {signal:?}: {ledger:?}");
        let services = rows.texts("service_name").into_iter();
        counts.extend(services.map(|service| (tenant, signal, service)).zip(numbers));
    }
    counts
}
