//! Declares a request: its fields, each with the rule that reads and describes it.

/// A struct that is read from a JSON object or from a query. A field of type `Option` may be absent. `check` names a
/// function that looks at several fields at once, and notes its refusals after theirs.
macro_rules! request {
    (
        $(#[doc = $about:literal])*
        pub(in crate::http) struct $request:ident {
            $($(#[doc = $field_about:literal])* $field:ident: $type:ty = $rule:expr,)*
        }
        $(check $check:path)?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        pub(in crate::http) struct $request {
            $($(#[doc = $field_about])* pub(in crate::http) $field: $type,)*
        }

        const _: () = {
            use $crate::http::requests::reading::{
                DescribedField, Field, Key, Reader, Record, Refused, Skipped, Slot, Taken,
            };
            use $crate::http::requests::schema::{described_by, joined};

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
                    // A word of Rust, so the field is written `r#for`.
                    "for" => known("r#for"),
                    _ => None,
                }
            }

            impl Record for $request {
                type Draft = Draft;

                const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

                const ABOUT: &'static [&'static str] = &[$($about),*];

                fn described() -> Vec<DescribedField> {
                    vec![$(DescribedField {
                        name: stringify!($field).trim_start_matches("r#"),
                        about: joined(&[$($field_about),*]),
                        is_required: <$type as Field>::IS_REQUIRED,
                        schema: described_by::<<$type as Field>::Inner>(&$rule),
                    },)*]
                }

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
                    $(let $field = Field::settle(
                        draft.$field,
                        stringify!($field).trim_start_matches("r#"),
                        &mut refused,
                    );)*
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
