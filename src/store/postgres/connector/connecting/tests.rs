//! How a database is connected to.

use super::*;
use crate::store::postgres::tls::Verification;

#[test]
fn the_address_is_shown_and_the_password_is_not() {
    let target = Connector::parse("postgres://me:geheim@db.example:6000/fleet").unwrap();
    assert_eq!(target.address(), "db.example:6000");
    let shown = format!("{target:?} {}", target.unreachable(&"refused"));
    assert!(!shown.contains("geheim"), "{shown}");
    assert!(!shown.contains("me:"), "{shown}");
}

#[test]
fn each_server_is_shown_and_is_to_take_writes() {
    let url = "postgres://me:geheim@a,b:6000,[::1]/fleet?target_session_attrs=any";
    let target = Connector::parse(url).unwrap();
    assert_eq!(target.address(), "a:5432, b:6000, ::1:5432");
    for server in target.servers.iter() {
        let wanted = server.config.get_target_session_attrs();
        assert_eq!(wanted, TargetSessionAttrs::ReadWrite);
    }
    let limit = Duration::from_secs(1);
    let target = target.hurried(limit).named("orchestrator/a/1");
    for server in target.servers.iter() {
        assert_eq!(server.config.get_connect_timeout(), Some(&limit));
        assert_eq!(server.config.get_tcp_user_timeout(), Some(&limit));
        let name = server.config.get_application_name();
        assert_eq!(name, Some("orchestrator/a/1"));
    }
}

#[test]
fn the_urls_own_keepalive_goes_before_the_programs() {
    let idle = |query: &str| {
        let target = Connector::parse(&format!("postgres://u@h/d{query}")).unwrap();
        let idle = target
            .servers
            .iter()
            .map(|one| one.config.get_keepalives_idle());
        idle.min().unwrap()
    };
    assert_eq!(idle(""), KEEPALIVE);
    assert_eq!(
        idle("?connect_timeout=3&keepalives_idle=60"),
        Duration::from_secs(60)
    );
}

#[test]
fn ssl_words_are_taken_out_of_the_url_and_the_others_stay() {
    let url = "postgres://h/d?connect_timeout=3&sslmode=verify-ca&sslrootcert=%2Fa%20b%25.pem";
    let (rest, mode, file) = take_ssl(url).unwrap();
    assert_eq!(rest, "postgres://h/d?connect_timeout=3");
    assert_eq!(mode.as_deref(), Some("verify-ca"));
    assert_eq!(file.as_deref(), Some("/a b%.pem"));
}

#[test]
fn every_sslmode_means_something_or_is_refused() {
    assert_eq!(verification(None, None), Ok(None));
    assert_eq!(verification(Some("prefer"), None), Ok(None));
    assert_eq!(
        verification(Some("require"), None),
        Ok(Some(Verification::None))
    );
    assert_eq!(
        verification(Some("require"), Some("f")),
        Ok(Some(Verification::Issuer("f")))
    );
    assert_eq!(
        verification(Some("verify-full"), Some("f")),
        Ok(Some(Verification::IssuerAndHost("f")))
    );
    for mode in ["verify-ca", "verify-full", "required", ""] {
        assert!(verification(Some(mode), None).is_err(), "{mode}");
    }
}

#[test]
fn nonsense_is_refused_without_repeating_it() {
    for url in [
        "postgres://me:geheim@h:notaport/d",
        "postgres://me:geheim@h/d?what=1",
        "postgres://me:geheim@/d",
        "postgres://me:geheim@h:1/d?port=2",
    ] {
        let StoreError::Unusable(text) = Connector::parse(url).unwrap_err() else {
            panic!("another kind of error for {url}");
        };
        assert!(!text.contains("geheim"), "{text}");
    }
}
