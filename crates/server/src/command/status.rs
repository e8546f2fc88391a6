use fresnel_sdk::config::Duration;
use http::Method;
use serde_json::Value;

use super::remote;
use crate::cli::StatusArgs;
use crate::failure::{Failure, Result};
use crate::print;

/// Prints how the server is; exit code 1 when a component fails or the ledger does not balance.
pub fn run(args: &StatusArgs) -> Result<()> {
    let get = |path: &str| -> Result<Value> {
        let answer = remote::ask(&args.remote, Method::GET, path, String::new())?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| Failure::new(format!("the answer of {path} is not JSON")).cause(error))
    };
    let status = get("/api/v1/status")?;
    let health = get("/healthz")?;
    let ledger = get("/api/v1/ledger")?;
    if args.json {
        let all = serde_json::json!({"status": status, "health": health, "ledger": ledger});
        print::line(&format!("{all:#}"))?;
    } else {
        tell(&status, &health, &ledger)?;
    }
    if health["status"] == "fail" {
        return Err(Failure::new("a component fails"));
    }
    if ledger["balanced"] != true {
        return Err(Failure::new("the ledger does not balance"));
    }
    Ok(())
}

fn tell(status: &Value, health: &Value, ledger: &Value) -> Result<()> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), Into::into);
    let store = &status["store"];
    let memory = &status["memory"];
    print::line(&format!(
        "fresnel {}, up {:.0} s, health {}\npage and API  http://{}\nOTLP/gRPC     {}\nOTLP/HTTP     http://{}\ndata          {}",
        text(&status["version"]),
        status["uptime_s"].as_f64().unwrap_or(0.0),
        text(&health["status"]),
        text(&status["addresses"]["http"]),
        text(&status["addresses"]["otlp_grpc"]),
        text(&status["addresses"]["otlp_http"]),
        text(&status["data_dir"]),
    ))?;
    print::line(&format!(
        "memory        {} of {} accounted, {} resident",
        size(&memory["used_bytes"]),
        size(&memory["limit_bytes"]),
        size(&memory["resident_bytes"])
    ))?;
    print::line(&format!(
        "log           {} in {}; in memory {}; {}, {}",
        size(&store["wal_bytes"]),
        counted(&store["wal_files"], "file"),
        size(&store["memtable_bytes"]),
        counted(&store["segments"], "segment"),
        size(&store["segment_bytes"])
    ))?;
    for tier in store["tiers"].as_array().into_iter().flatten() {
        let length = Duration::from_millis(tier["resolution_ms"].as_u64().unwrap_or(0)).to_string();
        print::line(&format!(
            "tier          {length:4} {} in {}, {}",
            counted(&tier["rows"], "window"),
            counted(&tier["segments"], "segment"),
            size(&tier["bytes"])
        ))?;
    }
    for component in health["components"].as_array().into_iter().flatten() {
        if component["status"] != "pass" {
            print::line(&format!(
                "{:13} {}: {}",
                text(&component["name"]),
                text(&component["status"]),
                text(&component["detail"])
            ))?;
        }
    }
    for change in status["config"]["pending"].as_array().into_iter().flatten() {
        let (path, old, new) = (text(&change["path"]), text(&change["old"]), text(&change["new"]));
        print::line(&format!("restart       {path}: {old} -> {new}"))?;
    }
    for file in store["set_aside"].as_array().into_iter().flatten() {
        print::line(&format!("set aside     {}: {}", text(&file["path"]), text(&file["reason"])))?;
    }
    print::line("\ntenant            signal       received       stored     rejected      expired")?;
    for entry in ledger["entries"].as_array().into_iter().flatten() {
        let rejected: u64 =
            entry["rejected"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
        print::line(&format!(
            "{:17} {:8} {:>12} {:>12} {rejected:>12} {:>12}",
            text(&entry["tenant"]),
            text(&entry["signal"]),
            entry["received"].to_string(),
            entry["stored"].to_string(),
            entry["expired"].to_string()
        ))?;
    }
    print::line(if ledger["balanced"] == true { "balanced" } else { "NOT BALANCED" })
}

fn counted(count: &Value, what: &str) -> String {
    if *count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Bytes, for people.
pub(super) fn size(value: &Value) -> String {
    let bytes = value.as_f64().unwrap_or(0.0);
    let (divisor, unit) = match bytes {
        bytes if bytes >= 1_073_741_824.0 => (1_073_741_824.0, "GiB"),
        bytes if bytes >= 1_048_576.0 => (1_048_576.0, "MiB"),
        _ => (1_024.0, "KiB"),
    };
    format!("{:.1} {unit}", bytes / divisor)
}
