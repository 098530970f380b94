//! The rules of a worker under any sequence of answers, losses and suspensions.
#![expect(clippy::unwrap_used, reason = "what cannot be is a failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orchestrator_client::machine::{
    Action, Answer, Beat, Changes, Machine, Outcome, Request, Running, Ticket,
};
use orchestrator_client::{Ending, Epoch, Handoff, StreamAssignment, StreamId};
use proptest::prelude::*;

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
    /// An answer that comes too late, or twice: to a request that is no longer under way.
    Late(Reply),
    GiveBack(StreamId),
    StartFails(StreamId),
    /// From now on calls take their time, until told to end.
    BeSlow,
    /// The call under way ends.
    EndCall,
    /// Somebody says that the orchestrator is at another version.
    News(i64),
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
    prop::collection::vec((0..6_i64, 0..40_i64, any::<bool>()), 0..4)
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
        2 => reply().prop_map(Step::Late),
        1 => Just(Step::BeSlow),
        3 => Just(Step::EndCall),
        1 => (0..9_i64).prop_map(Step::News),
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
    under_way: Option<(Ticket, Request, Duration)>,
    last_ticket: Ticket,
    /// The call under way: which stream, and whether it is to stop.
    call: Option<(StreamId, bool)>,
    is_slow: bool,
    running: BTreeMap<StreamId, StreamAssignment>,
    /// When exclusive streams must have stopped, reckoned anew.
    stop_at: Duration,
    /// What was last said to be assigned, and the highest epoch said so far.
    told: BTreeMap<StreamId, (Epoch, Handoff)>,
    highest: BTreeMap<StreamId, Epoch>,
    started: BTreeMap<StreamId, Epoch>,
    given_back: BTreeSet<StreamId>,
    fails_to_start: BTreeSet<StreamId>,
    version: i64,
    incarnation: i64,
    granted: Option<Duration>,
    is_leaving: bool,
    ended: Option<Ending>,
}

