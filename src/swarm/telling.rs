//! How often a person is told of what strangers can cause as often as they like.

use std::time::Duration;

use crate::time::Moment;

/// Lines in one [`SPAN`]; what comes after them is counted.
const LINES_MAX: u32 = 10;
/// From the first of those lines on.
const SPAN: Duration = Duration::from_secs(60);

/// What was told of late.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    since: Moment,
    lines: u32,
    untold: u64,
}

impl Telling {
    /// The line to be told now, if any: `text`, with how many were left out before it.
    pub fn of(&mut self, text: String, now: Moment) -> Option<String> {
        if self.lines == 0 || now.since(self.since) >= SPAN {
            (self.since, self.lines) = (now, 0);
        }
        if self.lines == LINES_MAX {
            self.untold += 1;
            return None;
        }
        self.lines += 1;
        match std::mem::take(&mut self.untold) {
            0 => Some(text),
            untold => Some(format!("{text} (and {untold} others before it)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn ten_lines_a_minute_are_told_and_the_rest_is_counted() {
        let mut telling = Telling::default();
        let told = |telling: &mut Telling, at| telling.of("x".to_owned(), at);
        let lines = (0..3_000).filter_map(|_| told(&mut telling, at(5)));
        assert_eq!(lines.collect::<Vec<_>>(), ["x"; 10]);
        assert_eq!(told(&mut telling, at(64)), None);
        assert_eq!(told(&mut telling, at(65)).as_deref(), Some("x (and 2991 others before it)"));
        assert_eq!(told(&mut telling, at(66)).as_deref(), Some("x"));
    }
}
