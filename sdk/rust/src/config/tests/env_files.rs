//! `.env`, `.env.local` and the other usual places.

use std::fs;
use std::path::Path;

use super::{Server, loader};
use crate::config::Loader;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The usual places of a folder with these files, and variables of the process.
fn usual(folder: &Path, variables: &[(&str, &str)]) -> Loader<Server> {
    loader().usual_places(folder).env_from("FRESNEL", variables.iter().copied())
}

#[test]
fn each_place_is_above_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let dir = |variables: &[(&str, &str)]| {
        let loaded = usual(folder.path(), variables).load().unwrap();
        let origin = loaded.origin("store.dir").to_string();
        let origin = origin.replace(&format!("{}/", folder.path().display()), "");
        (loaded.value.store.dir.display().to_string(), origin)
    };
    let told = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(dir(&[]), told("data", "default"));
    write(folder.path(), "config.json", r#"{ "store": { "dir": "json" } }"#);
    assert_eq!(dir(&[]), told("json", "config.json:1:21"));
    write(folder.path(), "config.yaml", "store:\n  dir: yaml\n");
    assert_eq!(dir(&[]), told("yaml", "config.yaml:2:8"));
    write(folder.path(), "config/10-store.toml", "store.dir = 'ten'");
    write(folder.path(), "config/05-store.yml", "store: { dir: five }");
    write(folder.path(), "config/20-store.toml~", "no configuration");
    write(folder.path(), "config/.20-store.toml", "no configuration");
    assert_eq!(dir(&[]), told("ten", "config/10-store.toml:1:13"));
    write(folder.path(), ".env", "# ours\nOTHER=1\nFRESNEL_STORE_DIR=env\n");
    assert_eq!(dir(&[]), told("env", ".env:3:1"));
    write(folder.path(), ".env.local", "export FRESNEL_STORE_DIR=local # mine\n");
    assert_eq!(dir(&[]), told("local", ".env.local:1:1"));
    assert_eq!(dir(&[("FRESNEL_STORE_DIR", "process")]), told("process", "FRESNEL_STORE_DIR"));
    let loaded = usual(folder.path(), &[]).arg("--data-dir", "store.dir", "flag").load().unwrap();
    assert_eq!(loaded.value.store.dir.to_str(), Some("flag"));
    let sources: Vec<_> = loaded.sources().iter().map(|it| it.rsplit('/').next().unwrap()).collect();
    let files = ["config.json", "config.yaml", "05-store.yml", "10-store.toml", ".env (1)", ".env.local (1)"];
    assert_eq!(sources, [&["defaults"], &files[..], &["command line (1)"]].concat());
}

#[test]
fn a_line_is_a_name_and_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let value = |text: &str| {
        write(folder.path(), ".env", text);
        let loaded = usual(folder.path(), &[]).load().unwrap();
        loaded.value.store.dir.display().to_string()
    };
    for (text, expected) in [
        ("FRESNEL_STORE_DIR=a", "a"),
        ("\u{feff}FRESNEL_STORE_DIR=a", "a"),
        ("  export\tFRESNEL_STORE_DIR = a b \r\n", "a b"),
        ("FRESNEL_STORE_DIR=a#b # c", "a#b"),
        ("FRESNEL_STORE_DIR=a=b", "a=b"),
        ("FRESNEL_STORE_DIR=\n", ""),
        ("FRESNEL_STORE_DIR= # nothing\n", ""),
        ("FRESNEL_STORE_DIR='a # $HOME \\n'  # c", "a # $HOME \\n"),
        ("FRESNEL_STORE_DIR=\"a \\\"b\\\" \\$c \\\\ \\d\"", "a \"b\" $c \\ \\d"),
        ("FRESNEL_STORE_DIR=\"a\nb\\tc\"\nFRESNEL_MEMORY_WORKERS=3", "a\nb\tc"),
        ("FRESNEL_STORE_DIR=a\nFRESNEL_STORE_DIR=b\n", "b"),
        ("# FRESNEL_STORE_DIR=a\nPASSED_ON\n\n", "data"),
    ] {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[test]
fn what_is_wrong_in_it_is_said_with_its_place_and_without_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str, expected: &[&str]| {
        write(folder.path(), ".env", text);
        let error = usual(folder.path(), &[]).load().unwrap_err().to_string();
        let error = error.replace(&format!("{}/", folder.path().display()), "");
        assert_eq!(error.lines().collect::<Vec<_>>(), expected, "{text}");
    };
    check(
        "a b=hunter2\n  'c'=hunter2\nFRESNEL_STORE_DIR='a'b\n",
        &[
            ".env:1:1: is not `NAME=value`",
            ".env:2:3: is not `NAME=value`",
            ".env:3:1: has something behind the closing quote",
        ],
    );
    check("X=1\nY=\"hunter2\n", &[".env:2:1: has a quote that does not end"]);
    check("FRESNEL_MEMORY_WORKERS=0\n", &[".env:1:1: `workers` must be at least 1, got 0"]);
    fs::remove_file(folder.path().join(".env")).unwrap();
    fs::create_dir(folder.path().join(".env")).unwrap();
    let error = usual(folder.path(), &[]).load().unwrap_err();
    assert!(error.to_string().contains(".env: cannot be read: "), "{error}");
}

#[test]
fn an_unknown_variable_of_a_file_only_warns_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ".env", "FRESNEL_CONFIG=x\nFRESNEL_STORE_DRI=x\n");
    let loaded = usual(folder.path(), &[]).ignore_env(["FRESNEL_CONFIG"]).load().unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(warnings, ["unknown variable FRESNEL_STORE_DRI, did you mean FRESNEL_STORE_DIR?"]);
}

#[test]
fn secrets_of_files_are_masked_and_may_be_pointed_to() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "config.yaml", "receive: { key: { dev: { secret: { env: DEV_KEY } } } }");
    write(folder.path(), ".env", "FRESNEL_RECEIVE_KEY_OPS_SECRET=hunter1\nDEV_KEY=hunter2\n");
    write(folder.path(), ".env.local", "DEV_KEY=hunter3\nPATH=hunter4\n");
    let loaded = usual(folder.path(), &[]).load().unwrap();
    let secret = |name: &str| loaded.value.receive.key[name].secret.expose().clone();
    assert_eq!((secret("ops"), secret("dev")), ("hunter1".into(), "hunter3".into()));
    assert!(std::env::var_os("DEV_KEY").is_none(), "the process has its own");
    let shown = format!("{} {loaded:?} {:?}", loaded.export(), usual(folder.path(), &[]));
    assert!(!shown.contains("hunter"), "{shown}");
    // What the process has is not replaced.
    write(folder.path(), "config.yaml", "receive: { key: { dev: { secret: { env: PATH } } } }");
    let loaded = usual(folder.path(), &[]).load().unwrap();
    assert_eq!(*loaded.value.receive.key["dev"].secret.expose(), std::env::var("PATH").unwrap());
}
