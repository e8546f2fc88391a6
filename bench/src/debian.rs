//! Peers that are packages of Debian.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A program: the one that is installed, or that of the package of the same name unpacked below
/// this folder, which starts no service.
pub(crate) fn found(name: &str, folder: &Path) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join(name));
    let peers = folder.join("peers");
    let unpacked = peers.join("usr/bin").join(name);
    if let Some(program) = installed.chain([unpacked.clone()]).find(|program| program.is_file()) {
        return Ok(program);
    }
    std::fs::create_dir_all(&peers).context("make the folder of the peers")?;
    println!("unpacking Debian's {name} into {}", peers.display());
    let download = || {
        let mut command = Command::new("apt-get");
        command.args(["download", "--quiet", name]).current_dir(&peers);
        silent(&mut command)
    };
    // The list of packages may be missing; only root may fetch it.
    download()
        .or_else(|_| silent(Command::new("apt-get").args(["update", "--quiet"])).and_then(|()| download()))?;
    let files = std::fs::read_dir(&peers).context("read the folder of the peers")?;
    let is_package = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.starts_with(&format!("{name}_")) && file.ends_with(".deb")
    };
    let package = files.filter_map(|file| Some(file.ok()?.path())).find(is_package);
    silent(Command::new("dpkg").arg("-x").arg(package.context("apt-get left no package")?).arg(&peers))?;
    ensure!(unpacked.is_file(), "the package has no {}", unpacked.display());
    Ok(unpacked)
}

fn silent(command: &mut Command) -> Result<()> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().with_context(|| format!("run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
