"""The package: the wheel alone, installed in an empty folder, builds the workbooks of the templates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_builds_the_templates(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(PROJECT)]
    subprocess.run([*pip, *wheel], check=True, timeout=120)
    (built,) = tmp_path.glob("*.whl")
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    subprocess.run([*pip, "install", "--no-deps", "--target", str(installed), str(built)], check=True, timeout=120)
    assert (installed / "xlbackprop" / "py.typed").is_file()  # the types are told to programs
    assert list(installed.glob("*.dist-info/licenses/LICENSE"))
    environment = os.environ | {"PYTHONPATH": str(installed)}
    code = "import xlbackprop; print(xlbackprop.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(where.stdout.strip()).is_relative_to(installed)
    for template in ("classic", "iris-mini"):  # the latter has its samples in a file
        command = [sys.executable, "-m", "xlbackprop", "build", template]
        subprocess.run(command, cwd=empty, env=environment, check=True, timeout=60)
        assert (empty / "output" / f"{template}.xlsx").is_file()
