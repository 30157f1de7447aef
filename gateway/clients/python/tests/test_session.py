"""The session without a socket: a scripted venue says what it says, and what is told, sent and refused is compared."""

import random
import re
import struct
import unittest
from pathlib import Path

from ballast import ed25519, message
from ballast._schema import CodMode, FrameFlags, RejectCode, SyncMode
from ballast.config import Config
from ballast.errors import (
    BallastError,
    Disconnected,
    Forgotten,
    HistoryChanged,
    LoggedOut,
    LogonRefused,
    ProtocolError,
    Silent,
    TooManyUnanswered,
)
from ballast.inbox import Inbox
from ballast.session import Options, Position, Session, answers

SEED = bytes(range(32))
CONFIG = Config("127.0.0.1", 7701, 1001, 1, Path("key.pem"), 10, ())
RETRANSMIT, END = FrameFlags.RETRANSMIT, FrameFlags.END_OF_EVENT


class Wire:
    """A session and, at its other end, whoever plays the venue."""

    def __init__(self, position=None, **options):
        self.session = Session(CONFIG, SEED, Options(**options), position)
        self.now = 100.0

    def said(self):
        """What the client said since, decoded."""
        data, said = bytes(self.session.output), []
        self.session.output.clear()
        while data:
            length = message.first_frame_bytes(data)
            said.append(message.decode(data[:length]))
            data = data[length:]
        return said

    def say(self, name, seq=0, flags=0, **values):
        self.session.feed(message.frame(flags, seq, 5, message.encode(name, values)), self.now)

    def challenge(self, **values):
        told = {"session_id": 1001, "server_nonce": bytes(32), "server_time": 77, "engine_epoch": 3}
        told |= {"schema_version_min": 1, "schema_version_max": 1, "sync_mode": SyncMode.GROUP}
        self.say("Challenge", **(told | values))

    def log_on(self, client=1, server=1, oldest=1, **values):
        """A logon up to its answer; the Logon that the client said."""
        self.session.open(self.now)
        hello = self.said()
        assert [event.name for event in hello] == ["Hello"]
        self.challenge(**values)
        logon = self.said()[0]
        numbers = {"next_client_seq": client, "next_server_seq": server, "oldest_server_seq": oldest}
        self.say("LogonAck", session_id=1001, engine_epoch=3, keep_alive_ms=1000, schema_version=1, **numbers)
        return logon

    def accept(self, seq, ref_seq=0, flags=END):
        self.say("OrderAccepted", seq, flags, ref_seq=ref_seq, order_id=seq)

    def order(self, cl_ord_id=1):
        return self.session.command("NewOrder", {"cl_ord_id": cl_ord_id, "qty": 1}, self.now)

    def told(self):
        told = [(event.name, event.seq) for event in self.session.events]
        self.session.events.clear()
        return told


