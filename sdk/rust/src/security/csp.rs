//! A Content Security Policy (level 3): what a page may load and do, told with every answer, and
//! what browsers report when something breaks it.
//!
//! ```
//! use fresnel_sdk::security::csp::{Directive, Nonce, Policy};
//!
//! let policy = Policy::strict().allow(Directive::Img, ["https://img.example.com"])?;
//! let nonce = Nonce::random();
//! let headers = policy.headers(&nonce);
//! assert_eq!(headers[0].0, "content-security-policy");
//! assert!(headers[0].1.contains(&format!("'nonce-{nonce}'")));
//! assert!(policy.weaknesses().is_empty());
//! # Ok::<(), fresnel_sdk::security::csp::SourceError>(())
//! ```

#[cfg(feature = "axum")]
mod endpoint;
mod report;

#[cfg(feature = "axum")]
pub use self::endpoint::report_endpoint;
pub use self::report::{ReportError, Violation, parse_reports};

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rand::RngCore;

macro_rules! directives {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// What a rule of the policy is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Directive { $($(#[$doc])* $variant),* }

        #[cfg(feature = "axum")]
        const ALL_DIRECTIVES: &[Directive] = &[$(Directive::$variant),*];

        impl Directive {
            /// As in the header: `script-src`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

directives! {
    /// Whatever has no rule of its own.
    Default = "default-src",
    /// Scripts.
    Script = "script-src",
    /// Styles.
    Style = "style-src",
    /// Pictures.
    Img = "img-src",
    /// Requests of scripts.
    Connect = "connect-src",
    /// Fonts.
    Font = "font-src",
    /// Plug-ins.
    Object = "object-src",
    /// Sound and film.
    Media = "media-src",
    /// Frames in the page.
    Frame = "frame-src",
    /// Workers.
    Worker = "worker-src",
    /// The manifest of an application.
    Manifest = "manifest-src",
    /// What relative addresses may be relative to.
    BaseUri = "base-uri",
    /// Where forms may be sent.
    FormAction = "form-action",
    /// Who may show the page in a frame.
    FrameAncestors = "frame-ancestors",
}

/// Why a source is refused: it would end its rule, or the header, and begin another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{source_text}` is no source of a policy: one word of visible ASCII without `;` and `,`")]
pub struct SourceError {
    /// What was given.
    pub source_text: String,
}

/// A number used once, by which a page shows that a script is its own. 128 bits from the system's
/// generator; one for every answer.
///
/// With the feature `tower`, take it from the request's extensions:
/// `request.extensions().get::<Nonce>()`, or `Extension<Nonce>` in axum.
#[derive(Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// A fresh one.
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        Self(BASE64_STANDARD.encode(bytes))
    }

    /// For the attribute `nonce`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not told: who knows it can run scripts.
impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce")
    }
}

/// A policy. What is not said here is allowed by browsers: begin with [`Policy::strict`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    rules: BTreeMap<Directive, Vec<String>>,
    nonces: Vec<Directive>,
    report_to: Option<String>,
    report_only: bool,
    upgrade_insecure_requests: bool,
}

impl Policy {
    /// Everything from this site, scripts and styles only with the nonce of the answer
    /// (`'strict-dynamic'`), no plug-ins, no frames, no other base, forms to this site.
    pub fn strict() -> Self {
        let own = || vec!["'self'".to_owned()];
        let none = || vec!["'none'".to_owned()];
        let rules = BTreeMap::from([
            (Directive::Default, own()),
            (Directive::Script, vec!["'strict-dynamic'".to_owned()]),
            (Directive::Style, own()),
            (Directive::Object, none()),
            (Directive::BaseUri, none()),
            (Directive::FormAction, own()),
            (Directive::FrameAncestors, none()),
        ]);
        let nonces = vec![Directive::Script, Directive::Style];
        Self { rules, nonces, report_to: None, report_only: false, upgrade_insecure_requests: true }
    }

    /// With more sources for a rule, beside those that it has.
    ///
    /// # Errors
    /// One of them is none.
    pub fn allow<T: Into<String>>(
        mut self,
        directive: Directive,
        sources: impl IntoIterator<Item = T>,
    ) -> Result<Self, SourceError> {
        let rule = self.rules.entry(directive).or_default();
        for source in sources {
            let source = checked(source.into())?;
            rule.retain(|known| known != "'none'" && *known != source);
            rule.push(source);
        }
        Ok(self)
    }

