//! Introduces `query` to `api`: the questions of one in the words of the other.

use std::sync::Arc;

use api::{
    Failure, LogFilter, MetricFilter, NextBatch, Queries, QueryFuture, RecordStream, SeriesRequest,
    SqlRequest, TimeRange, TraceFilter, dto,
};
use arrow::datatypes::SchemaRef;
use fresnel_sdk::config::Watch;
use model::Tenant;
use query::{Answer, Engine, QueryError, Running};
use receive::scrape::Scraper;

use crate::config::Config;
use crate::rules::Board;

mod prometheus;

/// What the API asks.
#[derive(Clone)]
pub struct Answers {
    pub engine: Engine,
    pub scraper: Arc<Scraper>,
    pub rules: Board,
    pub watch: Arc<Watch<Config>>,
}

impl Queries for Answers {
    fn sql(&self, request: SqlRequest) -> QueryFuture<'_, Box<dyn RecordStream>> {
        Box::pin(async move {
            let SqlRequest { tenant, text, timeout, id } = request;
            let running = self
                .engine
                .sql(query::SqlRequest { tenant, text, timeout, memory_share: None, id })
                .await
                .map_err(failure)?;
            Ok(Box::new(Records(running)) as Box<dyn RecordStream>)
        })
    }

    fn running(&self, tenant: &Tenant) -> Vec<dto::RunningQuery> {
        let queries = self.engine.running(tenant).into_iter();
        queries
            .map(|query| dto::RunningQuery {
                id: query.id,
                tenant: query.tenant.to_string(),
                text: query.text,
                elapsed_ms: query.elapsed.as_secs_f64() * 1e3,
                memory_bytes: query.memory,
                rows: query.rows,
            })
            .collect()
    }

    fn cancel(&self, tenant: &Tenant, id: &str) -> bool {
        self.engine.cancel(tenant, id)
    }

    fn services(&self, tenant: Tenant, asked: TimeRange) -> QueryFuture<'_, dto::Services> {
        Box::pin(async move {
            let Answer { value: services, summary } =
                self.engine.services(&tenant, range(asked)).await.map_err(failure)?;
            Ok(dto::Services { services, summary: self::summary(summary) })
        })
    }

    fn logs(&self, tenant: Tenant, filter: LogFilter) -> QueryFuture<'_, dto::Logs> {
        Box::pin(async move {
            let Answer { value, summary } =
                self.engine.logs(&tenant, &log_filter(filter)).await.map_err(failure)?;
            let logs = value.records.into_iter().map(log).collect();
            Ok(dto::Logs { logs, next: value.next, summary: self::summary(summary) })
        })
    }

    fn log_histogram(
        &self,
        tenant: Tenant,
        filter: LogFilter,
        buckets: u32,
    ) -> QueryFuture<'_, dto::LogHistogram> {
        Box::pin(async move {
            let answer = self.engine.log_histogram(&tenant, &log_filter(filter), buckets).await;
            let Answer { value, summary } = answer.map_err(failure)?;
            let buckets = value.buckets.into_iter().map(|bucket| {
                let query::SeverityCounts { trace, debug, info, warn, error, fatal, unset } = bucket.counts;
                let counts = dto::SeverityCounts { trace, debug, info, warn, error, fatal, unset };
                dto::LogBucket { time_ms: bucket.time_ms, counts }
            });
            Ok(dto::LogHistogram {
                step_ms: value.step_ms,
                buckets: buckets.collect(),
                summary: self::summary(summary),
            })
        })
    }

    fn traces(&self, tenant: Tenant, filter: TraceFilter) -> QueryFuture<'_, dto::Traces> {
        Box::pin(async move {
            let TraceFilter {
                range: asked,
                service,
                name,
                error,
                duration_min_nano,
                duration_max_nano,
                limit,
            } = filter;
            let filter = query::TraceFilter {
                range: range(asked),
                service,
                name,
                error,
                duration_min_nano,
                duration_max_nano,
                limit,
            };
            let Answer { value, summary } = self.engine.traces(&tenant, &filter).await.map_err(failure)?;
            let traces = value.into_iter().map(|trace| dto::TraceSummary {
                trace_id: trace.trace_id,
                root_service: trace.root_service,
                root_name: trace.root_name,
                start_unix_nano: trace.start_unix_nano.to_string(),
                duration_nano: trace.duration_nano,
                spans: trace.spans,
                errors: trace.errors,
                services: trace.services,
            });
            Ok(dto::Traces { traces: traces.collect(), summary: self::summary(summary) })
        })
    }

    fn trace(&self, tenant: Tenant, id: [u8; 16]) -> QueryFuture<'_, dto::Trace> {
        Box::pin(async move {
            let Answer { value, summary } = self.engine.trace(&tenant, id).await.map_err(failure)?;
            let spans = value.spans.into_iter().map(span).collect();
            Ok(dto::Trace { trace_id: value.trace_id, spans, summary: self::summary(summary) })
        })
    }

    fn metrics(&self, tenant: Tenant, filter: MetricFilter) -> QueryFuture<'_, dto::Metrics> {
        Box::pin(async move {
            let filter = query::MetricFilter { range: range(filter.range), text: filter.text };
            let Answer { value, summary } = self.engine.metrics(&tenant, &filter).await.map_err(failure)?;
            let metrics = value.into_iter().map(|metric| dto::Metric {
                name: metric.name,
                unit: metric.unit,
                kind: metric.kind,
                description: metric.description,
                monotonic: metric.monotonic,
                temporality: metric.temporality,
                series: metric.series,
            });
            Ok(dto::Metrics { metrics: metrics.collect(), summary: self::summary(summary) })
        })
    }

    fn metric_labels(
        &self,
        tenant: Tenant,
        name: String,
        asked: TimeRange,
    ) -> QueryFuture<'_, dto::MetricLabels> {
        Box::pin(async move {
            let answer = self.engine.metric_labels(&tenant, &name, range(asked)).await;
            let Answer { value, summary } = answer.map_err(failure)?;
            let labels = value.into_iter().map(|(name, values)| {
                let values = values.into_iter();
                let values = values.map(|value| dto::LabelValue { value: value.value, series: value.series });
                (name, values.collect())
            });
            Ok(dto::MetricLabels { labels: labels.collect(), summary: self::summary(summary) })
        })
    }

    fn metric_series(&self, tenant: Tenant, request: SeriesRequest) -> QueryFuture<'_, dto::MetricSeries> {
        Box::pin(async move {
            let SeriesRequest { name, range: asked, step_ms, matches, by, limit } = request;
            let request = query::SeriesRequest { name, range: range(asked), step_ms, matches, by, limit };
            let Answer { value, summary } =
                self.engine.metric_series(&tenant, &request).await.map_err(failure)?;
            let series = value.series.into_iter();
            let series = series.map(|series| dto::Series {
                labels: series.labels.into_iter().collect(),
                points: series.points,
            });
            Ok(dto::MetricSeries {
                step_ms: value.step_ms,
                unit: value.unit,
                kind: value.kind,
                series: series.collect(),
                total_series: value.total_series,
                summary: self::summary(summary),
            })
        })
    }
}

