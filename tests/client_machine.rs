//! The rules of a worker under any sequence of answers, losses and suspensions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use resilient_orchestrator::client::machine::{Action, Answer, Beat, Changes, Machine, Request};
use resilient_orchestrator::client::{Ending, Epoch, Handoff, StreamAssignment, StreamId};

const MS: Duration = Duration::from_millis(1);

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// Time passes with the machine asked at each of its deadlines.
    Wait(u64),
    /// Time passes with nobody running: the process is suspended.
    Suspend(u64),
    /// The answer to the request under way.
    Answer(Reply),
    GiveBack(StreamId),
    StartFails(StreamId),
    Leave,
}

#[derive(Debug, Clone)]
enum Reply {
    Good {
        lease: Option<u64>,
        set: Option<Set>,
    },
    Failed(Option<u64>),
    Unknown,
    OtherProcess,
    Nonsense,
}

#[derive(Debug, Clone)]
enum Set {
    Difference(Vec<(StreamId, Epoch, bool)>, Vec<StreamId>),
    Full(Vec<(StreamId, Epoch, bool)>),
}

fn streams() -> impl Strategy<Value = Vec<(StreamId, Epoch, bool)>> {
    // Whether a stream is exclusive is a property of the stream here: even ones are.
    let one = (0..6_i64, 0..40_i64).prop_map(|(id, epoch)| (id, epoch, id % 2 == 0));
    prop::collection::vec(one, 0..4)
}

fn set() -> impl Strategy<Value = Set> {
    prop_oneof![
        (streams(), prop::collection::vec(0..6_i64, 0..3))
            .prop_map(|(assign, revoke)| Set::Difference(assign, revoke)),
        streams().prop_map(Set::Full),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let lease = prop_oneof![
        8 => (500..20_000_u64).prop_map(Some),
        1 => Just(Some(0)),
        1 => Just(None),
    ];
    prop_oneof![
        20 => (lease, prop::option::of(set())).prop_map(|(lease, set)| Reply::Good { lease, set }),
        6 => prop::option::of(0..100_u64).prop_map(Reply::Failed),
        1 => Just(Reply::Unknown),
        1 => Just(Reply::Nonsense),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_000_u64).prop_map(Step::Wait),
        1 => (0..60_000_u64).prop_map(Step::Suspend),
        12 => reply().prop_map(Step::Answer),
        1 => (0..6_i64).prop_map(Step::GiveBack),
        1 => (0..6_i64).prop_map(Step::StartFails),
    ]
}

/// One of these may end it.
fn last_step() -> impl Strategy<Value = Option<Step>> {
    prop_oneof![
        Just(None),
        Just(Some(Step::Leave)),
        Just(Some(Step::Answer(Reply::OtherProcess))),
    ]
}

/// What somebody who watches the machine knows, from its actions and the answers alone.
struct Watcher {
    machine: Machine,
    now: Duration,
    under_way: Option<(Request, Duration)>,
    running: BTreeMap<StreamId, StreamAssignment>,
    /// When exclusive streams must have stopped, reckoned anew.
    stop_at: Duration,
    /// What was last said to be assigned, and the highest epoch said so far.
    told: BTreeMap<StreamId, Epoch>,
    highest: BTreeMap<StreamId, Epoch>,
    started: BTreeMap<StreamId, Epoch>,
    given_back: BTreeSet<StreamId>,
    fails_to_start: BTreeSet<StreamId>,
    version: i64,
    is_leaving: bool,
    ended: Option<Ending>,
}

impl Watcher {
    fn new() -> Self {
        Self {
            machine: Machine::new(6),
            now: Duration::from_secs(1_000),
            under_way: None,
            running: BTreeMap::new(),
            stop_at: Duration::ZERO,
            told: BTreeMap::new(),
            highest: BTreeMap::new(),
            started: BTreeMap::new(),
            given_back: BTreeSet::new(),
            fails_to_start: BTreeSet::new(),
            version: 0,
            is_leaving: false,
            ended: None,
        }
    }

    /// Does everything there is to do at this moment.
    fn settle(&mut self) {
        let mut count = 0;
        while let Some(action) = self.machine.next(self.now) {
            count += 1;
            assert!(count < 100, "it never rests");
            self.check_order(&action);
            match action {
                Action::Start(stream) => self.start(stream),
                Action::Stop(stream, _) => {
                    assert_eq!(self.running.remove(&stream.id), Some(stream));
                }
                Action::Send(request) => {
                    assert_eq!(self.under_way, None, "one request at a time");
                    if let Request::Heartbeat { running, .. } = &request {
                        assert!(
                            running.iter().eq(self.running.keys()),
                            "it says what it runs"
                        );
                    }
                    self.under_way = Some((request, self.now));
                }
                Action::End(ending) => {
                    assert_eq!(self.ended.replace(ending), None, "it ends once");
                }
            }
        }
        self.check();
    }

