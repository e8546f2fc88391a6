//! A disk whose every sync takes long: who arrives meanwhile shares the next one.

use std::time::{Duration, Instant};

use crate::disk::{Control, Faults};
use crate::fresnel;
use crate::senders::{Fate, Plan, Sent, Signal, verify_ledger};
use crate::settings::QUIET;

const SENDERS: u64 = 16;
const SYNC_DELAY: Duration = Duration::from_millis(60);
const DURATION: Duration = Duration::from_secs(6);

#[test]
fn requests_share_a_slow_sync_and_none_is_lost() {
    let Some(faults) = Faults::new() else { return };
    let mut server = faults.below(fresnel()).config(QUIET).start();
    faults.set(Control { sync_delay: SYNC_DELAY, ..Control::default() });
    let door = server.doors().otlp_http;
    let plan = |seed| Plan {
        tenant: "default",
        service: format!("slow-{seed}"),
        signal: Signal::Logs,
        records_max: 10,
        seed,
    };
    let started = Instant::now();
    let senders: Vec<_> = (0..SENDERS).map(|seed| plan(seed).start(door)).collect();
    std::thread::sleep(DURATION);
    let sent: Vec<Sent> = senders.into_iter().map(|sender| sender.finish()).collect();
    let elapsed = started.elapsed();

    let requests: usize = sent.iter().map(|sent| sent.requests(Fate::Acknowledged)).sum();
    // More syncs than this cannot have been made, one after the other.
    let syncs_max = elapsed.as_millis() / SYNC_DELAY.as_millis() + 1;
    assert!(requests as u128 > 3 * syncs_max, "{requests} requests over at most {syncs_max} syncs");
    assert!(sent.iter().all(|sent| sent.requests(Fate::Unknown) == 0), "slow is no reason to fail");

    server.kill9();
    faults.set(Control::default());
    server.restart();
    for sent in &sent {
        sent.verify(&server);
    }
    verify_ledger(&server, &["default"]);
}
