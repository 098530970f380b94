//! The leadership row of a store in memory. Clones of the store share it, so several orchestrators
//! of one test process can race for it; what one of them sees is made worse by a wrapper of its own.

use async_trait::async_trait;

use super::adapter::MemoryStore;
use super::seat::Membership;
use super::tables::Tables;
use crate::domain::ids::Term;
use crate::domain::leadership::{
    AdmissionStep, Claim, FleetMoment, LeadershipRow, Life, MemberRow, NodeName, ReleaseCause,
    RowState, RunId, SchemaVersion, Succession, Witness,
};
use crate::store::error::StoreError;
use crate::store::guard::Guard;
use crate::store::leadership::{
    Leadership, Look, Member, Origin, Release, Renewal, TakeOver, Taken, TakenFleet,
};

impl Tables {
    fn row(&self) -> LeadershipRow {
        self.seat.row(self.term, self.version)
    }

    /// Whether the process leads the term.
    fn is_held(&self, term: Term, run: RunId) -> bool {
        self.term == term && self.seat.run == run && self.seat.state == RowState::Held
    }

    fn guard(&self) -> Guard {
        Guard {
            term: self.term,
            version: self.version,
        }
    }

    fn take_over(&mut self, claim: &Claim) -> Result<TakeOver, StoreError> {
        let row = self.row();
        if claim.is_won(&row) {
            return Ok(TakeOver::Won(Taken {
                guard: self.guard(),
                fleet: None,
                after_loss: None,
            }));
        }
        let own = self.seat.members.get(&claim.node);
        let own = own.filter(|own| own.run == claim.run);
        if !own.is_some_and(|own| claim.may_take(&row, own.admitted)) {
            return Ok(TakeOver::Lost(row));
        }
        let succession = Succession::new(row, Origin::default().timeline)?;
        self.counter = succession.next_epoch(self.counter)?;
        self.term = succession.term();
        for (node, member) in &mut self.seat.members {
            if member.admitted == Some(succession.before().term) || *node == claim.node {
                member.admitted = Some(self.term);
            }
        }
        self.seat.vacate();
        self.seat.state = RowState::Held;
        self.seat.node = claim.node.clone();
        self.seat.run = claim.run;
        self.seat.address.clone_from(&claim.address);
        self.seat.public_url.clone_from(&claim.public_url);
        if self.seat.secret.is_missing() {
            self.seat.secret = claim.secret.clone();
        }
        self.seat.since = claim.since;
        Ok(TakeOver::Won(Taken {
            guard: self.guard(),
            fleet: Some(TakenFleet {
                moment: FleetMoment {
                    timeline: succession.timeline(),
                    term: succession.before().term,
                    version: self.version,
                },
                counter: self.counter,
            }),
            // It has one timeline.
            after_loss: None,
        }))
    }
}

#[async_trait]
impl Leadership for MemoryStore {
    async fn look(&self) -> Result<Option<Look>, StoreError> {
        Ok(Some(Look {
            row: self.tables().row(),
            origin: Origin::default(),
            schema: SchemaVersion::default(),
        }))
    }

    async fn join(&self, member: &Member) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let known = tables.seat.members.get(&member.node);
        let admitted = known.and_then(|known| known.admitted);
        let membership = Membership {
            run: member.run,
            admitted,
            address: member.address.clone(),
            public_url: member.public_url.clone(),
            release: member.release.clone(),
            schema: member.schema.clone(),
            settings: member.settings.clone(),
            beat: known.map_or(0, |known| known.beat + 1),
            reach: member.reach,
        };
        tables.seat.members.insert(member.node.clone(), membership);
        Ok(())
    }

    async fn take_over(&self, claim: &Claim) -> Result<TakeOver, StoreError> {
        self.tables().take_over(claim)
    }

    async fn renew(&self, term: Term, run: RunId) -> Result<Renewal, StoreError> {
        let mut tables = self.tables();
        if !tables.is_held(term, run) {
            return Ok(Renewal::Deposed(tables.row()));
        }
        tables.seat.beat += 1;
        Ok(Renewal::Proven {
            version: tables.version,
            origin: Origin::default(),
        })
    }

    async fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        let tables = self.tables();
        let members = tables.seat.members.iter();
        let row = |(node, member): (&NodeName, &Membership)| MemberRow {
            node: node.clone(),
            run: member.run,
            address: member.address.clone(),
            public_url: member.public_url.clone(),
            release: member.release.clone(),
            schema: member.schema.clone(),
            settings: member.settings.clone(),
            beat: member.beat,
            is_admitted: member.admitted == Some(tables.term),
            reach: member.reach,
        };
        Ok(members.map(row).collect())
    }

    async fn admit(
        &self,
        term: Term,
        run: RunId,
        step: &AdmissionStep,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let (AdmissionStep::Admit(node, of) | AdmissionStep::Dismiss(node, of)) = step;
        let admitted = matches!(step, AdmissionStep::Admit(..)).then_some(term);
        if !tables.is_held(term, run) {
            return Ok(false);
        }
        tables.seat.beat += 1;
        let member = tables.seat.members.get_mut(node);
        let member = member.filter(|member| member.run == *of);
        Ok(member.map(|member| member.admitted = admitted).is_some())
    }

    async fn forget(&self, term: Term, run: RunId, member: &MemberRow) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let known = tables.seat.members.get(&member.node);
        let is_same =
            known.is_some_and(|known| (known.run, known.beat) == (member.run, member.beat));
        if !tables.is_held(term, run) || !is_same {
            return Ok(false);
        }
        tables.seat.beat += 1;
        tables.seat.members.remove(&member.node);
        Ok(true)
    }

    async fn end_loss(&self, term: Term, run: RunId) -> Result<bool, StoreError> {
        Ok(self.tables().is_held(term, run))
    }

    async fn witness(&self, _: &NodeName, beats: &[Witness]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let now = tables.time;
        for beat in beats {
            if !tables.instances.contains_key(&beat.id) {
                continue;
            }
            let heard = now - beat.age;
            let key = (beat.id.clone(), beat.incarnation);
            let known = tables.seat.witnessed.entry(key).or_insert(heard);
            if heard > *known || *known > now {
                *known = heard;
            }
        }
        Ok(())
    }

    async fn witnessed(&self, lives: &[Life]) -> Result<Vec<Witness>, StoreError> {
        let tables = self.tables();
        let now = tables.time;
        let keys = lives.iter().flat_map(|life| {
            [None, Some(life.incarnation)].map(|incarnation| (life.id.clone(), incarnation))
        });
        let found = keys.filter_map(|key| {
            let heard = *tables.seat.witnessed.get(&key)?;
            let (id, incarnation) = key;
            (heard <= now).then(|| Witness {
                id,
                incarnation,
                age: now.since(heard),
            })
        });
        Ok(found.collect())
    }

    async fn release(
        &self,
        term: Term,
        run: RunId,
        successor: Option<&NodeName>,
        cause: ReleaseCause,
    ) -> Result<Release, StoreError> {
        let mut tables = self.tables();
        if tables.is_held(term, run) {
            tables.seat.state = RowState::Released;
            tables.seat.successor = successor.cloned();
            tables.seat.release_cause = cause;
            tables.seat.beat += 1;
        }
        let row = tables.row();
        let is_ours = row.term == term && row.run == run && row.state == RowState::Released;
        Ok(if is_ours {
            Release::Released { beat: row.beat }
        } else {
            Release::Deposed(row)
        })
    }
}
