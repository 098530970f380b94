//! Every row once, and pages that fit together.

use super::*;
use serde_json::{Value, json};

/// Every multiple of three up to an end, found by looking at ten numbers at a time.
struct Threes {
    end: usize,
}

impl Parts for Threes {
    type Key = usize;
    type Line = usize;

    async fn ask(&self, after: Option<usize>, most: usize) -> Result<Part<usize, usize>, Problem> {
        let begin = after.map_or(0, |after| after + 1);
        let mut lines = Vec::new();
        for number in begin..self.end {
            if number >= begin + 10 {
                let onward = Onward::LookedUpTo(number - 1);
                return Ok(Part { lines, onward });
            }
            if number % 3 == 0 && lines.len() == most {
                let onward = Onward::More;
                return Ok(Part { lines, onward });
            }
            if number % 3 == 0 {
                lines.push(number);
            }
        }
        let onward = Onward::End;
        Ok(Part { lines, onward })
    }

    fn key(&self, line: &usize) -> usize {
        *line
    }

    fn row(&self, text: &mut Vec<u8>, line: usize) -> Result<(), Problem> {
        json(text, &line)
    }

    fn closing(&self, next: Option<usize>) -> Result<Vec<u8>, Problem> {
        closing(&json!({ "next": next }))
    }
}

async fn read(mut source: impl Source) -> Value {
    let mut text = Vec::new();
    while source.write(&mut text).await.unwrap() {}
    serde_json::from_slice(&text).unwrap()
}

async fn threes(end: usize, after: Option<usize>, limit: Option<usize>) -> Value {
    let opening = opening(&Nothing {}, "threes").unwrap();
    read(Walk::new(Threes { end }, opening, after, limit)).await
}

#[actix_web::test]
async fn a_walk_gives_every_row_once_and_names_the_next_page_only_if_there_is_one() {
    let whole = threes(100, None, None).await;
    let every: Vec<usize> = (0..100).step_by(3).collect();
    assert_eq!(whole, json!({"threes": every, "next": null}));
    assert_eq!(
        threes(0, None, None).await,
        json!({"threes": [], "next": null})
    );
    // Pages of each size, put together, are the whole.
    for limit in 1..=40 {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = threes(100, after, Some(limit)).await;
            let rows = page["threes"].as_array().unwrap().clone();
            assert!(!rows.is_empty(), "no page is empty: {limit}");
            all.extend(rows);
            match page["next"].as_u64() {
                Some(next) => after = usize::try_from(next).ok(),
                None => break,
            }
        }
        assert_eq!(json!(all), json!(every), "{limit}");
    }
}

#[actix_web::test]
async fn a_known_list_stands_between_the_other_fields() {
    let head = json!({"count": 2});
    let rows = |count| Rows::of(&head, "rows", 0..count, &json!({"next": 7})).unwrap();
    assert_eq!(
        read(rows(2)).await,
        json!({"count": 2, "rows": [0, 1], "next": 7})
    );
    assert_eq!(
        read(rows(0)).await,
        json!({"count": 2, "rows": [], "next": 7})
    );
    let bare = Rows::of(&Nothing {}, "rows", 0..1, &Nothing {}).unwrap();
    assert_eq!(read(bare).await, json!({"rows": [0]}));
    let first = Rows::between(opening(&Nothing {}, "a").unwrap(), 0..2, Vec::new());
    let second = Rows::between(b"],\"b\":[".to_vec(), 2..3, b"]}".to_vec());
    assert_eq!(
        read(Both::new(first, second)).await,
        json!({"a": [0, 1], "b": [2]})
    );
}

#[actix_web::test]
async fn a_long_list_is_written_in_pieces_of_bounded_size() {
    let row = "x".repeat(100);
    let rows = std::iter::repeat_n(row, 10_000);
    let mut source = Rows::of(&Nothing {}, "rows", rows, &Nothing {}).unwrap();
    let mut pieces = 0;
    loop {
        let mut text = Vec::new();
        let goes_on = source.write(&mut text).await.unwrap();
        assert!(text.len() < MAX_PIECE + 200);
        pieces += 1;
        if !goes_on {
            break;
        }
    }
    assert!(pieces > 20, "{pieces}");
}
