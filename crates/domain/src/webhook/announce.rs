//! Which messages follow from the state of an alert, and which were announced.

use super::message::{AlertNotice, Content, Message};
use super::target::Target;
use crate::alert::{Alert, Severity};
use crate::string_enum::string_enum;
use crate::time::WallTime;

string_enum! {
    /// What of an alert was announced. It only grows.
    Announced {
        /// Nothing.
        Nothing = "nothing",
        /// That it is open, as a warning.
        Opened = "opened",
        /// That it is open, as critical.
        Critical = "critical",
        /// That it is over.
        Closed = "closed",
    }
}

impl Announced {
    /// Returns the number by which it is stored.
    pub const fn number(self) -> i32 {
        match self {
            Self::Nothing => 0,
            Self::Opened => 1,
            Self::Critical => 2,
            Self::Closed => 3,
        }
    }

    /// Returns the one with a number.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Nothing),
            1 => Some(Self::Opened),
            2 => Some(Self::Critical),
            3 => Some(Self::Closed),
            _ => None,
        }
    }

    /// Returns what is to be announced of an alert as it is now.
    pub const fn of(alert: &Alert) -> Self {
        match (alert.closed_at, alert.severity) {
            (Some(_), _) => Self::Closed,
            (None, Severity::Critical) => Self::Critical,
            (None, Severity::Warning) => Self::Opened,
        }
    }
}

/// Whether an alert is announced whose mark is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// It is announced now; this was announced before.
    Now(Announced),
    /// It waits for the end of a silence.
    Held,
    /// It is over, and no receiver learned that it was open.
    Never,
}

impl Announcement {
    /// Decides it. A silenced alert that is open waits. Of one that is over, the receivers learn that learned that it was open.
    pub const fn of(alert: &Alert, announced: Announced, is_silenced: bool) -> Self {
        match (is_silenced, alert.closed_at, announced) {
            (true, None, _) => Self::Held,
            (true, Some(_), Announced::Nothing) => Self::Never,
            // That it became critical in between is no news any more.
            (true, Some(_), Announced::Opened) => Self::Now(Announced::Critical),
            (true, Some(_), Announced::Critical | Announced::Closed) | (false, _, _) => {
                Self::Now(announced)
            }
        }
    }
}

/// Returns the messages to one target about an alert of which `announced` was announced: that it is open, before that
/// it is over. A target that leaves warnings out learns of an alert when it becomes critical; another one learns
/// it then again. A target gets no message about its own failures.
pub fn announce(alert: &Alert, announced: Announced, target: &Target) -> Vec<Message> {
    if !target.is_active() || alert.subject == target.subject() {
        return Vec::new();
    }
    let mut notices = Vec::new();
    let is_critical = alert.severity == Severity::Critical;
    let opened_before = announced >= Announced::Opened;
    let escalates = is_critical && announced == Announced::Opened;
    if !opened_before || escalates {
        let word = if is_critical { "critical" } else { "opened" };
        let notice = AlertNotice {
            closed_at: None,
            escalated: escalates,
            ..AlertNotice::of(alert)
        };
        notices.push((word, alert.opened_at, notice));
    }
    if let Some(closed_at) = alert.closed_at
        && announced < Announced::Closed
    {
        notices.push(("closed", closed_at, AlertNotice::of(alert)));
    }
    let messages = notices
        .into_iter()
        .map(|(word, at, notice)| message(target, word, at, notice));
    messages.filter(|message| target.wants(message)).collect()
}

/// Returns the message that repeats to a target that an alert is open, if it is to get such messages.
pub fn repeated(alert: &Alert, target: &Target, now: WallTime) -> Option<Message> {
    if !target.is_active() || !alert.is_open() || alert.subject == target.subject() {
        return None;
    }
    let word = format!("repeated_{}", now.as_micros());
    let message = message(target, &word, alert.opened_at, AlertNotice::of(alert));
    target.wants(&message).then_some(message)
}

