"""Frames to messages and back, from the generated layouts: the bytes of gateway/PROTOCOL.md, sections 1 and 4.

A message is a named tuple of its layout's fields. Prices, sizes and money are Decimals, none is None, enumerations are
those of `_schema` (a value that this client does not know stays a number), a reject code of 0 is None.
"""

import struct
from collections import namedtuple
from decimal import Context, Decimal

from . import _schema
from ._schema import ENCODING_TYPE, FrameFlags

PREFIX = struct.Struct(_schema.PREFIX)
HEADER = struct.Struct(_schema.HEADER)
DIMENSION = struct.Struct(_schema.DIMENSION)
HEAD_BYTES = PREFIX.size + HEADER.size
FRAME_BYTES_MAX = 8192
NUMBERED_FROM = 100
VERSIONS = {
    _schema.ORDER_ENTRY_ID: _schema.ORDER_ENTRY_VERSION,
    _schema.MARKET_DATA_ID: _schema.MARKET_DATA_VERSION,
}

# An i64 has 19 digits: no rounding, whatever the caller's own context says.
_EXACT = Context(prec=40)
_PLACES = {"decimal9": 9, "decimal6": 6}


class Malformed(ValueError):
    """Bytes that are no message."""


def to_decimal(number, places):
    """The Decimal of a count of 10^-places, without trailing zeros."""
    whole, rest = divmod(number, 10**places)
    return Decimal(whole) if rest == 0 else _EXACT.normalize(_EXACT.scaleb(Decimal(number), -places))


def from_decimal(value, places, what="a price"):
    """The count of 10^-places that `value`, an int, a Decimal or a decimal text, is exactly."""
    if isinstance(value, (bool, float)) or not isinstance(value, (int, str, Decimal)):
        raise TypeError(f"{what} is {value!r}: give an int, a Decimal or a text such as '49000.5', which are exact")
    try:
        exact = Decimal(value)
    except ArithmeticError:
        raise ValueError(f"{what} is {value!r}: give a decimal number such as '49000.5'") from None
    if not exact.is_finite():
        raise ValueError(f"{what} is {value!r}: give a finite number")
    sign, digits, exponent = exact.as_tuple()
    shift = exponent + places
    number = int("".join(map(str, digits)))
    if shift >= 0:
        number *= 10 ** min(shift, 40)
    else:
        number, rest = divmod(number, 10**-shift)
        if rest:
            raise ValueError(f"{what} is {value}: at most {places} places behind the point")
    return -number if sign else number


def _reader(field):
    null = field.null
    if field.kind in _PLACES:
        places = _PLACES[field.kind]
        return lambda raw: None if raw == null else to_decimal(raw, places)
    if field.kind == "text":
        return lambda raw: raw.rstrip(b"\0").decode("ascii", "replace")
    if field.kind == "set":
        return field.values
    if field.kind in ("enum", "code"):
        known = {int(value): value for value in field.values}
        if field.kind == "code":
            known[0] = None
        return lambda raw: known.get(raw, raw)
    if null is not None:
        return lambda raw: None if raw == null else raw
    return None


def _writer(field):
    null, name = field.null, field.name
    if field.kind in _PLACES:
        places = _PLACES[field.kind]

        def write(value):
            if value is None:
                return null if null is not None else 0
            return from_decimal(value, places, name)
    elif field.kind in ("text", "bytes"):

        def write(value):
            return value if isinstance(value, bytes) else (value or "").encode("ascii")
    else:

        def write(value):
            if value is None:
                return null if null is not None else 0
            if isinstance(value, float) or not isinstance(value, int):
                raise TypeError(f"{name} is {value!r}: give an int")
            return int(value)

    return write


class _Block:
    """The fields of a block or of a group's entry."""

    def __init__(self, name, format, fields, extra=()):
        self.struct = struct.Struct(format)
        self.type = namedtuple(name, [field.name for field in fields] + list(extra))
        self.names = [field.name for field in fields]
        self.readers = [_reader(field) for field in fields]
        self.writers = [_writer(field) for field in fields]

    def read(self, data, at):
        raw = self.struct.unpack_from(data, at)
        return [value if read is None else read(value) for read, value in zip(self.readers, raw)]

    def write(self, values):
        if not values.keys() <= set(self.names):
            strange = ", ".join(sorted(values.keys() - set(self.names)))
            raise TypeError(f"{self.type.__name__} has no {strange}; it has {', '.join(self.names)}")
        raw = [write(values.get(name)) for name, write in zip(self.names, self.writers)]
        try:
            return self.struct.pack(*raw)
        except struct.error as error:
            shown = ", ".join(f"{name}={value}" for name, value in values.items())
            raise ValueError(f"{self.type.__name__}({shown}) is out of range: {error}") from None


