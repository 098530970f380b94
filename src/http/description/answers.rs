//! Bodies of answers, put together from the schemas of the structs that are written.

use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::super::answer::Time;

/// Schemas by their names.
pub(super) type Named = Vec<(String, Value)>;

/// The schema of a body, and those that it refers to.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    pub(super) shown: Value,
    pub(super) named: Named,
}

/// Returns the schema of a type, as a reference to it.
pub(super) fn of<T: ToSchema>() -> Schema {
    let mut named = nested::<T>();
    named.push((T::name().into_owned(), as_json::<T>()));
    Schema {
        shown: json!({"$ref": format!("#/components/schemas/{}", T::name())}),
        named,
    }
}

/// Returns the schema of an object that is written in parts.
pub(super) fn object() -> Schema {
    Schema {
        shown: json!({"type": "object"}),
        named: Vec::new(),
    }
}

/// Returns the schema of an answer from memory, which says since when the database does not answer.
pub(super) fn told<T: ToSchema>() -> Schema {
    object().with::<T>().stale()
}

/// Returns the schema of one thing that was found.
pub(super) fn found(data: Schema) -> Schema {
    object()
        .word("status", &["success"])
        .field("data", data)
        .stale()
}

impl Schema {
    /// Adds the fields of a type.
    pub(super) fn with<T: ToSchema>(mut self) -> Self {
        let part = as_json::<T>();
        for (name, schema) in part["properties"].as_object().into_iter().flatten() {
            self.shown["properties"][name] = schema.clone();
        }
        for name in part["required"].as_array().into_iter().flatten() {
            self.require(name.clone());
        }
        self.named.append(&mut nested::<T>());
        self
    }

    /// Allows another form.
    pub(super) fn or(mut self, mut other: Self) -> Self {
        self.shown = json!({"oneOf": [self.shown, other.shown]});
        self.named.append(&mut other.named);
        self
    }

    /// Adds a field that is always there.
    pub(super) fn field(mut self, name: &str, mut schema: Self) -> Self {
        self.shown["properties"][name] = schema.shown;
        self.named.append(&mut schema.named);
        self.require(name.into());
        self
    }

    /// Adds a field that has one of some words.
    pub(super) fn word(self, name: &str, words: &[&str]) -> Self {
        let shown = json!({"type": "string", "enum": words});
        let named = Vec::new();
        self.field(name, Self { shown, named })
    }

    /// Adds a list of rows.
    pub(super) fn list(self, name: &str, row: Self) -> Self {
        let shown = json!({"type": "array", "items": row.shown});
        let named = row.named;
        self.field(name, Self { shown, named })
    }

    /// Adds the key after which the next page begins; it is absent on the last one.
    pub(super) fn page<K: ToSchema>(mut self) -> Self {
        let mut next = of::<K>();
        if next.shown["$ref"].is_string() && next.named.is_empty() {
            next.shown = as_json::<K>();
        }
        self.shown["properties"]["next"] = next.shown;
        self.named.append(&mut next.named);
        self.stale()
    }

    /// Adds since when the database does not answer.
    pub(super) fn stale(mut self) -> Self {
        let mut since = as_json::<Time>();
        since["description"] =
            "Since when the database does not answer; the answer shows the state saved until then."
                .into();
        self.shown["properties"]["stale_since"] = since;
        self
    }

    /// Allows fields that are not described.
    pub(super) fn open(mut self) -> Self {
        let objects = self.named.iter_mut().map(|(_, schema)| schema);
        for schema in objects.filter(|schema| schema["type"] == "object") {
            schema["additionalProperties"] = true.into();
        }
        self
    }

    fn require(&mut self, name: Value) {
        match self.shown["required"].as_array_mut() {
            Some(names) => names.push(name),
            None => self.shown["required"] = json!([name]),
        }
    }
}

fn nested<T: ToSchema>() -> Named {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    let written = |(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default());
    schemas.into_iter().map(written).collect()
}

fn as_json<T: PartialSchema>() -> Value {
    serde_json::to_value(T::schema()).unwrap_or_default()
}
