"""One connection, from wire.md alone: frames, the form of each message, their order. Liberal about nothing."""

import ipaddress
import json
import re
import select
import threading
import time

LINE_MAX, PAYLOAD_MAX, PIECES_MAX, METAINFO_MAX = 65536, 1 << 20, 1 << 21, 64 << 20
SILENCE_S, HEARTBEAT_S, HANDSHAKE_S = 20, 5, 10


class Fault(Exception):
    """The other side does not keep to wire.md; the text is a sentence."""


class Closed(Exception):
    """The other side said goodbye, or just went."""


def number(below=1 << 64):
    return lambda value: type(value) is int and 0 <= value < below


def text(value):
    return isinstance(value, str)


def words(*known):
    return lambda value: value in known


def hexed(digits):
    return lambda value: text(value) and re.fullmatch("[0-9a-f]{%d}" % digits, value) is not None


def runs(value):
    return isinstance(value, list) and all(
        isinstance(run, list) and len(run) == 2 and all(map(number(PIECES_MAX), run)) and run[0] <= run[1] for run in value
    )


def address(value):
    try:
        ip = ipaddress.ip_address(value["ip"])
    except (TypeError, KeyError, ValueError):
        return False
    mapped = ip.version == 6 and ip.ipv4_mapped is not None
    return not mapped and hexed(40)(value.get("id")) and number(65536)(value.get("porta")) and value["porta"] != 0


def addresses(value):
    return isinstance(value, list) and len(value) <= 200 and all(map(address, value))


RANGE = {"bloco": number(PIECES_MAX), "inicio": number(), "tamanho": number()}
PAYLOAD_RANGE = dict(RANGE, tamanho=lambda value: number(PAYLOAD_MAX + 1)(value) and value > 0)
KEYS = {
    "REGISTRO": {
        "versao": words(1),
        "id": hexed(40),
        "compartilhamento": hexed(64),
        "porta": number(65536),
        "agente": text,
        "papel?": words("par", "tracker"),
        "objetivo?": words("reciproco", "ultimo_par"),
    },
    "LISTA_PEERS": {"peers": addresses},
    "NOVO_PEER": {"peer": address},
    "ESTOQUE": {"estoque?": runs, "novos?": runs},
    "PEDIDO_METADADOS": {"inicio": number()},
    "METADADOS": {"inicio": number(), "tamanho": number(PAYLOAD_MAX + 1), "total": number(METAINFO_MAX + 1)},
    "INTERESSADO": {},
    "DESINTERESSADO": {},
    "LIBERADO": {},
    "BLOQUEADO": {},
    "PEDIDO": PAYLOAD_RANGE,
    "BLOCO": PAYLOAD_RANGE,
    "NACK": dict(RANGE, motivo=words("bloqueado", "ausente", "cheio", "cancelado", "erro")),
    "CANCELA": RANGE,
    "SUGESTAO": {"bloco": number(PIECES_MAX)},
    "PEDIDO_FOLHAS": {"bloco": number(PIECES_MAX)},
    "FOLHAS": {"bloco": number(PIECES_MAX), "tamanho": lambda value: number(PAYLOAD_MAX + 1)(value) and value % 32 == 0},
    "BATIMENTO": {},
    "DESLIGAMENTO": {},
    "ERRO": {
        "codigo": words(
            "protocolo", "versao", "sem_compartilhamento", "duplicado", "cheio", "banido", "ocupado", "interno"
        ),
        "mensagem": text,
    },
}
WITH_PAYLOAD = ("BLOCO", "METADADOS", "FOLHAS")


