"""The cases of a test of which `make quick` tries only some."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark import ParameterSet


def thorough_but(cases: Iterable[object], *quick: object) -> list[ParameterSet]:
    """Cases for `parametrize`: these few, and all others in the full run only."""
    every = list(cases)
    assert all(case in every for case in quick), "a quick case is none of the cases"
    return [pytest.param(case, marks=() if case in quick else pytest.mark.thorough) for case in every]
