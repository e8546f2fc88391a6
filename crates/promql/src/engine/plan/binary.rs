//! Operators between a vector and something.

use super::build::{Builder, value_type};
use super::{Binary, Map, ScalarOperation, VectorPlan};
use crate::ast::{self, BinaryOp, ValueType};
use crate::engine::QueryError;

impl Builder<'_> {
    pub(super) fn binary(self, binary: &ast::Binary, span: ast::Span) -> Result<VectorPlan, QueryError> {
        let trims = matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower);
        // Trimming looks at buckets.
        let this = Self { statistics_only: self.statistics_only && !trims, ..self };
        let scalar = |expr| value_type(expr) == ValueType::Scalar;
        let (vector, scalar, swapped) = match (scalar(&binary.left), scalar(&binary.right)) {
            (false, false) => return this.vectors(binary, span),
            (true, _) => (&binary.right, &binary.left, true),
            (false, true) => (&binary.left, &binary.right, false),
        };
        let operation = ScalarOperation {
            op: binary.op,
            scalar: this.scalar(scalar)?,
            swapped,
            return_bool: binary.return_bool,
            span,
        };
        Ok(VectorPlan::Map { map: Map::Scalar(operation), input: Box::new(this.vector(vector)?) })
    }

    fn vectors(self, binary: &ast::Binary, span: ast::Span) -> Result<VectorPlan, QueryError> {
        let matching = binary.matching.clone().unwrap_or_default();
        if matching.fill_left.is_some() || matching.fill_right.is_some() {
            self.require_experimental("the fill modifiers are experimental")?;
        }
        Ok(VectorPlan::Binary(Box::new(Binary {
            op: binary.op,
            left: self.vector(&binary.left)?,
            right: self.vector(&binary.right)?,
            return_bool: binary.return_bool,
            matching,
            span,
        })))
    }
}
