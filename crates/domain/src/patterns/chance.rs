//! The probability that something happens by chance alone.

/// Returns the chance of at least `hits` in `tries`, each a hit with chance `p` (binomial).
pub(super) fn at_least(hits: usize, tries: usize, p: f64) -> f64 {
    let logs = LogFactorials::up_to(tries);
    let term = |k: usize| {
        let exponent =
            logs.choose(tries, k) + k as f64 * p.ln() + (tries - k) as f64 * (1.0 - p).ln();
        exponent.exp()
    };
    if hits == 0 {
        return 1.0;
    }
    (hits..=tries).map(term).sum::<f64>().min(1.0)
}

/// Returns the chance that of `drawn` out of `all`, of which `marked` are marked, at least `hits`
/// are marked (hypergeometric).
pub(super) fn at_least_of_drawn(hits: usize, drawn: usize, marked: usize, all: usize) -> f64 {
    if drawn > all || marked > all {
        return 1.0;
    }
    let logs = LogFactorials::up_to(all);
    let most = drawn.min(marked);
    let term = |k: usize| {
        if drawn - k > all - marked {
            return 0.0;
        }
        let ways = logs.choose(marked, k) + logs.choose(all - marked, drawn - k);
        (ways - logs.choose(all, drawn)).exp()
    };
    if hits == 0 {
        return 1.0;
    }
    (hits..=most).map(term).sum::<f64>().min(1.0)
}

/// Factorials are too large to be multiplied; their logarithms are added.
struct LogFactorials(Vec<f64>);

impl LogFactorials {
    fn up_to(largest: usize) -> Self {
        let mut logs = vec![0.0; largest + 1];
        for number in 1..=largest {
            logs[number] = logs[number - 1] + (number as f64).ln();
        }
        Self(logs)
    }

    fn choose(&self, all: usize, some: usize) -> f64 {
        self.0[all] - self.0[some] - self.0[all - some]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn dice_and_urns() {
        assert_close(at_least(1, 1, 1.0 / 6.0), 1.0 / 6.0);
        assert_close(at_least(1, 2, 0.5), 0.75);
        assert_close(at_least(3, 3, 0.5), 0.125);
        assert_close(at_least(0, 3, 0.5), 1.0);
        assert_close(at_least(4, 3, 0.5), 0.0);
        assert_close(at_least_of_drawn(3, 3, 3, 6), 0.05);
        assert_close(at_least_of_drawn(1, 1, 2, 4), 0.5);
        assert_close(at_least_of_drawn(2, 2, 4, 4), 1.0);
        assert_close(at_least_of_drawn(3, 4, 2, 9), 0.0);
        assert_close(at_least_of_drawn(1, 5, 1, 4), 1.0);
        assert!(at_least(900, 5_000, 1.0 / 24.0) < 1e-12);
    }
}
