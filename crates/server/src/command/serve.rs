//! The server: parts are made, introduced to each other, started, and stopped in the reverse order.

use std::io::{IsTerminal, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use fresnel_sdk::config::{Loaded, Loader, Subscription, Watch, WatchOptions};
use fresnel_sdk::telemetry::metrics::Registry;
use model::Budget;
use receive::scrape::{Scraper, StartError};
use receive::{Intake, Senders};
use store::{Replay, Store};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Instrument;

use crate::answers::Answers;
use crate::cli::ServeArgs;
use crate::config::{self, Config};
use crate::failure::{Failure, Result};
use crate::guard::{self, Guard, Medium};
use crate::listen::Door;
use crate::observe::{self, Observer};
use crate::operations::{Checked, Desk, unix_ms};
use crate::publication::Published;
use crate::rules::{self, Board, Rules};
use crate::sink::{StoreSink, chain};
use crate::source::StoreSource;
use crate::supervise::Supervisor;
use crate::warm::warm;

/// One process does everything; there is no other way to run it.
const MODE: &str = "standalone";
/// What the process needs besides what is accounted: code, threads, connections, allocator slack.
const OWN_MEMORY: u64 = 64 << 20;
/// Threads that answer questions yield to those that take records in by so much.
const QUERY_NICENESS: i32 = 5;
/// How long background work may take to end when the server stops. Everything it does can be cut
/// off: it is what a crash would cut off.
const WORK_WITHIN: Duration = Duration::from_secs(10);
/// How long the last seal may take when the server stops; what is not sealed is replayed.
const SEAL_WITHIN: Duration = Duration::from_secs(30);

/// Runs until SIGTERM, SIGINT, or a failure of the disk.
pub fn run(args: &ServeArgs) -> Result<()> {
    let started = (Instant::now(), SystemTime::now());
    drive(watch(loader(args))?, started, |_| {})
}

/// Tells where to reach a server that was started inside another command.
pub struct Started {
    pub http: std::net::SocketAddr,
    pub otlp_http: std::net::SocketAddr,
}

/// Runs a server inside another command until SIGTERM or SIGINT.
pub fn run_within(loader: Loader<Config>, started: impl FnOnce(Started)) -> Result<()> {
    drive(watch(loader)?, (Instant::now(), SystemTime::now()), |doors| {
        started(Started { http: doors.http.address(), otlp_http: doors.otlp_http.address() });
    })
}

/// Starts and runs a server.
fn drive(watch: Watch<Config>, started: (Instant, SystemTime), listening: impl FnOnce(&Doors)) -> Result<()> {
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let server = Server::start(watch, started).await?;
        listening(&server.doors);
        server.run().await
    });
    // A thread may never come back from its disk, and a runtime that is dropped waits for it. What
    // goes on anyway ends with the process, as in a crash.
    std::mem::forget(runtime);
    ended
}

/// Ends the background work, within a bound.
async fn finish(work: &Supervisor) {
    if !work.finish(WORK_WITHIN).await {
        tracing::warn!("cut background work that did not end in time");
    }
}

fn loader(args: &ServeArgs) -> Loader<Config> {
    let options = [
        ("--data-dir", "store.dir", &args.data_dir),
        ("--http", "api.listen", &args.http),
        ("--otlp-grpc", "receive.otlp.grpc.listen", &args.otlp_grpc),
        ("--otlp-http", "receive.otlp.http.listen", &args.otlp_http),
        ("--memory-limit", "memory.limit", &args.memory_limit),
    ];
    options.into_iter().fold(
        config::loader(args.config.as_deref()),
        |loader, (flag, path, value)| match value {
            Some(value) => loader.arg(flag, path, value.clone()),
            None => loader,
        },
    )
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("fresnel")
        .build()
        .map_err(|error| Failure::new("could not start the threads").cause(error))
}

/// Answers questions on threads of its own: what they compute holds up no sender.
fn engine(store: &Arc<Store>, budget: &Budget, config: &Config) -> Result<(query::Engine, Runtime)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("query")
        .on_thread_start(|| {
            // Linux counts niceness by thread. Without it queries are only less polite.
            let _ = rustix::process::setpriority_process(None, QUERY_NICENESS);
        })
        .build()
        .map_err(|error| Failure::new("could not start the threads for queries").cause(error))?;
    let source = Arc::new(StoreSource(Arc::clone(store)));
    let engine = query::Engine::new(source, budget.clone(), config.query.clone(), runtime.handle().clone())
        .map_err(|error| Failure::new("cannot start the query engine").cause(error))?;
    Ok((engine, runtime))
}

