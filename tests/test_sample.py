"""The committed sample: what a teacher without Python downloads is what the code builds."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from xlbackprop import build, load

SAMPLE = Path(__file__).parent.parent / "output" / "classic.xlsx"
_NUMBER = re.compile(r"<v>(-?[0-9.]+(?:e[-+]?[0-9]+)?)</v>")


def parts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_sample_is_what_the_code_builds(tmp_path: Path) -> None:
    """To the letter, but for the last digits of values: another processor's `exp` may round them otherwise."""
    sample, built = parts(SAMPLE), parts(build(load(), tmp_path / "classic.xlsx"))
    assert sample.keys() == built.keys()
    for name, text in built.items():
        assert _NUMBER.sub("<v/>", sample[name]) == _NUMBER.sub("<v/>", text), f"{name}: run `xlbackprop build`"
        theirs, ours = (list(map(float, _NUMBER.findall(each))) for each in (sample[name], text))
        assert theirs == pytest.approx(ours, rel=1e-12, abs=0), f"{name}: run `xlbackprop build`"
