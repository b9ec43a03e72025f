//! How a plan is split over the cores: whose users and slots are whose.

use crate::{
    schedule::{Course, Pacer},
    Plan,
};

/// The users of one core. Those that share an HTTP/2 connection are on the same core: each connection has as many as it can.
pub(crate) fn users_of(plan: &Plan, core: usize) -> u32 {
    let block = u64::from(plan.network.http2.streams.max(1));
    share_in_blocks(u64::from(plan.load.users), block, core, plan.cpus.len()) as u32
}

/// The ceiling on the rate of one core: its users' part of the slots, which lie between those of the other cores.
pub(crate) fn pacer(plan: &Plan, core: usize, start_ns: u64, rate: Course) -> Pacer {
    let part = f64::from(users_of(plan, core)) / f64::from(plan.load.users);
    Pacer::new(start_ns, rate, part, core as f64)
}

/// The part of `total` that falls to one of `cores` where it is given out in blocks; the last block may be a smaller one.
fn share_in_blocks(total: u64, block: u64, core: usize, cores: usize) -> u64 {
    let blocks = total.div_ceil(block);
    let before: u64 = (0..core).map(|core| share(blocks, core, cores)).sum();
    let end = (before + share(blocks, core, cores)) * block;
    end.min(total) - (before * block).min(total)
}

/// The part of `total` that falls to one of `cores`, the first ones taking the remainder.
pub(crate) fn share(total: u64, core: usize, cores: usize) -> u64 {
    total / cores as u64 + u64::from((core as u64) < total % cores as u64)
}

/// Which user of the run a core's user is, where core `c` has `users[c]` of them: user `k` of `n` stands at `(k + 1/2) / n` of the way,
/// the first core first where two stand at the same place.
pub(crate) fn rank(users: &[usize], core: usize, number: usize) -> usize {
    let before = |(other, &count): (usize, &usize)| {
        // Of the other core those `k` with (2 k + 1) / count below (2 number + 1) / users, or as much.
        let place = (2 * number + 1) * count;
        let most = if other < core { place / users[core] } else { (place - 1) / users[core] };
        most.div_ceil(2).min(count)
    };
    let others = users.iter().enumerate().filter(|(other, count)| *other != core && **count > 0);
    number + others.map(before).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::{rank, share, share_in_blocks};

    #[test]
    fn shares_add_up_and_differ_by_one_at_most() {
        assert_eq!([share(7, 0, 3), share(7, 1, 3), share(7, 2, 3)], [3, 2, 2]);
        assert_eq!([share(1, 0, 2), share(1, 1, 2)], [1, 0]);
    }

    #[test]
    fn each_user_has_a_number_of_its_own() {
        let ranks = |users: &[usize], core: usize| -> Vec<usize> {
            (0..users[core]).map(|number| rank(users, core, number)).collect()
        };
        assert_eq!([ranks(&[4, 2], 0), ranks(&[4, 2], 1)], [vec![0, 2, 3, 5], vec![1, 4]]);
        assert_eq!([ranks(&[2, 2], 0), ranks(&[2, 2], 1)], [[0, 2], [1, 3]]);
        let users = [20, 10, 7, 0, 20];
        let mut all: Vec<usize> = (0..users.len()).flat_map(|core| ranks(&users, core)).collect();
        all.sort_unstable();
        assert_eq!(all, (0..57).collect::<Vec<_>>());
    }

    #[test]
    fn blocks_stay_together() {
        let shares = |total, block| [0, 1].map(|core| share_in_blocks(total, block, core, 2));
        assert_eq!(shares(5, 5), [5, 0]);
        assert_eq!(shares(30, 10), [20, 10]);
        assert_eq!(shares(25, 10), [20, 5]);
        assert_eq!(shares(5, 1), [3, 2]);
    }
}
