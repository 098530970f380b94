//! The forms of schemas of names, numbers and words that answers show, for the description of the API. Only the
//! program turns on the feature `openapi`; the rules themselves use nothing of this.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

/// The longest name of an instance, in characters; `http/` checks it.
const LONGEST_NAME: usize = 128;

/// The greatest number that is an exact integer for every reader of JSON.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// Returns the schema of an enum of words. `about` has a comment of several lines.
pub(crate) fn words(about: &[&str], words: &[&'static str]) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(sentence(about)))
        .enum_values(Some(words.iter().copied()))
        .into()
}

/// Returns the schema of a number that identifies or counts something.
pub(crate) fn number(about: &[&str]) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some(sentence(about)))
        .minimum(Some(0))
        .maximum(Some(MAX_SAFE_INTEGER))
        .into()
}

/// Returns the schema of the name of something.
pub(crate) fn name(about: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(about))
        .max_length(Some(LONGEST_NAME))
        .into()
}

fn sentence(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// Gives types their schemas.
macro_rules! has_schema {
    ($($type:ty = $schema:expr;)+) => {
        $(
            impl utoipa::PartialSchema for $type {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    $schema
                }
            }

            impl utoipa::ToSchema for $type {}
        )+
    };
}
pub(crate) use has_schema;
