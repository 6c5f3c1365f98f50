"""The committed sample: what a teacher without Python downloads is what the code builds."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from xlbackprop import build, load

HOUSE = Path(__file__).parent.parent
SAMPLE = "output/classic.xlsx"
MEASURED = "Gradient check"
"""The sheet whose numbers are differences of two losses over 2ε, which hold half as many digits as the losses."""
_NUMBER = re.compile(r"<v>(-?[0-9.]+(?:e[-+]?[0-9]+)?)</v>")


def committed() -> bytes:
    """The sample as git has it, whatever was built over it since; the file itself where there is no git."""
    git = shutil.which("git")
    if git and (HOUSE / ".git").exists():
        return subprocess.run([git, "show", f":{SAMPLE}"], cwd=HOUSE, check=True, capture_output=True).stdout
    return (HOUSE / SAMPLE).read_bytes()


def parts(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def is_measured(name: str, contents: dict[str, str]) -> bool:
    titles = re.findall('<sheet [^>]*name="([^"]*)"', contents["xl/workbook.xml"])
    sheet = f"xl/worksheets/sheet{titles.index(MEASURED) + 1}.xml"
    return name == sheet or (name.startswith("xl/charts/") and f"'{MEASURED}'!" in contents[name])


def test_the_sample_is_what_the_code_builds(tmp_path: Path) -> None:
    """To the letter, but for the last digits of values: another processor's `exp` may round them otherwise."""
    sample, built = parts(committed()), parts(build(load(), tmp_path / "classic.xlsx").read_bytes())
    assert sample.keys() == built.keys()
    for name, text in built.items():
        advice = f"{name}: run `xlbackprop build` and `git add {SAMPLE}`"
        assert _NUMBER.sub("<v/>", sample[name]) == _NUMBER.sub("<v/>", text), advice
        theirs, ours = (list(map(float, _NUMBER.findall(each))) for each in (sample[name], text))
        nearness = 1e-8 if is_measured(name, built) else 1e-12
        assert theirs == pytest.approx(ours, rel=1e-12, abs=nearness), advice


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_leaves_the_sample_alone() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make"], cwd=HOUSE, check=True, capture_output=True, text=True
    )
    assert "xlbackprop build" in planned.stdout
    planned = subprocess.run(["make", "--dry-run"], cwd=HOUSE, check=True, capture_output=True, text=True)
    assert "xlbackprop build" not in planned.stdout
