//! Modules that run, fail, panic, hang and are replaced.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::config::Loader;
use crate::logging::Logger;
use crate::modules::{
    BoxFuture, Context, Failure, Health, Manifest, Module, Modules, ModulesConfig, Options, Outcome,
    ReplaceError, Services, StartError, StopError,
};

fn run<F: Future>(future: F) -> F::Output {
    // Two threads, so that a module that blocks holds up only itself; a hang ends at once.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn write(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    fn read(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Does {
    Work,
    Fail,
    Panic,
    Hang,
}

/// A module that writes into the diary and does what the test says.
struct Scripted {
    id: &'static str,
    diary: Diary,
    start: Does,
    stop: Does,
    health: Health,
    state: Option<Value>,
}

impl Scripted {
    fn new(id: &'static str, diary: &Diary) -> Self {
        Self {
            id,
            diary: diary.clone(),
            start: Does::Work,
            stop: Does::Work,
            health: Health::Healthy,
            state: None,
        }
    }

    async fn act(&self, does: Does) -> Result<(), Failure> {
        match does {
            Does::Work => Ok(()),
            Does::Fail => Err(format!("{} cannot", self.id).into()),
            // Without a backtrace, which takes seconds where much else runs.
            Does::Panic => std::panic::resume_unwind(Box::new(format!("{} panics on purpose", self.id))),
            Does::Hang => pending().await,
        }
    }
}

impl Module for Scripted {
    fn start<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let state = context.state().map(|state| format!(" with {state}")).unwrap_or_default();
            self.diary.write(format!("start {}{state}", self.id));
            self.act(self.start).await
        })
    }

    fn stop(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            self.diary.write(format!("stop {}", self.id));
            self.act(self.stop).await
        })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(std::future::ready(self.health.clone()))
    }

    fn state(&self) -> BoxFuture<'_, Option<Value>> {
        Box::pin(std::future::ready(self.state.clone()))
    }
}

/// A module may hang for this long.
fn brief() -> Options {
    let brief = Duration::from_secs(1);
    Options {
        start_timeout: brief,
        stop_timeout: brief,
        health_timeout: Duration::from_secs(20),
        ..Options::default()
    }
}

fn manifest(id: &str) -> Manifest {
    Manifest::new(id, "1.0.0")
}

#[test]
fn modules_start_in_order_and_stop_the_other_way_round() {
    run(async {
        let diary = Diary::default();
        let modules = Modules::new(Services::default(), Options::default());
        let add = |manifest, id| modules.register(manifest, Scripted::new(id, &diary));
        add(manifest("a").needs("c", "^1"), "a").await.unwrap();
        add(manifest("b").needs("a", "^1"), "b").await.unwrap();
        add(manifest("c"), "c").await.unwrap();
        let report = modules.start_all().await.unwrap();
        assert!(report.is_complete());
        assert_eq!(modules.running(), ["c", "a", "b"]);
        assert_eq!(modules.start_all().await.unwrap().outcome("a"), Some(&Outcome::Running));
        let stopped = modules.stop_all().await;
        assert!(stopped.iter().all(|(_, problem)| problem.is_none()));
        assert_eq!(diary.read(), ["start c", "start a", "start b", "stop b", "stop a", "stop c"]);
        assert_eq!(modules.running(), [""; 0]);
    });
}

#[test]
fn one_that_fails_takes_down_only_those_that_need_it() {
    run(async {
        for (does, problem) in [
            (Does::Fail, "bad cannot"),
            (Does::Panic, "it panicked: bad panics on purpose"),
            (Does::Hang, "it took longer than 1s"),
        ] {
            let diary = Diary::default();
            let modules = Modules::new(Services::default(), brief());
            let bad = Scripted { start: does, ..Scripted::new("bad", &diary) };
            modules.register(manifest("bad"), bad).await.unwrap();
            let add = |manifest, id| modules.register(manifest, Scripted::new(id, &diary));
            add(manifest("needs").needs("bad", "*"), "needs").await.unwrap();
            add(manifest("uses").uses("bad", "*"), "uses").await.unwrap();
            add(manifest("other"), "other").await.unwrap();
            let report = modules.start_all().await.unwrap();
            assert!(!report.is_complete());
            assert_eq!(report.outcome("bad"), Some(&Outcome::Failed(problem.into())));
            let needs = Outcome::Failed("it needs `bad`, which does not run".into());
            assert_eq!(report.outcome("needs"), Some(&needs));
            assert_eq!(modules.running(), ["other", "uses"]);
            assert_eq!(
                diary.read(),
                ["start bad", "stop bad", "start other", "start uses"],
                "what it began is stopped"
            );
        }
    });
}

