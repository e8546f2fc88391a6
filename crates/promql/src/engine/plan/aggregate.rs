//! Aggregations.

use super::build::{Builder, unexpected};
use super::{Aggregate, AggregateParam, VectorPlan};
use crate::ast::{self, AggregateOp, Span};
use crate::engine::QueryError;

impl Builder<'_> {
    pub(super) fn aggregate(self, aggregate: &ast::Aggregate, span: Span) -> Result<VectorPlan, QueryError> {
        if matches!(aggregate.op, AggregateOp::Limitk | AggregateOp::LimitRatio) {
            self.require_experimental("limitk() and limit_ratio() are experimental")?;
        }
        let mut grouping: Vec<_> = aggregate.grouping.iter().map(|label| label.as_str().into()).collect();
        grouping.sort();
        grouping.dedup();
        let param = match (aggregate.op, &aggregate.param) {
            (AggregateOp::CountValues, Some(label)) => {
                let label = self.string(label)?;
                if label.is_empty() {
                    return Err(QueryError::Execution(format!("invalid label name \"{label}\"")));
                }
                Some(AggregateParam::Label(label))
            }
            (
                AggregateOp::Topk
                | AggregateOp::Bottomk
                | AggregateOp::Quantile
                | AggregateOp::Limitk
                | AggregateOp::LimitRatio,
                Some(param),
            ) => {
                let span = super::build::bare(param).span;
                Some(AggregateParam::Scalar { plan: self.scalar(param)?, span })
            }
            (
                AggregateOp::Topk
                | AggregateOp::Bottomk
                | AggregateOp::Quantile
                | AggregateOp::Limitk
                | AggregateOp::LimitRatio
                | AggregateOp::CountValues,
                None,
            ) => return Err(unexpected("the parameter of an aggregation")),
            _ => None,
        };
        Ok(VectorPlan::Aggregate(Box::new(Aggregate {
            op: aggregate.op,
            input: self.vector(&aggregate.expr)?,
            param,
            grouping,
            without: aggregate.without,
            input_span: super::build::bare(&aggregate.expr).span,
            span,
        })))
    }
}
