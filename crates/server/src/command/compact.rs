use http::Method;
use serde_json::Value;

use super::remote;
use super::status::size;
use crate::cli::CompactArgs;
use crate::failure::{Failure, Result};
use crate::print;

/// Has files merged and prints what became of them; exit code 1 when some could not be merged.
pub fn run(args: &CompactArgs) -> Result<()> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let wanted =
        [("table", args.table.as_slice()), ("day", &args.day), ("tenant", args.remote.tenant.as_slice())];
    for (name, values) in wanted {
        query.extend_pairs(values.iter().map(|value| (name, value)));
    }
    let path = format!("/api/v1/admin/compact?{}", query.finish());
    let answer = remote::ask(&args.remote, Method::POST, &path, String::new())?;
    let mut done = None;
    for line in answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_slice(line)
            .map_err(|error| Failure::new("the server's answer is not JSON").cause(error))?;
        if args.json {
            print::line(&line.to_string())?;
        } else {
            tell(&line)?;
        }
        done = line.get("done").cloned().or(done);
    }
    match done {
        Some(done) if done["complete"] == true => Ok(()),
        Some(done) if done["failed"] != 0 => Err(Failure::new("some files could not be merged")
            .hint("they are as they were, and are tried again by the server; its log says more")),
        _ => Err(Failure::new("the server stopped before all was merged")),
    }
}

fn tell(line: &Value) -> Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let place = |value: &Value| {
        format!("{:11} {:17} {}", text(&value["table"]), text(&value["tenant"]), text(&value["day"]))
    };
    let sizes = |value: &Value| format!("{} -> {}", size(&value["bytes_before"]), size(&value["bytes"]));
    if let Some(merged) = line.get("merged") {
        return print::line(&format!("{}  {} -> 1 files, {}", place(merged), merged["files"], sizes(merged)));
    }
    if let Some(failed) = line.get("failed") {
        return print::line(&format!("{}  failed: {}", place(failed), text(&failed["error"])));
    }
    match line.get("done") {
        Some(done) if done["merges"] == 0 => print::line("nothing to merge"),
        Some(done) if done["merges"] == 1 => print::line(&format!("1 merge, {}", sizes(done))),
        Some(done) => print::line(&format!("{} merges, {}", done["merges"], sizes(done))),
        None => Ok(()),
    }
}
