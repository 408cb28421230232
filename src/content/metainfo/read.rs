//! Reads a metainfo strictly and believes nothing: limits first, then shape, then hashes.

mod tree;

use std::ops::Range;

use sha2::{Digest as _, Sha256};
use tree::Tree;

use super::{ENDPOINTS_MAX, METAINFO_BYTES_MAX, Metainfo, MetainfoError, SCHEME, malformed};
use crate::content::bencode::{Kind, Malformed, Reader, Writer};
use crate::content::geometry::{Geometry, LEAF_BYTES};
use crate::content::merkle;
use crate::content::names::Name;
use crate::ids::{Digest, Endpoint, ShareId};

/// Bytes of a digest.
const DIGEST_BYTES: usize = size_of::<Digest>();
/// Bytes that the served dictionary has beside its `info` and its layers.
const FRAME_BYTES: usize = 64;

pub(super) fn metainfo(bytes: &[u8]) -> Result<Metainfo, MetainfoError> {
    if bytes.len() > METAINFO_BYTES_MAX {
        return Err(MetainfoError::TooLarge);
    }
    let outline = Outline::read(bytes)?;
    let mut info = Info::read(&mut Reader::at(bytes, outline.info.start))?;
    info.tree.files.shrink_to_fit(); // held for as long as the share is
    let lengths: Vec<u64> = info.tree.files.iter().map(|file| file.length).collect();
    let geometry = Geometry::new(info.piece_bytes, &lengths)?;
    let served = Served::new(bytes, &outline, &info.tree, &geometry)?;
    Ok(Metainfo {
        share: ShareId(Sha256::digest(&bytes[outline.info]).into()),
        single: info.is_single_file(),
        name: info.name,
        geometry,
        files: info.tree.files,
        empty_folders: info.tree.empty_folders,
        served: served.bytes,
        roots: served.roots,
        layers: served.layers,
        endpoints: outline.endpoints,
    })
}

/// What stands at the top.
struct Outline<'a> {
    info: Range<usize>,
    /// The dictionary of piece layers; an empty one if there is none.
    layers: &'a [u8],
    endpoints: Vec<Endpoint>,
}

impl<'a> Outline<'a> {
    fn read(bytes: &'a [u8]) -> Result<Outline<'a>, MetainfoError> {
        let (mut info, mut layers) = (None, &b"de"[..]);
        let mut urls = Vec::new();
        let mut reader = Reader::new(bytes);
        reader.dictionary(|key, reader| {
            let place = reader.skip()?;
            let value = &bytes[place.clone()];
            match key {
                b"announce" | b"announce-list" => collect_urls(&mut Reader::new(value), &mut urls)?,
                b"info" => info = Some(place),
                b"piece layers" => layers = value,
                _ => {}
            }
            Ok::<_, Malformed>(())
        })?;
        reader.finish()?;
        let info = info.ok_or_else(|| malformed("no metainfo: it has no 'info'"))?;
        Ok(Outline { info, layers, endpoints: endpoints(&urls) })
    }
}

/// The strings in a value, however deep.
fn collect_urls<'a>(reader: &mut Reader<'a>, urls: &mut Vec<&'a [u8]>) -> Result<(), Malformed> {
    match reader.kind()? {
        Kind::String => {
            let url = reader.string()?;
            if urls.len() < ENDPOINTS_MAX {
                urls.push(url);
            }
            Ok(())
        }
        Kind::List => reader.list(|reader| collect_urls(reader, urls)),
        Kind::Integer | Kind::Dictionary => reader.skip().map(drop),
    }
}

/// Those that are ours; `announce` repeats the first of `announce-list`.
fn endpoints(urls: &[&[u8]]) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for url in urls.iter().filter_map(|url| std::str::from_utf8(url).ok()) {
        let place = url.strip_prefix(SCHEME).map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        let Some(Ok(endpoint)) = place.map(str::parse) else { continue };
        if !endpoints.contains(&endpoint) {
            endpoints.push(endpoint);
        }
    }
    endpoints
}

/// The dictionary that makes the share's id.
struct Info {
    name: Name,
    piece_bytes: u64,
    tree: Tree,
}

impl Info {
    fn read(reader: &mut Reader<'_>) -> Result<Info, MetainfoError> {
        let (mut name, mut piece_bytes, mut tree, mut version) = (None, None, None, None);
        reader.dictionary(|key, reader| {
            match key {
                b"file tree" => tree = Some(Tree::read(reader)?),
                b"meta version" => version = Some(reader.unsigned()?),
                b"name" => name = Some(Name::new(reader.string()?)?),
                b"piece length" => piece_bytes = Some(reader.unsigned()?),
                _ => {
                    reader.skip()?;
                }
            }
            Ok::<_, MetainfoError>(())
        })?;
        match version {
            Some(2) => {}
            None => return Err(malformed("a BitTorrent v1 metainfo: only v2 and hybrid ones can be shared")),
            Some(_) => return Err(malformed("a metainfo of an unknown version: only v2 can be shared")),
        }
        Ok(Info {
            name: name.ok_or_else(|| malformed("the metainfo has no 'name'"))?,
            piece_bytes: piece_bytes.ok_or_else(|| malformed("the metainfo has no 'piece length'"))?,
            tree: tree.ok_or_else(|| malformed("the metainfo has no 'file tree'"))?,
        })
    }

