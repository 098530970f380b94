//! Which of several orchestrators is asked.
//!
//! The first one is asked first. If it does not serve, the others are asked in the order in which they were given, and
//! the command stays with the one that serves. A question may be asked at each of them. An order is sent to another
//! one only if it is certain that it was not applied: no byte of it was sent, or the answer is a 503 that says that
//! nothing was changed. An order that may have been applied is not repeated.

use std::cell::{Cell, RefCell};

use super::exposure::Exposure;
use crate::cli::output::complain;
use crate::config::ServerUrl;

/// The end of the sentence about an order whose connection broke.
const UNKNOWN: &str = "The order may or may not have been applied, and was not repeated.";

/// The kinds of 503 that say that nothing was changed: the orchestrator does not serve, and another one may.
const DECLINED: [&str; 2] = ["/problems/standby", "/problems/starting"];

/// The kinds of 503 of which a question says no more: another orchestrator may answer it.
const WITHHELD: [&str; 3] = [
    "/problems/shutting-down",
    "/problems/leadership-unproven",
    "/problems/outcome-unknown",
];

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::client) enum Act {
    /// It changes nothing, so it may be sent again.
    Question,
    /// It may change something.
    Order,
}

impl Act {
    /// Returns whether another orchestrator is asked after a 503 of this kind.
    pub(super) fn goes_on_after(self, kind: &str) -> bool {
        DECLINED.contains(&kind) || (self == Self::Question && WITHHELD.contains(&kind))
    }
}

/// What came of one request to one orchestrator.
#[derive(Debug)]
pub(super) enum Attempt<T> {
    /// It answered.
    Served(T),
    /// It answered that it does not serve, with the reason.
    Declined(T, String),
    /// There was no answer.
    Failed(Failure),
}

/// The reason why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) sentence: String,
    /// Whether nothing listens there.
    pub(super) is_gone: bool,
    /// Whether an order may have been applied.
    pub(super) may_be_applied: bool,
}

/// The reason why no orchestrator answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unserved {
    pub(super) sentence: String,
    /// Whether nothing listens at any of them.
    pub(super) is_gone: bool,
}

/// The orchestrators, and the one that is asked next.
#[derive(Debug)]
pub(super) struct Turns {
    urls: Vec<ServerUrl>,
    current: Cell<usize>,
    exposure: Exposure,
    /// Whether a change is kept for [`Turns::take_note`] and not printed.
    keeps_notes: Cell<bool>,
    note: RefCell<Option<String>>,
}

impl Turns {
    /// The first of the addresses is asked first.
    pub(super) fn new(urls: Vec<ServerUrl>, exposure: Exposure) -> Self {
        Self {
            urls,
            exposure,
            current: Cell::new(0),
            keeps_notes: Cell::new(false),
            note: RefCell::new(None),
        }
    }

    pub(super) fn urls(&self) -> &[ServerUrl] {
        &self.urls
    }

    /// Returns the one that served last; the first one, if none has served.
    pub(super) fn current(&self) -> Option<&ServerUrl> {
        self.urls.get(self.current.get())
    }

    /// Keeps the sentence about a change from now on, because standard error shows the screen.
    pub(super) fn keep_notes(&self) {
        self.keeps_notes.set(true);
    }

    /// Returns the sentence about the last change, once.
    pub(super) fn take_note(&self) -> Option<String> {
        self.note.borrow_mut().take()
    }

    /// Sends a request to one orchestrator after the other until one serves. `send` gets whether another one is left.
    ///
    /// # Errors
    /// Returns the reason of each if none serves, or of the one that may have applied the order.
    pub(super) fn ask<T>(
        &self,
        act: Act,
        send: impl Fn(&ServerUrl, bool) -> Attempt<T>,
    ) -> Result<T, Unserved> {
        let count = self.urls.len();
        let others = (0..count).filter(|place| *place != self.current.get());
        let order: Vec<usize> = [self.current.get()].into_iter().chain(others).collect();
        let mut failures = Vec::new();
        for (tried, place) in order.into_iter().enumerate() {
            let Some(url) = self.urls.get(place) else {
                continue;
            };
            self.warn_of_exposure(url);
            match send(url, tried + 1 < count) {
                Attempt::Served(answer) => {
                    self.served(place, &failures);
                    return Ok(answer);
                }
                // The caller learns more from the answer than from its reason.
                Attempt::Declined(answer, _) if count == 1 => return Ok(answer),
                Attempt::Declined(_, sentence) => failures.push(Failure {
                    sentence,
                    is_gone: false,
                    may_be_applied: false,
                }),
                Attempt::Failed(failure) if act == Act::Order && failure.may_be_applied => {
                    return Err(Unserved {
                        sentence: format!("{} {UNKNOWN}", failure.sentence),
                        is_gone: failure.is_gone,
                    });
                }
                Attempt::Failed(failure) => failures.push(failure),
            }
        }
        let sentence = match failures.as_slice() {
            [one] => one.sentence.clone(),
            several => format!("no orchestrator serves: {}", joined(several)),
        };
        Err(Unserved {
            sentence,
            is_gone: failures.iter().all(|failure| failure.is_gone),
        })
    }

