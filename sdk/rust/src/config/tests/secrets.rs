//! A secret is nowhere but in `expose()`.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{file, loader};
use crate::config::{Loader, Secret, SecretStore, Watch, WatchOptions};

#[test]
fn secrets_are_masked_in_all_that_is_shown() {
    let (_dir, path) = file("a.toml", "[receive.key.ops]\nsecret = 'hunter2'");
    let loaded = loader().file(&path).load().unwrap();
    assert_eq!(loaded.value.receive.key["ops"].secret.expose(), "hunter2");
    let shown =
        format!("{} {loaded:?} {:?} {:?}", loaded.export(), loaded.value, loaded.get("receive.key.ops"));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(loaded.export().contains("\"secret\": \"***\""), "{}", loaded.export());
}

#[test]
fn an_error_about_a_secret_does_not_show_it() {
    let check = |text: &str, expected: &str| {
        let (dir, path) = file("a.toml", text);
        let error = loader().file(&path).load().unwrap_err();
        let folder = format!("{}/", dir.path().display());
        assert_eq!(error.to_string().replace(&folder, ""), expected);
        assert!(!format!("{error:?}").contains("4711"));
    };
    let right = "must be a text, `{ file = \"…\" }` or `{ env = \"…\" }`";
    check("[receive.key.ops]\nsecret = 4711", &format!("a.toml:2:10: `secret` {right}, got something else"));
    check("[receive.key.ops]\nsecret = ['4711']", &format!("a.toml:2:10: `secret` {right}, got a list"));
    check(
        "[receive.key.ops]\nsecret = { value = '4711' }",
        &format!("a.toml:2:10: `secret` {right}, got a table"),
    );
    let table = "`key` must be a table, got something else";
    check("[receive]\nkey = 'x4711'", &format!("a.toml:2:7: {table}"));
    check("receive = 'x4711'", "a.toml:1:11: `receive` must be a table, got something else");
    let missing =
        "`secret` points to /nonexistent/4712, which cannot be read: No such file or directory (os error 2)";
    check("[receive.key.ops]\nsecret = { file = '/nonexistent/4712' }", &format!("a.toml:2:10: {missing}"));
    check(
        "[receive.key.ops]\nsecret = { env = 'NO_SUCH_VARIABLE' }",
        "a.toml:2:10: `secret` points to the variable NO_SUCH_VARIABLE, which is not set",
    );
}

#[test]
fn a_broken_table_from_outside_is_not_shown() {
    let loader = loader().env_from("FRESNEL", [("FRESNEL_RECEIVE_KEY", "{ ops = { secret = 'hunter2' ")]);
    let error = loader.load().unwrap_err();
    assert_eq!(error.to_string(), "FRESNEL_RECEIVE_KEY: `receive.key` must be a table, got something else");
}

#[test]
fn a_secret_that_does_not_parse_is_not_shown() {
    #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Pin {
        pin: Secret<Number>,
    }
    /// A number in a text.
    #[derive(Clone, Default, serde::Serialize)]
    struct Number(u32);
    impl<'de> serde::Deserialize<'de> for Number {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            text.parse().map(Self).map_err(|error| serde::de::Error::custom(format!("{error}: {text}")))
        }
    }
    impl crate::config::Validate for Pin {}
    let error = Loader::<Pin>::new().arg("--pin", "pin", "hunter2").load().unwrap_err();
    let first = &error.problems[0];
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(first.message, "`pin` is not a valid secret");
}

#[test]
fn a_secret_may_be_kept_elsewhere() {
    let (_dir, secret) = file("token", "hunter2\n");
    let loaded = loader()
        .env_from("FRESNEL", [("FRESNEL_RECEIVE_KEY_OPS_SECRET_FILE", secret.to_str().unwrap())])
        .arg("--set", "receive.key.dev.secret", "plain")
        .load()
        .unwrap();
    assert_eq!(loaded.value.receive.key["ops"].secret.expose(), "hunter2");
    assert_eq!(loaded.value.receive.key["dev"].secret.expose(), "plain");
    let (_dir, path) = file("a.toml", "[receive.key.ops]\nsecret = { env = 'PATH' }");
    let loaded = loader().file(path).load().unwrap();
    let path = std::env::var("PATH").unwrap();
    assert_eq!(*loaded.value.receive.key["ops"].secret.expose(), path);
}

/// A store with one secret, which may change.
#[derive(Clone)]
struct Vault(Arc<Mutex<&'static str>>);

impl SecretStore for Vault {
    fn secret(&self, name: &str) -> Result<Secret, Box<dyn std::error::Error + Send + Sync>> {
        match name {
            "shop/ops" => Ok(Secret::new((*self.0.lock()).to_owned())),
            _ => Err(format!("there is no {name}").into()),
        }
    }
}

#[test]
fn a_secret_may_be_in_a_store_that_is_asked_at_every_load() {
    let vault = Vault(Arc::new(Mutex::new("hunter2")));
    let (_dir, path) = file("a.toml", "[receive.key.ops]\nsecret = { vault = 'shop/ops' }");
    let with_store = || loader().file(&path).secret_store("vault", vault.clone());
    let loaded = with_store().load().unwrap();
    assert_eq!(loaded.value.receive.key["ops"].secret.expose(), "hunter2");
    let shown = format!("{} {loaded:?} {:?}", loaded.export(), with_store());
    assert!(!shown.contains("hunter2"), "{shown}");

    let watch = Watch::start(with_store(), WatchOptions::default()).unwrap();
    *vault.0.lock() = "hunter3";
    watch.reload().unwrap();
    assert_eq!(watch.current().receive.key["ops"].secret.expose(), "hunter3");

    // A layer above replaces what points to it.
    let above = with_store().arg("--key", "receive.key.ops.secret", "plain").load().unwrap();
    assert_eq!(above.value.receive.key["ops"].secret.expose(), "plain");
}

#[test]
fn what_a_store_does_not_give_is_told_with_its_place() {
    let vault = Vault(Arc::default());
    let check = |text: &str, expected: &str| {
        let (dir, path) = file("a.toml", text);
        let error = loader().file(&path).secret_store("vault", vault.clone()).load().unwrap_err();
        assert_eq!(error.to_string().replace(&format!("{}/", dir.path().display()), ""), expected);
    };
    check(
        "[receive.key.ops]\nsecret = { vault = 'shop/x' }",
        "a.toml:2:10: `secret` points to shop/x in the store `vault`: there is no shop/x",
    );
    let right = "must be a text, `{ file = \"…\" }` or `{ env = \"…\" }`";
    check(
        "[receive.key.ops]\nsecret = { safe = 'shop/ops' }",
        &format!("a.toml:2:10: `secret` {right}, got a table"),
    );
}
