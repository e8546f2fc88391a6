use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use futures::future::join_all;

use super::{Call, MS, SECOND, error, metric};
use crate::clock;
use crate::resilience::{Balancer, BreakerOptions, CallError, Rejected, State, Threshold};
use crate::telemetry::metrics::Registry;

fn balancer(names: &[&'static str], registry: &Registry) -> Balancer<&'static str> {
    let options = BreakerOptions {
        failure_threshold: Threshold::Count(3),
        reset_timeout: 10 * SECOND,
        success_threshold: 1,
        ..Default::default()
    };
    Balancer::new("pool", names.iter().map(|name| (*name, *name)), options, registry)
}

/// How many of so many calls each got, and what they ended in.
async fn spread(
    balancer: &Balancer<&'static str>,
    calls: u32,
    broken: &[&str],
) -> (BTreeMap<&'static str, u32>, u32) {
    let counts = RefCell::new(BTreeMap::new());
    let mut failed = 0;
    for _ in 0..calls {
        let result: Call<()> = balancer
            .run(async |name: Arc<&'static str>| {
                *counts.borrow_mut().entry(*name).or_default() += 1;
                if broken.contains(&*name) { Err(error(ErrorKind::ConnectionRefused)) } else { Ok(()) }
            })
            .await;
        failed += u32::from(result.is_err());
    }
    (counts.into_inner(), failed)
}

#[test]
fn what_does_not_work_is_left_out_and_comes_back() {
    let registry = Registry::new();
    clock::simulate(async {
        let balancer = balancer(&["a", "b", "c"], &registry);
        let (counts, failed) = spread(&balancer, 3_000, &["b"]).await;
        // Three failures open its breaker: nobody else notices.
        assert_eq!((counts["b"], failed), (3, 3));
        // The others share the rest: each 1,500 give or take 200, which is seven deviations.
        assert!(
            counts.iter().all(|(name, count)| *name == "b" || (1_300..1_700).contains(count)),
            "{counts:?}"
        );
        let health = balancer.endpoints();
        assert_eq!((health[1].breaker, health[1].healthy, health[0].healthy), (State::Open, false, true));
        assert_eq!(metric(&registry, "resilience_balancer_endpoints_healthy{resilience_name=\"pool\"}"), 2.0);
        clock::sleep(10 * SECOND).await;
        let (counts, failed) = spread(&balancer, 300, &[]).await;
        assert_eq!(failed, 0);
        assert!(counts["b"] > 50, "{counts:?}");
    });
}

#[test]
fn health_checks_have_their_say() {
    clock::simulate(async {
        let balancer = balancer(&["a", "b"], &Registry::new());
        assert!(balancer.set_healthy("a", false) && !balancer.set_healthy("x", false));
        assert_eq!(spread(&balancer, 50, &[]).await.0, BTreeMap::from([("b", 50)]));
        balancer.set_healthy("b", false);
        let none: Result<(), Rejected> = balancer.run(async |_| Ok(())).await;
        assert_eq!(none, Err(Rejected::NoEndpoint { name: "pool".into(), endpoints: 2 }));
        balancer.set_healthy("a", true);
        assert_eq!(spread(&balancer, 50, &[]).await.0, BTreeMap::from([("a", 50)]));
    });
}

#[test]
fn who_is_busy_gets_less() {
    clock::simulate(async {
        let balancer = balancer(&["quick", "slow"], &Registry::new());
        let counts = RefCell::new(BTreeMap::<_, u32>::new());
        let client = || async {
            for _ in 0..50 {
                let result: Result<(), Rejected> = balancer
                    .run(async |name: Arc<&'static str>| {
                        *counts.borrow_mut().entry(*name).or_default() += 1;
                        clock::sleep(if *name == "slow" { 100 * MS } else { 10 * MS }).await;
                        Ok(())
                    })
                    .await;
                assert!(result.is_ok());
            }
        };
        join_all((0..20).map(|_| client())).await;
        let counts = counts.borrow();
        assert!(counts["quick"] > 4 * counts["slow"], "{counts:?}");
        assert!(balancer.endpoints().iter().all(|endpoint| endpoint.running == 0));
    });
}

#[test]
fn endpoints_change_and_those_that_stay_keep_their_state() {
    clock::simulate(async {
        let balancer = balancer(&["a", "b"], &Registry::new());
        spread(&balancer, 50, &["a"]).await;
        balancer.set([("a", "a"), ("c", "c")]);
        let health = balancer.endpoints();
        assert_eq!(
            health.iter().map(|it| (&*it.id, it.healthy)).collect::<Vec<_>>(),
            [("a", false), ("c", true)]
        );
        assert_eq!(spread(&balancer, 20, &[]).await.0, BTreeMap::from([("c", 20)]));
        balancer.set(Vec::<(&str, _)>::new());
        let none: Call<()> = balancer.run(async |_| Ok(())).await;
        assert!(matches!(none, Err(CallError::Rejected(Rejected::NoEndpoint { endpoints: 0, .. }))));
    });
}

#[test]
fn an_endpoint_that_stays_keeps_its_running_calls() {
    clock::simulate(async {
        let balancer = balancer(&["a", "b"], &Registry::new());
        let (held, release) = tokio::sync::oneshot::channel::<()>();
        let mut call = Box::pin(balancer.run(async |_| {
            let _ = release.await;
            Call::Ok(())
        }));
        assert!(futures::poll!(&mut call).is_pending());
        let running = || balancer.endpoints().iter().map(|it| it.running).sum::<usize>();
        assert_eq!(running(), 1);
        balancer.set([("a", "a"), ("b", "b"), ("c", "c")]);
        assert_eq!(running(), 1);
        drop(held);
        assert!(call.await.is_ok());
        assert_eq!(running(), 0);
    });
}
