//! Every answer has the id of its request.

use serde_json::json;

use crate::support_http::support_log;
use crate::support_http::{Answer, World};

const ID: &str = "x-request-id";

fn id_of(answer: &Answer) -> &str {
    answer
        .header(ID)
        .unwrap_or_else(|| panic!("no id: {answer:?}"))
}

#[actix_web::test]
async fn every_answer_has_an_id_of_its_own() {
    let world = World::start().await;
    world.register("a", 3).await;
    let answers = [
        world.beat("a").await,
        world.beat("unknown").await,
        world.get("/livez").await,
        world.get("/status").await,
        world.get("/no/such/route").await,
        world.get("/status?more=1").await,
        world.send("PUT", "/status").await,
        world.post("/register", json!({"server_id": 7})).await,
        world.send_bytes("POST", "/heartbeat", b"{".to_vec()).await,
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 404, 200, 200, 404, 422, 405, 422, 400]);
    let mut ids: Vec<&str> = answers.iter().map(id_of).collect();
    for id in &ids {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(id.len() == 32 && id.chars().all(is_digit), "{id}");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), statuses.len());
}

#[actix_web::test]
async fn an_id_that_the_caller_names_comes_back_if_it_is_well_formed() {
    let world = World::start().await;
    let longest = "a".repeat(128);
    for id in ["a", "Root=1-67891233-abcdef", &longest] {
        let answer = world
            .send_with("GET", "/livez", &[(ID, id)], Vec::new())
            .await;
        assert_eq!(id_of(&answer), id);
    }
    let too_long = "a".repeat(129);
    for id in ["", "a b", "a\"b", "a;b", &too_long] {
        let answer = world
            .send_with("GET", "/livez", &[(ID, id)], Vec::new())
            .await;
        assert_eq!(answer.status, 200, "a bad id is no reason to refuse");
        assert_eq!(id_of(&answer).len(), 32, "{id:?}");
    }
}

#[actix_web::test]
async fn an_order_is_one_line_and_a_heartbeat_none() {
    let world = World::start().await;
    world.register("a", 3).await;
    let before = support_log::said().len();
    for _ in 0..1_000 {
        world.beat("a").await.ok();
    }
    world.get("/status").await.ok();
    assert_eq!(support_log::said()[before..], []);
    world.post("/instances/a/cordon", json!({})).await.ok();
    let said = support_log::said().len();
    let dry = world
        .post("/instances/a/drain?dry_run=true", json!({}))
        .await;
    assert_eq!(dry.ok()["dry_run"], true);
    assert_eq!(support_log::said()[said..], [], "it changes nothing");
    let said: Vec<String> = support_log::said()
        .into_iter()
        .skip(before)
        .map(|(_, line)| line)
        .collect();
    let answered = "POST /instances/a/cordon was answered 200";
    assert_eq!(
        said.iter().filter(|line| *line == answered).count(),
        1,
        "{said:?}"
    );
}