struct Doors {
    http: Door,
    otlp_grpc: Door,
    otlp_http: Door,
}

impl Doors {
    async fn bind(config: &Config) -> Result<Self> {
        let (http, otlp) = (config.api.listen, &config.receive.otlp);
        Ok(Self {
            http: Door::bind("page and API", "api.listen", http).await?,
            otlp_grpc: Door::bind("OTLP/gRPC", "receive.otlp.grpc.listen", otlp.grpc.listen).await?,
            otlp_http: Door::bind("OTLP/HTTP", "receive.otlp.http.listen", otlp.http.listen).await?,
        })
    }

    fn addresses(&self) -> api::dto::Addresses {
        api::dto::Addresses {
            http: self.http.address().to_string(),
            otlp_grpc: self.otlp_grpc.address().to_string(),
            otlp_http: self.otlp_http.address().to_string(),
        }
    }
}

struct Server {
    config: Arc<Config>,
    doors: Doors,
    store: Arc<Store>,
    intake: Intake,
    senders: Arc<Senders>,
    answers: Answers,
    queries: Runtime,
    desk: Arc<Desk>,
    observer: Observer,
    rules: Rules,
    ready: Arc<AtomicBool>,
    replay: Replay,
    // Held for their threads.
    _watch: (Arc<Watch<Config>>, [Subscription; 2]),
}

impl Server {
    async fn start(watch: Watch<Config>, started: (Instant, SystemTime)) -> Result<Self> {
        let loaded = watch.loaded();
        let config = Arc::clone(&loaded.value);
        check_rules(&config)?;
        let registry = Registry::new();
        let mut observer = Observer::install(&config, registry.clone())?;
        tell_sources(&loaded);
        observer.follow(&watch);
        let watch = Arc::new(watch);
        let data_dir = config.store.dir.clone();
        let doors = Doors::bind(&config).await?;
        let memory_limit = config.memory.limit.bytes();
        let budget = Budget::new(memory_limit.saturating_sub(OWN_MEMORY));
        // The store waits for its disk, or for S3, as on a thread of its own.
        let opening = (Arc::clone(&config), budget.clone());
        let opened = tokio::task::spawn_blocking(move || open(&opening.0, &opening.1)).await;
        let (store, replay) =
            opened.map_err(|error| Failure::new("opening the store panicked").cause(error))??;
        let store = Arc::new(store);
        let senders = Senders::new(&config.receive.key)
            .map_err(|error| Failure::usage("invalid configuration").cause(error))?;
        let scraper = scraper(&config)?;
        let intake = intake(&store, &budget, &config, &registry);
        let (engine, queries) = engine(&store, &budget, &config)?;
        let limits = engine.clone();
        let limits = watch.subscribe("query", move |event| limits.reconfigure(event.config.query.clone()));
        let (told, settings) = tokio::sync::watch::channel(Arc::clone(&config));
        let told = watch.subscribe("", move |event| {
            told.send_replace(Arc::clone(&event.config));
        });
        let rules = rules(&engine, &intake, settings, &registry);
        let ready = Arc::new(AtomicBool::new(false));
        let pending = Arc::clone(&watch);
        let published = Published::default();
        published.register(&registry);
        let desk = Desk {
            store: Arc::clone(&store),
            budget: budget.clone(),
            memory_limit,
            registry: registry.clone(),
            published: published.clone(),
            supervisor: Supervisor::new(),
            telemetry: observer.telemetry(),
            data_dir,
            addresses: doors.addresses(),
            started,
            ready: Arc::clone(&ready),
            pending_restart: Box::new(move || pending.pending_restart()),
            checked: Checked::default(),
        };
        observe::register(&registry, &store, &engine, &budget, memory_limit);
        Ok(Self {
            config,
            doors,
            store,
            intake,
            senders: Arc::new(senders),
            answers: Answers { engine, scraper, rules: rules.board.clone(), watch: Arc::clone(&watch) },
            queries,
            desk: Arc::new(desk),
            observer,
            rules,
            ready,
            replay,
            _watch: (watch, [limits, told]),
        })
    }

