"""Workbooks of ours with other activations and losses, given to `check`: right is right, and one mistake is one."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.networks import definitions
from tests.reports import check
from xlbackprop import Definition, build, load
from xlbackprop.checker.checking import checked
from xlbackprop.derivation.equations import derive
from xlbackprop.derivation.quantities import Role
from xlbackprop.network.definition import CONSTANT, GRADIENT_DESCENT, Method
from xlbackprop.network.optimisers import OPTIMISERS
from xlbackprop.walkthrough.arrangement import arrange

by_gradients = definitions().map(
    lambda definition: replace(definition, optimiser=GRADIENT_DESCENT, schedule=CONSTANT, batch_size=1)
)
"""Networks whose updates need no more than the gradients of their own row."""


@pytest.mark.thorough
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(definition=by_gradients)
def test_other_activations_and_losses_are_judged(definition: Definition, tmp_path: Path) -> None:
    report = check(build(definition, tmp_path / "ours.xlsx", sheets=["walkthrough"]))
    assert (report.status, report.findings) == ("ok", ()), report


@pytest.mark.thorough
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(definition=by_gradients, data=st.data())
def test_a_mistake_is_found_in_its_cell(definition: Definition, data: st.DataObject, tmp_path: Path) -> None:
    path = build(definition, tmp_path / "ours.xlsx", sheets=["walkthrough"])
    derivation = derive(definition)
    table = arrange(derivation, definition.iterations, "compact").table
    skipped = (Role.ORDER, Role.INPUT, Role.TARGET)
    names = [
        name
        for name in table.quantities
        if derivation[name].expression and derivation[name].role not in skipped and name not in derivation.carried
    ]
    name = data.draw(st.sampled_from(names))
    cell = table.cell(name, data.draw(st.integers(0, definition.iterations - 1)))
    book = openpyxl.load_workbook(path)
    sheet = book["Walkthrough"]
    sheet[cell] = f"=({str(sheet[cell].value).removeprefix('=')})*1.0001+0.01"
    book.save(path)
    report = check(path)
    assume(report.status != "not_recognised")
    assert {block for finding in report.findings for block in finding.cells} == {cell}


@pytest.mark.thorough
@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_is_judged(name: str, tmp_path: Path) -> None:
    settings = {each.key: each.default for each in OPTIMISERS[name].settings} | {"weight_decay": 0.0}
    definition = replace(load(iterations=3), optimiser=Method(name=name, settings=settings))
    report = check(build(definition, tmp_path / "ours.xlsx", sheets=["walkthrough"]))
    assert (report.status, report.findings) == ("ok", ())


@pytest.mark.thorough
@pytest.mark.parametrize("template", ["xor", pytest.param("iris-mini", marks=pytest.mark.thorough)])
def test_batches_are_judged_and_a_mistake_in_them_is_found(template: str, tmp_path: Path) -> None:
    path = build(load(template, iterations=6), tmp_path / "ours.xlsx", sheets=["walkthrough"])
    report = check(path)
    assert (report.status, report.findings) == ("ok", ())
    definition = load(template, iterations=6)
    table = arrange(derive(definition), definition.iterations, "compact").table
    cell = table.cell("∂E/∂w1", definition.iterations // 2)
    book = openpyxl.load_workbook(path)
    book["Walkthrough"][cell] = f"=1.5*({str(book['Walkthrough'][cell].value).removeprefix('=')})"
    book.save(path)
    report = check(path)
    assert report.status != "ok"
    assert {block for finding in report.findings for block in finding.cells} <= {cell}


def test_only_sheets_that_are_judged_are_read(tmp_path: Path) -> None:
    found = checked(build(load(iterations=3), tmp_path / "ours.xlsx", sheets=["walkthrough", "learning rates"]))
    assert found.report.status == "ok"
    assert found.book is not None
    assert [sheet.name for sheet in found.book.sheets if sheet.is_read] == ["Walkthrough"]


@pytest.mark.parametrize(("template", "cell"), [("classic", "A33"), ("classic", "D33"), ("and-or", "L33")])
def test_an_emptied_input_target_or_bias_is_named(template: str, cell: str, tmp_path: Path) -> None:
    path = build(replace(load(template), iterations=3), tmp_path / "ours.xlsx", sheets=["walkthrough"])
    book = openpyxl.load_workbook(path)
    book["Walkthrough"][cell].value = None
    book.save(path)
    report = check(path)
    assert report.status == "not_recognised"
    assert f"Walkthrough!{cell} is read, but empty" in report.message
