//! What the person wants of a session and how it stands: tells of it, and says when it is over. Waits for nothing.

use std::path::PathBuf;
use std::time::Duration;

use super::Shared;
use super::report::Report;
use crate::console::exit::{Exit, Failure};
use crate::console::human;
use crate::console::screen;
use crate::console::talk::Talk;
use crate::ids::{Endpoint, ShareId};
use crate::seam::{News, ShareView};

/// After how long without any peer the person is told what is being tried.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a session is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// To serve content until stopped.
    Seed,
    /// To keep a register until stopped.
    Register,
    /// To get one share, and then perhaps to serve it.
    Download(Download),
}

/// How long a download goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// The folder in which the share will stand.
    pub dir: PathBuf,
    /// How long to go on once complete; none = until stopped.
    pub seed_for: Option<Duration>,
    /// How long to wait for one who has what is missing, or to be mended; none = for ever.
    pub timeout: Option<Duration>,
    /// How many files it mends; none = it is a download like any other.
    pub mended_files: Option<u64>,
}

/// Something that is due every so often.
#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    every: Duration,
    next: Duration,
}

impl Cadence {
    /// For JSON.
    pub fn each_second() -> Cadence {
        Cadence { every: Duration::from_secs(1), next: Duration::from_secs(1) }
    }

    /// For plain lines: every 10 s.
    pub fn plain() -> Cadence {
        Cadence { every: Duration::from_secs(10), next: Duration::from_secs(10) }
    }

    /// Whether its time has come; at most once for each.
    pub fn is_due(&mut self, now: Duration) -> bool {
        let due = now >= self.next;
        if due {
            self.next = (self.next + self.every).max(now + self.every / 2);
        }
        due
    }
}

/// Watches one session.
pub struct Watcher<'a> {
    talk: &'a Talk,
    aim: Aim,
    shares: Vec<Watched>,
    views: Vec<ShareView>,
    report: Report,
    complete_at: Option<Duration>,
    /// Since when nobody has what is missing, or to be mended.
    idle_since: Duration,
    timed_out: bool,
    /// Whether somebody was linked then.
    answered: bool,
    stopping: bool,
    asked: bool,
    events: Cadence,
    lines: Cadence,
}

struct Watched {
    share: ShareId,
    name: String,
    endpoints: Vec<Endpoint>,
    announced: bool,
}

