//! What of a stored series Prometheus sees: one or several series with labels.
//!
//! A series that came from Prometheus has its own labels. One of OpenTelemetry is translated as
//! Prometheus' OTLP guide says, and a histogram or summary is seen as several.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use promql::ast::{MatchOp, Matcher};
use promql::{Labels, METRIC_NAME};

use super::known::KnownSeries;
use super::names::{self, Shape};
use super::promoted::Promoted;
use super::series::Row;

/// Which of the series that a stored one is seen as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    /// All points of a series of Prometheus: numbers, native histograms, or both.
    Own,
    /// Numbers.
    Value,
    /// Native histograms.
    Native,
    /// Observations up to each bound, label `le`.
    Bucket,
    Sum,
    Count,
    /// Values at quantiles, label `quantile`.
    Quantile,
}

impl Part {
    fn suffix(self) -> &'static str {
        match self {
            Self::Own | Self::Value | Self::Native | Self::Quantile => "",
            Self::Bucket => "_bucket",
            Self::Sum => "_sum",
            Self::Count => "_count",
        }
    }

    /// The label that tells the series of this part apart.
    pub(super) fn own_label(self) -> Option<&'static str> {
        match self {
            Self::Bucket => Some("le"),
            Self::Quantile => Some("quantile"),
            _ => None,
        }
    }
}

/// What a name may be made of: the same, or one of which a part has this name.
pub(super) fn bases(name: &str) -> impl Iterator<Item = &str> {
    const ALL: [Part; 4] = [Part::Own, Part::Bucket, Part::Sum, Part::Count];
    ALL.iter().filter_map(|part| name.strip_suffix(part.suffix()))
}

fn parts(kind: &str) -> &'static [Part] {
    match kind {
        "histogram" => &[Part::Native, Part::Bucket, Part::Sum, Part::Count],
        "exponential_histogram" => &[Part::Native],
        "summary" => &[Part::Quantile, Part::Sum, Part::Count],
        super::metadata::METADATA => &[],
        _ => &[Part::Value],
    }
}

/// Matchers of a selector, those on the name apart.
pub(super) struct Matching<'a> {
    matchers: &'a [Matcher],
    /// The one name that fits, if a matcher says so.
    name: Option<&'a str>,
}

impl<'a> Matching<'a> {
    pub(super) fn new(matchers: &'a [Matcher]) -> Self {
        let name = matchers.iter().find(|matcher| {
            matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal && !matcher.value.is_empty()
        });
        Self { matchers, name: name.map(|matcher| matcher.value.as_str()) }
    }

    /// The one name that fits, where only one does.
    pub(super) fn name(&self) -> Option<&'a str> {
        self.name
    }

    /// Whether a series may be seen under a name that fits; also yes for some where none does.
    /// `translated` is the name that [`names::metric`] makes of the shape.
    pub(super) fn may_fit(&self, shape: Shape<'_>, translated: &str) -> bool {
        let bases = [translated, shape.name];
        let mut seen_as =
            bases.iter().flat_map(|base| parts(shape.kind).iter().map(move |part| (*base, part.suffix())));
        match self.name {
            Some(name) => {
                seen_as.any(|(base, suffix)| name.strip_prefix(base).is_some_and(|rest| rest == suffix))
            }
            None => seen_as.any(|(base, suffix)| self.name_fits(&format!("{base}{suffix}"))),
        }
    }

    /// Whether a name fits all matchers on names.
    pub(super) fn name_fits(&self, name: &str) -> bool {
        self.matchers.iter().filter(|matcher| matcher.name == METRIC_NAME).all(|matcher| fits(matcher, name))
    }

    /// Whether labels fit all matchers; one that is not known yet fits.
    pub(super) fn fit(&self, labels: &Labels, unknown: Option<&str>) -> bool {
        let known = |matcher: &&Matcher| Some(matcher.name.as_str()) != unknown;
        self.matchers.iter().filter(known).all(|matcher| fits(matcher, labels.get(&matcher.name)))
    }

    /// The name under which a part of a metric is seen, if it fits. Who asks for OpenTelemetry's own
    /// name gets it.
    fn name_of<'n>(&self, translated: &str, original: &'n str, part: Part) -> Option<Cow<'n, str>> {
        let name = format!("{translated}{}", part.suffix());
        if self.name_fits(&name) {
            return Some(name.into());
        }
        let asked = self.name?;
        let own = asked.strip_prefix(original).is_some_and(|rest| rest == part.suffix());
        (own && self.name_fits(asked)).then(|| asked.to_owned().into())
    }
}

fn fits(matcher: &Matcher, value: &str) -> bool {
    let found = || matcher.regex.as_ref().is_some_and(|regex| regex.is_match(value));
    match matcher.op {
        MatchOp::Equal => matcher.value == value,
        MatchOp::NotEqual => matcher.value != value,
        MatchOp::Regex => found(),
        MatchOp::NotRegex => !found(),
    }
}

/// Makes labels; texts that come again are shared.
#[derive(Default)]
pub(super) struct Translator {
    texts: HashMap<Box<str>, Arc<str>>,
    keys: HashMap<Box<str>, Arc<str>>,
}

