//! Addresses that strangers chose: what would make the service ask its own network, or run a script.

use crate::security::{UrlError, UrlPolicy, is_local_redirect, is_public};

#[test]
fn requests_do_not_reach_what_is_not_public() {
    let policy = UrlPolicy::outgoing();
    let inside = [
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://intranet/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
        "https://127\u{3002}0\u{3002}0\u{3002}1/",
        "https://0/",
        "https://10.0.0.1/",
        "https://172.31.255.255/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:7f00:1::]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[fd12:3456::1]/",
        "https://[ff02::1]/",
        "https://[2001:db8::1]/",
    ];
    for address in inside {
        assert_eq!(policy.check(address), Err(UrlError::NotPublic), "{address}");
    }
    for address in ["https://example.com/", "https://93.184.215.14/", "https://[2606:4700::1111]/"] {
        assert!(policy.check(address).is_ok(), "{address}");
    }
}

#[test]
fn what_else_is_wrong_with_an_address_is_said() {
    let policy = UrlPolicy::outgoing();
    let cases = [
        ("http://example.com/", UrlError::Scheme),
        ("file:///etc/passwd", UrlError::Scheme),
        ("gopher://example.com/", UrlError::Scheme),
        ("https://example.com:22/", UrlError::Port),
        ("https://user@example.com/", UrlError::Credentials),
        ("https://example.com:x@127.0.0.1/", UrlError::Credentials),
        ("https://example.com\\@127.0.0.1/", UrlError::Malformed),
        (" https://example.com/", UrlError::Malformed),
        ("https://exa\tmple.com/", UrlError::Malformed),
        ("//example.com/", UrlError::Malformed),
        ("https://", UrlError::Malformed),
    ];
    for (address, error) in cases {
        assert_eq!(policy.check(address), Err(error), "{address}");
    }
    assert_eq!(policy.check(&format!("https://a.example/{}", "x".repeat(9000))), Err(UrlError::TooLong));
    // The answer is what was checked, so that no second reader sees another host.
    assert_eq!(
        policy.check("https://EXAMPLE.com:443/a/../b?q=ü#f").unwrap(),
        "https://example.com/b?q=%C3%BC#f"
    );
    assert_eq!(policy.check("https://b\u{fc}cher.example/").unwrap(), "https://xn--bcher-kva.example/");
}

#[test]
fn hosts_are_matched_as_a_whole() {
    let policy = UrlPolicy::outgoing().hosts(["api.example.com", "*.cdn.example"]);
    for right in ["https://api.example.com/", "https://a.cdn.example/", "https://a.b.cdn.example/"] {
        assert!(policy.check(right).is_ok(), "{right}");
    }
    let wrong = [
        "https://xapi.example.com/",
        "https://api.example.com.evil.example/",
        "https://cdn.example/",
        "https://evilcdn.example/",
    ];
    for address in wrong {
        assert_eq!(policy.check(address), Err(UrlError::Host), "{address}");
    }
}

#[test]
fn links_run_nothing() {
    let policy = UrlPolicy::link();
    for attack in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "\u{1}javascript:alert(1)",
        "data:text/html,<script>",
        "vbscript:x",
        "/relative",
    ] {
        assert!(policy.check(attack).is_err(), "{attack:?}");
    }
    assert!(policy.check("http://127.0.0.1/").is_ok() && policy.check("mailto:a@b.example").is_ok());
    assert_eq!(policy.check("http://paypal.com@evil.example/"), Err(UrlError::Credentials));
}

#[test]
fn redirects_stay_here() {
    assert!(is_local_redirect("/") && is_local_redirect("/a/b?next=//c"));
    for attack in ["", "a", "//evil", "/\\evil", "/a\\b", "https://evil", "/a\r\nSet-Cookie: x", "/\t/evil"] {
        assert!(!is_local_redirect(attack), "{attack:?}");
    }
}

#[test]
fn public_networks_end_where_the_registry_says() {
    let edges = [
        ("9.255.255.255", true),
        ("11.0.0.0", true),
        ("100.63.255.255", true),
        ("100.128.0.0", true),
        ("172.15.255.255", true),
        ("172.32.0.0", true),
        ("192.0.0.8", false),
        ("192.0.2.1", false),
        ("198.17.255.255", true),
        ("198.19.255.255", false),
        ("203.0.113.7", false),
        ("223.255.255.255", true),
        ("240.0.0.1", false),
        ("1fff::1", false),
        ("2000::1", true),
        ("3fff:fff::1", false),
        ("4000::1", false),
    ];
    for (address, public) in edges {
        assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
    }
}
