//! The schemas of types whose words or names are written by hand. They stand here because only this package may
//! implement a foreign trait for its types.

use utoipa::openapi::schema::ObjectBuilder;

use crate::breaker::{BreakerName, BreakerState, Force};
use crate::ids::{Epoch, InstanceId, StreamId};
use crate::instance::InstanceStatus;
use crate::invariants::Invariant;
use crate::schemas::{has_schema, name, words};
use crate::stream::Holding;

has_schema! {
    InstanceId = name("Name of an instance.");
    BreakerName = name("Name of a circuit breaker.");
    InstanceStatus = words(
        &["State in which the orchestrator holds an instance."],
        &InstanceStatus::ALL.map(InstanceStatus::as_str),
    );
    BreakerState = words(
        &["Whether calls reach the dependency."],
        &BreakerState::ALL.map(BreakerState::as_str),
    );
    Force = words(
        &["State that an operator has forced upon a breaker."],
        &[Force::Open, Force::Closed].map(Force::as_str),
    );
    Invariant = words(
        &["Name of an invariant; `docs/GUARANTEES.md` explains them."],
        &["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
    );
    Holding = ObjectBuilder::new()
        .description(Some("A stream, and the epoch under which its owner runs it."))
        .property("stream_id", StreamId::schema())
        .property("epoch", Epoch::schema())
        .required("stream_id")
        .required("epoch")
        .into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::StreamState;
    use serde_json::{Value, json};
    use utoipa::PartialSchema;
    use utoipa::openapi::{RefOr, Schema};

    fn shown(schema: RefOr<Schema>) -> Value {
        serde_json::to_value(schema).unwrap()
    }

    #[test]
    fn the_words_of_a_schema_are_those_on_the_wire() {
        let schema = shown(StreamState::schema());
        let wire: Vec<Value> = StreamState::ALL.iter().map(|state| json!(state)).collect();
        assert_eq!(schema["enum"], json!(wire));
        let schema = shown(Invariant::schema());
        for invariant in [Invariant::SingleOwner, Invariant::RecoveriesEnd] {
            let words = schema["enum"].as_array().unwrap();
            assert!(words.contains(&json!(invariant)), "{words:?}");
        }
    }
}
