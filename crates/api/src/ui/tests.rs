#![allow(clippy::unwrap_used)]

use http_body_util::BodyExt;

use super::*;

const BUILT: &[File] = &[
    File { path: "index.html", plain: b"<title>built</title>", brotli: b"br", gzip: b"gz" },
    File { path: "assets/a-1.js", plain: b"let a", brotli: b"br", gzip: b"gz" },
];

async fn ask(
    files: &'static [File],
    method: Method,
    path: &str,
    accept: &str,
) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).header("accept", accept);
    let (head, body) = answer(files, &request.body(Body::empty()).unwrap()).into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn without_a_page_whoever_navigates_is_told_how_to_get_one_and_how_to_do_without() {
    for path in ["/", "/logs", "/traces/0af7651916cd43dd8448eb211c80319c"] {
        let (status, headers, body) = ask(&[], Method::GET, path, "text/html").await;
        assert_eq!(
            (status, &headers["content-type"]),
            (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap())
        );
        for part in ["make run", "/api/v1/sql", "4317", "href=\"/healthz\"", "href=\"/api/openapi.json\""] {
            assert!(body.contains(part), "{path}: {part}: {body}");
        }
        assert!(headers["content-security-policy"].to_str().unwrap().contains("default-src 'self'"));
        assert!(!body.contains("<script"), "the policy would not run it");
    }
}

#[tokio::test]
async fn without_a_page_there_are_no_files_and_nothing_for_programs() {
    for (method, path, accept, expected) in [
        (Method::GET, "/assets/a-1.js", "*/*", StatusCode::NOT_FOUND),
        (Method::GET, "/logs", "application/json", StatusCode::NOT_FOUND),
        (Method::POST, "/", "text/html", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let (status, headers, _) = ask(&[], method, path, accept).await;
        assert_eq!(
            (status, headers["content-type"].to_str().unwrap()),
            (expected, "application/problem+json"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn with_a_page_nobody_is_told_that_it_is_missing() {
    let (_, headers, body) = ask(BUILT, Method::GET, "/logs", "text/html").await;
    assert_eq!((body.as_str(), headers.get("content-encoding")), ("<title>built</title>", None));
    let (_, headers, body) = ask(BUILT, Method::GET, "/assets/a-1.js", "*/*").await;
    assert!(
        body == "let a" && headers["cache-control"].to_str().unwrap().contains("immutable"),
        "{headers:?}"
    );
}
