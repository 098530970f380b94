//! Which settings a reload applies.

use std::collections::BTreeMap;

use super::*;

/// Values of every kind of setting. One that a setting refuses, or that it has already, is left out.
const VALUES: [&str; 31] = [
    "127.0.0.1:9",
    "10.0.0.0/8",
    "memory:",
    "http://a.example",
    "json",
    "debug",
    "rack",
    "load_aware",
    "no",
    "yes",
    "0.6",
    "0.3",
    "2",
    "21",
    "50",
    "1000",
    "5000",
    "1ms",
    "1s",
    "2s",
    "4s",
    "10s",
    "61s",
    "90s",
    "100s",
    "121s",
    "200s",
    "4m",
    "2h",
    "2d",
    "8d",
];

fn loaded(pairs: &[(&str, &str)]) -> Option<Loaded> {
    let flags = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.into()));
    config::load(flags.collect::<BTreeMap<_, _>>()).ok()
}

fn reloading() -> Reloading {
    Reloading::new(
        loaded(&[]).unwrap(),
        Arc::new(|| panic!("nothing is read here")),
    )
}

#[test]
fn a_reload_applies_each_reloadable_setting_and_no_other() {
    let before = loaded(&[]).unwrap().config;
    let folder = tempfile::tempdir().unwrap();
    let receivers = folder.path().join("receivers.toml");
    let receiver = "[webhooks.ops]\nurl = \"https://h.example/x\"\n\
                    secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\"\n";
    std::fs::write(&receivers, receiver).unwrap();
    let of_tls = [TLS_CERT, TLS_KEY, TLS_CLIENT_CA, TLS_CLUSTER_CA];
    for setting in config::settings() {
        // They have a value only together: the test below.
        if of_tls.contains(&setting.name) {
            assert!(setting.is_reloadable());
            continue;
        }
        let mut others = [receivers.to_str().unwrap()]
            .into_iter()
            .chain(VALUES)
            .filter_map(|value| loaded(&[(setting.name, value)]))
            .filter(|other| other.config != before);
        let other = others
            .next()
            .unwrap_or_else(|| panic!("no other value of {}", setting.name));
        let mut reloading = reloading();
        let wanted = other.config.clone();
        reloading.apply(other);
        let expected = match setting.is_reloadable() {
            true => &wanted,
            false => &before,
        };
        assert_eq!(reloading.config(), expected, "{}", setting.name);
    }
}

#[test]
fn certificates_are_applied_unless_tls_begins_or_ends_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    for pair in ["first", "second"] {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(file(pair), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        std::fs::write(file(&format!("{pair}-key")), key).unwrap();
    }
    let with = |pair: &str| {
        let (certificate, key) = (file(pair), file(&format!("{pair}-key")));
        loaded(&[(TLS_CERT, &certificate), (TLS_KEY, &key)]).unwrap()
    };
    let read = || -> ReadSettings { Arc::new(|| panic!("nothing is read here")) };
    let mut encrypted = Reloading::new(with("first"), read());
    encrypted.apply(with("second"));
    assert_eq!(encrypted.config(), &with("second").config);
    let shown = |reloading: &Reloading| {
        let mut values = reloading.effective.iter();
        values
            .find(|value| value.name == TLS_CERT)
            .unwrap()
            .shown
            .clone()
    };
    assert_eq!(shown(&encrypted), file("second"));
    encrypted.apply(loaded(&[]).unwrap());
    assert_eq!(encrypted.config(), &with("second").config);
    assert_eq!(shown(&encrypted), file("second"));
    let mut plain = reloading();
    plain.apply(with("first"));
    assert_eq!(plain.config(), &loaded(&[]).unwrap().config);
    assert_eq!(shown(&plain), "none");
    let differences = |read: &Loaded| {
        let known = with("first");
        let difference = Difference::between(&known.config, &read.config);
        difference.hidden
    };
    assert_eq!(differences(&with("second")), [TLS_CERT, TLS_KEY]);
    assert_eq!(differences(&with("first")), [""; 0]);
}

#[test]
fn a_new_password_waits_for_a_restart_whatever_else_changes() {
    let url = |password: &str| format!("postgres://me:{password}@127.0.0.1/fleet");
    let (old, new) = (url("old"), url("new"));
    let first = loaded(&[("DATABASE_URL", &old), ("DATABASE_TIMEOUT", "5s")]).unwrap();
    let second = loaded(&[("DATABASE_URL", &new), ("DATABASE_TIMEOUT", "6s")]).unwrap();
    let changed = |known: &Loaded, read: &Loaded| {
        let has_changed = Difference::between(&known.config, &read.config);
        let pairs = known.effective.iter().zip(&read.effective);
        let names = pairs
            .filter(|(known, read)| has_changed.is_in(known, read))
            .map(|(known, _)| known.name);
        names.collect::<Vec<_>>()
    };
    // A derived setting follows its source.
    assert_eq!(
        changed(&first, &second),
        ["DATABASE_URL", "DATABASE_TIMEOUT", "DATABASE_LOAD_TIMEOUT"]
    );
    assert_eq!(changed(&second, &second), [""; 0]);
}
