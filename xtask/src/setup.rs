//! Installs what the tests of real clients and of the page need, each once: PyPI and npm packages
//! and programs from crates.io into the target directory, Debian packages where we are root. What cannot be had
//! is said here and skipped there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::tree;

/// Programs from crates.io: name, version, feature that has the program.
const TOOLS: [(&str, &str, Option<&str>); 2] =
    [("cargo-deny", "0.20.2", None), ("s3s-fs", "0.14.1", Some("binary"))];

/// Installs everything that is missing.
pub(crate) fn run() -> Result<()> {
    let target = target_directory()?;
    let clients = target.join("clients");
    let steps: [(&str, Result<()>); 5] = [
        ("Debian packages", debian()),
        ("Python clients", python(&clients.join("venv"))),
        ("JavaScript clients", node(&clients.join("node"))),
        ("tools", tools(&target.join("tools"))),
        ("packages of the page", page()),
    ];
    let mut missing = 0;
    for (what, outcome) in steps {
        if let Err(error) = outcome {
            missing += 1;
            eprintln!("skipped: {what}: {error:#}");
        }
    }
    let forbidden = std::env::var("FRESNEL_NO_SKIP").is_ok_and(|value| value == "1");
    anyhow::ensure!(
        missing == 0 || !forbidden,
        "nothing may be skipped here, but {missing} could not be set up"
    );
    Ok(())
}

/// Where cargo builds; this program lies two folders below.
fn target_directory() -> Result<PathBuf> {
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        return Ok(tree::root().join(target));
    }
    let own = std::env::current_exe().context("find this program")?;
    own.ancestors().nth(2).map(Path::to_owned).context("this program lies in a target directory")
}

/// A program, and the Debian packages that bring it.
const PROGRAMS: [(&str, &[&str]); 9] = [
    ("python3", &["python3", "python3-venv"]),
    ("cc", &["gcc", "libc6-dev"]),
    ("chromium", &["chromium"]),
    ("node", &["nodejs", "npm"]),
    ("prometheus", &["prometheus"]),
    ("victoria-metrics", &["victoria-metrics"]),
    ("prometheus-node-exporter", &["prometheus-node-exporter"]),
    ("openssl", &["openssl"]),
    ("redis-server", &["redis-server"]),
];

fn debian() -> Result<()> {
    let missing = PROGRAMS.iter().filter(|(program, _)| which(program).is_none());
    let packages: Vec<&str> = missing.flat_map(|(_, packages)| packages.iter().copied()).collect();
    if packages.is_empty() {
        return Ok(());
    }
    if !is_root() || which("apt-get").is_none() {
        bail!("install {} yourself, or run this as root on Debian", packages.join(" "));
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    succeed(apt().arg("update"))?;
    succeed(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

fn python(venv: &Path) -> Result<()> {
    let requirements = tree::root().join("tests/clients/python/requirements.txt");
    once(venv, &requirements, || {
        let python = which("python3").context("there is no python3")?;
        succeed(Command::new(python).args(["-m", "venv", "--clear"]).arg(venv))?;
        let pip = venv.join("bin/pip");
        succeed(
            Command::new(pip)
                .args(["install", "--quiet", "--require-hashes", "--only-binary=:all:", "--requirement"])
                .arg(&requirements),
        )
    })
}

fn node(folder: &Path) -> Result<()> {
    let source = tree::root().join("tests/clients/node");
    once(folder, &source.join("package-lock.json"), || {
        let npm = which("npm").context("there is no npm")?;
        std::fs::create_dir_all(folder)?;
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(source.join(file), folder.join(file)).with_context(|| format!("copy {file}"))?;
        }
        succeed(Command::new(npm).args(NPM_CI).current_dir(folder))
    })
}

fn page() -> Result<()> {
    let web = tree::root().join("web");
    tell_node(&web)?;
    once(&web.join("node_modules"), &web.join("package-lock.json"), || {
        let npm = which("npm").context("there is no npm")?;
        succeed(Command::new(npm).args(NPM_CI).current_dir(&web))
    })
}

/// Debian chooses its Node: says when it is not the one that the page was tested with.
fn tell_node(web: &Path) -> Result<()> {
    let package: serde_json::Value = serde_json::from_str(&tree::read(&web.join("package.json"))?)?;
    let tested = package["engines"]["node"].as_str().unwrap_or_default();
    let here = which("node").map(|node| output(Command::new(node).arg("--version"))).transpose()?;
    match here.as_deref().map(|version| version.trim().trim_start_matches('v')) {
        Some(version) if version != tested => eprintln!("note: this is Node {version}, tested is {tested}"),
        _ => {}
    }
    Ok(())
}

/// From the lock file only; no browser is downloaded, Debian's is used.
const NPM_CI: [&str; 4] = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];

/// Without optimisation: they run for seconds, and would be built for minutes.
fn tools(folder: &Path) -> Result<()> {
    for (name, version, feature) in TOOLS {
        let stamp = folder.join(format!(".{name}-{version}"));
        if folder.join("bin").join(name).exists() && stamp.exists() {
            continue;
        }
        eprintln!("building {name} {version}");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["install", name, "--version", version, "--locked", "--debug", "--force", "--quiet"]);
        command.args(feature.iter().flat_map(|feature| ["--features", feature]));
        command.arg("--root").arg(folder).arg("--target-dir").arg(folder.join("build"));
        succeed(&mut command)?;
        std::fs::write(&stamp, "").with_context(|| format!("write {}", stamp.display()))?;
    }
    Ok(())
}

/// Runs `install` unless it succeeded before with the same list of packages.
fn once(folder: &Path, list: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let (wanted, stamp) = (tree::read(list)?, folder.join(".installed"));
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    eprintln!("installing {} into {}", list.display(), folder.display());
    install()?;
    std::fs::write(&stamp, wanted).with_context(|| format!("write {}", stamp.display()))
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("run {command:?}"))?;
    anyhow::ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
