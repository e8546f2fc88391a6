use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::time::Duration;

use super::SECOND;
use crate::resilience::{
    BoxError, CallError, Category, Classification, Classify, Judge, Match, Outcome, Rejected, Rules, Severity,
};

#[derive(Debug, thiserror::Error)]
#[error("the query failed")]
struct DbError {
    state: &'static str,
    #[source]
    source: Option<io::Error>,
}

impl Classify for DbError {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }

    fn classification(&self) -> Classification {
        let category = if self.state == "28P01" { Category::Authentication } else { Category::System };
        Classification::of(category)
    }

    fn code(&self) -> Option<Cow<'static, str>> {
        Some(self.state.into())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the order was not placed")]
struct OrderError(#[source] BoxError);

fn db(state: &'static str) -> DbError {
    DbError { state, source: None }
}

#[test]
fn the_defaults() {
    use Category as C;
    let of = Classification::of;
    let table = [
        (C::Timeout, Severity::Medium, true, true, false),
        (C::RateLimit, Severity::Medium, true, true, false),
        (C::Authentication, Severity::High, false, true, true),
        (C::ResourceExhaustion, Severity::Critical, false, false, true),
        (C::Unknown, Severity::Medium, false, false, false),
        (C::Network, Severity::Medium, true, false, false),
        (C::Validation, Severity::Low, false, true, false),
    ];
    for (category, severity, retryable, user_visible, escalate) in table {
        let expected = Classification { severity, category, retryable, user_visible, escalate };
        assert_eq!(of(category), expected, "{category}");
    }
    assert!(Severity::Low < Severity::Medium && Severity::High < Severity::Critical);
    assert_eq!(
        (Category::RateLimit.to_string(), Severity::High.to_string()),
        ("rate_limit".into(), "high".into())
    );
}

#[test]
fn errors_are_known_by_type_and_code_not_by_their_words() {
    let class = |kind: io::ErrorKind| io::Error::from(kind).classification().category;
    assert_eq!(class(io::ErrorKind::TimedOut), Category::Timeout);
    assert_eq!(class(io::ErrorKind::ConnectionRefused), Category::Network);
    assert_eq!(class(io::ErrorKind::OutOfMemory), Category::ResourceExhaustion);
    assert_eq!(class(io::ErrorKind::PermissionDenied), Category::Authorization);
    assert_eq!(class(io::ErrorKind::InvalidInput), Category::Validation);
    assert_eq!(class(io::ErrorKind::NotFound), Category::Unknown);
    let words = io::Error::other("timeout: rate limit, authentication");
    assert_eq!(words.classification(), Classification::of(Category::Unknown));
    assert_eq!(words.name(), "io::Error");
}

#[test]
fn causes_are_looked_into() {
    let inner = io::Error::from(io::ErrorKind::ConnectionRefused);
    let boxed: BoxError = OrderError(Box::new(DbError { state: "08001", source: Some(inner) })).into();
    assert_eq!(boxed.classification().category, Category::Network);
    assert_eq!(boxed.code().as_deref(), Some("ConnectionRefused"));
    assert!(!boxed.executed());
    let boxed: BoxError = Rejected::RateLimited { name: "l".into(), retry_after: SECOND }.into();
    assert_eq!((boxed.retry_after(), boxed.executed()), (Some(SECOND), false));
    let odd: BoxError = "odd".into();
    assert_eq!((odd.name(), odd.code(), odd.executed()), ("_OTHER".into(), None, true));
}

#[test]
fn what_is_learnt_is_found_inside_boxes() {
    let boxed: BoxError = OrderError(Box::new(db("28P01"))).into();
    assert_eq!(Rules::new().classify(&boxed).category, Category::Unknown);
    let rules = Rules::new().learn::<DbError>();
    assert_eq!(rules.classify(&boxed).category, Category::Authentication);
    let facts = rules.facts(&boxed);
    assert_eq!((&*facts.name, facts.code.as_deref()), ("DbError", Some("28P01")));
}

#[test]
fn exact_rules_come_before_patterns_and_each_in_order() {
    let class = Classification::of;
    let rules = Rules::new()
        .rule(Match::Message("query".parse().unwrap()), class(Category::Business))
        .rule(Match::Severity(Severity::High), class(Category::Configuration))
        .rule(Match::Code("40001".into()), class(Category::RateLimit))
        .rule(Match::Name("DbError".into()), class(Category::Validation))
        .rule(Match::of_type::<OrderError>(), class(Category::Timeout));
    assert_eq!(rules.classify(&db("40001")).category, Category::RateLimit);
    assert_eq!(rules.classify(&db("23505")).category, Category::Validation);
    let boxed: BoxError = OrderError(Box::new(db("40001"))).into();
    assert_eq!(rules.classify(&boxed).category, Category::Timeout);
    let only_patterns = Rules::new()
        .rule(
            Match::Predicate(Box::new(|facts| facts.code.as_deref() == Some("40001"))),
            class(Category::Network),
        )
        .rule(Match::Message("query".parse().unwrap()), class(Category::Business));
    assert_eq!(only_patterns.classify(&db("40001")).category, Category::Network);
    assert_eq!(only_patterns.classify(&db("23505")).category, Category::Business);
    // A severity is that which the error has of itself.
    let by_severity = Rules::new().rule(Match::Severity(Severity::High), class(Category::Configuration));
    assert_eq!(by_severity.classify(&db("28P01")).category, Category::Configuration);
    assert_eq!(by_severity.classify(&db("23505")).category, Category::System);
}

#[test]
fn verdicts_blame_who_is_at_fault() {
    let judge = |error: CallError<io::Error>| Judge::<(), _>::judge(&Rules::new(), &Err(error));
    let outcome = |error| judge(error).outcome;
    let io = |kind: io::ErrorKind| CallError::Inner(io::Error::from(kind));
    assert_eq!(outcome(io(io::ErrorKind::TimedOut)), Outcome::Failure);
    assert_eq!(outcome(io(io::ErrorKind::InvalidInput)), Outcome::Ignored);
    let full = Rejected::BulkheadFull { name: "b".into(), limit: 1 };
    let verdict = judge(full.into());
    assert_eq!((verdict.outcome, verdict.retryable, verdict.executed), (Outcome::Ignored, true, false));
    assert_eq!(
        outcome(Rejected::TimedOut { name: "t".into(), limit: Duration::ZERO }.into()),
        Outcome::Failure
    );
    assert!(!judge(Rejected::DeadlineExceeded.into()).retryable, "nobody waits any longer");
}

#[test]
fn a_chain_that_bites_its_tail_is_left() {
    #[derive(Debug, thiserror::Error)]
    #[error("round and round")]
    struct Loop;
    impl Classify for Loop {
        fn as_error(&self) -> &(dyn Error + 'static) {
            #[derive(Debug)]
            struct Endless;
            impl std::fmt::Display for Endless {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("endless")
                }
            }
            impl Error for Endless {
                fn source(&self) -> Option<&(dyn Error + 'static)> {
                    Some(&Endless)
                }
            }
            &Endless
        }
    }
    assert_eq!(Loop.classification().category, Category::Unknown);
}
