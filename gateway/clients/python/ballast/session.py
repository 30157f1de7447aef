"""The member's side of a session without any socket or clock: bytes and times in, bytes and events out.

Numbers commands, tells events exactly once and without a gap, keeps the session alive and resumes it where it stood:
gateway/PROTOCOL.md, section 2, seen from the other end. `Client` and `AsyncClient` carry its bytes.
"""

import os
import struct
import time
from collections import deque, namedtuple
from dataclasses import dataclass

from . import keys, message
from ._schema import ORDER_ENTRY_VERSION, CodMode, FrameFlags, RejectCode
from .errors import (
    ConnectionLost,
    Disconnected,
    Forgotten,
    HistoryChanged,
    LoggedOut,
    LogonRefused,
    ProtocolError,
    Silent,
    TooManyUnanswered,
)
from .message import Event, Malformed

_TAG = b"BALLAST-LOGON-v1\0"
# sessionId, keyId, both nonces, serverTime, engineEpoch, both next numbers, keepAliveMs, schemaVersion, codMode, codGraceMs
_SIGNED = struct.Struct("<QQ32s32sQQQQIHBI")
_FLAGS_AT = 6
# A number from here on is out of range.
_SEQ_END = 1 << 63
_RETRANSMIT_MAX = 10_000

# What was sent: its number in the session, the client id it carries, and the message's name.
Request = namedtuple("Request", ["seq", "cl_ord_id", "name"])

# Where a session stands: the next number of each direction, and the venue's history that they belong to.
Position = namedtuple("Position", ["next_client_seq", "next_server_seq", "engine_epoch"])

# A logon after a broken connection: how many messages follow that were missed, which commands the venue had not seen and were
# sent again, and which were dropped because `resend` is off.
Resumed = namedtuple("Resumed", ["replayed", "resent", "dropped", "engine_epoch"])

_ANSWERS = {
    "NewOrder": ("OrderAccepted",),
    "NewTriggerOrder": ("OrderAccepted",),
    "ModifyOrder": ("OrderModified", "OrderCanceled"),
    "CancelOrder": ("OrderCanceled",),
    "MassCancel": ("MassCancelAck",),
    "MassQuote": ("MassQuoteAck",),
}
# What is told and takes no number.
_TOLD_UNNUMBERED = ("NotApplied", "SessionReject")
_REFUSALS = ("OrderRejected", "SessionReject", "NotApplied")


def answers(event, request):
    """Whether `event` is what becomes of `request`: each has exactly one answer."""
    if event.is_history:
        return False
    if event.name == "NotApplied":
        return event.from_seq <= request.seq < event.from_seq + event.count
    if event.name not in _ANSWERS.get(request.name, ("RequestComplete", "Confirmed")) + _REFUSALS:
        return False
    return event.ref_seq == request.seq


def is_refusal(event):
    """Whether an answer is a no."""
    return event.name in _REFUSALS or getattr(event.message, "code", None) is not None


@dataclass(frozen=True)
class Options:
    """How a session is held."""

    # Silence, in milliseconds, after which either side says that it is alive: 100 to 60000.
    keep_alive_ms: int = 10_000
    # Which orders the venue cancels once the connection has ended and the grace, at most 60000, is over.
    cod_mode: CodMode = CodMode.OFF
    cod_grace_ms: int = 0
    # Commands that the venue had not seen are sent again after a reconnect; without it `Resumed.dropped` names them.
    resend: bool = True
    # What was said before the first logon is told too, as far as the venue keeps it; a saved position goes on in any case.
    replay: bool = True
    # Commands that may wait for their answer.
    unanswered_max: int = 16_384
    # Patience with a connection and with a logon, in seconds.
    timeout: float = 5.0
    # Logons in a row, without anything heard between them, before a reconnect gives up; 0 never connects again by itself.
    reconnect_attempts: int = 30
    # The pause in front of the second of them, in seconds; it doubles up to `backoff_max`.
    backoff: float = 0.05
    backoff_max: float = 2.0