def parse(line):
    """The object of one line, its form checked against the table."""

    def once(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise Fault("a key is repeated in %r" % line[:200])
        return dict(pairs)

    def never(word):
        raise Fault("%s is not JSON" % word)

    try:
        message = json.loads(line.decode("utf-8"), object_pairs_hook=once, parse_constant=never)
    except ValueError:
        raise Fault("a line is not UTF-8 JSON: %r" % line[:200])
    if not isinstance(message, dict) or not text(message.get("tipo")):
        raise Fault("a line is not an object with a tipo: %r" % line[:200])
    tipo = message["tipo"]
    if tipo not in KEYS:
        raise Fault("version 1 has no message %r" % tipo)
    for key, fits in KEYS[tipo].items():
        name = key.rstrip("?")
        if (name in message or not key.endswith("?")) and not fits(message.get(name)):
            raise Fault("%s of %s is missing or wrong: %r" % (name, tipo, line[:200]))
    if tipo == "ESTOQUE" and not ("estoque" in message or "novos" in message):
        raise Fault("an ESTOQUE says nothing")
    return message


class Link:
    """A stream of messages. `receive` gives (message, payload), or None when nothing came in time."""

    def __init__(self, sock, me, share_id, port, we_dialled):
        self.sock, self.me, self.share_id, self.port, self.we_dialled = sock, me, share_id, port, we_dialled
        self.buffer = bytearray()
        self.lock = threading.Lock()
        self.due = ["REGISTRO", "ESTOQUE"]
        self.peer, self.is_tracker = None, False
        self.stock = set()
        self.begun = self.heard = self.said = time.monotonic()
        self.is_open = True
        sock.settimeout(60)
        threading.Thread(target=self.keep_alive, daemon=True).start()

    def send(self, tipo, payload=b"", **keys):
        line = json.dumps(dict(tipo=tipo, **keys), separators=(",", ":")).encode() + b"\n"
        assert len(line) <= LINE_MAX
        try:
            with self.lock:
                self.sock.sendall(line + payload)
                self.said = time.monotonic()
        except OSError:
            raise Closed("the connection broke")

    def register(self, held):
        keys = dict(versao=1, id=self.me, compartilhamento=self.share_id, porta=self.port, agente="stranger/1")
        self.send("REGISTRO", **keys)
        self.send("ESTOQUE", estoque=held)

    def keep_alive(self):
        while self.is_open:
            time.sleep(0.5)
            if not self.due and time.monotonic() - self.said >= HEARTBEAT_S:
                try:
                    self.send("BATIMENTO")
                except Closed:
                    return

    def close(self, tipo=None, **keys):
        self.is_open = False
        try:
            if tipo:
                self.send(tipo, **keys)
            self.sock.close()
        except (Closed, OSError):
            pass

    def fill(self, wait_s):
        """Takes what comes within that time; False if nothing did."""
        try:
            if not select.select([self.sock], [], [], wait_s)[0]:
                if time.monotonic() - self.heard > SILENCE_S:
                    raise Fault("nothing came for %d s; BATIMENTO is due after 5" % SILENCE_S)
                return False
            data = self.sock.recv(1 << 18)
        except (OSError, ValueError):
            raise Closed("the connection broke")
        if not data:
            raise Closed("the other side hung up" + (" within a message" if self.buffer else ""))
        self.heard = time.monotonic()
        self.buffer += data
        return True

    def receive(self, wait_s=1.0):
        while True:
            end = self.buffer.find(b"\n", 0, LINE_MAX)
            if end >= 0:
                break
            if len(self.buffer) >= LINE_MAX:
                raise Fault("a line has more than %d bytes" % LINE_MAX)
            if "REGISTRO" in self.due and time.monotonic() - self.begun > HANDSHAKE_S:
                raise Fault("no REGISTRO within %d s" % HANDSHAKE_S)
            if not self.fill(wait_s):
                return None
        message = parse(bytes(self.buffer[:end]))
        length = message["tamanho"] if message["tipo"] in WITH_PAYLOAD else 0
        while len(self.buffer) < end + 1 + length:
            self.fill(wait_s)
        payload = bytes(self.buffer[end + 1 : end + 1 + length])
        del self.buffer[: end + 1 + length]
        self.check_order(message)
        return message, payload

    def check_order(self, message):
        tipo = message["tipo"]
        if tipo in ("ERRO", "DESLIGAMENTO"):
            code = message.get("codigo")
            if code == "protocolo":
                raise Fault("it says that we broke the protocol: %s" % message["mensagem"])
            raise Closed("%s %s" % (code or "goodbye", message.get("mensagem", "")))
        if self.due:
            if tipo != self.due[0]:
                raise Fault("%s came where %s was due" % (tipo, self.due[0]))
            if tipo == "ESTOQUE" and "estoque" not in message:
                raise Fault("the first ESTOQUE has no estoque")
            self.due.pop(0)
            if tipo == "REGISTRO":
                self.registered(message)
        elif tipo == "REGISTRO":
            raise Fault("a second REGISTRO came")
        listed = message["peers"] if tipo == "LISTA_PEERS" else [message["peer"]] if tipo == "NOVO_PEER" else []
        if len(listed) > (200 if self.is_tracker else 50) or (tipo == "NOVO_PEER" and not self.is_tracker):
            raise Fault("a peer sent a %s that only a tracker may send" % tipo)
        if self.is_tracker and any(peer["id"] == self.me for peer in listed):
            raise Fault("%s tells us of ourselves" % tipo)
        if tipo == "ESTOQUE":
            self.stock = set() if "estoque" in message else self.stock
            for first, last in message.get("estoque", []) + message.get("novos", []):
                self.stock.update(range(first, last + 1))

    def registered(self, message):
        self.peer, self.is_tracker = message["id"], message.get("papel") == "tracker"
        if self.we_dialled and message["compartilhamento"] != self.share_id:
            raise Fault("we asked for one share and it answered for another")
        if self.is_tracker:
            self.due.insert(0, "LISTA_PEERS")
