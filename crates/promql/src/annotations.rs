//! Remarks beside an answer: warnings (something may be wrong) and infos (something to know).
//!
//! Enters: what the evaluator notices, from any of its threads. Leaves: each text once, in the
//! order in which it was first noticed. Must hold: the texts are Prometheus' to the letter, for
//! people search for them.

mod remark;

use std::collections::HashMap;

pub(crate) use remark::{HistogramOperation, Monotonicity, Remark};

use crate::ast::Span;

/// One remark. The text is Prometheus', with its prefix (`PromQL warning: …`, `PromQL info: …`) and
/// without the position, which readers see as ` (line:column)` after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// What there is to say, prefix included.
    pub text: String,
    /// The part of the query that it is about; `None` where it is about no part in particular.
    pub span: Option<Span>,
}

/// Every remark once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Something may be wrong with the answer. In the order in which they were first noticed.
    pub warnings: Vec<Annotation>,
    /// Something to know; the answer may well be meant. In the same order.
    pub infos: Vec<Annotation>,
}

/// Remarks while a query runs. Two with the same text are one, whatever their positions; the later
/// position stays, as in Prometheus.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remarks {
    noticed: Vec<Noticed>,
    by_text: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Noticed {
    text: String,
    span: Span,
    monotonicity: Option<Monotonicity>,
}

impl Remarks {
    pub(crate) fn add(&mut self, remark: &Remark<'_>, span: Span) {
        self.merge_one(Noticed { text: remark.text(), span, monotonicity: remark.monotonicity() });
    }

    /// Takes over what another thread or node noticed after everything in here.
    pub(crate) fn merge(&mut self, other: Remarks) {
        if self.noticed.is_empty() {
            *self = other;
            return;
        }
        other.noticed.into_iter().for_each(|noticed| self.merge_one(noticed));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.noticed.is_empty()
    }

    fn merge_one(&mut self, new: Noticed) {
        match self.by_text.get(&new.text) {
            Some(&place) => {
                let known = &mut self.noticed[place];
                known.span = new.span;
                if let (Some(known), Some(new)) = (&mut known.monotonicity, new.monotonicity) {
                    known.merge(new);
                }
            }
            None => {
                self.by_text.insert(new.text.clone(), self.noticed.len());
                self.noticed.push(new);
            }
        }
    }

    pub(crate) fn finish(self) -> Annotations {
        let mut annotations = Annotations::default();
        for Noticed { mut text, span, monotonicity } in self.noticed {
            if let Some(monotonicity) = monotonicity {
                text.push_str(&monotonicity.text());
            }
            let list = if text.starts_with(remark::INFO) {
                &mut annotations.infos
            } else {
                &mut annotations.warnings
            };
            list.push(Annotation { text, span: Some(span) });
        }
        annotations
    }
}
