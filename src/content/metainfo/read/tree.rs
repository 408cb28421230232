//! Reads a `file tree` (BEP 52) into a list of files: regular files and folders only.

use super::DIGEST_BYTES;
use crate::content::bencode::Reader;
use crate::content::geometry::{BadGeometry, FILES_MAX};
use crate::content::metainfo::{FileEntry, MetainfoError, malformed};
use crate::content::names::{BadName, Name, PATH_BYTES_MAX, PATH_DEPTH_MAX, TreePath, shown};

/// The components of all paths together, at most: paths are kept whole, so a deep folder of many files would
/// otherwise take far more memory than it has bytes.
const COMPONENTS_MAX: usize = 1 << 23;

/// What a tree holds, in its order.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) files: Vec<FileEntry>,
    /// By file: where its root stands in what is read; 0 for an empty one.
    pub(super) roots: Vec<u32>,
    pub(super) empty_folders: Vec<TreePath>,
    /// Where the reader is.
    path: Vec<Name>,
    components: usize,
}

impl Tree {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Tree, MetainfoError> {
        let mut tree = Tree::default();
        if reader.sees(b"d0:") {
            return Err(malformed("the 'file tree' is a file, and not a folder"));
        }
        tree.folder(reader)?;
        Ok(tree)
    }

    /// The root of the file of that number, which is not empty, in the `bytes` that were read.
    pub(super) fn root<'a>(&self, bytes: &'a [u8], file: u32) -> &'a [u8] {
        let at = self.roots[file as usize] as usize;
        &bytes[at..at + DIGEST_BYTES]
    }

    fn folder(&mut self, reader: &mut Reader<'_>) -> Result<(), MetainfoError> {
        reader.dictionary(|key, reader| {
            self.enter(key)?;
            if reader.sees(b"d0:") {
                self.file(reader)?;
            } else if reader.sees(b"de") {
                reader.skip()?;
                self.empty_folder()?;
            } else {
                self.folder(reader)?;
            }
            self.path.pop();
            Ok(())
        })
    }

    fn enter(&mut self, component: &[u8]) -> Result<(), MetainfoError> {
        let blame = |bad: BadName| BadName { shown: format!("{}{}", self.prefix(), bad.shown), ..bad };
        let name = Name::new(component).map_err(blame)?;
        let bytes = self.path.iter().map(|name| name.as_bytes().len() + 1).sum::<usize>() + component.len();
        if self.path.len() == PATH_DEPTH_MAX || bytes > PATH_BYTES_MAX {
            let first = self.path.first().map_or(&[][..], Name::as_bytes);
            return Err(MetainfoError::Malformed(format!(
                "a path below '{}' has more than {PATH_DEPTH_MAX} components or {PATH_BYTES_MAX} bytes",
                shown(first)
            )));
        }
        self.path.push(name);
        Ok(())
    }

    fn prefix(&self) -> String {
        self.path.iter().map(|name| format!("{name}/")).collect()
    }

    /// Where the reader is, if there is room for one more path.
    fn place(&mut self) -> Result<TreePath, MetainfoError> {
        self.components += self.path.len();
        let most = FILES_MAX as usize;
        if self.files.len() == most || self.empty_folders.len() == most {
            return Err(BadGeometry::TooManyFiles.into());
        }
        if self.components > COMPONENTS_MAX {
            return Err(malformed(
                "too many files in folders too deep: all paths have more than 2^23 components",
            ));
        }
        Ok(TreePath(self.path.clone()))
    }

    fn empty_folder(&mut self) -> Result<(), MetainfoError> {
        let path = self.place()?;
        self.empty_folders.push(path);
        Ok(())
    }

    /// A dictionary whose one key is empty.
    fn file(&mut self, reader: &mut Reader<'_>) -> Result<(), MetainfoError> {
        let path = self.place()?;
        let mut found = None;
        reader.dictionary(|key, reader| {
            if !key.is_empty() {
                return Err(MetainfoError::Malformed(format!("'{path}' is both a file and a folder")));
            }
            found = Some(Properties::read(reader, &path)?);
            Ok(())
        })?;
        let missing = |what| MetainfoError::Malformed(format!("the file '{path}' has no '{what}'"));
        let Properties { length, root, executable } = found.ok_or_else(|| missing(""))?;
        let length = length.ok_or_else(|| missing("length"))?;
        self.roots.push(if length == 0 { 0 } else { root.ok_or_else(|| missing("pieces root"))? });
        self.files.push(FileEntry { path, length, executable });
        Ok(())
    }
}

/// What stands under a file's empty key.
#[derive(Default)]
struct Properties {
    length: Option<u64>,
    /// Where it stands in what is read.
    root: Option<u32>,
    executable: bool,
}

impl Properties {
    fn read(reader: &mut Reader<'_>, path: &TreePath) -> Result<Properties, MetainfoError> {
        let mut properties = Properties::default();
        let refused = |why: &str| MetainfoError::Malformed(format!("'{path}' {why}"));
        reader.dictionary(|key, reader| {
            match key {
                b"attr" => {
                    let attributes = reader.string()?;
                    if attributes.contains(&b'l') {
                        return Err(refused("is a symbolic link: only files and folders can be shared"));
                    }
                    properties.executable = attributes.contains(&b'x');
                }
                b"length" => properties.length = Some(reader.unsigned()?),
                b"pieces root" => {
                    let root = reader.string()?;
                    if root.len() != DIGEST_BYTES || root == [0; DIGEST_BYTES] {
                        return Err(refused("has a 'pieces root' that is no hash"));
                    }
                    let place = u32::try_from(reader.position() - DIGEST_BYTES);
                    properties.root = Some(place.map_err(|_| MetainfoError::TooLarge)?);
                }
                b"symlink path" => {
                    return Err(refused("is a symbolic link: only files and folders can be shared"));
                }
                _ => {
                    reader.skip()?;
                }
            }
            Ok(())
        })?;
        Ok(properties)
    }
}
