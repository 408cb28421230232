#!/usr/bin/python3
"""Asks libtorrent (Debian's python3-libtorrent) what it thinks of our shares; no part of minibit itself.

lt.py create PATH OUT PIECE_BYTES   writes a v2 metainfo file of PATH, prints its info hash
lt.py piece TORRENT                 prints the piece length of a metainfo file
lt.py hash TORRENT                  prints the v2 info hash of a metainfo file
lt.py recheck TORRENT FOLDER        hashes FOLDER/<name> and prints how much of it is right, in percent
"""
import os
import sys
import time

import libtorrent as lt


def v2_hash(torrent):
    return str(torrent.info_hashes().v2)


def create(path, out, piece):
    path = os.path.abspath(path)
    files = lt.file_storage()
    lt.add_files(files, path)
    maker = lt.create_torrent(files, int(piece), getattr(lt.create_torrent, "v2_only", 1 << 5))
    lt.set_piece_hashes(maker, os.path.dirname(path))
    with open(out, "wb") as f:
        f.write(lt.bencode(maker.generate()))
    print(v2_hash(lt.torrent_info(out)))


def recheck(torrent, folder):
    session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
                          "enable_upnp": False, "enable_natpmp": False})
    wanted = lt.add_torrent_params()
    wanted.ti = lt.torrent_info(torrent)
    wanted.save_path = folder
    handle = session.add_torrent(wanted)
    handle.force_recheck()
    checking = (lt.torrent_status.states.checking_files, lt.torrent_status.states.checking_resume_data)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        session.wait_for_alert(100)
        session.pop_alerts()
        status = handle.status()
        if status.errc.value():
            sys.exit(status.errc.message())
        if status.state not in checking:
            print("%.3f" % (status.progress * 100))
            return
    sys.exit("the check does not end")


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "create":
        create(*words)
    elif what == "piece":
        print(lt.torrent_info(words[0]).piece_length())
    elif what == "hash":
        print(v2_hash(lt.torrent_info(words[0])))
    elif what == "recheck":
        recheck(*words)
    else:
        sys.exit(__doc__)
