//! Which of several orchestrators is asked.
//!
//! The worker stays with the one that serves it. If that one does not, the next request goes to another: to the one
//! that failed least since it last served; of several, to one that the author named, in the order of the names. It goes
//! there at once, as long as one is left that was not asked since any of them served; then the usual waits begin.
//! Those that an orchestrator named are asked when all others have failed, and a worker that cannot reach them loses one
//! request to each. Only those are remembered whose scheme the author used: a key that the author sends by `https`
//! does not go out by `http`, and a worker without certificates asks no `https`.

use std::fmt;

use orchestrator_domain::masked_url::masked_url;

/// How many orchestrators are remembered.
const MOST: usize = 16;

/// One of the orchestrators.
#[derive(Clone, PartialEq, Eq)]
struct Known {
    /// Its URL, without a slash at its end.
    url: String,
    /// How often in a row it did not serve.
    failures: u32,
}

impl fmt::Debug for Known {
    /// Hides possible passwords in the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} failures)", masked_url(&self.url), self.failures)
    }
}

/// The orchestrators of a worker, and the one that is asked.
#[derive(Debug)]
pub(super) struct Orchestrators {
    /// Those of the author first. Never empty.
    known: Vec<Known>,
    /// How many are of the author.
    named: usize,
    current: usize,
    /// How many in a row have not served.
    in_a_row: usize,
}

impl Orchestrators {
    /// Those whose URLs stand in a text, separated by commas. The first one is asked.
    pub(super) fn new(urls: &str) -> Self {
        let mut orchestrators = Self {
            known: Vec::new(),
            named: 0,
            current: 0,
            in_a_row: 0,
        };
        for url in urls.split(',') {
            orchestrators.add(url);
        }
        if orchestrators.known.is_empty() {
            orchestrators.known.push(Known {
                url: String::new(),
                failures: 0,
            });
        }
        orchestrators.named = orchestrators.known.len();
        orchestrators
    }

    /// The URL of the one that is asked.
    pub(super) fn current(&self) -> &str {
        self.known
            .get(self.current)
            .map_or("", |known| known.url.as_str())
    }

    /// Adds others. If there are too many, the learned one that failed most is forgotten.
    pub(super) fn learn<'a>(&mut self, urls: impl IntoIterator<Item = &'a str>) {
        for url in urls {
            let named = self.known.iter().take(self.named);
            if named
                .map(|known| scheme(&known.url))
                .any(|it| it == scheme(url))
            {
                self.add(url);
            }
        }
    }

    fn add(&mut self, url: &str) {
        let url = url.trim().trim_end_matches('/');
        if url.is_empty() || self.known.iter().any(|known| known.url == url) {
            return;
        }
        if self.known.len() >= MOST {
            let learned = self.known.iter().enumerate().skip(self.named);
            let others = learned.filter(|(place, _)| *place != self.current);
            let Some((worst, _)) = others.max_by_key(|(_, known)| known.failures) else {
                return;
            };
            self.known.remove(worst);
            if self.current > worst {
                self.current -= 1;
            }
        }
        self.known.push(Known {
            url: url.to_owned(),
            failures: 0,
        });
    }

    /// Whether there are others than the one that is asked.
    pub(super) fn are_several(&self) -> bool {
        self.known.len() > 1
    }

    /// The one that is asked has served.
    pub(super) fn served(&mut self) {
        self.in_a_row = 0;
        if let Some(known) = self.known.get_mut(self.current) {
            known.failures = 0;
        }
    }

    /// The one that is asked has not served: the next request goes to another, if there is one. Returns whether there is
    /// one that was not asked since any of them served.
    pub(super) fn failed(&mut self) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if let Some(known) = self.known.get_mut(self.current) {
            known.failures = known.failures.saturating_add(1);
        }
        let others = self.known.iter().enumerate();
        let others = others.filter(|(place, _)| *place != self.current);
        let next = others.min_by_key(|(place, known)| (known.failures, *place));
        self.current = next.map_or(self.current, |(place, _)| place);
        self.in_a_row < self.known.len()
    }
}

fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("", |(scheme, _)| scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_failures(orchestrators: &mut Orchestrators, count: usize) -> Vec<String> {
        let mut asked = Vec::new();
        for _ in 0..count {
            orchestrators.failed();
            asked.push(
                orchestrators
                    .current()
                    .trim_start_matches("http://")
                    .to_owned(),
            );
        }
        asked
    }

    #[test]
    fn a_worker_stays_with_the_one_that_serves_it() {
        let mut two = Orchestrators::new("http://a/, http://b");
        assert_eq!(two.current(), "http://a");
        two.served();
        assert_eq!(two.current(), "http://a");
        two.failed();
        assert_eq!(two.current(), "http://b");
        two.served();
        assert_eq!(two.current(), "http://b");
    }

    #[test]
    fn all_are_asked_in_turn_while_none_serves() {
        let mut three = Orchestrators::new("http://a,http://b,http://c");
        assert_eq!(
            after_failures(&mut three, 6),
            ["b", "c", "a", "b", "c", "a"]
        );
    }

    #[test]
    fn each_of_the_others_is_asked_once_without_a_wait() {
        let mut three = Orchestrators::new("http://a,http://b,http://c");
        let at_once = |known: &mut Orchestrators| [(); 4].map(|()| known.failed());
        assert_eq!(at_once(&mut three), [true, true, false, false]);
        three.served();
        assert_eq!(at_once(&mut three), [true, true, false, false]);
        let mut one = Orchestrators::new("http://a");
        assert!(!one.failed() && !one.are_several());
    }

    #[test]
    fn one_that_never_serves_costs_one_request_in_many() {
        let mut known = Orchestrators::new("http://a,http://b");
        known.learn(["http://dead"]);
        // Neither a nor b: the one that was learned is asked.
        assert_eq!(after_failures(&mut known, 3), ["b", "dead", "a"]);
        known.served();
        for _ in 0..10 {
            // A passing failure of one of the others does not lead there again.
            known.failed();
            assert_ne!(known.current(), "http://dead");
            known.served();
        }
    }

    #[test]
    fn one_alone_is_asked_again_and_again() {
        let mut one = Orchestrators::new("http://a");
        assert_eq!(after_failures(&mut one, 3), ["a", "a", "a"]);
        let mut none = Orchestrators::new(" , ");
        none.failed();
        assert_eq!(none.current(), "");
    }

    #[test]
    fn an_orchestrator_is_known_once_and_only_so_many_are() {
        let mut known = Orchestrators::new("http://a");
        known.learn(["http://a/", "http://a"]);
        assert_eq!(known.known.len(), 1);
        let many: Vec<String> = (0..99).map(|number| format!("http://{number}")).collect();
        known.learn(many.iter().map(String::as_str));
        assert_eq!(known.known.len(), MOST);
        // The author's stays, and the newest is there.
        assert_eq!(known.current(), "http://a");
        assert!(known.known.iter().any(|known| known.url == "http://98"));
    }

    #[test]
    fn only_orchestrators_of_the_authors_scheme_are_learned() {
        let mut known = Orchestrators::new("https://a");
        known.learn(["http://b", "https://c"]);
        assert_eq!(after_failures(&mut known, 2), ["https://c", "https://a"]);
    }

    #[test]
    fn no_password_is_shown() {
        let known = Orchestrators::new("http://me:geheim@a");
        assert!(!format!("{known:?}").contains("geheim"));
    }
}