class Logon(unittest.TestCase):
    def test_the_signature_covers_what_was_agreed(self):
        wire = Wire(Position(8, 6, 3), keep_alive_ms=2_000)
        wire.session.open(wire.now)
        hello = wire.said()[0]
        self.assertEqual((hello.session_id, hello.schema_version_min, hello.schema_version_max), (1001, 1, 1))
        wire.challenge(server_nonce=bytes([9]) * 32)
        logon = wire.said()[0]
        text = b"BALLAST-LOGON-v1\0" + struct.pack("<QQ", 1001, 1) + hello.client_nonce + bytes([9]) * 32
        text += struct.pack("<QQQQIHBI", 77, 3, 8, 6, 2_000, 1, CodMode.OFF, 0)
        self.assertEqual(len(text), 140)
        self.assertTrue(ed25519.verify(ed25519.public_key(SEED), text, logon.signature))
        self.assertEqual((logon.next_client_seq, logon.next_server_seq), (8, 6))

    def test_the_logon_of_the_page(self):
        """The session in hex of gateway/schema/README.md: its Challenge is answered with its Logon, byte for byte."""
        page = (Path(__file__).resolve().parents[3] / "schema" / "README.md").read_text()
        shown = dict(re.findall(r"### (\w+)\n.*?```text\n([0-9a-f\s]+)```", page, re.DOTALL)[::-1])
        challenge, logon = (bytes.fromhex(shown[name]) for name in ("Challenge", "Logon"))
        seed = bytes.fromhex(re.search(r"`([0-9a-f]{64})`", page)[1])
        given = {"random": lambda count: bytes(range(count)), "wall_ns": lambda: 1_700_000_000_123_456_789}
        session = Session(CONFIG, seed, Options(), Position(8, 5, None), **given)
        session.open(0.0)
        session.output.clear()
        session.feed(challenge, 0.0)
        self.assertEqual(bytes(session.output), logon)

    def test_refusals_say_what_to_do(self):
        for code, what in [
            (RejectCode.BAD_SIGNATURE, "key_file"),
            (RejectCode.UNKNOWN_SESSION, "session"),
            (RejectCode.UNKNOWN_KEY, "key_id"),
            (RejectCode.JOURNAL_FULL, "disk"),
        ]:
            wire = Wire()
            wire.session.open(wire.now)
            wire.challenge()
            with self.assertRaisesRegex(LogonRefused, what) as refused:
                wire.say("LogonReject", session_id=1001, code=code, retry_after_ms=1000)
            self.assertEqual(refused.exception.heals, code == RejectCode.JOURNAL_FULL)
            self.assertEqual(refused.exception.retry_after_ms, 1000)

    def test_another_version_and_another_session(self):
        for values, kind in [
            ({"schema_version_min": 2, "schema_version_max": 3}, LogonRefused),
            ({"session_id": 5}, ProtocolError),
        ]:
            wire = Wire()
            wire.session.open(wire.now)
            with self.assertRaises(kind):
                wire.challenge(**values)

    def test_a_logon_that_is_not_answered(self):
        wire = Wire(timeout=2.0)
        wire.session.open(wire.now)
        self.assertEqual(wire.session.next_duty(), wire.now + 2)
        wire.session.tick(wire.now + 1.9)
        with self.assertRaisesRegex(BallastError, "not answered"):
            wire.session.tick(wire.now + 2)

    def test_impossible_numbers(self):
        for client, server, oldest in [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 2), (1 << 63, 1, 1)]:
            with self.assertRaises(ProtocolError):
                Wire().log_on(client, server, oldest)

    def test_nothing_is_sent_before_the_logon(self):
        wire = Wire()
        with self.assertRaises(Disconnected):
            wire.order()
        wire.session.open(wire.now)
        with self.assertRaises(Disconnected):
            wire.order()


