//! Prometheus' query API, of whoever has it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use promql::{Labels, LabelsBuilder};
use serde_json::Value as Json;
use testkit::http::{Client, Request, Response, percent_encoded};

use crate::promqltest::compare::{Matrix, Value, Vector};
use crate::promqltest::run::Answer;
use crate::promqltest::script::Times;
use crate::wire_histogram::WireHistogram;

/// A point as JSON has it.
#[derive(Clone, Debug)]
pub(crate) enum Point {
    Float(f64),
    Histogram(WireHistogram),
}

/// Who is asked.
pub(crate) struct Api {
    client: RefCell<Client>,
    /// Below it are `/query` and `/query_range`.
    base: &'static str,
}

impl Api {
    pub(crate) fn new(address: SocketAddr, base: &'static str) -> Self {
        Self { client: RefCell::new(Client::new(address)), base }
    }

    /// `GET`s an answer at one time.
    pub(crate) fn instant(&self, tenant: &str, query: &str, at_ms: i64) -> Result<Answer<Point>, String> {
        let parameters = form(&[("query", query), ("time", &seconds(at_ms))]);
        self.answer(Request::get(&format!("{}/query?{parameters}", self.base)), tenant)
    }

    /// `POST`s for the answer of a range.
    pub(crate) fn range(&self, tenant: &str, query: &str, times: Times) -> Result<Answer<Point>, String> {
        let (start, end) = (seconds(times.start_ms), seconds(times.end_ms));
        let body =
            form(&[("query", query), ("start", &start), ("end", &end), ("step", &seconds(times.step_ms))]);
        let request = Request::post(&format!("{}/query_range", self.base), body)
            .header("content-type", "application/x-www-form-urlencoded");
        self.answer(request, tenant)
    }

    /// Sends any request; keeps the connection.
    pub(crate) fn send(&self, request: &Request) -> Response {
        self.client.borrow_mut().send(request).unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    fn answer(&self, request: Request, tenant: &str) -> Result<Answer<Point>, String> {
        let json = self.send(&request.header("x-scope-orgid", tenant)).json();
        if json["status"] != "success" {
            let error = json["error"].as_str().unwrap_or_else(|| panic!("no error in {json}"));
            // What a parameter is called is not part of what is wrong with the query.
            return Err(error.strip_prefix("invalid parameter \"query\": ").unwrap_or(error).to_owned());
        }
        let texts = |list: &Json| -> Vec<String> {
            let texts = list.as_array().into_iter().flatten();
            texts.map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let (warnings, infos) = (texts(&json["warnings"]), texts(&json["infos"]));
        Ok(Answer { value: value(&json["data"]), warnings, infos })
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", percent_encoded(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn seconds(time_ms: i64) -> String {
    let sign = if time_ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", time_ms.unsigned_abs() / 1000, time_ms.unsigned_abs() % 1000)
}

fn value(data: &Json) -> Value<Point> {
    let result = &data["result"];
    let series = || result.as_array().unwrap().iter();
    match data["resultType"].as_str().unwrap() {
        "scalar" => Value::Scalar(number(&result[1])),
        "string" => Value::String(result[1].as_str().unwrap().to_owned()),
        "vector" => Value::Vector(series().map(sample).collect::<Vector<_>>()),
        "matrix" => Value::Matrix(series().map(one_series).collect::<Matrix<_>>()),
        other => panic!("a result of the type {other}"),
    }
}

fn sample(json: &Json) -> (Labels, Point) {
    let point = match json.get("histogram") {
        Some(pair) => Point::Histogram(WireHistogram::of(&pair[1])),
        None => Point::Float(number(&json["value"][1])),
    };
    (labels(&json["metric"]), point)
}

fn one_series(json: &Json) -> (Labels, Vec<(i64, Point)>) {
    let pairs = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    let mut points = BTreeMap::new();
    for pair in pairs("values") {
        points.insert(time_ms(&pair[0]), Point::Float(number(&pair[1])));
    }
    for pair in pairs("histograms") {
        let twice = points.insert(time_ms(&pair[0]), Point::Histogram(WireHistogram::of(&pair[1])));
        assert!(twice.is_none(), "number and histogram at one time: {json}");
    }
    (labels(&json["metric"]), points.into_iter().collect())
}

fn labels(json: &Json) -> Labels {
    let mut builder = LabelsBuilder::new(&Labels::default());
    for (name, value) in json.as_object().unwrap() {
        builder.set(name, value.as_str().unwrap());
    }
    builder.build()
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of this century fit")]
fn time_ms(json: &Json) -> i64 {
    (json.as_f64().unwrap() * 1000.0).round() as i64
}

/// A number as a text, as Go reads it.
pub(crate) fn number(json: &Json) -> f64 {
    match json.as_str().unwrap() {
        "NaN" => f64::NAN,
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().unwrap_or_else(|error| panic!("{text}: {error}")),
    }
}
