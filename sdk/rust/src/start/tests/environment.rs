use std::time::Duration;

use crate::start::environment::{Environment, ForSignal, Protocol};
use crate::telemetry::{Limits, TemporalityPreference};

fn read(variables: &[(&str, &str)]) -> Environment {
    let find = |name: &str| {
        let found = variables.iter().find(|(own, _)| *own == name)?;
        Some(found.1.to_owned())
    };
    Environment::read(&find)
}

#[test]
fn without_variables_everything_is_as_usual() {
    for environment in
        [read(&[]), read(&[("OTEL_SDK_DISABLED", ""), ("RUST_LOG", " "), ("OTEL_SERVICE_NAME", "")])]
    {
        assert!(!environment.disabled && environment.filter.is_none() && environment.warnings.is_empty());
        assert_eq!(environment.signals, [(); 3].map(|()| ForSignal::default()));
        assert_eq!(environment.options.interval, Duration::from_secs(1));
        assert_eq!(environment.options.metrics_interval, Duration::from_secs(10));
        assert_eq!((environment.options.records_max, environment.service_name), (8192, None));
    }
}

#[test]
fn what_is_said_of_one_signal_goes_over_what_is_said_of_all() {
    let environment = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:1/t"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "b=2"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2000"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "9"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_AUTH_TOKEN", "t"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
        ("OTEL_EXPORTER_OTLP_LOGS_INSECURE", "False"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "own.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "client.pem"),
        ("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "client.key"),
    ]);
    let [logs, traces, metrics] = &environment.signals;
    assert_eq!((logs.endpoint.as_deref(), logs.own_endpoint.as_deref()), (Some("http://all:4318"), None));
    assert_eq!(traces.own_endpoint.as_deref(), Some("http://traces:1/t"));
    assert_eq!((logs.headers.as_deref(), traces.headers.as_deref()), (Some("b=2"), Some("a=1")));
    let seconds = |it: &ForSignal| it.timeout.map(|it| it.as_secs());
    assert_eq!((seconds(logs), seconds(traces), seconds(metrics)), (Some(1), Some(1), Some(2)));
    assert!(metrics.off && !logs.off && logs.token.as_deref() == Some("t"));
    let grpc = if cfg!(feature = "grpc") { Protocol::Grpc } else { Protocol::Http };
    assert_eq!((traces.protocol, logs.protocol), (grpc, Protocol::Json));
    assert_eq!((traces.insecure, logs.insecure), (true, false));
    let files = [logs, traces, metrics].map(|it| {
        [&it.authorities, &it.client_certificate, &it.client_key].map(|file| file.as_deref().unwrap_or(""))
    });
    let all = ["ca.pem", "client.pem", ""];
    assert_eq!(files, [all, ["own.pem", "client.pem", ""], ["ca.pem", "client.pem", "client.key"]]);
    assert_eq!(environment.warnings.is_empty(), cfg!(feature = "grpc"), "{:?}", environment.warnings);
}

#[test]
fn the_processors_are_set_and_rust_log_goes_over_otel_log_level() {
    let environment = read(&[
        ("OTEL_BSP_SCHEDULE_DELAY", "500"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "300"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "20"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "60000"),
        ("OTEL_BLRP_EXPORT_TIMEOUT", "700"),
        ("OTEL_LOG_LEVEL", "error"),
        ("RUST_LOG", "debug,hyper=warn"),
        ("OTEL_SDK_DISABLED", "TRUE"),
    ]);
    let options = &environment.options;
    assert_eq!((options.interval, options.metrics_interval.as_secs()), (Duration::from_millis(300), 60));
    assert_eq!((options.records_max, options.spans_max), (20, Some(10)));
    assert_eq!(environment.signals[0].timeout, Some(Duration::from_millis(700)));
    assert_eq!((environment.filter.as_deref(), environment.disabled), (Some("debug,hyper=warn"), true));
    assert_eq!(read(&[("OTEL_LOG_LEVEL", "error")]).filter.as_deref(), Some("error"));
}

#[test]
fn what_cannot_be_read_is_told_once_and_counts_as_not_set() {
    let environment = read(&[
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_SDK_DISABLED", "1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "yes"),
        ("OTEL_TRACES_EXPORTER", "jaeger"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "lz4"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
    ]);
    assert!(!environment.disabled && !environment.signals[1].off && !environment.signals[0].gzip);
    assert_eq!(environment.options.spans_max, Some(8192));
    let told = environment.warnings.join("\n");
    for part in [
        "OTEL_EXPORTER_OTLP_TIMEOUT must be a whole number, not `10s`",
        "OTEL_SDK_DISABLED must be `true` or `false`, not `1`",
        "`http/xml` is not in this build, which knows `http/protobuf`, `http/json`",
        "OTEL_EXPORTER_OTLP_INSECURE must be `true` or `false`, not `yes`",
        "`jaeger` is not in this build, which knows `otlp`, `console`, `zipkin`, `none`",
        "`lz4` is not in this build",
        "OTEL_BSP_MAX_QUEUE_SIZE must be a whole number",
    ] {
        assert_eq!(told.matches(part).count(), 1, "{part}: {told}");
    }
}

