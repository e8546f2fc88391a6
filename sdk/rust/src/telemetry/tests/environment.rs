//! What is said of the sender.

use super::{Sink, text};
use crate::telemetry::otlp::{Resource, Value};
use crate::telemetry::{Pipeline, PipelineOptions, Signal};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use tracing_subscriber::layer::SubscriberExt;

fn get(resource: &Resource, key: &str) -> Option<String> {
    let mut found = resource.attributes.iter().filter(|it| it.key == key);
    let value = found.next().map(|it| match &it.value {
        Value::Text(text) => text.to_string(),
        other => format!("{other:?}"),
    });
    assert!(found.next().is_none(), "{key} is there twice");
    value
}

fn resource(name: Option<&str>, attributes: &str) -> (Resource, Option<String>) {
    let (resource, error) = Resource::service("shop", "1.2").with_variables(name, Some(attributes));
    (resource, error.map(|error| error.to_string()))
}

#[test]
fn a_service_is_named_with_its_host_and_process() {
    let (resource, error) = Resource::service("shop", "1.2").with_variables(None, None);
    assert_eq!(error, None);
    assert_eq!(get(&resource, "service.name").as_deref(), Some("shop"));
    assert_eq!(get(&resource, "service.version").as_deref(), Some("1.2"));
    assert_eq!(get(&resource, "process.pid"), Some(format!("Int({})", std::process::id())));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(get(&resource, "host.name").as_deref(), Some(kernel.trim()));
    assert_eq!(get(&resource, "deployment.environment.name"), None, "nobody told");
}

#[test]
fn the_environment_goes_over_the_program_and_the_name_over_the_list() {
    let list = "deployment.environment.name=staging, service.name=a ,service.version=2,k=v";
    let (told, error) = resource(None, list);
    assert_eq!(error, None);
    assert_eq!(get(&told, "deployment.environment.name").as_deref(), Some("staging"));
    assert_eq!(get(&told, "service.name").as_deref(), Some("a"));
    assert_eq!((get(&told, "service.version"), get(&told, "k")), (Some("2".into()), Some("v".into())));
    assert_eq!(get(&resource(Some("b"), list).0, "service.name").as_deref(), Some("b"));
    assert_eq!(get(&resource(Some(""), list).0, "service.name").as_deref(), Some("a"));
    assert_eq!(get(&resource(Some("b"), "").0, "service.name").as_deref(), Some("b"));
    // What the program adds afterwards is the program's.
    assert_eq!(get(&told.with("k", "own"), "k").as_deref(), Some("own"));
}

#[test]
fn names_and_values_are_percent_decoded() {
    let (told, error) = resource(None, "k%2C1=a%3Db%2cc,k2=gr%C3%BCn+x%25,k3=,k4=a=b,,k2=last,");
    assert_eq!(error, None);
    assert_eq!(get(&told, "k,1").as_deref(), Some("a=b,c"));
    assert_eq!(get(&told, "k2").as_deref(), Some("last"));
    assert_eq!((get(&told, "k3"), get(&told, "k4")), (Some(String::new()), Some("a=b".into())));
    assert_eq!(get(&resource(None, "k=gr%C3%BCn+x%25").0, "k").as_deref(), Some("grün+x%"));
}

#[test]
fn a_list_with_a_mistake_is_left_out_as_a_whole_and_told() {
    for (list, what) in [
        ("k=v,x", "no `=` in entry 2"),
        ("=v,k=v", "no name in entry 1"),
        ("k=v,x=%", "no percent-encoded UTF-8 in entry 2"),
        ("k=v,x=%2", "no percent-encoded UTF-8 in entry 2"),
        ("k=v,x=%+1", "no percent-encoded UTF-8 in entry 2"),
        ("k=v,x=%FF", "no percent-encoded UTF-8 in entry 2"),
    ] {
        let (told, error) = resource(Some("b"), list);
        let error = error.unwrap();
        assert!(
            error.starts_with("OTEL_RESOURCE_ATTRIBUTES is left out: ") && error.contains(what),
            "{error}"
        );
        assert_eq!(get(&told, "k"), None, "{list}");
        assert_eq!(get(&told, "service.name").as_deref(), Some("b"), "the name still counts");
    }
}

#[test]
fn every_record_is_sent_with_it() {
    let (resource, _) = resource(Some("b"), "deployment.environment.name=staging,deployment.id=7");
    let registry = crate::telemetry::metrics::Registry::new();
    let pipeline = Pipeline::start(resource, registry, PipelineOptions::default()).unwrap();
    let subscriber = tracing_subscriber::registry().with(pipeline.layer());
    tracing::subscriber::with_default(subscriber, || tracing::info!("x"));
    let sink = Sink::default();
    pipeline.connect(sink.clone());
    assert!(pipeline.flush(super::PATIENCE));
    let request = ExportLogsServiceRequest::decode(&sink.requests(Signal::Logs)[0][..]).unwrap();
    let source = super::attributes(&request.resource_logs[0].resource.as_ref().unwrap().attributes);
    for (key, value) in [
        ("service.name", "b"),
        ("service.version", "1.2"),
        ("deployment.environment.name", "staging"),
        ("deployment.id", "7"),
    ] {
        assert_eq!(source[key], text(value), "{key}");
    }
    assert!(source.contains_key("host.name") && source.contains_key("process.pid"));
}
