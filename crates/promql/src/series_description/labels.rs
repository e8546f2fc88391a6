//! `name{a="b", "a label"='c'}`.

use super::DescriptionError;
use super::cursor::Cursor;
use crate::labels::{Labels, LabelsBuilder, METRIC_NAME};

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Labels, DescriptionError> {
    let mut labels = LabelsBuilder::default();
    cursor.skip_space();
    let name = cursor.take_while(|next| next.is_ascii_alphanumeric() || next == '_' || next == ':');
    if !name.is_empty() {
        labels.set(METRIC_NAME, name);
    }
    if cursor.eat('{') {
        parse_pairs(cursor, &mut labels)?;
    } else if name.is_empty() {
        return Err(cursor.error("expected a metric's name or `{`"));
    }
    Ok(labels.build())
}

fn parse_pairs(cursor: &mut Cursor<'_>, labels: &mut LabelsBuilder) -> Result<(), DescriptionError> {
    loop {
        cursor.skip_space();
        if cursor.eat('}') {
            return Ok(());
        }
        let quoted = matches!(cursor.peek(), Some('"' | '\'' | '`'));
        let name = if quoted {
            cursor.quoted()?
        } else {
            cursor.take_while(|next| next.is_ascii_alphanumeric() || next == '_').to_owned()
        };
        if name.is_empty() {
            return Err(cursor.error("expected a label"));
        }
        cursor.skip_space();
        if cursor.eat('=') {
            cursor.skip_space();
            labels.set(&name, &cursor.quoted()?);
        } else if quoted {
            labels.set(METRIC_NAME, &name);
        } else {
            return Err(cursor.error("expected `=`"));
        }
        cursor.skip_space();
        if !cursor.eat(',') {
            return cursor.expect('}');
        }
    }
}