#[test]
fn a_stop_is_bounded_and_goes_on_after_one_that_does_not() {
    run(async {
        let diary = Diary::default();
        let modules = Modules::new(Services::default(), brief());
        for (id, stop) in [("a", Does::Work), ("b", Does::Hang), ("c", Does::Panic), ("d", Does::Fail)] {
            modules.register(manifest(id), Scripted { stop, ..Scripted::new(id, &diary) }).await.unwrap();
        }
        modules.start_all().await.unwrap();
        let expected = [
            ("d", Some("d cannot")),
            ("c", Some("it panicked: c panics on purpose")),
            ("b", Some("it took longer than 1s")),
            ("a", None),
        ];
        let stopped = modules.stop_all().await;
        let stopped: Vec<_> = stopped.iter().map(|(id, problem)| (id.as_str(), problem.as_deref())).collect();
        assert_eq!(stopped, expected);
        assert_eq!(modules.running(), [""; 0]);
    });
}

#[test]
fn a_graph_without_an_order_starts_nothing() {
    run(async {
        let diary = Diary::default();
        let modules = Modules::new(Services::default(), Options::default());
        let add = |manifest, id| modules.register(manifest, Scripted::new(id, &diary));
        add(manifest("first"), "first").await.unwrap();
        add(manifest("x").needs("y", "*"), "x").await.unwrap();
        add(manifest("y").needs("x", "*"), "y").await.unwrap();
        let error = modules.start_all().await.unwrap_err();
        assert_eq!(error.to_string(), "modules wait for each other: x -> y -> x");
        assert!(matches!(modules.start("first").await, Err(StartError::Plan(_))));
        assert_eq!(diary.read(), [""; 0]);
        assert!(add(manifest("first"), "first").await.is_err(), "an id is taken once");
    });
}

#[test]
fn lazy_ones_start_when_they_are_needed_and_disabled_ones_never() {
    run(async {
        let diary = Diary::default();
        let options = Options { disabled: ["off".to_owned()].into(), ..Options::default() };
        let modules = Modules::new(Services::default(), options);
        let lazy = |id: &str| Manifest { lazy: true, ..manifest(id) };
        let add = |manifest, id| modules.register(manifest, Scripted::new(id, &diary));
        add(lazy("needed"), "needed").await.unwrap();
        add(lazy("later"), "later").await.unwrap();
        add(manifest("eager").needs("needed", "*"), "eager").await.unwrap();
        add(manifest("off"), "off").await.unwrap();
        add(manifest("needs-off").needs("off", "*"), "needs-off").await.unwrap();
        let report = modules.start_all().await.unwrap();
        assert_eq!(report.outcome("later"), Some(&Outcome::Lazy));
        assert_eq!(report.outcome("off"), Some(&Outcome::Disabled));
        assert_eq!(
            report.outcome("needs-off"),
            Some(&Outcome::Failed("it needs `off`, which does not run".into()))
        );
        assert_eq!(modules.running(), ["needed", "eager"]);
        let report = modules.start("later").await.unwrap();
        assert_eq!(report.modules.len(), 1);
        assert_eq!(modules.running(), ["needed", "eager", "later"]);
        assert_eq!(modules.start("nobody").await, Err(StartError::Unknown("nobody".into())));
    });
}

#[derive(Debug)]
struct Price(u32);

