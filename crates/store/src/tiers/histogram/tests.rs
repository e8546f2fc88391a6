use super::*;

const MS: i64 = NANOS_PER_MS;

/// A histogram of bounds 1 and 2 with so many observations in each bucket.
fn explicit(seconds: i64, counts: [f64; 3]) -> Point {
    let positive = (0..).zip(counts).filter(|(_, count)| *count > 0.0);
    Point {
        time: seconds * 1000 * MS,
        count: counts.iter().sum(),
        sum: Some(counts.iter().sum::<f64>() / 2.0),
        schema: Some(EXPLICIT),
        positive: positive.collect(),
        bounds: vec![1.0, 2.0],
        ..Point::default()
    }
}

fn exponential(seconds: i64, schema: i32, positive: &[Bucket]) -> Point {
    let count = positive.iter().map(|(_, count)| count).sum();
    let (schema, positive) = (Some(schema), positive.to_vec());
    Point { time: seconds * 1000 * MS, count, sum: Some(count), schema, positive, ..Point::default() }
}

fn folded(points: Vec<Point>) -> Vec<Window> {
    let (mut folding, mut windows) = (Folding::new(60_000), Vec::new());
    let mut each = |window| windows.push(window);
    points.into_iter().for_each(|point| folding.push(point, &mut each));
    folding.finish(&mut each);
    windows
}

fn part<'a>(window: &'a Window, name: &str) -> &'a Point {
    &window.parts.iter().find(|(part, _)| *part == name).expect(name).1
}

fn names(window: &Window) -> Vec<&'static str> {
    window.parts.iter().map(|(name, _)| *name).collect()
}

#[test]
fn a_window_has_its_first_its_last_and_all_of_them_together() {
    let points =
        [(60, [1.0, 0.0, 0.0]), (61, [2.0, 1.0, 0.0]), (90, [2.0, 3.0, 0.0]), (120, [4.0, 3.0, 1.0])];
    let windows = folded(points.map(|(time, counts)| explicit(time, counts)).to_vec());
    let [before, window] = &windows[..] else { panic!("{windows:?}") };
    assert_eq!((before.points, names(before)), (1, vec!["last"]));
    assert_eq!((window.first_time, window.time, window.points), (61_000 * MS, 120_000 * MS, 3));
    assert_eq!(names(window), ["first", "last", "sum"]);
    assert_eq!(part(window, "first"), &explicit(61, [2.0, 1.0, 0.0]));
    assert_eq!(part(window, "last"), &explicit(120, [4.0, 3.0, 1.0]));
    let sum = part(window, "sum");
    assert_eq!((sum.count, sum.sum), (16.0, Some(8.0)));
    assert_eq!(sum.positive, [(0, 8.0), (1, 7.0), (2, 1.0)]);
}

#[test]
fn what_a_counter_had_before_each_reset_adds_up() {
    let points = [
        (1, [5.0, 5.0, 0.0]),
        (2, [6.0, 5.0, 0.0]),
        // Fewer in all.
        (3, [1.0, 0.0, 0.0]),
        // As many as before, but one bucket has less.
        (4, [0.0, 3.0, 0.0]),
        (5, [0.0, 3.0, 2.0]),
    ];
    let windows = folded(points.map(|(time, counts)| explicit(time, counts)).to_vec());
    assert_eq!(names(&windows[0]), ["first", "last", "sum", "resets"]);
    let resets = part(&windows[0], "resets");
    assert_eq!((resets.count, resets.positive.as_slice()), (12.0, &[(0, 7.0), (1, 5.0)][..]));
    // What the sender says of it counts more than what it looks like.
    let hinted = |hint: i32, counts| Point { reset_hint: Some(hint), ..explicit(2, counts) };
    let with = |hint: i32, counts| folded(vec![explicit(1, [5.0, 0.0, 0.0]), hinted(hint, counts)]);
    assert!(names(&with(RESET, [9.0, 0.0, 0.0])[0]).contains(&"resets"));
    assert!(!names(&with(NOT_RESET, [1.0, 0.0, 0.0])[0]).contains(&"resets"));
}

