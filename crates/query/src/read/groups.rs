use std::collections::{BTreeMap, HashMap};

use super::metrics::SeriesOf;

/// Names and values, sorted by name.
pub(super) type Labels = Vec<(String, String)>;

/// Which series make up which line.
pub(super) struct Groups {
    pub(super) labels: Vec<Labels>,
    /// Line by series id.
    pub(super) lines: HashMap<String, usize>,
    /// Of all lines, also those beyond the limit.
    pub(super) total: usize,
}

impl Groups {
    pub(super) fn of(series: Vec<SeriesOf>, by: &[String], limit: usize) -> Self {
        let mut groups: BTreeMap<(Labels, Option<String>), Vec<String>> = BTreeMap::new();
        let telling = if by.is_empty() { telling_keys(&series) } else { Vec::new() };
        for series in series {
            let (labels, own) = if by.is_empty() {
                (own_labels(&series, &telling), Some(series.id.clone()))
            } else {
                (labels_of(&series, by), None)
            };
            groups.entry((labels, own)).or_default().push(series.id);
        }
        let total = groups.len();
        let (mut labels, mut lines) = (Vec::new(), HashMap::new());
        for (line, ((of_group, _), ids)) in groups.into_iter().take(limit).enumerate() {
            labels.push(of_group);
            lines.extend(ids.into_iter().map(|id| (id, line)));
        }
        Self { labels, lines, total }
    }
}

fn labels_of(series: &SeriesOf, keys: &[String]) -> Labels {
    let mut labels: Labels =
        keys.iter().filter_map(|key| Some((key.clone(), series.label(key)?.to_owned()))).collect();
    labels.sort();
    labels.dedup();
    labels
}

/// All attributes, and those of the resource that are not the same for all series.
fn own_labels(series: &SeriesOf, telling: &[String]) -> Labels {
    let mut keys: Vec<String> = series.attributes.iter().map(|(key, _)| key.clone()).collect();
    keys.extend(telling.iter().cloned());
    labels_of(series, &keys)
}

fn telling_keys(series: &[SeriesOf]) -> Vec<String> {
    let mut values: BTreeMap<&str, (Option<&str>, usize, bool)> = BTreeMap::new();
    for (key, value) in series.iter().flat_map(|series| &series.resource_attributes) {
        let known = values.entry(key).or_insert((value.as_deref(), 0, false));
        known.1 += 1;
        known.2 |= known.0 != value.as_deref();
    }
    let tells = |(_, count, differs): &(Option<&str>, usize, bool)| *differs || *count < series.len();
    values.into_iter().filter(|(_, known)| tells(known)).map(|(key, _)| key.to_owned()).collect()
}