impl Watcher {
    fn new() -> Self {
        Self {
            machine: Machine::new(6),
            now: Duration::from_secs(1_000),
            under_way: None,
            last_ticket: 0,
            call: None,
            is_slow: false,
            running: BTreeMap::new(),
            stop_at: Duration::ZERO,
            told: BTreeMap::new(),
            highest: BTreeMap::new(),
            started: BTreeMap::new(),
            given_back: BTreeSet::new(),
            fails_to_start: BTreeSet::new(),
            version: 0,
            incarnation: 0,
            granted: None,
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
                    assert_eq!(self.running.get(&stream.id), Some(&stream));
                    self.begin(stream.id, true);
                }
                Action::Bind(id, handoff) => {
                    self.running.get_mut(&id).unwrap().handoff = handoff;
                }
                Action::Send(ticket, request) => self.send(ticket, request),
                Action::End(ending) => {
                    assert_eq!(self.ended.replace(ending), None, "it ends once");
                }
            }
        }
        self.check();
    }

    fn send(&mut self, ticket: Ticket, request: Request) {
        assert_eq!(self.under_way, None, "one request at a time");
        assert!(ticket > self.last_ticket);
        let has_to_stop = self.running.values().any(|stream| self.must_stop(stream));
        if let Request::Heartbeat {
            running, version, ..
        } = &request
        {
            let ids = Running::Streams(self.running.keys().copied().collect());
            assert_eq!(*running, ids, "it says what it runs");
            assert_eq!(
                version.is_none(),
                has_to_stop,
                "it confirms when all is stopped, and not before"
            );
        } else {
            assert!(!has_to_stop, "{request:?} before all is stopped");
        }
        self.last_ticket = ticket;
        self.under_way = Some((ticket, request, self.now));
    }

    /// Whether it must not run, or is being stopped.
    fn must_stop(&self, stream: &StreamAssignment) -> bool {
        let is_over = stream.handoff == Handoff::Exclusive && self.now >= self.stop_at;
        let is_told = self.told.get(&stream.id).map(|(epoch, _)| *epoch) == Some(stream.epoch);
        let is_unwanted = self.given_back.contains(&stream.id) || self.is_leaving;
        is_over || !is_told || is_unwanted || self.call == Some((stream.id, true))
    }

    /// Nothing is started or sent while something could be stopped.
    fn check_order(&self, action: &Action) {
        if matches!(action, Action::Stop(..) | Action::Bind(..)) {
            return;
        }
        for stream in self.running.values() {
            let could_stop = self.call.is_none() && self.must_stop(stream);
            assert!(!could_stop, "{action:?} before the stop of {stream:?}");
        }
    }

    fn start(&mut self, stream: StreamAssignment) {
        assert_eq!(
            self.told.get(&stream.id),
            Some(&(stream.epoch, stream.handoff)),
            "not assigned"
        );
        assert!(stream.handoff == Handoff::Overlap || self.now < self.stop_at);
        assert!(!self.given_back.contains(&stream.id), "just given back");
        assert!(!self.is_leaving);
        let last = self.started.insert(stream.id, stream.epoch);
        assert!(last <= Some(stream.epoch), "an older epoch of {stream:?}");
        let id = stream.id;
        assert_eq!(self.running.insert(id, stream), None, "it runs already");
        self.begin(id, false);
    }

    fn begin(&mut self, id: StreamId, is_stop: bool) {
        assert_eq!(self.call.replace((id, is_stop)), None, "one call at a time");
        if !self.is_slow {
            self.end_call();
        }
    }

    fn end_call(&mut self) {
        let Some((id, is_stop)) = self.call.take() else {
            return;
        };
        let mut outcome = Outcome::Done;
        if is_stop {
            self.running.remove(&id);
        } else if self.fails_to_start.remove(&id) {
            outcome = Outcome::Failed;
            let failed = self.running.remove(&id).unwrap();
            if self.told.get(&id).map(|(epoch, _)| *epoch) == Some(failed.epoch) {
                self.given_back.insert(id);
            }
        }
        assert_eq!(self.machine.done(outcome), Some(id));
    }

    /// What holds whenever there is nothing to do.
    fn check(&self) {
        let may_run: BTreeMap<StreamId, Epoch> = self
            .told
            .iter()
            .filter(|(id, _)| !self.given_back.contains(id))
            .filter(|(_, (_, handoff))| *handoff == Handoff::Overlap || self.now < self.stop_at)
            .filter(|_| !self.is_leaving && self.ended.is_none())
            .map(|(id, (epoch, _))| (*id, *epoch))
            .collect();
        let running = self.running.iter().map(|(id, stream)| (*id, stream.epoch));
        if self.call.is_none() {
            assert_eq!(running.collect::<BTreeMap<_, _>>(), may_run);
        }
        for (id, stream) in &self.running {
            if let Some((epoch, handoff)) = self.told.get(id)
                && *epoch == stream.epoch
            {
                assert_eq!(*handoff, stream.handoff, "{stream:?} is bound anew");
            }
        }
        let has_deadline = self.machine.next_deadline().is_some();
        let is_waiting = self.under_way.is_some() || self.ended.is_some() || self.call.is_some();
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
            let before = (self.under_way.clone(), self.running.len(), self.call);
            self.settle();
            let after = (self.under_way.clone(), self.running.len(), self.call);
            assert_ne!(before, after, "nothing was due");
        }
        self.now = until;
        self.settle();
    }

    fn answer(&mut self, reply: &Reply) {
        let Some((ticket, request, sent_at)) = self.under_way.take() else {
            return;
        };
        let answer = self.answer_to(&request, sent_at, reply);
        self.machine.answered(ticket, self.now, answer, 0.5);
        self.settle();
    }

    /// Nothing must come of it.
    fn answer_late(&mut self, reply: &Reply) {
        let under_way = self.under_way.as_ref();
        let Some(ticket) =
            under_way.map_or(Some(self.last_ticket), |(ticket, ..)| ticket.checked_sub(1))
        else {
            return;
        };
        let answer = match reply {
            Reply::Good { lease, set } => Answer::Beaten(Beat {
                lease: lease.map(|lease| MS * u32::try_from(lease).unwrap_or(0)),
                version: Some(1_000),
                changes: set.as_ref().map(changes),
                ..Beat::default()
            }),
            Reply::Failed(_) => Answer::Failed { retry_after: None },
            Reply::Unknown => Answer::Unknown,
            Reply::OtherProcess => Answer::OtherProcess("newer".to_owned()),
            Reply::Nonsense => Answer::Left,
        };
        let before = format!("{:?}", self.machine);
        self.machine.answered(ticket, self.now, answer, 0.5);
        assert_eq!(format!("{:?}", self.machine), before, "it was heard");
    }

    fn answer_to(&mut self, request: &Request, sent_at: Duration, reply: &Reply) -> Answer {
        let is_registration = matches!(request, Request::Register);
        match (reply, request) {
            (Reply::Good { .. }, Request::Register) => Answer::Registered {
                incarnation: {
                    self.incarnation += 1;
                    self.incarnation
                },
                interval: Duration::from_secs(1),
                request_limit: None,
            },
            (Reply::Good { lease, set }, Request::Heartbeat { .. }) => {
                let is_told = matches!(
                    request,
                    Request::Heartbeat {
                        version: Some(_),
                        ..
                    }
                );
                let set = set.as_ref().filter(|_| is_told);
                Answer::Beaten(self.beat(sent_at, *lease, set, is_told))
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

    fn beat(
        &mut self,
        sent_at: Duration,
        lease: Option<u64>,
        set: Option<&Set>,
        is_told: bool,
    ) -> Beat {
        let lease = lease.map(Duration::from_millis);
        let granted = lease.or(self.granted).unwrap_or(Duration::from_secs(240));
        // A lease that ended begins again only with the changes there were.
        if !granted.is_zero() && (is_told || sent_at < self.stop_at) {
            self.granted = Some(granted);
            self.stop_at = sent_at + granted / 10 * 9;
        }
        if set.is_some() {
            self.version += 1;
        }
        match set {
            Some(Set::Difference(assign, revoke)) => {
                for id in revoke {
                    self.told.remove(id);
                    self.given_back.remove(id);
                }
                self.hear(assign);
            }
            Some(Set::Full(assign)) => {
                self.told.clear();
                self.hear(assign);
                let told = &self.told;
                self.given_back.retain(|id| told.contains_key(id));
            }
            None => {}
        }
        Beat {
            lease,
            version: Some(self.version),
            changes: set.map(changes),
            ..Beat::default()
        }
    }

    fn hear(&mut self, assign: &[(StreamId, Epoch, bool)]) {
        for (id, epoch, is_exclusive) in assign {
            let highest = self.highest.entry(*id).or_insert(*epoch);
            if epoch > highest {
                self.given_back.remove(id);
            }
            if epoch >= highest {
                *highest = *epoch;
                self.told.insert(*id, (*epoch, handoff(*is_exclusive)));
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
            Step::Late(reply) => self.answer_late(reply),
            Step::BeSlow => self.is_slow = true,
            Step::EndCall => {
                self.is_slow = false;
                self.end_call();
                self.settle();
            }
            Step::News(version) => {
                self.machine.news(self.incarnation, *version);
                self.settle();
            }
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

fn handoff(is_exclusive: bool) -> Handoff {
    if is_exclusive {
        Handoff::Exclusive
    } else {
        Handoff::Overlap
    }
}

fn assignment((id, epoch, is_exclusive): &(StreamId, Epoch, bool)) -> StreamAssignment {
    StreamAssignment {
        epoch: *epoch,
        handoff: handoff(*is_exclusive),
        ..StreamAssignment::new(*id)
    }
}

fn changes(set: &Set) -> Changes {
    match set {
        Set::Difference(assign, revoke) => Changes::Difference {
            assign: assign.iter().map(assignment).collect(),
            revoke: revoke.clone(),
        },
        Set::Full(assign) => Changes::Full(assign.iter().map(assignment).collect()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The watcher's assertions are the properties: one request and one call at a time, start and
    /// stop in turn for each stream; stops before anything else, and a version confirmed only after
    /// them; no exclusive stream at or after the stop time; only what is assigned, under epochs that
    /// never fall; nothing comes of late answers; and at rest exactly the set that may run.
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
        watcher.step(&Step::EndCall);
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
