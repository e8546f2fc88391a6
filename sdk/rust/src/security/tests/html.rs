use crate::security::{HtmlError, HtmlSanitizer};

/// What must be gone, in any of the ways in which browsers read it.
#[test]
fn nothing_that_runs_is_left() {
    let attacks = [
        "<script>alert(1)</script>",
        "<ScRiPt src=//evil></sCrIpT>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='&#106;avascript:alert(1)'>x</a>",
        "<a href='java&#x0A;script:alert(1)'>x</a>",
        "<a href=' \u{1}javascript:alert(1)'>x</a>",
        "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
        "<p style='background:url(javascript:alert(1))'>x</p>",
        "<p onclick=alert(1)>x</p>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
        "<template><script>alert(1)</script></template>",
        "<form action=//evil><input></form>",
        "<base href=//evil>",
        "<meta http-equiv=refresh content='0;url=//evil'>",
        "<style>@import '//evil'</style>",
        "<!--><script>alert(1)</script>-->",
        "<p><![CDATA[<script>alert(1)</script>]]></p>",
        "<scr<script>ipt>alert(1)</script>",
    ];
    let careless = HtmlSanitizer {
        tags: ["script", "style", "p", "a", "noscript", "template"].map(str::to_owned).to_vec(),
        attributes: [("*", "onclick"), ("p", "style"), ("*", "OnError")]
            .map(|(tag, name)| (tag.to_owned(), name.to_owned()))
            .to_vec(),
        ..HtmlSanitizer::default()
    };
    for attack in attacks {
        for sanitizer in [&HtmlSanitizer::default(), &careless] {
            let clean = sanitizer.sanitize(attack).unwrap().to_lowercase();
            for word in [
                "<script",
                "<style",
                "<img",
                "<svg",
                "<iframe",
                "<form",
                "<base",
                "<meta",
                "javascript:",
                "data:",
                " on",
                "style=",
            ] {
                assert!(!clean.contains(word), "{attack} became {clean}");
            }
        }
    }
}

#[test]
fn what_is_allowed_stays_and_a_second_pass_changes_nothing() {
    let sanitizer = HtmlSanitizer::default();
    let html =
        "<h2>Title</h2><ul><li>a <b>b</b> &lt; c</li></ul><a href=\"https://a.example/?a=1&amp;b=2\">x</a>";
    let clean = sanitizer.sanitize(html).unwrap();
    assert_eq!(clean, html.replace("?a=1&amp;b=2\"", "?a=1&amp;b=2\" rel=\"noopener noreferrer\""));
    assert_eq!(sanitizer.sanitize(&clean).unwrap(), clean);
    let small = HtmlSanitizer { bytes_max: 4, ..HtmlSanitizer::default() };
    assert_eq!(small.sanitize("12345"), Err(HtmlError { bytes: 5, limit: 4 }));
}
