//! The rows of `leadership`, `members` and `witnessed` as they are read.

use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::contract::{Look, Origin, Renewal};
use crate::domain::ids::{Incarnation, InstanceId, Term, Version};
use crate::domain::leadership::{
    JudgingSettings, LeadershipRow, MemberRow, MemberSecret, NodeName, Reach, ReleaseCause,
    RowState, RunId, SchemaVersion, WalTimeline, Witness,
};
use crate::domain::time::WallTime;
use crate::store::error::StoreError;

/// Who answers.
#[derive(Debug, QueryableByName)]
pub(in crate::store) struct OriginFound {
    #[diesel(sql_type = BigInt)]
    system: i64,
    #[diesel(sql_type = BigInt)]
    timeline: i64,
}

impl From<OriginFound> for Origin {
    fn from(found: OriginFound) -> Self {
        Self {
            system: found.system,
            // Eight hexadecimal digits of a file's name: it always fits.
            timeline: WalTimeline::new(u32::try_from(found.timeline).unwrap_or(u32::MAX)),
        }
    }
}

/// A row of `leadership`, with the version of the fleet.
#[derive(Debug, QueryableByName)]
pub(in crate::store) struct LookFound {
    #[diesel(sql_type = BigInt)]
    term: i64,
    #[diesel(sql_type = Text)]
    node: String,
    #[diesel(sql_type = BigInt)]
    run: i64,
    #[diesel(sql_type = BigInt)]
    beat: i64,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<Text>)]
    successor: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    release_cause: Option<String>,
    #[diesel(sql_type = Text)]
    address: String,
    #[diesel(sql_type = Text)]
    public_url: String,
    #[diesel(sql_type = Text)]
    secret: String,
    #[diesel(sql_type = BigInt)]
    since: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    after_loss: Option<i64>,
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(embed)]
    origin: OriginFound,
}

impl TryFrom<LookFound> for Look {
    type Error = StoreError;

    fn try_from(found: LookFound) -> Result<Self, StoreError> {
        let state = match found.state.as_str() {
            "held" => RowState::Held,
            "released" => RowState::Released,
            other => {
                return Err(StoreError::Unusable(format!(
                    "table `leadership`, row `1`: `{other}` in column `state` is not understood"
                )));
            }
        };
        Ok(Self {
            row: LeadershipRow {
                term: Term::new(found.term),
                node: NodeName::new(found.node),
                run: RunId::new(found.run),
                beat: found.beat,
                state,
                successor: found.successor.map(NodeName::new),
                release_cause: ReleaseCause::of_word(found.release_cause.as_deref()),
                address: found.address,
                public_url: found.public_url,
                secret: MemberSecret::new(found.secret),
                since: WallTime::from_micros(found.since),
                after_loss: found.after_loss.map(Version::new),
                version: Version::new(found.version),
            },
            origin: found.origin.into(),
            schema: SchemaVersion::new(found.schema),
        })
    }
}

/// What a renewal that matched says.
#[derive(Debug, QueryableByName)]
pub(in crate::store) struct RenewalFound {
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(embed)]
    origin: OriginFound,
}

impl From<RenewalFound> for Renewal {
    fn from(found: RenewalFound) -> Self {
        Self::Proven {
            version: Version::new(found.version),
            origin: found.origin.into(),
        }
    }
}

/// A row of `members`.
#[derive(Debug, QueryableByName)]
pub(in crate::store) struct MemberFound {
    #[diesel(sql_type = Text)]
    node: String,
    #[diesel(sql_type = BigInt)]
    run: i64,
    #[diesel(sql_type = Text)]
    address: String,
    #[diesel(sql_type = Text)]
    public_url: String,
    #[diesel(sql_type = Text)]
    release: String,
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    settings: String,
    #[diesel(sql_type = BigInt)]
    beat: i64,
    /// 1 if it is admitted to the newest term.
    #[diesel(sql_type = BigInt)]
    admitted: i64,
    #[diesel(sql_type = BigInt)]
    hears: i64,
    #[diesel(sql_type = Bool)]
    reaches_leader: bool,
}

impl From<MemberFound> for MemberRow {
    fn from(found: MemberFound) -> Self {
        Self {
            node: NodeName::new(found.node),
            run: RunId::new(found.run),
            address: found.address,
            public_url: found.public_url,
            release: found.release,
            schema: SchemaVersion::new(found.schema),
            settings: JudgingSettings::parse(&found.settings),
            beat: found.beat,
            is_admitted: found.admitted == 1,
            reach: Reach {
                reaches_leader: found.reaches_leader,
                hears: u64::try_from(found.hears).unwrap_or(0),
            },
        }
    }
}

/// Under which term a member was last admitted.
#[derive(Debug, QueryableByName)]
pub(in crate::store) struct AdmissionFound {
    #[diesel(sql_type = Nullable<BigInt>)]
    admitted: Option<i64>,
}

impl AdmissionFound {
    pub(in crate::store) fn term(&self) -> Option<Term> {
        self.admitted.map(Term::new)
    }
}

/// Stands in `witnessed` for a heartbeat that named no life.
pub(in crate::store) const NO_LIFE: i64 = 0;

/// The age of a heartbeat that is written, in microseconds.
pub(in crate::store) fn age_micros(witness: &Witness) -> i64 {
    i64::try_from(witness.age.as_micros()).unwrap_or(i64::MAX / 2)
}

/// A row of `witnessed`.
#[derive(Debug, QueryableByName)]
pub(in crate::store) struct WitnessFound {
    #[diesel(sql_type = Text)]
    instance_id: String,
    #[diesel(sql_type = BigInt)]
    incarnation: i64,
    /// In microseconds, by the clock of the database.
    #[diesel(sql_type = BigInt)]
    age: i64,
}

impl WitnessFound {
    /// Returns what the row says; `None` if it is from the future: the clock of the database was set back.
    pub(in crate::store) fn witness(self) -> Option<Witness> {
        let age = u64::try_from(self.age).ok()?;
        let named = (self.incarnation != NO_LIFE).then_some(self.incarnation);
        Some(Witness {
            id: InstanceId::new(self.instance_id),
            incarnation: named.map(Incarnation::new),
            age: Duration::from_micros(age),
        })
    }
}