type Found = Arc<Mutex<Option<Result<u32, String>>>>;

/// Provides a price, or takes one and says whether it found it.
struct Trader {
    provides: Option<u32>,
    found: Found,
}

impl Module for Trader {
    fn start<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let price = context.service::<Price>();
            *self.found.lock() = Some(price.map(|price| price.0).map_err(|error| error.to_string()));
            if let Some(price) = self.provides {
                let settings: Value = context.settings()?;
                context.provide(Arc::new(Price(price + settings["extra"].as_u64().unwrap_or(0) as u32)));
            }
            Ok(())
        })
    }
}

#[test]
fn a_module_sees_what_it_declared_and_no_more() {
    run(async {
        let settings = [("seller".to_owned(), json!({"extra": 3}))].into();
        let host = Services::default().with(Arc::new("host".to_owned()));
        let modules = Modules::new(host, Options { settings, ..Options::default() });
        let found = || -> Found { Arc::new(Mutex::new(None)) };
        let (seller, buyer, stranger) = (found(), found(), found());
        let trader = |provides, found: &Found| Trader { provides, found: found.clone() };
        modules.register(manifest("seller"), trader(Some(4), &seller)).await.unwrap();
        modules.register(manifest("buyer").needs("seller", "*"), trader(None, &buyer)).await.unwrap();
        modules.register(manifest("stranger"), trader(None, &stranger)).await.unwrap();
        assert!(modules.start_all().await.unwrap().is_complete());
        assert_eq!(*buyer.lock(), Some(Ok(7)));
        let error = stranger.lock().clone().unwrap().unwrap_err();
        assert!(error.starts_with("there is no service `") && error.contains("Price"), "{error}");
    });
}

/// Keeps the logger that it is given.
struct Speaker(Arc<Mutex<Option<Logger>>>);

