//! A disk whose every sync takes long: who arrives meanwhile shares the next one.

use std::time::{Duration, Instant};

use testkit::wait_for;

use crate::disk::{Control, Faults};
use crate::door::{Door, Signal};
use crate::fresnel;
use crate::senders::{Fate, Plan, Sent, verify, verify_ledger};
use crate::settings::{NO_HOST, QUIET};

const SENDERS: u64 = 16;
const SYNC_DELAY: Duration = Duration::from_millis(60);
const DURATION: Duration = Duration::from_secs(6);

#[test]
fn requests_share_a_slow_sync_and_none_is_lost() {
    let Some(faults) = Faults::new() else { return };
    let mut server = faults.below(fresnel()).config(QUIET).start();
    faults.set(Control { sync_delay: SYNC_DELAY, ..Control::default() });
    let doors = server.doors();
    let plan = |seed| Plan {
        tenant: "default",
        service: format!("slow-{seed}"),
        door: Door::Http(Signal::Logs),
        records_max: 10,
        seed,
    };
    let started = Instant::now();
    let senders: Vec<_> = (0..SENDERS).map(|seed| plan(seed).start(doors)).collect();
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
    verify(&server, &sent);
    verify_ledger(&server, &["default"]);
}

#[test]
fn what_the_server_says_of_itself_is_stored_once_however_long_the_disk_takes() {
    let Some(faults) = Faults::new() else { return };
    let mut server = faults.below(fresnel()).config(NO_HOST).start();
    let spans = |condition: &str| {
        let own = "SELECT count(*) FROM spans WHERE service_name = 'fresnel'";
        server.sql(&format!("{own} AND {condition}")).integer()
    };
    // Longer than anybody would wait for an answer before sending again.
    faults.set(Control { sync_delay: Duration::from_secs(6), ..Control::default() });
    server.get_json("/api/v1/traces");
    wait_for("a span of the slow time", Duration::from_secs(60), || {
        (spans("name = 'GET /api/v1/traces'") > 0).then_some(())
    });
    faults.set(Control::default());
    // The telemetry is sent in order: what was sent again would be there before this.
    server.get_json("/api/v1/services");
    wait_for("a later span", Duration::from_secs(60), || {
        (spans("name = 'GET /api/v1/services'") > 0).then_some(())
    });
    let repeated = "SELECT count(*) - count(DISTINCT span_id) FROM spans WHERE service_name = 'fresnel'";
    assert_eq!(server.sql(repeated).integer(), 0);
    // Figures that move cannot be compared: from here on it says nothing of itself.
    assert!(server.terminate().success());
    server.rebuild(|builder| builder.env("FRESNEL_TELEMETRY_ENABLED", "false"));
    server.restart();
    assert_eq!(server.sql(repeated).integer(), 0);
    verify_ledger(&server, &["default"]);
}
