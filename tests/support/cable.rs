//! A leadership row that a process can be cut off from.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use resilient_orchestrator::domain::ids::Term;
use resilient_orchestrator::domain::leadership::{
    AdmissionStep, Claim, Life, MemberRow, NodeName, ReleaseCause, RunId, Witness,
};
use resilient_orchestrator::store::{
    Leadership, Look, Member, MemoryStore, Release, Renewal, StoreError, TakeOver,
};

/// A row behind a cable that can be cut.
#[derive(Debug)]
pub(crate) struct Cable {
    row: MemoryStore,
    is_cut: AtomicBool,
}

impl Cable {
    /// A cable to a row, which others may share.
    pub(crate) fn to(row: MemoryStore) -> Self {
        Self {
            row,
            is_cut: AtomicBool::new(false),
        }
    }

    /// Cuts it, or mends it.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    fn pass(&self) -> Result<&MemoryStore, StoreError> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("on purpose".to_owned()));
        }
        Ok(&self.row)
    }
}

#[async_trait]
impl Leadership for Cable {
    async fn look(&self) -> Result<Option<Look>, StoreError> {
        self.pass()?.look().await
    }

    async fn join(&self, member: &Member) -> Result<(), StoreError> {
        self.pass()?.join(member).await
    }

    async fn take_over(&self, claim: &Claim) -> Result<TakeOver, StoreError> {
        self.pass()?.take_over(claim).await
    }

    async fn renew(&self, term: Term, run: RunId) -> Result<Renewal, StoreError> {
        self.pass()?.renew(term, run).await
    }

    async fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        self.pass()?.members().await
    }

    async fn admit(
        &self,
        term: Term,
        run: RunId,
        step: &AdmissionStep,
    ) -> Result<bool, StoreError> {
        self.pass()?.admit(term, run, step).await
    }

    async fn forget(&self, term: Term, run: RunId, member: &MemberRow) -> Result<bool, StoreError> {
        self.pass()?.forget(term, run, member).await
    }

    async fn end_loss(&self, term: Term, run: RunId) -> Result<bool, StoreError> {
        self.pass()?.end_loss(term, run).await
    }

    async fn witness(&self, node: &NodeName, beats: &[Witness]) -> Result<(), StoreError> {
        self.pass()?.witness(node, beats).await
    }

    async fn witnessed(&self, lives: &[Life]) -> Result<Vec<Witness>, StoreError> {
        self.pass()?.witnessed(lives).await
    }

    async fn release(
        &self,
        term: Term,
        run: RunId,
        successor: Option<&NodeName>,
        cause: ReleaseCause,
    ) -> Result<Release, StoreError> {
        self.pass()?.release(term, run, successor, cause).await
    }
}
