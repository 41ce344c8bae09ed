//! Medians, quantiles and ratios; pure functions over samples.

use serde::Serialize;

/// The middle of a set of samples and how far it spreads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the samples are below.
    pub median: f64,
    /// The smallest sample.
    pub min: f64,
    /// The largest sample.
    pub max: f64,
}

impl Spread {
    /// `None` where there is no sample.
    pub fn over(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: median_sorted(&sorted)?,
            min: *sorted.first()?,
            max: *sorted.last()?,
        })
    }
}

fn median_sorted(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some((lower + upper) / 2.0)
}

/// The nearest-rank quantile of ascending samples: the smallest one that at least `q` of all do not exceed.
pub fn quantile(sorted: &[u64], q: f64) -> Option<u64> {
    let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

/// `a / b`; `None` where either is missing or `b` is zero.
pub fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) if b != 0.0 => Some(a / b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Spread, quantile, ratio};

    #[test]
    fn median_of_an_odd_and_of_an_even_number() {
        assert_eq!(
            Spread::over([3.0, 1.0, 2.0]),
            Some(Spread {
                median: 2.0,
                min: 1.0,
                max: 3.0
            })
        );
        assert_eq!(
            Spread::over([4.0, 1.0, 2.0, 8.0]),
            Some(Spread {
                median: 3.0,
                min: 1.0,
                max: 8.0
            })
        );
        assert_eq!(Spread::over([5.0]).map(|spread| spread.median), Some(5.0));
        assert_eq!(Spread::over([]), None);
    }

    #[test]
    fn quantile_is_the_nearest_rank() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&hundred, 0.5), Some(50));
        assert_eq!(quantile(&hundred, 0.99), Some(99));
        assert_eq!(quantile(&hundred, 1.0), Some(100));
        assert_eq!(quantile(&hundred, 0.0), Some(1));
        assert_eq!(quantile(&[7, 9], 0.5), Some(7));
        assert_eq!(quantile(&[7, 9], 0.51), Some(9));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn ratio_needs_both_sides() {
        assert_eq!(ratio(Some(3.0), Some(2.0)), Some(1.5));
        assert_eq!(ratio(Some(3.0), Some(0.0)), None);
        assert_eq!(ratio(None, Some(2.0)), None);
        assert_eq!(ratio(Some(1.0), None), None);
    }
}
