//! Power cuts and kills at any moment: the state is that of the last acknowledged commit, or of the one
//! that was on its way. A failure prints its seed.

use super::*;

#[test]
fn a_power_cut_at_any_moment_leaves_the_last_commit_or_the_next() {
    for seed in 0..600 {
        let mut chance = Chance::new(seed);
        let mut disk = ForgetfulDisk::new();
        let mut expected = vec![Arc::new(State::default())];
        let mut next = 0;
        for life in 0..5 {
            let until = chance.below(40);
            disk.faults(|faults| faults.power_off = Some(until));
            live(&disk, &mut chance, &mut expected, &mut next, &format!("seed {seed}, life {life}"));
            disk = if chance.one_in(3) { disk.kill() } else { disk.power_cut(chance.number()) };
        }
    }
}

/// Opens the manifest, checks it, and commits until the power goes. `expected` are the states that may be
/// found; the last is the newest.
fn live(disk: &ForgetfulDisk, chance: &mut Chance, expected: &mut Vec<Arc<State>>, next: &mut u64, at: &str) {
    let options = ManifestOptions { checkpoint_bytes: 500 + chance.below(3000), ..options(disk) };
    let Ok((manifest, damage)) = Manifest::open(options) else { return };
    assert_eq!(damage, [], "{at}");
    let found = manifest.state();
    assert!(
        expected.contains(&sure(&found)),
        "{at}: found {:?}, not the acknowledged {:?}",
        found.progress,
        expected.last().map(|state| &state.progress)
    );
    *expected = vec![sure(&found)];
    for _ in 0..40 {
        if chance.one_in(6) {
            disk.faults(|faults| faults.fail_write = Some((0, io::ErrorKind::StorageFull)));
        }
        let commit = any_commit(&manifest.state(), chance, next);
        let then = manifest.state().apply(&commit).unwrap();
        assert!(then.ledger.values().all(Counts::balances), "{at}");
        match manifest.commit(commit) {
            Ok(state) => {
                assert_eq!(*state, then, "{at}");
                *expected = vec![sure(&state)];
            }
            Err(ManifestError::Fatal { .. }) => {
                expected.push(sure(&then));
                return;
            }
            Err(_) => {}
        }
    }
}

fn any_commit(state: &State, chance: &mut Chance, next: &mut u64) -> Commit {
    let live: Vec<_> = state.segments.values().flat_map(|s| s.iter()).collect();
    let victim = live.get(chance.below(live.len() as u64) as usize);
    match (chance.below(4), victim, state.removed.first()) {
        (0, Some(victim), _) => {
            let reason = if chance.one_in(2) { RemovalReason::Expired } else { RemovalReason::SetAside };
            let remove = vec![Removal { id: victim.id.clone(), reason, at_unix_ms: 1 }];
            Commit { remove, ..Commit::default() }
        }
        (1, _, Some(removed)) => Commit { deleted: vec![removed.segment.id.clone()], ..Commit::default() },
        _ => {
            *next += 1;
            let mut commit = seal(*next);
            if !commit.add[0].counts_records() {
                commit.ledger.clear();
            }
            commit
        }
    }
}
