use std::time::Duration;

/// How far a browser remembers that this site is only spoken to over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hsts {
    /// For how long.
    pub max_age: Duration,
    /// Whether hosts below this one are meant too.
    pub include_subdomains: bool,
    /// Whether it may be built into browsers. Hard to take back.
    pub preload: bool,
}

/// Who may show the page in a frame, for browsers that do not know `frame-ancestors`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrameOptions {
    /// Nobody.
    #[default]
    Deny,
    /// Pages of the same site.
    SameOrigin,
}

/// How much of the address a browser tells where a link leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferrerPolicy {
    /// Nothing.
    NoReferrer,
    /// All of it within the site, the site's name to others over TLS.
    #[default]
    StrictOriginWhenCrossOrigin,
    /// All of it within the site, nothing to others.
    SameOrigin,
}

/// Headers that every answer should have besides its policy ([`super::csp`]). The defaults are those
/// of OWASP's list for a page that embeds nothing of others.
///
/// ```
/// use fresnel_sdk::security::SecurityHeaders;
///
/// let pairs = SecurityHeaders::default().pairs();
/// assert!(pairs.contains(&("x-content-type-options", "nosniff".into())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityHeaders {
    /// `Strict-Transport-Security`; only sent over TLS, browsers ignore it elsewhere. None: not sent.
    pub hsts: Option<Hsts>,
    /// `X-Frame-Options`.
    pub frame_options: FrameOptions,
    /// `Referrer-Policy`.
    pub referrer_policy: ReferrerPolicy,
    /// Features of the browser that are switched off: names of `Permissions-Policy`.
    pub denied_features: Vec<&'static str>,
    /// `Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Resource-Policy: same-origin`.
    pub isolate: bool,
}

impl Default for SecurityHeaders {
    /// TLS for a year with everything below, no frames, no camera, microphone, place, payment, USB.
    fn default() -> Self {
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        Self {
            hsts: Some(Hsts { max_age: year, include_subdomains: true, preload: false }),
            frame_options: FrameOptions::Deny,
            referrer_policy: ReferrerPolicy::default(),
            denied_features: vec!["camera", "geolocation", "microphone", "payment", "usb"],
            isolate: true,
        }
    }
}

impl SecurityHeaders {
    /// Names in lower case, and values.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let frames = match self.frame_options {
            FrameOptions::Deny => "DENY",
            FrameOptions::SameOrigin => "SAMEORIGIN",
        };
        let referrer = match self.referrer_policy {
            ReferrerPolicy::NoReferrer => "no-referrer",
            ReferrerPolicy::StrictOriginWhenCrossOrigin => "strict-origin-when-cross-origin",
            ReferrerPolicy::SameOrigin => "same-origin",
        };
        let mut pairs = vec![
            ("x-content-type-options", "nosniff".to_owned()),
            ("x-frame-options", frames.to_owned()),
            ("referrer-policy", referrer.to_owned()),
            // The filter of old browsers can itself be attacked.
            ("x-xss-protection", "0".to_owned()),
        ];
        if let Some(hsts) = self.hsts {
            let mut value = format!("max-age={}", hsts.max_age.as_secs());
            value.push_str(if hsts.include_subdomains { "; includeSubDomains" } else { "" });
            value.push_str(if hsts.preload { "; preload" } else { "" });
            pairs.push(("strict-transport-security", value));
        }
        if !self.denied_features.is_empty() {
            let denied = self.denied_features.iter().map(|feature| format!("{feature}=()"));
            pairs.push(("permissions-policy", denied.collect::<Vec<_>>().join(", ")));
        }
        if self.isolate {
            pairs.push(("cross-origin-opener-policy", "same-origin".to_owned()));
            pairs.push(("cross-origin-resource-policy", "same-origin".to_owned()));
        }
        pairs
    }
}
