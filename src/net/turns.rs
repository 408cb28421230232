//! When whoever connects again and again is listened to: every greeting costs an answer, and one address must not have them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Connections from one address that are listened to at once, when it made none for a while: as many as find a seat, when all the
/// peers of a large site behind one router come back together.
const AT_ONCE: u32 = 512;
/// After those, one more is listened to each such time.
const PERIOD: Duration = Duration::from_millis(20);
/// Nobody waits longer for its turn, but is not taken in at all and may come again: so those who wait are fewer than the
/// half-open ones that one address may have, and none of them is shown out before it was heard.
const WAIT_MAX: Duration = Duration::from_millis(500);
/// Addresses that are remembered; beyond, those are forgotten who owe least.
const ADDRESSES_MAX: usize = 4096;

/// The addresses that made connections of late: a generic cell rate algorithm (ITU-T I.371) for each.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// When all the turns that an address took would be over, one each period.
    taken_until: HashMap<IpAddr, Instant>,
}

impl Turns {
    /// When a connection that `host` makes `now` may be listened to; none where too many came before it.
    pub(crate) fn take(&mut self, host: IpAddr, now: Instant) -> Option<Instant> {
        if self.taken_until.len() >= ADDRESSES_MAX && !self.taken_until.contains_key(&host) {
            self.forget(now);
        }
        let until = self.taken_until.entry(host).or_insert(now);
        let ahead = until.saturating_duration_since(now);
        let wait = ahead.saturating_sub(PERIOD * (AT_ONCE - 1));
        if wait > WAIT_MAX {
            return None;
        }
        *until = now + ahead + PERIOD;
        Some(now + wait)
    }

    /// Those that owe nothing any more, and where there are none the one that owes least.
    fn forget(&mut self, now: Instant) {
        self.taken_until.retain(|_, until| *until > now);
        if self.taken_until.len() >= ADDRESSES_MAX
            && let Some((&least, _)) = self.taken_until.iter().min_by_key(|(_, until)| **until)
        {
            self.taken_until.remove(&least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_crowd_that_comes_back_is_listened_to_at_once_and_whoever_goes_on_waits_its_turn() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let waits: Vec<Duration> =
            (0..AT_ONCE + 3).filter_map(|_| turns.take(host(1), now)).map(|turn| turn - now).collect();
        assert!(waits[..AT_ONCE as usize].iter().all(Duration::is_zero));
        assert_eq!(waits[AT_ONCE as usize..], [PERIOD, PERIOD * 2, PERIOD * 3]);
        assert_eq!(turns.take(host(2), now), Some(now), "others do not wait");
        let later = now + PERIOD * (AT_ONCE + 3);
        assert_eq!(turns.take(host(1), later), Some(later), "nor it, once it was quiet");
    }

    #[test]
    fn in_a_while_an_address_has_so_many_turns_and_no_more() {
        let (mut turns, begun) = (Turns::default(), Instant::now());
        // It comes as soon as it was heard.
        let mut now = begun;
        let heard = std::iter::repeat_with(|| {
            now = turns.take(host(1), now).expect("it waits its turn");
            now
        });
        let count = heard.take_while(|at| *at < begun + PERIOD * 1000).count();
        assert_eq!(count, 1000 + AT_ONCE as usize - 1);
    }

    /// Ten thousand a second for a minute, whatever becomes of them, and then somebody else who is seen at that address.
    #[test]
    fn whoever_came_without_end_leaves_room_for_others_of_its_address() {
        let (mut turns, mut now) = (Turns::default(), Instant::now());
        let mut taken = 0;
        for _ in 0..600_000 {
            taken += u32::from(turns.take(host(1), now).is_some());
            now += Duration::from_micros(100);
        }
        assert!((3_000..4_000).contains(&taken), "{taken}");
        assert!(turns.take(host(1), now + PERIOD).is_some_and(|turn| turn - now < WAIT_MAX + PERIOD * 2));
    }

    #[test]
    fn addresses_without_end_take_the_memory_of_some_thousands() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        (0..=AT_ONCE).for_each(|_| _ = turns.take(host(0), now));
        for number in 1..6_000 {
            assert_eq!(turns.take(host(number), now), Some(now));
        }
        assert_eq!(turns.taken_until.len(), ADDRESSES_MAX);
        assert!(turns.take(host(0), now) > Some(now), "it is not forgotten who owes much");
    }
}
