//! Keys, sessions, and the caller itself.

use serde_json::json;

use super::super::keys::{CreatedAnswer, KeyAnswer, RevokedAnswer};
use super::super::requests::{KeyRequest, KeysQuery, SessionRequest};
use super::super::sessions::{SessionAnswer, SessionEndAnswer, WhoAmIAnswer};
use super::answers::{object, of};
use super::call::Call;
use crate::domain::ids::KeyId;

pub(super) fn calls() -> Vec<Call> {
    vec![
        Call::get("/keys")
            .query::<KeysQuery>()
            .example(json!({"limit": 100}))
            .answers(object().list("keys", of::<KeyAnswer>()).page::<KeyId>()),
        Call::post("/keys")
            .body::<KeyRequest>(
                json!({"name": "rack-1", "role": "worker", "server_ids": ["rack-1-*"],
                "expires": "90d"}),
            )
            .answers_with::<CreatedAnswer>()
            .refuses(
                409,
                "A key of that name is there, or there are as many keys as may be.",
            ),
        Call::delete("/keys/{id}")
            .example(json!({"id": 1}))
            .answers_with::<RevokedAnswer>()
            .refuses(404, "There is no such key."),
        Call::get("/whoami").answers_with::<WhoAmIAnswer>(),
        Call::post("/session")
            .body::<SessionRequest>(
                json!({"key": "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}),
            )
            .answers_with::<SessionAnswer>()
            .refuses(401, "The key does not do.")
            .refuses(409, "AUTH is off, so no session is needed.")
            .refuses(429, "This address has sent bad keys too often."),
        Call::delete("/session").answers_with::<SessionEndAnswer>(),
    ]
}
