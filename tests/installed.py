"""Programs that have to be installed for the tests, among them a LibreOffice that stays open for all of a process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import openpyxl
import pytest
from msgspec import Struct

IN_CI = os.environ.get("CI") == "true"
_SECONDS_TO_START = 120
_IN_TURN = os.environ | {"SC_IMPORT_THREADS": "0"}
"""LibreOffice reads the sheets of a file one by one: where it does not only convert, those that read them at once may
wait for one another for ever."""


def program(name: str) -> str:
    """The path of a program; where it is missing the test is skipped, but fails in CI, which installs it."""
    found = shutil.which(name)
    if found is None:
        if IN_CI:
            pytest.fail(f"{name} has to be installed in CI")
        pytest.skip(f"{name} is not installed")
    return found


class _Office(Struct, frozen=True):
    """A running one: who starts another with its profile only hands on to it what is to be done."""

    command: list[str]
    folder: Path
    process: subprocess.Popen[bytes]


def convert(paths: Sequence[Path], folder: Path, form: str) -> list[Path]:
    """Files as LibreOffice saves them in another form, into a folder."""
    command = [*_office().command, "--convert-to", form, "--outdir", str(folder)]
    subprocess.run([*command, *map(str, paths)], check=True, capture_output=True, timeout=240)
    return [folder / f"{path.stem}.{form.partition(':')[0]}" for path in paths]


@cache
def _office() -> _Office:
    """It takes longer to start than to convert most files, and stays as long as it has a document open.

    That it has, it says by a file beside the document.
    """
    folder = Path(tempfile.mkdtemp(prefix="office-"))
    openpyxl.Workbook().save(folder / "open.xlsx")
    command = [program("soffice"), f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"]
    given = [*command, "--norestore", "--nologo", str(folder / "open.xlsx")]
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(given, env=_IN_TURN, stdout=nothing, stderr=nothing, start_new_session=True)
    deadline = time.monotonic() + _SECONDS_TO_START
    while not (folder / ".~lock.open.xlsx#").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return _Office(command, folder, process)


def close() -> None:
    """End it, if it was started."""
    if _office.cache_info().currsize:
        office = _office()
        _office.cache_clear()
        with suppress(ProcessLookupError):
            os.killpg(office.process.pid, signal.SIGKILL)
        office.process.wait()
        shutil.rmtree(office.folder, ignore_errors=True)