#[test]
fn limits_of_one_kind_of_record_go_over_those_of_all() {
    let usual = read(&[]);
    assert_eq!(usual.limits, Limits::default());
    let all = [("OTEL_ATTRIBUTE_COUNT_LIMIT", "10"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "20")];
    let general = Limits {
        span_attributes_max: 10,
        event_attributes_max: 10,
        link_attributes_max: 10,
        log_attributes_max: 10,
        span_value_chars_max: Some(20),
        log_value_chars_max: Some(20),
        ..Limits::default()
    };
    assert_eq!(read(&all).limits, general);
    let own = [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "2"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "3"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "4"),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "5"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "6"),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "99999999999"),
    ];
    let expected = Limits {
        span_attributes_max: 0,
        span_value_chars_max: Some(1),
        span_events_max: 2,
        span_links_max: 3,
        event_attributes_max: 4,
        link_attributes_max: 5,
        log_attributes_max: 6,
        log_value_chars_max: Some(u32::MAX),
    };
    assert_eq!(read(&[&all[..], &own].concat()).limits, expected);
    let wrong = read(&[("OTEL_SPAN_LINK_COUNT_LIMIT", "-1"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "many")]);
    assert_eq!(wrong.limits, Limits::default());
    let told = wrong.warnings.join("\n");
    assert!(told.contains("OTEL_SPAN_LINK_COUNT_LIMIT must be a whole number, not `-1`"), "{told}");
    assert!(told.contains("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT must be a whole number"), "{told}");
}

#[test]
fn metrics_are_told_of_the_time_that_the_environment_says() {
    let of = |preference| read(&[("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)]);
    for (text, preference) in [
        ("", TemporalityPreference::Cumulative),
        ("cumulative", TemporalityPreference::Cumulative),
        ("Delta", TemporalityPreference::Delta),
        ("LOWMEMORY", TemporalityPreference::LowMemory),
    ] {
        let environment = of(text);
        assert_eq!(environment.options.temporality, preference, "{text}");
        assert!(environment.warnings.is_empty(), "{:?}", environment.warnings);
    }
    let wrong = of("sum");
    assert_eq!(wrong.options.temporality, TemporalityPreference::Cumulative);
    let told = "`sum` is not in this build, which knows `cumulative`, `delta`, `lowmemory`";
    assert!(wrong.warnings[0].ends_with(told), "{:?}", wrong.warnings);
}

#[test]
fn who_sets_what_has_no_effect_is_told_why() {
    let environment = read(&[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512"), ("OTEL_CONFIG_FILE", "")]);
    let told = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE has no effect: a request has all that waits";
    assert!(environment.warnings.len() == 1 && environment.warnings[0].starts_with(told), "{environment:?}");
}

#[test]
fn every_variable_is_in_the_documentation() {
    let documentation = include_str!("../../../../../docs/sdk/configuration.md");
    let asked = std::cell::RefCell::new(Vec::new());
    Environment::read(&|name| {
        asked.borrow_mut().push(name.to_owned());
        None
    });
    let asked = asked.into_inner();
    assert!(asked.len() > 50, "{asked:?}");
    for name in asked {
        let of_signal = ["LOGS", "TRACES", "METRICS"]
            .iter()
            .map(|signal| name.replace(&format!("OTLP_{signal}_"), "OTLP_<SIGNAL>_"));
        let mut forms = of_signal.chain([name.clone()]);
        assert!(forms.any(|form| documentation.contains(&format!("`{form}`"))), "{name} is not documented");
    }
}

#[cfg(feature = "http")]
#[test]
fn an_endpoint_without_a_scheme_is_told_once_with_how_it_is_written() {
    use crate::start::exporters::Exporters;

    let mut environment = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")]);
    drop(Exporters::new(&mut environment));
    let end = "with a scheme it is `http://collector:4318`; http://localhost:4318 is used";
    assert!(environment.warnings.len() == 1 && environment.warnings[0].ends_with(end), "{environment:?}");
    if cfg!(feature = "grpc") {
        let target = ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
        let mut environment = read(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), target]);
        drop(Exporters::new(&mut environment));
        assert!(environment.warnings.is_empty(), "{environment:?}");
    }
}
