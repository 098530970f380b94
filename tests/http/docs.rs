//! The page about the API: it works without another host, and clients keep it.

use crate::support_http::World;

const FILES: [(&str, &str); 3] = [
    ("start.js", "text/javascript; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("swagger-ui.css", "text/css; charset=utf-8"),
];

#[actix_web::test]
async fn the_page_needs_only_what_the_program_serves() {
    let world = World::start().await;
    let page = world.get("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let links = page
        .text
        .split(['"', '\''])
        .filter(|part| part.starts_with("docs/"));
    let mut named: Vec<&str> = links.map(|link| link.trim_start_matches("docs/")).collect();
    named.sort_unstable();
    assert_eq!(named, FILES.map(|(name, _)| name));
    assert!(!page.text.contains("://"), "another host: {}", page.text);
    // Scripts within the page would be refused by its own policy.
    assert_eq!(
        page.text.matches("<script").count(),
        page.text.matches("<script src=").count()
    );
    for (name, kind) in FILES {
        let file = world.get(&format!("/docs/{name}")).await;
        assert_eq!(
            (file.status, file.header("content-type")),
            (200, Some(kind)),
            "{name}"
        );
    }
    let start = world.get("/docs/start.js").await.text;
    assert!(start.contains("url: \"openapi.json\""), "{start}");
    world.get("/docs/other.js").await.problem(404);
    world.get("/docs?lang=en").await.problem(422);
}

#[actix_web::test]
async fn every_page_is_sent_with_a_strict_policy_and_kept_by_clients() {
    let world = World::start().await;
    let files = FILES.map(|(name, _)| format!("/docs/{name}"));
    for path in ["/docs", "/openapi.json"]
        .into_iter()
        .chain(files.iter().map(String::as_str))
    {
        let page = world.get(path).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(page.header(name), Some(value), "{path}");
        }
        let tag = page.header("etag").unwrap();
        let again = world
            .send_with("GET", path, &[("if-none-match", tag)], Vec::new())
            .await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
        assert_eq!(again.header("etag"), Some(tag), "{path}");
        let other = world
            .send_with("GET", path, &[("if-none-match", "\"x\"")], Vec::new())
            .await;
        assert_eq!(other.status, 200, "{path}");
        assert_eq!(
            world.send("HEAD", path).await.header("etag"),
            Some(tag),
            "{path}"
        );
    }
}

#[actix_web::test]
async fn a_compressed_file_is_refused_to_a_client_that_does_not_take_gzip() {
    let world = World::start().await;
    let path = "/docs/swagger-ui.css";
    let taken = world
        .send_with("GET", path, &[("accept-encoding", "br, gzip")], Vec::new())
        .await;
    assert_eq!(taken.status, 200);
    assert_eq!(taken.header("content-encoding"), Some("gzip"));
    assert_eq!(taken.header("vary"), Some("accept-encoding"));
    let refused = world
        .send_with("GET", path, &[("accept-encoding", "identity")], Vec::new())
        .await;
    let problem = refused.problem(406);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("Accept-Encoding: gzip")
    );
    let plain = world
        .send_with(
            "GET",
            "/docs",
            &[("accept-encoding", "identity")],
            Vec::new(),
        )
        .await;
    assert_eq!(
        (plain.status, plain.header("content-encoding")),
        (200, None)
    );
}
