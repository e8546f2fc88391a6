#![allow(clippy::unwrap_used)]

use promql::{Labels, Point, Sample, Vector};

use super::{Surroundings, Template};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

/// Two series, whatever is asked; none for `none`.
fn query(text: &str) -> Result<Vector, String> {
    let sample = |job: &str, value| Sample {
        labels: labels(&[("__name__", "up"), ("job", job)]),
        time_ms: 0,
        point: Point::Float(value),
    };
    match text {
        "none" => Ok(Vector::new()),
        "broken" => Err("1:1: parse error: no".to_owned()),
        _ => Ok(vec![sample("b", 1.0), sample("a", 0.5)]),
    }
}

fn expand_with(source: &str, value: f64) -> Result<String, String> {
    let template = Template::parse(source).map_err(|error| error.to_string())?;
    template.expand(&Surroundings {
        labels: &labels(&[("__name__", "up"), ("instance", "web.example:9100"), ("job", "node")]),
        value: &Point::Float(value),
        external_labels: &labels(&[("region", "eu")]),
        external_url: "http://localhost:9090/prom",
        time_ms: 1_500,
        query: &query,
    })
}

fn check(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(expand_with(source, 1234.5).as_deref(), Ok(*expected), "{source}");
    }
}

#[test]
fn labels_and_values_are_filled_in() {
    check(&[
        ("plain", "plain"),
        ("", ""),
        ("{{ $labels.job }} on {{.Labels.instance}}: {{ $value }}", "node on web.example:9100: 1234.5"),
        ("{{ .Value }} {{ $labels.missing }}|{{ $externalLabels.region }}", "1234.5 |eu"),
        (
            "{{ $externalURL }} {{ externalURL }} {{ pathPrefix }}",
            "http://localhost:9090/prom http://localhost:9090/prom /prom",
        ),
        ("{{ .ExternalLabels.region }}{{ .ExternalURL | len }}", "eu26"),
        ("{{ index $labels \"job\" }}", "node"),
        ("{{ $labels }}", "map[__name__:up instance:web.example:9100 job:node]"),
        ("{{ now }}", "1.5"),
    ]);
}

#[test]
fn spaces_are_trimmed_and_comments_gone() {
    check(&[
        ("a {{- \"b\" -}} c", "abc"),
        ("a {{/* nothing */}} b", "a  b"),
        ("a {{- /* nothing */ -}} b", "ab"),
        ("{{-3}}", "-3"),
        ("{{ \"a\\tb\" }}{{ `c\\n` }}{{ 'x' }}", "a\tbc\\n120"),
    ]);
}

#[test]
fn blocks_choose_and_repeat() {
    check(&[
        ("{{ if gt $value 1000.0 }}high{{ else }}low{{ end }}", "high"),
        (
            "{{ if eq $labels.job \"x\" }}x{{ else if eq $labels.job \"node\" }}node{{ else }}?{{ end }}",
            "node",
        ),
        ("{{ with $labels.missing }}{{ . }}{{ else }}none{{ end }}", "none"),
        ("{{ with query \"up\" }}{{ . | first | value | humanizePercentage }}{{ end }}", "100%"),
        ("{{ range query \"up\" }}{{ .Labels.job }}={{ .Value }};{{ end }}", "b=1;a=0.5;"),
        (
            "{{ range $i, $s := query \"up\" | sortByLabel \"job\" }}{{ $i }}{{ $s.Labels.job }} {{ end }}",
            "0a 1b ",
        ),
        ("{{ range query \"none\" }}x{{ else }}empty{{ end }}", "empty"),
        (
            "{{ range $name, $v := $labels }}{{ if eq $name \"job\" }}{{ break }}{{ end }}{{ $name }},{{ end }}",
            "__name__,instance,",
        ),
        (
            "{{ range $labels }}{{ if eq . \"up\" }}{{ continue }}{{ end }}{{ . }} {{ end }}",
            "web.example:9100 node ",
        ),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
        ("{{ (query \"up\" | first).Labels.job }}", "b"),
        ("{{ query \"up\" | first | label \"job\" }}", "b"),
    ]);
}

#[test]
fn conditions_follow_go() {
    check(&[
        ("{{ and true \"\" $value }}|{{ or \"\" 0 \"x\" }}|{{ not 0 }}", "|x|true"),
        // The rest of the arguments is not looked at.
        ("{{ or \"a\" (query \"broken\") }}", "a"),
        ("{{ ne 1 2 }}{{ lt 1 2 }}{{ le 2 2 }}{{ ge 1 2 }}", "truetruetruefalse"),
        ("{{ eq $labels.job \"a\" \"b\" \"node\" }}", "true"),
        ("{{ if $value }}set{{ end }}{{ if $labels.none }}no{{ end }}", "set"),
    ]);
    assert!(expand_with("{{ gt $value 1 }}", 2.0).unwrap_err().contains("incompatible types"));
}

