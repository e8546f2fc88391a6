//! The shape of trees.

use super::parsed;
use crate::ast::{Cardinality, Expr, ExprKind, ValueType, VectorMatching};

/// The tree with the operator first; selectors as they are printed.
fn check(query: &str, expected: &str) {
    assert_eq!(shape(&parsed(query)), expected, "{query}");
}

fn shape(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Unary { op, expr } => format!("({} {})", op.as_str(), shape(expr)),
        ExprKind::Binary(binary) => {
            format!("({} {} {})", binary.op.as_str(), shape(&binary.left), shape(&binary.right))
        }
        ExprKind::Paren(inner) => format!("<{}>", shape(inner)),
        ExprKind::Call(call) => {
            let args: Vec<String> = call.args.iter().map(shape).collect();
            format!("{}[{}]", call.function.name, args.join(" "))
        }
        ExprKind::Subquery(subquery) => {
            let step = subquery.step.as_ref().map_or_else(String::new, ToString::to_string);
            format!("(: {} {} {step})", shape(&subquery.expr), subquery.range)
        }
        _ => expr.to_string(),
    }
}

#[test]
fn operators_bind_by_precedence() {
    check("1 + 2 * 3", "(+ 1 (* 2 3))");
    check("1 * 2 + 3", "(+ (* 1 2) 3)");
    check("1 - 2 - 3", "(- (- 1 2) 3)");
    check("2 ^ 3 ^ 2", "(^ 2 (^ 3 2))");
    check("8 % 3 / 2 atan2 4", "(atan2 (/ (% 8 3) 2) 4)");
    check("a or b and c", "(or a (and b c))");
    check("a and b unless c or d", "(or (unless (and a b) c) d)");
    check("a == b + c", "(== a (+ b c))");
    check("a > b and c < d", "(and (> a b) (< c d))");
    check("a </ 1 + 2 >/ 3", "(>/ (</ a (+ 1 2)) 3)");
    check("(1 + 2) * 3", "(* <(+ 1 2)> 3)");
}

#[test]
fn sign_binds_less_than_power() {
    check("-a ^ 2", "(- (^ a 2))");
    check("-2 ^ 2", "(- (^ 2 2))");
    check("-2 ^ -2", "(- (^ 2 -2))");
    check("-2 * 3", "(* -2 3)");
    check("2 ^ -3 * 4", "(* (^ 2 -3) 4)");
    check("2 ^ -a ^ 2", "(^ 2 (- (^ a 2)))");
    check("--a", "(- (- a))");
    check("- -+5", "5");
    check("+a - -b", "(- (+ a) (- b))");
    check("-a offset 5m", "(- a offset 5m)");
}

#[test]
fn keywords_name_metrics_and_labels() {
    for name in [
        "sum",
        "by",
        "without",
        "offset",
        "start",
        "end",
        "step",
        "range",
        "min_of",
        "max_of",
        "and",
        "or",
        "unless",
        "anchored",
        "smoothed",
        "fill",
        "fill_left",
        "quantile",
        "topk",
        "limitk",
        "group",
    ] {
        check(name, name);
        check(&format!("{name}{{x=\"y\"}}"), &format!("{name}{{x=\"y\"}}"));
        check(&format!("1 + {name}"), &format!("(+ 1 {name})"));
        check(&format!("a{{{name}=\"y\"}}"), &format!("a{{{name}=\"y\"}}"));
    }
    let labels =
        "and, by, bool, on, ignoring, group_left, atan2, start, step, sum, fill, anchored, inf_x, offset";
    check(&format!("sum without ({labels}) (a)"), &format!("sum without ({labels}) (a)"));
    check("a + on (on) group_left (by) b", "(+ a b)");
}

#[test]
fn keywords_have_no_case() {
    check("SUM BY (a) (b) AND c", "(and sum by (a) (b) c)");
    check("a OFFSET 5m", "a offset 5m");
    check("a == BOOL b", "(== a b)");
    check("1 + InF", "(+ 1 +Inf)");
    check("a[STEP()]", "a[step()]");
}

#[test]
fn fill_is_a_keyword_before_a_parenthesis() {
    check("fill + fill(0) fill", "(+ fill fill)");
    check("a + fill", "(+ a fill)");
    check("a + fill  (0) b", "(+ a b)");
}

#[test]
fn aggregations() {
    check("sum(a)", "sum(a)");
    check("sum by (x, y,) (a)", "sum by (x, y) (a)");
    check("sum(a) by (x)", "sum by (x) (a)");
    check("sum without () (a)", "sum without () (a)");
    check("sum by () (a)", "sum(a)");
    check("sum by (\"a b\", 'c') (d)", "sum by (\"a b\", c) (d)");
    check("topk(3, a) by (x)", "topk by (x) (3, a)");
    check("count_values(\"v\", a)", "count_values(\"v\", a)");
    check("quantile(0.9, a) + limit_ratio(-0.5, a)", "(+ quantile(0.9, a) limit_ratio(-0.5, a))");
    check("sum(sum)", "sum(sum)");
}

