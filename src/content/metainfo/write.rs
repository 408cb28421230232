//! Writes the canonical metainfo of content that was just hashed, byte for byte as libtorrent's creator does.

use std::collections::BTreeMap;

use super::{FileEntry, MetainfoError, malformed};
use crate::content::bencode::Writer;
use crate::content::geometry::{Geometry, LEAF_BYTES};
use crate::content::merkle;
use crate::content::names::{Name, PATH_DEPTH_MAX, TreePath};
use crate::ids::Digest;

/// A line of the tree, a file with the hashes of its pieces. Roots are reckoned where they are written: to keep them would double what is held of many files.
#[derive(Clone, Copy)]
enum Entry<'a> {
    File(&'a FileEntry, &'a [Digest]),
    EmptyFolder(&'a TreePath),
}

impl<'a> Entry<'a> {
    fn path(self) -> &'a TreePath {
        match self {
            Entry::File(file, _) => &file.path,
            Entry::EmptyFolder(path) => path,
        }
    }

    fn pieces(self) -> &'a [Digest] {
        match self {
            Entry::File(_, pieces) => pieces,
            Entry::EmptyFolder(_) => &[],
        }
    }

    fn names(self) -> &'a [Name] {
        &self.path().0
    }
}

/// Bytes of a file beside its own name and its piece hashes, as most have them.
const ENTRY_BYTES: usize = 96;

/// The dictionary of `info` and `piece layers`.
pub(super) fn served(
    name: &Name,
    piece_bytes: u32,
    files: &[FileEntry],
    hashes: &[Digest],
    empty_folders: &[TreePath],
) -> Result<Vec<u8>, MetainfoError> {
    check(piece_bytes, files, hashes)?;
    let piece_leaves = (piece_bytes / LEAF_BYTES) as usize;
    let entries = sorted(piece_bytes, files, hashes, empty_folders)?;
    let layers: usize = layered(&entries).map(size_of_val).sum();
    let mut writer = Writer::with_capacity(entries.len() * ENTRY_BYTES + layers);
    writer.dictionary();
    writer.string(b"info").dictionary();
    writer.string(b"file tree");
    write_folder(&mut writer, &entries, piece_leaves, 0)?;
    writer.string(b"meta version").integer(2);
    writer.string(b"name").string(name.as_bytes());
    writer.string(b"piece length").integer(i128::from(piece_bytes));
    writer.end();
    writer.string(b"piece layers");
    write_layers(&mut writer, &entries, piece_leaves);
    writer.end();
    Ok(writer.finish())
}

fn check(piece_bytes: u32, files: &[FileEntry], hashes: &[Digest]) -> Result<(), MetainfoError> {
    let lengths: Vec<u64> = files.iter().map(|file| file.length).collect();
    let pieces = Geometry::new(u64::from(piece_bytes), &lengths)?.piece_count() as usize;
    if hashes.len() == pieces {
        return Ok(());
    }
    Err(MetainfoError::Malformed(format!("{} hashes for {pieces} pieces", hashes.len())))
}

fn sorted<'a>(
    piece_bytes: u32,
    files: &'a [FileEntry],
    hashes: &'a [Digest],
    empty_folders: &'a [TreePath],
) -> Result<Vec<Entry<'a>>, MetainfoError> {
    let mut left = hashes;
    let file = |file: &'a FileEntry| {
        let pieces = usize::try_from(file.length.div_ceil(u64::from(piece_bytes))).expect("below PIECES_MAX");
        let (own, rest) = left.split_at(pieces);
        left = rest;
        Entry::File(file, own)
    };
    let folders = empty_folders.iter().map(Entry::EmptyFolder);
    let mut entries: Vec<Entry<'_>> = files.iter().map(file).chain(folders).collect();
    if entries.iter().any(|entry| entry.names().is_empty() || entry.names().len() > PATH_DEPTH_MAX) {
        return Err(malformed("a path has no component, or more than 100: move what is so deep further up"));
    }
    entries.sort_unstable_by(|a, b| a.path().cmp(b.path()));
    Ok(entries)
}

/// `entries` are those of one folder; `depth` components of their paths are its own.
fn write_folder(
    writer: &mut Writer,
    entries: &[Entry<'_>],
    piece_leaves: usize,
    depth: usize,
) -> Result<(), MetainfoError> {
    writer.dictionary();
    for group in entries.chunk_by(|a, b| a.names()[depth] == b.names()[depth]) {
        let first = group[0];
        writer.string(first.names()[depth].as_bytes());
        if first.names().len() > depth + 1 {
            write_folder(writer, group, piece_leaves, depth + 1)?;
        } else if group.len() > 1 {
            return Err(MetainfoError::Malformed(format!("'{}' is there twice", first.path())));
        } else {
            write_entry(writer, first, piece_leaves);
        }
    }
    writer.end();
    Ok(())
}

fn write_entry(writer: &mut Writer, entry: Entry<'_>, piece_leaves: usize) {
    writer.dictionary();
    if let Entry::File(file, pieces) = entry {
        writer.string(b"").dictionary();
        if file.executable {
            writer.string(b"attr").string(b"x");
        }
        writer.string(b"length").integer(i128::from(file.length));
        if file.length > 0 {
            writer.string(b"pieces root").string(&merkle::file_root(pieces, piece_leaves).0);
        }
        writer.end();
    }
    writer.end();
}

/// The hashes of each file that needs a layer: one of a single piece needs none.
fn layered<'a>(entries: &[Entry<'a>]) -> impl Iterator<Item = &'a [Digest]> {
    entries.iter().map(|entry| entry.pieces()).filter(|pieces| pieces.len() > 1)
}

/// Each layer once, in the order of the roots.
fn write_layers(writer: &mut Writer, entries: &[Entry<'_>], piece_leaves: usize) {
    let layers: BTreeMap<Digest, &[Digest]> =
        layered(entries).map(|pieces| (merkle::file_root(pieces, piece_leaves), pieces)).collect();
    writer.dictionary();
    for (root, pieces) in layers {
        writer.string(&root.0).string_head(size_of_val(pieces));
        for piece in pieces {
            writer.raw(&piece.0);
        }
    }
    writer.end();
}
