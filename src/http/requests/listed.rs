//! A list of values, each read by a rule of its own.

use serde::de::SeqAccess;
use serde_json::{Value, json};

use super::reading::{Json, Reader, Refused, Rule, Taken};

/// A list of so many values at the most, each read by a rule of its own.
pub(super) struct List<R> {
    pub(super) rule: R,
    pub(super) most: usize,
}

impl<R: Rule> Rule for List<R> {
    type Value = Vec<R::Value>;

    fn schema(&self) -> Value {
        json!({"type": "array", "items": self.rule.schema(), "minItems": 1, "maxItems": self.most})
    }

    fn plain(&self, _: Json<'_>) -> Taken<Self::Value> {
        Err(Refused::because("must be a list"))
    }

    fn list<'de, A: SeqAccess<'de>>(&self, mut list: A) -> Result<Taken<Self::Value>, A::Error> {
        let (mut values, mut refused, mut index) = (Vec::new(), Refused::default(), 0_usize);
        while let Some(value) = list.next_element_seed(Reader(&self.rule))? {
            match value.unwrap_or_else(|| self.rule.plain(Json::Null)) {
                Ok(value) => values.push(value),
                Err(part) => refused.add(&format!("[{index}]"), part),
            }
            index += 1;
        }
        if index == 0 || index > self.most {
            let reason = format!("must have 1 to {} entries", self.most);
            return Ok(Err(Refused::because(reason)));
        }
        Ok(refused.or(values))
    }
}
