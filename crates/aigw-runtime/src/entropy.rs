//! Fresh randomness for weights and ids: fast, and not for secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish());
}

/// The next number of this thread (SplitMix64, <https://doi.org/10.1145/2714064.2660195>).
pub fn next() -> u64 {
    STATE.with(|state| {
        let seed = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(seed);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn numbers_differ_within_and_across_threads() {
        let draw = || (0..100).map(|_| super::next()).collect::<Vec<_>>();
        let other = std::thread::spawn(draw).join().unwrap();
        let all: HashSet<u64> = draw().into_iter().chain(other).collect();
        assert_eq!(all.len(), 200);
    }
}