    /// BEP 52 marks it by nothing but the tree: one entry, a file, which bears the share's name.
    fn is_single_file(&self) -> bool {
        let [file] = &self.tree.files[..] else { return false };
        file.path.0 == [self.name.clone()] && self.tree.empty_folders.is_empty()
    }
}

/// The bytes to serve and, by file, where its root and its layer stand in them; 0 for one that has none.
struct Served {
    bytes: Vec<u8>,
    roots: Vec<u32>,
    layers: Vec<u32>,
}

impl Served {
    fn new(
        bytes: &[u8],
        outline: &Outline<'_>,
        tree: &Tree,
        geometry: &Geometry,
    ) -> Result<Served, MetainfoError> {
        let info = &outline.info;
        let mut writer = Writer::with_capacity(info.len() + outline.layers.len() + FRAME_BYTES);
        writer.dictionary().string(b"info");
        let narrow = |place: usize| u32::try_from(place).map_err(|_| MetainfoError::TooLarge);
        let (found_at, info_at) = (narrow(info.start)?, narrow(writer.length())?);
        writer.raw(&bytes[info.clone()]).string(b"piece layers").dictionary();
        let layers = Layers { bytes, tree, geometry, writer: &mut writer, places: vec![0; tree.files.len()] };
        let layers = layers.read(outline.layers)?;
        writer.end().end();
        if writer.length() > METAINFO_BYTES_MAX {
            return Err(MetainfoError::TooLarge);
        }
        let shift = |root: &u32| if *root == 0 { 0 } else { root - found_at + info_at };
        let roots = tree.roots.iter().map(shift).collect();
        let mut bytes = writer.finish();
        bytes.shrink_to_fit();
        Ok(Served { bytes, roots, layers })
    }
}

/// Copies the layers that files need, each checked once however many files it describes.
struct Layers<'a> {
    bytes: &'a [u8],
    tree: &'a Tree,
    geometry: &'a Geometry,
    writer: &'a mut Writer,
    places: Vec<u32>,
}

impl Layers<'_> {
    /// The dictionary of layers is in the order of the roots, so one walk beside the files in that order finds all.
    fn read(mut self, dictionary: &[u8]) -> Result<Vec<u32>, MetainfoError> {
        let (bytes, tree) = (self.bytes, self.tree);
        let needing = self.files_in_order_of_roots();
        let mut left = needing.as_slice();
        Reader::new(dictionary).dictionary(|key, reader| {
            let layer = reader.string()?;
            let root_of = |file: &u32| tree.root(bytes, *file);
            if left.first().is_some_and(|file| root_of(file) < key) {
                return Err(self.wrong(left[0]));
            }
            let (own, rest) = left.split_at(left.partition_point(|file| root_of(file) == key));
            left = rest;
            self.take(own, key, layer)
        })?;
        left.first().map_or(Ok(()), |file| Err(self.wrong(*file)))?;
        Ok(self.places)
    }

    fn files_in_order_of_roots(&self) -> Vec<u32> {
        let piece_bytes = u64::from(self.geometry.piece_bytes());
        let mut needing: Vec<u32> = (0..)
            .zip(&self.tree.files)
            .filter(|(_, file)| file.length > piece_bytes)
            .map(|(number, _)| number)
            .collect();
        needing.sort_unstable_by_key(|file| (self.tree.root(self.bytes, *file), *file));
        needing
    }

    /// `layer`, if it is that of `files`; they all have the root `key`.
    fn take(&mut self, files: &[u32], key: &[u8], layer: &[u8]) -> Result<(), MetainfoError> {
        let Some(first) = files.first() else { return Ok(()) };
        let piece_bytes = self.geometry.piece_bytes();
        for file in files {
            let pieces = self.tree.files[*file as usize].length.div_ceil(u64::from(piece_bytes));
            if layer.len() as u64 != pieces * DIGEST_BYTES as u64 {
                return Err(self.wrong(*file));
            }
        }
        if merkle::layer_root(layer, (piece_bytes / LEAF_BYTES) as usize).0[..] != *key {
            return Err(self.wrong(*first));
        }
        self.writer.string(key).string_head(layer.len());
        let place = u32::try_from(self.writer.length()).map_err(|_| MetainfoError::TooLarge)?;
        self.writer.raw(layer);
        files.iter().for_each(|file| self.places[*file as usize] = place);
        Ok(())
    }

    fn wrong(&self, file: u32) -> MetainfoError {
        MetainfoError::WrongLayer(self.tree.files[file as usize].path.to_string())
    }
}
