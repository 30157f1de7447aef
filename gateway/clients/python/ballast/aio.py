"""The client for asyncio: a task of its own reads, keeps the session alive and resumes it. Commands are plain calls that
number and write at once; what waits is awaited."""

import asyncio
import time

from . import keys
from .commands import CUT_OFF, EXEC_ID_MAX, Commands, OpenOrders, answered, goes_on_from, is_part
from .errors import BallastError, ConnectionLost, Disconnected, Dropped, Unreachable
from .inbox import Inbox, SavedPosition
from .session import Options, Session

_READ_BYTES = 65536
# Events that wait to be taken before the socket is not read any more.
_WAITING_MAX = 65536


class AsyncClient(Commands):
    """`async with AsyncClient(Config.load(path)) as venue:` logs on. `options` and `state` are those of `Client`."""

    def __init__(self, config, *, state=None, **options):
        self.config = config
        self._options = Options(**options)
        self._saved = SavedPosition(state, config.session) if state is not None else None
        position = self._saved.load() if self._saved else None
        self._session = Session(config, keys.read_seed(config.key_file), self._options, position)
        self._trust = config.trust()
        self._inbox = Inbox()
        self._fault = None
        self._writer = None
        self._task = None
        self._attempts_left = self._options.reconnect_attempts

    async def connect(self):
        """Connects and logs on, once; a later break is resumed by itself."""
        self._changed = asyncio.Condition()
        reader = await self._connect()
        self._task = asyncio.create_task(self._live(reader))
        return self

    async def close(self):
        """Says goodbye and closes; orders stay. What is told meanwhile is told at the next logon."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        if self._writer is not None:
            self._session.goodbye(time.monotonic())
            self._write()
            await self._say_end()
        self._hang_up()
        self._save()

    async def __aenter__(self):
        return await self.connect()

    async def __aexit__(self, *_):
        await self.close()

    # Events

    async def next_event(self, timeout=None):
        """The next event, or None when nothing came within `timeout` seconds."""
        self._save()
        return await self._await(self._inbox.next, timeout)

    async def events(self, timeout=None):
        """All events, one by one, until nothing came for `timeout` seconds."""
        while (event := await self.next_event(timeout)) is not None:
            yield event

    async def answer(self, request, timeout=10.0):
        """What became of `request`: its answer, taken out of the events. A refusal raises Rejected."""
        return answered(request, await self._await(lambda: self._take_answer(request), timeout), timeout)

    async def open_orders(self, instrument=None, timeout=10.0):
        """The account's open orders as they stand at `exec_id` of what is returned."""
        while True:
            request = self._ask_open_orders(instrument)
            done = await self._answer_of_parts(request, timeout)
            orders = self._inbox.take_all(lambda event: is_part(event, request))
            if done is not CUT_OFF:
                return OpenOrders(answered(request, done, timeout).exec_id, orders)

    async def history(self, from_exec_id=1, to_exec_id=EXEC_ID_MAX, *, cl_ord_id=0, timeout=10.0):
        """What the account was told with these execution ids, whichever of its sessions was told: one event after the other."""
        while from_exec_id is not None:
            request = self._ask_history(from_exec_id, to_exec_id, cl_ord_id)
            done = await self._answer_of_parts(request, timeout)
            parts = self._inbox.take_all(lambda event: event.is_history)
            if done is not CUT_OFF:
                from_exec_id = goes_on_from(request, done, timeout)
                for part in parts:
                    yield part

    async def _answer_of_parts(self, request, timeout):
        """Its RequestComplete; CUT_OFF where the connection broke in the middle of the answer: ask again."""
        logon = self._session.logon_ack

        def take():
            nonlocal logon
            if self._session.established and self._session.logon_ack is not logon:
                logon = self._session.logon_ack
                if self._session.applied(request):
                    return CUT_OFF
            return self._take_answer(request)

        return await self._await(take, timeout)

    def _take_answer(self, request):
        if request in self._session.dropped:
            raise Dropped(request)
        return self._inbox.take_answer(request)

    async def _await(self, take, timeout):
        """What `take` gives, as soon as it gives something; None after `timeout`."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                while (found := take()) is None:
                    if self._fault is not None:
                        raise self._fault
                    await self._changed.wait()
                # There may be room to read on.
                self._changed.notify_all()
                return found
        except TimeoutError:
            return None

    # The session

    @property
    def established(self):
        """Whether commands can be sent now; while a broken connection is resumed they raise Disconnected."""
        return self._session.established

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

    async def flush(self):
        """Waits until the network takes more."""
        if self._writer is not None:
            await self._writer.drain()

    # Carrying

    def _send(self, name, values):
        if self._fault is not None:
            raise Disconnected(self._fault)
        request = self._session.command(name, values, time.monotonic())
        self._write()
        return request

    def _write(self):
        if self._writer is not None and self._session.output:
            self._writer.write(bytes(self._session.output))
            self._session.output.clear()

    async def _connect(self):
        address = f"{self.config.host}:{self.config.port}"
        try:
            opening = asyncio.open_connection(self.config.host, self.config.port, ssl=self._trust)
            reader, self._writer = await asyncio.wait_for(opening, self._options.timeout)
        except (OSError, TimeoutError) as error:
            raise Unreachable(address, error or "no answer") from None
        try:
            self._session.open(time.monotonic())
            self._write()
            while not self._session.established:
                await self._read(reader)
        except (BallastError, OSError) as fault:
            self._hang_up()
            raise fault if isinstance(fault, BallastError) else ConnectionLost(fault) from None
        return reader

    async def _live(self, reader):
        """Reads, and resumes what breaks, until it is cancelled or cannot be resumed."""
        pause = 0.0
        fault = None
        while True:
            try:
                if reader is None:
                    await asyncio.sleep(max(pause, getattr(fault, "retry_after_ms", 0) / 1000))
                    reader = await self._connect()
                await self._tell()
                while True:
                    await self._read(reader)
                    pause, self._attempts_left = 0.0, self._options.reconnect_attempts
                    await self._tell()
            except OSError as error:
                fault = ConnectionLost(error)
            except Exception as error:
                fault = error
            self._hang_up()
            await self._tell()
            if not getattr(fault, "heals", False) or self._attempts_left == 0:
                self._fault = fault
                await self._tell()
                return
            self._attempts_left -= 1
            if reader is None:
                pause = min(max(pause * 2, self._options.backoff), self._options.backoff_max)
            reader = None

    async def _read(self, reader):
        """Reads once, or does what is due when nothing comes."""
        wait = max(0.0, self._session.next_duty() - time.monotonic())
        try:
            data = await asyncio.wait_for(reader.read(_READ_BYTES), wait)
        except TimeoutError:
            self._session.tick(time.monotonic())
        else:
            if not data:
                raise ConnectionLost("the venue closed it")
            self._session.feed(data, time.monotonic())
        self._write()

    async def _tell(self):
        async with self._changed:
            self._inbox.fill(self._session.events)
            self._changed.notify_all()
            if self._session.established:
                await self._changed.wait_for(lambda: len(self._inbox) < _WAITING_MAX)

    async def _say_end(self):
        try:
            if self._writer.can_write_eof():
                self._writer.write_eof()
            await asyncio.wait_for(self._writer.drain(), self._options.timeout)
        except (OSError, TimeoutError):
            pass

    def _hang_up(self):
        self._session.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _save(self):
        """The event in hand counts as done from here on."""
        if self._saved is not None:
            self._inbox.done()
            self._saved.save(self._inbox.position(self._session.position))
