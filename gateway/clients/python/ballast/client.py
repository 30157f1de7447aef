"""The client that blocks: one socket, no thread. It works only while it is called: call it at least once per keep-alive,
or the venue gives the connection up and the next call resumes it."""

import selectors
import socket
import ssl
import time

from . import keys
from .commands import CUT_OFF, EXEC_ID_MAX, Commands, OpenOrders, answered, goes_on_from, is_part
from .errors import BallastError, ConnectionLost, Dropped, Unreachable
from .inbox import Inbox, SavedPosition
from .session import Options, Session

_READ_BYTES = 65536


class Client(Commands):
    """Logs on at once. `options` are those of `Options`; with `state`, a path, a restarted client goes on where it was.

    With a state file an event counts as done when the next one is asked for: a client that died between is told it again.
    """

    def __init__(self, config, *, state=None, **options):
        self.config = config
        self._options = Options(**options)
        self._saved = SavedPosition(state, config.session) if state is not None else None
        position = self._saved.load() if self._saved else None
        self._session = Session(config, keys.read_seed(config.key_file), self._options, position)
        self._trust = config.trust()
        self._inbox = Inbox()
        self._callbacks = {}
        self._socket = None
        self._write_fault = None
        self._attempts_left = self._options.reconnect_attempts
        self._connect()

    # Events

    def next_event(self, timeout=None):
        """The next event, or None when nothing came within `timeout` seconds; 0 looks without waiting."""
        self._save()
        return self._await(self._inbox.next, timeout)

    def events(self, timeout=None):
        """All events, one by one, until nothing came for `timeout` seconds."""
        while (event := self.next_event(timeout)) is not None:
            yield event

    def answer(self, request, timeout=10.0):
        """What became of `request`: its answer, taken out of the events. A refusal raises Rejected."""
        return answered(request, self._await(lambda: self._take_answer(request), timeout), timeout)

    def on(self, name, callback):
        """Has `run` call `callback(event)` for every event of this name ("OrderExecuted"), or with "*" for all others."""
        self._callbacks[name] = callback

    def run(self, timeout=None):
        """Calls back for every event until nothing came for `timeout` seconds."""
        for event in self.events(timeout):
            callback = self._callbacks.get(event.name) or self._callbacks.get("*")
            if callback is not None:
                callback(event)

    def open_orders(self, instrument=None, timeout=10.0):
        """The account's open orders as they stand at `exec_id` of what is returned."""
        while True:
            request = self._ask_open_orders(instrument)
            done = self._answer_of_parts(request, timeout)
            orders = self._inbox.take_all(lambda event: is_part(event, request))
            if done is not CUT_OFF:
                return OpenOrders(answered(request, done, timeout).exec_id, orders)

    def history(self, from_exec_id=1, to_exec_id=EXEC_ID_MAX, *, cl_ord_id=0, timeout=10.0):
        """What the account was told with these execution ids, whichever of its sessions was told: one event after the other."""
        while from_exec_id is not None:
            request = self._ask_history(from_exec_id, to_exec_id, cl_ord_id)
            done = self._answer_of_parts(request, timeout)
            parts = self._inbox.take_all(lambda event: event.is_history)
            if done is not CUT_OFF:
                from_exec_id = goes_on_from(request, done, timeout)
                yield from parts

    def _answer_of_parts(self, request, timeout):
        """Its RequestComplete; CUT_OFF where the connection broke in the middle of the answer: ask again."""
        logon = self._session.logon_ack

        def take():
            nonlocal logon
            if self._session.logon_ack is not logon:
                logon = self._session.logon_ack
                if self._session.applied(request):
                    return CUT_OFF
            return self._take_answer(request)

        return self._await(take, timeout)

    def _take_answer(self, request):
        if request in self._session.dropped:
            raise Dropped(request)
        return self._inbox.take_answer(request)

    # The session

    @property
    def logon_ack(self):
        """What the venue announced at the last logon: its limits and its trading state."""
        return self._session.logon_ack

    @property
    def live_from(self):
        """Events with a number below this are from before the last logon."""
        return self._session.live_from

    @property
    def unanswered(self):
        """How many commands are not known to be applied."""
        return self._session.unanswered

    def applied(self, request):
        """Whether the venue took this command, as far as is known: it was applied or refused, and will not be again."""
        return self._session.applied(request)

    def flush(self, timeout=10.0):
        """Writes all that was sent and the network did not take at once."""
        deadline = time.monotonic() + timeout
        while self._session.output and time.monotonic() < deadline:
            self._turn(deadline)

    def close(self):
        """Says goodbye and closes; orders stay. What is told meanwhile is told at the next logon."""
        if self._socket is None:
            return
        try:
            self._session.goodbye(time.monotonic())
            self._socket.settimeout(self._options.timeout)
            self._socket.sendall(self._session.output)
            self._socket.shutdown(socket.SHUT_WR)
            # Closing with unread input would make the kernel discard what was written last.
            while self._socket.recv(_READ_BYTES):
                pass
        except OSError:
            pass
        finally:
            self._hang_up()
            self._save()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Carrying

    def _send(self, name, values):
        if self._socket is None and self._options.reconnect_attempts:
            self._resume(ConnectionLost("it was closed"))
        request = self._session.command(name, values, time.monotonic())
        self._write()
        return request

    def _await(self, take, timeout):
        """What `take` gives, as soon as it gives something; None after `timeout`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        first = True
        while True:
            found = take()
            if found is not None:
                return found
            if not first and deadline is not None and time.monotonic() >= deadline:
                return None
            first = False
            self._turn(deadline)

    def _turn(self, deadline):
        """Waits once, until something came, a duty is due, or the deadline; resumes where the connection broke."""
        try:
            if self._socket is None:
                raise ConnectionLost("it was closed")
            self._pump(deadline)
        except (BallastError, OSError) as fault:
            fault = fault if isinstance(fault, BallastError) else ConnectionLost(fault)
            # What was told in front of the fault is told.
            self._inbox.fill(self._session.events)
            self._hang_up()
            self._resume(fault)

    def _pump(self, deadline):
        now = time.monotonic()
        until = self._session.next_duty() if deadline is None else min(deadline, self._session.next_duty())
        wait = 0 if self._write_fault else max(0.0, until - now)
        wanted = selectors.EVENT_READ
        if self._session.output and not self._write_fault:
            wanted |= selectors.EVENT_WRITE
        self._selector.modify(self._socket, wanted)
        # What TLS has taken off the socket already is not seen by a selector.
        decrypted = self._trust is not None and self._socket.pending() > 0
        ready = self._selector.select(0 if decrypted else wait)
        ready = ready[0][1] if ready else 0
        if ready & selectors.EVENT_WRITE:
            self._write()
        data = self._read() if decrypted or ready & selectors.EVENT_READ else None
        if data is not None:
            if not data:
                raise ConnectionLost("the venue closed it")
            if self._session.established:
                self._attempts_left = self._options.reconnect_attempts
            self._session.feed(data, time.monotonic())
            self._inbox.fill(self._session.events)
        elif self._write_fault:
            raise ConnectionLost(self._write_fault)
        elif not ready:
            self._session.tick(time.monotonic())
        self._write()

    def _read(self):
        """What came; None for a part of a TLS record."""
        try:
            return self._socket.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None

    def _write(self):
        """Writes what the network takes. A fault is kept until nothing is left to read, because a goodbye may stand there."""
        output = self._session.output
        while output and self._socket is not None and not self._write_fault:
            try:
                del output[: self._socket.send(output)]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError as error:
                self._write_fault = error

    def _connect(self):
        """Connects and logs on, once."""
        address = f"{self.config.host}:{self.config.port}"
        try:
            self._socket = socket.create_connection((self.config.host, self.config.port), self._options.timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._trust is not None:
                self._socket = self._trust.wrap_socket(self._socket, server_hostname=self.config.host)
            self._socket.setblocking(False)
        except OSError as error:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            raise Unreachable(address, error) from None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._write_fault = None
        try:
            self._session.open(time.monotonic())
            while not self._session.established:
                self._pump(None)
        except OSError as error:
            self._hang_up()
            raise ConnectionLost(error) from None
        except BallastError:
            self._hang_up()
            raise
        self._inbox.fill(self._session.events)

    def _resume(self, fault):
        """Logs on again, as often as the options allow; attempts count anew once something was heard."""
        pause = 0.0
        while fault.heals and self._attempts_left > 0:
            self._attempts_left -= 1
            time.sleep(max(pause, getattr(fault, "retry_after_ms", 0) / 1000))
            pause = min(max(pause * 2, self._options.backoff), self._options.backoff_max)
            try:
                return self._connect()
            except BallastError as again:
                fault = again
        raise fault

    def _hang_up(self):
        self._session.close()
        if self._socket is not None:
            self._selector.close()
            self._socket.close()
            self._socket = None

    def _save(self):
        """The event in hand counts as done from here on."""
        if self._saved is not None:
            self._inbox.done()
            self._saved.save(self._inbox.position(self._session.position))
