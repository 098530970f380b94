//! Rows in flight, refused and dropped, with every order of answers.

use proptest::prelude::*;

use super::*;

const PAUSE: Duration = Duration::from_secs(5);

/// A version of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    key: u8,
    version: u32,
    is_closed: bool,
}

impl Keyed for Version {
    type Key = u8;

    fn key(&self) -> u8 {
        self.key
    }

    fn is_expendable(&self) -> bool {
        self.is_closed
    }
}

fn version(key: u8, version: u32) -> Version {
    Version {
        key,
        version,
        is_closed: false,
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn numbers(excess: Excess, limit: usize, filled: impl IntoIterator<Item = u32>) -> Numbers {
    let mut outbox = Outbox::new(Queue::dropping(excess), limit, PAUSE);
    for number in filled {
        let _ = outbox.put(number);
    }
    outbox
}

type Numbers = Outbox<Queue<u32>>;

fn held(outbox: &Numbers) -> Vec<u32> {
    outbox.rows().copied().collect()
}

#[test]
fn one_save_is_in_flight_at_a_time() {
    let mut outbox = numbers(Excess::Oldest, 9, [1, 2]);
    assert_eq!(outbox.begin(at(0)).as_deref(), Some(&[1, 2][..]));
    assert_eq!(outbox.put(3), [0; 0]);
    assert_eq!(outbox.begin(at(0)), None);
    assert_eq!(held(&outbox), [1, 2, 3]);
    assert_eq!(outbox.settled(Vec::new()), [0; 0]);
    assert_eq!(outbox.begin(at(0)).as_deref(), Some(&[3][..]));
    assert!(outbox.settled(Vec::new()).is_empty() && outbox.is_empty());
    assert_eq!(outbox.begin(at(0)), None, "no row waits");
}

#[test]
fn a_failed_save_is_tried_again_after_the_pause_in_the_same_order() {
    let mut outbox = numbers(Excess::Oldest, 9, [1, 2, 3]);
    outbox.begin(at(10));
    assert_eq!(outbox.put(4), [0; 0]);
    assert_eq!(outbox.next_retry(), None, "it is under way");
    assert_eq!(outbox.failed(vec![2, 3], at(10)), [0; 0]);
    assert_eq!(outbox.next_retry(), Some(at(15)));
    assert_eq!(outbox.begin(at(14)), None);
    assert_eq!(outbox.begin(at(15)).as_deref(), Some(&[2, 3, 4][..]));
    assert_eq!(outbox.postponed(at(15)), [0; 0]);
    assert_eq!(
        (held(&outbox), outbox.next_retry()),
        (vec![2, 3, 4], Some(at(20)))
    );
}

#[test]
fn a_full_queue_drops_what_it_was_told_to() {
    for (excess, dropped, left) in [
        (Excess::Oldest, [[1], [2]], [3, 4]),
        (Excess::Newest, [[3], [4]], [1, 2]),
    ] {
        let mut outbox = numbers(excess, 2, [1, 2]);
        assert_eq!([outbox.put(3), outbox.put(4)], dropped);
        assert_eq!(held(&outbox), left);
    }
    let mut outbox = numbers(Excess::Oldest, 2, [1, 2]);
    outbox.begin(at(0));
    assert_eq!(outbox.put(3), [0; 0], "what is in flight is not counted");
    assert_eq!(outbox.failed(vec![1, 2], at(0)), [1]);
    assert_eq!(held(&outbox), [2, 3]);
}

#[test]
fn rows_refused_together_are_saved_one_by_one() {
    let mut outbox = numbers(Excess::Newest, 9, [1, 2, 3]);
    outbox.begin(at(0));
    let _ = outbox.put(4);
    assert_eq!(outbox.refused(), [0; 0]);
    assert_eq!(outbox.begin(at(0)).as_deref(), Some(&[1][..]));
    assert_eq!(outbox.settled(Vec::new()), [0; 0]);
    assert_eq!(outbox.begin(at(0)).as_deref(), Some(&[2][..]));
    assert_eq!(outbox.postponed(at(0)), [0; 0], "it is still alone later");
    assert_eq!(outbox.begin(at(5)).as_deref(), Some(&[2][..]));
    assert_eq!(outbox.settled(Vec::new()), [0; 0], "it is the culprit");
    assert_eq!(outbox.begin(at(5)).as_deref(), Some(&[3][..]));
    assert_eq!(outbox.settled(Vec::new()), [0; 0]);
    assert_eq!(outbox.begin(at(5)).as_deref(), Some(&[4][..]));
}

#[test]
fn only_the_newest_version_of_a_key_is_saved() {
    let mut outbox = Outbox::new(Latest::default(), 9, PAUSE);
    for row in [version(1, 1), version(2, 1), version(1, 2)] {
        assert_eq!(outbox.put(row), []);
    }
    let saved = outbox.begin(at(0)).unwrap();
    assert_eq!(*saved, [version(1, 2), version(2, 1)]);
    let _ = outbox.put(version(1, 3));
    assert_eq!(outbox.failed(saved.to_vec(), at(0)), []);
    let rows: Vec<Version> = outbox.rows().cloned().collect();
    assert_eq!(rows, [version(1, 3), version(2, 1)]);
}

#[test]
fn an_expendable_row_is_dropped_first() {
    let mut outbox = Outbox::new(Latest::default(), 2, PAUSE);
    let closed = Version {
        is_closed: true,
        ..version(2, 1)
    };
    assert_eq!(outbox.put(version(1, 1)), []);
    assert_eq!(outbox.put(closed.clone()), []);
    assert_eq!(outbox.put(version(3, 1)), [closed]);
    assert_eq!(outbox.put(version(4, 1)), [version(1, 1)]);
}

#[derive(Debug, Clone)]
enum Act {
    Put,
    Begin,
    Settle(usize),
    Fail(usize),
    Refuse,
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Put),
        3 => Just(Act::Begin),
        2 => (0_usize..4).prop_map(Act::Settle),
        2 => (0_usize..4).prop_map(Act::Fail),
        1 => Just(Act::Refuse),
        2 => (0_u64..7).prop_map(Act::Wait),
    ]
}

