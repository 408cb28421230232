//! One line of a screen: named parts that are taken in by rank while the width lasts. Draws nothing.

use crate::console::human::{columns, cut};

const GAP: &str = "  ";
const NAME_COLUMNS_MIN: usize = 12;
const NAME_COLUMNS_MAX: usize = 40;
const BAR_COLUMNS_MIN: usize = 12;
const BAR_COLUMNS_MAX: usize = 52;
const LIST_COLUMNS_MIN: usize = 8;

/// What may stand in a line besides its name.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Shown whole or not at all.
    Text(String),
    /// A bar, as wide as there is room, this many of a thousand full.
    Bar(u64),
    /// Percents, the first ones first, as many as there is room for.
    Percents(Vec<u64>),
}

impl Cell {
    fn least(&self) -> usize {
        match self {
            Cell::Text(text) => columns(text),
            Cell::Bar(_) => BAR_COLUMNS_MIN,
            Cell::Percents(_) => LIST_COLUMNS_MIN.min(self.most()),
        }
    }

    fn most(&self) -> usize {
        match self {
            Cell::Text(text) => columns(text),
            Cell::Bar(_) => BAR_COLUMNS_MAX,
            Cell::Percents(list) => {
                list.iter().map(|percent| format!(" {percent}%").len()).sum::<usize>().max(1) - 1
            }
        }
    }

    fn drawn(&self, width: usize) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Bar(thousandths) => bar(*thousandths, width),
            Cell::Percents(list) => percents(list, width),
        }
    }
}

/// `name`, then `cells` in the order given, in at most `width` columns. Each cell bears a rank: those of the lowest
/// are taken in first; what finds no room is left out.
pub fn line(name: &str, cells: &[(u8, Cell)], width: usize) -> String {
    fitted(name, cells, width).0
}

/// As [`line`], and a second line of what found no room in the first, if any.
pub fn lines(name: &str, cells: &[(u8, Cell)], width: usize) -> Vec<String> {
    let (first, left) = fitted(name, cells, width);
    if left.is_empty() {
        return vec![first];
    }
    vec![first, line("", &left, width)]
}

/// The line, and the cells that found no room in it.
fn fitted(name: &str, cells: &[(u8, Cell)], width: usize) -> (String, Vec<(u8, Cell)>) {
    let name_least = columns(name).min(NAME_COLUMNS_MIN);
    let mut room = width.saturating_sub(name_least);
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by_key(|index| cells[*index].0);
    let mut chosen = vec![false; cells.len()];
    for index in order {
        let need = GAP.len() + cells[index].1.least();
        let Some(rest) = room.checked_sub(need) else { break };
        room = rest;
        chosen[index] = true;
    }
    let name_more = room.min(columns(name).min(NAME_COLUMNS_MAX) - name_least);
    room -= name_more;
    let mut text = cut(name, name_least + name_more);
    for (_, cell) in cells.iter().zip(&chosen).filter_map(|(cell, chosen)| chosen.then_some(cell)) {
        let more = room.min(cell.most() - cell.least());
        room -= more;
        text = text + GAP + &cell.drawn(cell.least() + more);
    }
    let left = cells.iter().zip(&chosen).filter(|(_, chosen)| !**chosen).map(|(cell, _)| cell.clone());
    (cut(&text, width), left.collect())
}

/// `[=====>    ]`, full only at 1000.
fn bar(thousandths: u64, width: usize) -> String {
    let inside = width.saturating_sub(2);
    let thousandths = usize::try_from(thousandths.min(1000)).expect("at most 1000");
    let full = inside * thousandths / 1000;
    let tip = if full < inside { ">" } else { "" };
    format!("[{}{tip}{}]", "=".repeat(full), " ".repeat(inside - full - tip.len()))
}

/// `3% 45% +7`: as many as fit, then how many more there are.
fn percents(list: &[u64], width: usize) -> String {
    let mut shown = list.len();
    loop {
        let mut words: Vec<String> = list[..shown].iter().map(|percent| format!("{percent}%")).collect();
        if shown < list.len() {
            words.push(format!("+{}", list.len() - shown));
        }
        let text = words.join(" ");
        if text.len() <= width || shown == 0 {
            return text;
        }
        shown -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_when_everything_is_there() {
        assert_eq!(bar(0, 12), "[>         ]");
        assert_eq!(bar(500, 12), "[=====>    ]");
        assert_eq!(bar(999, 12), "[=========>]");
        assert_eq!(bar(1000, 12), "[==========]");
    }

    #[test]
    fn a_list_that_is_too_long_says_how_many_more_there_are() {
        assert_eq!(percents(&[3, 45, 100], 20), "3% 45% 100%");
        assert_eq!(percents(&[3, 45, 100, 100, 100], 11), "3% 45% +3");
        assert_eq!(percents(&[3; 400], 5), "+400");
        assert_eq!(percents(&[], 5), "");
    }

    #[test]
    fn what_matters_less_gives_way_first() {
        let cells = [(1, Cell::Text("less".into())), (0, Cell::Text("more".into()))];
        assert_eq!(line("name", &cells, 16), "name  less  more");
        assert_eq!(line("name", &cells, 15), "name  more");
        assert_eq!(line("name", &cells, 9), "name");
    }

    #[test]
    fn no_line_is_wider_than_asked() {
        let cells =
            [(0, Cell::Bar(300)), (1, Cell::Percents(vec![1, 2, 3])), (2, Cell::Text("12.3 MiB/s".into()))];
        for width in 0..250 {
            assert!(columns(&line("日本語のとても長い名前.txt", &cells, width)) <= width, "{width}");
        }
    }
}
