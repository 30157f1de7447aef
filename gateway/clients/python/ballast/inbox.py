"""What was told and not taken yet, and where a restarted client has to go on: behind what was taken, never behind what was not."""

import json
import os
from collections import deque

from .errors import ConfigError
from .session import Position, answers


class Inbox:
    def __init__(self):
        self._events = deque()
        # The number of what was handed out last and does not count as done yet.
        self._in_hand = 0

    def __len__(self):
        return len(self._events)

    def fill(self, events):
        """Takes over what a session tells."""
        self._events.extend(events)
        events.clear()

    def done(self):
        """What was handed out last counts as done."""
        self._in_hand = 0

    def next(self):
        """The next event, or None."""
        if not self._events:
            return None
        event = self._events.popleft()
        self._in_hand = event.seq
        return event

    def take(self, wanted):
        """The first event that is wanted, or None."""
        for index, event in enumerate(self._events):
            if wanted(event):
                del self._events[index]
                return event
        return None

    def take_answer(self, request):
        return self.take(lambda event: answers(event, request))

    def take_all(self, wanted):
        """Every event that is wanted."""
        taken = [event for event in self._events if wanted(event)]
        if taken:
            self._events = deque(event for event in self._events if not wanted(event))
        return taken

    def position(self, told):
        """`told` is where the session stands; what lies here was not taken."""
        # Numbers rise from the front to the back.
        waiting = self._in_hand or next((event.seq for event in self._events if event.seq), told.next_server_seq)
        return told._replace(next_server_seq=waiting)


class SavedPosition:
    """A small file with a Position; replaced as a whole, so that a process that dies leaves the old or the new one."""

    def __init__(self, path, session):
        self._path, self._session, self._saved = path, session, None

    def load(self):
        """The position, None where there is no file yet."""
        try:
            with open(self._path, encoding="ascii") as file:
                told = json.load(file)
            if told["session"] != self._session:
                raise ConfigError(
                    f"{self._path} is of session {told['session']}, not {self._session}: give each session a file of its own"
                )
            position = Position(*(int(told[field]) for field in Position._fields))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{self._path}: {error!r} is no saved position; remove it, and the venue tells all that it keeps"
            ) from None
        self._saved = position
        return position

    def save(self, position):
        if position == self._saved or position.engine_epoch is None:
            return
        beside = f"{self._path}.tmp"
        with open(beside, "w", encoding="ascii") as file:
            json.dump({"session": self._session, **position._asdict()}, file)
        os.replace(beside, self._path)
        self._saved = position
