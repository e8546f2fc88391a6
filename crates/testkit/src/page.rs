//! The tests of the page, which run in Node with a Chromium.

use std::path::Path;
use std::process::Command;

use crate::{Fresnel, root, skip};

fn chromium() -> Option<&'static str> {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .into_iter()
        .find(|path| Path::new(path).exists())
}

/// A command in the folder of the page that runs tests of it, told of this server by `FRESNEL_URL`; none
/// where something is missing, which is said.
#[track_caller]
pub fn page_tests(server: &Fresnel, program: &str, arguments: &[&str]) -> Option<Command> {
    let web = root().join("web");
    let Some(chromium) = chromium() else {
        skip("there is no Chromium: run `cargo xtask setup` as root");
        return None;
    };
    if !web.join("node_modules").exists() {
        skip("web/node_modules is missing: run `cargo xtask setup`");
        return None;
    }
    if !server.get("/").text().contains("<script") {
        skip("the page is not in this binary: run `npm run build` in web, then build again");
        return None;
    }
    let mut command = Command::new(program);
    command.args(arguments).current_dir(web).env("FRESNEL_URL", server.url()).env("CHROMIUM", chromium);
    Some(command)
}
