//! BitTorrent v2 metainfo (BEP 52): read strictly, verified whole, written canonically.

mod read;
mod write;

use std::fmt;

use super::Link;
use super::bencode::{Malformed, Writer};
use super::geometry::{BadGeometry, FileIndex, Geometry, PieceIndex};
use super::names::{BadName, Name, TreePath};
use crate::ids::{Digest, Endpoint, ShareId};

/// The most bytes of a metainfo that are read or served.
pub const METAINFO_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most places to begin that a metainfo file is read for.
pub const ENDPOINTS_MAX: usize = 100;
/// Before `host:port` in `announce` and `announce-list`, outside `info`.
const SCHEME: &str = "minibit://";

/// One file of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it stands below the share's folder; of a single-file share, the one name of the share.
    pub path: TreePath,
    /// Bytes.
    pub length: u64,
    /// Whether it may be executed (BEP 47 `attr` x).
    pub executable: bool,
}

/// Why a metainfo is refused. Whoever gave it is at fault; nothing is created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    /// Not canonical bencode, or a key missing or of the wrong kind.
    #[error("{0}")]
    Malformed(String),
    /// A file or folder name that may not be.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Lengths that may not be.
    #[error(transparent)]
    Geometry(#[from] BadGeometry),
    /// More than [`METAINFO_BYTES_MAX`].
    #[error("a metainfo of more than 64 MiB; a larger piece length makes it smaller")]
    TooLarge,
    /// `piece layers` that do not hash to a file's root.
    #[error("the piece hashes of '{0}' do not match its root")]
    WrongLayer(String),
}

impl From<Malformed> for MetainfoError {
    fn from(malformed: Malformed) -> MetainfoError {
        MetainfoError::Malformed(format!("the metainfo is malformed {malformed}"))
    }
}

/// A share's description, verified: every piece hash belongs to its file's root.
///
/// No hash is copied out of the served bytes, and files of equal content share those of their pieces.
#[derive(Clone, PartialEq, Eq)]
pub struct Metainfo {
    share: ShareId,
    name: Name,
    single: bool,
    geometry: Geometry,
    files: Vec<FileEntry>,
    empty_folders: Vec<TreePath>,
    served: Vec<u8>,
    /// By file: where in `served` its root stands; 0 for an empty one.
    roots: Vec<u32>,
    /// By file of more than one piece: where in `served` its piece hashes begin; 0 for all others.
    layers: Vec<u32>,
    endpoints: Vec<Endpoint>,
}

impl Metainfo {
    /// Reads a metainfo file, or the dictionary that METADADOS carries: `info` as found, layers checked.
    /// Keys that are not BEP 52's, and those of v1 in a hybrid, are ignored; not canonical bencode is refused.
    pub fn parse(bytes: &[u8]) -> Result<Metainfo, MetainfoError> {
        read::metainfo(bytes)
    }

    /// Describes content that was just hashed. `single` makes a share of one file that bears the share's name.
    /// `files` may come in any order, and `hashes` are those of their pieces, one file after the other;
    /// `empty_folders` are those without any file or folder in them.
    ///
    /// A folder that holds nothing but a file of its own name is refused: BEP 52 writes it as that file alone.
    pub fn describe(
        name: &Name,
        piece_bytes: u32,
        single: bool,
        files: Vec<FileEntry>,
        hashes: Vec<Digest>,
        empty_folders: Vec<TreePath>,
    ) -> Result<Metainfo, MetainfoError> {
        let bytes = write::served(name, piece_bytes, &files, &hashes, &empty_folders)?;
        drop((files, hashes, empty_folders)); // whose room the outcome takes
        let metainfo = read::metainfo(&bytes)?;
        match (single, metainfo.single) {
            (true, false) => Err(malformed("a share of a single file has that file and nothing else")),
            (false, true) => Err(MetainfoError::Malformed(format!(
                "the folder '{name}' holds only a file '{name}', which the format cannot tell from that file alone: \
                 share the file, or rename one of them"
            ))),
            _ => Ok(metainfo),
        }
    }

    /// The share's id: SHA-256 of the `info` bytes as found.
    pub fn share(&self) -> ShareId {
        self.share
    }

    /// The share's name: of its folder, or of its one file.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it is one file, standing by itself, and no folder.
    pub fn is_single_file(&self) -> bool {
        self.single
    }

    /// How it is cut.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Its files, in tree order.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// One of its files.
    pub fn file(&self, file: FileIndex) -> &FileEntry {
        &self.files()[file.index()]
    }

    /// Folders with nothing in them.
    pub fn empty_folders(&self) -> &[TreePath] {
        &self.empty_folders
    }

    /// The root of this piece's tree: what its leaves must add up to.
    pub fn piece_hash(&self, piece: PieceIndex) -> Digest {
        let (file, start) = self.geometry.place(piece);
        let piece_bytes = u64::from(self.geometry.piece_bytes());
        if self.file(file).length <= piece_bytes {
            return self.hash_at(self.roots[file.index()] as usize);
        }
        let before = usize::try_from(start / piece_bytes).expect("below PIECES_MAX");
        self.hash_at(self.layers[file.index()] as usize + before * size_of::<Digest>())
    }

    /// The root of this file's Merkle tree; none exactly when it is empty.
    pub fn root(&self, file: FileIndex) -> Option<Digest> {
        (self.file(file).length > 0).then(|| self.hash_at(self.roots[file.index()] as usize))
    }

    fn hash_at(&self, at: usize) -> Digest {
        Digest(*self.served[at..].first_chunk().expect("every root and layer was seen to be whole"))
    }

    /// The canonical bencoding of `info` and `piece layers` alone, as METADADOS serves it.
    pub fn served_bytes(&self) -> &[u8] {
        &self.served
    }

    /// A metainfo file: what is served, and outside `info` who made it and where to begin (`announce` minibit://host:port).
    pub fn to_file(&self, endpoints: &[Endpoint]) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.served.len() + 1024);
        writer.dictionary();
        if let Some(first) = endpoints.first() {
            writer.string(b"announce").string(url(first).as_bytes());
        }
        if endpoints.len() > 1 {
            writer.string(b"announce-list").list();
            for endpoint in endpoints {
                writer.list().string(url(endpoint).as_bytes()).end();
            }
            writer.end();
        }
        writer.string(b"created by").string(b"minibit");
        writer.raw(&self.served[1..]);
        writer.finish()
    }

    /// Where a metainfo file says to begin (`announce`, `announce-list` with minibit://host:port); empty if nowhere.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The line to send to others.
    pub fn link(&self, endpoints: &[Endpoint]) -> Link {
        let name = Some(self.name.as_bytes().to_vec());
        Link { share: self.share, name, endpoints: endpoints.to_vec() }
    }
}

/// Short, because events are shown whole and a metainfo may have millions of bytes.
impl fmt::Debug for Metainfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metainfo({} '{}', {} files)", self.share, self.name, self.files.len())
    }
}

fn url(endpoint: &Endpoint) -> String {
    format!("{SCHEME}{endpoint}")
}

fn malformed(why: &str) -> MetainfoError {
    MetainfoError::Malformed(why.to_owned())
}
