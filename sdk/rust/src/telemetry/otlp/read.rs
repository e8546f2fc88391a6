//! The other way: spans from a request that was encoded here, for exporters that speak something
//! else. It reads what we write, not whatever may come from elsewhere.

use std::borrow::Cow;
#[cfg(feature = "grpc")]
use std::time::Duration;

use super::spans::{Span, SpanEvent, SpanKind, SpanLink, Status};
use super::value::{KeyValue, Resource, Scope, Value};

/// The spans of an `ExportTraceServiceRequest`, with who made them; none when it is no such request.
pub fn decode_spans(request: &[u8]) -> Option<Vec<(Resource, Scope, Vec<Span>)>> {
    let mut all = Vec::new();
    for (_, group) in messages(request, 1)? {
        let mut resource = Resource::default();
        for (_, part) in messages(group, 1)? {
            resource.attributes = attributes(part, 1)?;
        }
        for (_, scoped) in messages(group, 2)? {
            let mut scope = Scope::default();
            for (_, part) in messages(scoped, 1)? {
                scope = Scope { name: text(part, 1)?.into(), version: text(part, 2)?.into() };
            }
            let spans = messages(scoped, 2)?.into_iter().map(|(_, it)| span(it)).collect::<Option<_>>()?;
            all.push((resource.clone(), scope, spans));
        }
    }
    Some(all)
}

/// A field as it is on the wire.
pub(crate) enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// All fields of a message, in their order.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, Field<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (number, field, _) = next_field(&mut bytes)?;
        fields.push((number, field));
    }
    Some(fields)
}

/// The next field of a message, with all the bytes that it takes; none at the end.
pub(crate) fn next_field<'a>(bytes: &mut &'a [u8]) -> Option<(u32, Field<'a>, &'a [u8])> {
    let before = *bytes;
    let tag = varint(bytes)?;
    let field = match tag & 7 {
        0 => Field::Number(varint(bytes)?),
        1 => Field::Number(u64::from_le_bytes(*take(bytes, 8)?.first_chunk()?)),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Field::Bytes(take(bytes, length)?)
        }
        5 => Field::Number(u32::from_le_bytes(*take(bytes, 4)?.first_chunk()?).into()),
        _ => return None,
    };
    Some((u32::try_from(tag >> 3).ok()?, field, &before[..before.len() - bytes.len()]))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * shift);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The fields of this number that are messages, texts or bytes.
fn messages(bytes: &[u8], number: u32) -> Option<Vec<(u32, &[u8])>> {
    let all = fields(bytes)?.into_iter();
    Some(
        all.filter_map(|(it, field)| match field {
            Field::Bytes(bytes) if it == number => Some((it, bytes)),
            _ => None,
        })
        .collect(),
    )
}

fn text(bytes: &[u8], number: u32) -> Option<String> {
    let last = messages(bytes, number)?.pop().map_or(&[][..], |(_, text)| text);
    String::from_utf8(last.to_vec()).ok()
}

fn attributes(bytes: &[u8], number: u32) -> Option<Vec<KeyValue>> {
    messages(bytes, number)?.into_iter().map(|(_, entry)| key_value(entry)).collect()
}

fn key_value(bytes: &[u8]) -> Option<KeyValue> {
    let (_, content) = messages(bytes, 2)?.pop()?;
    Some(KeyValue { key: text(bytes, 1)?.into(), value: value(content)? })
}

/// The value that the fields of an `AnyValue` are.
pub(crate) fn value(bytes: &[u8]) -> Option<Value> {
    Some(match fields(bytes)?.pop()? {
        (1, Field::Bytes(text)) => Value::Text(String::from_utf8(text.to_vec()).ok()?.into()),
        (2, Field::Number(number)) => Value::Bool(number != 0),
        (3, Field::Number(number)) => Value::Int(number.cast_signed()),
        (4, Field::Number(bits)) => Value::Double(f64::from_bits(bits)),
        (5, Field::Bytes(list)) => {
            Value::List(messages(list, 1)?.into_iter().map(|(_, it)| value(it)).collect::<Option<_>>()?)
        }
        (6, Field::Bytes(map)) => Value::Map(attributes(map, 1)?),
        (7, Field::Bytes(bytes)) => Value::Bytes(bytes.to_vec()),
        _ => return None,
    })
}