#[test]
fn functions() {
    check("time()", "time[]");
    check("round(a, 5)", "round[a 5]");
    check("round(a)", "round[a]");
    check("hour()", "hour[]");
    check("label_join(a, \"x\", \",\")", "label_join[a \"x\" \",\"]");
    check("label_join(a, \"x\", \",\", \"b\", \"c\")", "label_join[a \"x\" \",\" \"b\" \"c\"]");
    check("start() + end() + step() + range()", "(+ (+ (+ start[] end[]) step[]) range[])");
    check("min_of(1, max_of(2, 3))", "min_of[1 max_of[2 3]]");
    check("info(a, {b=~\".*\"})", "info[a {b=~\".*\"}]");
    check("info(a, {})", "info[a {}]");
}

#[test]
fn selectors() {
    check("foo:bar{a='b', c!=\"d\", e=~`f.*`, g!~\"h\",}", "foo:bar{a=\"b\",c!=\"d\",e=~\"f.*\",g!~\"h\"}");
    check("{\"my.metric\", \"l.x\"=\"v\", y=\"z\"}", "{\"l.x\"=\"v\",__name__=\"my.metric\",y=\"z\"}");
    check("{__name__=\"a\", __name__!=\"b\"}", "{__name__!=\"b\",__name__=\"a\"}");
    check("a{}", "a");
    check("a{NaN=\"x\", inf=\"y\"}", "a{NaN=\"x\",inf=\"y\"}");
    check("a{b='}'}", "a{b=\"}\"}");
    check("a # what\n{ # inside\n b='c' # after\n}", "a{b=\"c\"}");
}

#[test]
fn name_outside_the_braces_is_the_last_matcher() {
    let ExprKind::Vector(vector) = parsed("a{b=\"c\"}").kind else { panic!("a selector") };
    assert_eq!(vector.name.as_deref(), Some("a"));
    let names: Vec<&str> = vector.matchers.iter().map(|matcher| &*matcher.name).collect();
    assert_eq!(names, ["b", "__name__"]);
    let ExprKind::Vector(vector) = parsed("{\"a\", b=\"c\"}").kind else { panic!("a selector") };
    assert_eq!((vector.name, &*vector.matchers[0].value), (None, "a"));
}

#[test]
fn places() {
    check("a offset -7m @ 5", "a @ 5.000 offset -7m");
    check("a @ start() offset 1h30m", "a @ start() offset 1h30m");
    check("a[5m] @ end() offset 90", "a[5m] @ end() offset 1m30s");
    check("a @ -3.3e1", "a @ -33.000");
    check("a @ 3.3335", "a @ 3.334");
    check("a @ 0xA", "a @ 10.000");
    check("a @ 2m", "a @ 120.000");
    check("a offset 0 offset 5m", "a offset 5m");
    check("a[5m] smoothed @ 1", "a[5m] smoothed @ 1.000");
    check("a anchored[5m]", "a[5m] anchored");
    check("a @ 1 smoothed + 0", "(+ a @ 1.000 smoothed 0)");
}

#[test]
fn ranges_and_subqueries() {
    check("a[1000ms]", "a[1s]");
    check("a[4.018]", "a[4s18ms]");
    check("a[ 5m ]", "a[5m]");
    check("a[10m:6s]", "(: a 10m 6s)");
    check("a[10m:]", "(: a 10m )");
    check("min_over_time(rate(a[2s])[5m:] @ 5 offset 4m)", "min_over_time[(: rate[a[2s]] 5m )]");
    check("a offset 1m [10m:5s]", "(: a offset 1m 10m 5s)");
    check("(a + b)[5m:]", "(: <(+ a b)> 5m )");
    check("1 + max_over_time(a[5m:])", "(+ 1 max_over_time[(: a 5m )])");
}

fn matching(query: &str) -> VectorMatching {
    let ExprKind::Binary(binary) = parsed(query).kind else { panic!("an operator") };
    binary.matching.expect("two vectors")
}

#[test]
fn matching_of_vectors() {
    let one = matching("a + b");
    assert_eq!(one, VectorMatching::default());
    let on = matching("a / on (x, y) group_left (z) b");
    assert_eq!((on.on, on.cardinality), (true, Cardinality::ManyToOne));
    assert_eq!((on.labels, on.include), (vec!["x".to_owned(), "y".into()], vec!["z".to_owned()]));
    let ignoring = matching("a / ignoring () group_right b");
    assert_eq!((ignoring.on, ignoring.cardinality), (false, Cardinality::OneToMany));
    let set = matching("a and on () b");
    assert_eq!((set.on, set.cardinality), (true, Cardinality::ManyToMany));
    let fill = matching("a + on (x) group_left fill_right (-1) fill_left (5m) b");
    assert_eq!((fill.fill_left, fill.fill_right), (Some(300.0), Some(-1.0)));
    let both = matching("a + fill (+Inf) b");
    assert_eq!((both.fill_left, both.fill_right), (Some(f64::INFINITY), Some(f64::INFINITY)));
    let ExprKind::Binary(scalar) = parsed("a + 1").kind else { panic!("an operator") };
    assert_eq!(scalar.matching, None);
}

#[test]
fn types() {
    for (query, expected) in [
        ("1", ValueType::Scalar),
        ("-(1 + 2)", ValueType::Scalar),
        ("\"a\"", ValueType::String),
        ("a", ValueType::Vector),
        ("1 + a", ValueType::Vector),
        ("a[5m]", ValueType::Matrix),
        ("a[5m:]", ValueType::Matrix),
        ("scalar(a)", ValueType::Scalar),
        ("sum(a)", ValueType::Vector),
    ] {
        assert_eq!(parsed(query).value_type(), expected, "{query}");
    }
}
