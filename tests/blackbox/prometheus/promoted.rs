//! Attributes of resources as labels of their series.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::otlp::proto::resource::v1::Resource;
use testkit::records::{metrics, text};
use testkit::{Fresnel, wait_for};

use super::{QUIET, begin, counter, data, duration, durations, instant, number, pairs, values};
use crate::fresnel;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a pod of the shop says of itself.
fn pod(name: &str, more: &[(&str, &str)]) -> Resource {
    let own = [
        ("service.name", "cart"),
        ("k8s.pod.name", name),
        ("k8s_pod_name", "the same name, later in the order"),
        ("deployment.environment.name", "test"),
        ("http.route", "of the resource"),
        ("job", "of the resource"),
        ("empty", ""),
    ];
    let attributes = own.iter().chain(more).map(|(key, value)| text(key, value)).collect();
    Resource { attributes, ..Default::default() }
}

#[test]
fn attributes_of_resources_are_promoted_to_labels_while_the_server_runs() {
    let seal = format!("{QUIET}[store.seal]\nage = \"500ms\"\n");
    let mut server = fresnel().config(&seal).start();
    let begin = begin();
    let file = server.data_dir().with_file_name("fresnel.toml");
    let send = |server: &Fresnel, pod_name: &str, value: f64| {
        let points = vec![number(begin, value, "/")];
        let list =
            vec![counter("http.server.requests", "{request}", points), durations(vec![duration(begin, 3)])];
        server.send(&metrics(pod(pod_name, &[("host.name", "h1")]), list));
    };
    let labels = |server: &Fresnel| {
        let series = instant(server, "sum without (http_response) (http_server_requests_total)", begin + 1);
        let series = series.as_array().unwrap();
        let mut all: Vec<_> = series.iter().map(|series| series["metric"].clone()).collect();
        all.sort_by_key(Value::to_string);
        all
    };
    let plain = json!({ "job": "cart", "http_route": "/" });
    let change = |server: &Fresnel, settings: &str, what: &str, there: bool| {
        std::fs::write(&file, format!("{seal}[query.prometheus]\n{settings}\n")).unwrap();
        wait_for("the change", PATIENCE, || {
            let of_requests = [("match[]", "http_server_requests_total")];
            (data(server, "labels", &of_requests).as_array().unwrap().contains(&json!(what)) == there)
                .then_some(())
        });
    };
    send(&server, "a", 1.0);
    wait_for("everything in files", PATIENCE, || {
        (server.get_json("/api/v1/status")["store"]["memtable_rows"].as_u64() == Some(0)).then_some(())
    });
    send(&server, "b", 2.0);
    assert_eq!(
        labels(&server),
        std::slice::from_ref(&plain),
        "both pods are one series, as their labels say"
    );

    let settings = "promote_resource_attributes = [\"k8s.pod.name\", \"deployment.environment.name\", \"service.name\", \"http.route\", \"job\", \"empty\"]";
    change(&server, settings, "k8s_pod_name", true);
    let of = |name: &str| json!({ "job": "cart", "http_route": "/", "k8s_pod_name": name, "deployment_environment_name": "test", "service_name": "cart" });
    assert_eq!(labels(&server), [of("a"), of("b")], "what was written before, in files and in memory");
    assert_eq!(
        values(
            &server,
            "sum by (k8s_pod_name) (http_server_requests_total{k8s_pod_name!=\"c\"})",
            begin + 1,
            "k8s_pod_name"
        ),
        pairs(&[("a", "1"), ("b", "2")])
    );
    let names =
        data(&server, "label/k8s_pod_name/values", &[("match[]", "http_server_duration_seconds_bucket")]);
    assert_eq!(names, json!(["a", "b"]), "parts of histograms have them too");
    send(&server, "c", 3.0);
    assert_eq!(labels(&server), [of("a"), of("b"), of("c")], "and what is written after");
    server.kill9();
    server.restart();
    assert_eq!(labels(&server), [of("a"), of("b"), of("c")], "after a kill");
    let info = instant(&server, "target_info{k8s_pod_name=~\"c;.+\"}", begin + 1);
    assert_eq!(info[0]["metric"]["host_name"], "h1", "all is in target_info still: {info}");

    let settings = "promote_all_resource_attributes = true\nignore_resource_attributes = [\"k8s.pod.name\", \"k8s_pod_name\", \"service.name\"]";
    change(&server, settings, "host_name", true);
    let all =
        json!({ "job": "cart", "http_route": "/", "host_name": "h1", "deployment_environment_name": "test" });
    assert_eq!(labels(&server), [all]);
    change(&server, "", "host_name", false);
    assert_eq!(labels(&server), [plain]);
}
