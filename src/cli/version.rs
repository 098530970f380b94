//! `orchestrator version`: which build this is.

use serde_json::json;

/// Set by `build.rs`; empty if it is unknown.
const REVISION: &str = env!("ORCHESTRATOR_BUILD_REVISION");
const RUSTC: &str = env!("ORCHESTRATOR_BUILD_RUSTC");
const TARGET: &str = env!("ORCHESTRATOR_BUILD_TARGET");
const PROFILE: &str = env!("ORCHESTRATOR_BUILD_PROFILE");

/// The databases that this build knows, by the scheme of `DATABASE_URL`.
const DATABASES: [&str; 3] = ["sqlite", "postgres", "memory"];

/// Returns the build as lines for people, or as JSON.
pub(super) fn text(is_json: bool) -> String {
    let known = |text: &'static str| Some(text).filter(|text| !text.is_empty());
    if is_json {
        let build = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "revision": known(REVISION),
            "rustc": known(RUSTC),
            "target": TARGET,
            "profile": PROFILE,
            "databases": DATABASES,
        });
        return format!("{build:#}\n");
    }
    format!(
        "orchestrator {}\nrevision   {}\nrustc      {}\ntarget     {TARGET} ({PROFILE})\ndatabases  {}\n",
        env!("CARGO_PKG_VERSION"),
        known(REVISION).unwrap_or("unknown"),
        known(RUSTC).unwrap_or("unknown"),
        DATABASES.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_build_names_its_version_and_its_compiler() {
        let build: Value = serde_json::from_str(&text(true)).unwrap();
        assert_eq!(build["version"], env!("CARGO_PKG_VERSION"));
        assert!(build["rustc"].as_str().unwrap().starts_with("rustc "));
        assert!(build["revision"].is_string() || build["revision"].is_null());
        let lines = text(false);
        assert!(
            lines.starts_with("orchestrator ") && lines.contains("rustc 1."),
            "{lines}"
        );
    }
}