    /// With these sources instead of those that a rule has; none at all means `'none'`.
    ///
    /// # Errors
    /// One of them is none.
    pub fn set<T: Into<String>>(
        mut self,
        directive: Directive,
        sources: impl IntoIterator<Item = T>,
    ) -> Result<Self, SourceError> {
        self.rules.insert(directive, Vec::new());
        self.nonces.retain(|known| *known != directive);
        let mut policy = self.allow(directive, sources)?;
        let rule = policy.rules.entry(directive).or_default();
        if rule.is_empty() {
            rule.push("'none'".into());
        }
        Ok(policy)
    }

    /// Whether a rule takes the nonce of the answer.
    #[must_use]
    pub fn nonce(mut self, directive: Directive, taken: bool) -> Self {
        self.nonces.retain(|known| *known != directive);
        if taken {
            self.nonces.push(directive);
        }
        self
    }

    /// Where browsers report to: a path or an address.
    ///
    /// # Errors
    /// It cannot stand in a header.
    pub fn report_to(mut self, address: impl Into<String>) -> Result<Self, SourceError> {
        let address = checked(address.into())?;
        if address.contains('"') {
            return Err(SourceError { source_text: address });
        }
        self.report_to = Some(address);
        Ok(self)
    }

    /// Whether breaches are only reported: for trying a policy out.
    #[must_use]
    pub fn report_only(mut self, only: bool) -> Self {
        self.report_only = only;
        self
    }

    /// Whether browsers load over TLS what the page names without. Leave it out in development.
    #[must_use]
    pub fn upgrade_insecure_requests(mut self, upgrade: bool) -> Self {
        self.upgrade_insecure_requests = upgrade;
        self
    }

    /// The headers of one answer: the policy, and where to report.
    pub fn headers(&self, nonce: &Nonce) -> Vec<(&'static str, String)> {
        let mut rules: Vec<String> = self.rules.iter().map(|rule| self.rule(rule, nonce)).collect();
        if self.upgrade_insecure_requests && !self.report_only {
            rules.push("upgrade-insecure-requests".into());
        }
        if let Some(address) = &self.report_to {
            // Browsers that know the second ignore the first.
            rules.push(format!("report-uri {address}"));
            rules.push("report-to csp".into());
        }
        let name = match self.report_only {
            true => "content-security-policy-report-only",
            false => "content-security-policy",
        };
        let mut headers = vec![(name, rules.join("; "))];
        if let Some(address) = &self.report_to {
            headers.push(("reporting-endpoints", format!("csp=\"{address}\"")));
        }
        headers
    }

    fn rule(&self, (directive, sources): (&Directive, &Vec<String>), nonce: &Nonce) -> String {
        let mut rule = directive.name().to_owned();
        if self.nonces.contains(directive) {
            rule.push_str(&format!(" 'nonce-{nonce}'"));
        }
        for source in sources.iter().filter(|it| !(self.nonces.contains(directive) && *it == "'none'")) {
            rule.push(' ');
            rule.push_str(source);
        }
        rule
    }

    /// What an attacker could still do, in sentences; empty for a good policy.
    pub fn weaknesses(&self) -> Vec<String> {
        let mut found = Vec::new();
        // These do not fall back to `default-src`.
        for directive in [Directive::BaseUri, Directive::FormAction, Directive::FrameAncestors] {
            if !self.rules.contains_key(&directive) {
                found.push(format!("there is no `{}`, which has no default", directive.name()));
            }
        }
        let fallback = |directive| self.rules.get(&directive).or_else(|| self.rules.get(&Directive::Default));
        for directive in [Directive::Script, Directive::Object] {
            match fallback(directive) {
                None => found.push(format!("there is neither `{}` nor `default-src`", directive.name())),
                Some(sources) => found.extend(self.weak_sources(directive, sources)),
            }
        }
        found
    }

    fn weak_sources(&self, directive: Directive, sources: &[String]) -> Vec<String> {
        let strict = sources.iter().any(|source| source == "'strict-dynamic'");
        let has_nonce = self.nonces.contains(&directive);
        // Browsers ignore these beside a nonce or `'strict-dynamic'`.
        let inline = |it: &str| it == "'unsafe-inline'" && !has_nonce;
        let broad = |it: &str| !strict && ["*", "http:", "https:", "data:", "blob:"].contains(&it);
        let weak = |it: &&String| *it == "'unsafe-eval'" || inline(it) || broad(it);
        sources.iter().filter(weak).map(|it| format!("`{}` allows {it}", directive.name())).collect()
    }
}

fn checked(source: String) -> Result<String, SourceError> {
    let fits = source.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';' && byte != b',');
    if fits && !source.is_empty() { Ok(source) } else { Err(SourceError { source_text: source }) }
}
