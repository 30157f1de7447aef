"""Frames to messages and back: the frames of gateway/schema/README.md, every layout, and bytes that are none."""

import random
import re
import unittest
from decimal import Decimal, getcontext, localcontext
from pathlib import Path

from ballast import _schema, message
from ballast._schema import LAYOUTS, FrameFlags, OrderFlags, RejectCode, Side

_PAGE = Path(__file__).resolve().parents[3] / "schema" / "README.md"


def frames_of_the_page():
    """Name and bytes of each frame that the page shows."""
    shown = re.findall(r"### (\w+)\n.*?```text\n([0-9a-f\s]+)```", _PAGE.read_text(), re.DOTALL)
    return [(name, bytes.fromhex(text)) for name, text in shown]


def values_of(event):
    """What encodes to the same message."""
    values = event.message._asdict()
    for name, value in values.items():
        if isinstance(value, tuple):
            values[name] = [entry._asdict() for entry in value]
    return values


class Frames(unittest.TestCase):
    def test_the_frames_of_the_page(self):
        frames = frames_of_the_page()
        self.assertGreaterEqual(len(frames), 8)
        for name, data in frames:
            event = message.decode(data)
            self.assertEqual(event.name, name)
            body = message.encode(name, values_of(event))
            again = message.frame(event.frame_flags, event.seq, event.send_time, body)
            self.assertEqual(bytes(again), data, name)

    def test_a_frame_means_what_the_page_says(self):
        frames = dict(frames_of_the_page())
        order = message.decode(frames["NewOrder"])
        self.assertEqual((order.seq, order.cl_ord_id, order.price), (1, 7, Decimal("50000.5")))
        self.assertEqual((order.qty, order.display_qty, order.expire_time), (10, None, None))
        self.assertEqual(order.flags, OrderFlags.POST_ONLY | OrderFlags.REDUCE_ONLY)
        fill = message.decode(frames["OrderExecuted"])
        self.assertEqual((fill.fee, fill.position, fill.side), (Decimal("-1.25"), -4, Side.SELL))
        self.assertTrue(fill.end_of_event and not fill.retransmitted)
        quotes = message.decode(frames["MassQuote"]).quotes
        self.assertEqual([(quote.instrument_id, quote.bid_px, quote.ask_qty) for quote in quotes], [(1, 49990, 5), (2, None, 5)])

    def test_every_layout_round_trips(self):
        draw = random.Random(7)
        for layout in LAYOUTS.values():
            for _ in range(50):
                body = message.HEADER.pack(layout.size, layout.template, layout.schema, 1) + draw.randbytes(layout.size)
                if layout.group is not None:
                    count = draw.randrange(4)
                    body += message.DIMENSION.pack(layout.group.size, count) + draw.randbytes(layout.group.size * count)
                values = values_of(message.decode(bytes(message.frame(0, 9, 8, body))))
                # Random bytes are no text.
                values |= {field.name: "text" for field in layout.fields if field.kind == "text"}
                written = message.frame(0, 9, 8, message.encode(layout.name, values))
                self.assertEqual(values_of(message.decode(bytes(written))), values, layout.name)

    def test_bytes_that_are_no_message(self):
        draw = random.Random(8)
        for _, data in frames_of_the_page():
            for at in range(len(data)):
                for value in (0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)):
                    changed = bytearray(data)
                    changed[at] = value
                    try:
                        if message.first_frame_bytes(changed) == len(changed):
                            str(message.decode(bytes(changed)))
                    except message.Malformed:
                        pass

    def test_a_frame_waits_until_it_is_whole(self):
        _, data = frames_of_the_page()[0]
        for cut in range(len(data)):
            self.assertEqual(message.first_frame_bytes(data[:cut]), 0)
        self.assertEqual(message.first_frame_bytes(data + b"more"), len(data))


class Numbers(unittest.TestCase):
    def test_prices_are_exact(self):
        cases = [("49000.5", 49_000_500_000_000), (3, 3_000_000_000), (Decimal("0.000000001"), 1), ("-1.5", -1_500_000_000)]
        for value, count in cases:
            self.assertEqual(message.from_decimal(value, 9), count)
            self.assertEqual(message.to_decimal(count, 9), Decimal(value))
        with localcontext() as context:
            context.prec = 3
            self.assertEqual(message.to_decimal(123_456_789_123_456_789, 9), Decimal("123456789.123456789"))
            self.assertEqual(message.from_decimal("123456789.123456789", 9), 123_456_789_123_456_789)
        self.assertEqual(str(message.to_decimal(50_000 * 10**9, 9)), "50000")
        self.assertEqual(getcontext().prec, 28)

    def test_what_is_not_exact_is_refused_and_says_why(self):
        cases = [
            (0.1, TypeError, "exact"),
            (True, TypeError, "exact"),
            (None, TypeError, "exact"),
            ("0.0000000001", ValueError, "at most 9 places"),
            ("abc", ValueError, "decimal number"),
            ("nan", ValueError, "finite"),
            ("inf", ValueError, "finite"),
        ]
        for value, kind, why in cases:
            with self.assertRaisesRegex(kind, why):
                message.from_decimal(value, 9)
        for values, kind, why in [
            ({"qty": 1.0}, TypeError, "qty is 1.0"),
            ({"quantity": 1}, TypeError, "NewOrder has no quantity; it has .*qty"),
            ({"price": 10**10}, ValueError, "out of range"),
            ({"price": "1e30"}, ValueError, "out of range"),
        ]:
            with self.assertRaisesRegex(kind, why):
                message.encode("NewOrder", values)

    def test_codes(self):
        self.assertEqual(set(_schema.REJECT_TEXT), {int(code) for code in RejectCode})
        ack = message.encode("MassCancelAck", {"code": RejectCode.PERMISSION})
        event = message.decode(bytes(message.frame(FrameFlags.END_OF_EVENT, 1, 0, ack)))
        self.assertIs(event.code, RejectCode.PERMISSION)
        self.assertIn("code=PERMISSION", str(event))


if __name__ == "__main__":
    unittest.main()
