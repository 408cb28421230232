//! Opens and makes things beneath one folder and nowhere else, whatever links were planted there. Decides nothing.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use super::StoreError;
use super::store::change::{Change, Gate};
use crate::content::names::{self, BadName, System};
use crate::content::{FileIndex, Metainfo, Name};

/// A folder that holds its handle: later changes of the path above it do not matter.
#[derive(Debug)]
pub(super) struct Beneath {
    dir: Dir,
    path: PathBuf,
    gate: Gate,
}

/// What is found at a path.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    Nothing,
    File(Metadata),
    Folder,
    /// A link, a device, a pipe or a socket: never followed, never opened.
    Special(&'static str),
}

impl Beneath {
    /// The folder at `path`, which is the person's own choice: links above it are followed.
    pub(super) fn open(path: &Path) -> io::Result<Beneath> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        Ok(Beneath { dir, path: path.to_owned(), gate: Gate::default() })
    }

    /// With every change seen by `gate`.
    pub(super) fn watched(mut self, gate: Gate) -> Beneath {
        self.gate = gate;
        self
    }

    /// Where its changes pass.
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// As it was given.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The handle.
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Where a person finds `path`.
    pub(super) fn full(&self, path: &Path) -> PathBuf {
        self.path.join(path)
    }

    /// Where a person finds `path`, escaped.
    pub(super) fn shown(&self, path: &Path) -> String {
        shown(&self.full(path))
    }

    /// Opens a file for reading. A link in its last place is an error, one before it cannot lead out.
    pub(super) fn read(&self, path: &Path) -> io::Result<File> {
        self.dir.open_with(path, plain(OpenOptions::new().read(true))).map(cap_std::fs::File::into_std)
    }

    /// What stands at `path`; a link before its last place is refused.
    pub(super) fn look(&self, path: &Path) -> Result<Standing, StoreError> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(Standing::Folder);
        };
        match self.find_folder(folder)? {
            Some(dir) => self.look_in(&dir, folder, Path::new(name)),
            None => Ok(Standing::Nothing),
        }
    }

    /// What stands in `dir`, which is at `folder`, under this one name.
    pub(super) fn look_in(&self, dir: &Dir, folder: &Path, name: &Path) -> Result<Standing, StoreError> {
        stands(dir, name).map_err(|error| StoreError::Io {
            doing: "cannot look at",
            path: self.shown(&folder.join(name)),
            error,
        })
    }

    /// The folder at `path`, each of its links refused; none if it is not there.
    pub(super) fn find_folder(&self, path: &Path) -> Result<Option<Dir>, StoreError> {
        self.descend(path, |_, _, _| Ok(false))
    }

    /// The folder at `path`, each of its links refused; made where it is missing.
    pub(super) fn make_folder(&self, path: &Path) -> Result<Dir, StoreError> {
        let make = |dir: &Dir, at: &Path, name: &Path| match self
            .gate
            .pass(Change::MakeFolder(at), || dir.create_dir(name))
        {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(true),
        };
        let made = self.descend(path, make)?;
        Ok(made.expect("what was missing has been made"))
    }

    fn descend(
        &self,
        path: &Path,
        missing: impl Fn(&Dir, &Path, &Path) -> io::Result<bool>,
    ) -> Result<Option<Dir>, StoreError> {
        let io = |doing, path: &Path| {
            let path = path.to_owned();
            move |error| StoreError::Io { doing, path: self.shown(&path), error }
        };
        let mut dir = self.dir.try_clone().map_err(io("cannot open", Path::new("")))?;
        let mut at = PathBuf::new();
        for name in path.iter().map(Path::new) {
            at.push(name);
            match stands(&dir, name).map_err(io("cannot look at", &at))? {
                Standing::Folder => {}
                Standing::Nothing => {
                    if !missing(&dir, &at, name).map_err(io("cannot make the folder", &at))? {
                        return Ok(None);
                    }
                }
                Standing::File(_) => return Err(self.in_the_way(&at, "a file where a folder must be")),
                Standing::Special(what) => return Err(self.in_the_way(&at, what)),
            }
            dir = dir.open_dir(name).map_err(io("cannot open", &at))?;
        }
        Ok(Some(dir))
    }

    /// Makes the names in the folder at `path` last, if it is there.
    pub(super) fn sync_folder(&self, path: &Path) -> Result<(), StoreError> {
        let Some(dir) = self.find_folder(path)? else { return Ok(()) };
        let synced = self.gate.pass(Change::SyncFolder(path), || dir.open(".")?.sync_all());
        synced.map_err(|error| StoreError::Io {
            doing: "cannot sync the folder",
            path: self.shown(path),
            error,
        })
    }

    /// The refusal to go on because `what` stands at `path`.
    pub(super) fn in_the_way(&self, path: &Path, what: &str) -> StoreError {
        let path = self.shown(path);
        StoreError::Refused(format!("'{path}' is {what}: move it away"))
    }
}

/// Opens a file beneath `dir` if the system has all of its path in memory; none says no more than that.
#[cfg(target_os = "linux")]
pub(super) fn open_at_hand(dir: &Dir, path: &Path, writing: bool) -> Option<File> {
    use rustix::fs::{Mode, ResolveFlags, openat2};
    let access = if writing { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = access | PLAIN | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::CACHED;
    openat2(dir, path, flags, Mode::empty(), within).ok().map(File::from)
}

/// Nobody can tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn open_at_hand(_dir: &Dir, _path: &Path, _writing: bool) -> Option<File> {
    None
}

/// What stands in `dir` under this one name.
pub(super) fn stands(dir: &Dir, name: &Path) -> io::Result<Standing> {
    let data = match dir.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Nothing),
        data => data?,
    };
    let kind = data.file_type();
    Ok(match () {
        () if kind.is_file() => Standing::File(data),
        () if kind.is_dir() => Standing::Folder,
        () if kind.is_symlink() => Standing::Special("a symbolic link"),
        () => Standing::Special("neither a file nor a folder"),
    })
}

/// Follows no link in the last place, and does not wait for the other end of a pipe.
const PLAIN: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK);

/// `options` as [`PLAIN`] says.
pub(super) fn plain(options: &mut OpenOptions) -> &OpenOptions {
    options.custom_flags(PLAIN.bits().cast_signed())
}

/// Names as this system writes them: changed only where it cannot hold them.
pub(super) fn local<'a>(names: impl IntoIterator<Item = &'a Name>) -> PathBuf {
    // What would become too long stays as it is: the system says that it cannot hold it.
    let held = |name: &Name| names::local(name, System::here()).unwrap_or_else(|_| name.as_bytes().to_vec());
    names.into_iter().map(|name| OsString::from_vec(held(name))).collect()
}

/// The name in a share of what this system calls `local`.
pub(super) fn original(local: &OsStr) -> Result<Name, BadName> {
    Name::new(&names::original(local.as_bytes(), System::here()))
}

/// Where `file` stands, seen from the folder that the share is downloaded into.
pub(super) fn below_target(metainfo: &Metainfo, file: FileIndex) -> PathBuf {
    let path = &metainfo.file(file).path.0;
    let top = (!metainfo.is_single_file()).then(|| metainfo.name());
    local(top.into_iter().chain(path))
}

/// A path as a person may safely see it.
pub(super) fn shown(path: &Path) -> String {
    names::shown(path.as_os_str().as_bytes())
}
