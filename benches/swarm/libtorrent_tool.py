"""libtorrent for the bench: makes torrents, and runs one node until it is told to stop.

    libtorrent_tool.py make PATH OUT v1|v2 PIECE_BYTES
    libtorrent_tool.py node TORRENT FOLDER IP:PORT DONE_FILE seed|peer

A node makes DONE_FILE once libtorrent has checked every piece. Its settings are those for many fast peers on a fast network:
no limits that a home line would want, large buffers, many requests in flight.
"""

import os
import signal
import sys

import libtorrent as lt


def make(path, out, version, piece_bytes):
    files = lt.file_storage()
    lt.add_files(files, os.path.abspath(path))
    flags = {"v1": lt.create_torrent.v1_only, "v2": getattr(lt.create_torrent, "v2_only", 32)}
    torrent = lt.create_torrent(files, int(piece_bytes), flags[version])
    lt.set_piece_hashes(torrent, os.path.dirname(os.path.abspath(path)))
    with open(out, "wb") as file:
        file.write(lt.bencode(torrent.generate()))


def settings(listen):
    alone = dict.fromkeys(
        ["enable_dht", "enable_lsd", "enable_upnp", "enable_natpmp", "enable_outgoing_utp", "enable_incoming_utp"],
        False,
    )
    plenty = dict(
        unchoke_slots_limit=1000,
        connections_limit=1000,
        torrent_connect_boost=100,
        connection_speed=500,
        max_out_request_queue=2000,
        max_allowed_in_request_queue=4000,
        request_queue_time=3,
        send_buffer_watermark=4 << 20,
        send_buffer_low_watermark=1 << 20,
        send_buffer_watermark_factor=200,
        max_queued_disk_bytes=64 << 20,
        recv_socket_buffer_size=0,
        send_socket_buffer_size=0,
        aio_threads=2,
        hashing_threads=1,
        mixed_mode_algorithm=0,
        rate_choker_initial_threshold=1 << 14,
    )
    kinds = lt.alert.category_t
    return {
        **lt.high_performance_seed(),
        **alone,
        **plenty,
        "listen_interfaces": listen,
        "allow_multiple_connections_per_ip": True,
        "alert_mask": kinds.status_notification | kinds.error_notification,
    }


def node(torrent, folder, listen, done_file, part):
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    session = lt.session(settings(listen))
    wanted = lt.add_torrent_params()
    wanted.ti = lt.torrent_info(torrent)
    wanted.save_path = folder
    flags = lt.torrent_flags
    wanted.flags &= ~(flags.auto_managed | flags.paused)
    if part == "seed":
        wanted.flags |= flags.seed_mode
    handle = session.add_torrent(wanted)
    is_done = False
    while not stopped:
        session.wait_for_alert(500 if is_done else 50)
        session.pop_alerts()
        if not is_done and handle.status().is_seeding:
            is_done = True
            open(done_file, "w").close()
    os._exit(0)


{"make": make, "node": node}[sys.argv[1]](*sys.argv[2:])
