"""`check` of generated trainings in generated layouts: a right one is right, a slip is found at its cells alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.generated_sheets import Network, networks, slips, write
from tests.reports import check
from xlbackprop.ground.grid import address, cells_of

SETTINGS = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.thorough
@settings(SETTINGS, max_examples=6)
@given(network=networks())
def test_a_right_training_is_called_right(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "right.xlsx"
    write(path, network)
    report = check(path)
    assert (report.status, report.findings) == ("ok", ()), report


@settings(SETTINGS, max_examples=8)
@given(data=st.data(), network=networks(("sigmoid", "softplus", "tanh"), ("translated", "missing")))
def test_a_slip_is_found_at_its_cells_and_nowhere_else(data: st.DataObject, network: Network, tmp_path: Path) -> None:
    """Where most updates are wrong no loss is found that they descend; then the sheet is declined."""
    slip = data.draw(slips(network))
    path = tmp_path / "wrong.xlsx"
    planted = set(write(path, network, slip))
    report = check(path)
    found = {(f.sheet, address(*place)) for f in report.findings for block in f.cells for place in cells_of(block)}
    assert report.status != "ok", report
    assert found in (set(), planted), report
