//! One route, described.

use actix_web::http::Method;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::super::requests::MAX_SAFE_INTEGER;
use super::super::requests::{
    DescribedField, Record, integer_schema, object_schema, server_id_schema, webhook_name_schema,
};
use super::super::route_table::{Parameters, Route};
use super::answers::{Named, Schema, of};
use super::refusals::{self, Refusal};
use crate::domain::access::Permission;

/// The description of a route, apart from what the route table says of it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: &'static str,
    words: Option<(&'static str, Value)>,
    query: Vec<DescribedField>,
    headers: Vec<Value>,
    body: Option<Body>,
    answers: Vec<Answer>,
    refused: Vec<(u16, &'static str)>,
    is_always_there: bool,
    is_kept_by_clients: bool,
    /// The values of parameters in the example.
    example: Value,
}

#[derive(Debug)]
struct Body {
    schema: Value,
    is_required: bool,
    example: Value,
}

/// An answer that is no error.
#[derive(Debug)]
struct Answer {
    status: u16,
    about: &'static str,
    content_types: &'static [&'static str],
    schema: Schema,
}

const JSON: &[&str] = &["application/json"];

impl Call {
    fn new(method: Method, path: &'static str) -> Self {
        Self {
            method,
            path,
            words: None,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            refused: Vec::new(),
            is_always_there: false,
            is_kept_by_clients: false,
            example: json!({}),
        }
    }

    pub(super) fn get(path: &'static str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: &'static str) -> Self {
        Self::new(Method::POST, path)
    }

    pub(super) fn put(path: &'static str) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(super) fn delete(path: &'static str) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Describes its query.
    pub(super) fn query<R: Record>(mut self) -> Self {
        self.query = R::described();
        self
    }

    /// Adds a header that it reads.
    pub(super) fn header(mut self, name: &str, about: &str, schema: &Value) -> Self {
        self.headers
            .push(json!({"name": name, "in": "header", "description": about, "schema": schema}));
        self
    }

    /// Names values of its parameters for the example.
    pub(super) fn example(mut self, values: Value) -> Self {
        self.example = values;
        self
    }

    /// Describes its body.
    pub(super) fn body<R: Record>(mut self, example: Value) -> Self {
        self.body = Some(Body {
            schema: object_schema::<R>(),
            is_required: true,
            example,
        });
        self
    }

    /// Describes a body that may be left out.
    pub(super) fn optional_body<R: Record>(mut self, example: Value) -> Self {
        self.body = Some(Body {
            schema: object_schema::<R>(),
            is_required: false,
            example,
        });
        self
    }

    /// Adds its answer 200 with a JSON body.
    pub(super) fn answers(self, schema: Schema) -> Self {
        self.also(200, "The answer.", schema)
    }

    /// Adds its answer 200 with the body of a type.
    pub(super) fn answers_with<T: ToSchema>(self) -> Self {
        self.answers(of::<T>())
    }

    /// Adds an answer with another status.
    pub(super) fn also(mut self, status: u16, about: &'static str, schema: Schema) -> Self {
        self.answers.push(Answer {
            status,
            about,
            content_types: JSON,
            schema,
        });
        self
    }