/// A running statement as the API wants to see it.
struct Records(Running);

impl RecordStream for Records {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn id(&self) -> &str {
        self.0.id()
    }

    fn next(&mut self) -> NextBatch<'_> {
        Box::pin(async move { self.0.next().await.map(|batch| batch.map_err(failure)) })
    }

    fn summary(&self) -> dto::Summary {
        summary(self.0.summary())
    }
}

fn failure(error: QueryError) -> Failure {
    Failure { kind: error.kind(), message: error.to_string(), hint: error.hint() }
}

fn range(range: TimeRange) -> query::TimeRange {
    query::TimeRange { from: range.from, to: range.to }
}

fn log_filter(filter: LogFilter) -> query::LogFilter {
    let LogFilter { range: asked, service, severity_min, text, trace_id, attributes, limit, before } = filter;
    query::LogFilter { range: range(asked), service, severity_min, text, trace_id, attributes, limit, before }
}

fn summary(summary: query::Summary) -> dto::Summary {
    dto::Summary {
        complete: summary.complete,
        warnings: summary.warnings,
        stats: dto::Stats {
            elapsed_ms: summary.elapsed.as_secs_f64() * 1e3,
            rows: summary.rows,
            scanned_rows: summary.scanned_rows,
            scanned_bytes: summary.scanned_bytes,
            segments: summary.segments,
            segments_skipped: summary.segments_skipped,
            memory_peak_bytes: summary.memory_peak,
        },
    }
}

fn attributes(attributes: query::Attributes) -> dto::Attributes {
    attributes.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()
}

fn log(record: query::LogRecord) -> dto::Log {
    dto::Log {
        time_unix_nano: record.time_unix_nano.to_string(),
        observed_time_unix_nano: record.observed_time_unix_nano.to_string(),
        severity_number: record.severity_number,
        severity_text: record.severity_text,
        body: record.body,
        event_name: record.event_name,
        service_name: record.service_name,
        trace_id: record.trace_id,
        span_id: record.span_id,
        attributes: attributes(record.attributes),
        resource_attributes: attributes(record.resource_attributes),
        scope_name: record.scope_name,
        scope_version: record.scope_version,
    }
}

fn span(span: query::Span) -> dto::Span {
    let events = span.events.into_iter().map(|event| dto::SpanEvent {
        time_unix_nano: event.time_unix_nano.to_string(),
        name: event.name,
        attributes: attributes(event.attributes),
    });
    let links = span.links.into_iter().map(|link| dto::SpanLink {
        trace_id: link.trace_id,
        span_id: link.span_id,
        attributes: attributes(link.attributes),
    });
    dto::Span {
        events: events.collect(),
        links: links.collect(),
        span_id: span.span_id,
        parent_span_id: span.parent_span_id,
        name: span.name,
        kind: span.kind.into(),
        service_name: span.service_name,
        start_unix_nano: span.start_unix_nano.to_string(),
        end_unix_nano: span.end_unix_nano.to_string(),
        duration_nano: span.duration_nano,
        status_code: span.status_code.into(),
        status_message: span.status_message,
        attributes: attributes(span.attributes),
        resource_attributes: attributes(span.resource_attributes),
        scope_name: span.scope_name,
    }
}