impl Module for Speaker {
    fn start<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        *self.0.lock() = Some(context.logger());
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn a_module_has_a_logger_of_its_name_below_the_hosts() {
    run(async {
        let host = Services::default().with(Arc::new(Logger::new("shop").with("region", "eu")));
        for (services, name, below) in [(Services::default(), "cart", false), (host, "shop:cart", true)] {
            let modules = Modules::new(services, Options::default());
            let found = Arc::new(Mutex::new(None));
            modules.register(manifest("cart"), Speaker(found.clone())).await.unwrap();
            assert!(modules.start_all().await.unwrap().is_complete());
            let logger = found.lock().clone().unwrap();
            assert_eq!((logger.name(), format!("{logger:?}").contains("region")), (name, below));
        }
    });
}

#[test]
fn one_that_is_needed_is_not_unloaded() {
    run(async {
        let diary = Diary::default();
        let modules = Modules::new(Services::default(), Options::default());
        let add = |manifest, id| modules.register(manifest, Scripted::new(id, &diary));
        add(manifest("a"), "a").await.unwrap();
        add(manifest("b").needs("a", "*"), "b").await.unwrap();
        modules.start_all().await.unwrap();
        assert_eq!(modules.unload("a").await, Err(StopError::InUse(vec!["b".into()])));
        modules.unload("b").await.unwrap();
        modules.unload("a").await.unwrap();
        assert_eq!(modules.unload("a").await, Err(StopError::Unknown("a".into())));
        assert_eq!(diary.read(), ["start a", "start b", "stop b", "stop a"]);
    });
}

#[test]
fn a_replacement_takes_over_the_state_before_the_old_one_stops() {
    run(async {
        let diary = Diary::default();
        let modules = Modules::new(Services::default(), brief());
        let old = Scripted { state: Some(json!({"count": 7})), ..Scripted::new("old", &diary) };
        modules.register(manifest("a"), old).await.unwrap();
        modules.register(manifest("b").needs("a", "^1"), Scripted::new("b", &diary)).await.unwrap();
        modules.start_all().await.unwrap();
        let new = Scripted::new("new", &diary);
        modules.replace(Manifest::new("a", "1.1.0"), new).await.unwrap();
        assert_eq!(diary.read(), ["start old", "start b", "start new with {\"count\":7}", "stop old"]);
        assert_eq!(modules.running(), ["a", "b"], "it still stops after b");
        modules.stop_all().await;
        assert_eq!(diary.read(), ["stop b", "stop new"]);
    });
}

#[test]
fn a_replacement_that_does_not_run_leaves_the_old_one() {
    run(async {
        let diary = Diary::default();
        let modules = Modules::new(Services::default(), brief());
        modules.register(manifest("a"), Scripted::new("old", &diary)).await.unwrap();
        modules.register(manifest("b").needs("a", "^1"), Scripted::new("b", &diary)).await.unwrap();
        modules.start_all().await.unwrap();
        diary.read();
        for does in [Does::Fail, Does::Panic, Does::Hang] {
            let new = Scripted { start: does, ..Scripted::new("new", &diary) };
            let error = modules.replace(manifest("a"), new).await.unwrap_err();
            assert!(matches!(error, ReplaceError::Failed(_)), "{error}");
            assert_eq!(diary.read(), ["start new", "stop new"]);
        }
        let ill = Scripted { health: Health::Unhealthy("no disk".into()), ..Scripted::new("new", &diary) };
        let error = modules.replace(manifest("a"), ill).await.unwrap_err();
        assert_eq!(error.to_string(), "the new module does not run: it is unhealthy: no disk");
        assert_eq!(diary.read(), ["start new", "stop new"]);
        // Others need version 1; and the manifest is checked before anything is started.
        let two = modules.replace(Manifest::new("a", "2.0.0"), Scripted::new("new", &diary)).await;
        assert!(matches!(two, Err(ReplaceError::Plan(_))));
        let none = modules.replace(Manifest::new("c", "1.0.0"), Scripted::new("new", &diary)).await;
        assert_eq!(none, Err(ReplaceError::Unknown("c".into())));
        assert_eq!(diary.read(), [""; 0]);
        assert_eq!(modules.running(), ["a", "b"]);
        modules.stop_all().await;
        assert_eq!(diary.read(), ["stop b", "stop old"]);
    });
}

/// Says how it is in its own way.
struct Patient(Does);

impl Module for Patient {
    fn start<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async {
            match self.0 {
                Does::Work => Health::Degraded("slow".into()),
                Does::Hang => pending().await,
                Does::Fail | Does::Panic => panic!("on purpose"),
            }
        })
    }
}

#[test]
fn health_is_told_of_every_one_whatever_it_does() {
    run(async {
        let options = Options { health_timeout: Duration::from_secs(1), ..Options::default() };
        let modules = Modules::new(Services::default(), options);
        for (id, does) in [("slow", Does::Work), ("hangs", Does::Hang), ("panics", Does::Panic)] {
            modules.register(manifest(id), Patient(does)).await.unwrap();
        }
        let report = modules.start_all().await.unwrap();
        assert!(report.is_complete(), "not healthy, but it runs");
        let health = modules.health().await;
        assert_eq!(health["slow"], Health::Degraded("slow".into()));
        assert_eq!(health["hangs"], Health::Unhealthy("it took longer than 1s".into()));
        assert_eq!(health["panics"], Health::Unhealthy("it panicked: on purpose".into()));
    });
}

/// Has checks that are fine, slow, ill, hang and panic.
struct Checked;

impl Module for Checked {
    fn start<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn check<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Health> {
        Box::pin(async move {
            match name {
                "fine" => Health::Healthy,
                "slow" => Health::Degraded("9 s".into()),
                "hangs" => pending().await,
                _ => panic!("on purpose"),
            }
        })
    }
}

