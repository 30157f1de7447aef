"""Market data that blocks: books kept from the TCP feed, or from the UDP feed with what is lost asked for over TCP."""

import selectors
import socket
import struct
import time
import tomllib
from pathlib import Path

from . import message
from ._schema import MdLevel, RejectCode
from .book import Feed
from .errors import ConfigError, ConnectionLost, ProtocolError, Unreachable, describe
from .message import Malformed

_READ_BYTES = 65536
_CHANNEL = 1


class MarketData:
    """Joins at once. With `multicast`, a list of GROUP:PORT, the packets are followed and TCP is for the join and the holes;
    `instruments` says which ids there are, and `wait_for` waits for all of them. `drop(packet)` may say of a packet that it is lost: for tests."""

    def __init__(self, address, *, multicast=(), interface="127.0.0.1", instruments=(), timeout=5.0, drop=None):
        self._address, self._timeout, self._drop = address, timeout, drop
        self.dropped = 0
        self.feed = Feed(instruments)
        self._udp = [_joined(group, interface) for group in multicast]
        self._input = bytearray()
        self._asked = None
        self._told_to_stop = False
        self._connect()

    @staticmethod
    def of_venue(directory, **options):
        """The feed that DIR/ballast.toml speaks of; packets where it has multicast groups, unless `multicast` is given."""
        path = Path(directory) / "ballast.toml"
        try:
            told = tomllib.loads(path.read_text())
            market = told["market"]
            address = market["listen"]
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}; `ballast init` writes such files") from None
        except KeyError:
            raise ConfigError(f"{path} has no [market] with `listen`: this venue has no feed") from None
        known = [entry["id"] for kind in ("instrument", "combo") for entry in told.get(kind, ())]
        given = {"multicast": market.get("multicast", ()), "interface": market.get("interface", "127.0.0.1")}
        return MarketData(address, **({"instruments": known} | given | options))

    @property
    def books(self):
        """The books, by the instrument's id."""
        return self.feed.books

    def book(self, which):
        """The book of an instrument, by symbol or id."""
        return self.feed.book(which)

    def follow(self, timeout=None):
        """Each book that changed, whenever something came; ends when nothing did for `timeout` seconds."""
        deadline = time.monotonic() + timeout if timeout is not None else None
        while True:
            self._turn(None if deadline is None else max(0.0, deadline - time.monotonic()))
            changed, self.feed.changed = self.feed.changed, set()
            yield from (self.feed.books[id] for id in sorted(changed))
            if deadline is not None:
                if changed:
                    deadline = time.monotonic() + timeout
                elif time.monotonic() >= deadline:
                    return

    def wait_for(self, seq, timeout=10.0):
        """Waits until all that lies below this number of the channel is applied; whether it came to that."""
        deadline = time.monotonic() + timeout
        while self._stands_at() < seq:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._turn(left)
        return True

    def close(self):
        """Leaves."""
        self._selector.close()
        for each in [self._tcp, *self._udp]:
            each.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _stands_at(self):
        if self._udp:
            return self.feed.next_seq or 0
        return self.feed.frames_next if self.feed.joined else 0

    def _connect(self):
        host, _, port = self._address.rpartition(":")
        try:
            self._tcp = socket.create_connection((host.strip("[]"), int(port)), self._timeout)
        except (OSError, ValueError) as error:
            raise Unreachable(self._address, f"{error} ([market] in ballast.toml opens the feed)") from None
        self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector = selectors.DefaultSelector()
        for each in [self._tcp, *self._udp]:
            self._selector.register(each, selectors.EVENT_READ)
        self._say("MdSubscribe", request_id=1, instrument_id=0, level=MdLevel.ORDERS)

    def _say(self, name, **values):
        self._tcp.sendall(message.frame(0, 0, time.time_ns(), message.encode(name, values)))

    def _turn(self, wait):
        """Reads once whatever has come."""
        for key, _ in self._selector.select(wait):
            if key.fileobj is self._tcp:
                self._read_frames()
            else:
                self._read_packet(key.fileobj)
        if self._udp:
            self._ask_for_missing()

    def _read_packet(self, udp):
        data = udp.recv(_READ_BYTES)
        if self._drop is not None and self._drop(data):
            self.dropped += 1
        else:
            self.feed.hear_packet(data)

    def _read_frames(self):
        try:
            data = self._tcp.recv(_READ_BYTES)
        except OSError as error:
            raise ConnectionLost(error) from None
        if not data:
            raise ConnectionLost("the venue closed it")
        self._input += data
        at = 0
        try:
            while length := message.first_frame_bytes(self._input[at : at + message.FRAME_BYTES_MAX]):
                event = message.decode(bytes(self._input[at : at + length]))
                at += length
                self._hear(event)
        except Malformed as error:
            raise ProtocolError(str(error)) from None
        del self._input[:at]

    def _hear(self, event):
        if event.name == "MdClose":
            raise ConnectionLost(f"the venue closed it, {describe(event.code)}")
        if event.name == "MdRetransmitReject":
            if event.code != RejectCode.RETRANSMIT_BUSY:
                raise ProtocolError(f"no repetition of messages, {describe(event.code)}: join anew")
            self._asked = None
        else:
            self.feed.hear_frame(event)
        if self._udp and self.feed.joined and not self._told_to_stop:
            # From here on the packets tell everything.
            self._told_to_stop = True
            self._say("MdSubscribe", request_id=2, instrument_id=0, level=MdLevel.NONE)

    def _ask_for_missing(self):
        hole = self.feed.missing()
        if hole is None or (self._asked is not None and self.feed.next_seq < self._asked):
            return
        first, count = hole
        self._asked = first + count
        self._say("MdRetransmitRequest", request_id=first, from_seq=first, count=count, channel_id=_CHANNEL)


def _joined(group, interface):
    host, _, port = group.rpartition(":")
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    udp.bind((host, int(port)))
    member = struct.pack("4s4s", socket.inet_aton(host), socket.inet_aton(interface))
    udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    return udp
