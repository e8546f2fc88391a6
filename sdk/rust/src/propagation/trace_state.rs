use std::fmt;
use std::sync::Arc;

use super::Extractor;

/// What vendors keep for their traces: W3C's header `tracestate`, passed on as it came. Clones are
/// cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceState(Option<Arc<str>>);

/// Members of the list, as the recommendation has it.
const MEMBERS_MAX: usize = 32;
/// Longer ones are cut, largest members first; the recommendation asks for at least this.
const BYTES_MAX: usize = 512;

impl TraceState {
    pub(super) fn extract(headers: &(impl Extractor + ?Sized)) -> Self {
        Self::parse(&headers.all("tracestate").join(","))
    }

    /// Reads the header; all of it is left out when it is not well-formed.
    pub fn parse(header: &str) -> Self {
        let mut members: Vec<(&str, &str)> = Vec::new();
        for member in header.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            let Some((key, value)) =
                member.split_once('=').filter(|(key, value)| is_key(key) && is_value(value))
            else {
                return Self::default();
            };
            // A key must not be there twice.
            if members.iter().any(|(other, _)| *other == key) || members.len() >= MEMBERS_MAX {
                return Self::default();
            }
            members.push((key, value));
        }
        Self::join(members)
    }

    fn join(mut members: Vec<(&str, &str)>) -> Self {
        let size = |members: &[(&str, &str)]| {
            members.iter().map(|(key, value)| key.len() + value.len() + 2).sum::<usize>()
        };
        // As recommended: first members over 128 bytes go, then those at the end.
        while size(&members) > BYTES_MAX + 1 {
            match members.iter().rposition(|(key, value)| key.len() + value.len() + 1 > 128) {
                Some(large) => drop(members.remove(large)),
                None => drop(members.pop()),
            }
        }
        let text: Vec<_> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Self((!text.is_empty()).then(|| text.join(",").into()))
    }

    /// The value of a vendor.
    pub fn get(&self, key: &str) -> Option<&str> {
        let members = self.0.as_deref().unwrap_or_default().split(',');
        members.filter_map(|member| member.split_once('=')).find(|(other, _)| *other == key).map(|(_, it)| it)
    }

    /// With a member put first, over the one of the same key; unchanged when it is not well-formed.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Self {
        if !is_key(key) || !is_value(value) {
            return self.clone();
        }
        let old =
            self.0.as_deref().unwrap_or_default().split(',').filter_map(|member| member.split_once('='));
        let others = old.filter(|(other, _)| *other != key).take(MEMBERS_MAX - 1);
        Self::join([(key, value)].into_iter().chain(others).collect())
    }

    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// The header.
impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or_default())
    }
}

/// `simple-key`, or `tenant@system`, as level 1 of the recommendation has them.
fn is_key(key: &str) -> bool {
    let legal = |part: &str| {
        part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/".contains(&b))
    };
    let starts = |part: &str, digit: bool| {
        part.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || (digit && b.is_ascii_digit()))
    };
    match key.split_once('@') {
        None => starts(key, true) && key.len() <= 256 && legal(key),
        Some((tenant, system)) => {
            starts(tenant, true)
                && tenant.len() <= 241
                && legal(tenant)
                && starts(system, false)
                && system.len() <= 14
                && legal(system)
        }
    }
}

fn is_value(value: &str) -> bool {
    let legal = |b: u8| (b' '..=b'~').contains(&b) && b != b',' && b != b'=';
    !value.is_empty() && value.len() <= 256 && value.bytes().all(legal) && !value.ends_with(' ')
}
