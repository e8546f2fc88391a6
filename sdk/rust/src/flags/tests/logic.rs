//! JSONLogic, case by case; the expectations are those of jsonlogic.com's page of operations.

use serde_json::json;

use super::{choose, holds};
use crate::flags::Context;

#[test]
fn conditions_are_as_in_jsonlogic() {
    let context = Context::from(
        json!({ "age": 30, "name": "ann", "pie": { "filling": "apple" }, "list": [1, 2, 3], "empty": "" })
            .as_object()
            .unwrap()
            .clone(),
    );
    let cases = [
        (json!({"==": [1, "1"]}), true),
        (json!({"===": [1, "1"]}), false),
        (json!({"===": [1, 1.0]}), true),
        (json!({"!=": [1, "1"]}), false),
        (json!({"!==": [1, "1"]}), true),
        (json!({"==": [null, false]}), false),
        (json!({"==": [0, false]}), true),
        (json!({"!": [[]]}), true),
        (json!({"!!": ["0"]}), true),
        (json!({"!!": [[]]}), false),
        (json!({"!": true}), false),
        (json!({"<": [1, {"var": "age"}, 65]}), true),
        (json!({"<": [1, 1, 65]}), false),
        (json!({"<=": [1, 1, 65]}), true),
        (json!({">": ["b", "a"]}), true),
        (json!({">": [2, "x"]}), false),
        (json!({"in": ["Spring", "Springfield"]}), true),
        (json!({"in": ["ann", ["bob", "ann"]]}), true),
        (json!({"in": [{"var": "nobody"}, ["bob", "ann"]]}), false),
        (json!({"==": [{"var": "pie.filling"}, "apple"]}), true),
        (json!({"==": [{"var": ["nothing", 26]}, 26]}), true),
        (json!({"==": [{"var": "list.1"}, 2]}), true),
        (json!({"and": [true, {"or": [false, {"==": [{"var": "name"}, "ann"]}]}]}), true),
        (json!({"and": []}), false),
        (json!({"==": [{"%": [101, 2]}, 1]}), true),
        (json!({"==": [{"+": ["3.5", 1]}, 4.5]}), true),
        (json!({"==": [{"-": [2]}, -2]}), true),
        (json!({"==": [{"*": [2, 3, 4]}, 24]}), true),
        (json!({"==": [{"/": [1, 0]}, null]}), true),
        (json!({"==": [{"max": [1, 7, 3]}, 7]}), true),
        (json!({"==": [{"min": [4, 2]}, 2]}), true),
        (json!({"===": [{"cat": ["I ", {"var": "age"}, "!"]}, "I 30!"]}), true),
        (json!({"===": [{"substr": ["jsonlogic", 4]}, "logic"]}), true),
        (json!({"===": [{"substr": ["jsonlogic", -5]}, "logic"]}), true),
        (json!({"===": [{"substr": ["jsonlogic", 1, 3]}, "son"]}), true),
        (json!({"===": [{"substr": ["jsonlogic", 4, -2]}, "log"]}), true),
        (json!({"===": [{"substr": ["größe", 2, 2]}, "öß"]}), true),
        (json!({"===": [{"missing": ["age", "shoe"]}, ["shoe"]]}), true),
        (json!({"===": [{"missing": ["empty"]}, ["empty"]]}), true),
        (json!({"===": [{"missing_some": [1, ["age", "shoe"]]}, []]}), true),
        (json!({"===": [{"missing_some": [2, ["age", "shoe"]]}, ["shoe"]]}), true),
        (json!({"===": [{"merge": [[1, 2], 3]}, [1, 2, 3]]}), true),
        (json!({"===": [{"map": [{"var": "list"}, {"*": [{"var": ""}, 2]}]}, [2, 4, 6]]}), true),
        (json!({"===": [{"filter": [{"var": "list"}, {">": [{"var": ""}, 1]}]}, [2, 3]]}), true),
        (
            json!({"==": [{"reduce": [{"var": "list"}, {"+": [{"var": "current"}, {"var": "accumulator"}]}, 0]}, 6]}),
            true,
        ),
        (json!({"all": [{"var": "list"}, {">": [{"var": ""}, 0]}]}), true),
        (json!({"all": [[], {">": [{"var": ""}, 0]}]}), false),
        (json!({"none": [{"var": "list"}, {">": [{"var": ""}, 3]}]}), true),
        (json!({"some": [{"var": "list"}, {">": [{"var": ""}, 2]}]}), true),
        (json!({"some": [{"var": "nobody"}, true]}), false),
    ];
    for (condition, expected) in cases {
        assert_eq!(holds(condition.clone(), &context), expected, "{condition}");
    }
}

#[test]
fn a_chain_of_conditions_takes_the_first_that_holds() {
    let rule = json!({"if": [{"<": [{"var": "t"}, 0]}, "red", {"<": [{"var": "t"}, 100]}, "green", "blue"]});
    for (t, expected) in [(-1, "red"), (55, "green"), (200, "blue")] {
        assert_eq!(choose(rule.clone(), &Context::new().with("t", t)).unwrap(), expected);
    }
    assert_eq!(choose(json!({"?:": [true, "a", "b"]}), &Context::new()).unwrap(), "a");
    // Nothing holds and nothing else is there: the flag has no default, so no variant.
    assert_eq!(choose(json!({"if": [false, "a"]}), &Context::new()), None);
}

#[test]
fn a_rule_that_takes_too_long_is_an_error() {
    let list: Vec<u32> = (0..400).collect();
    let context = Context::new().with("list", list);
    let inner = json!({"all": [{"var": ""}, true]});
    let rule = json!({"if": [
        {"map": [{"merge": [{"var": "list"}]}, {"reduce": [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], {"map": [
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20], inner]}, 0]}]},
        "a", "b"]});
    let flag = json!({"flags": {"f": {"state": "ENABLED", "variants": {"a": 1, "b": 2},
        "defaultVariant": "a", "targeting": rule}}});
    let set = crate::flags::FlagSet::parse(&flag.to_string()).unwrap();
    let details = set.evaluate("f", &context, 0);
    assert_eq!(details.error.unwrap().message, "the rule of `f` takes too long");
}