impl Translator {
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = text.into();
        self.texts.insert(text.into(), Arc::clone(&shared));
        shared
    }

    fn key(&mut self, key: &str) -> Arc<str> {
        if let Some(known) = self.keys.get(key) {
            return Arc::clone(known);
        }
        let name: Arc<str> = names::label(key).into();
        self.keys.insert(key.into(), Arc::clone(&name));
        name
    }

    /// The labels of a series of Prometheus.
    pub(super) fn own(&mut self, row: &Row<'_>) -> Labels {
        let pairs = row.attributes.iter().filter(|(_, value)| !value.is_empty());
        let pairs: BTreeMap<_, _> = pairs.map(|(key, value)| (self.text(key), self.text(value))).collect();
        Labels::from_sorted(pairs)
    }

    /// Of another series, attributes of the points, those of its resource that are promoted, and what
    /// tells whose they are.
    pub(super) fn base(&mut self, row: &Row<'_>, promoted: &Promoted) -> Labels {
        let mut pairs = self.translated(row.attributes.iter());
        self.promote(row, promoted, &mut pairs);
        self.put_identity(row, &mut pairs);
        Labels::from_sorted(pairs)
    }

    /// The attributes of the points go before those of the resource. Of these the first one in the order
    /// of their names counts, where names become the same.
    fn promote(&mut self, row: &Row<'_>, promoted: &Promoted, pairs: &mut BTreeMap<Arc<str>, Arc<str>>) {
        if promoted.is_none() {
            return;
        }
        let wanted = |(key, value): &(&str, &str)| !value.is_empty() && promoted.has(key);
        let mut attributes: Vec<_> = row.resource.iter().filter(wanted).collect();
        attributes.sort_unstable();
        for (key, value) in attributes {
            let key = self.key(key);
            pairs.entry(key).or_insert_with(|| self.text(value));
        }
    }

    /// The series that a stored one is seen as, those that fit.
    pub(super) fn seen_as(
        &mut self,
        series: &KnownSeries,
        matching: &Matching<'_>,
        mut seen: impl FnMut(Labels, Part),
    ) {
        if series.own {
            if matching.fit(&series.labels, None) {
                seen(series.labels.clone(), Part::Own);
            }
            return;
        }
        let metric = &series.metric;
        for part in parts(&metric.kind) {
            let Some(name) = matching.name_of(&metric.translated, &metric.name, *part) else { continue };
            let mut pairs: BTreeMap<_, _> = series.labels.pairs().iter().cloned().collect();
            pairs.insert(self.text(METRIC_NAME), self.text(&name));
            if let Some(own) = part.own_label() {
                pairs.remove(own);
            }
            let labels = Labels::from_sorted(pairs);
            if matching.fit(&labels, part.own_label()) {
                seen(labels, *part);
            }
        }
    }

    /// `job` and `instance`.
    fn put_identity(&mut self, row: &Row<'_>, pairs: &mut BTreeMap<Arc<str>, Arc<str>>) {
        if let Some(service) = row.resource.get("service.name") {
            let job = match row.resource.get("service.namespace").filter(|namespace| !namespace.is_empty()) {
                Some(namespace) => format!("{namespace}/{service}"),
                None => service.to_owned(),
            };
            if !job.is_empty() {
                pairs.insert(self.text("job"), self.text(&job));
            }
        }
        if let Some(instance) = row.resource.get("service.instance.id").filter(|id| !id.is_empty()) {
            pairs.insert(self.text("instance"), self.text(instance));
        }
    }

    /// Labels of attributes. Values of those whose names become the same are joined.
    fn translated<'a>(
        &mut self,
        attributes: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> BTreeMap<Arc<str>, Arc<str>> {
        let mut sorted: Vec<_> = attributes.filter(|(_, value)| !value.is_empty()).collect();
        sorted.sort_unstable();
        let mut pairs = BTreeMap::new();
        for (key, value) in sorted {
            let key = self.key(key);
            let joined = pairs.get(&key).map(|known: &Arc<str>| format!("{known};{value}"));
            let value = joined.map_or_else(|| self.text(value), Into::into);
            pairs.insert(key, value);
        }
        pairs
    }

    /// The series that says what is known of a resource besides its identity; none where nothing is.
    pub(super) fn target_info(&mut self, row: &Row<'_>) -> Option<(Labels, (String, String))> {
        const IDENTITY: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];
        if row.attributes.get(METRIC_NAME).is_some() {
            return None;
        }
        let mut pairs = self.translated(row.resource.iter().filter(|(key, _)| !IDENTITY.contains(key)));
        if pairs.is_empty() {
            return None;
        }
        self.put_identity(row, &mut pairs);
        let own = |name: &str| pairs.get(name).map(|value| value.to_string()).unwrap_or_default();
        let identity = (own("job"), own("instance"));
        if identity.0.is_empty() && identity.1.is_empty() {
            return None;
        }
        pairs.insert(self.text(METRIC_NAME), self.text(TARGET_INFO));
        Some((Labels::from_sorted(pairs), identity))
    }
}

/// The metric whose labels are a resource's attributes.
pub(super) const TARGET_INFO: &str = "target_info";
