#!/usr/bin/env python3
"""The stranger against itself: what one seeds, another downloads, byte for byte. And libtorrent's reading, where it is."""

import filecmp
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import unittest

from share import LEAF, Share, bencode, leaf_hashes, merkle, power_of_two, sha256

STRANGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stranger.py")


def describe(name, piece_length, files, empty_folders=()):
    """A metainfo file of {path: bytes}, written from BEP 52 alone."""
    tree, layers = {}, {}
    for path, data in files.items():
        here = tree
        for part in path:
            here = here.setdefault(part.encode(), {})
        here[b""] = leaf = {b"length": len(data)}
        if not data:
            continue
        leaves = leaf_hashes(data)
        if len(data) <= piece_length:
            leaf[b"pieces root"] = merkle(leaves, power_of_two(len(leaves)), bytes(32))
            continue
        width = piece_length // LEAF
        layer = [merkle(leaves[at : at + width], width, bytes(32)) for at in range(0, len(leaves), width)]
        pad = merkle([], width, bytes(32))
        leaf[b"pieces root"] = merkle(layer, power_of_two(len(layer)), pad)
        layers[leaf[b"pieces root"]] = b"".join(layer)
    for path in empty_folders:
        here = tree
        for part in path:
            here = here.setdefault(part.encode(), {})
    info = {b"file tree": tree, b"meta version": 2, b"name": name.encode(), b"piece length": piece_length}
    return bencode({b"announce": b"minibit://127.0.0.1:1", b"info": info, b"piece layers": layers})


