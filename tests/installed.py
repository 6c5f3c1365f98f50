"""Programs that have to be installed for the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

IN_CI = os.environ.get("CI") == "true"


def program(name: str) -> str:
    """The path of a program; where it is missing the test is skipped, but fails in CI, which installs it."""
    found = shutil.which(name)
    if found is None:
        if IN_CI:
            pytest.fail(f"{name} has to be installed in CI")
        pytest.skip(f"{name} is not installed")
    return found


def convert(paths: Sequence[Path], folder: Path, form: str) -> list[Path]:
    """Files as LibreOffice saves them in another form, into a folder, all in one start of the program.

    One that stays open for further conversions would save their starts, but comes to stand still while it reads the
    sheets of a file at once.
    """
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [program("soffice"), profile, "--headless", "--convert-to", form, "--outdir", str(folder)]
    subprocess.run([*command, *map(str, paths)], check=True, capture_output=True, timeout=240)
    return [folder / f"{path.stem}.{form.partition(':')[0]}" for path in paths]
