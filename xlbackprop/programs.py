"""Programs that are started while the reader's files lie around: isolated from those files, and ended whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

LIBREOFFICE = (
    "soffice",
    "libreoffice",
    "/Applications/LibreOffice.app/Contents/MacOS/soffice",
    r"C:\Program Files\LibreOffice\program\soffice.exe",
)
"""Where LibreOffice's program is looked for."""

_POSIX = os.name == "posix"


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


def start_python(script: Path) -> subprocess.Popen[bytes]:
    """Start a script of ours in an interpreter that imports nothing from the reader's folders.

    Its standard input and output are pipes.

    Raises:
        OSError: it cannot be started.
    """
    return _start([sys.executable, "-I", str(script)], {}, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)


def convert(
    libreoffice: str, path: Path, kind: str, folder: Path, *, seconds: float
) -> subprocess.CompletedProcess[bytes]:
    """Let LibreOffice write a file as another kind, such as pdf, into a folder of ours; it may fail without a word.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took too long and was ended.
    """
    # a profile of its own: LibreOffice hands the work to an open window of the reader's otherwise, and returns
    with tempfile.TemporaryDirectory(prefix="xlbackprop-") as own:
        profile = f"-env:UserInstallation={(Path(own) / 'profile').as_uri()}"
        command = [libreoffice, profile, "--headless", "--convert-to", kind, "--outdir", str(folder), str(path)]
        return run(command, seconds=seconds, scratch=Path(own))


def run(command: Sequence[str], *, seconds: float, scratch: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, with its temporary files in a folder of ours.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took too long; it was ended, with all that it had started.
    """
    scratch_here = {name: str(scratch) for name in ("TMPDIR", "TEMP", "TMP")}
    process = _start(command, scratch_here, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=seconds)
    finally:
        end(process)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program, whatever it is doing, with everything that it has started."""
    try:
        if _POSIX:
            os.killpg(process.pid, signal.SIGKILL)
        elif process.poll() is None:
            tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            subprocess.run(tree, capture_output=True, check=False, cwd=tempfile.gettempdir())
    except OSError:
        pass  # all of it has ended by itself
    process.communicate()


def _start(command: Sequence[str], extra: Mapping[str, str], *, stdin: int, stderr: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=Path(command[0]).parent,  # a program that looks into its current folder finds itself
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | dict(extra),
        start_new_session=_POSIX,
    )
