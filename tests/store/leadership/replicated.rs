//! Terms on a primary that waits for a synchronous standby.

use resilient_orchestrator::store::{Renewal, StoreError, TakeOver};

use super::{claim, found, identity, join, lead, opened};
use crate::replicated::Primary;

#[tokio::test]
async fn a_renewal_that_did_not_wait_for_its_standby_proves_nothing() {
    let primary = Primary::new().await;
    let world = opened(&primary.database.url(), Box::new(())).await;
    let who = identity("a", 1);
    let guard = lead(&world.a, &who).await;
    primary.wait_for_a_standby().await;
    let renewal = world.a.renew(guard.term, who.run);
    let renewed = primary.cancelling(renewal).await;
    assert!(
        matches!(renewed, Err(StoreError::InDoubt(_))),
        "{renewed:?}"
    );
    primary.wait_for_none().await;
    let renewed = world.a.renew(guard.term, who.run).await.unwrap();
    assert!(matches!(renewed, Renewal::Proven { .. }), "{renewed:?}");
}

#[tokio::test]
async fn a_take_over_that_did_not_wait_for_its_standby_is_in_doubt_until_the_standby_has_it() {
    let primary = Primary::new().await;
    let world = opened(&primary.database.url(), Box::new(())).await;
    let who = identity("a", 1);
    join(&world.a, &who).await;
    let row = found(&world.a).await.row;
    let claim = claim(&who, &row);
    primary.wait_for_a_standby().await;
    // Also that of the statement that finds out whether it was carried out.
    let taken = primary.cancelling(world.a.take_over(&claim)).await;
    assert!(matches!(taken, Err(StoreError::InDoubt(_))), "{taken:?}");
    primary.wait_for_none().await;
    let taken = world.a.take_over(&claim).await.unwrap();
    assert!(matches!(taken, TakeOver::Won(_)), "{taken:?}");
    let term = found(&world.a).await.row.term;
    let renewed = world.a.renew(term, who.run).await.unwrap();
    assert!(matches!(renewed, Renewal::Proven { .. }), "{renewed:?}");
}