class Session:
    """`open` begins a connection; then `feed` what arrives, write what `output` holds, and call `tick` by `next_duty`.

    What is told lies in `events`. Every method may raise a BallastError; the connection is over then, and where the error
    `heals` another `open` resumes. `now` is seconds of a clock that never goes back.
    """

    def __init__(self, config, seed, options=Options(), position=None, random=os.urandom, wall_ns=time.time_ns):
        self.config, self.options = config, options
        self.events = deque()
        self.output = bytearray()
        self.logon_ack = None
        self.sync_mode = None
        self._seed, self._random, self._wall_ns = seed, random, wall_ns
        self._fresh = position is None
        self._next_client_seq, self._next_server_seq, self._epoch = position or (1, 1, None)
        # Every command up to here is known to be applied.
        self._acked = self._next_client_seq - 1
        # What is not known to be applied: request and frame, oldest first.
        self._sent = deque()
        self._ever_established = False
        # With `resend` off: what was never applied and never will be.
        self.dropped = set()
        # With `replay` off: what was said before the first logon.
        self._skip_below = 0
        self._stage = "closed"

    @property
    def established(self):
        return self._stage == "established"

    @property
    def live_from(self):
        """The venue's next number at the last logon: what comes below it is repeated."""
        return self.logon_ack.next_server_seq if self.logon_ack else 1

    @property
    def unanswered(self):
        return len(self._sent)

    @property
    def position(self):
        """Where the session stands behind all that was told."""
        return Position(self._acked + 1, self._next_server_seq, self._epoch)

    def applied(self, request):
        """Whether the venue took this command: it was applied or refused, and neither will happen again."""
        return request.seq <= self._acked

    def open(self, now):
        """A connection stands: says Hello."""
        self.output.clear()
        self._input = bytearray()
        self._held = {}
        self._asked_up_to = 0
        self._requests = 0
        self._heard_at = self._said_at = now
        self._tested_at = None
        self._keep_alive = self.options.keep_alive_ms / 1000
        self._deadline = now + self.options.timeout
        self._stage = "hello"
        self._nonce = self._random(32)
        self._say(
            "Hello",
            now,
            session_id=self.config.session,
            client_nonce=self._nonce,
            schema_version_min=ORDER_ENTRY_VERSION,
            schema_version_max=ORDER_ENTRY_VERSION,
            client_name=b"ballast-python",
        )

    def close(self):
        """The connection is gone."""
        self._stage = "closed"
        self.output.clear()

    def goodbye(self, now):
        """Says Logout. What the venue says from here on is told after the next logon."""
        if self.established:
            self._say("Logout", now, text=b"goodbye")
        self._stage = "closed"

    def command(self, name, values, now):
        """Numbers one command and puts it into `output`; the Request by which its answer is known."""
        if not self.established:
            raise Disconnected("there is no session with the venue")
        if len(self._sent) >= self.options.unanswered_max:
            raise TooManyUnanswered(len(self._sent))
        body = message.encode(name, values)
        seq = self._next_client_seq
        frame = message.frame(0, seq, self._wall_ns(), body)
        request = Request(seq, values.get("cl_ord_id", values.get("quote_id", 0)), name)
        self._next_client_seq += 1
        self._sent.append((request, frame))
        self.output += frame
        self._said_at = now
        return request

    # Hearing

    def feed(self, data, now):
        """Bytes from the venue: what they tell stands in `events`."""
        self._heard_at, self._tested_at = now, None
        self._input += data
        at = 0
        try:
            view = memoryview(self._input)
            try:
                while self._stage != "closed":
                    length = message.first_frame_bytes(view[at:])
                    if length == 0:
                        break
                    frame = bytes(view[at : at + length])
                    at += length
                    self._hear(message.decode(frame), now)
            finally:
                view.release()
        except Malformed as error:
            raise ProtocolError(str(error)) from None
        finally:
            del self._input[:at]

    def _hear(self, event, now):
        name = event.name
        if name == "Logout":
            raise LoggedOut(event.code, event.text)
        if not self.established:
            if name == "LogonReject":
                raise self._refused(event)
            if (self._stage, name) == ("hello", "Challenge"):
                self._log_on(event, now)
            elif (self._stage, name) == ("logon", "LogonAck"):
                self._establish(event, now)
            else:
                raise ProtocolError(f"{name} in the middle of a logon")
        elif name == "Heartbeat":
            self._applied_through(event.ack_seq)
            self._ask_for_missing(event.next_seq, now)
        elif name == "TestRequest":
            self._heartbeat(now, event.echo)
        elif name == "Retransmission":
            pass
        elif name == "RetransmitReject":
            if event.code != RejectCode.RETRANSMIT_BUSY:
                raise Forgotten(self._next_server_seq, event.oldest_server_seq)
            self._asked_up_to = 0
        elif name in ("Hello", "Challenge", "Logon", "LogonAck", "LogonReject", "RetransmitRequest"):
            raise ProtocolError(f"{name} in an established session")
        else:
            self._hear_told(event, now)

    def _hear_told(self, event, now):
        if event.is_history:
            # What it answered may be another session's command.
            self.events.append(event)
            return
        if event.seq == 0:
            if event.name not in _TOLD_UNNUMBERED and not event.snapshot:
                raise ProtocolError(f"{event.name} without a number")
            self._tell(event)
            return
        if event.seq < self._next_server_seq:
            return
        if event.seq > self._next_server_seq:
            if len(self._held) >= self.options.unanswered_max:
                raise ConnectionLost(f"message {self._next_server_seq} is missing")
            self._held[event.seq] = event
            self._ask_for_missing(event.seq, now)
            return
        while event is not None:
            self._next_server_seq += 1
            if self.options.replay or event.seq >= self._skip_below:
                self._tell(event)
            event = self._held.pop(self._next_server_seq, None)

    def _tell(self, event):
        if event.name == "NotApplied":
            self._applied_through(event.from_seq + event.count - 1)
        else:
            self._applied_through(getattr(event.message, "ref_seq", 0))
        self.events.append(event)

    def _applied_through(self, seq):
        if seq >= self._next_client_seq:
            raise ProtocolError(f"an answer to command {seq}; the next to be sent is {self._next_client_seq}")
        self._acked = max(self._acked, seq)
        while self._sent and self._sent[0][0].seq <= seq:
            self._sent.popleft()

    def _ask_for_missing(self, upper, now):
        """Asks for what lies between what was told and `upper`, once."""
        first = self._next_server_seq
        if upper <= first or first < self._asked_up_to:
            return
        count = min(upper - first, _RETRANSMIT_MAX)
        self._asked_up_to = first + count
        self._requests += 1
        self._say("RetransmitRequest", now, request_id=self._requests, from_seq=first, count=count)

    # Logging on

    def _log_on(self, challenge, now):
        if challenge.session_id != self.config.session:
            raise ProtocolError(f"a challenge for session {challenge.session_id}")
        low, high = challenge.schema_version_min, challenge.schema_version_max
        if not low <= ORDER_ENTRY_VERSION <= high:
            spoken = f"it speaks versions {low} to {high}, this client {ORDER_ENTRY_VERSION}"
            raise LogonRefused(RejectCode.VERSION_UNSUPPORTED, spoken)
        if self._epoch not in (None, challenge.engine_epoch):
            raise HistoryChanged(f"the engine's epoch is {challenge.engine_epoch} and was {self._epoch}")
        self.sync_mode = challenge.sync_mode
        config, keep_alive_ms = self.config, self.options.keep_alive_ms
        signed = _SIGNED.pack(
            config.session,
            config.key_id,
            self._nonce,
            challenge.server_nonce,
            challenge.server_time,
            challenge.engine_epoch,
            self._next_client_seq,
            self._next_server_seq,
            keep_alive_ms,
            ORDER_ENTRY_VERSION,
            self.options.cod_mode,
            self.options.cod_grace_ms,
        )
        self._stage = "logon"
        self._say(
            "Logon",
            now,
            session_id=config.session,
            key_id=config.key_id,
            next_client_seq=self._next_client_seq,
            next_server_seq=self._next_server_seq,
            keep_alive_ms=keep_alive_ms,
            schema_version=ORDER_ENTRY_VERSION,
            cod_mode=self.options.cod_mode,
            cod_grace_ms=self.options.cod_grace_ms,
            signature=keys.sign(self._seed, _TAG + signed),
        )

    def _refused(self, reject):
        if reject.code == RejectCode.SEQ_REGRESSED:
            return HistoryChanged(f"the venue knows no message {self._next_server_seq}")
        return LogonRefused(reject.code, reject.text, reject.retry_after_ms)

    def _establish(self, ack, now):
        numbers = (ack.next_client_seq, ack.next_server_seq, ack.oldest_server_seq)
        if ack.session_id != self.config.session or not all(0 < number < _SEQ_END for number in numbers):
            raise ProtocolError(f"a logon of session {ack.session_id} with the numbers {numbers}")
        if self._next_server_seq > ack.next_server_seq or ack.oldest_server_seq > ack.next_server_seq:
            raise ProtocolError(f"a logon from {self._next_server_seq} on with the numbers {numbers}")
        if self._next_server_seq < ack.oldest_server_seq:
            if not self._fresh:
                raise Forgotten(self._next_server_seq, ack.oldest_server_seq)
            self._next_server_seq = ack.oldest_server_seq
        self._agree_on_commands(ack.next_client_seq)
        if self._fresh:
            self._skip_below = ack.next_server_seq
        self._fresh = False
        self.logon_ack, self._epoch = ack.message, ack.engine_epoch
        self._keep_alive = max(ack.keep_alive_ms, 100) / 1000
        self._stage = "established"
        resent, dropped = self._send_again(now)
        if self._ever_established:
            replayed = ack.next_server_seq - self._next_server_seq
            self.events.append(Event("Resumed", Resumed(replayed, resent, dropped, ack.engine_epoch)))
        self._ever_established = True

    def _agree_on_commands(self, venue):
        """The venue's next number tells alone which commands were applied."""
        if venue <= self._acked:
            raise HistoryChanged(f"command {self._acked} was answered, and the venue's next is {venue}")
        while self._sent and self._sent[0][0].seq < venue:
            self._sent.popleft()
        mine = self._sent[0][0].seq if self._sent else self._next_client_seq
        if mine != venue and self._ever_established:
            raise HistoryChanged(f"the venue counts this session's next command as {venue}, this client as {mine}")
        if not self._ever_established:
            self._next_client_seq = venue
        self._acked = venue - 1

    def _send_again(self, now):
        requests = tuple(request for request, _ in self._sent)
        if not self.options.resend:
            if requests:
                self._next_client_seq = requests[0].seq
            self._sent.clear()
            self.dropped.update(requests)
            return (), requests
        for _, frame in self._sent:
            frame[_FLAGS_AT] |= FrameFlags.POSS_RESEND
            self.output += frame
        self._said_at = now
        return requests, ()

    # Keeping alive

    def next_duty(self):
        """When `tick` has something to do, if nothing happens before."""
        if not self.established:
            return self._deadline
        heard = self._tested_at if self._tested_at is not None else self._heard_at
        return min(self._said_at, heard) + self._keep_alive

    def tick(self, now):
        """Called when the socket had nothing: only then is silence the venue's."""
        if not self.established:
            if now >= self._deadline:
                raise ConnectionLost(f"the logon was not answered within {self.options.timeout:g} s")
            return
        if self._tested_at is not None and now - self._tested_at >= self._keep_alive:
            raise Silent(now - self._heard_at)
        if now - self._said_at >= self._keep_alive:
            self._heartbeat(now, 0)
        if self._tested_at is None and now - self._heard_at >= self._keep_alive:
            self._tested_at = now
            self._say("TestRequest", now, echo=self._wall_ns())

    def _heartbeat(self, now, echo):
        ack_seq = self._next_server_seq - 1
        self._say("Heartbeat", now, next_seq=self._next_client_seq, ack_seq=ack_seq, echo=echo)

    def _say(self, name, now, **values):
        self.output += message.frame(0, 0, self._wall_ns(), message.encode(name, values))
        self._said_at = now
