//! What OpenTelemetry's variables say.

use std::time::Duration;

use crate::telemetry::{Limits, PipelineOptions, Signal, TemporalityPreference};

/// What the environment says, and what of it could not be read.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) disabled: bool,
    /// What is recorded.
    pub(super) filter: Option<String>,
    pub(super) service_name: Option<String>,
    pub(super) attributes: Option<String>,
    pub(super) options: PipelineOptions,
    /// What a record may say.
    pub(super) limits: Limits,
    /// Of logs, traces and metrics.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "nothing here can send"))]
    pub(super) signals: [ForSignal; 3],
    pub(super) warnings: Vec<String>,
}

/// How one signal is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ForSignal {
    pub(super) off: bool,
    /// The address for this signal alone.
    pub(super) own_endpoint: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) headers: Option<String>,
    pub(super) token: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) gzip: bool,
    pub(super) kind: Kind,
    /// Where Zipkin is.
    pub(super) zipkin: Option<String>,
    pub(super) protocol: Protocol,
    /// Over gRPC an endpoint without a scheme is one without TLS.
    pub(super) insecure: bool,
    /// The file of the authorities that are trusted.
    pub(super) authorities: Option<String>,
    /// The files of a certificate and of its key, for servers that want to know who comes.
    pub(super) client_certificate: Option<String>,
    pub(super) client_key: Option<String>,
}

/// What takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whoever speaks OTLP.
    #[default]
    Otlp,
    /// Somebody who reads spans on standard error.
    Console,
    /// Zipkin, of spans.
    Zipkin,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Protobuf over HTTP.
    #[default]
    Http,
    /// JSON over HTTP.
    Json,
    /// Only in builds that have it.
    Grpc,
}

/// Variables of the specification that change nothing here, and why: whoever sets one is told.
const UNUSED: [(&str, &str); 5] = [
    ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "a request has all that waits, OTEL_BLRP_MAX_QUEUE_SIZE at most"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "a request has all that waits, OTEL_BSP_MAX_QUEUE_SIZE at most"),
    (
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "the program says of each histogram whether it is an exponential one",
    ),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "no exemplars are recorded"),
    ("OTEL_CONFIG_FILE", "settings are those of the program and of variables"),
];

