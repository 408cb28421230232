#!/usr/bin/python3
"""Writes tests/vectors/libtorrent.json: what libtorrent makes of a table of telling trees.

usage: vectors.py [--check]      --check compares with what is there, and writes nothing

Needs python3-libtorrent (2.0). The content of a file is the SHA-256 digests of "PATH:0", "PATH:1", ... in a row, cut
to its length, or of "KEY:0", ... where the table gives it a key, so that the Rust test makes the same bytes.
"""
import base64
import hashlib
import json
import os
import sys
import tempfile

import libtorrent

V2_ONLY = 1 << 5  # libtorrent 2.0.8's Python binding does not name create_torrent::v2_only
LEAF = 16 * 1024
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, os.pardir, "vectors", "libtorrent.json")


def file(path, length, executable=False, key=None):
    return {"path": path, "length": length, "executable": executable, "key": key or path}


def share(name, piece_bytes, files, single=False, hybrid=False):
    return {"name": name, "piece_bytes": piece_bytes, "single": single, "hybrid": hybrid, "files": files}


def table():
    for piece in (LEAF, 4 * LEAF):
        lengths = {1, LEAF - 1, LEAF, LEAF + 1, 3 * LEAF, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 1,
                   100 * LEAF + 5}
        for length in sorted(lengths):
            yield share("file", piece, [file("file", length)], single=True)
        yield share("telling", piece, [file(f"{length:08}", length) for length in sorted(lengths | {0})])
    yield share("Ünïcødé 日本語", LEAF, [file("é", 1), file("e\u0301", 2), file("🎬/ß.txt", LEAF + 1), file("ÿ", 3)])
    yield share("nested", LEAF, [file("a/b/c/d/e/f", 5), file("a/b/c.txt", 2 * LEAF), file("a/z", 0), file("b", 1)])
    order = ["a/b", "a.b", "a b", "A", "a-b/c", "aa", "B/a", "Z", "_", "~", "0", "00", "1", "10", "a+", "a!/x", "é"]
    yield share("order", LEAF, [file(path, 10 + at) for at, path in enumerate(order)])
    yield share("modes", LEAF, [file("run", 5, True), file("read", 5), file("bin/run", 0, True)])
    yield share("run.sh", LEAF, [file("run.sh", 40000, True)], single=True)
    yield share("equal", LEAF, [file(path, 5 * LEAF, key="same") for path in ("one", "two", "x/three")])
    yield share("large-pieces", 1 << 20, [file("a", 3 * (1 << 20) + 1), file("b", 1 << 20), file("c", (1 << 20) - 1)])
    yield share("hybrid", LEAF, [file("a", LEAF + 1), file("b/c", 5, True), file("d", 0)], hybrid=True)


def content(key, length):
    digests = (hashlib.sha256(f"{key}:{number}".encode()).digest() for number in range(-(-length // 32)))
    return b"".join(digests)[:length]


def lay_down(folder, case):
    root = os.path.join(folder, case["name"])
    for entry in case["files"]:
        path = root if case["single"] else os.path.join(root, entry["path"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content(entry["key"], entry["length"]))
        os.chmod(path, 0o755 if entry["executable"] else 0o644)
    return root


def torrent(case):
    with tempfile.TemporaryDirectory() as folder:
        storage = libtorrent.file_storage()
        libtorrent.add_files(storage, lay_down(folder, case))
        creator = libtorrent.create_torrent(storage, case["piece_bytes"], 0 if case["hybrid"] else V2_ONLY)
        libtorrent.set_piece_hashes(creator, folder)
        entry = creator.generate()
    del entry[b"creation date"]
    return libtorrent.bencode(entry)


def root_of(tree, path):
    for component in path.split("/"):
        tree = tree[component.encode()]
    return tree[b""].get(b"pieces root", b"").hex()


def vector(case):
    raw = torrent(case)
    info = libtorrent.torrent_info(raw)
    tree = libtorrent.bdecode(raw)[b"info"][b"file tree"]
    files = [dict(entry, root=root_of(tree, entry["path"])) for entry in case["files"]]
    return dict(case, files=files, share=str(info.info_hashes().v2), torrent=base64.b64encode(raw).decode())


def main():
    made = [vector(case) for case in table()]
    text = "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in made) + "\n]\n"
    if sys.argv[1:] == ["--check"]:
        with open(OUT, encoding="utf-8") as there:
            if there.read() != text:
                sys.exit("libtorrent makes something else than tests/vectors/libtorrent.json has: run vectors.py")
        print(f"libtorrent {libtorrent.__version__}: {len(made)} shares as committed")
        return
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w", encoding="utf-8") as out:
        out.write(text)


if __name__ == "__main__":
    main()