class _Codec:
    def __init__(self, layout):
        self.layout = layout
        self.group = None
        extra = ()
        if layout.group is not None:
            group = layout.group
            self.group = _Block(f"{layout.name}_{group.name}", group.format, group.fields)
            extra = (group.name,)
        self.block = _Block(layout.name, layout.format, layout.fields, extra)

    def encode(self, values):
        layout, entries = self.layout, ()
        if self.group is not None:
            values = dict(values)
            entries = values.pop(layout.group.name, ())
        head = HEADER.pack(layout.size, layout.template, layout.schema, VERSIONS[layout.schema])
        body = head + self.block.write(values)
        if self.group is None:
            return body
        written = [self.group.write(dict(entry)) for entry in entries]
        return body + DIMENSION.pack(layout.group.size, len(written)) + b"".join(written)

    def decode(self, data, at, end):
        """The message whose block starts at `at`; only what is exactly this long is one."""
        layout = self.layout
        values = self.block.read(data, at)
        at += layout.size
        if self.group is not None:
            size, count = DIMENSION.unpack_from(data, at) if at + DIMENSION.size <= end else (0, 0)
            at += DIMENSION.size
            if size != layout.group.size or at + size * count != end:
                raise Malformed(f"{layout.name} with a group that does not fill its frame")
            read, kind = self.group.read, self.group.type
            values.append(tuple(kind(*read(data, at + size * index)) for index in range(count)))
        elif at != end:
            raise Malformed(f"{layout.name} with {end - at} bytes behind its block")
        return self.block.type(*values)


_CODECS = {template: _Codec(layout) for template, layout in _schema.LAYOUTS.items()}
TEMPLATES = {codec.layout.name: template for template, codec in _CODECS.items()}


def encode(name, values):
    """Header, block and group of the message `name`; a field that is not given is 0, or none where it can be."""
    return _CODECS[TEMPLATES[name]].encode(values)


def frame(flags, seq, send_time, body):
    """A whole frame, as a bytearray."""
    length = PREFIX.size + len(body)
    if length > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {length} bytes; at most {FRAME_BYTES_MAX}: send fewer entries at once")
    return bytearray(PREFIX.pack(length, ENCODING_TYPE, flags, seq, send_time)) + body


class Event:
    """One message of the venue, with what its frame says; the message's fields are the event's own.

    `name` is the message's ("OrderAccepted"), `seq` its number in the session (0 for what takes none), `send_time` when the
    venue sent it, in ns since 1970. `str(event)` is a line for people.
    """

    __slots__ = ("name", "seq", "send_time", "frame_flags", "message")

    def __init__(self, name, message, seq=0, send_time=0, frame_flags=FrameFlags(0)):
        self.name, self.message = name, message
        self.seq, self.send_time, self.frame_flags = seq, send_time, frame_flags

    def __getattr__(self, field):
        try:
            return getattr(object.__getattribute__(self, "message"), field)
        except AttributeError:
            raise AttributeError(f"{self.name} has no {field}; it has {', '.join(self.message._fields)}") from None

    @property
    def retransmitted(self):
        """The venue says it again, or late, after a logon or on request."""
        return bool(self.frame_flags & FrameFlags.RETRANSMIT)

    @property
    def end_of_event(self):
        """The last message of what one command did."""
        return bool(self.frame_flags & FrameFlags.END_OF_EVENT)

    @property
    def snapshot(self):
        """Shows what is, and takes no number."""
        return bool(self.frame_flags & FrameFlags.SNAPSHOT)

    @property
    def is_history(self):
        """Told before, and told again because the client asked for history."""
        return self.seq == 0 and self.retransmitted

    def __repr__(self):
        return f"<Event {self}>"

    def __str__(self):
        shown = []
        for field, value in zip(self.message._fields, self.message):
            if value is None or (value == 0 and field not in ("leaves_qty", "position", "count")):
                continue
            shown.append(f"{field}={getattr(value, 'name', None) or value}")
        return f"{self.name} {', '.join(shown)}"


def first_frame_bytes(data):
    """The length of the frame at the start of `data`, 0 if it is not whole yet."""
    if len(data) < 6:
        return 0
    length, encoding = struct.unpack_from("<IH", data)
    if encoding != ENCODING_TYPE or not HEAD_BYTES <= length <= FRAME_BYTES_MAX:
        raise Malformed(f"no frame (length {length}, encoding {encoding:#06x})")
    return length if len(data) >= length else 0


def decode(data):
    """The event that one whole frame is; `Unknown` for a numbered message that this client does not know."""
    length, _, flags, seq, send_time = PREFIX.unpack_from(data)
    size, template, schema, version = HEADER.unpack_from(data, PREFIX.size)
    if VERSIONS.get(schema) != version:
        raise Malformed(f"schema {schema} version {version}")
    if flags & ~0xF:
        raise Malformed(f"reserved frame flags {flags:#x}")
    codec = _CODECS.get(template)
    if codec is None or codec.layout.schema != schema:
        if template < NUMBERED_FROM:
            raise Malformed(f"template {template}, which is not for a client")
        return Event("Unknown", _UNKNOWN(template), seq, send_time, FrameFlags(flags))
    if size != codec.layout.size or HEAD_BYTES + size > length:
        raise Malformed(f"{codec.layout.name} with a block of {size} bytes")
    message = codec.decode(data, HEAD_BYTES, length)
    return Event(codec.layout.name, message, seq, send_time, FrameFlags(flags))


_UNKNOWN = namedtuple("Unknown", ["template"])
