//! Rules for lists and objects. A list that is too long is refused as such, and read to its end.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use serde::de::{MapAccess, SeqAccess};
use serde_json::{Value, json};

use super::limits::{MAX_SAFE_INTEGER, check_text};
use super::reading::{Json, Reader, Record, Refused, Rule, Taken, skip_list, skip_object};
use super::rules::{integer, number, server_id, text};
use super::schema;
use crate::domain::ids::{Epoch, InstanceId, StreamId};

/// How many ids one request names at most: as many as one instance may own.
const MAX_IDS: usize = 100_000;

const MAX_LABELS: usize = 64;
const LABEL_KEY_LENGTH: RangeInclusive<usize> = 1..=128;
const LABEL_VALUE_LENGTH: RangeInclusive<usize> = 0..=512;

fn too_many(most: usize) -> Refused {
    Refused::because(format!("must have at most {most} entries"))
}

/// Three numbers.
pub(super) struct Triple;

impl Rule for Triple {
    type Value = [f64; 3];

    fn schema(&self) -> Value {
        json!({"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3})
    }

    fn plain(&self, _: Json<'_>) -> Taken<Self::Value> {
        Err(Refused::because("must be a list of 3 numbers"))
    }

    fn list<'de, A: SeqAccess<'de>>(&self, mut list: A) -> Result<Taken<Self::Value>, A::Error> {
        let number = number();
        let (mut triple, mut count, mut are_numbers) = ([0.0; 3], 0, true);
        while let Some(read) = list.next_element_seed(Reader(&number))? {
            match (triple.get_mut(count), read) {
                (Some(place), Some(Ok(number))) => *place = number,
                _ => are_numbers = false,
            }
            count += 1;
        }
        if are_numbers && count == triple.len() {
            Ok(Ok(triple))
        } else {
            Ok(self.plain(Json::List))
        }
    }
}

/// How many names of instances a request may have.
const MAX_NAMES: usize = 10_000;

/// Stream ids; the list may be empty.
pub(super) struct StreamIds;

impl Rule for StreamIds {
    type Value = Vec<StreamId>;

    fn schema(&self) -> Value {
        let one = schema::integer(&(1..=MAX_SAFE_INTEGER));
        json!({"type": "array", "items": one, "maxItems": MAX_IDS})
    }

    fn plain(&self, _: Json<'_>) -> Taken<Self::Value> {
        Err(Refused::because("must be a list of stream ids"))
    }

    fn list<'de, A: SeqAccess<'de>>(&self, mut list: A) -> Result<Taken<Self::Value>, A::Error> {
        each(&mut list, &integer(1..=MAX_SAFE_INTEGER, StreamId::new))
    }
}

/// Epochs; the list may be empty.
pub(super) struct Epochs;

impl Rule for Epochs {
    type Value = Vec<Epoch>;

    fn schema(&self) -> Value {
        let one = schema::integer(&(0..=MAX_SAFE_INTEGER));
        json!({"type": "array", "items": one, "maxItems": MAX_IDS})
    }

    fn plain(&self, _: Json<'_>) -> Taken<Self::Value> {
        Err(Refused::because("must be a list of epochs"))
    }

    fn list<'de, A: SeqAccess<'de>>(&self, mut list: A) -> Result<Taken<Self::Value>, A::Error> {
        each(&mut list, &integer(0..=MAX_SAFE_INTEGER, Epoch::new))
    }
}

/// Reads the entries of a list, each by a rule.
fn each<'de, A: SeqAccess<'de>, R: Rule>(
    list: &mut A,
    one: &R,
) -> Result<Taken<Vec<R::Value>>, A::Error> {
    let (mut read, mut refused, mut index) = (Vec::new(), Refused::default(), 0_usize);
    while let Some(entry) = list.next_element_seed(Reader(one))? {
        if index == MAX_IDS {
            skip_list(list)?;
            return Ok(Err(too_many(MAX_IDS)));
        }
        match entry.unwrap_or_else(|| one.plain(Json::Null)) {
            Ok(entry) => read.push(entry),
            Err(part) => refused.add(&format!("[{index}]"), part),
        }
        index += 1;
    }
    Ok(refused.or(read))
}

/// Names of instances, at most 10,000; the list may be empty.
pub(super) struct ServerIds;

impl Rule for ServerIds {
    type Value = Vec<InstanceId>;

    fn schema(&self) -> Value {
        json!({"type": "array", "items": schema::server_id(), "maxItems": MAX_NAMES})
    }

    fn plain(&self, _: Json<'_>) -> Taken<Self::Value> {
        Err(Refused::because("must be a list of names of instances"))
    }

    fn list<'de, A: SeqAccess<'de>>(&self, mut list: A) -> Result<Taken<Self::Value>, A::Error> {
        let one = server_id();
        let (mut ids, mut refused, mut index) = (Vec::new(), Refused::default(), 0_usize);
        while let Some(id) = list.next_element_seed(Reader(&one))? {
            if index == MAX_NAMES {
                skip_list(&mut list)?;
                return Ok(Err(too_many(MAX_NAMES)));
            }
            match id.unwrap_or_else(|| one.plain(Json::Null)) {
                Ok(id) => ids.push(id),
                Err(part) => refused.add(&format!("[{index}]"), part),
            }
            index += 1;
        }
        Ok(refused.or(ids))
    }
}

/// Texts by name.
pub(super) struct Labels;

impl Rule for Labels {
    type Value = BTreeMap<String, String>;

    fn schema(&self) -> Value {
        json!({
            "type": "object",
            "maxProperties": MAX_LABELS,
            "propertyNames": schema::text(&LABEL_KEY_LENGTH),
            "additionalProperties": schema::text(&LABEL_VALUE_LENGTH),
        })
    }

    fn plain(&self, _: Json<'_>) -> Taken<Self::Value> {
        Err(Refused::because("must be an object of texts"))
    }

    fn object<'de, A: MapAccess<'de>>(
        &self,
        mut object: A,
    ) -> Result<Taken<Self::Value>, A::Error> {
        let one = text::<String>(LABEL_VALUE_LENGTH);
        let mut entries = BTreeMap::new();
        while let Some(name) = object.next_key::<String>()? {
            let value = object.next_value_seed(Reader(&one))?;
            entries.insert(name, value.unwrap_or_else(|| one.plain(Json::Null)));
            if entries.len() > MAX_LABELS {
                skip_object(&mut object)?;
                return Ok(Err(too_many(MAX_LABELS)));
            }
        }
        let (mut labels, mut refused) = (BTreeMap::new(), Refused::default());
        for (name, value) in entries {
            if let Err(reason) = check_text(&name, &LABEL_KEY_LENGTH) {
                refused.note("", format!("has a name that {reason}"));
                continue;
            }
            match value {
                Ok(value) => {
                    labels.insert(name, value);
                }
                Err(part) => refused.add(&format!(".{name}"), part),
            }
        }
        Ok(refused.or(labels))
    }
}

/// The rule for an object with fields of its own that is not settled yet.
struct Drafted<T>(PhantomData<T>);

impl<T: Record> Rule for Drafted<T> {
    type Value = T::Draft;

    fn schema(&self) -> Value {
        schema::object_of::<T>()
    }

    fn plain(&self, _: Json<'_>) -> Taken<T::Draft> {
        Err(Refused::because("must be an object"))
    }

    fn object<'de, A: MapAccess<'de>>(&self, object: A) -> Result<Taken<T::Draft>, A::Error> {
        T::read(object).map(Ok)
    }
}

fn settle<T: Record>(drafted: Taken<T::Draft>) -> Taken<T> {
    T::settle(drafted?).map_err(|part| {
        let mut refused = Refused::default();
        refused.add(".", part);
        refused
    })
}

/// The rule for an object with fields of its own.
pub(super) struct Inner<T>(PhantomData<T>);

/// Returns the rule for an object with fields of its own.
pub(super) fn inner<T: Record>() -> Inner<T> {
    Inner(PhantomData)
}

impl<T: Record> Rule for Inner<T> {
    type Value = T;

    fn schema(&self) -> Value {
        schema::object_of::<T>()
    }

    fn plain(&self, json: Json<'_>) -> Taken<T> {
        settle(Drafted::<T>(PhantomData).plain(json))
    }

    fn object<'de, A: MapAccess<'de>>(&self, object: A) -> Result<Taken<T>, A::Error> {
        Drafted::<T>(PhantomData).object(object).map(settle)
    }
}

/// The rule for a whole body: one object with fields of its own.
pub(in crate::http) struct Whole<T>(PhantomData<T>);

/// Returns the rule for a whole body.
pub(in crate::http) fn whole<T: Record>() -> Whole<T> {
    Whole(PhantomData)
}

impl<T: Record> Rule for Whole<T> {
    type Value = T;

    fn schema(&self) -> Value {
        schema::object_of::<T>()
    }

    fn plain(&self, _: Json<'_>) -> Taken<T> {
        let mut refused = Refused::default();
        refused.note("body", "must be a JSON object");
        Err(refused)
    }

    fn object<'de, A: MapAccess<'de>>(&self, object: A) -> Result<Taken<T>, A::Error> {
        T::read(object).map(T::settle)
    }
}

/// Objects with fields of their own. `compare` examines all of them together, the refused ones too;
/// its refusals follow those of the single objects.
pub(super) struct Records<T: Record> {
    pub(super) most: usize,
    pub(super) compare: fn(&[Taken<T::Draft>]) -> Refused,
}

impl<T: Record> Rule for Records<T> {
    type Value = Vec<T>;

    fn schema(&self) -> Value {
        let one = schema::object_of::<T>();
        json!({"type": "array", "items": one, "maxItems": self.most})
    }

    fn plain(&self, _: Json<'_>) -> Taken<Vec<T>> {
        Err(Refused::because("must be a list of objects"))
    }

    fn list<'de, A: SeqAccess<'de>>(&self, mut list: A) -> Result<Taken<Vec<T>>, A::Error> {
        let one = Drafted::<T>(PhantomData);
        let mut drafts = Vec::new();
        while let Some(read) = list.next_element_seed(Reader(&one))? {
            if drafts.len() == self.most {
                skip_list(&mut list)?;
                return Ok(Err(too_many(self.most)));
            }
            drafts.push(read.unwrap_or_else(|| one.plain(Json::Null)));
        }
        let compared = (self.compare)(&drafts);
        let (mut records, mut refused) = (Vec::with_capacity(drafts.len()), Refused::default());
        for (index, drafted) in drafts.into_iter().enumerate() {
            match settle(drafted) {
                Ok(record) => records.push(record),
                Err(part) => refused.add(&format!("[{index}]"), part),
            }
        }
        refused.add("", compared);
        Ok(refused.or(records))
    }
}

/// Returns for each entry the index of the first that has the same `key`, if that is another one.
pub(super) fn first_with_same<'a, E, K: Ord>(
    entries: &'a [E],
    key: impl Fn(&'a E) -> Option<K>,
) -> Vec<Option<usize>> {
    let mut seen: BTreeMap<K, usize> = BTreeMap::new();
    let first = |(index, entry)| {
        let first = *seen.entry(key(entry)?).or_insert(index);
        (first != index).then_some(first)
    };
    entries.iter().enumerate().map(first).collect()
}