    async fn run(self) -> Result<()> {
        // Before anybody can know of the server, so that whoever stops it then is heard.
        let mut stop = std::pin::pin!(Signals::install()?.told());
        let Self {
            config,
            doors,
            store,
            intake,
            senders,
            answers,
            queries,
            desk,
            observer,
            rules,
            ready,
            replay,
            _watch,
        } = self;
        announce(&config.store.dir, &desk.addresses)?;
        let door = doors.http.address();
        let serving = serve(&config, doors, &intake, &senders, answers.clone(), &desk);
        let replaying = recover(Arc::clone(&store), intake.clone(), replay)
            .instrument(tracing::info_span!("replay", otel.name = "replay the log"));
        let replayed = tokio::select! {
            replayed = replaying => replayed?,
            reason = &mut stop => {
                // The next start replays what is left.
                tracing::info!(reason, "stop during the replay");
                finish(&desk.supervisor).await;
                serving.await;
                store.close();
                queries.shutdown_background();
                return Ok(());
            }
        };
        store.tenants().into_iter().for_each(|tenant| intake.know(tenant));
        intake.open();
        ready.store(true, Ordering::Release);
        greet(&desk, replayed);
        warm(answers.engine, store.tenants(), door, &desk.supervisor);
        work(&config, &store, &intake, answers.scraper, &desk, &observer);
        desk.supervisor.spawn("rules", move |stop| rules.clone().run(stop));
        let fatal = store.fatal();
        let reason = tokio::select! {
            reason = &mut stop => Ok(reason),
            reason = fatal.raised() => Err(reason),
        };
        ready.store(false, Ordering::Release);
        let ended = match reason {
            Ok(reason) => {
                tracing::info!(reason, "stop");
                // The doors let in nobody new and finish with those who are in.
                finish(&desk.supervisor).await;
                serving.await;
                // Last, so that it tells of them too.
                observer.shutdown();
                intake.close();
                seal(&store).await;
                Ok(())
            }
            // What is on the disk is not known any more: the next start reads what is there.
            Err(reason) => Err(untrusted(&reason)),
        };
        store.close();
        // Nobody waits for what they do any more.
        queries.shutdown_background();
        ended
    }
}

fn intake(store: &Arc<Store>, budget: &Budget, config: &Config, registry: &Registry) -> Intake {
    let sink = StoreSink::new(Arc::clone(store), registry);
    let metrics = receive::Metrics::new(registry);
    Intake::new(Arc::new(sink), budget.clone(), &config.receive.limit, metrics, observe::now_unix_nano)
}

fn rules(
    engine: &query::Engine,
    intake: &Intake,
    settings: tokio::sync::watch::Receiver<Arc<Config>>,
    registry: &Registry,
) -> Rules {
    let (board, metrics) = (Board::default(), rules::Metrics::new(registry));
    board.register(registry);
    Rules { engine: engine.clone(), intake: intake.clone(), board, metrics, settings }
}

fn untrusted(reason: &str) -> Failure {
    Failure::new("the disk cannot be trusted any more").cause(reason).hint(
        "nothing that was acknowledged before is lost as far as the disk kept it; repair it and start again",
    )
}

fn open(config: &Config, budget: &Budget) -> Result<(Store, Replay)> {
    let options = store::Options {
        config: config.store.clone(),
        disk: Arc::new(store::LocalDisk::new()),
        budget: budget.clone(),
        clock: Arc::new(observe::SystemClock),
        now: Instant::now,
    };
    Store::open(options).map_err(|error| {
        Failure::new(format!("cannot open the store in {}", config.store.dir.display()))
            .chain(&error)
            .hint("the folder comes from `store.dir` or --data-dir; it must be writable, and one process uses it at a time")
    })
}

/// What the configuration's rule files say is right, or nothing is started.
pub fn check_rules(config: &Config) -> Result<()> {
    let checked = rules::files::read_configured(&config.rules.files, config.query.prometheus.experimental);
    let problems = checked.err().unwrap_or_default();
    if problems.is_empty() {
        return Ok(());
    }
    let failure = Failure::usage("invalid rules")
        .hint("the files come from `rules.files`; `fresnel check rules FILE` checks one");
    Err(problems.into_iter().fold(failure, Failure::cause))
}

/// Says what the configuration was read from, and what is odd about it.
fn tell_sources(loaded: &Loaded<Config>) {
    let sources = loaded.sources();
    tracing::info!(mode = MODE, sources = sources.len(), from = sources.join(", "), "configuration read");
    for warning in &loaded.warnings {
        tracing::warn!(warning = %warning, "configuration");
    }
}

