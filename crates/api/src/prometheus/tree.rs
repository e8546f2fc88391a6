//! A query's tree as `parse_query` shows it.

use promql::ast::{
    At, Binary, Call, Cardinality, DurationExpr, Expr, ExprKind, MatchOp, Matcher, Place, RangeMode,
    VectorMatching, VectorSelector,
};
use serde_json::{Map, Value, json};

/// The tree as JSON.
pub(super) fn json(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number { value, .. } => json!({"type": "numberLiteral", "val": number(*value)}),
        ExprKind::String(text) => json!({"type": "stringLiteral", "val": text}),
        ExprKind::Vector(vector) => Value::Object(selector("vectorSelector", vector)),
        ExprKind::Matrix(matrix) => {
            let mut node = selector("matrixSelector", &matrix.vector);
            node.insert("range".to_owned(), milliseconds(&matrix.range));
            Value::Object(node)
        }
        ExprKind::Subquery(subquery) => {
            let mut node = Map::new();
            node.insert("type".to_owned(), json!("subquery"));
            node.insert("expr".to_owned(), self::json(&subquery.expr));
            node.insert("range".to_owned(), milliseconds(&subquery.range));
            node.insert("step".to_owned(), subquery.step.as_ref().map_or(json!(0), milliseconds));
            place(&mut node, &subquery.place);
            Value::Object(node)
        }
        ExprKind::Call(call) => self::call(call),
        ExprKind::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.op.as_str(),
            "expr": self::json(&aggregate.expr),
            "param": aggregate.param.as_ref().map(self::json),
            "grouping": aggregate.grouping,
            "without": aggregate.without,
        }),
        ExprKind::Binary(binary) => self::binary(binary),
        ExprKind::Unary { op, expr } => {
            json!({"type": "unaryExpr", "op": op.as_str(), "expr": self::json(expr)})
        }
        ExprKind::Paren(inner) => json!({"type": "parenExpr", "expr": self::json(inner)}),
    }
}

fn call(call: &Call) -> Value {
    let args: Vec<_> = call.args.iter().map(json).collect();
    let types: Vec<_> = call.function.args.iter().map(|kind| kind.short_name()).collect();
    json!({
        "type": "call",
        "func": {
            "name": call.function.name,
            "argTypes": types,
            "variadic": call.function.variadic,
            "returnType": call.function.returns.short_name(),
        },
        "args": args,
    })
}

fn binary(binary: &Binary) -> Value {
    json!({
        "type": "binaryExpr",
        "op": binary.op.as_str(),
        "lhs": json(&binary.left),
        "rhs": json(&binary.right),
        "matching": binary.matching.as_ref().map(matching),
        "bool": binary.return_bool,
    })
}

fn matching(matching: &VectorMatching) -> Value {
    let card = match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    json!({
        "card": card,
        "labels": matching.labels,
        "on": matching.on,
        "include": matching.include,
        "fillValues": {"lhs": matching.fill_left.map(number), "rhs": matching.fill_right.map(number)},
    })
}

fn selector(kind: &str, vector: &VectorSelector) -> Map<String, Value> {
    let mut node = Map::new();
    node.insert("type".to_owned(), json!(kind));
    node.insert("name".to_owned(), json!(vector.name.as_deref().unwrap_or("")));
    node.insert("matchers".to_owned(), vector.matchers.iter().map(matcher).collect());
    node.insert("anchored".to_owned(), json!(vector.range_mode == Some(RangeMode::Anchored)));
    node.insert("smoothed".to_owned(), json!(vector.range_mode == Some(RangeMode::Smoothed)));
    place(&mut node, &vector.place);
    node
}

fn matcher(matcher: &Matcher) -> Value {
    let op = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    json!({"name": matcher.name, "value": matcher.value, "type": op})
}

fn place(node: &mut Map<String, Value>, place: &Place) {
    let (timestamp, edge) = match place.at {
        Some(At::Time(time)) => (json!(time), Value::Null),
        Some(At::Start) => (Value::Null, json!("start")),
        Some(At::End) => (Value::Null, json!("end")),
        None => (Value::Null, Value::Null),
    };
    node.insert("timestamp".to_owned(), timestamp);
    node.insert("startOrEnd".to_owned(), edge);
    node.insert("offset".to_owned(), place.offset.as_ref().map_or(json!(0), milliseconds));
}

/// What is known without a query's step and range; else 0.
fn milliseconds(duration: &DurationExpr) -> Value {
    json!(duration.resolve(0, 0).unwrap_or(0))
}

fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}
