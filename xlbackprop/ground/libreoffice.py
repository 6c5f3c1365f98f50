"""LibreOffice as what turns a file into one of another kind."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from xlbackprop.ground import programs

_NAMES = (
    "soffice",
    "libreoffice",
    "/Applications/LibreOffice.app/Contents/MacOS/soffice",
    r"C:\Program Files\LibreOffice\program\soffice.exe",
)


def require(missing: str) -> str:
    """The path of LibreOffice's program.

    Raises:
        UserError: it is not installed; the message is `missing`.
    """
    return programs.require(_NAMES, missing)


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
        return programs.run(command, seconds=seconds, scratch=Path(own))
