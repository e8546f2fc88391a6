use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, reload};

use super::{Kept, Logging, OutputSetup, PATIENCE, Redactor, Source, json};
use crate::logging::{ByName, LogFormat, Logger, NO_VALUES, Severity};

/// The texts that pass a filter.
fn told(filter: &str, f: impl FnOnce()) -> Vec<String> {
    let kept = Kept::default();
    let setup = OutputSetup::new("kept", kept.clone()).format(LogFormat::Json);
    let logging = Logging::start(vec![setup], Redactor::none(), Source::default()).unwrap();
    let subscriber = Registry::default().with(ByName::parse(filter).unwrap()).with(logging.layer());
    tracing::subscriber::with_default(subscriber, f);
    assert!(logging.flush(PATIENCE));
    kept.json().iter().map(|it| it["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn names_of_loggers_have_levels_as_modules_do() {
    let shop = Logger::new("shop");
    let cart = shop.child("cart");
    let filter = "warn,shop=info,shop:cart=debug,store=trace";
    let all = told(filter, || {
        shop.debug("no", NO_VALUES);
        shop.info("shop info", NO_VALUES);
        cart.debug("cart debug", NO_VALUES);
        cart.child("item").debug("item debug", NO_VALUES);
        Logger::new("shopping").info("no", NO_VALUES);
        tracing::trace!(target: "store", "store trace");
        tracing::info!(target: "query", "no");
        tracing::warn!(target: "query", "query warn");
    });
    assert_eq!(all, ["shop info", "cart debug", "item debug", "store trace", "query warn"]);
}

#[test]
fn levels_of_loggers_change_at_run_time() {
    let (layer, handle) = reload::Layer::new(ByName::parse("info").unwrap());
    let shop = Logger::new("shop");
    let subscriber = Registry::default().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        assert!(shop.is_enabled(Severity::Info) && !shop.is_enabled(Severity::Debug));
        handle.reload(ByName::parse("info,shop=debug").unwrap()).unwrap();
        assert!(shop.is_enabled(Severity::Debug) && !Logger::new("x").is_enabled(Severity::Debug));
        handle.reload(ByName::parse("shop=off").unwrap()).unwrap();
        assert!(!shop.is_enabled(Severity::Fatal));
    });
}

#[test]
fn words_of_other_libraries_are_levels_too() {
    for (word, enabled, not) in [
        ("silly", Severity::Trace, None),
        ("verbose", Severity::Debug, Some(Severity::Trace)),
        ("http", Severity::Debug, Some(Severity::Trace)),
        ("warning", Severity::Warn, Some(Severity::Info)),
        ("fatal", Severity::Fatal, Some(Severity::Error)),
        ("none", Severity::Fatal, Some(Severity::Fatal)),
    ] {
        let subscriber = Registry::default().with(ByName::parse(word).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            let logger = Logger::new("x");
            assert_eq!(logger.is_enabled(enabled), word != "none", "{word}");
            assert!(!not.is_some_and(|not| logger.is_enabled(not)), "{word}");
        });
    }
}

#[test]
fn nothing_is_computed_for_what_nobody_wants() {
    struct Never;
    impl std::fmt::Debug for Never {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it was looked at")
        }
    }
    let unwanted = std::iter::once_with(|| -> (&'static str, i64) { panic!("it was made") });
    let all = told("info", || {
        tracing::debug!(never = ?Never, "no");
        Logger::new("x").debug("no", unwanted);
    });
    assert!(all.is_empty());
}

#[test]
fn an_output_that_wants_less_gets_less_and_that_changes_at_run_time() {
    let (all, some) = (Kept::default(), Kept::default());
    let outputs = vec![
        OutputSetup::new("all", all.clone()),
        OutputSetup::new("some", some.clone()).filter("error,audit=info"),
    ];
    let logging = Logging::start(outputs, Redactor::none(), Source::default()).unwrap();
    let emit = || {
        let subscriber = tracing_subscriber::registry().with(logging.layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("a");
            tracing::info!(target: "audit::user", "b");
            tracing::error!("c");
        });
        assert!(logging.flush(PATIENCE));
    };
    emit();
    assert_eq!((all.lines().len(), some.lines().len()), (3, 2));
    assert_eq!(logging.set_filter("some", "off"), Ok(true));
    assert_eq!(logging.set_filter("other", "off"), Ok(false));
    assert_eq!(
        logging.set_filter("some", "loud").unwrap_err().to_string(),
        "`loud` is not a level: it must be one of trace, debug, info, warn, error, fatal, off"
    );
    emit();
    assert_eq!((all.lines().len(), some.lines().len()), (6, 2));
}

#[test]
fn an_error_can_be_a_fatal_one() {
    let records = json(|| {
        crate::fatal!(disk = "sda", "full");
        Logger::new("x").fatal("also", None::<&std::fmt::Error>, NO_VALUES);
        tracing::error!("only that");
    });
    let levels: Vec<_> = records.iter().map(|it| it["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["fatal", "fatal", "error"]);
    assert_eq!(records[0]["metadata"], serde_json::json!({"disk": "sda"}), "the mark itself is not shown");
}