class Hearing(unittest.TestCase):
    def test_every_split_of_a_stream_tells_the_same(self):
        stream = b""
        for seq in range(1, 6):
            stream += message.frame(END, seq, 0, message.encode("OrderAccepted", {"order_id": seq}))
        draw = random.Random(3)
        for size in [1, 2, 3, 31, 32, 33, 127, 128, 129, len(stream)] + [draw.randrange(1, 300) for _ in range(20)]:
            wire = Wire()
            wire.log_on(server=6)
            for at in range(0, len(stream), size):
                wire.session.feed(stream[at : at + size], wire.now)
            self.assertEqual(wire.told(), [("OrderAccepted", seq) for seq in range(1, 6)])

    def test_a_repeat_is_nothing(self):
        wire = Wire()
        wire.log_on()
        for seq in (1, 2, 1, 2, 3):
            wire.accept(seq)
        self.assertEqual(wire.told(), [("OrderAccepted", seq) for seq in (1, 2, 3)])

    def test_a_gap_is_asked_for_and_told_in_order(self):
        wire = Wire()
        wire.log_on()
        for seq in (1, 4, 5, 7):
            wire.accept(seq)
        asked = wire.said()
        self.assertEqual([(event.name, event.from_seq, event.count) for event in asked], [("RetransmitRequest", 2, 2)])
        wire.say("Retransmission", request_id=1, from_seq=2, count=2)
        wire.accept(2, flags=RETRANSMIT)
        self.assertEqual(wire.told(), [("OrderAccepted", 1), ("OrderAccepted", 2)])
        wire.accept(3, flags=RETRANSMIT)
        self.assertEqual(wire.told(), [("OrderAccepted", seq) for seq in (3, 4, 5)])
        wire.say("Heartbeat", next_seq=8)
        asked = wire.said()
        self.assertEqual([(event.from_seq, event.count) for event in asked], [(6, 2)])
        for seq in (6, 7):
            wire.accept(seq, flags=RETRANSMIT)
        self.assertEqual(wire.told(), [("OrderAccepted", 6), ("OrderAccepted", 7)])
        with self.assertRaises(Forgotten):
            wire.say("RetransmitReject", request_id=1, code=RejectCode.RETRANSMIT_TOO_OLD, oldest_server_seq=9)

    def test_answers_release_what_was_sent(self):
        wire = Wire(unanswered_max=3)
        wire.log_on()
        requests = [wire.order(n) for n in (1, 2, 3)]
        self.assertEqual([request.seq for request in requests], [1, 2, 3])
        with self.assertRaises(TooManyUnanswered):
            wire.order(4)
        wire.say("SessionReject", ref_seq=1, code=RejectCode.BAD_BLOCK_LENGTH, ref_template_id=100)
        self.assertTrue(wire.session.applied(requests[0]))
        self.assertEqual(wire.session.unanswered, 2)
        wire.say("NotApplied", from_seq=2, count=1)
        wire.say("Heartbeat", ack_seq=3, next_seq=1)
        self.assertEqual(wire.session.unanswered, 0)
        refused, hole = wire.session.events
        self.assertEqual([answers(refused, request) for request in requests], [True, False, False])
        self.assertEqual([answers(hole, request) for request in requests], [False, True, False])

    def test_history_and_snapshots_take_no_number(self):
        wire = Wire()
        wire.log_on()
        wire.order()
        wire.accept(0, ref_seq=1, flags=FrameFlags.SNAPSHOT)
        # Told to another session of the account.
        wire.accept(0, ref_seq=999, flags=RETRANSMIT)
        first, second = wire.session.events
        self.assertTrue(first.snapshot and not first.is_history and second.is_history)
        self.assertEqual(wire.session.position.next_server_seq, 1)

    def test_what_no_venue_sends(self):
        cases = [
            lambda wire: wire.session.feed(b"HTTP/1.1 400 Bad Request\r\n\r\n", wire.now),
            lambda wire: wire.session.feed(bytes(64), wire.now),
            lambda wire: wire.session.feed(b"\xff" * 64, wire.now),
            lambda wire: wire.accept(1, ref_seq=1),
            lambda wire: wire.accept(0),
            lambda wire: wire.say("Heartbeat", ack_seq=5),
            lambda wire: wire.say("NotApplied", from_seq=2**64 - 1, count=5),
            lambda wire: wire.say("LogonAck", session_id=1001),
            lambda wire: wire.say("Hello"),
        ]
        for case in cases:
            wire = Wire()
            wire.log_on()
            with self.assertRaises(ProtocolError) as fault:
                case(wire)
            self.assertTrue(fault.exception.heals)

    def test_a_changed_byte_is_an_answer_or_an_error(self):
        draw = random.Random(11)
        data = message.frame(END, 1, 0, message.encode("MassQuoteAck", {"quotes": [{"bid_status": 1}] * 3}))
        for at in range(len(data)):
            for value in (0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)):
                changed = bytearray(data)
                changed[at] = value
                wire = Wire()
                wire.log_on()
                try:
                    wire.session.feed(changed, wire.now)
                except BallastError:
                    pass

    def test_a_displaced_session_does_not_come_back_by_itself(self):
        for code, heals in [
            (RejectCode.DISPLACED, False),
            (RejectCode.SERVER_SHUTDOWN, True),
            (RejectCode.SLOW_CONSUMER, True),
            (RejectCode.BAD_FRAME, False),
            (None, True),
        ]:
            wire = Wire()
            wire.log_on()
            wire.accept(1)
            with self.assertRaises(LoggedOut) as fault:
                wire.say("Logout", code=code, text="goodbye")
            self.assertEqual((fault.exception.code, fault.exception.heals), (code, heals))
            self.assertEqual(wire.told(), [("OrderAccepted", 1)])


class KeepingAlive(unittest.TestCase):
    def test_heartbeats_test_requests_and_silence(self):
        wire = Wire(keep_alive_ms=1000)
        wire.log_on()
        self.assertEqual(wire.session.next_duty(), wire.now + 1)
        wire.say("TestRequest", echo=77)
        answer = wire.said()
        self.assertEqual([(event.name, event.next_seq, event.echo) for event in answer], [("Heartbeat", 1, 77)])
        wire.now += 1
        wire.session.tick(wire.now)
        self.assertEqual([event.name for event in wire.said()], ["Heartbeat", "TestRequest"])
        wire.session.tick(wire.now + 0.9)
        self.assertEqual(wire.said(), [])
        wire.say("Heartbeat", next_seq=1)
        wire.now += 1
        wire.session.tick(wire.now)
        self.assertEqual([event.name for event in wire.said()], ["Heartbeat", "TestRequest"])
        with self.assertRaises(Silent):
            wire.session.tick(wire.now + 1)