#[test]
fn numbers_are_humanized() {
    let cases = [
        ("humanize", 0.0, "0"),
        ("humanize", 1.0, "1"),
        ("humanize", 1_234_567.0, "1.235M"),
        ("humanize", 0.01234, "12.34m"),
        ("humanize", -1500.0, "-1.5k"),
        ("humanize", f64::INFINITY, "+Inf"),
        ("humanize", f64::NAN, "NaN"),
        ("humanize", 1e30, "1e+06Y"),
        ("humanize1024", 1_048_576.0, "1Mi"),
        ("humanize1024", 1023.0, "1023"),
        ("humanize1024", 0.5, "0.5"),
        ("humanizeDuration", 0.0, "0s"),
        ("humanizeDuration", 1.5, "1.5s"),
        ("humanizeDuration", 59.999, "60s"),
        ("humanizeDuration", 3_661.0, "1h 1m 1s"),
        ("humanizeDuration", -90_061.0, "-1d 1h 1m 1s"),
        ("humanizeDuration", 0.000_123, "123us"),
        ("humanizePercentage", 0.123_456, "12.35%"),
        ("humanizePercentage", 1.0, "100%"),
        ("humanizePercentage", 123.456, "1.235e+04%"),
        ("humanizeTimestamp", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("humanizeTimestamp", 0.0, "1970-01-01 00:00:00 +0000 UTC"),
        ("humanizeTimestamp", f64::NEG_INFINITY, "-Inf"),
        ("toTime", 951_782_400.5, "2000-02-29 00:00:00.5 +0000 UTC"),
        ("print", 1e6, "1e+06"),
        ("print", 123_456.0, "123456"),
        ("print", 0.00001, "1e-05"),
    ];
    for (function, value, expected) in cases {
        let source = format!("{{{{ $value | {function} }}}}");
        assert_eq!(expand_with(&source, value).as_deref(), Ok(expected), "{function} {value}");
    }
    assert_eq!(expand_with("{{ \"1500\" | humanize }}{{ 2048 | humanize1024 }}", 0.0).unwrap(), "1.5k2ki");
    assert!(expand_with("{{ \"x\" | humanize }}", 0.0).unwrap_err().contains("invalid syntax"));
    assert!(expand_with("{{ 1e300 | humanizeTimestamp }}", 0.0).unwrap_err().contains("is not a time"));
}

#[test]
fn texts_are_changed() {
    check(&[
        ("{{ toUpper \"abc\" }}{{ \"ABC\" | toLower }}{{ title \"two words-x\" }}", "ABCabcTwo Words-X"),
        ("{{ reReplaceAll \"(.*):.*\" \"$1!\" $labels.instance }}", "web.example!"),
        ("{{ match \"^n\" $labels.job }}", "true"),
        ("{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }}", "web.example web:9100"),
        ("{{ stripPort \"[::1]:80\" }} {{ stripDomain \"10.0.0.1:80\" }}", "::1 10.0.0.1:80"),
        ("{{ \"a&b<'\\\">\" | html }}", "a&amp;b&lt;&#39;&#34;&gt;"),
        ("{{ urlquery \"a b/c~*\" }}", "a+b%2Fc~%2A"),
        ("{{ graphLink \"up == 0\" }}", "/graph?g0.expr=up+%3D%3D+0&g0.tab=0"),
        ("{{ parseDuration \"1h30m\" }} {{ safeHtml \"<b>\" }}", "5400 <b>"),
        ("{{ with args 1 \"x\" }}{{ .arg0 }}{{ .arg1 }}{{ .arg2 }}{{ end }}", "1x<no value>"),
        ("{{ print 1 2 \"a\" 3 }}|{{ len \"abc\" }}|{{ slice \"abcdef\" 1 3 }}", "1 2a3|3|bc"),
    ]);
}

#[test]
fn printf_is_that_of_go() {
    let cases = [
        (r#"{{ printf "%.2f" $value }}"#, "1234.50"),
        (r#"{{ printf "%s has %.1f%%" $labels.job 12.34 }}"#, "node has 12.3%"),
        (r#"{{ $value | printf "%.0f" }}"#, "1234"),
        (r#"{{ printf "%8.2f|%-8s|%08.3f" $value "ab" -1.5 }}"#, " 1234.50|ab      |-001.500"),
        (r#"{{ printf "%d" 5 }} {{ printf "%5d|%-5d|%05d|%+d" 7 7 7 7 }}"#, "5     7|7    |00007|+7"),
        (r#"{{ printf "%g %e %v" $value $value $value }}"#, "1234.5 1.234500e+03 1234.5"),
        (r#"{{ printf "%q %x %t" "a\"b" "hi" true }}"#, r#""a\"b" 6869 true"#),
        (r#"{{ printf "%d" $value }}"#, "%!d(float64=1234.5)"),
        (r#"{{ printf "%s" $value }}"#, "%!s(float64=1234.5)"),
        (r#"{{ printf "%s" }}"#, "%!s(MISSING)"),
        (r#"{{ printf "x" 1 "y" }}"#, "x%!(EXTRA int=1, string=y)"),
        (r#"{{ printf "%*d" 4 7 }}{{ printf "%" }}"#, "   7%!(NOVERB)"),
        (r#"{{ printf "%.3s" "abcdef" }}{{ printf "%x" 255 }}"#, "abcff"),
        (r#"{{ printf "%.3g" $value }}"#, "1.23e+03"),
    ];
    check(&cases);
}

#[test]
fn mistakes_are_said_with_their_place() {
    let cases = [
        ("{{ $labels.job", "1:1: unclosed action"),
        ("a\nb {{ nothing }}", "2:6: function \"nothing\" not defined"),
        ("{{ $x }}", "1:4: undefined variable \"$x\""),
        ("{{ if true }}", "unexpected EOF"),
        ("{{ end }}", "1:1: unexpected {{end}}"),
        ("{{ if true }}{{ else }}{{ else }}{{ end }}", "expected end"),
        ("{{ }}", "missing value for command"),
        ("{{ \"a }}", "unterminated quoted string"),
        ("{{ `a }}", "unterminated raw"),
        ("{{ ( 1 }}", "unclosed left paren"),
        ("{{ 1 2 }}", "can't give argument to non-function"),
        ("{{ 1 | 2 }}", "non executable command in pipeline"),
        ("{{ toUpper | }}", "missing value behind |"),
        ("{{/* a }}", "unclosed comment"),
        ("{{ break }}", "{{break}} outside {{range}}"),
        ("{{ define \"x\" }}{{ end }}", "not supported"),
        ("{{ % }}", "unexpected '%'"),
        ("{{ if true }}{{ $y := 1 }}{{ end }}{{ $y }}", "undefined variable \"$y\""),
    ];
    for (source, expected) in cases {
        let error = Template::parse(source).expect_err(source).to_string();
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn failures_are_said() {
    let cases = [
        ("{{ query \"broken\" }}", "error calling query: 1:1: parse error: no"),
        ("{{ query \"none\" | first }}", "error calling first: first() called on vector with no elements"),
        ("{{ .Missing }}", "can't evaluate field Missing"),
        ("{{ $value.x }}", "can't evaluate field x in type float64"),
        ("{{ toUpper 1 }}", "expected string; got int"),
        ("{{ toUpper }}", "wrong number of args for toUpper: want 1 got 0"),
        ("{{ reReplaceAll \"(\" \"\" \"\" }}", "error parsing regexp"),
        ("{{ range 1.5 }}{{ end }}", "range can't iterate over 1.5"),
        ("{{ index $labels 1 }}", "expected string; got int"),
        ("{{ index (query \"up\") 5 }}", "index out of range: 5"),
    ];
    for (source, expected) in cases {
        let error = expand_with(source, 1.0).expect_err(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn nothing_grows_without_bound() {
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    assert!(Template::parse(&deep).unwrap_err().message.contains("nested too deep"));
    let blocks = "{{ if true }}".repeat(5000);
    assert!(Template::parse(&blocks).unwrap_err().message.contains("nested too deep"));
    let chain = format!("{{{{ if true }}}}{}{{{{ end }}}}", "{{ else if true }}".repeat(5000));
    assert!(Template::parse(&chain).unwrap_err().message.contains("nested too deep"));
    let wide = "{{ range query \"up\" }}".repeat(24) + "x" + &"{{ end }}".repeat(24);
    assert!(expand_with(&wide, 0.0).unwrap_err().contains("steps"));
    let long = format!("{{{{ range query \"up\" }}}}{}{{{{ end }}}}", "x".repeat(600_000));
    assert!(expand_with(&long, 0.0).unwrap_err().contains("longer than"));
}
