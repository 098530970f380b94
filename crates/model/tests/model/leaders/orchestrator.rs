//! What an orchestrator does: renewals, take-overs, and which answer needs a proof.

use super::setting::{Mutation, Setting};
use super::world::{
    Answer, Ask, Body, Fleet, HALF_LEASE, LEASE, MARGIN, Message, Orchestrator, Reach, WORKERS,
    World,
};

impl Fleet {
    fn epoch_to_run(&self, who: usize) -> Option<u8> {
        (self.owner == who && !self.is_releasing).then_some(self.epoch)
    }

    /// The owner runs the stream no more: the other worker gets it.
    fn give_to_the_other(&mut self) {
        if !self.is_releasing {
            self.versions[self.owner] += 1;
        }
        self.is_releasing = false;
        self.owner = (self.owner + 1) % WORKERS;
        self.epoch += 1;
        self.versions[self.owner] += 1;
    }

    /// The first heartbeat of a new life: the life before runs nothing any more.
    fn adopt(&mut self, who: usize, life: u8) {
        self.lives[who] = life;
        self.versions[who] += 1;
        if self.owner == who && self.is_releasing {
            self.give_to_the_other();
        }
    }
}

impl World {
    /// The orchestrator proves its term, or learns that another one leads.
    pub(super) fn prove(&mut self, at: usize) -> bool {
        let leads = self.orchestrators[at].term == self.database.term;
        if leads {
            self.orchestrators[at].proof_age = 0;
        } else {
            self.orchestrators[at] = Orchestrator::default();
        }
        leads
    }

    pub(super) fn renew(&mut self, at: usize, setting: &Setting) {
        let before = self.orchestrators[at].proof_age;
        if self.prove(at) && setting.late_proofs {
            self.orchestrators[at].proof_age = before;
            self.orchestrators[at].renewal = Some(0);
        }
    }

    pub(super) fn hear_renewal(&mut self, at: usize, setting: &Setting) {
        let orchestrator = &mut self.orchestrators[at];
        if let Some(age) = orchestrator.renewal.take() {
            let age = if setting.mutation == Mutation::ProofFromAnswer {
                0
            } else {
                age
            };
            orchestrator.proof_age = orchestrator.proof_age.min(age);
        }
    }

    /// Safe at any moment: nothing here depends on how the leader before it is.
    pub(super) fn take_over(&mut self, at: usize, setting: &Setting) {
        self.claim(at);
        self.learn(setting);
    }

    /// The process knows that it leads. The leases of the leaders before are waited for from here on.
    pub(super) fn learn(&mut self, setting: &Setting) {
        self.is_in_doubt = false;
        let at = self.database.leader;
        let hold = if setting.mutation == Mutation::TakeOverForgetsLeases {
            0
        } else {
            LEASE + MARGIN
        };
        self.orchestrators[at] = Orchestrator {
            term: self.database.term,
            fleet: self.database.fleet,
            lease_left: [hold; WORKERS],
            proof_age: 0,
            renewal: None,
        };
    }

    /// The take-over is carried out, and its process does not know of it.
    pub(super) fn claim(&mut self, at: usize) {
        self.database.term += 1;
        self.database.leader = at;
        self.is_in_doubt = true;
    }

    /// The other orchestrator confirms that it has not taken over, so the leader has a proof of this moment.
    pub(super) fn prove_by_the_other(&mut self, at: usize, setting: &Setting) -> bool {
        let other = 1 - at;
        let is_in_doubt = self.is_in_doubt && self.database.leader == other;
        let confirms = self.orchestrators[other].term == 0 && !is_in_doubt;
        let is_proven = confirms || setting.mutation == Mutation::FailsafeWithoutAWord;
        if is_proven {
            self.orchestrators[at].proof_age = 0;
        }
        is_proven
    }

    /// A change of the fleet, in a transaction that the term guards. The caller has proved it.
    fn save(&mut self, at: usize, change: impl FnOnce(&mut Fleet)) {
        let fleet = &mut self.orchestrators[at].fleet;
        change(fleet);
        self.database.fleet = *fleet;
    }

    pub(super) fn begin_move(&mut self, at: usize) {
        self.save(at, |fleet| {
            if !fleet.is_releasing {
                fleet.versions[fleet.owner] += 1;
                fleet.is_releasing = true;
            }
        });
    }

