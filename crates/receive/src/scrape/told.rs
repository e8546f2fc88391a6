//! The configuration as it is told to who asks: what differs from the usual, in Prometheus' words.
//!
//! Must hold: secrets are masked.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::config::{Global, Job, PrometheusFile};

/// Keys of a job that are told also where they are what they usually are.
const ALWAYS: [&str; 5] = ["job_name", "scrape_interval", "scrape_timeout", "metrics_path", "scheme"];
/// Of what holds for all jobs, what jobs do not tell.
const GLOBAL: [&str; 2] = ["scrape_interval", "scrape_timeout"];

/// What holds for all jobs.
pub(super) fn global(file: &PrometheusFile) -> Value {
    let mut own = fields(json!(file.global));
    own.retain(|key, _| GLOBAL.contains(&key.as_str()));
    own.into()
}

/// A job with what holds for it.
pub(super) fn job(job: &Job) -> Value {
    let usual = fields(json!(Job::default().resolved(&Global::default(), Path::new(""))));
    let mut own = fields(json!(job));
    own.retain(|key, value| ALWAYS.contains(&key.as_str()) || usual.get(key) != Some(value));
    let mut own = Value::from(own);
    tidy(&mut own);
    if let Some(Value::String(limit)) = own.get_mut("body_size_limit") {
        // Prometheus has no blank between a number and its unit.
        limit.retain(|character| character != ' ');
    }
    own
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Leaves out what says nothing, and the mask of a secret that is in a file.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(fields) => {
            fields.values_mut().for_each(tidy);
            fields.retain(|_, value| match value {
                Value::Null => false,
                Value::Array(items) => !items.is_empty(),
                Value::Object(fields) => !fields.is_empty(),
                _ => true,
            });
            for key in ["username", "password", "credentials"] {
                if fields.contains_key(&format!("{key}_file")) {
                    fields.remove(key);
                }
            }
        }
        _ => {}
    }
}