/// Loads the configuration and follows its files.
fn watch(loader: Loader<Config>) -> Result<Watch<Config>> {
    let restart = config::RESTART.iter().map(|path| (*path).into()).collect();
    Ok(Watch::start(loader, WatchOptions { restart, ..WatchOptions::default() })?)
}

/// Feeds what was acknowledged before back into memory, in the order of the log.
async fn recover(store: Arc<Store>, intake: Intake, mut replay: Replay) -> Result<u64> {
    let failed = |error: store::WorkError| Failure::new("the log could not be replayed").chain(&error);
    let bar = replay_bar(&replay);
    let mut entries = 0;
    while let Some((lsn, entry)) = tokio::task::block_in_place(|| replay.next()) {
        let rejected = sorted(entry.meta.rejected.iter().flat_map(|rejection| &rejection.indices).copied());
        let meta = &entry.meta;
        let batch = tokio::task::block_in_place(|| {
            intake.replay(meta.signal, meta.protocol, meta.received_unix_nano, &rejected, &entry.body)
        });
        match batch {
            Ok(batch) => store.restore(lsn, meta, batch).await.map_err(failed)?,
            Err(error) => {
                tracing::error!(lsn, error = %error, "set aside an entry of the log that cannot be decoded");
                store.restore_failed(lsn, entry, &error.to_string()).await.map_err(failed)?;
            }
        }
        entries += 1;
        if entries % 64 == 0 {
            bar.set_position(replay.progress().0);
            // Who waits for a signal is heard.
            tokio::task::yield_now().await;
        }
    }
    bar.finish_and_clear();
    store.ready();
    Ok(entries)
}

fn sorted(indices: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut indices: Vec<u32> = indices.collect();
    indices.sort_unstable();
    indices
}

fn replay_bar(replay: &Replay) -> indicatif::ProgressBar {
    let (_, total) = replay.progress();
    let worth_it = total > 64 << 20 && std::io::stderr().is_terminal();
    if !worth_it {
        return indicatif::ProgressBar::hidden();
    }
    let bar = indicatif::ProgressBar::new(total);
    if let Ok(style) = indicatif::ProgressStyle::with_template("replay {bar:40} {bytes}/{total_bytes} {eta}")
    {
        bar.set_style(style);
    }
    bar
}

/// Opens the doors. The health endpoints answer at once, the others once the replay is done.
fn serve(
    config: &Config,
    doors: Doors,
    intake: &Intake,
    senders: &Arc<Senders>,
    answers: Answers,
    desk: &Arc<Desk>,
) -> impl Future<Output = ()> + use<> {
    let Doors { http, otlp_grpc, otlp_http } = doors;
    let ready = Arc::clone(&desk.ready);
    let page = api::router(Arc::new(answers), Arc::clone(desk) as Arc<dyn api::Operations>);
    let page = guard::scope(page, Arc::clone(senders), ready);
    // Beside what readers are let in to: it has its own answers to who is there and what is ready.
    let page = page.merge(receive::prometheus::router(intake.clone(), Arc::clone(senders)));
    let routers = [
        (http, Medium::Api, page),
        (otlp_grpc, Medium::OtlpGrpc, receive::otlp::grpc_router(intake.clone(), Arc::clone(senders))),
        (otlp_http, Medium::OtlpHttp, receive::otlp::http_router(intake.clone(), Arc::clone(senders))),
    ];
    let panics = guard::panics(&desk.registry);
    let serving = routers.map(|(door, medium, router)| {
        let router = Guard::new(door.address(), medium, &config.api, &panics).protect(router);
        #[expect(clippy::disallowed_methods, reason = "ends with the stop signal and is awaited")]
        tokio::spawn(door.serve(router, desk.supervisor.stop()))
    });
    async move {
        for door in serving {
            if let Err(error) = door.await {
                tracing::error!(error = %error, "a door panicked");
            }
        }
    }
}

/// Starts what goes on in the background.
fn work(
    config: &Config,
    store: &Arc<Store>,
    intake: &Intake,
    scraper: Arc<Scraper>,
    desk: &Desk,
    observer: &Observer,
) {
    let supervisor = &desk.supervisor;
    let limit = desk.memory_limit;
    let working = Arc::clone(store);
    supervisor.spawn("memory", move |stop| {
        let store = Arc::clone(&working);
        crate::allocator::watch(limit, move || store.large_works_done(), stop)
    });
    let sealing = Arc::clone(store);
    supervisor.spawn("store", move |stop| {
        let store = Arc::clone(&sealing);
        async move { store.run(stop.cancelled_owned()).await }
    });
    if config.receive.host.enabled {
        let (intake, interval) = (intake.clone(), config.receive.host.interval.get());
        supervisor.spawn("host metrics", move |stop| {
            receive::host::run(intake.clone(), interval, observe::now_unix_nano, stop.cancelled_owned())
        });
    }
    scrape(scraper, intake, supervisor);
    if config.telemetry.enabled {
        observer.connect(intake.clone());
    }
    crate::publication::start(config, store, &desk.published, supervisor);
}

