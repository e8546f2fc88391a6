use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{Reservation, Signal};
use reqwest::Client;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior};
use wire::compression::Encoding;
use wire::prometheus::{About, Kind, RequestWriter, Version};

use super::fetch::{Access, Asked, Fetched, accept, fetch, format_of};
use super::labels::parts;
use super::series::{Counts, Series};
use super::{Context, Health, Prepared, Seen, Status};
use crate::Refusal;
use crate::intake::{Body, Message, Outcome};

/// How long to wait before a scrape that was refused is offered again, where nobody says.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Offers of a scrape within its interval, so that a short one has some too.
const OFFERS: u32 = 5;
/// Above this size reading would hold up the other connections of its thread.
const BLOCKING_FROM: usize = 64 << 10;
/// Prometheus' marker of staleness, as a NaN's bits.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Why a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The target is gone: its series are marked.
    Gone,
    /// The configuration is another one: the target's turn begins again.
    Pause,
}

/// One target, scraped again and again.
pub(super) struct Turn {
    context: Arc<Context>,
    job: Arc<Prepared>,
    seen: Arc<Seen>,
    /// Or why the target cannot be scraped.
    client: Result<Client, String>,
    series: Series,
    memory: Option<Reservation>,
}

type Ended = (u64, Option<(Arc<Seen>, Series)>);

impl Turn {
    pub(super) fn new(
        context: &Arc<Context>,
        job: &Arc<Prepared>,
        seen: Arc<Seen>,
        client: Result<Client, String>,
        series: Series,
    ) -> Self {
        Self { context: Arc::clone(context), job: Arc::clone(job), seen, client, series, memory: None }
    }

