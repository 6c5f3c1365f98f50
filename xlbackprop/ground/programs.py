"""Programs that are started out of reach of the reader's files, each to end with everything that it starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from xlbackprop.ground.errors import UserError

_SECONDS_TO_END = 2.0

_POSIX = os.name == "posix"
_leads_group = _POSIX
"""Whether a program that is started leads a group of processes of its own, with everything that it starts."""


def remain_in_group() -> None:
    """Keep what this process starts in its own group, so that whoever ends this process ends all of it."""
    global _leads_group
    _leads_group = False


def find(names: Sequence[str]) -> str | None:
    """The absolute path of the first program that is installed; one in the current folder is none.

    Args:
        names: names to look for on the search path, and absolute paths.
    """
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    trusted = os.pathsep.join(folder for folder in folders if os.path.isabs(folder))
    for name in names:
        program = shutil.which(name, path=trusted)
        if program is not None and os.path.isabs(program):  # Windows looks in the current folder all the same
            return program
    return None


def require(names: Sequence[str], missing: str) -> str:
    """The absolute path of a program; see `find`.

    Raises:
        UserError: it is not installed; the message is `missing`.
    """
    program = find(names)
    if program is None:
        raise UserError(missing)
    return program


def start_python(script: Path, scratch: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a script of ours in an interpreter that imports nothing from the reader's folders.

    Its standard input and output are pipes.

    Args:
        script: the script.
        scratch: the folder for its temporary files, where they shall not outlive it.

    Raises:
        OSError: it cannot be started.
    """
    command = [sys.executable, "-I", str(script)]
    return _start(command, scratch, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)


def run(command: Sequence[str], *, seconds: float, scratch: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, with its temporary files in a folder of ours.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took too long; it was ended, with all that it had started.
    """
    process = _start(command, scratch, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=seconds)
    except BaseException:
        kill(process)
        with suppress(subprocess.TimeoutExpired, OSError, ValueError):
            process.communicate(timeout=_SECONDS_TO_END)  # what it has started may still write a file
        raise
    finally:
        end(process)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program, whatever it is doing, with everything that it has started, and let its pipes go.

    A process that remains in a group of others ends with these; nothing is waited for that it may have left behind.
    """
    kill(process)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a program, with everything that it has started, while somebody else still reads from it."""
    try:
        if _leads_group:
            os.killpg(process.pid, signal.SIGKILL)
        elif _POSIX:
            process.kill()
        elif process.poll() is None:
            tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            subprocess.run(tree, capture_output=True, check=False, cwd=tempfile.gettempdir())
    except OSError:
        pass  # all of it has ended by itself


def _start(command: Sequence[str], scratch: Path | None, *, stdin: int, stderr: int) -> subprocess.Popen[bytes]:
    added = {} if scratch is None else {name: str(scratch) for name in ("TMPDIR", "TEMP", "TMP")}
    added["MALLOC_ARENA_MAX"] = "1"  # glibc sets aside 64 MB for each thread, which count where memory is limited
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=Path(command[0]).parent,  # a program that looks into its current folder finds itself
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | added,
        start_new_session=_leads_group,
    )
