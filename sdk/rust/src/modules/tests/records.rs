//! What is known of modules at run time, modules that are made when they start, and how starts end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::SystemTime;

use crate::modules::{
    BoxFuture, Context, Event, Failure, Health, Manifest, Module, Modules, Options, Outcome, PlanError,
    Services, StartError,
};
use crate::telemetry::metrics::Registry;

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

struct Price(u32);

/// Provides a price; fails when it is told to.
#[derive(Clone, Default)]
struct Catalog {
    broken: Arc<AtomicBool>,
    price: u32,
}

impl Catalog {
    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }
}

impl Module for Catalog {
    fn start<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async {
            if self.is_broken() {
                return Err("no shelf".into());
            }
            context.provide(Arc::new(Price(self.price)));
            Ok(())
        })
    }

    fn stop(&self) -> BoxFuture<'_, Result<(), Failure>> {
        let broken = self.is_broken();
        Box::pin(async move { if broken { Err("still open".into()) } else { Ok(()) } })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let broken = self.is_broken();
        Box::pin(async move { if broken { Health::Unhealthy("broken".into()) } else { Health::Healthy } })
    }
}

/// Takes the price, now and when it is asked how it is.
#[derive(Default)]
struct Shop(parking_lot::Mutex<Option<Context>>);

impl Module for Shop {
    fn start<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        *self.0.lock() = Some(context.clone());
        Box::pin(async { context.service::<Price>().map(|_| ()).map_err(Into::into) })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let price = self.0.lock().as_ref().unwrap().service::<Price>().unwrap().0;
        Box::pin(std::future::ready(Health::Degraded(format!("price {price}"))))
    }
}

fn manifest(id: &str) -> Manifest {
    Manifest::new(id, "1.0.0")
}

#[test]
fn a_module_is_known_by_its_type_its_services_and_how_it_went() {
    run(async {
        let modules = Modules::new(Services::default(), Options::default());
        let catalog = Catalog { price: 7, ..Catalog::default() };
        let broken = catalog.broken.clone();
        modules.register(manifest("catalog"), catalog).await.unwrap();
        modules.register(manifest("shop").needs("catalog", "*"), Shop::default()).await.unwrap();

        let before = modules.records().await.remove("catalog").unwrap();
        assert_eq!((before.running, before.load_time, before.last_accessed), (false, None, None));
        assert_eq!(before.exports, [""; 0]);
        assert_eq!(before.size_bytes, size_of::<Catalog>());
        assert!(before.type_name.ends_with("tests::records::Catalog"), "{}", before.type_name);

        let start = SystemTime::now();
        assert!(modules.start_all().await.unwrap().is_complete());
        let started = modules.records().await.remove("catalog").unwrap();
        assert!(started.running && started.load_time.is_some());
        assert!(started.exports.len() == 1 && started.exports[0].ends_with("::Price"), "{started:?}");
        assert!(started.last_accessed.unwrap() >= start, "the shop took the price");
        assert_eq!(started.error_count, 0);

        let others = modules.records().await.remove("shop").unwrap().last_accessed;
        assert_eq!(modules.health().await["shop"], Health::Degraded("price 7".into()));
        let taken = modules.records().await;
        assert!(taken["catalog"].last_accessed > started.last_accessed, "its service was taken again");
        assert_eq!(taken["shop"].last_accessed, others, "nobody takes what it does not provide");

        broken.store(true, Ordering::SeqCst);
        assert!(matches!(modules.health().await["catalog"], Health::Unhealthy(_)));
        modules.stop_all().await;
        assert!(!modules.start_all().await.unwrap().is_complete());
        // Unhealthy, stopped not cleanly, not started, and stopped once more after that.
        assert_eq!(modules.records().await["catalog"].error_count, 4);
        assert!(!modules.records().await["catalog"].running);
    });
}

#[test]
fn loading_one_checks_the_graph_and_loads_what_it_needs_first() {
    run(async {
        let modules = Modules::new(Services::default(), Options::default());
        let lazy = |id: &str| Manifest { lazy: true, ..manifest(id) };
        let made = Arc::new(AtomicU32::new(0));
        let counted = made.clone();
        let make = move || {
            let price = counted.fetch_add(1, Ordering::SeqCst) + 1;
            async move { Ok(Catalog { price, ..Catalog::default() }) }
        };
        modules.register_factory(lazy("catalog"), make).await.unwrap();
        modules.register(lazy("shop").needs("catalog", "*"), Shop::default()).await.unwrap();
        modules.register(lazy("idle"), Catalog::default()).await.unwrap();
        assert!(modules.start_all().await.unwrap().is_complete());
        assert_eq!((modules.running(), made.load(Ordering::SeqCst)), (Vec::new(), 0), "nobody needs it");

        let report = modules.start("shop").await.unwrap();
        let order: Vec<_> = report.modules.iter().map(|(id, ..)| id.as_str()).collect();
        assert_eq!(order, ["catalog", "shop"]);
        assert_eq!(modules.running(), ["catalog", "shop"]);
        let record = modules.records().await.remove("catalog").unwrap();
        assert!(record.type_name.ends_with("records::Catalog"), "what is made: {}", record.type_name);
        assert_eq!(record.size_bytes, size_of::<Catalog>());
        assert_eq!(modules.health().await["shop"], Health::Degraded("price 1".into()));

        modules.stop_all().await;
        modules.start("shop").await.unwrap();
        assert_eq!(modules.health().await["shop"], Health::Degraded("price 2".into()), "made anew");

        assert_eq!(modules.start("../shop").await, Err(StartError::Unknown("../shop".into())));
        modules.register(lazy("a").needs("b", "*"), Catalog::default()).await.unwrap();
        modules.register(lazy("b").needs("a", "*"), Catalog::default()).await.unwrap();
        let cycle = PlanError::Cycle(["a", "b", "a"].map(str::to_owned).to_vec());
        assert_eq!(modules.start("a").await, Err(StartError::Plan(cycle)));
    });
}

