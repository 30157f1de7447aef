"""A venue of its own for a test: made by `ballast init`, served on a free port, killed and started again at will."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[4]
_PATIENCE = 60


def program():
    """The program under test: what BALLAST names, else what cargo built last. CI has no excuse not to have it."""
    named = os.environ.get("BALLAST")
    found = [Path(named)] if named else [_REPOSITORY / "target" / kind / "ballast" for kind in ("debug", "release")]
    for path in found:
        if path.exists():
            return path.resolve()
    if named or os.environ.get("CI"):
        raise AssertionError(f"there is no {found[0]}; run `cargo build -p gateway`")
    raise unittest.SkipTest("the venue is not built; run `cargo build -p gateway`, or let BALLAST name the program")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Venue:
    def __init__(self, edit=lambda text: text):
        self._ballast = program()
        self._temporary = tempfile.mkdtemp(prefix="ballast-python-")
        self.home = Path(self._temporary) / "venue"
        subprocess.run(
            [self._ballast, "init", self.home, "--profile", "demo", "--market", f"127.0.0.1:{free_port()}"],
            check=True,
            capture_output=True,
            timeout=_PATIENCE,
        )
        self.port = free_port()
        for path in [self.home / "ballast.toml", *(self.home / "clients").glob("*.toml")]:
            text = path.read_text()
            assert "127.0.0.1:7701" in text
            path.write_text(text.replace("127.0.0.1:7701", f"127.0.0.1:{self.port}"))
        config = self.home / "ballast.toml"
        config.write_text(edit(config.read_text()))
        self._process = None
        self.serve()

    def member(self, name):
        return self.home / "clients" / f"{name}.toml"

    def books(self):
        """What the journal says of the market data: the channel's next number, and the bookHash of each instrument."""
        verify = [self._ballast, "journal", "verify", self.home, "--books"]
        text = subprocess.run(verify, check=True, capture_output=True, text=True, timeout=_PATIENCE).stdout
        books = {int(id): int(hash, 16) for id, hash in re.findall(r"^book +(\d+) .*0x([0-9a-f]+)$", text, re.MULTILINE)}
        return int(re.search(r"the channel is (\d+)", text)[1]), books

    def serve(self):
        """Starts the venue, and waits until it listens."""
        self._process = subprocess.Popen(
            [self._ballast, "serve", self.home], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        said = []
        for line in self._process.stdout:
            said.append(line)
            if line.startswith("listening"):
                return
        raise AssertionError(f"the venue did not start:\n{''.join(said)}")

    def kill(self):
        """kill -9, and nothing of it is left."""
        self._end(signal.SIGKILL)

    def terminate(self):
        """An end in order; its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how):
        process, self._process = self._process, None
        process.send_signal(how)
        process.stdout.read()
        process.stdout.close()
        return process.wait(_PATIENCE)

    def close(self):
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._temporary)
