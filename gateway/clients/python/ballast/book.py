"""The public book of one instrument and the feed that keeps all of them, without any socket: gateway/MARKET-DATA.md, sections 3 to 6.

A `Feed` is fed with frames of the TCP feed and with packets of the UDP feed; it drops what it has, keeps what came too early,
and says which messages are missing.
"""

import hashlib
import struct
from decimal import Decimal

from . import _schema, message
from ._schema import Side
from .errors import ProtocolError
from .message import Malformed, from_decimal

PACKET = struct.Struct(_schema.PACKET)
PACKET_MESSAGE = struct.Struct(_schema.PACKET_MESSAGE)
_HEARTBEAT = 1 << 3
_RETRANSMIT_MAX = 10_000
_ORDER = struct.Struct("<QQqq")
_HASHED_SIDE = struct.Struct("<QQ")


class Book:
    """Level 3 of one instrument: every order that is shown, and what follows from them."""

    def __init__(self, instrument_id):
        self.instrument_id = instrument_id
        self.symbol = str(instrument_id)
        # By mdOrderId: side, price, priority, lots.
        self._orders = {}

    def __len__(self):
        return len(self._orders)

    def orders(self, side):
        """(mdOrderId, priority, price, lots) of one side, in the order in which they trade."""
        down = -1 if side == Side.BUY else 1
        found = [(id, priority, px, qty) for id, (of, px, priority, qty) in self._orders.items() if of == side]
        return sorted(found, key=lambda order: (down * order[2], order[1]))

    def levels(self, side, depth=None):
        """(price, lots, number of orders) of one side, the best first: level 2."""
        levels = {}
        for _, _, px, qty in self.orders(side):
            lots, count = levels.get(px, (0, 0))
            levels[px] = (lots + qty, count + 1)
        return [(px, lots, count) for px, (lots, count) in levels.items()][:depth]

    def best(self, side):
        """(price, lots, number of orders) of the best price, None where there is none: level 1."""
        levels = self.levels(side, 1)
        return levels[0] if levels else None

    def hash(self):
        """bookHash (section 6)."""
        text = hashlib.sha256()
        for side in (Side.BUY, Side.SELL):
            orders = self.orders(side)
            text.update(_HASHED_SIDE.pack(side, len(orders)))
            for id, priority, px, qty in orders:
                text.update(_ORDER.pack(id, priority, from_decimal(px, 9), qty))
        return int.from_bytes(text.digest()[:8], "little")

    def apply(self, event):
        """Takes one message; those of the levels above say nothing that is not known."""
        name = event.name
        if name == "OrderAdd":
            self._orders[event.md_order_id] = (event.side, event.px, event.priority, event.qty)
        elif name in ("OrderReduce", "OrderExecute"):
            left = event.new_qty if name == "OrderReduce" else event.leaves_qty
            if event.md_order_id not in self._orders:
                raise ProtocolError(f"{name} of order {event.md_order_id}, which is not in the book of {self.symbol}")
            side, px, priority, _ = self._orders.pop(event.md_order_id)
            if left:
                self._orders[event.md_order_id] = (side, px, priority, left)
        elif name == "OrderDelete":
            self._orders.pop(event.md_order_id, None)
        elif name == "BookClear":
            self._orders.clear()
        elif name == "InstrumentDefinition":
            self.symbol = event.symbol

    def begin(self):
        self._orders.clear()

    def take(self, snapshot):
        for order in snapshot.orders:
            self._orders[order.md_order_id] = (snapshot.side, order.px, order.priority, order.qty)

    def __str__(self):
        def shown(best):
            px, lots, _ = best or (Decimal(0), 0, 0)
            return f"{lots} at {px}" if best else "none"

        return f"{self.symbol}: bid {shown(self.best(Side.BUY))}, ask {shown(self.best(Side.SELL))}, {len(self)} orders"


