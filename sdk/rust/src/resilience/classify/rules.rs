use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use regex::Regex;

use super::{Classification, Classify, Severity, chain};

/// What there is to go by.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The error with its causes.
    pub error: &'a (dyn Error + 'static),
    /// What it is called.
    pub name: Cow<'static, str>,
    /// Its code, if it has one.
    pub code: Option<Cow<'static, str>>,
    /// What it says, its causes not included.
    pub message: String,
    /// What it is before a rule has said otherwise.
    pub classification: Classification,
}

impl<'a> Facts<'a> {
    fn of<E: Classify + ?Sized>(error: &'a E) -> Self {
        let inner = error.as_error();
        Self {
            error: inner,
            name: error.name(),
            code: error.code(),
            message: inner.to_string(),
            classification: error.classification(),
        }
    }
}

/// Which errors are meant.
pub enum Match {
    /// Those with this name ([`Classify::name`]).
    Name(String),
    /// Those with this code ([`Classify::code`]).
    Code(String),
    /// Those of a type, or caused by one: made by [`Match::of_type`].
    Type(fn(&(dyn Error + 'static)) -> bool),
    /// Those whose message has this.
    Message(Regex),
    /// Those as bad as this.
    Severity(Severity),
    /// Those of which it is true.
    Predicate(Predicate),
}

/// Whether an error is meant.
pub type Predicate = Box<dyn Fn(&Facts<'_>) -> bool + Send + Sync>;

impl Match {
    /// Errors of this type, or caused by one.
    pub fn of_type<E: Error + 'static>() -> Self {
        Self::Type(|error| chain(error).any(|link| link.is::<E>()))
    }

    /// Whether the error is meant.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Name(name) => facts.name == *name,
            Self::Code(code) => facts.code.as_deref() == Some(code),
            Self::Type(is) => is(facts.error),
            Self::Message(pattern) => pattern.is_match(&facts.message),
            Self::Severity(severity) => facts.classification.severity == *severity,
            Self::Predicate(predicate) => predicate(facts),
        }
    }

    /// Whether it names the error, rather than describing many. What is exact is asked first.
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Code(_) | Self::Type(_))
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.debug_tuple("Name").field(name).finish(),
            Self::Code(code) => f.debug_tuple("Code").field(code).finish(),
            Self::Type(_) => f.write_str("Type"),
            Self::Message(pattern) => f.debug_tuple("Message").field(&pattern.as_str()).finish(),
            Self::Severity(severity) => f.debug_tuple("Severity").field(severity).finish(),
            Self::Predicate(_) => f.write_str("Predicate"),
        }
    }
}

/// Classifies errors: by rules, the exact ones before the others and each in the order in which
/// they came; else by what the error says of itself.
///
/// ```
/// use fresnel_sdk::resilience::{Category, Classification, Match, Rules};
///
/// let rules = Rules::new()
///     .rule(Match::Message("deadlock".parse().expect("a pattern")), Classification {
///         retryable: true,
///         ..Classification::of(Category::System)
///     });
/// let error = std::io::Error::other("deadlock detected");
/// assert!(rules.classify(&error).retryable);
/// ```
#[derive(Debug, Default)]
pub struct Rules {
    /// The exact ones first.
    rules: Vec<(Match, Classification)>,
    learnt: Vec<Learnt>,
}

/// Recognises one type among causes.
type Learnt = for<'a> fn(&'a (dyn Error + 'static)) -> Option<Facts<'a>>;

impl Rules {
    /// No rules: errors are what they say they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Errors that match are this.
    #[must_use]
    pub fn rule(mut self, which: Match, classification: Classification) -> Self {
        insert(&mut self.rules, which, classification);
        self
    }

    /// Recognises errors of this type inside boxes and among causes, so that they can say what
    /// they are.
    #[must_use]
    pub fn learn<E: Classify + Error + 'static>(mut self) -> Self {
        self.learnt.push(|error| error.downcast_ref::<E>().map(Facts::of));
        self
    }

    /// What an error is.
    pub fn classify<E: Classify + ?Sized>(&self, error: &E) -> Classification {
        self.facts(error).classification
    }

    /// What there is to go by, with the classification by the rules.
    pub fn facts<'a, E: Classify + ?Sized>(&self, error: &'a E) -> Facts<'a> {
        let learnt = |link: &'a (dyn Error + 'static)| self.learnt.iter().find_map(|learnt| learnt(link));
        let mut facts = chain(error.as_error()).find_map(learnt).unwrap_or_else(|| Facts::of(error));
        // The whole chain stays to be matched by type.
        facts.error = error.as_error();
        if let Some((_, classification)) = self.rules.iter().find(|(which, _)| which.matches(&facts)) {
            facts.classification = *classification;
        }
        facts
    }
}

/// Keeps the exact ones before the others, and each in order.
pub(in crate::resilience) fn insert<T>(list: &mut Vec<(Match, T)>, which: Match, value: T) {
    let at = if which.is_exact() {
        list.iter().position(|(other, _)| !other.is_exact()).unwrap_or(list.len())
    } else {
        list.len()
    };
    list.insert(at, (which, value));
}