#[test]
fn the_checks_of_a_module_are_asked_one_by_one_and_the_worst_is_how_it_is() {
    run(async {
        let options = Options { health_timeout: Duration::from_secs(1), ..Options::default() };
        let modules = Modules::new(Services::default(), options);
        let fine = manifest("fine").checks("fine");
        let slow = manifest("slow").checks("fine").checks("slow");
        let ill = manifest("ill").checks("panics").checks("slow").checks("hangs");
        for it in [fine, slow.clone(), ill] {
            modules.register(it, Checked).await.unwrap();
        }
        modules.register_factory(manifest("made").checks("slow"), async || Ok(Checked)).await.unwrap();
        modules.register(manifest("unknown").checks("any"), Patient(Does::Work)).await.unwrap();
        let report = modules.start_all().await.unwrap();
        let slowly = Health::Degraded("`slow`: 9 s".into());
        assert_eq!(report.outcome("slow"), Some(&Outcome::Started(slowly.clone())));
        let health = modules.health().await;
        assert_eq!((&health["fine"], &health["slow"], &health["made"]), (&Health::Healthy, &slowly, &slowly));
        let Health::Unhealthy(problem) = &health["ill"] else { panic!("{health:?}") };
        assert!(problem.starts_with("`hangs`: it took"), "of equal ones the first: {problem}");
        let unknown = Health::Unhealthy("`any`: the module does not know this check".into());
        assert_eq!(health["unknown"], unknown, "worse than how it is itself");

        let found = modules.checks("ill").await;
        let named = |name: &str| found[name].clone();
        assert_eq!(found.len(), 3);
        assert_eq!(named("slow"), Health::Degraded("9 s".into()));
        assert_eq!(named("hangs"), Health::Unhealthy("it took longer than 1s".into()));
        assert_eq!(named("panics"), Health::Unhealthy("it panicked: on purpose".into()));
        assert!(modules.checks("nobody").await.is_empty());
        // A replacement that a check does not let pass leaves the old one.
        let worse = slow.checks("panics");
        let refused = modules.replace(worse, Checked).await.unwrap_err().to_string();
        assert_eq!(
            refused,
            "the new module does not run: it is unhealthy: `panics`: it panicked: on purpose"
        );
        assert_eq!(modules.checks("slow").await.len(), 2);
    });
}

#[test]
fn each_customer_has_the_modules_the_order_and_the_settings_that_it_is_configured_to_have() {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    let text = r#"
        [modules.beta]
        enabled = false
        [modules.price.settings]
        extra = 5
        [customers.acme.beta]
        enabled = true
        position = -1
        [customers.acme.price.settings]
        extra = 70
        [customers.lab.price]
        enabled = false
        "#;
    std::fs::write(file.path(), text).unwrap();
    let config = Loader::<ModulesConfig>::new().file(file.path()).load().unwrap();
    run(async {
        let expected = [
            (None, vec!["alpha", "price"], Some(15)),
            (Some("stranger"), vec!["alpha", "price"], Some(15)),
            (Some("acme"), vec!["beta", "alpha", "price"], Some(80)),
            (Some("lab"), vec!["alpha"], None),
        ];
        for (customer, ids, price) in expected {
            let diary = Diary::default();
            let found = Found::default();
            let modules = Modules::new(Services::default(), config.value.options(customer));
            for id in ["alpha", "beta"] {
                modules.register(manifest(id), Scripted::new(id, &diary)).await.unwrap();
            }
            let price_module = Trader { provides: Some(10), found: Found::default() };
            modules.register(manifest("price"), price_module).await.unwrap();
            let lazy = Manifest { lazy: true, ..manifest("buyer").needs("price", "*") };
            modules.register(lazy, Trader { provides: None, found: found.clone() }).await.unwrap();
            modules.start_all().await.unwrap();
            assert_eq!(modules.running(), ids, "{customer:?}");
            modules.start("buyer").await.unwrap();
            assert_eq!(found.lock().take().and_then(Result::ok), price, "{customer:?}");
        }
    });
    std::fs::write(file.path(), "[modules.Beta]\n[customers.acme.'b b']").unwrap();
    let error = Loader::<ModulesConfig>::new().file(file.path()).load().unwrap_err().to_string();
    assert!(error.contains("`Beta` is no id") && error.contains("`b b` is no id"), "{error}");
}