def lay_out(folder, files, empty_folders=()):
    for path, data in files.items():
        place = os.path.join(folder, *path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(data)
    for path in empty_folders:
        os.makedirs(os.path.join(folder, *path))


class Stranger(unittest.TestCase):
    def setUp(self):
        self.held = tempfile.TemporaryDirectory()
        self.root = self.held.name
        self.addCleanup(self.held.cleanup)

    def exchange(self, name, piece_length, files, empty_folders=(), single=False):
        """Seeds and downloads; gives both folders' paths and the download's outcome."""
        lay_out(os.path.join(self.root, "from", *([] if single else [name])), files, empty_folders)
        torrent = os.path.join(self.root, "t.torrent")
        with open(torrent, "wb") as file:
            file.write(describe(name, piece_length, files, empty_folders))
        with open(torrent, "rb") as file:
            share = Share(file.read())
        seed = self.start("seed", "--path", os.path.join(self.root, "from", name), "--torrent", torrent, "--listen", "127.0.0.1:0")
        place = seed.stdout.readline().split()[1]
        link = "magnet:?xt=urn:btmh:1220%s&dn=x&x.pe=%s" % (share.id, place)
        out = os.path.join(self.root, "to")
        done = self.start("download", "--link", link, "--out", out, "--timeout", "60")
        words = done.communicate()[1]
        self.assertEqual(done.returncode, 0, words)
        seed.terminate()
        self.assertEqual(seed.wait(), 0, seed.stderr.read())
        return os.path.join(self.root, "from", name), os.path.join(out, name)

    def start(self, *arguments):
        child = subprocess.Popen(
            [sys.executable, STRANGER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.addCleanup(lambda: (child.kill(), child.wait(), child.stdout.close(), child.stderr.close()))
        return child

    def assert_same(self, one, other):
        listing = filecmp.dircmp(one, other)
        self.assertEqual((listing.left_only, listing.right_only), ([], []))
        _, different, unread = filecmp.cmpfiles(one, other, listing.common_files, shallow=False)
        self.assertEqual((different, unread), ([], []))
        for name in listing.common_dirs:
            self.assert_same(os.path.join(one, name), os.path.join(other, name))

    def test_a_folder_arrives_byte_for_byte(self):
        chance = random.Random(7)
        lengths = {("a",): 1, ("b", "é.bin"): 3_000_001, ("b", "c"): 0, ("d", "e", "f"): 16384, ("z",): 2_097_152}
        files = {path: chance.randbytes(length) for path, length in lengths.items()}
        self.assert_same(*self.exchange("pasta", 1 << 20, files, [("g", "h"), ("i",)]))

    def test_one_file_arrives_under_its_name(self):
        data = random.Random(8).randbytes(200_001)
        one, other = self.exchange("só.bin", LEAF, {("só.bin",): data}, single=True)
        self.assertTrue(filecmp.cmp(one, other, shallow=False))

    def test_a_share_of_no_bytes_arrives(self):
        self.assert_same(*self.exchange("nada", LEAF, {("vazio",): b""}, [("oco",)]))

    def test_a_seed_refuses_what_is_not_as_described(self):
        lay_out(os.path.join(self.root, "x"), {("a",): b"one", ("b",): b"two"})
        torrent = os.path.join(self.root, "t.torrent")
        with open(torrent, "wb") as file:
            file.write(describe("x", LEAF, {("a",): b"one", ("b",): b"oww"}))
        seed = self.start("seed", "--path", os.path.join(self.root, "x"), "--torrent", torrent, "--listen", "127.0.0.1:0")
        self.assertIn("is not what the metainfo says", seed.communicate()[1])
        self.assertEqual(seed.returncode, 1)

    def test_a_download_says_how_the_other_side_broke_the_page(self):
        register = dict(tipo="REGISTRO", versao=1, id="ab" * 20, compartilhamento="0c" * 32, porta=0, agente="x")
        tracker = dict(register, papel="tracker")
        listed = dict(tipo="LISTA_PEERS", peers=[dict(id="cd" * 20, ip="127.0.0.1", porta=0)])
        for lines, sentence in [
            ([dict(tipo="BATIMENTO")], "BATIMENTO came where REGISTRO was due"),
            ([dict(register, versao=2)], "versao of REGISTRO is missing or wrong"),
            ([dict(register, compartilhamento="0d" * 32)], "answered for another"),
            ([register, dict(tipo="BATIMENTO")], "BATIMENTO came where ESTOQUE was due"),
            ([register, dict(tipo="ESTOQUE", novos=[])], "the first ESTOQUE has no estoque"),
            ([tracker, dict(tipo="ESTOQUE", estoque=[])], "ESTOQUE came where LISTA_PEERS was due"),
            ([tracker, listed], "peers of LISTA_PEERS is missing or wrong"),
            ([register, dict(tipo="ESTOQUE", estoque=[]), register], "a second REGISTRO came"),
            ([register, dict(tipo="ESTOQUE", estoque=[]), dict(tipo="LIBERADO")], "LIBERADO for one who is not"),
        ]:
            self.assertIn(sentence, self.outcome_against("0c" * 32, lines))

    def outcome_against(self, share_id, messages):
        """What a download says, and fails with, that meets someone who sends just these messages."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            link = "magnet:?xt=urn:btmh:1220%s&x.pe=127.0.0.1:%d" % (share_id, listener.getsockname()[1])
            download = self.start("download", "--link", link, "--out", os.path.join(self.root, "to"), "--timeout", "30")
            with listener.accept()[0] as sock:
                sock.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
                words = download.communicate()[1]
        self.assertEqual(download.returncode, 1, words)
        return words

    def test_the_id_is_the_hash_of_info_as_libtorrent_computes_it(self):
        try:
            import libtorrent
        except ImportError:
            self.skipTest("no libtorrent here")
        files = {("a",): b"1" * 16385, ("b", "c"): b"2" * 100_000, ("d",): b""}
        data = describe("x", LEAF, files)
        theirs = libtorrent.torrent_info(libtorrent.bdecode(data)).info_hashes().v2
        self.assertEqual(Share(data).id, str(theirs))
        self.assertEqual(len(sha256(b"")), 32)


if __name__ == "__main__":
    unittest.main()