/// What is scraped, as the configuration says.
pub fn scraper(config: &Config) -> Result<Arc<Scraper>> {
    let scraper = Scraper::start(&config.receive.scrape);
    scraper.map(Arc::new).map_err(|error| match error {
        StartError::File(error) => error.into(),
        error => Failure::usage("invalid configuration").cause(error),
    })
}

/// Starts scraping, where there is something to scrape.
fn scrape(scraper: Arc<Scraper>, intake: &Intake, supervisor: &Supervisor) {
    if scraper.is_idle() {
        return;
    }
    let intake = intake.clone();
    supervisor.spawn("scraper", move |stop| {
        let (scraper, intake) = (Arc::clone(&scraper), intake.clone());
        async move { scraper.run(intake, observe::now_unix_nano, stop.cancelled_owned()).await }
    });
}

/// Writes where the doors are, for programs that start a server on free ports.
fn announce(data_dir: &Path, addresses: &api::dto::Addresses) -> Result<()> {
    let folder = data_dir.join("run");
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        let text = serde_json::json!({
            "http": addresses.http,
            "otlp_grpc": addresses.otlp_grpc,
            "otlp_http": addresses.otlp_http,
            "pid": std::process::id(),
            "started_unix_ms": unix_ms(SystemTime::now()),
        });
        let temporary = folder.join("addresses.json.new");
        std::fs::File::create(&temporary)?.write_all(text.to_string().as_bytes())?;
        std::fs::rename(temporary, folder.join("addresses.json"))
    };
    write().map_err(|error| Failure::new(format!("cannot write to {}", folder.display())).cause(error))
}

/// Says that and where it can be reached.
#[expect(clippy::print_stderr, reason = "what a person who started it wants to see first")]
fn greet(desk: &Desk, replayed: u64) {
    let api::dto::Addresses { http, otlp_grpc, otlp_http } = &desk.addresses;
    let startup_ms = u64::try_from(desk.started.0.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%http, %otlp_grpc, %otlp_http, replayed, startup_ms, "ready");
    if std::io::stderr().is_terminal() {
        eprintln!(
            "\n  Fresnel is ready\n  page       http://{http}\n  OTLP/gRPC  {otlp_grpc}\n  OTLP/HTTP  http://{otlp_http}\n"
        );
    }
}

async fn seal(store: &Store) {
    match tokio::time::timeout(SEAL_WITHIN, store.seal_all()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(&error), "could not seal; the log is replayed at the next start")
        }
        Err(_) => tracing::warn!("sealing took too long; the log is replayed at the next start"),
    }
}

/// Blocks until SIGTERM or SIGINT.
pub fn wait_for_signal() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new("could not wait for signals").cause(error))?;
    runtime.block_on(async {
        Signals::install()?.told().await;
        Ok(())
    })
}

/// The signals that end the server. From the moment they are installed none is lost, and none
/// ends the process by itself.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> Result<Self> {
        let failed = |error| Failure::new("cannot wait for signals").cause(error);
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    /// The name of the one that came.
    async fn told(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Registers every instrument that a server has, for the reference.
pub fn instruments(registry: &Registry, folder: &Path) -> Result<()> {
    let mut config = Config::default();
    config.store.dir = folder.into();
    let budget = Budget::new(config.memory.limit.bytes());
    let (store, _replay) = open(&config, &budget)?;
    let store = Arc::new(store);
    let (engine, _queries) = engine(&store, &budget, &config)?;
    observe::register(registry, &store, &engine, &budget, budget.limit());
    Published::default().register(registry);
    // Counters register themselves; they are bound when something is counted.
    let _ = receive::Metrics::new(registry);
    let _ = guard::panics(registry);
    let _ = rules::Metrics::new(registry);
    Board::default().register(registry);
    let _ = StoreSink::new(Arc::clone(&store), registry);
    observe::register_collecting(registry)
}
