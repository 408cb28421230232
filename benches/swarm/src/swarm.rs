//! The command `swarm`: every job, with everyone who can take part, in turn; then the table.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::SwarmOptions;
use crate::contender::{self, Contender};
use crate::job::{Job, Preset};
use crate::lab::{Kind, Lab};
use crate::payload::Payload;
use crate::programs::Programs;
use crate::report::{self, Figures, Row, mib};
use crate::run::{Setting, run};
use crate::stop;
use crate::table::table;

/// Where files need no disk.
const SHARED_MEMORY: &str = "/dev/shm";

/// Does all that was asked for. Errors: nothing can be done, a job was passed over, a run of minibit itself failed, or the
/// person has had enough.
pub fn command(options: &SwarmOptions) -> Result<()> {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build, whose figures mean nothing: cargo run --release");
    }
    let chosen = chosen(&options.contenders)?;
    let programs = Programs::find(options.programs.as_deref())?;
    stop::listen()?;
    let base = options.dir.clone().unwrap_or_else(scratch);
    let home = tempfile::Builder::new().prefix("minibit-bench-").tempdir_in(&base);
    let home = home.with_context(|| format!("no scratch folder in {}", base.display()))?;
    let (mut ours_failed, mut passed_over) = (false, false);
    for preset in &options.jobs {
        let Some(rows) = work(options, *preset, &chosen, &programs, home.path())? else {
            passed_over = true;
            continue;
        };
        if !rows.is_empty() {
            println!("\n{}", table(&rows));
        }
        ours_failed |= rows.iter().any(|row| contender::is_ours(&row.contender) && row.figures.is_none());
    }
    if ours_failed {
        bail!("a run of minibit failed: see above");
    }
    if passed_over {
        bail!("not every job could be done: see above");
    }
    Ok(())
}

/// One job, by everyone in turn: A B C A B C. None, where it is passed over.
fn work(
    options: &SwarmOptions,
    preset: Preset,
    chosen: &[Box<dyn Contender>],
    programs: &Programs,
    home: &Path,
) -> Result<Option<Vec<Row>>> {
    let job = Job::new(preset, options.bytes, options.peers);
    let Some(lab) = lab(&job, options.lab) else { return Ok(None) };
    let able = able(&job, lab, chosen);
    let place = tempfile::Builder::new().prefix("job-").tempdir_in(home)?;
    let payload = Payload::make(job.content, options.seed, &place.path().join("seed"))?;
    has_room(place.path(), &job, payload.bytes)?;
    let timeout = Duration::from_secs(options.timeout);
    let setting = Setting { job: &job, lab, payload: &payload, programs, home: place.path(), timeout };
    let mut rows = Vec::new();
    for number in 1..=options.runs {
        for contender in able.iter().copied() {
            let outcome = run(&setting, contender);
            stop::check()?;
            let row = row(&setting, contender.name(), number, outcome);
            options.out.iter().try_for_each(|file| report::append(file, &row))?;
            rows.push(row);
        }
    }
    Ok(Some(rows))
}

/// Names to contenders, ours first where none is named.
fn chosen(names: &[String]) -> Result<Vec<Box<dyn Contender>>> {
    let mut all = contender::all();
    let known: Vec<&str> = all.iter().map(|one| one.name()).collect();
    if let Some(stranger) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("nobody here is called '{stranger}'; there are {}", known.join(", "));
    }
    all.retain(|one| names.is_empty() || names.iter().any(|name| name == one.name()));
    Ok(all)
}

/// Who can do this job here; says why the others cannot.
fn able<'a>(job: &Job, lab: Kind, chosen: &'a [Box<dyn Contender>]) -> Vec<&'a dyn Contender> {
    let can = |one: &&dyn Contender| match one.obstacle(job, lab) {
        None => true,
        Some(obstacle) => {
            eprintln!("{}: without {}, because {obstacle}", job.name, one.name());
            false
        }
    };
    chosen.iter().map(AsRef::as_ref).filter(can).collect()
}

/// Where the job is done; none, and says so, where it cannot be done here.
fn lab(job: &Job, wanted: Option<Kind>) -> Option<Kind> {
    let kind = wanted.unwrap_or(Kind::Ns);
    match Lab::open(kind, 1, job.shape) {
        Ok(lab) => {
            let wanted_ms = job.shape.map_or(0, |shape| shape.delay_ms);
            if lab.delay_ms() != wanted_ms {
                eprintln!(
                    "{}: without the delay of {wanted_ms} ms, because this kernel has no netem",
                    job.name
                );
            }
            Some(kind)
        }
        Err(error) if wanted.is_none() && job.shape.is_none() => {
            eprintln!("{}: on loopback, because namespaces cannot be made: {error:#}", job.name);
            Some(Kind::Lo)
        }
        Err(error) => {
            eprintln!("{}: passed over, because its lab cannot be made: {error:#}", job.name);
            None
        }
    }
}

fn row(setting: &Setting<'_>, contender: &str, run: u32, outcome: Result<Figures>) -> Row {
    let (figures, error) = match outcome {
        Ok(figures) => {
            eprintln!("{} {run}: {contender}: {}", setting.job.name, line(&figures));
            (Some(figures), None)
        }
        Err(error) => {
            let text = format!("{error:#}");
            eprintln!("{} {run}: {contender}: no figures: {text}", setting.job.name);
            (None, Some(text))
        }
    };
    let (job, lab, contender) =
        (setting.job.name.clone(), setting.lab.word().to_owned(), contender.to_owned());
    Row { job, peers: setting.job.peers, lab, shape: setting.job.shape, contender, run, figures, error }
}

/// A run as it is told at once.
fn line(figures: &Figures) -> String {
    if let Some(idle) = figures.idle_kib {
        return format!("{:.1} MiB resident", mib(idle));
    }
    let ratio =
        figures.bound_s.map_or(String::new(), |bound| format!(", {:.2} × the bound", figures.wall_s / bound));
    format!(
        "{:.2} s{ratio}, {:.2} s of CPU; others took {:.0} % of the machine",
        figures.wall_s,
        figures.cpu_s,
        100.0 * figures.foreign_part
    )
}

fn scratch() -> PathBuf {
    let memory = Path::new(SHARED_MEMORY);
    if memory.is_dir() { memory.to_owned() } else { env::temp_dir() }
}

/// A copy for each peer must fit, and a little more.
fn has_room(place: &Path, job: &Job, bytes: u64) -> Result<()> {
    let space = rustix::fs::statvfs(place)?;
    let free = space.f_bavail * space.f_frsize;
    let needed = (bytes + bytes / 16) * u64::from(job.peers);
    if free < needed {
        let (needed, free) = (minibit::console::human::bytes(needed), minibit::console::human::bytes(free));
        bail!("{}: the copies need {needed}, and {} has {free}: --dir elsewhere", job.name, place.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_has_is_an_error_that_lists_the_names() {
        let error = chosen(&["minibit".into(), "napster".into()]).err().unwrap().to_string();
        assert!(error.contains("'napster'") && error.contains("aria2"), "{error}");
        assert_eq!(chosen(&["aria2".into()]).unwrap().len(), 1);
        assert_eq!(chosen(&[]).unwrap().len(), contender::all().len());
    }

    #[test]
    fn shaped_lines_are_never_replaced_by_loopback() {
        assert_eq!(lab(&Job::new(Preset::Shaped4, None, None), Some(Kind::Lo)), None);
    }
}
