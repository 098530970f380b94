//! Declares a request: its fields, each with the rule that reads it.

/// Declares a struct that is read from a JSON object. A field of type `Option` may be absent.
/// `check` names a function that examines several fields at once; its refusals follow theirs.
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
pub(super) use request;