    /// Adds its answer 200 with a body that is not JSON.
    pub(super) fn answers_text(
        mut self,
        content_types: &'static [&'static str],
        schema: Value,
    ) -> Self {
        self.answers.push(Answer {
            status: 200,
            about: "The answer.",
            content_types,
            schema: Schema {
                shown: schema,
                named: Vec::new(),
            },
        });
        self
    }

    /// Adds an error of its own.
    pub(super) fn refuses(mut self, status: u16, about: &'static str) -> Self {
        self.refused.push((status, about));
        self
    }

    /// Marks a route that each process answers by itself, in every phase, and without a limit.
    pub(super) fn always(mut self) -> Self {
        self.is_always_there = true;
        self
    }

    /// Marks a page with an `ETag`, which clients keep.
    pub(super) fn kept_by_clients(mut self) -> Self {
        self.is_kept_by_clients = true;
        self.header(
            "If-None-Match",
            "The `ETag` of the page that the client has.",
            &json!({"type": "string"}),
        )
    }

    /// Describes a part of its path that is one of some words.
    pub(super) fn path_words(mut self, name: &'static str, words: &[&str]) -> Self {
        self.words = Some((name, json!({"type": "string", "enum": words})));
        self
    }

    /// Returns the schemas that it refers to.
    pub(super) fn schemas(&self) -> Named {
        self.answers
            .iter()
            .flat_map(|answer| answer.schema.named.clone())
            .collect()
    }

    /// Returns its operation; `route` is its line of the route table.
    pub(super) fn operation(&self, group: &str, route: Option<&Route>) -> Value {
        let meaning = route.map_or("", |route| route.meaning);
        let mut operation = json!({
            "tags": [group],
            "operationId": self.name(),
            "summary": summary(meaning),
            "description": meaning,
            "responses": self.responses(route),
        });
        if let Some(route) = route {
            operation["x-role"] = route.permission.needed().replace('`', "").into();
            operation["security"] = match route.permission {
                Permission::Public => json!([]),
                // An empty one: with AUTH off no key is needed.
                _ => json!([{"key": []}, {"session": []}, {}]),
            };
        }
        let parameters = self.parameters();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = &self.body {
            operation["requestBody"] = json!({
                "required": body.is_required,
                "content": {"application/json": {"schema": body.schema, "example": body.example}},
            });
        }
        operation
    }

    /// Returns a name made of method and path: `get_streams_id`.
    fn name(&self) -> String {
        let words = self
            .path
            .split(|letter: char| !letter.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty());
        let method = self.method.as_str().to_ascii_lowercase();
        std::iter::once(method.as_str())
            .chain(words)
            .collect::<Vec<_>>()
            .join("_")
    }

    fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    fn parameters(&self) -> Vec<Value> {
        let in_path = self.path_parameters().map(|name| {
            let words = self.words.as_ref().filter(|(named, _)| *named == name);
            let (about, schema) = match name {
                _ if words.is_some() => ("One of these.", words.map(|(_, schema)| schema.clone()).unwrap_or_default()),
                "id" => ("Its id.", integer_schema(&(1..=MAX_SAFE_INTEGER))),
                "server_id" => ("Name of the instance, percent-encoded.", server_id_schema()),
                _ if self.path.starts_with("/webhooks/") => ("Its name.", webhook_name_schema()),
                _ => ("Its name, percent-encoded.", server_id_schema()),
            };
            json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema})
        });
        let in_query = self.query.iter().map(|field| {
            let mut parameter = json!({
                "name": field.name,
                "in": "query",
                "required": field.is_required,
                "description": field.about,
                "schema": field.schema,
            });
            if may_be_empty(field) {
                parameter["allowEmptyValue"] = true.into();
            }
            parameter
        });
        let mut all: Vec<Value> = in_path
            .chain(in_query)
            .chain(self.headers.clone())
            .collect();
        for parameter in &mut all {
            let value = parameter["name"]
                .as_str()
                .and_then(|name| self.example.get(name));
            if let Some(value) = value.cloned() {
                parameter["example"] = value;
            }
        }
        all
    }

    /// Returns the errors that follow from what it reads and from where it is answered.
    fn common(&self, route: Option<&Route>) -> Vec<Refusal> {
        let mut common = vec![Refusal::Fault];
        let reads_query = route.is_none_or(|route| route.parameters != Parameters::Ignored);
        if self.body.is_some() {
            common.extend([
                Refusal::Malformed,
                Refusal::TooSlow,
                Refusal::TooLarge,
                Refusal::Encoded,
            ]);
        }
        if self.body.is_some() || reads_query || self.path_parameters().next().is_some() {
            common.push(Refusal::Invalid);
        }
        let is_guarded = route.is_some_and(|route| route.permission != Permission::Public);
        if is_guarded {
            common.extend([
                Refusal::Unauthorized,
                Refusal::Forbidden,
                Refusal::TooManyAttempts,
            ]);
        }
        // Before the keys are read, no caller is let in.
        if !self.is_always_there || is_guarded {
            common.push(Refusal::Unavailable);
        }
        common
    }

    fn responses(&self, route: Option<&Route>) -> Value {
        let mut responses = Map::new();
        for refusal in self.common(route) {
            responses.insert(refusal.status().to_string(), refusal.reference());
        }
        for (status, about) in &self.refused {
            responses.insert(status.to_string(), refusals::problem(about));
        }
        if self.is_kept_by_clients {
            responses.insert(
                "304".to_owned(),
                json!({"description": "The client has the newest page."}),
            );
        }
        for answer in &self.answers {
            let content: Map<String, Value> = answer
                .content_types
                .iter()
                .map(|kind| ((*kind).to_owned(), json!({"schema": answer.schema.shown})))
                .collect();
            let mut response = json!({"description": answer.about, "content": content});
            if answer.status == 503 {
                response["headers"] = refusals::retry_after();
                // A 503 may also be an error: the gate answers before the handler.
                response["content"][refusals::PROBLEM] =
                    refusals::problem("")["content"][refusals::PROBLEM].clone();
            }
            responses.insert(answer.status.to_string(), response);
        }
        responses.into()
    }
}

/// Returns whether a parameter without a value is accepted: it is the same as absent, or means `true`. A reason that
/// has to say something is refused.
fn may_be_empty(field: &DescribedField) -> bool {
    let says_something = field.name == "reason" && field.schema["minLength"] != 0;
    !field.is_required && !says_something
}

/// Returns the part of a text before the first pause.
fn summary(meaning: &str) -> &str {
    let ends = [": ", "; ", ". "].map(|pause| meaning.find(pause).unwrap_or(meaning.len()));
    let end = ends.into_iter().min().unwrap_or(meaning.len());
    meaning[..end].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_ends_at_the_first_pause() {
        assert_eq!(summary("Long poll: answers soon; `wait`."), "Long poll");
        assert_eq!(
            summary("Lists the rolls, newest first; pages."),
            "Lists the rolls, newest first"
        );
        assert_eq!(
            summary("200 while the process runs."),
            "200 while the process runs"
        );
    }

    #[test]
    fn an_operation_is_named_after_method_and_path() {
        let call = Call::post("/streams/{id}/release-quarantine");
        assert_eq!(call.name(), "post_streams_id_release_quarantine");
    }
}