impl<'a> Watcher<'a> {
    /// Before anything happened.
    pub fn new(talk: &'a Talk, aim: Aim, shares: &[Shared]) -> Watcher<'a> {
        let watched = |shared: &Shared| Watched {
            share: shared.config.share,
            name: shared.name.clone(),
            endpoints: shared.config.endpoints.clone(),
            announced: !matches!(aim, Aim::Download(_)),
        };
        Watcher {
            talk,
            shares: shares.iter().map(watched).collect(),
            aim,
            views: Vec::new(),
            report: Report::default(),
            complete_at: None,
            idle_since: Duration::ZERO,
            timed_out: false,
            answered: false,
            stopping: false,
            asked: false,
            events: Cadence::each_second(),
            lines: Cadence::plain(),
        }
    }

    /// The shares as they stand now.
    pub fn see(&mut self, views: Vec<ShareView>, now: Duration) {
        self.views = views;
        for view in &self.views {
            let watched =
                self.shares.iter_mut().find(|watched| watched.share == view.share && !watched.announced);
            if let (Some(watched), Some(metainfo)) = (watched, &view.metainfo) {
                watched.announced = true;
                watched.name = metainfo.name().to_string();
                self.report.begun(metainfo, &watched.endpoints, self.talk);
            }
        }
        if let (Aim::Download(download), None, [view]) = (&self.aim, self.complete_at, self.views.as_slice())
            && view.complete
        {
            self.complete_at = Some(now);
            self.report.complete(view, download, now, self.talk);
            match download.seed_for {
                None => self.talk.say("seeding until stopped (Ctrl-C)"),
                Some(Duration::ZERO) => {}
                Some(span) => self.talk.say(&format!("seeding for {}", human::clock(span))),
            }
        }
    }

    /// Something happened.
    pub fn hear(&mut self, news: &News) {
        self.report.news(news, self.talk);
    }

    /// Time passed; `checking` is how far the check of what is there has come, while it lasts.
    pub fn tick(&mut self, checking: Option<(u64, u64)>, now: Duration) {
        if self.talk.screen.is_shown() && !self.stopping {
            let width = self.talk.screen.width();
            let lines = self.views.iter().flat_map(|view| self.share_lines(view, checking, width));
            self.talk.screen.draw(&lines.collect::<Vec<_>>());
        }
        if self.events.is_due(now) && self.talk.is_json() {
            self.report.progress(&self.views, checking, self.talk);
        }
        if self.lines.is_due(now) && self.talk.is_plain() && !self.stopping {
            self.views.iter().for_each(|view| self.talk.say(&self.plain_line(view, checking)));
        }
        if !self.asked && now >= PATIENCE && self.is_waiting() {
            self.asked = true;
            self.ask();
        }
    }

    /// The person wants it over: nothing is drawn from now on, so that a second Ctrl-C leaves no bar behind.
    pub fn stop(&mut self) {
        self.stopping = true;
        self.talk.screen.clear();
        self.talk.say("stopping (Ctrl-C again ends at once)");
    }

    /// Whether [`Watcher::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether the session is over by itself.
    pub fn judge(&mut self, now: Duration) -> bool {
        let Aim::Download(download) = &self.aim else { return false };
        let is_waiting = !self.views.is_empty() && !self.views.iter().any(goes_on);
        if !is_waiting {
            self.idle_since = now;
        }
        let waited = is_waiting.then(|| now.saturating_sub(self.idle_since));
        match judged(download, waited, self.complete_at, now) {
            // Asked more than once: later nobody is linked any more.
            Some(Over::NoPeer) => {
                (self.timed_out, self.answered) = (true, self.answered || self.is_answered());
            }
            Some(Over::Left) => {}
            None => return false,
        }
        true
    }

    /// The last words about how it stood.
    pub fn end(&mut self) {
        self.talk.screen.clear();
        if self.talk.is_json() {
            self.report.progress(&self.views, None, self.talk);
        }
        let sent: u64 = self.views.iter().map(|view| view.sent_bytes).sum();
        if sent > 0 {
            self.talk.say(&format!("sent {}", human::bytes(sent)));
        }
    }

    /// How the session ended, when nothing failed.
    pub fn verdict(&self) -> Result<Exit, Failure> {
        if !matches!(self.aim, Aim::Download(_)) || self.complete_at.is_some() {
            return Ok(Exit::Done);
        }
        if self.timed_out && self.is_mending() {
            return Err(self.unmended());
        }
        if self.timed_out && self.views.iter().any(|view| view.reached) {
            let message = format!("nobody has what is missing: tried {}", self.tried());
            let hint = "start one who has all of it, and run the same command again to go on from there";
            return Err(Failure::no_peer(message).hint(hint));
        }
        if self.timed_out {
            let message = match self.tried() {
                tried if tried.is_empty() => "no peer came, and none is known to be asked".to_owned(),
                tried => format!("no peer reached: tried {tried}"),
            };
            let hint = if self.views.iter().any(|view| view.refused) {
                "who answered said above why not; with the right link, or another --peer, run this again"
            } else if self.answered {
                "the tracker answers, but nobody who has the share: is the one who shares it running?"
            } else {
                "is the tracker running? another address can be given with --peer"
            };
            return Err(Failure::no_peer(message).hint(hint));
        }
        let left = |view: &ShareView| view.total_bytes.saturating_sub(view.done_bytes);
        let message = match self.views.iter().find(|view| view.prepared).map(left) {
            None => "stopped before the download began".to_owned(),
            Some(0) => "stopped while the last files were being moved into place".to_owned(),
            Some(left) => format!("stopped with {} left", human::bytes(left)),
        };
        let hint = match self.is_mending() {
            true => self.mended_there(),
            false => "run the same command again to go on from there".to_owned(),
        };
        Err(Failure::stopped(message).hint(hint))
    }

    fn is_mending(&self) -> bool {
        matches!(&self.aim, Aim::Download(Download { mended_files: Some(_), .. }))
    }

    /// Nobody has what is wrong, or what is left of it.
    fn unmended(&self) -> Failure {
        let tried = self.tried();
        if self.views.iter().any(|view| view.from_seed_bytes + view.from_peer_bytes + view.wasted_bytes > 0) {
            let message = format!("stopped: nobody has the rest of what is wrong: tried {tried}");
            return Failure::stopped(message).hint(self.mended_there());
        }
        Failure::no_peer(format!("nobody has what is wrong: tried {tried}"))
            .hint("nothing was changed; name a peer that has the share with --peer HOST:PORT")
    }

    /// Where to find what is half mended, if anything is, and how to go on.
    fn mended_there(&self) -> String {
        let Aim::Download(download) = &self.aim else { return String::new() };
        let dir = download.dir.join(".minibit");
        if !dir.exists() {
            return "nothing was changed; run the same command again".to_owned();
        }
        let dir = human::path(&dir);
        format!("files that are half mended lie in '{dir}'; run the same command again to go on from there")
    }

    /// What is drawn of a share: how it stands, and of a download the file in hand.
    fn share_lines(&self, view: &ShareView, checking: Option<(u64, u64)>, width: usize) -> Vec<String> {
        let name = self.name_of(view);
        match (&self.aim, checking) {
            (Aim::Register, _) => vec![screen::register_line(&name, view, width)],
            (Aim::Download(_), Some((done, total))) if !view.complete => {
                vec![screen::check_line(&format!("checking {name}"), done, total, None, width)]
            }
            (Aim::Download(_), None) if !view.complete => {
                let mut lines = screen::download_lines(&name, view, width);
                lines.extend(screen::file_line(view, width));
                lines
            }
            (Aim::Seed | Aim::Download(_), _) => vec![screen::seed_line(&name, view, width)],
        }
    }

    /// What is said of a share where nothing is drawn: one line, for in a log the file in hand would only be noise.
    fn plain_line(&self, view: &ShareView, checking: Option<(u64, u64)>) -> String {
        let name = self.name_of(view);
        match (&self.aim, checking) {
            (Aim::Register, _) => screen::register_plain(&name, view),
            (Aim::Download(_), Some((done, total))) if !view.complete => {
                screen::check_plain(&format!("checking {name}"), done, total)
            }
            (Aim::Download(_), None) if !view.complete => screen::download_plain(&name, view),
            (Aim::Seed | Aim::Download(_), _) => screen::seed_plain(&name, view),
        }
    }

    fn name_of(&self, view: &ShareView) -> String {
        let watched = self.shares.iter().find(|watched| watched.share == view.share);
        watched.map_or_else(|| format!("{:?}", view.share), |watched| watched.name.clone())
    }

    /// Whether no peer answered since the start, and nothing can be done without one.
    fn is_waiting(&self) -> bool {
        let downloads = matches!(self.aim, Aim::Download(_));
        let goes_on = |view: &ShareView| view.reached || (downloads && is_busy(view));
        !self.views.is_empty() && !self.views.iter().any(goes_on)
    }

    /// Says what is being tried, when nobody answered yet.
    fn ask(&self) {
        if self.shares.iter().any(|watched| !watched.endpoints.is_empty()) {
            let who = if self.is_answered() { "the one who shares it" } else { "the tracker" };
            self.talk.warn(&format!("no peer reached yet: tried {}; is {who} running?", self.tried()));
        }
    }

    /// Whether somebody is linked, be it a tracker that has nothing.
    fn is_answered(&self) -> bool {
        self.views.iter().any(|view| !view.peers.is_empty())
    }

    fn tried(&self) -> String {
        let all = self.shares.iter().flat_map(|watched| &watched.endpoints);
        all.take(8).map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Over {
    NoPeer,
    Left,
}

/// `waited`: for so long nothing could be done, for want of a peer.
fn judged(
    download: &Download,
    waited: Option<Duration>,
    complete_at: Option<Duration>,
    now: Duration,
) -> Option<Over> {
    match (complete_at, download.seed_for, download.timeout) {
        (Some(at), Some(seed_for), _) => (now >= at.saturating_add(seed_for)).then_some(Over::Left),
        (None, _, Some(timeout)) => waited.is_some_and(|waited| waited >= timeout).then_some(Over::NoPeer),
        _ => None,
    }
}

/// Whether somebody has what is missing, or something is done without anybody.
fn goes_on(view: &ShareView) -> bool {
    view.offered || is_busy(view)
}

/// Whether bytes that are there already are being looked at, or being moved into place.
fn is_busy(view: &ShareView) -> bool {
    view.metainfo.is_some() && (!view.prepared || view.done_bytes >= view.total_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn download(seed_for: Option<u64>, timeout: Option<u64>) -> Download {
        let (seed_for, timeout) = (seed_for.map(at), timeout.map(at));
        Download { dir: PathBuf::new(), seed_for, timeout, mended_files: None }
    }

    #[test]
    fn without_a_peer_a_download_ends_at_its_timeout_and_not_before() {
        assert_eq!(judged(&download(None, Some(5)), Some(at(4)), None, at(4)), None);
        assert_eq!(judged(&download(None, Some(5)), Some(at(5)), None, at(5)), Some(Over::NoPeer));
    }

    #[test]
    fn a_download_that_has_something_to_do_or_no_timeout_goes_on() {
        assert_eq!(judged(&download(None, Some(5)), None, None, at(500)), None);
        assert_eq!(judged(&download(None, None), Some(at(500)), None, at(500)), None);
    }

    #[test]
    fn what_is_complete_is_seeded_as_long_as_was_asked_for() {
        assert_eq!(judged(&download(Some(0), None), None, Some(at(7)), at(7)), Some(Over::Left));
        assert_eq!(judged(&download(Some(60), None), None, Some(at(7)), at(66)), None);
        assert_eq!(judged(&download(Some(60), None), None, Some(at(7)), at(67)), Some(Over::Left));
        assert_eq!(judged(&download(None, Some(5)), None, Some(at(7)), at(1_000_000)), None);
    }

    #[test]
    fn a_cadence_that_was_missed_does_not_come_twice_at_once() {
        let mut cadence = Cadence::each_second();
        assert!(!cadence.is_due(Duration::from_millis(999)));
        assert!(cadence.is_due(at(1)));
        assert!(!cadence.is_due(Duration::from_millis(1500)));
        assert!(cadence.is_due(at(9)));
        assert!(!cadence.is_due(at(9)));
    }
}