    /// Nothing is started or sent while something has to be stopped.
    fn check_order(&self, action: &Action) {
        if matches!(action, Action::Stop(..)) {
            return;
        }
        for stream in self.running.values() {
            let is_exclusive = stream.handoff == Handoff::Exclusive;
            let is_over = is_exclusive && self.now >= self.stop_at;
            assert!(!is_over, "{action:?} before the stop of {stream:?}");
            let is_told = self.told.get(&stream.id) == Some(&stream.epoch);
            assert!(is_told, "{action:?} before the stop of {stream:?}");
        }
    }

    fn start(&mut self, stream: StreamAssignment) {
        assert_eq!(
            self.told.get(&stream.id),
            Some(&stream.epoch),
            "not assigned"
        );
        assert!(stream.handoff == Handoff::Overlap || self.now < self.stop_at);
        assert!(!self.given_back.contains(&stream.id), "just given back");
        assert!(!self.is_leaving);
        let last = self.started.insert(stream.id, stream.epoch);
        assert!(last <= Some(stream.epoch), "an older epoch of {stream:?}");
        if self.fails_to_start.remove(&stream.id) {
            self.machine.start_failed(stream.id);
            self.given_back.insert(stream.id);
        } else {
            assert_eq!(
                self.running.insert(stream.id, stream),
                None,
                "it runs already"
            );
        }
    }

    /// What holds whenever there is nothing to do.
    fn check(&self) {
        let expected: BTreeMap<StreamId, Epoch> = self
            .told
            .iter()
            .filter(|(id, _)| !self.given_back.contains(id))
            .filter(|(id, _)| *id % 2 == 1 || self.now < self.stop_at)
            .filter(|_| !self.is_leaving && self.ended.is_none())
            .map(|(id, epoch)| (*id, *epoch))
            .collect();
        let running = self.running.iter().map(|(id, stream)| (*id, stream.epoch));
        assert_eq!(running.collect::<BTreeMap<_, _>>(), expected);
        let has_deadline = self.machine.next_deadline().is_some();
        let is_waiting = self.under_way.is_some() || self.ended.is_some();
        assert!(has_deadline || is_waiting, "it would sleep for ever");
        let deadline = self.machine.next_deadline();
        assert!(deadline.is_none_or(|at| at > self.now), "it would spin");
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.machine.next_deadline().filter(|at| *at <= until) {
            // Nothing happens a moment before, and something does at the deadline.
            self.now = self.now.max(at.saturating_sub(MS));
            assert_eq!(self.machine.next(self.now), None, "early");
            self.now = at;
            let before = (self.under_way.clone(), self.running.len());
            self.settle();
            let after = (self.under_way.clone(), self.running.len());
            assert_ne!(before, after, "nothing was due");
        }
        self.now = until;
        self.settle();
    }

    fn answer(&mut self, reply: &Reply) {
        let Some((request, sent_at)) = self.under_way.take() else {
            return;
        };
        let answer = self.answer_to(&request, sent_at, reply);
        self.machine.answered(self.now, answer, 0.5);
        self.settle();
    }

    fn answer_to(&mut self, request: &Request, sent_at: Duration, reply: &Reply) -> Answer {
        let is_registration = matches!(request, Request::Register);
        match (reply, request) {
            (Reply::Good { .. }, Request::Register) => Answer::Registered {
                incarnation: 1,
                interval: Duration::from_secs(1),
            },
            (Reply::Good { lease, set }, Request::Heartbeat { .. }) => {
                Answer::Beaten(self.beat(sent_at, *lease, set.as_ref()))
            }
            (Reply::Good { .. }, Request::Release { streams, .. }) => {
                for id in streams {
                    self.told.remove(id);
                    self.given_back.remove(id);
                }
                Answer::Released
            }
            (Reply::Good { .. }, Request::Leave { .. }) => Answer::Left,
            (Reply::Good { .. } | Reply::Nonsense, _) => {
                Answer::Listed(vec![1, 2]) // nobody asked for it
            }
            (Reply::Failed(seconds), _) => Answer::Failed {
                retry_after: seconds.map(Duration::from_secs),
            },
            (Reply::Unknown, _) => {
                if !is_registration && !matches!(request, Request::Leave { .. }) {
                    self.told.clear();
                    self.given_back.clear();
                    self.stop_at = Duration::ZERO;
                }
                Answer::Unknown
            }
            (Reply::OtherProcess, _) => {
                self.told.clear();
                self.stop_at = Duration::ZERO;
                Answer::OtherProcess("newer".to_owned())
            }
        }
    }

