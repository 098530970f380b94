//! The statements of the leadership row, written once as those of `operations.rs` are: compiled here
//! as they stand, and for SQLite without `async` and `.await`.
//!
//! A take-over is three steps of one transaction ([`claim`], [`move_term`], [`admit`]). The adapters run them,
//! because what to do while the second one waits is a matter of the database. The numbers of bound
//! values have to ascend in the text: SQLite counts them as they appear.

use diesel::prelude::{ExpressionMethods, OptionalExtension, QueryDsl};
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::dialect::{Connection, ORIGIN, RunQueryDsl};
use crate::domain::ids::{Epoch, Term, Version};
use crate::domain::leadership::{
    AdmissionStep, Claim, FleetMoment, LeadershipRow, MemberRow, NodeName, ReleaseCause, RowState,
    RunId, Succession, VERSION_JUMP,
};
use crate::store::error::StoreError;
use crate::store::guard::Guard;
use crate::store::leadership::{
    AdmissionFound, Look, LookFound, Member, MemberFound, Release, Renewal, RenewalFound, Taken,
    TakenFleet,
};
use crate::store::schema::fleet_state;

/// What the first step of a take-over found.
#[derive(Debug)]
pub(super) enum Claimed {
    /// The row is the claimant's; the terms of the fleet and of the members have to follow.
    Taken(Box<Succession>),
    /// The same claim was carried out before.
    Before(Taken),
    /// The row is another's.
    Refused(Box<LeadershipRow>),
}

pub(super) async fn look(c: &mut Connection) -> Result<Option<Look>, StoreError> {
    let found: Option<LookFound> = diesel::sql_query(format!(
        "SELECT l.term, l.node, l.run, l.beat, l.state, l.successor, l.release_cause, l.address, l.public_url, \
         l.secret, l.since, l.after_loss, f.version, \
         COALESCE((SELECT MAX(version) FROM __diesel_schema_migrations), '') AS schema, {ORIGIN} FROM leadership l, fleet_state f WHERE l.id = 1 AND f.id = 1"
    ))
    .get_result(c)
    .await
    .optional()?;
    found.map(Look::try_from).transpose()
}

/// Waits until no other transaction is changing the row, and reads it. Until the end of the transaction
/// no other one changes it.
pub(super) async fn look_alone(c: &mut Connection) -> Result<Look, StoreError> {
    diesel::sql_query("UPDATE leadership SET beat = beat WHERE id = 1")
        .execute(c)
        .await?;
    look(c).await?.ok_or_else(lost)
}

pub(super) fn lost() -> StoreError {
    StoreError::Unusable(
        "the database has lost its row in `leadership`; it cannot be used".to_owned(),
    )
}

/// What a claimant has whose claim was carried out, if the row says so.
pub(super) fn won(row: &LeadershipRow, claim: &Claim) -> Option<Taken> {
    claim.is_won(row).then_some(Taken {
        guard: Guard {
            term: row.term,
            version: row.version,
        },
        fleet: None,
        after_loss: row.after_loss,
    })
}

/// Takes the row, if the claimant may have it.
pub(super) async fn claim(c: &mut Connection, claim: &Claim) -> Result<Claimed, StoreError> {
    let Look { row, origin, .. } = look_alone(c).await?;
    if let Some(taken) = won(&row, claim) {
        return Ok(Claimed::Before(taken));
    }
    // From here on no newer process of the node can join before the end of the transaction.
    let own: Option<AdmissionFound> = diesel::sql_query(
        "UPDATE members SET admitted = admitted WHERE node = $1 AND run = $2 RETURNING admitted",
    )
    .bind::<Text, _>(claim.node.as_str())
    .bind::<BigInt, _>(claim.run.get())
    .get_result(c)
    .await
    .optional()?;
    if !own.is_some_and(|own| claim.may_take(&row, own.term())) {
        return Ok(Claimed::Refused(Box::new(row)));
    }
    let succession = Succession::new(row, origin.timeline)?;
    diesel::sql_query(
        "UPDATE leadership SET term = $1, node = $2, run = $3, beat = 0, state = 'held', \
         successor = NULL, release_cause = NULL, address = $4, public_url = $5, \
         secret = CASE secret WHEN '' THEN $6 ELSE secret END, since = $7 WHERE id = 1",
    )
    .bind::<BigInt, _>(succession.term().get())
    .bind::<Text, _>(claim.node.as_str())
    .bind::<BigInt, _>(claim.run.get())
    .bind::<Text, _>(claim.address.as_str())
    .bind::<Text, _>(claim.public_url.as_str())
    .bind::<Text, _>(claim.secret.expose())
    .bind::<BigInt, _>(claim.since.as_micros())
    .execute(c)
    .await?;
    Ok(Claimed::Taken(Box::new(succession)))
}