/// Reads variables by their names; a value that is empty counts as none.
struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.warnings.push(format!("{name} must be a whole number, not `{text}`: it counts as not set"));
        }
        number
    }

    fn milliseconds(&mut self, name: &str) -> Option<Duration> {
        self.number(name).filter(|number| *number > 0).map(Duration::from_millis)
    }

    /// Of the signal, else of all.
    fn of_signal(&self, signal: &str, name: &str) -> Option<String> {
        let own = self.text(&format!("OTEL_EXPORTER_OTLP_{signal}_{name}"));
        own.or_else(|| self.text(&format!("OTEL_EXPORTER_OTLP_{name}")))
    }

    fn boolean(&mut self, name: &str, value: Option<String>) -> bool {
        let Some(text) = value else { return false };
        if !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false") {
            self.warnings.push(format!("{name} must be `true` or `false`, not `{text}`: it counts as false"));
        }
        text.eq_ignore_ascii_case("true")
    }

    /// A word that must be one of those that this build knows.
    fn known(&mut self, name: &str, value: Option<String>, known: &[&str]) -> Option<String> {
        let value = value?.to_ascii_lowercase();
        if known.contains(&value.as_str()) {
            return Some(value);
        }
        let known = known.join("`, `");
        self.warnings.push(format!("{name}: `{value}` is not in this build, which knows `{known}`"));
        None
    }

    fn signal(&mut self, signal: Signal, processor: &str) -> ForSignal {
        let upper = signal.name().to_ascii_uppercase();
        let name = format!("OTEL_{upper}_EXPORTER");
        let exporters: &[&str] = match signal {
            Signal::Traces => &["otlp", "console", "zipkin", "none"],
            Signal::Logs | Signal::Metrics => &["otlp", "none"],
        };
        let exporter = self.known(&name, self.text(&name), exporters);
        let kind = match exporter.as_deref() {
            Some("console") => Kind::Console,
            Some("zipkin") => Kind::Zipkin,
            _ => Kind::Otlp,
        };
        let protocol = self.of_signal(&upper, "PROTOCOL");
        let protocols: &[&str] = if cfg!(feature = "grpc") {
            &["http/protobuf", "http/json", "grpc"]
        } else {
            &["http/protobuf", "http/json"]
        };
        let protocol = self.known("OTEL_EXPORTER_OTLP_PROTOCOL", protocol, protocols);
        let packings: &[&str] = if cfg!(feature = "gzip") { &["none", "gzip"] } else { &["none"] };
        let compression = self.of_signal(&upper, "COMPRESSION");
        let compression = self.known("OTEL_EXPORTER_OTLP_COMPRESSION", compression, packings);
        let insecure = self.of_signal(&upper, "INSECURE");
        let insecure = self.boolean("OTEL_EXPORTER_OTLP_INSECURE", insecure);
        let (own, all) = match kind {
            Kind::Zipkin => (self.milliseconds("OTEL_EXPORTER_ZIPKIN_TIMEOUT"), None),
            Kind::Otlp | Kind::Console => (
                self.milliseconds(&format!("OTEL_EXPORTER_OTLP_{upper}_TIMEOUT")),
                self.milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT"),
            ),
        };
        let of_processor = self.milliseconds(&format!("OTEL_{processor}_EXPORT_TIMEOUT"));
        ForSignal {
            off: exporter.as_deref() == Some("none"),
            own_endpoint: self.text(&format!("OTEL_EXPORTER_OTLP_{upper}_ENDPOINT")),
            endpoint: self.text("OTEL_EXPORTER_OTLP_ENDPOINT"),
            headers: self.of_signal(&upper, "HEADERS"),
            token: self.text("OTEL_AUTH_TOKEN"),
            timeout: own.or(all).or(of_processor),
            gzip: compression.as_deref() == Some("gzip"),
            kind,
            zipkin: self.text("OTEL_EXPORTER_ZIPKIN_ENDPOINT"),
            protocol: match protocol.as_deref() {
                Some("grpc") => Protocol::Grpc,
                Some("http/json") => Protocol::Json,
                _ => Protocol::Http,
            },
            insecure,
            authorities: self.of_signal(&upper, "CERTIFICATE"),
            client_certificate: self.of_signal(&upper, "CLIENT_CERTIFICATE"),
            client_key: self.of_signal(&upper, "CLIENT_KEY"),
        }
    }

    fn warn_of_unused(&mut self) {
        for (name, why) in UNUSED {
            if self.text(name).is_some() {
                self.warnings.push(format!("{name} has no effect: {why}"));
            }
        }
    }

    /// Where nothing is said of one kind of record, what is said of all holds.
    fn limits(&mut self) -> Limits {
        let usual = Limits::default();
        let all = self.limit("OTEL_ATTRIBUTE_COUNT_LIMIT");
        let long = self.limit("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let mut count =
            |of: &str, usual, all: Option<u32>| self.limit(&format!("OTEL_{of}")).or(all).unwrap_or(usual);
        Limits {
            span_attributes_max: count("SPAN_ATTRIBUTE_COUNT_LIMIT", usual.span_attributes_max, all),
            span_events_max: count("SPAN_EVENT_COUNT_LIMIT", usual.span_events_max, None),
            span_links_max: count("SPAN_LINK_COUNT_LIMIT", usual.span_links_max, None),
            event_attributes_max: count("EVENT_ATTRIBUTE_COUNT_LIMIT", usual.event_attributes_max, all),
            link_attributes_max: count("LINK_ATTRIBUTE_COUNT_LIMIT", usual.link_attributes_max, all),
            log_attributes_max: count("LOGRECORD_ATTRIBUTE_COUNT_LIMIT", usual.log_attributes_max, all),
            span_value_chars_max: self.limit("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT").or(long),
            log_value_chars_max: self.limit("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT").or(long),
        }
    }

    /// What is beyond all that there can be is as good as no limit.
    fn limit(&mut self, name: &str) -> Option<u32> {
        self.number(name).map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))
    }

    fn temporality(&mut self) -> TemporalityPreference {
        let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        let preference = self.known(name, self.text(name), &["cumulative", "delta", "lowmemory"]);
        match preference.as_deref() {
            Some("delta") => TemporalityPreference::Delta,
            Some("lowmemory") => TemporalityPreference::LowMemory,
            _ => TemporalityPreference::Cumulative,
        }
    }

    fn options(&mut self) -> PipelineOptions {
        let usual = PipelineOptions::default();
        let delays =
            ["OTEL_BLRP_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY"].map(|name| self.milliseconds(name));
        let mut size =
            |name| self.number(name).and_then(|size| usize::try_from(size).ok()).filter(|it| *it > 0);
        let (logs, spans) = (size("OTEL_BLRP_MAX_QUEUE_SIZE"), size("OTEL_BSP_MAX_QUEUE_SIZE"));
        PipelineOptions {
            interval: delays.into_iter().flatten().min().unwrap_or(usual.interval),
            temporality: self.temporality(),
            metrics_interval: self
                .milliseconds("OTEL_METRIC_EXPORT_INTERVAL")
                .unwrap_or(usual.metrics_interval),
            records_max: logs.unwrap_or(usual.records_max),
            spans_max: Some(spans.unwrap_or(usual.records_max)),
            ..usual
        }
    }
}

impl Environment {
    /// Of this process.
    pub(super) fn of_process() -> Self {
        Self::read(&|name| std::env::var(name).ok())
    }

    pub(super) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut reader = Reader { variable, warnings: Vec::new() };
        let signals = [
            reader.signal(Signal::Logs, "BLRP"),
            reader.signal(Signal::Traces, "BSP"),
            reader.signal(Signal::Metrics, "METRIC"),
        ];
        reader.warn_of_unused();
        let mut environment = Self {
            disabled: reader.boolean("OTEL_SDK_DISABLED", reader.text("OTEL_SDK_DISABLED")),
            filter: reader.text("RUST_LOG").or_else(|| reader.text("OTEL_LOG_LEVEL")),
            service_name: reader.text("OTEL_SERVICE_NAME"),
            attributes: reader.text("OTEL_RESOURCE_ATTRIBUTES"),
            options: reader.options(),
            limits: reader.limits(),
            signals,
            warnings: Vec::new(),
        };
        // What holds for all signals is told once.
        for warning in reader.warnings {
            if !environment.warnings.contains(&warning) {
                environment.warnings.push(warning);
            }
        }
        environment
    }
}
