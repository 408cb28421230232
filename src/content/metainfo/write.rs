//! Writes the canonical metainfo of content that was just hashed, byte for byte as libtorrent's creator does.

use std::collections::BTreeMap;

use super::{FileDraft, MetainfoError, malformed};
use crate::content::bencode::Writer;
use crate::content::geometry::{Geometry, LEAF_BYTES};
use crate::content::merkle;
use crate::content::names::{Name, PATH_DEPTH_MAX, TreePath};
use crate::ids::Digest;

/// A file, or an empty folder.
struct Entry {
    path: TreePath,
    file: Option<(FileDraft, Digest)>,
}

/// The dictionary of `info` and `piece layers`.
pub(super) fn served(
    name: &Name,
    piece_bytes: u32,
    files: Vec<FileDraft>,
    empty_folders: Vec<TreePath>,
) -> Result<Vec<u8>, MetainfoError> {
    check(piece_bytes, &files)?;
    let entries = sorted(piece_bytes, files, empty_folders)?;
    let mut writer = Writer::default();
    writer.dictionary();
    writer.string(b"info").dictionary();
    writer.string(b"file tree");
    write_folder(&mut writer, &entries, 0)?;
    writer.string(b"meta version").integer(2);
    writer.string(b"name").string(name.as_bytes());
    writer.string(b"piece length").integer(i128::from(piece_bytes));
    writer.end();
    writer.string(b"piece layers");
    write_layers(&mut writer, &entries, piece_bytes);
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

fn sorted(
    piece_bytes: u32,
    files: Vec<FileDraft>,
    empty_folders: Vec<TreePath>,
) -> Result<Vec<Entry>, MetainfoError> {
    let piece_leaves = (piece_bytes / LEAF_BYTES) as usize;
    let files = files.into_iter().map(|file| {
        let root = merkle::file_root(&file.pieces, piece_leaves);
        Entry { path: file.path.clone(), file: Some((file, root)) }
    });
    let folders = empty_folders.into_iter().map(|path| Entry { path, file: None });
    let mut entries: Vec<Entry> = files.chain(folders).collect();
    if entries.iter().any(|entry| entry.path.0.is_empty() || entry.path.0.len() > PATH_DEPTH_MAX) {
        return Err(malformed("a path has no component, or more than 100: move what is so deep further up"));
    }
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// `entries` are those of one folder; `depth` components of their paths are its own.
fn write_folder(writer: &mut Writer, entries: &[Entry], depth: usize) -> Result<(), MetainfoError> {
    writer.dictionary();
    for group in entries.chunk_by(|a, b| a.path.0[depth] == b.path.0[depth]) {
        let first = &group[0];
        writer.string(first.path.0[depth].as_bytes());
        if first.path.0.len() > depth + 1 {
            write_folder(writer, group, depth + 1)?;
        } else if group.len() > 1 {
            return Err(MetainfoError::Malformed(format!("'{}' is there twice", first.path)));
        } else {
            write_entry(writer, first);
        }
    }
    writer.end();
    Ok(())
}

fn write_entry(writer: &mut Writer, entry: &Entry) {
    writer.dictionary();
    if let Some((file, root)) = &entry.file {
        writer.string(b"").dictionary();
        if file.executable {
            writer.string(b"attr").string(b"x");
        }
        writer.string(b"length").integer(i128::from(file.length));
        if file.length > 0 {
            writer.string(b"pieces root").string(&root.0);
        }
        writer.end();
    }
    writer.end();
}

/// Each layer once, in the order of the roots; a file of one piece needs none.
fn write_layers(writer: &mut Writer, entries: &[Entry], piece_bytes: u32) {
    let files = entries.iter().filter_map(|entry| entry.file.as_ref());
    let layers: BTreeMap<Digest, &[Digest]> = files
        .filter(|(file, _)| file.length > u64::from(piece_bytes))
        .map(|(file, root)| (*root, file.pieces.as_slice()))
        .collect();
    writer.dictionary();
    for (root, pieces) in layers {
        writer.string(&root.0).string_head(size_of_val(pieces));
        for piece in pieces {
            writer.raw(&piece.0);
        }
    }
    writer.end();
}