/// Lets the fleet's term follow. Waits for the transaction of the leader before, if one is under way.
pub(super) async fn move_term(
    c: &mut Connection,
    succession: &Succession,
    claim: &Claim,
) -> Result<Taken, StoreError> {
    let term = succession.term().get();
    let found: Option<(i64, i64)> = diesel::update(
        fleet_state::table
            .find(1)
            .filter(fleet_state::term.lt(term)),
    )
    .set(fleet_state::term.eq(term))
    .returning((fleet_state::epoch, fleet_state::version))
    .get_result(c)
    .await
    .optional()?;
    let Some((epoch, version)) = found else {
        return Err(StoreError::Unusable(format!(
            "the term of `fleet_state` is not below {term}, though that of `leadership` is: the \
             database was edited"
        )));
    };
    let epoch = succession.next_epoch(Epoch::new(epoch))?;
    diesel::update(fleet_state::table.find(1))
        .set(fleet_state::epoch.eq(epoch.get()))
        .execute(c)
        .await?;
    let version = Version::new(version);
    let after_loss = succession.after_loss(claim, version);
    if after_loss != succession.before().after_loss {
        diesel::sql_query("UPDATE leadership SET after_loss = $1 WHERE id = 1")
            .bind::<Nullable<BigInt>, _>(after_loss.map(Version::get))
            .execute(c)
            .await?;
    }
    Ok(Taken {
        guard: Guard {
            term: succession.term(),
            version,
        },
        fleet: Some(TakenFleet {
            moment: FleetMoment {
                timeline: succession.timeline(),
                term: succession.before().term,
                version,
            },
            counter: epoch,
        }),
        after_loss,
    })
}

/// Lets no version of an instance name two sets, and gives each assignment a new epoch: the history that was lost may
/// have counted further, and may have given a stream to another instance and back. Returns the counter of epochs.
pub(super) async fn renumber(c: &mut Connection, counter: Epoch) -> Result<Epoch, StoreError> {
    diesel::sql_query("UPDATE instances SET assignment_version = assignment_version + $1")
        .bind::<BigInt, _>(VERSION_JUMP)
        .execute(c)
        .await?;
    let renewed = diesel::sql_query(
        "UPDATE placements SET epoch = $1 + renewed.place \
         FROM (SELECT stream_id, ROW_NUMBER() OVER (ORDER BY stream_id) AS place FROM placements \
             WHERE epoch IS NOT NULL) AS renewed \
         WHERE placements.stream_id = renewed.stream_id",
    )
    .bind::<BigInt, _>(counter.get())
    .execute(c)
    .await?;
    let renewed = i64::try_from(renewed).unwrap_or(i64::MAX);
    let counter = Epoch::new(counter.get().saturating_add(renewed));
    diesel::update(fleet_state::table.find(1))
        .set(fleet_state::epoch.eq(counter.get()))
        .execute(c)
        .await?;
    Ok(counter)
}

/// One statement if the term holds.
pub(super) async fn end_loss(
    c: &mut Connection,
    term: Term,
    run: RunId,
) -> Result<bool, StoreError> {
    let ended = diesel::sql_query(
        "UPDATE leadership SET after_loss = NULL, beat = beat + 1 \
         WHERE id = 1 AND term = $1 AND run = $2 AND state = 'held'",
    )
    .bind::<BigInt, _>(term.get())
    .bind::<BigInt, _>(run.get())
    .execute(c)
    .await?;
    Ok(ended > 0)
}

/// Lets the admissions follow: whom the leader before had admitted is admitted under the new term,
/// and so is the claimant.
pub(super) async fn admit(
    c: &mut Connection,
    succession: &Succession,
    node: &NodeName,
) -> Result<(), StoreError> {
    diesel::sql_query("UPDATE members SET admitted = $1 WHERE admitted = $2 OR node = $3")
        .bind::<BigInt, _>(succession.term().get())
        .bind::<BigInt, _>(succession.before().term.get())
        .bind::<Text, _>(node.as_str())
        .execute(c)
        .await?;
    Ok(())
}

pub(super) async fn join(c: &mut Connection, member: &Member) -> Result<(), StoreError> {
    diesel::sql_query(
        "INSERT INTO members (node, run, address, public_url, release, protocol, beat, admitted, \
             prepared, hears, reaches_leader, seen_at, schema_version, settings) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, NULL, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (node) DO UPDATE SET run = excluded.run, address = excluded.address, \
             public_url = excluded.public_url, release = excluded.release, \
             protocol = excluded.protocol, beat = members.beat + 1, prepared = excluded.prepared, \
             hears = excluded.hears, reaches_leader = excluded.reaches_leader, \
             seen_at = excluded.seen_at, schema_version = excluded.schema_version, \
             settings = excluded.settings",
    )
    .bind::<Text, _>(member.node.as_str())
    .bind::<BigInt, _>(member.run.get())
    .bind::<Text, _>(member.address.as_str())
    .bind::<Text, _>(member.public_url.as_str())
    .bind::<Text, _>(member.release.as_str())
    .bind::<BigInt, _>(member.protocol)
    .bind::<Nullable<BigInt>, _>(member.prepared.map(Version::get))
    .bind::<BigInt, _>(i64::try_from(member.reach.hears).unwrap_or(i64::MAX))
    .bind::<Bool, _>(member.reach.reaches_leader)
    .bind::<BigInt, _>(member.seen_at.as_micros())
    .bind::<Text, _>(member.schema.as_str())
    .bind::<Text, _>(member.settings.to_text())
    .execute(c)
    .await?;
    Ok(())
}

