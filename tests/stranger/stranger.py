#!/usr/bin/env python3
"""A node that follows wire.md with Python's standard library and nothing of minibit's, to prove that one can.

    stranger.py download --link MAGNET --out DIR [--timeout SECONDS]
    stranger.py seed --path PATH --torrent FILE --listen HOST:PORT [--tracker HOST:PORT]

It exits 1 with a sentence as soon as the other side does not keep to wire.md. `seed` prints `listening HOST:PORT` and
serves until SIGTERM. It is a measure and no product: small shares, and one link at a time when it downloads.
"""

import argparse
import os
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.parse
from collections import Counter, deque

from link import Closed, Fault, Link
from share import LEAF, Bad, Share, leaf_hashes

REQUEST_BYTES_MAX = 1 << 20
WAITING_MAX = 16
REFUSED_MAX = 300


def say(words):
    print(words, file=sys.stderr, flush=True)


def host_port(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def parse_link(link):
    keys = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
    topic = keys["xt"][0]
    if not link.startswith("magnet:?") or not topic.startswith("urn:btmh:1220") or len(topic) != 77:
        raise Bad("not a link to a share: %s" % link)
    return topic[13:], [host_port(place) for place in keys.get("x.pe", [])]


def check_request(share, message):
    """A request is some whole leaves of one bloco."""
    index, start, length = (message[key] for key in ("bloco", "inicio", "tamanho"))
    if index >= len(share.pieces):
        raise Fault("PEDIDO of bloco %d of %d" % (index, len(share.pieces)))
    end, whole = start + length, share.pieces[index].length
    if start % LEAF or length > REQUEST_BYTES_MAX or end > whole or (length % LEAF and end != whole):
        raise Fault("PEDIDO of bytes %d+%d of a bloco of %d" % (start, length, whole))


def check_stock(share, link):
    if share and link.stock and max(link.stock) >= len(share.pieces):
        raise Fault("ESTOQUE names bloco %d of %d" % (max(link.stock), len(share.pieces)))


class Download:
    """One link's part in a download: asks, checks, writes."""

    SIZES = (65536, 1 << 20, LEAF, 262144)

    def __init__(self, job, link):
        self.job, self.link = job, link
        self.metainfo, self.total = bytearray(), None
        self.unchoked = self.interested = False
        self.waiting, self.cancelled = Counter(), set()
        self.todo, self.parts, self.asked_leaves, self.leaves_due = deque(), {}, False, None
        self.asked, self.pause_s, self.resume = 0, 0.1, 0.0

    def run(self):
        self.link.register([[n, n] for n in sorted(self.job.held)])
        idle_since = time.monotonic()
        while not self.is_done():
            received = self.link.receive(0.05 if self.todo else 1.0)
            if received:
                self.take(*received)
                idle_since = time.monotonic() if received[0]["tipo"] != "BATIMENTO" else idle_since
            if not self.link.due:
                self.ask()
            if time.monotonic() > self.job.deadline:
                raise Bad("the time is over with %s" % self.job.state())
            if time.monotonic() - idle_since > 10 and self.is_idle() and self.job.places:
                return
        if self.interested:
            self.link.send("DESINTERESSADO")

    def is_idle(self):
        return not self.waiting and not self.leaves_due and not self.link.due

    def is_done(self):
        return self.is_idle() and self.job.is_complete()

    def take(self, message, payload):
        handler = getattr(self, "on_" + message["tipo"].lower(), None)
        if handler:
            handler(message, payload)
        check_stock(self.job.share, self.link)

    def ask(self):
        share = self.job.share
        if share is None:
            if self.total is None or len(self.metainfo) < self.total:
                self.ask_metainfo()
            return
        wanted = self.link.stock - self.job.held
        if wanted and not self.interested:
            self.link.send("INTERESSADO")
            self.interested = True
        if not self.unchoked or time.monotonic() < self.resume:
            return
        self.begin_pieces(wanted)
        while self.todo and sum(self.waiting.values()) < WAITING_MAX:
            block = self.todo.popleft()
            self.waiting[block] += 1
            self.send_block("PEDIDO", block)
            self.asked += 1
            if self.asked == 3:
                self.cancelled.add(block)
                self.send_block("CANCELA", block)

    def send_block(self, tipo, block):
        self.link.send(tipo, bloco=block[0], inicio=block[1], tamanho=block[2])

    def begin_pieces(self, wanted):
        for index in sorted(wanted - set(self.parts)):
            if len(self.todo) >= WAITING_MAX:
                return
            self.parts[index], start, length = {}, 0, self.job.share.pieces[index].length
            while start < length:
                size = min(self.SIZES[(index + start // LEAF) % 4], length - start)
                self.todo.append((index, start, size))
                start += size

    def ask_metainfo(self):
        if getattr(self, "metainfo_asked", None) != len(self.metainfo):
            self.metainfo_asked = len(self.metainfo)
            self.link.send("PEDIDO_METADADOS", inicio=self.metainfo_asked)

    def on_metadados(self, message, payload):
        if message["inicio"] != getattr(self, "metainfo_asked", None):
            raise Fault("METADADOS that nobody asked for")
        if message["total"] == 0 and not payload:
            raise Closed("it has no metainfo yet")
        if not payload or message["inicio"] + len(payload) > message["total"] or self.total not in (None, message["total"]):
            raise Fault("METADADOS of bytes %(inicio)d+%(tamanho)d of %(total)d" % message)
        self.total = message["total"]
        self.metainfo += payload
        if len(self.metainfo) == self.total:
            try:
                self.job.begin(Share(bytes(self.metainfo), self.job.share_id, served_form=True))
            except Bad as fault:
                raise Fault(str(fault))

    def on_lista_peers(self, message, _):
        self.job.places.extend((peer["ip"], peer["porta"]) for peer in message["peers"])

    def on_novo_peer(self, message, _):
        self.job.places.append((message["peer"]["ip"], message["peer"]["porta"]))

    def on_liberado(self, *_):
        if not self.interested:
            raise Fault("LIBERADO for one who is not interested")
        self.unchoked = True

    def on_bloqueado(self, *_):
        self.unchoked = False

    def answered(self, message):
        block = (message["bloco"], message["inicio"], message["tamanho"])
        if not self.waiting[block]:
            raise Fault("%s for bytes %d+%d of bloco %d, which nobody waits for" % ((message["tipo"],) + block[1:] + block[:1]))
        self.waiting[block] -= 1
        self.waiting += Counter()
        return block

    def on_bloco(self, message, payload):
        index, start, length = block = self.answered(message)
        self.cancelled.discard(block)
        self.parts[index][start] = payload
        self.pause_s = 0.1
        if sum(map(len, self.parts[index].values())) == self.job.share.pieces[index].length:
            self.finish(index)

    def finish(self, index):
        data = b"".join(part for _, part in sorted(self.parts[index].items()))
        leaves = leaf_hashes(data)
        if self.job.share.root_of(index, leaves) != self.job.share.pieces[index].digest:
            raise Fault("the bytes of bloco %d do not hash to its hash" % index)
        self.job.keep(index, data)
        self.link.send("ESTOQUE", novos=[[index, index]])
        if not self.asked_leaves:
            self.asked_leaves, self.leaves_due = True, (index, leaves)
            self.link.send("PEDIDO_FOLHAS", bloco=index)

    def on_folhas(self, message, payload):
        if not self.leaves_due or self.leaves_due[0] != message["bloco"]:
            raise Fault("FOLHAS that nobody asked for")
        if payload != b"".join(self.leaves_due[1]):
            raise Fault("FOLHAS of bloco %d are not the hashes of its leaves" % message["bloco"])
        self.leaves_due = None

    def on_nack(self, message, _):
        block, reason = self.answered(message), message["motivo"]
        if reason == "cancelado" and block not in self.cancelled:
            raise Fault("a request is refused as cancelled that was not cancelled")
        if reason in ("cheio", "ausente"):
            raise Fault("a request is refused as %s, with %d waiting" % (reason, sum(self.waiting.values())))
        self.cancelled.discard(block)
        self.todo.append(block)
        if reason != "cancelado":
            self.resume = time.monotonic() + self.pause_s
            self.pause_s *= 2

    def on_pedido(self, message, _):
        if self.job.share:
            check_request(self.job.share, message)
        self.link.send("NACK", motivo="bloqueado", **{key: message[key] for key in ("bloco", "inicio", "tamanho")})

    def on_pedido_folhas(self, message, _):
        self.link.send("FOLHAS", bloco=message["bloco"], tamanho=0)

    def on_pedido_metadados(self, message, _):
        send_metainfo(self.link, self.job.share, message["inicio"])


def send_metainfo(link, share, start):
    if share is None:
        return link.send("METADADOS", inicio=start, tamanho=0, total=0)
    if start >= len(share.served):
        raise Fault("PEDIDO_METADADOS from byte %d of %d" % (start, len(share.served)))
    part = share.served[start : start + REQUEST_BYTES_MAX]
    return link.send("METADADOS", part, inicio=start, tamanho=len(part), total=len(share.served))


class Job:
    """What is downloaded, where to, and whom is left to ask."""

    def __init__(self, link, out, timeout_s):
        self.share_id, self.begin_places = parse_link(link)
        self.out, self.share, self.held = out, None, set()
        self.places = deque(self.begin_places)
        self.deadline = time.monotonic() + timeout_s
        self.me = secrets.token_hex(20)

    def begin(self, share):
        self.share = share
        share.lay_out(self.out)

    def keep(self, index, data):
        self.share.write(self.out, index, data)
        self.held.add(index)

    def is_complete(self):
        return self.share is not None and len(self.held) == len(self.share.pieces)

    def state(self):
        return "%d of %d pieces" % (len(self.held), len(self.share.pieces)) if self.share else "no metainfo"

    def run(self):
        pause_s = 0.2
        while not self.is_complete():
            if not self.places:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, 5)
                self.places.extend(self.begin_places)
            if time.monotonic() > self.deadline:
                raise Bad("the time is over with %s" % self.state())
            place = self.places.popleft()
            try:
                sock = socket.create_connection(place, timeout=10)
            except OSError as fault:
                say("%s:%d: %s" % (place + (fault,)))
                continue
            self.use(Link(sock, self.me, self.share_id, 0, True), place)

    def use(self, link, place):
        try:
            Download(self, link).run()
            link.close("DESLIGAMENTO")
        except Closed as end:
            say("%s:%d: %s" % (place + (end,)))
            link.close()
        except Fault as fault:
            link.close("ERRO", codigo="protocolo", mensagem=str(fault)[:1000])
            raise


class Seed:
    """Serves one share to whoever comes, and dials whom the tracker names."""

    def __init__(self, path, torrent, listen):
        with open(torrent, "rb") as file:
            self.share = Share(file.read())
        self.folder = os.path.dirname(os.path.abspath(path))
        if os.path.basename(os.path.abspath(path)) != self.share.name:
            raise Bad("%s is not named %s" % (path, self.share.name))
        for index, piece in enumerate(self.share.pieces):
            if self.share.root_of(index, leaf_hashes(self.share.read(self.folder, index))) != piece.digest:
                raise Bad("bloco %d at %s is not what the metainfo says" % (index, path))
        self.me = secrets.token_hex(20)
        place = host_port(listen)
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self.listener = socket.create_server(place, family=family)
        self.port = self.listener.getsockname()[1]
        self.links, self.lock = {}, threading.Lock()

    def run(self, tracker):
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.signal(signal.SIGINT, lambda *_: self.stop())
        host, port = self.listener.getsockname()[:2]
        print("listening %s:%d" % ("[%s]" % host if ":" in host else host, port), flush=True)
        if tracker:
            threading.Thread(target=self.dial, args=(host_port(tracker), None), daemon=True).start()
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(sock, False), daemon=True).start()

    def stop(self):
        for link in list(self.links.values()):
            link.close("DESLIGAMENTO")
        sys.stdout.flush()
        os._exit(0)

    def dial(self, place, peer, wait_s=0):
        """A tracker (no `peer` known) is dialled again for ever, a peer once and only when there is no link."""
        while True:
            time.sleep(wait_s)
            if peer is not None and (peer in self.links or peer == self.me):
                return
            try:
                self.serve(socket.create_connection(place, timeout=10), True)
            except OSError as fault:
                say("%s:%d: %s" % (place + (fault,)))
            if peer is not None:
                return
            wait_s = min(2 * wait_s + 0.2, 5)

    def serve(self, sock, we_dialled):
        link = Link(sock, self.me, self.share.id, self.port, we_dialled)
        try:
            if we_dialled:
                self.register(link)
            Serving(self, link).run()
        except Closed as end:
            say("%s: %s" % (link.peer, end))
            link.close()
        except Fault as fault:
            link.close("ERRO", codigo="protocolo", mensagem=str(fault)[:1000])
            say("the other side does not keep to wire.md: %s" % fault)
            os._exit(1)
        finally:
            link.close()
            with self.lock:
                if self.links.get(link.peer) is link:
                    del self.links[link.peer]

    def register(self, link):
        link.register([[0, len(self.share.pieces) - 1]] if self.share.pieces else [])

    def admit(self, link):
        """Of two links between the same two, the one dialled by the smaller id stays."""
        with self.lock:
            if link.peer == self.me:
                raise Closed("that is me")
            older = self.links.get(link.peer)
            stays = link
            if older and older.is_open and time.monotonic() - older.heard < 5:
                smaller_dialled = lambda one: one.we_dialled == (self.me < one.peer)
                stays = older if smaller_dialled(older) else link
            self.links[link.peer] = stays
        if stays is not link:
            link.close("ERRO", codigo="duplicado", mensagem="we have a link already")
            raise Closed("a second link to the same peer")
        if older and older is not link:
            older.close("ERRO", codigo="duplicado", mensagem="another link stays")


class Serving:
    """One link's part in seeding: answers each message once."""

    def __init__(self, seed, link):
        self.seed, self.share, self.link = seed, seed.share, link
        self.unchoked, self.refused = False, 0

    def run(self):
        while True:
            received = self.link.receive()
            if not received:
                continue
            message = received[0]
            handler = getattr(self, "on_" + message["tipo"].lower(), None)
            if handler is None:
                raise Fault("%s came to a seed that asked for nothing" % message["tipo"])
            handler(message)

    def on_registro(self, message):
        if message["compartilhamento"] != self.share.id:
            self.link.close("ERRO", codigo="sem_compartilhamento", mensagem="not served here")
            raise Closed("it wants another share")
        if not self.link.we_dialled:
            self.seed.register(self.link)
        self.seed.admit(self.link)

    def on_estoque(self, _):
        check_stock(self.share, self.link)

    def on_lista_peers(self, message):
        for peer in message["peers"]:
            self.meet(peer, 0 if self.link.is_tracker else 3)

    def on_novo_peer(self, message):
        self.meet(message["peer"], 3)

    def meet(self, peer, wait_s):
        place = (peer["ip"], peer["porta"])
        threading.Thread(target=self.seed.dial, args=(place, peer["id"], wait_s), daemon=True).start()

    def on_pedido_metadados(self, message):
        send_metainfo(self.link, self.share, message["inicio"])

    def on_interessado(self, _):
        self.unchoked = True
        self.link.send("LIBERADO")

    def on_desinteressado(self, _):
        if self.unchoked:
            self.link.send("BLOQUEADO")
        self.unchoked = False

    def on_pedido(self, message):
        check_request(self.share, message)
        block = {key: message[key] for key in ("bloco", "inicio", "tamanho")}
        if not self.unchoked:
            self.refused += 1
            if self.refused > REFUSED_MAX:
                raise Fault("more than %d requests while choked" % REFUSED_MAX)
            return self.link.send("NACK", motivo="bloqueado", **block)
        data = self.share.read(self.seed.folder, message["bloco"], message["inicio"], message["tamanho"])
        return self.link.send("BLOCO", data, **block)

    def on_pedido_folhas(self, message):
        if message["bloco"] >= len(self.share.pieces):
            raise Fault("PEDIDO_FOLHAS of bloco %d of %d" % (message["bloco"], len(self.share.pieces)))
        leaves = b"".join(leaf_hashes(self.share.read(self.seed.folder, message["bloco"])))
        self.link.send("FOLHAS", leaves, bloco=message["bloco"], tamanho=len(leaves))

    def on_cancela(self, _):
        """Nothing waits: each request is answered before the next message is read."""

    on_batimento = on_sugestao = on_liberado = on_bloqueado = on_cancela


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    download = modes.add_parser("download")
    download.add_argument("--link", required=True)
    download.add_argument("--out", required=True)
    download.add_argument("--timeout", type=float, default=120, help="seconds")
    seed = modes.add_parser("seed")
    seed.add_argument("--path", required=True)
    seed.add_argument("--torrent", required=True)
    seed.add_argument("--listen", required=True)
    seed.add_argument("--tracker")
    options = parser.parse_args()
    try:
        if options.mode == "download":
            Job(options.link, options.out, options.timeout).run()
        else:
            Seed(options.path, options.torrent, options.listen).run(options.tracker)
    except Fault as fault:
        say("the other side does not keep to wire.md: %s" % fault)
        return 1
    except (Bad, OSError) as fault:
        say(str(fault))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
