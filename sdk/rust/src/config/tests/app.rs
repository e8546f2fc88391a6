//! The application's part, which every program shares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file;
use crate::config::{AppConfig, Environment, Loader, Report, Validate};

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    app: AppConfig,
}

impl Validate for Config {
    fn validate(&self, report: &mut Report) {
        report.within("app", &self.app);
    }
}

const GOOD: &str = "[app]\nname = 'shop'\nversion = '1.2'\nenvironment = 'staging'\n\
                    base_url = 'https://shop.example/app/'\nport = 8080\n";

/// The problems of `GOOD` with these settings over it.
fn problems(settings: &[(&str, &str)]) -> Vec<String> {
    let (_dir, path) = file("a.toml", GOOD);
    let loader = settings.iter().fold(Loader::<Config>::new().file(path), |loader, (path, value)| {
        loader.arg("--set", &format!("app.{path}"), *value)
    });
    let problems = loader.load().err().map_or(Vec::new(), |error| error.problems);
    problems.into_iter().map(|problem| problem.message).collect()
}

#[test]
fn an_application_says_what_and_where_it_is() {
    let (_dir, path) = file("a.toml", GOOD);
    let app = Loader::<Config>::new().file(&path).load().unwrap().value.app.clone();
    assert_eq!((app.name(), app.version(), app.port()), ("shop", "1.2", 8080));
    assert_eq!((app.environment(), app.base_url()), (Environment::Staging, "https://shop.example/app"));
    assert_eq!(app.environment().to_string(), "staging");
    let (resource, _) = app.resource();
    let source = format!("{:?}", resource.attributes);
    assert!(source.contains("\"deployment.environment.name\", value: Text(\"staging\")"), "{source}");
    assert!(app.cors.origin.is_empty() && !app.cors.credentials, "pages of others have nothing to ask");
}

#[test]
fn everything_but_cors_must_be_set() {
    let error = Loader::<Config>::new().load().unwrap_err();
    let messages: Vec<_> = error.problems.iter().map(|it| it.message.as_str()).collect();
    let missing =
        ["base_url", "environment", "name", "port", "version"].map(|key| format!("`app.{key}` is missing"));
    assert_eq!(messages, missing);
    // One by one, and also when the others are there.
    let (_dir, path) = file("a.toml", &GOOD.replace("port = 8080\n", ""));
    let error = Loader::<Config>::new().file(&path).load().unwrap_err();
    assert_eq!(error.to_string(), format!("{}:1:1: `port` is missing", path.display()));
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    for (key, value, message) in [
        ("environment", "prod", "must be one of `development`, `staging`, `production`, got prod"),
        ("port", "0", "must be at least 1, got 0"),
        ("port", "65536", "must be at most 65535, got 65536"),
        ("name", "", "must"),
        ("base_urls", "x", "unknown key `base_urls` in `app`, did you mean `base_url`?"),
    ] {
        let told = problems(&[(key, value)]);
        assert!(told.len() == 1 && told[0].contains(message), "{key}={value}: {told:?}");
    }
}

#[test]
fn the_base_is_an_address_of_the_web() {
    for good in [
        "http://localhost",
        "http://localhost:8080",
        "https://shop.example.",
        "https://a-b_c.example/x/y%20z/~a",
        "http://127.0.0.1:1",
        "http://[::1]:8080/",
        "http://[::1]",
    ] {
        assert_eq!(problems(&[("base_url", good)]), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "",
        "shop.example",
        "/app",
        "ftp://shop.example",
        "https://",
        "https://:80",
        "https:///x",
        "https://a b",
        "https://a..b",
        "https://-a",
        "https://a:0",
        "https://a:65536",
        "https://a:+1",
        "https://a:b",
        "https://[::1",
        "https://[::g]",
        "https://a/b c",
        "https://a/?x=1",
        "https://a/#x",
        "https://grün.example",
    ] {
        let told = problems(&[("base_url", bad)]);
        assert!(told.len() == 1 && told[0].contains("must be an address such as"), "{bad}: {told:?}");
    }
    let told = problems(&[("base_url", "https://me:hunter2@shop.example")]);
    assert!(told.len() == 1 && !told[0].contains("hunter2"), "{told:?}");
}

#[test]
fn origins_are_checked_and_no_page_of_everybody_gets_cookies() {
    assert!(
        problems(&[("cors.origin", "https://a.example,http://b:8080"), ("cors.credentials", "true")])
            .is_empty()
    );
    assert!(problems(&[("cors.origin", "*")]).is_empty());
    let told = problems(&[("cors.origin", "https://a,b,https://c/x")]);
    let expected = |at: usize, got: &str| {
        format!(
            "`app.cors.origin[{at}]` must be an origin such as `https://shop.example`, or `*`, got \"{got}\""
        )
    };
    assert_eq!(told, [expected(1, "b"), expected(2, "https://c/x")]);
    let told = problems(&[("cors.origin", "*"), ("cors.credentials", "true")]);
    assert_eq!(told, ["`app.cors.credentials` must be false while `origin` has `*`"]);
}