/// One statement if the term holds, so that its answer is a proof. The whole answer is read: its row comes before its
/// COMMIT.
pub(super) async fn renew(
    c: &mut Connection,
    term: Term,
    run: RunId,
) -> Result<Renewal, StoreError> {
    let found: Vec<RenewalFound> = diesel::sql_query(format!(
        "UPDATE leadership SET beat = beat + 1 \
         WHERE id = 1 AND term = $1 AND run = $2 AND state = 'held' \
         RETURNING (SELECT version FROM fleet_state WHERE id = 1) AS version, {ORIGIN}"
    ))
    .bind::<BigInt, _>(term.get())
    .bind::<BigInt, _>(run.get())
    .load(c)
    .await?;
    match found.into_iter().next() {
        Some(found) => Ok(found.into()),
        None => Ok(Renewal::Deposed(look(c).await?.ok_or_else(lost)?.row)),
    }
}

pub(super) async fn members(c: &mut Connection) -> Result<Vec<MemberRow>, StoreError> {
    let found: Vec<MemberFound> = diesel::sql_query(
        "SELECT m.node, m.run, m.address, m.public_url, m.release, m.schema_version AS schema, \
             m.settings, m.beat, \
             m.hears, m.reaches_leader, \
             CAST(CASE WHEN m.admitted = l.term THEN 1 ELSE 0 END AS BIGINT) AS admitted \
         FROM members m, leadership l WHERE l.id = 1 ORDER BY m.node",
    )
    .load(c)
    .await?;
    Ok(found.into_iter().map(MemberRow::from).collect())
}

/// Two statements of one transaction, which the adapter ends.
pub(super) async fn admit_member(
    c: &mut Connection,
    term: Term,
    run: RunId,
    step: &AdmissionStep,
) -> Result<bool, StoreError> {
    let led = diesel::sql_query(
        "UPDATE leadership SET beat = beat + 1 \
         WHERE id = 1 AND term = $1 AND run = $2 AND state = 'held'",
    )
    .bind::<BigInt, _>(term.get())
    .bind::<BigInt, _>(run.get())
    .execute(c)
    .await?;
    if led == 0 {
        return Ok(false);
    }
    let (AdmissionStep::Admit(node, member) | AdmissionStep::Dismiss(node, member)) = step;
    let admitted = match step {
        AdmissionStep::Admit(..) => Some(term.get()),
        AdmissionStep::Dismiss(..) => None,
    };
    let found = diesel::sql_query("UPDATE members SET admitted = $1 WHERE node = $2 AND run = $3")
        .bind::<Nullable<BigInt>, _>(admitted)
        .bind::<Text, _>(node.as_str())
        .bind::<BigInt, _>(member.get())
        .execute(c)
        .await?;
    Ok(found > 0)
}

/// Two statements of one transaction, which the adapter ends.
pub(super) async fn forget_member(
    c: &mut Connection,
    term: Term,
    run: RunId,
    member: &MemberRow,
) -> Result<bool, StoreError> {
    let led = diesel::sql_query(
        "UPDATE leadership SET beat = beat + 1 \
         WHERE id = 1 AND term = $1 AND run = $2 AND state = 'held'",
    )
    .bind::<BigInt, _>(term.get())
    .bind::<BigInt, _>(run.get())
    .execute(c)
    .await?;
    if led == 0 {
        return Ok(false);
    }
    let gone = diesel::sql_query("DELETE FROM members WHERE node = $1 AND run = $2 AND beat = $3")
        .bind::<Text, _>(member.node.as_str())
        .bind::<BigInt, _>(member.run.get())
        .bind::<BigInt, _>(member.beat)
        .execute(c)
        .await?;
    Ok(gone > 0)
}

/// The beat moves too: a term and a beat name one state of the row.
pub(super) async fn release(
    c: &mut Connection,
    term: Term,
    run: RunId,
    successor: Option<&NodeName>,
    cause: ReleaseCause,
) -> Result<Release, StoreError> {
    diesel::sql_query(
        "UPDATE leadership SET state = 'released', successor = $1, release_cause = $2, \
         beat = beat + 1 WHERE id = 1 AND term = $3 AND run = $4 AND state = 'held'",
    )
    .bind::<Nullable<Text>, _>(successor.map(NodeName::as_str))
    .bind::<Nullable<Text>, _>(cause.word())
    .bind::<BigInt, _>(term.get())
    .bind::<BigInt, _>(run.get())
    .execute(c)
    .await?;
    let row = look(c).await?.ok_or_else(lost)?.row;
    let is_ours = row.term == term && row.run == run && row.state == RowState::Released;
    Ok(if is_ours {
        Release::Released { beat: row.beat }
    } else {
        Release::Deposed(row)
    })
}
