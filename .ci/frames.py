"""A message of every layout, from the constants of the Python client alone: what .ci/dissector and .ci/sbe feed to others."""

import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "gateway/clients/python/ballast"))
import _schema as schema

TIME_NS = 1_700_000_000_123_456_789
VARIANTS = 3


def value(field, at, variant):
    """Null in every other variant, where the field has one."""
    if field.null is not None and variant % 2:
        return field.null
    if field.kind in ("text", "bytes"):
        return b"B%d" % variant
    if field.kind == "enum":
        return list(field.values)[variant % len(field.values)].value
    if field.kind == "set":
        return sum(field.values) if variant % 2 else 0
    if field.kind == "code":
        return list(schema.RejectCode)[at + variant].value
    if field.kind == "time":
        return TIME_NS + variant
    if field.kind.startswith("decimal"):
        return (-1) ** variant * 50_000_500_000_001
    return at + variant


def values(fields, variant):
    return {field.name: value(field, at, variant) for at, field in enumerate(fields)}


def message(layout, variant):
    """Header and block, and the values that stand in them: of the block, then of each entry."""
    said = [values(layout.fields, variant)]
    data = struct.pack(schema.HEADER, layout.size, layout.template, layout.schema, 1)
    data += struct.pack(layout.format, *said[0].values())
    if layout.group:
        entries = [values(layout.group.fields, variant + at) for at in range(variant)]
        data += struct.pack(schema.DIMENSION, layout.group.size, len(entries))
        data += b"".join(struct.pack(layout.group.format, *entry.values()) for entry in entries)
        said += entries
    return data, said


def messages():
    """Of every layout some: the layout, the bytes, the values."""
    for layout in schema.LAYOUTS.values():
        for variant in range(VARIANTS):
            yield (layout, *message(layout, variant))


def frame(data, seq):
    return struct.pack(schema.PREFIX, 24 + len(data), schema.ENCODING_TYPE, 0, seq, TIME_NS) + data
