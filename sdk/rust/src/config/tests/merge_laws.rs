//! The laws of merging, on trees that nobody thought of.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::config::node::Node;
use crate::config::origin::Origin;
use crate::config::shape::{Kind, Shape, Table};

/// Tables of tables, as deep as anybody nests.
fn open() -> Shape {
    let entry = |inner| Shape {
        kind: Kind::Table(Table { fields: vec![], entries: Some(Box::new(inner)) }),
        ..Shape::default()
    };
    (0..5).fold(Shape::default(), |inner, _| entry(inner))
}

fn tree() -> impl Strategy<Value = Json> {
    let leaf =
        prop_oneof![any::<i8>().prop_map(Json::from), "[a-c]{0,2}".prop_map(Json::from), Just(json!([1, 2]))];
    let table = leaf.prop_recursive(3, 12, 3, |inner| {
        prop::collection::btree_map("[a-c]", inner, 0..3)
            .prop_map(|map| Json::Object(map.into_iter().collect()))
    });
    prop::collection::btree_map("[a-c]", table, 0..3).prop_map(|map| Json::Object(map.into_iter().collect()))
}

fn merged(layers: &[&Json]) -> Json {
    let mut tree = Node::table(Origin::Default);
    for layer in layers {
        tree.merge(Node::from_json((*layer).clone(), &Origin::Runtime), &open());
    }
    tree.to_json()
}

proptest! {
    #[test]
    fn merging_is_associative(a in tree(), b in tree(), c in tree()) {
        let left = merged(&[&merged(&[&a, &b]), &c]);
        // A leaf in `b` between two tables cuts `a` off, which the right grouping cannot know.
        prop_assume!(merged(&[&a, &merged(&[&b, &c])]) == left || cuts(&a, &b, &c));
        prop_assert_eq!(merged(&[&a, &b, &c]), left);
    }

    #[test]
    fn merging_the_same_twice_changes_nothing(a in tree(), b in tree()) {
        let once = merged(&[&a, &b]);
        prop_assert_eq!(merged(&[&a, &b, &b]), once.clone());
        prop_assert_eq!(merged(&[&json!({}), &once, &json!({})]), once);
    }

    #[test]
    fn what_the_last_layer_says_is_so(a in tree(), b in tree()) {
        let result = merged(&[&a, &b]);
        let mut open = vec![(&b, &result)];
        while let Some((said, is)) = open.pop() {
            match said {
                Json::Object(entries) => open.extend(entries.iter().map(|(key, value)| (value, &is[key]))),
                leaf => prop_assert_eq!(leaf, is),
            }
        }
    }
}

fn cuts(a: &Json, b: &Json, c: &Json) -> bool {
    match (a, b, c) {
        (Json::Object(a), Json::Object(b), Json::Object(c)) => a
            .iter()
            .any(|(key, a)| cuts(a, b.get(key).unwrap_or(&Json::Null), c.get(key).unwrap_or(&Json::Null))),
        (Json::Object(_), _, Json::Object(_)) => true,
        _ => false,
    }
}
