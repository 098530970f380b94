//! What workers and operators send, one struct a request. A field's comment says what it means and
//! what it may be, and the rule behind its `=` checks just that.
//!
//! Rules: unknown fields are ignored; `null` is the same as absent; an integer is a number without a
//! fraction, however it is written (`3`, `3.0`, `3e0`), because languages that know only one kind of
//! number write it so; texts have a longest length in characters and no control characters, because
//! they are shown in logs and lists.
//!
//! A request is read straight from its bytes (`reading`), and every bad field is named at once, in the
//! order in which the struct has them.

mod catalogue;
mod collections;
mod heartbeat;
mod limits;
mod orders;
mod reading;
mod rules;
#[cfg(test)]
mod tests;
mod workers;

pub(super) use catalogue::{MoveRequest, SaveRequest, VerifyRequest};
pub(super) use collections::whole;
pub(super) use heartbeat::HeartbeatRequest;
pub(super) use limits::{MAX_SAFE_INTEGER, SERVER_ID_LENGTH, check_text, describe_range};
pub(super) use orders::{BrakeRequest, ForceRequest};
pub(super) use reading::{Record, read_json};
pub(super) use rules::integer;
pub(super) use workers::{AssignRequest, DiagnosticRequest, RegisterRequest, ReleaseRequest};

/// A struct that is read from a JSON object. A field of type `Option` may be absent. `check` names a
/// function that looks at several fields at once, and notes its refusals after theirs.
macro_rules! request {
    (
        $(#[$about:meta])*
        pub(in crate::http) struct $request:ident {
            $($(#[$field_about:meta])* $field:ident: $type:ty = $rule:expr,)*
        }
        $(check $check:path)?
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(in crate::http) struct $request {
            $($(#[$field_about])* pub(in crate::http) $field: $type,)*
        }

        const _: () = {
            use $crate::http::requests::reading::{
                Field, Key, Reader, Record, Refused, Skipped, Slot, Taken,
            };

            #[derive(Default)]
            pub(in crate::http) struct Draft {
                $($field: Slot<<$type as Field>::Inner>,)*
            }

            #[expect(non_camel_case_types, reason = "one a field, by its name on the wire")]
            enum Name {
                $($field,)*
            }

            fn known(name: &str) -> Option<Name> {
                match name {
                    $(stringify!($field) => Some(Name::$field),)*
                    _ => None,
                }
            }

            impl Record for $request {
                type Draft = Draft;

                fn read<'de, A: serde::de::MapAccess<'de>>(
                    mut object: A,
                ) -> Result<Draft, A::Error> {
                    let mut draft = Draft::default();
                    while let Some(name) = object.next_key_seed(Key(known))? {
                        match name {
                            $(Some(Name::$field) => {
                                draft.$field = object.next_value_seed(Reader(&$rule))?;
                            })*
                            None => {
                                object.next_value::<Skipped>()?;
                            }
                        }
                    }
                    Ok(draft)
                }

                fn settle(draft: Draft) -> Taken<Self> {
                    let mut refused = Refused::default();
                    let checked: Vec<Refused> = vec![$($check(&draft))?];
                    $(let $field = Field::settle(draft.$field, stringify!($field), &mut refused);)*
                    for part in checked {
                        refused.add("", part);
                    }
                    match ($($field,)*) {
                        ($(Some($field),)*) => refused.or(Self { $($field,)* }),
                        _ => Err(refused),
                    }
                }
            }
        };
    };
}
use request;
