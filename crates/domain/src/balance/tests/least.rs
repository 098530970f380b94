//! The least number of moves, found by trying every distribution of a small fleet.

use proptest::prelude::*;

use super::super::*;
use super::kit::{TestFleet, instance, stream};

/// The least that remains outside of bands, and the least number of moves that leaves just that.
fn optimum(fleet: &TestFleet) -> (i64, usize) {
    let mut homes = Vec::new();
    for (home, instance) in fleet.0.iter().enumerate() {
        homes.extend(instance.streams.iter().map(|stream| (home, *stream)));
    }
    let bands: Vec<Option<Band>> = {
        let (input, shares) = (fleet.input(), fleet.shares());
        input
            .instances()
            .iter()
            .map(|instance| shares.band(instance))
            .collect()
    };
    let mut best = (i64::MAX, usize::MAX);
    let instances = fleet.0.len();
    let mut places: Vec<usize> = homes.iter().map(|_| 0).collect();
    loop {
        let mut counts = vec![0_i64; instances];
        let mut moves = 0;
        let mut is_allowed = true;
        for (place, (home, stream)) in places.iter().zip(&homes) {
            let target = &fleet.0[*place];
            counts[*place] += 1;
            if place != home {
                moves += 1;
                is_allowed &= stream.is_movable
                    && fleet.0[*home].role != BalanceRole::Keeps
                    && target.role == BalanceRole::Shares
                    && (!stream.needs_gpu || target.has_gpu);
            }
        }
        is_allowed &= counts
            .iter()
            .zip(&fleet.0)
            .all(|(count, instance)| *count <= i64::from(instance.max_streams));
        if is_allowed {
            let outside = counts.iter().zip(&bands);
            let outside: i64 = outside
                .map(|(count, band)| band.map_or(0, |band| band.excess(*count).abs()))
                .sum();
            best = best.min((outside, moves));
        }
        // The next distribution, as a number is counted up.
        let mut digit = 0;
        loop {
            let Some(place) = places.get_mut(digit) else {
                return best;
            };
            *place += 1;
            if *place < instances {
                break;
            }
            *place = 0;
            digit += 1;
        }
    }
}

/// Up to 4 instances with up to 8 streams of weight 1. Some need a GPU.
fn small_fleets() -> impl Strategy<Value = TestFleet> {
    let instance = (any::<bool>(), 0_u32..6);
    let streams = prop::collection::vec((0_usize..4, any::<bool>()), 0..9);
    (prop::collection::vec(instance, 2..5), streams).prop_map(|(instances, streams)| {
        let mut fleet: Vec<_> = ('a'..='z')
            .zip(&instances)
            .map(|(id, (has_gpu, _))| {
                let mut instance = instance_of(id);
                instance.has_gpu = *has_gpu;
                instance
            })
            .collect();
        for (id, (home, needs_gpu)) in (1..).zip(streams) {
            // Most streams on the first instances, so that there is something to do.
            let home = home * home / 4 % fleet.len();
            let mut stream = stream(id);
            stream.needs_gpu = needs_gpu && fleet[home].has_gpu;
            fleet[home].streams.push(stream);
        }
        for (instance, (_, room)) in fleet.iter_mut().zip(instances) {
            instance.max_streams = (instance.streams.len() as u32 + room).max(1);
        }
        TestFleet(fleet)
    })
}

fn instance_of(id: char) -> super::kit::TestInstance {
    instance(&id.to_string(), 10, vec![])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_for_equal_weights_has_the_least_possible_number_of_moves(fleet in small_fleets()) {
        let plan = fleet.plan();
        if fleet.is_balanced() {
            prop_assert_eq!(plan, BalancePlan::default());
            return Ok(());
        }
        let after = fleet.after(&plan);
        let outside: i64 = after.excesses().iter().map(|excess| excess.abs()).sum();
        let (least_outside, least_moves) = optimum(&fleet);
        prop_assert_eq!(outside, least_outside);
        if outside == 0 {
            prop_assert_eq!(plan.moves.len(), least_moves);
        }
    }
}
