#![allow(clippy::unwrap_used)]

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use super::*;
use crate::proto::Reader;

fn key(attributes: &mut Attributes, key: &str, value: Option<&str>) {
    attributes.key(Reader::new(key.as_bytes()));
    let write = |out: &mut Vec<u8>| {
        out.extend_from_slice(value.unwrap_or_default().as_bytes());
        Ok::<_, NotUtf8>(value.is_some())
    };
    attributes.values.push_with(write).unwrap();
}

fn rows(attributes: &mut Attributes) -> Vec<Vec<(String, Option<String>)>> {
    attributes.settle();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let row = |row| attributes.row(row).map(|(key, value)| (text(key), value.map(text))).collect();
    (0..attributes.rows()).map(row).collect()
}

fn entry(key: &str, value: Option<&str>) -> (String, Option<String>) {
    (key.into(), value.map(str::to_owned))
}

#[test]
fn rows_with_the_same_keys_with_fewer_and_with_others() {
    let mut attributes = Attributes::default();
    let keys = ["a", "longer.than.eight", "exactly8", "k".repeat(40).leak()];
    for (count, last) in
        [(4, None), (4, None), (2, None), (4, None), (3, Some("other")), (3, Some("other")), (0, None)]
    {
        keys[..count].iter().chain(last.iter()).for_each(|name| key(&mut attributes, name, Some("v")));
        assert_eq!(attributes.end_row(), count + usize::from(last.is_some()));
    }
    let row = |count: usize, last: Option<&str>| -> Vec<_> {
        keys[..count].iter().copied().chain(last).map(|key| entry(key, Some("v"))).collect()
    };
    let expected = [
        row(4, None),
        row(4, None),
        row(2, None),
        row(4, None),
        row(3, Some("other")),
        row(3, Some("other")),
        vec![],
    ];
    assert_eq!(rows(&mut attributes), expected);
    let array = attributes.finish().unwrap();
    assert_eq!((array.len(), array.as_map().entries().len()), (7, 22));
}

#[test]
fn an_abandoned_row_leaves_no_trace() {
    let mut attributes = Attributes::default();
    key(&mut attributes, "a", Some("1"));
    attributes.end_row();
    for name in ["a", "b"] {
        key(&mut attributes, name, None);
        attributes.truncate(1);
    }
    key(&mut attributes, "a", Some("2"));
    key(&mut attributes, "a", Some("3"));
    attributes.end_row();
    attributes.truncate(2);
    assert_eq!(rows(&mut attributes), [vec![entry("a", Some("1"))], vec![entry("a", Some("3"))]]);
}

#[test]
fn rows_in_the_order_of_their_keys() {
    let mut attributes = Attributes::default();
    for name in ["c", "a", "b", "a"] {
        let value = if name == "b" { None } else { Some(name) };
        key(&mut attributes, name, value);
    }
    assert_eq!(attributes.end_row_sorted(), 4);
    for name in ["a", "b", "c"] {
        key(&mut attributes, name, Some("v"));
    }
    attributes.end_row_sorted();
    let expected = [
        vec![entry("a", Some("a")), entry("b", None), entry("c", Some("c"))],
        ["a", "b", "c"].map(|name| entry(name, Some("v"))).to_vec(),
    ];
    assert_eq!(rows(&mut attributes), expected);
    let mut copy = Attributes::default();
    copy.copy_rows(&attributes, 1..2);
    copy.copy_rows(&attributes, 0..1);
    assert_eq!(rows(&mut copy), [expected[1].clone(), expected[0].clone()]);
}

