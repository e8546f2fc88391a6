//! Ids of traces and spans: from a generator of each thread, because a span must not wait for
//! another's and needs no secret.

use std::cell::Cell;

/// The state of xoshiro256++.
type State = [u64; 4];

thread_local! {
    static STATE: Cell<Option<State>> = const { Cell::new(None) };
}

/// 64 random bits that are not all zero, since an id of zeros means none.
pub(super) fn nonzero() -> u64 {
    let next = STATE.try_with(|state| {
        let mut numbers = state.get().unwrap_or_else(seed);
        let mut number = step(&mut numbers);
        while number == 0 {
            number = step(&mut numbers);
        }
        state.set(Some(numbers));
        number
    });
    // A thread that is ending has no state any more.
    next.unwrap_or_else(|_| rand::random::<u64>().max(1))
}

fn seed() -> State {
    // All zeros would stay zeros.
    std::array::from_fn(|_| rand::random::<u64>() | 1)
}

fn step(state: &mut State) -> u64 {
    let result = state[0].wrapping_add(state[3]).rotate_left(23).wrapping_add(state[0]);
    let shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = state[3].rotate_left(45);
    result
}
