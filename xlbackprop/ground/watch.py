"""A clock beside a program of ours, which ends the program when it has run for too long."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from xlbackprop.ground.programs import kill

_PATIENCE = 3
_SHORTEST_WAIT = 0.1


class Watch:
    """The clock, which runs from the start.

    Time in which a busy machine let others run does not count, for three times as long at most.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process = process
        self._seconds = seconds
        self._over = Event()
        self.is_late = False
        self._thread = Thread(target=self._wait, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The program has done what it was to do."""
        self._over.set()
        self._thread.join()

    def _wait(self) -> None:
        start, before = monotonic(), _processor_seconds(self._process)
        left = self._seconds
        while not self._over.wait(left):
            ran = _processor_seconds(self._process)
            left = 0.0 if ran is None or before is None else self._seconds - (ran - before)
            if left <= 0 or monotonic() - start >= _PATIENCE * self._seconds:
                self.is_late = True
                kill(self._process)
                return
            left = max(left, _SHORTEST_WAIT)


def _processor_seconds(process: subprocess.Popen[bytes]) -> float | None:
    """For how long a program has run; None where that cannot be told."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