#[test]
fn text_is_checked_row_by_row_or_all_at_once() {
    let text = |rows: &[&[u8]]| {
        let mut text = Text::default();
        rows.iter().for_each(|row| text.push_bytes(row));
        text
    };
    assert!(text(&[b"plain", "ü".as_bytes(), b"", "→".as_bytes()]).finish().is_ok());
    assert!(text(&[b"\xc3", b"\xbc"]).finish().is_err(), "one character in two rows");
    assert!(text(&[b"a", b"\xff"]).finish().is_err());
    let mut rows = text(&[b"a"]);
    assert!(rows.check_tail().is_ok());
    rows.push_bytes(b"\xc3");
    assert!(rows.check_tail().is_err());
    rows.truncate(1);
    rows.push_bytes(b"b");
    assert!(rows.check_tail().is_ok() && rows.finish().is_ok());
}

#[test]
fn columns_that_are_mostly_null_or_not_at_all() {
    let mut sparse = Sparse::<Int64Type>::default();
    for row in 0..10 {
        sparse.set(row, (row % 4 == 3).then_some(7));
    }
    sparse.truncate(7);
    let array = sparse.finish(7);
    assert_eq!(
        array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(),
        [None, None, None, Some(7), None, None, None]
    );
    assert_eq!(Sparse::<Int64Type>::default().finish(3).null_count(), 3);
    let mut nullable = Nullable::<Int64Type>::default();
    [Some(1), Some(2), None, Some(3)].into_iter().for_each(|value| nullable.push(value));
    nullable.truncate(3);
    nullable.push(Some(4));
    assert_eq!(
        nullable.finish().as_primitive::<Int64Type>().iter().collect::<Vec<_>>(),
        [Some(1), Some(2), None, Some(4)]
    );
    let mut ids = OptionalIds::<8>::default();
    [Some(&[1; 8]), None, Some(&[2; 8]), Some(&[3; 8])].into_iter().for_each(|id| ids.push(id));
    ids.truncate(3);
    let array = ids.finish();
    assert_eq!(
        array.as_binary::<i32>().iter().collect::<Vec<_>>(),
        [Some(&[1; 8][..]), None, Some(&[2; 8][..])]
    );
}

#[test]
fn rows_that_are_filled_or_repeated_are_those_that_are_pushed_one_by_one() {
    let body = "first, and second that is longer than a block of bytes; and what comes behind it".as_bytes();
    for (text, rows) in [(0, 3), (5, 1), (5, 40), (32, 7), (33, 7), (body.len(), 3), (5, 0)] {
        let text = Reader::start(body, text);
        let (mut filled, mut pushed) = (Text::default(), Text::default());
        [&mut filled, &mut pushed].into_iter().for_each(|column| column.push_bytes(b"before"));
        filled.fill(text, rows + 1);
        (0..rows).for_each(|_| pushed.push(text));
        let (mut repeated, mut extended) = (Text::default(), Text::default());
        [&mut repeated, &mut extended].into_iter().for_each(|column| column.push_bytes(b"before"));
        repeated.repeat(&pushed, rows);
        (0..rows).for_each(|_| extended.extend(&pushed, 0..pushed.len()));
        for (found, expected) in [(filled, pushed), (repeated, extended)] {
            assert_eq!(found.finish().unwrap().as_ref(), expected.finish().unwrap().as_ref());
        }
    }
}

#[test]
fn filling_optional_text_fills_validity() {
    let mut column = OptionalText::default();
    let text = Some(Reader::start(b"delta", 5));
    for (text, rows) in [(text, 2), (None, 2), (None, 5), (text, 6), (None, 6), (None, 7)] {
        column.fill(text, rows);
    }
    let array = column.finish().unwrap();
    let found: Vec<_> = array.as_string::<i32>().iter().collect();
    let delta = Some("delta");
    assert_eq!(found, [delta, delta, None, None, None, delta, None]);
}

#[test]
fn zero_is_none_in_a_column_without_zeros() {
    let mut column = NonZero::<Int64Type>::default();
    [3, 0, -1, 0].into_iter().for_each(|value| column.push(value));
    column.truncate(3);
    let array = column.finish();
    assert_eq!(array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(3), None, Some(-1)]);
}
