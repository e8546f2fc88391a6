//! A query on as many lines as it takes, 100 columns each.

use std::fmt::{self, Write};

use super::line::{Head, Operator, Suffix};
use crate::ast::{Expr, ExprKind};

const COLUMNS_MAX: usize = 100;

/// As Prometheus' `format_query`: what fits stays on its line, everything else is broken up and
/// indented by two spaces a level.
pub fn format_query(expr: &Expr) -> String {
    let mut out = String::new();
    write(expr, 0, &mut out).expect("a string takes everything");
    out
}

fn write(expr: &Expr, level: usize, out: &mut String) -> fmt::Result {
    match &expr.kind {
        ExprKind::Number { .. } | ExprKind::String(_) | ExprKind::Vector(_) | ExprKind::Matrix(_) => {
            write!(indented(level, out), "{expr}")
        }
        ExprKind::Unary { op, expr } => {
            indented(level, out).write_str(op.as_str())?;
            let sign_end = out.len();
            write(expr, level, out)?;
            // The sign has the indentation already.
            let spaces = out[sign_end..].len() - out[sign_end..].trim_start().len();
            out.replace_range(sign_end..sign_end + spaces, "");
            Ok(())
        }
        // Without indentation, as in Prometheus.
        ExprKind::Subquery(_) if fits(expr) => write!(out, "{expr}"),
        ExprKind::Subquery(subquery) => {
            write(&subquery.expr, level, out)?;
            write!(out, "{}", Suffix(subquery))
        }
        _ if fits(expr) => write!(indented(level, out), "{expr}"),
        ExprKind::Call(call) => {
            writeln!(indented(level, out), "{}(", call.function.name)?;
            for (at, arg) in call.args.iter().enumerate() {
                out.write_str(if at == 0 { "" } else { ",\n" })?;
                write(arg, level + 1, out)?;
            }
            close(level, out)
        }
        ExprKind::Aggregate(aggregate) => {
            writeln!(indented(level, out), "{}(", Head(aggregate))?;
            if let Some(parameter) = &aggregate.param {
                write(parameter, level + 1, out)?;
                out.write_str(",\n")?;
            }
            write(&aggregate.expr, level + 1, out)?;
            close(level, out)
        }
        ExprKind::Binary(binary) => {
            write(&binary.left, level + 1, out)?;
            out.push('\n');
            writeln!(indented(level, out), "{}", Operator(binary))?;
            write(&binary.right, level + 1, out)
        }
        ExprKind::Paren(inner) => {
            indented(level, out).write_str("(\n")?;
            write(inner, level + 1, out)?;
            close(level, out)
        }
    }
}

fn indented(level: usize, out: &mut String) -> &mut String {
    out.extend(std::iter::repeat_n("  ", level));
    out
}

fn close(level: usize, out: &mut String) -> fmt::Result {
    out.push('\n');
    indented(level, out).write_str(")")
}

/// On one line. Writing stops where the line is full, so that asking at every level stays cheap.
fn fits(expr: &Expr) -> bool {
    let mut columns = Columns { left: COLUMNS_MAX };
    write!(columns, "{expr}").is_ok()
}

struct Columns {
    left: usize,
}

impl Write for Columns {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}