#[test]
fn a_factory_that_fails_or_panics_is_a_start_that_failed() {
    run(async {
        let modules = Modules::new(Services::default(), Options::default());
        let fails = || async { Err::<Catalog, Failure>("no disk".into()) };
        let panics = || async { panic!("on purpose") };
        modules.register_factory(manifest("fails"), fails).await.unwrap();
        modules.register_factory::<Catalog, _>(manifest("panics"), panics).await.unwrap();
        let report = modules.start_all().await.unwrap();
        assert_eq!(report.outcome("fails"), Some(&Outcome::Failed("no disk".into())));
        assert_eq!(report.outcome("panics"), Some(&Outcome::Failed("it panicked: on purpose".into())));
        assert_eq!(modules.records().await["fails"].error_count, 1, "there is nothing to stop");
    });
}

#[test]
fn what_happens_to_modules_is_told_before_and_after() {
    let seen: Arc<parking_lot::Mutex<Vec<(String, Event)>>> = Arc::default();
    let kept = seen.clone();
    let modules = Modules::new(Services::default(), Options::default())
        .observed_by(|_, _| panic!("on purpose"))
        .observed_by(move |id, event| kept.lock().push((id.to_owned(), event.clone())));
    let taken = || std::mem::take(&mut *seen.lock()).into_iter().map(|(_, event)| event).collect::<Vec<_>>();
    run(async {
        let catalog = Catalog::default();
        let broken = catalog.broken.clone();
        modules.register(manifest("catalog"), catalog).await.unwrap();
        broken.store(true, Ordering::SeqCst);
        modules.start_all().await.unwrap();
        assert_eq!(taken(), [Event::Starting, Event::StartFailed("no shelf".into())]);
        broken.store(false, Ordering::SeqCst);
        modules.start_all().await.unwrap();
        modules.start_all().await.unwrap();
        assert_eq!(taken(), [Event::Starting, Event::Started], "one that runs is left alone");

        let worse = Catalog { broken: Arc::new(AtomicBool::new(true)), price: 1 };
        modules.replace(manifest("catalog"), worse).await.unwrap_err();
        let failed = Event::ReplaceFailed("the new module does not run: no shelf".into());
        assert_eq!(taken(), [Event::Replacing, failed]);
        modules.replace(manifest("catalog"), Catalog::default()).await.unwrap();
        assert_eq!(taken(), [Event::Replacing, Event::Replaced]);

        modules.register(manifest("shop").needs("catalog", "*"), Shop::default()).await.unwrap();
        modules.start_all().await.unwrap();
        taken();
        modules.unload("catalog").await.unwrap_err();
        assert!(taken().is_empty(), "it is needed");
        modules.unload("shop").await.unwrap();
        assert_eq!(taken(), [Event::Stopping, Event::Stopped]);
        modules.stop_all().await;
        assert_eq!(taken(), [Event::Stopping, Event::Stopped]);
        modules.unload("catalog").await.unwrap();
        assert!(taken().is_empty(), "it did not run");
    });
}

#[test]
fn how_starts_end_is_counted() {
    run(async {
        let registry = Registry::new();
        let modules = Modules::new(Services::default(), Options::default()).counted_in(&registry);
        assert!(registry.prometheus().contains("modules_starts_success_ratio 1\n"), "nothing failed yet");
        let catalog = Catalog::default();
        let broken = catalog.broken.clone();
        modules.register(manifest("good"), Catalog::default()).await.unwrap();
        modules.register(manifest("also-good"), Catalog::default()).await.unwrap();
        modules.register(manifest("bad"), catalog).await.unwrap();
        modules.register(manifest("needs-bad").needs("bad", "*"), Catalog::default()).await.unwrap();
        broken.store(true, Ordering::SeqCst);
        modules.start_all().await.unwrap();
        let page = registry.prometheus();
        assert!(page.contains("modules_starts_total{modules_outcome=\"started\"} 2\n"), "{page}");
        assert!(page.contains("modules_starts_total{modules_outcome=\"failed\"} 2\n"), "{page}");
        assert!(page.contains("modules_starts_success_ratio 0.5\n"), "{page}");
        broken.store(false, Ordering::SeqCst);
        modules.start_all().await.unwrap();
        let page = registry.prometheus();
        assert!(page.contains("modules_starts_total{modules_outcome=\"started\"} 4\n"), "{page}");
        assert!(!page.contains("modules_starts_success_ratio 0.5\n"), "{page}");
    });
}
