//! The leadership row of a file. One process has the file, so no other one races for the row; it is
//! taken and renewed all the same, so that one orchestrator goes the way of several.

use async_trait::async_trait;

use super::adapter::SqliteStore;
use super::leading::{self, Claimed};
use super::witnesses;
use crate::domain::ids::Term;
use crate::domain::leadership::{
    AdmissionStep, Claim, Life, MemberRow, NodeName, ReleaseCause, RunId, Witness,
};
use crate::store::error::StoreError;
use crate::store::leadership::{Leadership, Look, Member, Release, Renewal, TakeOver};

#[async_trait]
impl Leadership for SqliteStore {
    async fn look(&self) -> Result<Option<Look>, StoreError> {
        self.read(leading::look).await
    }

    async fn join(&self, member: &Member) -> Result<(), StoreError> {
        let member = member.clone();
        self.write(move |c| leading::join(c, &member)).await
    }

    async fn take_over(&self, claim: &Claim) -> Result<TakeOver, StoreError> {
        let claim = claim.clone();
        self.write(move |c| {
            Ok(match leading::claim(c, &claim)? {
                Claimed::Before(taken) => TakeOver::Won(taken),
                Claimed::Refused(row) => TakeOver::Lost(*row),
                Claimed::Taken(succession) => {
                    let mut taken = leading::move_term(c, &succession, &claim)?;
                    if succession.begins_after_loss(&claim, taken.guard.version)
                        && let Some(fleet) = &mut taken.fleet
                    {
                        fleet.counter = leading::renumber(c, fleet.counter)?;
                    }
                    leading::admit(c, &succession, &claim.node)?;
                    TakeOver::Won(taken)
                }
            })
        })
        .await
    }

    async fn renew(&self, term: Term, run: RunId) -> Result<Renewal, StoreError> {
        self.write(move |c| leading::renew(c, term, run)).await
    }

    async fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        self.read(leading::members).await
    }

    async fn admit(
        &self,
        term: Term,
        run: RunId,
        step: &AdmissionStep,
    ) -> Result<bool, StoreError> {
        let step = step.clone();
        self.write(move |c| leading::admit_member(c, term, run, &step))
            .await
    }

    async fn forget(&self, term: Term, run: RunId, member: &MemberRow) -> Result<bool, StoreError> {
        let member = member.clone();
        self.write(move |c| leading::forget_member(c, term, run, &member))
            .await
    }

    async fn end_loss(&self, term: Term, run: RunId) -> Result<bool, StoreError> {
        self.write(move |c| leading::end_loss(c, term, run)).await
    }

    async fn witness(&self, node: &NodeName, beats: &[Witness]) -> Result<(), StoreError> {
        let (node, beats) = (node.clone(), beats.to_vec());
        self.write(move |c| witnesses::witness(c, &node, &beats))
            .await
    }

    async fn witnessed(&self, lives: &[Life]) -> Result<Vec<Witness>, StoreError> {
        let lives = lives.to_vec();
        self.read(move |c| witnesses::witnessed(c, &lives)).await
    }

    async fn release(
        &self,
        term: Term,
        run: RunId,
        successor: Option<&NodeName>,
        cause: ReleaseCause,
    ) -> Result<Release, StoreError> {
        let successor = successor.cloned();
        self.write(move |c| leading::release(c, term, run, successor.as_ref(), cause))
            .await
    }
}