#[test]
fn exponential_buckets_add_up_in_the_coarsest_of_their_schemas() {
    // At schema 1 the bounds are twice as many as at schema 0: 2 and 3 become 1, -1 becomes -1.
    let points = vec![
        exponential(1, 1, &[(-1, 1.0), (2, 2.0), (3, 4.0)]),
        exponential(2, 0, &[(-1, 2.0), (1, 9.0)]),
        exponential(3, 0, &[(-1, 2.0), (1, 9.0), (5, 1.0)]),
    ];
    let windows = folded(points);
    assert_eq!(names(&windows[0]), ["first", "last", "sum"], "a coarser schema is no reset");
    let sum = part(&windows[0], "sum");
    assert_eq!((sum.schema, sum.positive.as_slice()), (Some(0), &[(-1, 5.0), (1, 24.0), (5, 1.0)][..]));
    assert_eq!(part(&windows[0], "first").schema, Some(1), "the first is as it came");
    // A finer one is, whatever the counts.
    let finer = vec![exponential(1, 0, &[(1, 2.0)]), exponential(2, 3, &[(8, 2.0)])];
    assert!(names(&folded(finer)[0]).contains(&"resets"));
    // Six at 2 and 3 together were more than five are.
    let fewer = vec![exponential(1, 1, &[(2, 2.0), (3, 4.0)]), exponential(2, 0, &[(1, 5.0), (2, 9.0)])];
    assert!(names(&folded(fewer)[0]).contains(&"resets"));
}

#[test]
fn where_bounds_change_another_window_begins() {
    let other = Point { bounds: vec![1.0, 4.0], ..explicit(3, [1.0, 1.0, 1.0]) };
    let windows = folded(vec![
        explicit(1, [1.0, 0.0, 0.0]),
        explicit(2, [2.0, 0.0, 0.0]),
        other.clone(),
        exponential(4, 0, &[(0, 1.0)]),
        Point { zero_threshold: 0.5, ..exponential(5, 0, &[(0, 1.0)]) },
    ]);
    assert_eq!(windows.iter().map(|window| window.points).collect::<Vec<_>>(), [2, 1, 1, 1]);
    assert_eq!(part(&windows[1], "last"), &other);
}

#[test]
fn markers_and_doubles_count_as_in_a_query() {
    let stale =
        |seconds: i64| Point { time: seconds * 1000 * MS, flags: NO_RECORDED_VALUE, ..Point::default() };
    let again = Point { time: 2_000 * MS + 5, ..explicit(2, [7.0, 0.0, 0.0]) };
    let windows = folded(vec![explicit(1, [1.0, 0.0, 0.0]), explicit(2, [9.0, 0.0, 0.0]), again, stale(9)]);
    let [window] = &windows[..] else { panic!("{windows:?}") };
    assert_eq!((window.points, window.stale_time), (2, Some(9_000 * MS)));
    assert_eq!((part(window, "sum").count, part(window, "last").count), (8.0, 7.0));
    let alone = folded(vec![stale(9)]);
    assert_eq!((alone[0].points, alone[0].time, alone[0].stale_time), (0, 9_000 * MS, Some(9_000 * MS)));
    let over = folded(vec![stale(9), explicit(10, [1.0, 0.0, 0.0])]);
    assert_eq!((over.len(), over[0].points, over[0].stale_time), (1, 1, None));
}

#[test]
fn of_summaries_the_least_and_the_greatest_are_known() {
    let summary = |seconds: i64, count: f64, value: f64| Point {
        time: seconds * 1000 * MS,
        count,
        sum: Some(count * 2.0),
        quantiles: vec![0.5, 0.9],
        quantile_values: vec![value, value * 2.0],
        ..Point::default()
    };
    let windows = folded(vec![summary(1, 1.0, 4.0), summary(2, 5.0, 1.0), summary(3, 2.0, 3.0)]);
    assert_eq!(names(&windows[0]), ["first", "last", "sum", "resets", "min", "max"]);
    let values = |name| part(&windows[0], name).quantile_values.clone();
    assert_eq!([values("min"), values("max"), values("sum")], [[1.0, 2.0], [4.0, 8.0], [8.0, 16.0]]);
    assert_eq!(part(&windows[0], "resets").count, 5.0);
}

#[test]
fn sums_are_not_rounded_step_by_step() {
    let of = |seconds: i64, sum| Point { sum: Some(sum), ..explicit(seconds, [1.0, 0.0, 0.0]) };
    let windows = folded((1..).zip([1e16, 1.0, 1.0, -1e16]).map(|(second, sum)| of(second, sum)).collect());
    assert_eq!(part(&windows[0], "sum").sum, Some(2.0));
}