fn span(bytes: &[u8]) -> Option<Span> {
    let mut span = Span {
        trace_id: [0; 16],
        span_id: [0; 8],
        parent_span_id: None,
        name: Cow::Borrowed(""),
        kind: SpanKind::Internal,
        start_time_unix_nano: 0,
        end_time_unix_nano: 0,
        attributes: attributes(bytes, 9)?,
        events: messages(bytes, 11)?.into_iter().map(|(_, it)| event(it)).collect::<Option<_>>()?,
        links: messages(bytes, 13)?.into_iter().map(|(_, it)| link(it)).collect::<Option<_>>()?,
        status: Status::Unset,
    };
    for field in fields(bytes)? {
        match field {
            (1, Field::Bytes(id)) => span.trace_id = id.try_into().ok()?,
            (2, Field::Bytes(id)) => span.span_id = id.try_into().ok()?,
            (4, Field::Bytes(id)) => span.parent_span_id = Some(id.try_into().ok()?),
            (5, Field::Bytes(name)) => span.name = String::from_utf8(name.to_vec()).ok()?.into(),
            (6, Field::Number(kind)) => span.kind = span_kind(kind),
            (7, Field::Number(time)) => span.start_time_unix_nano = time,
            (8, Field::Number(time)) => span.end_time_unix_nano = time,
            (15, Field::Bytes(it)) => span.status = status(it)?,
            _ => {}
        }
    }
    Some(span)
}

const fn span_kind(number: u64) -> SpanKind {
    match number {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}

fn status(bytes: &[u8]) -> Option<Status> {
    let code = fields(bytes)?.into_iter().find_map(|field| match field {
        (3, Field::Number(code)) => Some(code),
        _ => None,
    });
    Some(match code {
        Some(1) => Status::Ok,
        Some(2) => Status::Error(text(bytes, 2)?.into()),
        _ => Status::Unset,
    })
}

fn event(bytes: &[u8]) -> Option<SpanEvent> {
    let time = fields(bytes)?.into_iter().find_map(|field| match field {
        (1, Field::Number(time)) => Some(time),
        _ => None,
    });
    let attributes = attributes(bytes, 3)?;
    Some(SpanEvent { time_unix_nano: time.unwrap_or(0), name: text(bytes, 2)?.into(), attributes })
}

fn link(bytes: &[u8]) -> Option<SpanLink> {
    let id = |number| messages(bytes, number)?.pop().map(|(_, id)| id);
    let (trace_id, span_id) = (id(1)?.try_into().ok()?, id(2)?.try_into().ok()?);
    Some(SpanLink { trace_id, span_id, attributes: attributes(bytes, 4)? })
}

/// The last number of a field; 0, the default, when it is not there.
#[cfg(feature = "http")]
fn number(bytes: &[u8], field: u32) -> Option<u64> {
    let mut numbers = fields(bytes)?.into_iter().filter_map(|it| match it {
        (own, Field::Number(number)) if own == field => Some(number),
        _ => None,
    });
    Some(numbers.next_back().unwrap_or(0))
}

/// How many records a receiver refused while it took the others, and why: the `partial_success` of an
/// answer, which is the same for all signals.
#[cfg(feature = "http")]
pub(crate) fn rejected(response: &[u8]) -> Option<(u64, String)> {
    let (_, partial) = messages(response, 1)?.pop()?;
    Some((number(partial, 1)?, text(partial, 2)?))
}

/// When to come again: the `RetryInfo` among the details of a `google.rpc.Status`.
#[cfg(feature = "grpc")]
pub(crate) fn retry_delay(status: &[u8]) -> Option<Duration> {
    // A message of which everything is at its default is not even written.
    let last = |bytes, field| Some(messages(bytes, field)?.pop().map_or(&[][..], |(_, message)| message));
    messages(status, 3)?.into_iter().find_map(|(_, detail)| {
        let delay = last(last(detail, 2)?, 1)?;
        let seconds = Duration::from_secs(number(delay, 1)?);
        let delay = seconds.checked_add(Duration::from_nanos(number(delay, 2)?))?;
        text(detail, 1)?.ends_with("/google.rpc.RetryInfo").then_some(delay)
    })
}