class Feed:
    """All books. `instruments` are the ids that must be there before packets count, and before frames are said to be whole."""

    def __init__(self, instruments=()):
        self.books = {}
        self.epoch = None
        # The next number of the channel, as far as packets are taken.
        self.next_seq = None
        # The venue's next number, as it said last.
        self.venue_next = 1
        # Below this every frame was heard that the connection is to get, once all instruments are there.
        self.frames_next = 0
        self._subscribed = False
        # Messages that were told again.
        self.recovered = 0
        # The instruments whose books changed since this was cleared.
        self.changed = set()
        self._instruments = set(instruments)
        self._applied = {}
        self._held = {}

    @property
    def joined(self):
        """Whether every instrument's book is there."""
        return self._instruments <= self._applied.keys()

    def book(self, which):
        """The book of an instrument, by symbol or id."""
        for book in self.books.values():
            if which in (book.symbol, book.instrument_id):
                return book
        known = ", ".join(book.symbol for book in self.books.values())
        raise KeyError(f"there is no book of {which!r}; there are {known or 'none yet'}")

    def hear_frame(self, event):
        """A frame of the TCP feed."""
        if event.name in ("MdHeartbeat", "MdSubscribed"):
            self._check_epoch(event.engine_epoch)
            self.venue_next = max(self.venue_next, event.next_seq)
            # A heartbeat stands behind all that was told; the first of them comes before anything was asked for.
            if event.name == "MdHeartbeat" and self._subscribed:
                self.frames_next = event.next_seq
            self._subscribed |= event.name == "MdSubscribed"
        elif event.retransmitted:
            self._hold(event.seq, event)
            self._go_on()
        elif event.snapshot:
            self._hear_snapshot(event)
        elif event.seq:
            self.venue_next = max(self.venue_next, event.seq + 1)
            if self._instruments:
                self.frames_next = max(self.frames_next, event.seq + 1)
            self._apply(event.seq, event)

    def hear_packet(self, data):
        """A packet of the UDP feed."""
        try:
            events = self._read_packet(bytes(data))
        except (struct.error, Malformed) as error:
            raise ProtocolError(f"a packet that is none ({error})") from None
        for seq, event in events:
            self._hold(seq, event)
        self._go_on()

    def _read_packet(self, data):
        seq, _, epoch, _, kind, count = PACKET.unpack_from(data)
        self._check_epoch(epoch)
        self.venue_next = max(self.venue_next, seq + count)
        events, at = [], PACKET.size
        for place in range(0 if kind & _HEARTBEAT else count):
            length, _, _ = PACKET_MESSAGE.unpack_from(data, at)
            if not PACKET_MESSAGE.size < length <= len(data) - at:
                raise Malformed(f"a message of {length} bytes")
            body = data[at + PACKET_MESSAGE.size : at + length]
            events.append((seq + place, message.decode(bytes(message.frame(0, seq + place, 0, body)))))
            at += length
        return events

    def missing(self):
        """From which number on how many messages are missing; None where none are."""
        if not self.joined or self.next_seq is None or self.next_seq >= self.venue_next:
            return None
        upper = min(self._held, default=self.venue_next)
        return self.next_seq, min(upper - self.next_seq, _RETRANSMIT_MAX)

    def rejoin(self):
        """Forgets everything: what follows is a new join."""
        self.__init__(self._instruments)

    def _check_epoch(self, epoch):
        if self.epoch not in (None, epoch):
            raise EpochChanged(f"the engine's epoch is {epoch} and was {self.epoch}")
        self.epoch = epoch

    def _hear_snapshot(self, event):
        id = getattr(event.message, "instrument_id", 0)
        if not id:
            return
        book = self.books.setdefault(id, Book(id))
        if event.name == "SnapshotBegin":
            book.begin()
        elif event.name == "SnapshotOrders":
            book.take(event)
        elif event.name == "SnapshotEnd":
            if event.book_hash and book.hash() != event.book_hash:
                raise ProtocolError(f"a snapshot of {book.symbol} that is not its bookHash {event.book_hash:#x}")
            self._applied[id] = event.last_seq
            self.changed.add(id)
            self._begin_packets()
        elif event.name == "InstrumentDefinition":
            book.apply(event)

    def _begin_packets(self):
        """Once every book is there: what is older than the oldest of them stands in all."""
        if self._instruments and self.joined and self.next_seq is None:
            self.next_seq = min(self._applied.values()) + 1
            self._held = {seq: held for seq, held in self._held.items() if seq >= self.next_seq}
            self._go_on()

    def _hold(self, seq, event):
        if self.next_seq is None or seq >= self.next_seq:
            self.recovered += event.retransmitted and seq not in self._held
            self._held[seq] = event

    def _go_on(self):
        while self.joined and self.next_seq in self._held:
            self._apply(self.next_seq, self._held.pop(self.next_seq))
            self.next_seq += 1

    def _apply(self, seq, event):
        """Instrument by instrument in order, each message once, whichever way it came."""
        id = getattr(event.message, "instrument_id", 0)
        if not id or seq <= self._applied.get(id, 0):
            return
        self._applied[id] = seq
        self.books.setdefault(id, Book(id)).apply(event)
        self.changed.add(id)


class EpochChanged(ProtocolError):
    """Another history: drop everything and join anew."""
