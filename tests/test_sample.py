"""The committed workbooks: what a teacher without Python downloads is what the code builds."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from tests.books import build
from tests.cases import thorough_but
from xlbackprop import load
from xlbackprop.network.templates import names

HOUSE = Path(__file__).parent.parent
MEASURED = "Gradient check"
"""The sheet whose numbers are differences of two losses over 2ε, which hold half as many digits as the losses."""
_NUMBER = re.compile(r"<v>(-?[0-9.]+(?:e[-+]?[0-9]+)?)</v>")


def committed(sample: str) -> bytes:
    """A sample as git has it, whatever was built over it since; the file itself where there is no git."""
    git = shutil.which("git")
    if git and (HOUSE / ".git").exists():
        return subprocess.run([git, "show", f":{sample}"], cwd=HOUSE, check=True, capture_output=True).stdout
    return (HOUSE / sample).read_bytes()


def parts(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def is_measured(name: str, contents: dict[str, str]) -> bool:
    titles = re.findall('<sheet [^>]*name="([^"]*)"', contents["xl/workbook.xml"])
    sheet = f"xl/worksheets/sheet{titles.index(MEASURED) + 1}.xml"
    return name == sheet or (name.startswith("xl/charts/") and f"'{MEASURED}'!" in contents[name])


@pytest.mark.parametrize("template", thorough_but(names(), "classic"))
def test_a_sample_is_what_the_code_builds(template: str, tmp_path: Path) -> None:
    """To the letter, but for the last digits of values: another processor's `exp` may round them otherwise."""
    place = f"output/{template}.xlsx"
    sample, built = parts(committed(place)), parts(build(load(template), tmp_path / "book.xlsx").read_bytes())
    assert sample.keys() == built.keys()
    for name, text in built.items():
        advice = f"{name}: run `make workbooks` and `git add output`"
        assert _NUMBER.sub("<v/>", sample[name]) == _NUMBER.sub("<v/>", text), advice
        theirs, ours = (list(map(float, _NUMBER.findall(each))) for each in (sample[name], text))
        nearness = 1e-8 if is_measured(name, built) else 1e-12
        assert np.allclose(theirs, ours, rtol=1e-12, atol=nearness), advice


@pytest.mark.parametrize("template", names())
def test_the_readme_shows_every_template(template: str) -> None:
    readme, definition = (HOUSE / "README.md").read_text(encoding="utf-8"), load(template)
    row = next(line for line in readme.splitlines() if f"](output/{template}.xlsx?raw=true)" in line)
    assert f"{definition.title}. {definition.teaches}" in row
    pictures = re.findall(r'src="([^"]*)"', row)
    assert pictures
    assert all((HOUSE / picture).is_file() for picture in pictures)


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_leaves_the_sample_alone() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make"], cwd=HOUSE, check=True, capture_output=True, text=True
    )
    assert "xlbackprop build" in planned.stdout
    planned = subprocess.run(["make", "--dry-run"], cwd=HOUSE, check=True, capture_output=True, text=True)
    assert "xlbackprop build" not in planned.stdout