    /// Scrapes at every interval until told to end.
    pub(super) async fn run(mut self, mut told: oneshot::Receiver<End>) -> Ended {
        let target = &self.seen.target;
        let first = Instant::now() + target.first((self.context.now)());
        let mut ticks = tokio::time::interval_at(first, target.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                end = &mut told => return match end {
                    Ok(End::Gone) => self.gone().await,
                    Ok(End::Pause) | Err(_) => (self.seen.target.id(), Some((self.seen, self.series))),
                },
                _ = ticks.tick() => {}
            }
            self.scrape().await;
        }
    }

    /// Marks everything of the target stale.
    pub(super) async fn gone(mut self) -> Ended {
        let time_ms = self.now_ms();
        self.series.begin();
        let mut request = self.series.fail(time_ms);
        self.put_report(&mut request, time_ms, [f64::from_bits(STALE); 5]);
        self.store(request, Instant::now() + self.seen.target.interval).await;
        (self.seen.target.id(), None)
    }

    fn now_ms(&self) -> i64 {
        (self.context.now)().div_euclid(1_000_000)
    }

    async fn scrape(&mut self) {
        let (began, began_unix_nano) = (Instant::now(), (self.context.now)());
        let time_ms = began_unix_nano.div_euclid(1_000_000);
        self.series.begin();
        let fetched = self.fetch().await;
        let read = match fetched {
            Ok(fetched) if fetched.body().len() >= BLOCKING_FROM => {
                tokio::task::block_in_place(|| self.read(&fetched, time_ms))
            }
            Ok(fetched) => self.read(&fetched, time_ms),
            Err(reason) => Err((Counts::default(), reason)),
        };
        let (mut request, counts, error) = match read {
            Ok((request, counts)) => (request, counts, String::new()),
            Err((counts, reason)) => (self.series.fail(time_ms), counts, reason),
        };
        let elapsed = began.elapsed();
        let failed = !error.is_empty();
        if failed {
            tracing::debug!(url = %self.seen.target.url, error, "scrape failed");
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of samples")]
        let report = [
            f64::from(u8::from(!failed)),
            elapsed.as_secs_f64(),
            counts.scraped as f64,
            counts.kept as f64,
            counts.added as f64,
        ];
        self.put_report(&mut request, time_ms, report);
        self.context.intake.metrics().scraped(failed, counts.duplicates);
        let metadata = self.series.metadata();
        let health = if failed { Health::Down } else { Health::Up };
        *self.seen.status.lock() = Status { health, error, began_unix_nano, elapsed, metadata };
        if self.store(request, began + self.seen.target.interval).await {
            self.series.commit(failed);
            self.settle();
        }
    }

    async fn fetch(&self) -> Result<Fetched, String> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let (job, target) = (&self.job.job, &self.seen.target);
        let accept = accept(job.scrape_protocols.as_deref().unwrap_or_default());
        let asked = Asked {
            url: &target.url,
            accept: &accept,
            compressed: job.enable_compression,
            bytes_max: job.body_size_limit.unwrap_or_default().bytes(),
            timeout: target.timeout,
        };
        fetch(client, Access::from(job), &asked, &self.context.intake).await
    }

    fn read(&mut self, fetched: &Fetched, time_ms: i64) -> Result<(RequestWriter, Counts), (Counts, String)> {
        let format = format_of(&fetched.content_type, self.job.job.fallback_scrape_protocol)
            .map_err(|reason| (Counts::default(), reason))?;
        let labels = &self.seen.target.labels;
        let read = self.series.read((format, fetched.body()), &self.job.series, labels, time_ms)?;
        match self.hold() {
            Ok(()) => Ok(read),
            Err(refusal) => {
                self.series.forget_text();
                Err((read.1, format!("no memory to know the target's series again: {refusal}")))
            }
        }
    }

    /// Takes memory for what is kept between scrapes.
    fn hold(&mut self) -> Result<(), Refusal> {
        let memory = match &mut self.memory {
            Some(memory) => memory,
            none => none.insert(self.context.intake.admit(0)?),
        };
        self.context.intake.hold(memory, self.series.bytes() as u64)
    }

    /// Gives memory back that is not used any more.
    fn settle(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.settle(self.series.bytes() as u64);
        }
    }

    /// What Prometheus tells of a scrape, in the order of [`REPORT`].
    fn put_report(&self, request: &mut RequestWriter, time_ms: i64, values: [f64; 5]) {
        for ((name, help), value) in REPORT.into_iter().zip(values) {
            let mut labels = self.seen.target.labels.clone();
            labels.set("__name__", name);
            let about = About { kind: Kind::Gauge, help, unit: "" };
            request.sample(parts(&labels.flat()), about, (value, time_ms), None);
        }
    }

    /// Stores a request, offering it again until another one is due; whether it is stored.
    async fn store(&self, request: RequestWriter, until: Instant) -> bool {
        let bytes = Bytes::from(request.finish());
        loop {
            let offered = self.offer(bytes.clone()).await;
            let metrics = self.context.intake.metrics();
            metrics.request(Signal::Metrics, "scrape", offered.as_ref().err());
            let url = &self.seen.target.url;
            let refusal = match offered {
                Ok(outcome) => {
                    if outcome.rejected > 0 {
                        tracing::warn!(%url, reason = outcome.message, "samples of a scrape were rejected");
                    }
                    return true;
                }
                Err(refusal) => refusal,
            };
            let pause = refusal.retry_after().unwrap_or(AGAIN_AFTER).min(self.seen.target.interval / OFFERS);
            if !refusal.retryable() || Instant::now() + pause >= until {
                metrics.missed();
                tracing::warn!(%url, error = %refusal, "a scrape was not stored, and is counted as missed");
                return false;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn offer(&self, bytes: Bytes) -> Result<Outcome, Refusal> {
        let intake = &self.context.intake;
        let reservation = intake.admit(bytes.len() as u64)?;
        let message = Message::RemoteWrite(Version::V2);
        let body = Body { message, encoding: Encoding::Identity, bytes, reservation };
        intake.take(self.context.tenant.clone(), Signal::Metrics, body).await
    }
}

/// Series that every scrape has besides its own.
const REPORT: [(&str, &str); 5] = [
    ("up", "1 if the scrape was successful, 0 if it failed."),
    ("scrape_duration_seconds", "How long the scrape took."),
    ("scrape_samples_scraped", "Samples that the target exposed."),
    ("scrape_samples_post_metric_relabeling", "Samples that were left after relabelling."),
    ("scrape_series_added", "Series that the scrape before did not have."),
];