class Resuming(unittest.TestCase):
    def broken(self, **options):
        """Four orders, of which the venue answered one, applied two, and heard no more when the connection broke."""
        wire = Wire(**options)
        wire.log_on()
        requests = [wire.order(n) for n in (11, 12, 13, 14)]
        wire.accept(1, ref_seq=1)
        frames = {event.seq: event for event in wire.said()}
        wire.session.close()
        wire.session.events.clear()
        return wire, requests, frames

    def test_what_the_venue_has_not_seen_is_sent_again_under_its_number(self):
        wire, requests, frames = self.broken()
        logon = wire.log_on(client=3, server=3)
        self.assertEqual((logon.next_client_seq, logon.next_server_seq), (5, 2))
        resumed = wire.session.events.popleft()
        self.assertEqual((resumed.name, resumed.replayed, resumed.dropped), ("Resumed", 1, ()))
        self.assertEqual(resumed.resent, tuple(requests[2:]))
        again = wire.said()
        self.assertEqual([event.seq for event in again], [3, 4])
        for event in again:
            self.assertEqual(event.frame_flags, FrameFlags.POSS_RESEND)
            self.assertEqual((event.message, event.send_time), (frames[event.seq].message, frames[event.seq].send_time))
        self.assertEqual([wire.session.applied(request) for request in requests], [True, True, False, False])
        wire.accept(2, ref_seq=2, flags=RETRANSMIT)
        wire.accept(3, ref_seq=3)
        self.assertEqual(wire.told(), [("OrderAccepted", 2), ("OrderAccepted", 3)])
        self.assertEqual(wire.order(15).seq, 5)

    def test_or_it_is_named_and_its_number_is_free(self):
        wire, requests, _ = self.broken(resend=False)
        wire.log_on(client=3, server=3)
        resumed = wire.session.events.popleft()
        self.assertEqual((resumed.resent, resumed.dropped), ((), tuple(requests[2:])))
        self.assertEqual(wire.said(), [])
        self.assertEqual(wire.session.dropped, set(requests[2:]))
        self.assertEqual(wire.order(15).seq, 3)

    def test_another_history_is_not_continued(self):
        for numbers, kind in [
            ({"client": 1, "server": 3}, HistoryChanged),
            ({"client": 6, "server": 3}, HistoryChanged),
            ({"client": 3, "server": 1}, ProtocolError),
            ({"client": 3, "server": 9, "oldest": 3}, Forgotten),
            ({"engine_epoch": 4}, HistoryChanged),
        ]:
            wire, _, _ = self.broken()
            with self.assertRaises(kind):
                wire.log_on(**numbers)
        wire, _, _ = self.broken()
        wire.session.open(wire.now)
        wire.said()
        wire.challenge()
        with self.assertRaisesRegex(HistoryChanged, "saved position"):
            wire.say("LogonReject", session_id=1001, code=RejectCode.SEQ_REGRESSED)

    def test_who_remembers_nothing_takes_what_is_kept(self):
        wire = Wire()
        self.assertEqual(wire.log_on(client=20, server=7, oldest=4).next_server_seq, 1)
        wire.accept(4, ref_seq=19, flags=RETRANSMIT)
        self.assertEqual(wire.told(), [("OrderAccepted", 4)])
        self.assertEqual(wire.order().seq, 20)

    def test_or_nothing_of_it_if_it_says_so(self):
        wire = Wire(replay=False)
        wire.log_on(client=20, server=7, oldest=4)
        for seq in (4, 5, 6, 7):
            wire.accept(seq)
        self.assertEqual(wire.told(), [("OrderAccepted", 7)])

    def test_a_saved_position_goes_on(self):
        wire = Wire(Position(8, 6, 3))
        logon = wire.log_on(client=10, server=9)
        self.assertEqual((logon.next_client_seq, logon.next_server_seq), (8, 6))
        self.assertEqual(wire.order().seq, 10)
        with self.assertRaises(HistoryChanged):
            Wire(Position(8, 6, 3)).log_on(client=7, server=9)
        with self.assertRaises(HistoryChanged):
            Wire(Position(8, 6, 2)).log_on(client=8, server=9)

    def test_the_position_is_behind_what_was_taken_and_never_behind_what_was_not(self):
        wire, inbox = Wire(), Inbox()
        wire.log_on()
        request = wire.order()
        for seq in (1, 2, 3):
            wire.accept(seq, ref_seq=1 if seq == 3 else 0)
        inbox.fill(wire.session.events)
        at = lambda: inbox.position(wire.session.position).next_server_seq
        self.assertEqual(at(), 1)
        self.assertEqual(inbox.take_answer(request).seq, 3)
        self.assertEqual(at(), 1)
        self.assertEqual(inbox.next().seq, 1)
        self.assertEqual(at(), 1)
        inbox.done()
        self.assertEqual(at(), 2)
        inbox.next()
        inbox.done()
        self.assertEqual((at(), inbox.next()), (4, None))


if __name__ == "__main__":
    unittest.main()