    pub(super) fn take_from_owner(&mut self, at: usize) {
        self.save(at, Fleet::give_to_the_other);
    }

    /// The answer to a request; none: it is withheld.
    pub(super) fn handle(
        &mut self,
        message: Message,
        at: usize,
        reach: Reach,
        setting: &Setting,
    ) -> Option<Message> {
        let Body::Request(ask) = message.body else {
            return None;
        };
        if reach == Reach::Database && !self.prove(at) {
            return None;
        }
        if reach == Reach::Other && !self.prove_by_the_other(at, setting) {
            return None;
        }
        if reach == Reach::LateRenewal {
            self.hear_renewal(at, setting);
        }
        let answer = self.answer(message, ask, at, reach, setting.mutation)?;
        Some(Message {
            body: Body::Answer(answer),
            ..message
        })
    }

    fn answer(
        &mut self,
        message: Message,
        ask: Ask,
        at: usize,
        reach: Reach,
        mutation: Mutation,
    ) -> Option<Answer> {
        let who = message.worker;
        let can_save = reach == Reach::Database;
        let is_proven = reach != Reach::Memory;
        if ask == Ask::Register {
            return can_save.then(|| self.register(at, who, mutation));
        }
        let fleet = self.orchestrators[at].fleet;
        if message.life != fleet.lives[who] {
            let is_new = message.life > fleet.lives[who] && message.life <= fleet.given[who];
            if !is_new {
                let may_deny = is_proven || mutation == Mutation::DeniesWithoutProof;
                return may_deny.then_some(Answer::Denied);
            }
            if !can_save {
                return None;
            }
            self.save(at, |fleet| fleet.adopt(who, message.life));
        }
        match ask {
            Ask::Register => None,
            Ask::Beat { version } => self.beat(who, version, at, reach, mutation),
            Ask::List => {
                let may_tell = is_proven || mutation == Mutation::CommandFromMemory;
                let runs = self.orchestrators[at].fleet.epoch_to_run(who);
                may_tell.then_some(Answer::Listed { runs })
            }
            Ask::Release { epoch } => can_save.then(|| {
                self.save(at, |fleet| {
                    let names_it =
                        epoch == fleet.epoch || mutation == Mutation::ReleaseNamesNoEpoch;
                    if fleet.owner == who && names_it {
                        fleet.give_to_the_other();
                    }
                });
                Answer::Released
            }),
        }
    }

    fn register(&mut self, at: usize, who: usize, mutation: Mutation) -> Answer {
        self.save(at, |fleet| {
            fleet.given[who] += 1;
            if mutation == Mutation::RegistrationEndsLife {
                fleet.adopt(who, fleet.given[who]);
            }
        });
        Answer::Registered {
            life: self.orchestrators[at].fleet.given[who],
        }
    }

    fn beat(
        &mut self,
        who: usize,
        version: u8,
        at: usize,
        reach: Reach,
        mutation: Mutation,
    ) -> Option<Answer> {
        let fleet = self.orchestrators[at].fleet;
        let confirms = fleet.owner == who && fleet.is_releasing && version == fleet.versions[who];
        if confirms && reach == Reach::Database {
            self.save(at, Fleet::give_to_the_other);
        }
        let orchestrator = &mut self.orchestrators[at];
        let lease = match orchestrator.proof_age {
            _ if mutation == Mutation::LeaseNotShortened => LEASE,
            age if age > HALF_LEASE => 0,
            age => LEASE - age,
        };
        let fleet = orchestrator.fleet;
        let is_newest = version == fleet.versions[who];
        let is_broken = match mutation {
            Mutation::TellsWithoutProof => true,
            Mutation::TellsByYoungProof => lease > 0,
            _ => false,
        };
        let may_tell = reach != Reach::Memory || is_broken;
        if (is_newest && lease == 0) || (!is_newest && !may_tell) {
            return None;
        }
        if lease > 0 {
            orchestrator.lease_left[who] = LEASE + MARGIN;
        }
        Some(if is_newest {
            Answer::Renewed { lease }
        } else {
            Answer::Told {
                version: fleet.versions[who],
                runs: fleet.epoch_to_run(who),
                lease,
            }
        })
    }
}
