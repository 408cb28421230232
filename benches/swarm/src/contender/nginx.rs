//! No swarm at all: nginx serves the file, each peer gets it by curl and hashes it with openssl.

use std::fs;
use std::thread::available_parallelism;

use anyhow::Result;

use super::{Contender, Stage, missing, words};
use crate::job::{Content, Job};
use crate::lab::Kind;
use crate::process::{Plan, Sign};

/// nginx, curl and openssl.
#[derive(Clone, Copy, Debug)]
pub struct Nginx;

impl Contender for Nginx {
    fn name(&self) -> &'static str {
        "nginx+curl+sha256"
    }

    fn obstacle(&self, job: &Job, _lab: Kind) -> Option<String> {
        let folder =
            (job.content == Content::SmallFiles).then(|| "it gets one file, not a folder".to_owned());
        folder.or_else(|| ["nginx", "curl", "openssl"].into_iter().find_map(missing))
    }

    fn plan(&self, stage: &Stage<'_>, number: usize) -> Result<Plan> {
        let (words, sign) =
            if number == 0 { serve(stage)? } else { (fetch(stage, number), stage.done_file(number)) };
        Ok(Plan { words, environment: Vec::new(), sign: Sign::File(sign) })
    }
}

type Start = (Vec<std::ffi::OsString>, std::path::PathBuf);

fn serve(stage: &Stage<'_>) -> Result<Start> {
    let (own, place) = (stage.seats[0], stage.folder(0));
    let here = place.display();
    let workers = available_parallelism().map_or(1, usize::from);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
        .concat();
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let configuration = format!(
        "daemon off; {user} worker_processes {workers}; pid {here}/pid; error_log {here}/errors;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\naccess_log off; sendfile on; tcp_nopush on; root '{}';\n{temporary}\
         server {{ listen {}:{}; }}\n}}\n",
        stage.payload.home.display(),
        own.ip,
        own.port
    );
    let file = place.join("nginx.conf");
    fs::write(&file, configuration)?;
    Ok((words([&"nginx", &"-c", &file]), place.join("pid")))
}

fn fetch(stage: &Stage<'_>, number: usize) -> Vec<std::ffi::OsString> {
    let (seed, name) = (stage.seats[0], &stage.payload.name);
    let to = stage.data(number).join(name);
    let done = stage.done_file(number);
    let script = format!(
        "curl -sS -o '{0}' 'http://{1}:{2}/{name}' && openssl dgst -sha256 '{0}' >/dev/null && : > '{3}'",
        to.display(),
        seed.ip,
        seed.port,
        done.display()
    );
    words([&"sh", &"-c", &script])
}
