"""dissector.py write FILE: a capture of every message, over TCP in segments cut anywhere, and of market data in UDP packets.
dissector.py every: what tshark makes of it (PDML on standard input) is every message with every value.
dissector.py session: what tshark makes of a session is whole, nothing malformed, nothing unknown; prints how much it was."""

import struct
import sys
import xml.etree.ElementTree as tree
from collections import Counter
from datetime import datetime, timezone

import frames
from frames import TIME_NS, schema

SEGMENT_BYTES_MAX = 211
MESSAGES_PER_PACKET = 3


def market_data():
    return [found for found in frames.messages() if found[0].schema == schema.MARKET_DATA_ID]


def write(path):
    packets = []

    def packet(protocol, payload):
        head = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, 0x7F000001, 0x7F000002)
        packets.append(head + payload)

    stream = b"".join(frames.frame(data, at + 1) for at, (_, data, _) in enumerate(frames.messages()))
    at, size = 0, 1
    while at < len(stream):
        size = (size * 7 + 13) % SEGMENT_BYTES_MAX + 1
        head = struct.pack(">HHIIBBHHH", 40000, 7701, at + 1, 1, 0x50, 0x18, 65535, 0, 0)
        packet(6, head + stream[at : at + size])
        at += size
    public = market_data()
    for at in range(0, len(public), MESSAGES_PER_PACKET):
        part = [data for _, data, _ in public[at : at + MESSAGES_PER_PACKET]]
        body = struct.pack(schema.PACKET, at + 1, TIME_NS, 1, 3, 1, len(part))
        body += b"".join(struct.pack(schema.PACKET_MESSAGE, 8 + len(data), 2, 0) + data for data in part)
        packet(17, struct.pack(">HHHH", 40000, 7702, 8 + len(body), 0) + body)
    with open(path, "wb") as file:
        # Link type 101: packets begin with their IP header.
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for data in packets:
            file.write(struct.pack("<IIII", 1700000000, 0, len(data), len(data)) + data)


def decimal(number, places):
    text = f"{abs(number):0{places + 1}}"
    part = text[-places:].rstrip("0")
    return ("-" if number < 0 else "") + text[:-places] + ("." + part if part else "")


def instant(ns):
    second = datetime.fromtimestamp(ns // 10**9, timezone.utc)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09}Z ({ns})"


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def said(field, value):
    """How the dissector has to show it."""
    if value == field.null:
        return "null"
    if field.kind.startswith("decimal"):
        return decimal(value, int(field.kind[-1]))
    if field.kind == "time":
        return instant(value)
    if field.kind == "text":
        return value.decode()
    if field.kind == "bytes":
        return None
    if field.kind in ("enum", "code"):
        name = field.values(value).name.title().replace("_", "")
        return f"{name} ({value})"
    if field.kind == "set":
        names = [camel(bit.name.lower()) for bit in field.values if value & bit]
        return f"{value} ({' '.join(names) or 'none'})"
    return str(value)


def shown(item):
    """The fields of one block or entry: name to what is shown, padding left out."""
    found = {}
    for field in item:
        name = field.get("name", "").removeprefix("ballast.")
        if name and not (name.startswith("pad") and len(name) == 4):
            found[name] = (field.get("show") if name != "entry" else "", field.get("showname") or field.get("show"))
    return found


def text_of(pair):
    text = pair[1] or ""
    return text.split(": ", 1)[1] if ": " in text else text


HEADER = {"blockLength", "templateId", "schemaId", "version", "entryLength", "numInGroup", "entry"}


def parts(item):
    """Of a message in PDML: the block, then each entry."""
    own = {name: text_of(pair) for name, pair in shown(item).items() if name not in HEADER}
    entries = [shown(inner) for inner in item if inner.get("name") == "ballast.entry"]
    return [own] + [{name: text_of(pair) for name, pair in entry.items()} for entry in entries]


def every(source):
    seen = [item for item in tree.parse(source).iter("field") if item.get("name") == "ballast.message"]
    wanted = list(frames.messages()) + market_data()
    assert len(seen) == len(wanted), f"{len(seen)} messages of {len(wanted)}"
    for item, (layout, _, blocks) in zip(seen, wanted):
        found = parts(item)
        fields = [layout.fields] + [layout.group.fields] * (len(blocks) - 1) if layout.group else [layout.fields]
        assert len(found) == len(blocks), f"{layout.name}: {len(found) - 1} entries"
        for of, values, have in zip(fields, blocks, found):
            for field in of:
                name = camel(field.name)
                if name[-1:].isdigit() and "_" in field.name:
                    # One of the numbers of a composite, which is shown as one.
                    name = camel(field.name.rsplit("_", 1)[0])
                    want = " ".join(str(v) for k, v in values.items() if camel(k.rsplit("_", 1)[0]) == name)
                else:
                    want = said(field, values[field.name])
                assert name in have, f"{layout.name}.{name} is not shown"
                alike = want is None or have[name].lower() == want.lower()
                assert alike, f"{layout.name}.{name}: '{have[name]}', not '{want}'"
    print(f"dissector: {len(wanted)} messages of {len(schema.LAYOUTS)} layouts, every value as it was written")


def session(source):
    carried = dissected = 0
    names = Counter()
    for item in tree.parse(source).iter():
        name = item.get("name", "")
        bad = name in ("ballast.unknown", "ballast.malformed", "ballast.undecoded", "_ws.malformed", "_ws.lua.text")
        assert not bad, f"{name}: {item.get('showname') or item.get('show')}"
        if name == "tcp.len":
            carried += int(item.get("show"))
        elif name == "ballast.frameLength":
            dissected += int(item.get("show"))
        elif name == "ballast.message":
            names[item.get("show").split(":")[0]] += 1
    assert names and (carried == 0 or carried == dissected), f"{dissected} of {carried} bytes are in messages"
    print(f"dissector: {sum(names.values())} messages, {dissected} bytes, nothing unknown:", *sorted(names))


if sys.argv[1] == "write":
    write(sys.argv[2])
else:
    {"every": every, "session": session}[sys.argv[1]](sys.stdin.buffer)