    /// Says that the key can be read on the way to this one, unless that was said.
    fn warn_of_exposure(&self, url: &ServerUrl) {
        let Some(warning) = self.exposure.warning(url) else {
            return;
        };
        if self.keeps_notes.get() {
            self.note.replace(Some(warning));
        } else {
            complain(&format!("orchestrator: warning: {warning}"));
        }
    }

    /// Notes which one serves, and says so if it is another one than before.
    fn served(&self, place: usize, failures: &[Failure]) {
        if self.current.replace(place) == place {
            return;
        }
        let url = self.current().map(ToString::to_string).unwrap_or_default();
        let reasons = joined(failures);
        if self.keeps_notes.get() {
            // A line of a screen may be too short for the reasons.
            self.note.replace(Some(format!("{url} answers. {reasons}")));
        } else {
            complain(&format!("orchestrator: {reasons} {url} answers."));
        }
    }
}

fn joined(failures: &[Failure]) -> String {
    let sentences: Vec<&str> = failures
        .iter()
        .map(|failure| failure.sentence.as_str())
        .collect();
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::exposure::KeyUse;
    use super::*;
    use crate::config;

    fn turns(count: usize) -> Turns {
        let urls = ["http://a", "http://b", "http://c"];
        let urls = urls.into_iter().take(count).filter_map(config::server_url);
        let turns = Turns::new(urls.collect(), Exposure::new(KeyUse::None));
        turns.keep_notes();
        turns
    }

    /// The outcome of one request, by the letter of each orchestrator, and the orchestrators that got it.
    fn asked(
        turns: &Turns,
        act: Act,
        outcome: impl Fn(&str) -> Attempt<&'static str>,
    ) -> (Result<&'static str, Unserved>, String) {
        let sent = RefCell::new(String::new());
        let answer = turns.ask(act, |url, _| {
            let letter = url.expose().trim_start_matches("http://");
            sent.borrow_mut().push_str(letter);
            outcome(letter)
        });
        (answer, sent.into_inner())
    }

    fn failed(letter: &str, may_be_applied: bool) -> Attempt<&'static str> {
        Attempt::Failed(Failure {
            sentence: format!("{letter} is silent."),
            is_gone: !may_be_applied,
            may_be_applied,
        })
    }

    #[test]
    fn the_next_one_is_asked_and_stays_while_it_serves() {
        let three = turns(3);
        let (answer, sent) = asked(&three, Act::Order, |letter| match letter {
            "a" => failed(letter, false),
            "b" => Attempt::Declined("503", "b stands by.".to_owned()),
            _ => Attempt::Served("200"),
        });
        assert_eq!((answer, sent.as_str()), (Ok("200"), "abc"));
        let note = three.take_note();
        assert_eq!(
            note.as_deref(),
            Some("http://c answers. a is silent. b stands by.")
        );
        let (answer, sent) = asked(&three, Act::Order, |_| Attempt::Served("200"));
        assert_eq!((answer, sent.as_str()), (Ok("200"), "c"));
        assert_eq!(three.take_note(), None);
        // When it is lost, the first one is asked again.
        let (answer, sent) = asked(&three, Act::Question, |letter| match letter {
            "c" => failed(letter, true),
            _ => Attempt::Served("200"),
        });
        assert_eq!((answer, sent.as_str()), (Ok("200"), "ca"));
    }

    #[test]
    fn an_order_that_may_have_been_applied_is_not_repeated() {
        let two = turns(2);
        let (answer, sent) = asked(&two, Act::Order, |letter| failed(letter, true));
        let refused = answer.unwrap_err();
        assert_eq!(sent, "a");
        assert_eq!(refused.sentence, format!("a is silent. {UNKNOWN}"));
        let (answer, sent) = asked(&two, Act::Question, |letter| failed(letter, true));
        assert_eq!(sent, "ab");
        assert_eq!(
            answer.unwrap_err().sentence,
            "no orchestrator serves: a is silent. b is silent."
        );
    }

    #[test]
    fn one_alone_is_answered_as_it_answers() {
        let one = turns(1);
        let declined = |_: &str| Attempt::Declined("503", "it stands by.".to_owned());
        assert_eq!(asked(&one, Act::Order, declined).0, Ok("503"));
        let (answer, _) = asked(&one, Act::Question, |letter| failed(letter, false));
        let expected = Unserved {
            sentence: "a is silent.".to_owned(),
            is_gone: true,
        };
        assert_eq!(answer, Err(expected));
    }

    #[test]
    fn only_a_503_that_changed_nothing_lets_an_order_go_on() {
        for (kind, question, order) in [
            ("/problems/standby", true, true),
            ("/problems/starting", true, true),
            ("/problems/shutting-down", true, false),
            ("/problems/leadership-unproven", true, false),
            ("/problems/outcome-unknown", true, false),
            ("/problems/database-unavailable", false, false),
            ("/problems/overloaded", false, false),
            ("", false, false),
        ] {
            assert_eq!(Act::Question.goes_on_after(kind), question, "{kind}");
            assert_eq!(Act::Order.goes_on_after(kind), order, "{kind}");
        }
    }
}
