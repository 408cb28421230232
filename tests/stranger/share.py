"""What a share is, from wire.md and BEP 52 alone: bencode, Merkle trees, metainfo. Knows no network."""

import hashlib
import os
from collections import namedtuple

LEAF = 16384

File = namedtuple("File", "path length root executable")
Piece = namedtuple("Piece", "file offset length digest width")  # width: leaves of its tree, padding included


class Bad(Exception):
    """Bytes that are not what they should be; the text is a sentence."""


def sha256(data):
    return hashlib.sha256(data).digest()


def bdecode(data, at=0, depth=0):
    """One canonical value and where it ends."""
    if depth > 200 or at >= len(data):
        raise Bad("bencode that is cut short or too deep")
    head = data[at : at + 1]
    if head == b"i":
        end = data.index(b"e", at)
        number = int(data[at + 1 : end])
        if b"%d" % number != data[at + 1 : end]:
            raise Bad("a bencoded number that is not canonical")
        return number, end + 1
    if head == b"l":
        items, at = [], at + 1
        while data[at : at + 1] != b"e":
            item, at = bdecode(data, at, depth + 1)
            items.append(item)
        return items, at + 1
    if head == b"d":
        return bdecode_dict(data, at + 1, depth)
    colon = data.index(b":", at)
    length = int(data[at:colon])
    end = colon + 1 + length
    if b"%d" % length != data[at:colon] or end > len(data):
        raise Bad("a bencoded string that is cut short or not canonical")
    return data[colon + 1 : end], end


def bdecode_dict(data, at, depth):
    found, last = {}, None
    while data[at : at + 1] != b"e":
        key, begin = bdecode(data, at, depth + 1)
        if not isinstance(key, bytes) or (last is not None and key <= last):
            raise Bad("bencoded keys that are not in order")
        found[key], at = bdecode(data, begin, depth + 1)
        if depth == 0 and key == b"info":
            found["raw info"] = data[begin:at]
        last = key
    return found, at + 1


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l%se" % b"".join(map(bencode, value))
    return b"d%se" % b"".join(bencode(key) + bencode(value[key]) for key in sorted(value))


def power_of_two(least):
    width = 1
    while width < least:
        width *= 2
    return width


def merkle(hashes, width, pad):
    level = list(hashes) + [pad] * (width - len(hashes))
    while len(level) > 1:
        level = [sha256(level[n] + level[n + 1]) for n in range(0, len(level), 2)]
    return level[0]


def leaf_hashes(data):
    return [sha256(data[at : at + LEAF]) for at in range(0, len(data), LEAF)]


class Share:
    """A verified description. `served` is what METADADOS carries."""

    def __init__(self, data, expected_id=None, served_form=False):
        try:
            self.parse(data, expected_id, served_form)
        except (ValueError, KeyError, AttributeError, IndexError, TypeError) as fault:
            raise Bad("the metainfo is not one of version 2 (%r)" % fault)

    def parse(self, data, expected_id, served_form):
        found, end = bdecode(data)
        raw, info, layers = found.pop("raw info"), found[b"info"], found.get(b"piece layers", {})
        if end != len(data):
            raise Bad("there is something after the metainfo")
        self.id = sha256(raw).hex()
        if expected_id not in (None, self.id):
            raise Bad("the metainfo hashes to %s, not to %s" % (self.id, expected_id))
        self.served = b"d4:info" + raw + b"12:piece layers" + bencode(layers) + b"e"
        if served_form and data != self.served:
            raise Bad("METADADOS is not the canonical dictionary of just info and piece layers")
        if info[b"meta version"] != 2:
            raise Bad("not a version 2 metainfo")
        self.name = component(info[b"name"])
        self.piece_length = info[b"piece length"]
        if self.piece_length < LEAF or self.piece_length & (self.piece_length - 1):
            raise Bad("a piece length of %d" % self.piece_length)
        self.files, self.empty_folders = [], []
        self.walk(info[b"file tree"], ())
        self.is_single = len(self.files) == 1 and not self.empty_folders and self.files[0].path == (self.name,)
        self.pieces = [piece for n in range(len(self.files)) for piece in self.pieces_of(n, layers)]

    def walk(self, tree, path):
        if path and not tree:
            self.empty_folders.append(path)
        for name in sorted(tree):
            here, entry = path + (component(name),), tree[name]
            if b"" in entry:
                leaf = entry[b""]
                attr = leaf.get(b"attr", b"")
                if len(entry) != 1 or b"l" in attr or (leaf[b"length"] > 0) != (b"pieces root" in leaf):
                    raise Bad("an entry of the file tree that may not be")
                self.files.append(File(here, leaf[b"length"], leaf.get(b"pieces root"), b"x" in attr))
            else:
                self.walk(entry, here)

    def pieces_of(self, number, layers):
        file, size = self.files[number], self.piece_length
        if file.length == 0:
            return []
        if file.length <= size:
            width = power_of_two(-(-file.length // LEAF))
            return [Piece(number, 0, file.length, file.root, width)]
        layer = layers.get(file.root, b"")
        hashes = [layer[at : at + 32] for at in range(0, len(layer), 32)]
        count = -(-file.length // size)
        pad = merkle([], size // LEAF, bytes(32))
        if len(layer) != 32 * count or merkle(hashes, power_of_two(count), pad) != file.root:
            raise Bad("the piece layer of %s does not match its root" % "/".join(file.path))
        lengths = [min(size, file.length - n * size) for n in range(count)]
        return [Piece(number, n * size, lengths[n], hashes[n], size // LEAF) for n in range(count)]

    def root_of(self, index, leaves):
        return merkle(leaves, self.pieces[index].width, bytes(32))

    def place(self, folder, number):
        """Where a file lies below the folder that holds the share."""
        path = self.files[number].path
        return os.path.join(folder, *(path if self.is_single else (self.name,) + path))

    def read(self, folder, index, start=0, length=None):
        piece = self.pieces[index]
        with open(self.place(folder, piece.file), "rb") as file:
            file.seek(piece.offset + start)
            return file.read(piece.length - start if length is None else length)

    def write(self, folder, index, data):
        piece = self.pieces[index]
        with open(self.place(folder, piece.file), "r+b") as file:
            file.seek(piece.offset)
            file.write(data)

    def lay_out(self, folder):
        """Makes every file, at its length, and every folder."""
        for number, file in enumerate(self.files):
            path = self.place(folder, number)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as made:
                made.truncate(file.length)
            os.chmod(path, 0o755 if file.executable else 0o644)
        for path in self.empty_folders + ([] if self.is_single else [()]):
            os.makedirs(os.path.join(folder, self.name, *path), exist_ok=True)


def component(raw):
    name = raw.decode("utf-8")
    if name in ("", ".", "..") or "/" in name or "\0" in name or len(raw) > 255:
        raise Bad("a name that may not be: %r" % name)
    return name