fn message(target: &Target, word: &str, at: WallTime, notice: AlertNotice) -> Message {
    Message {
        id: format!("msg_{}_alert_{}_{word}", target.uid, notice.id),
        at,
        content: Content::Alert(notice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::AlertKind;
    use crate::ids::AlertId;
    use crate::webhook::format::Format;
    use crate::webhook::message::Urgency;
    use crate::webhook::sample::target;

    fn alert(severity: Severity, closed_at: Option<i64>) -> Alert {
        Alert {
            id: AlertId::new(7),
            kind: AlertKind::Flapping,
            severity,
            subject: "a".to_owned(),
            detail: "it flaps".to_owned(),
            opened_at: WallTime::from_micros(5),
            closed_at: closed_at.map(WallTime::from_micros),
            instances: Vec::new(),
            repeats: 0,
            acknowledged: None,
        }
    }

    #[test]
    fn a_silence_holds_back_what_is_open_and_what_was_never_sent() {
        use Announced::{Critical, Nothing, Opened};
        use Announcement::{Held, Never, Now};
        let table = [
            (None, Nothing, true, Held),
            (None, Opened, true, Held),
            (Some(9), Nothing, true, Never),
            (Some(9), Opened, true, Now(Critical)),
            (Some(9), Critical, true, Now(Critical)),
            (None, Nothing, false, Now(Nothing)),
            (Some(9), Opened, false, Now(Opened)),
        ];
        for (closed_at, mark, is_silenced, expected) in table {
            let alert = alert(Severity::Critical, closed_at);
            let found = Announcement::of(&alert, mark, is_silenced);
            assert_eq!(found, expected, "{closed_at:?} {mark} {is_silenced}");
        }
    }

    #[test]
    fn each_step_of_an_alert_is_announced_once_and_in_order() {
        use Announced::{Closed, Critical, Nothing, Opened};
        use Severity::{Critical as Red, Warning as Yellow};
        type Ids = &'static [&'static str];
        let table: [(Severity, Option<i64>, Announced, Ids, Ids); 12] = [
            (Yellow, None, Nothing, &["opened"], &[]),
            (Yellow, None, Opened, &[], &[]),
            (Yellow, Some(9), Opened, &["closed"], &[]),
            (Yellow, Some(9), Nothing, &["opened", "closed"], &[]),
            (Yellow, Some(9), Closed, &[], &[]),
            (Red, None, Nothing, &["critical"], &["critical"]),
            (Red, None, Opened, &["critical"], &["critical"]),
            (Red, None, Critical, &[], &[]),
            (Red, Some(9), Critical, &["closed"], &["closed"]),
            (
                Red,
                Some(9),
                Nothing,
                &["critical", "closed"],
                &["critical", "closed"],
            ),
            (
                Red,
                Some(9),
                Opened,
                &["critical", "closed"],
                &["critical", "closed"],
            ),
            (Red, Some(9), Closed, &[], &[]),
        ];
        for (severity, closed_at, announced, all, urgent) in table {
            let alert = alert(severity, closed_at);
            for (min, expected) in [(None, all), (Some(Urgency::Critical), urgent)] {
                let target = Target {
                    min_severity: min,
                    ..target(Format::Generic)
                };
                let messages = announce(&alert, announced, &target);
                let ids: Vec<String> = messages.into_iter().map(|message| message.id).collect();
                let expected = expected.iter().map(|word| format!("msg_u1_alert_7_{word}"));
                let expected: Vec<String> = expected.collect();
                assert_eq!(ids, expected, "{alert:?} {announced} {min:?}");
            }
        }
    }

    #[test]
    fn a_target_learns_nothing_of_its_own_failures_or_while_it_is_off() {
        let mut own = alert(Severity::Warning, None);
        let on = target(Format::Generic);
        own.subject = on.subject();
        assert_eq!(announce(&own, Announced::Nothing, &on), []);
        let off = Target {
            enabled: false,
            ..on.clone()
        };
        let other = alert(Severity::Warning, None);
        assert_eq!(announce(&other, Announced::Nothing, &off), []);
        assert_eq!(announce(&other, Announced::Nothing, &on).len(), 1);
        assert!(repeated(&other, &on, WallTime::default()).is_some());
        assert!(repeated(&own, &on, WallTime::default()).is_none());
        let over = alert(Severity::Warning, Some(9));
        assert!(repeated(&over, &on, WallTime::default()).is_none());
    }

    #[test]
    fn marks_have_numbers_in_their_order() {
        for (place, mark) in Announced::ALL.iter().enumerate() {
            assert_eq!(usize::try_from(mark.number()).unwrap(), place);
            assert_eq!(Announced::from_number(mark.number()), Some(*mark));
        }
        assert_eq!(Announced::from_number(4), None);
    }
}