    fn beat(&mut self, sent_at: Duration, lease: Option<u64>, set: Option<&Set>) -> Beat {
        let lease = lease.map(Duration::from_millis);
        let granted = lease.unwrap_or(Duration::from_secs(240));
        if !granted.is_zero() {
            self.stop_at = self.stop_at.max(sent_at + granted.mul_f64(0.9));
        }
        if set.is_some() {
            self.version += 1;
        }
        let changes = set.map(|set| match set {
            Set::Difference(assign, revoke) => {
                for id in revoke {
                    self.told.remove(id);
                    self.given_back.remove(id);
                }
                self.hear(assign);
                Changes::Difference {
                    assign: assign.iter().map(assignment).collect(),
                    revoke: revoke.clone(),
                }
            }
            Set::Full(assign) => {
                self.told.clear();
                self.hear(assign);
                let told = &self.told;
                self.given_back.retain(|id| told.contains_key(id));
                Changes::Full(assign.iter().map(assignment).collect())
            }
        });
        Beat {
            lease,
            version: Some(self.version),
            changes,
        }
    }

    fn hear(&mut self, assign: &[(StreamId, Epoch, bool)]) {
        for (id, epoch, _) in assign {
            let highest = self.highest.entry(*id).or_insert(*epoch);
            if epoch > highest {
                self.given_back.remove(id);
            }
            if epoch >= highest {
                *highest = *epoch;
                self.told.insert(*id, *epoch);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Wait(span) => self.wait(MS * u32::try_from(*span).unwrap_or(0)),
            Step::Suspend(span) => {
                self.now += MS * u32::try_from(*span).unwrap_or(0);
                self.settle();
            }
            Step::Answer(reply) => self.answer(reply),
            Step::GiveBack(id) => {
                if self.told.contains_key(id) {
                    self.given_back.insert(*id);
                }
                self.machine.give_back(*id);
                self.settle();
            }
            Step::StartFails(id) => {
                self.fails_to_start.insert(*id);
            }
            Step::Leave => {
                self.is_leaving = true;
                self.machine.leave();
                self.settle();
            }
        }
    }
}

fn assignment((id, epoch, is_exclusive): &(StreamId, Epoch, bool)) -> StreamAssignment {
    let handoff = if *is_exclusive {
        Handoff::Exclusive
    } else {
        Handoff::Overlap
    };
    StreamAssignment {
        epoch: *epoch,
        handoff,
        ..StreamAssignment::new(*id)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The watcher's assertions are the properties: one request at a time; stops before anything
    /// else; no exclusive stream at or after the stop time; only what is assigned, under epochs
    /// that never fall; and at rest exactly the set that may run.
    #[test]
    fn a_worker_runs_what_it_may_and_nothing_else(
        steps in prop::collection::vec(step(), 1..120),
        last in last_step(),
    ) {
        let mut watcher = Watcher::new();
        watcher.settle();
        let good = Reply::Good { lease: Some(10_000), set: Some(Set::Full(vec![(2, 1, true), (3, 1, false)])) };
        watcher.answer(&good);
        watcher.answer(&good);
        prop_assert_eq!(watcher.running.len(), 2);
        for step in &steps {
            watcher.step(step);
        }
        // Whatever happened: once it is answered again, it comes back to exactly what it is told.
        watcher.fails_to_start.clear();
        for _ in 0..12 {
            watcher.wait(Duration::from_secs(70));
            watcher.answer(&Reply::Good {
                lease: Some(1_000_000),
                set: Some(Set::Full(vec![(2, 99, true), (3, 99, false)])),
            });
        }
        prop_assert_eq!(watcher.running.keys().copied().collect::<Vec<_>>(), [2, 3]);
        if let Some(last) = last {
            watcher.step(&last);
            for _ in 0..8 {
                watcher.wait(Duration::from_secs(70));
                watcher.answer(&Reply::OtherProcess);
            }
            prop_assert!(watcher.ended.is_some());
            prop_assert!(watcher.running.is_empty());
        }
    }
}