proptest! {
    #[test]
    fn a_row_is_saved_once_or_dropped_and_counted_or_still_there(
        acts in proptest::collection::vec(act(), 1..120),
        limit in 1_usize..6,
        oldest in any::<bool>(),
    ) {
        let excess = if oldest { Excess::Oldest } else { Excess::Newest };
        let mut outbox = numbers(excess, limit, []);
        let (mut next, mut now, mut gone) = (0, 0, Vec::new());
        let mut in_flight: Vec<u32> = Vec::new();
        let mut paused_until = 0;
        for act in acts {
            match act {
                Act::Put => {
                    gone.extend(outbox.put(next));
                    next += 1;
                }
                Act::Begin => if let Some(rows) = outbox.begin(at(now)) {
                    prop_assert!(in_flight.is_empty() && !rows.is_empty());
                    prop_assert!(now >= paused_until);
                    in_flight = rows.to_vec();
                },
                Act::Settle(saved) | Act::Fail(saved) if !in_flight.is_empty() => {
                    let saved = saved.min(in_flight.len());
                    let left = in_flight.split_off(saved);
                    gone.append(&mut in_flight);
                    gone.extend(if matches!(act, Act::Fail(_)) {
                        paused_until = now + PAUSE.as_secs();
                        outbox.failed(left, at(now))
                    } else {
                        outbox.settled(left)
                    });
                }
                Act::Refuse if !in_flight.is_empty() => {
                    in_flight.clear();
                    gone.extend(outbox.refused());
                }
                Act::Wait(seconds) => now += seconds,
                Act::Settle(_) | Act::Fail(_) | Act::Refuse => {}
            }
            prop_assert_eq!(outbox.is_saving(), !in_flight.is_empty());
            let rows = held(&outbox);
            prop_assert!(rows.is_sorted(), "{:?}", rows);
            let mut all: Vec<u32> = gone.iter().copied().chain(rows).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..next).collect::<Vec<u32>>(), "each once");
        }
    }
}
