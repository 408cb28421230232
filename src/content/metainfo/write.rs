//! Writes the canonical metainfo of content that was just hashed, byte for byte as libtorrent's creator does.

use std::collections::BTreeMap;

use super::{FileDraft, MetainfoError, malformed};
use crate::content::bencode::Writer;
use crate::content::geometry::{Geometry, LEAF_BYTES};
use crate::content::merkle;
use crate::content::names::{Name, PATH_DEPTH_MAX, TreePath};
use crate::ids::Digest;

/// A line of the tree. Roots are reckoned where they are written: to keep them would double what is held of many files.
#[derive(Clone, Copy)]
enum Entry<'a> {
    File(&'a FileDraft),
    EmptyFolder(&'a TreePath),
}

impl<'a> Entry<'a> {
    fn path(self) -> &'a TreePath {
        match self {
            Entry::File(file) => &file.path,
            Entry::EmptyFolder(path) => path,
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
    files: &[FileDraft],
    empty_folders: &[TreePath],
) -> Result<Vec<u8>, MetainfoError> {
    check(piece_bytes, files)?;
    let piece_leaves = (piece_bytes / LEAF_BYTES) as usize;
    let entries = sorted(files, empty_folders)?;
    let layered = files.iter().filter(|file| file.pieces.len() > 1);
    let hashes: usize = layered.map(|file| size_of_val(file.pieces.as_slice())).sum();
    let mut writer = Writer::with_capacity(entries.len() * ENTRY_BYTES + hashes);
    writer.dictionary();
    writer.string(b"info").dictionary();
    writer.string(b"file tree");
    write_folder(&mut writer, &entries, piece_leaves, 0)?;
    writer.string(b"meta version").integer(2);
    writer.string(b"name").string(name.as_bytes());
    writer.string(b"piece length").integer(i128::from(piece_bytes));
    writer.end();
    writer.string(b"piece layers");
    write_layers(&mut writer, files, piece_leaves);
    writer.end();
    Ok(writer.finish())
}

fn check(piece_bytes: u32, files: &[FileDraft]) -> Result<(), MetainfoError> {
    let lengths: Vec<u64> = files.iter().map(|file| file.length).collect();
    Geometry::new(u64::from(piece_bytes), &lengths)?;
    for file in files {
        if file.pieces.len() as u64 != file.length.div_ceil(u64::from(piece_bytes)) {
            return Err(MetainfoError::WrongLayer(file.path.to_string()));
        }
    }
    Ok(())
}

fn sorted<'a>(
    files: &'a [FileDraft],
    empty_folders: &'a [TreePath],
) -> Result<Vec<Entry<'a>>, MetainfoError> {
    let folders = empty_folders.iter().map(Entry::EmptyFolder);
    let mut entries: Vec<Entry<'_>> = files.iter().map(Entry::File).chain(folders).collect();
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
    if let Entry::File(file) = entry {
        writer.string(b"").dictionary();
        if file.executable {
            writer.string(b"attr").string(b"x");
        }
        writer.string(b"length").integer(i128::from(file.length));
        if file.length > 0 {
            writer.string(b"pieces root").string(&merkle::file_root(&file.pieces, piece_leaves).0);
        }
        writer.end();
    }
    writer.end();
}

/// Each layer once, in the order of the roots; a file of one piece needs none.
fn write_layers(writer: &mut Writer, files: &[FileDraft], piece_leaves: usize) {
    let files = files.iter().filter(|file| file.pieces.len() > 1);
    let layers: BTreeMap<Digest, &[Digest]> =
        files.map(|file| (merkle::file_root(&file.pieces, piece_leaves), file.pieces.as_slice())).collect();
    writer.dictionary();
    for (root, pieces) in layers {
        writer.string(&root.0).string_head(size_of_val(pieces));
        for piece in pieces {
            writer.raw(&piece.0);
        }
    }
    writer.end();
}
