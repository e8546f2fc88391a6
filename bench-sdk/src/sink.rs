//! Where the peers' records go: they are encoded as OTLP, as ours are, and thrown away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message;

/// What requests ask for.
pub(crate) const ROUTES: [&str; 4] = ["/orders/{id}", "/orders", "/stock/{item}", "/login"];

/// How they are answered.
pub(crate) const fn status(n: u64) -> &'static str {
    if n.is_multiple_of(50) { "404" } else { "200" }
}

/// Encodes, counts, forgets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sink {
    pub(crate) spans: Arc<AtomicU64>,
    pub(crate) logs: Arc<AtomicU64>,
    resource: Arc<ResourceAttributesWithSchema>,
}

fn forget(message: &impl Message) {
    std::hint::black_box(message.encode_to_vec().len());
}

impl SpanExporter for Sink {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.spans.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        forget(&ExportTraceServiceRequest { resource_spans });
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = Arc::new(resource.into());
    }
}

impl LogExporter for Sink {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.logs.fetch_add(batch.iter().count() as u64, Ordering::Relaxed);
        let resource_logs = group_logs_by_resource_and_scope(&batch, &self.resource);
        forget(&ExportLogsServiceRequest { resource_logs });
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = Arc::new(resource.into());
    }
}

impl PushMetricExporter for Sink {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        forget(&ExportMetricsServiceRequest::from(metrics));
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}
