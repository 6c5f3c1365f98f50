"""Every formula cell against the engine, as generated and after changes, recalculated by programs we did not write."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from unittest.mock import patch

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from tests import judges
from tests.judges import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE, Cells, Changes
from tests.networks import definitions
from xlbackprop import Definition, build, load
from xlbackprop.arrangement import arrange
from xlbackprop.derivation import derive
from xlbackprop.workbook import SHEETS
from xlbackprop.workbook.sheets import gradient_check, learning_rates, loss_surface
from xlbackprop.workbook.sheets.loss_surface import View

SHEET = "Walkthrough"
TEMPLATES = ("classic", "mazur")
QUICK_JUDGES = (judges.ironcalc_judge, judges.formualizer_judge)
LEARNING_RATES = (0.0, 0.1, 0.2, 0.5, 0.8, 2.0, 100.0, 1000.0, 1e5, 1e6)

WALKTHROUGH_ONLY = {"walkthrough": SHEETS["walkthrough"]}
"""The table itself, tried with every change; the sheets that refer to it are tried with some of each kind."""

Variant = tuple[str, Definition, Changes]
Fillers = Mapping[str, Callable[..., object]]
"""How sheets are filled when the reader has chosen something on them, by the name of the sheet."""
ChoiceVariant = tuple[str, Fillers, Changes]


def variants(definition: Definition, columns: str) -> Iterator[Variant]:
    """The definition as it is, and with η and then each weight, bias, input and target changed in turn."""
    table = arrange(derive(definition), definition.iterations, columns).table
    yield "as-generated", definition, {}
    for rate in LEARNING_RATES:
        cell = table.learning_rate_cell.replace("$", "")
        yield f"eta-{rate:g}", replace(definition, learning_rate=rate), {(SHEET, cell): rate}
    names = definition.names
    for field, row in (("inputs", names.inputs), ("targets", names.targets)):
        for index, name in enumerate(row):
            values = list(getattr(definition, field))
            values[index] = 0.77
            yield name, replace(definition, **{field: tuple(values)}), {(SHEET, table.cell(name)): 0.77}
    for layer, rows in enumerate(names.weights):
        for unit, row in enumerate(rows):
            for source, name in enumerate(row):
                weights = [list(each) for each in definition.layers[layer].weights]
                weights[unit][source] = -0.9
                changed = replace(definition.layers[layer], weights=tuple(map(tuple, weights)))
                yield name, _with_layer(definition, layer, changed), {(SHEET, table.cell(name)): -0.9}
        for index, name in enumerate(names.biases[layer]):
            biases = list(definition.layers[layer].biases)
            biases[index] = -0.4
            bias = -0.4 if len(biases) == 1 else tuple(biases)
            changed = replace(definition.layers[layer], bias=bias)
            yield name, _with_layer(definition, layer, changed), {(SHEET, table.cell(name)): -0.4}


def choice_variants(definition: Definition) -> Iterator[ChoiceVariant]:
    """What a reader can choose on the lesson sheets, on all of them at once."""
    learned = derive(definition).learned
    last = definition.iterations - 1
    rates = (0.0, 1e5, 0.3, 0.8, 1.0, 2.0, 100.0, 1e6)
    first, other, *_, final = learned
    yield _chosen(
        learned,
        "large-steps",
        learning_rates.Choices(rates=rates, threshold=0.2),
        gradient_check.Choices(iteration=last, epsilon=1e-12, weight=first),
        loss_surface.Choices(View(first, 0.15, 0.2), View(final, None, 1.0), iteration=last),
    )
    yield _chosen(
        learned,
        "coarse",
        learning_rates.Choices(rates=rates[::-1], threshold=0.0),
        gradient_check.Choices(iteration=last // 2, epsilon=0.1, tolerance=1e-3, weight=final),
        loss_surface.Choices(View(other, -3.0), View(first, 1e6, 1e6), iteration=1),
    )
    yield _chosen(
        learned,
        "one-weight-twice",
        learning_rates.Choices(rates=(5.0,) * 8, threshold=1e-9),
        gradient_check.Choices(epsilon=1e-6, tolerance=0.0, weight=other),
        loss_surface.Choices(View(final, 0.0, 1e-9), View(final)),
    )


def _chosen(
    learned: tuple[str, ...],
    name: str,
    rates: learning_rates.Choices,
    check: gradient_check.Choices,
    surface: loss_surface.Choices,
) -> ChoiceVariant:
    fillers = {
        "learning-rates": partial(learning_rates.learning_rates, choices=rates),
        "gradient-check": partial(gradient_check.gradient_check, choices=check),
        "loss-surface": partial(loss_surface.loss_surface, choices=surface),
    }
    title = learning_rates.TITLE
    changes: dict[tuple[str, str], float | str | None] = {
        (title, learning_rates.rate_cell(index)): rate for index, rate in enumerate(rates.rates)
    }
    changes[title, learning_rates.THRESHOLD_CELL] = rates.threshold
    title = gradient_check.TITLE
    changes[title, gradient_check.ITERATION_CELL] = check.iteration
    changes[title, gradient_check.EPSILON_CELL] = check.epsilon
    changes[title, gradient_check.TOLERANCE_CELL] = check.tolerance
    if check.weight:
        changes[title, gradient_check.Places(learned).choice_cell] = check.weight
    title = loss_surface.TITLE
    changes[title, loss_surface.ITERATION_CELL] = surface.iteration
    for direction, view in enumerate((surface.across, surface.upwards)):
        assert view is not None
        for cell, value in zip(
            loss_surface.input_cells(direction), (view.weight, view.centre, view.reach), strict=True
        ):
            changes[title, cell] = value
    return name, fillers, changes


@pytest.mark.parametrize("judge", QUICK_JUDGES)
@pytest.mark.parametrize("columns", ["compact", "full"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_quick_judges_agree(
    template: str, columns: str, judge: Callable[[Path, Changes], Cells], tmp_path: Path
) -> None:
    generated = _built(load(template), tmp_path / "book.xlsx", columns, WALKTHROUGH_ONLY)
    for name, definition, changes in variants(load(template), columns):
        expected = _expected(definition, columns, tmp_path, WALKTHROUGH_ONLY)
        assert_agree(judge(generated, changes), expected, f"{template} {name}")


@pytest.mark.parametrize("template", TEMPLATES)
def test_quick_judges_agree_on_lesson_sheets(template: str, tmp_path: Path) -> None:
    definition = load(template, iterations=8)
    generated = build(definition, tmp_path / "book.xlsx")
    for name, changes, expected in _lesson_variants(definition, generated, tmp_path, SOME_CHANGES):
        allowed = judges.allowances(derive(definition).learned, expected)
        for judge in QUICK_JUDGES:
            assert_agree(judge(generated, changes), expected, f"{template} {name}", allowed)


@pytest.mark.parametrize("absurd", ["a word", 1e300, -1e300, 0.0, None])
def test_absurd_choices_show_no_error(absurd: float | str | None, tmp_path: Path) -> None:
    definition = load(iterations=3)
    generated = build(definition, tmp_path / "book.xlsx")
    _, _, sensible = next(choice_variants(definition))
    for judge in QUICK_JUDGES:
        for cell, value in judge(generated, dict.fromkeys(sensible, absurd)).items():
            assert isinstance(value, int | float | str), (cell, value)
            assert not str(value).startswith("#"), (cell, value)
            assert isinstance(value, str) or math.isfinite(value), (cell, value)


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
@pytest.mark.parametrize(("template", "columns"), [("classic", "compact"), ("mazur", "full")])
def test_spreadsheet_programs_agree(template: str, columns: str, judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    generated = _built(load(template), tmp_path / "book.xlsx", columns, WALKTHROUGH_ONLY)
    files, expected = [], []
    for name, definition, changes in variants(load(template), columns):
        files.append(judges.changed(generated, changes, name))
        expected.append(_expected(definition, columns, tmp_path, WALKTHROUGH_ONLY))
    (tmp_path / "judged").mkdir()
    for file, actual, wanted in zip(files, judge(files, tmp_path / "judged"), expected, strict=True):
        assert_agree({cell: actual.get(cell) for cell in wanted}, wanted, f"{template} {file.stem}")


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
@pytest.mark.parametrize("template", TEMPLATES)
def test_spreadsheet_programs_agree_on_lesson_sheets(template: str, judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    definition = load(template, iterations=20)
    generated = build(definition, tmp_path / "book.xlsx")
    files, expected = [], []
    for name, changes, wanted in _lesson_variants(definition, generated, tmp_path, FEW_CHANGES):
        files.append(judges.changed(generated, changes, name))
        expected.append(wanted)
    (tmp_path / "judged").mkdir()
    for file, actual, wanted in zip(files, judge(files, tmp_path / "judged"), expected, strict=True):
        allowed = judges.allowances(derive(definition).learned, wanted)
        assert_agree({cell: actual.get(cell) for cell in wanted}, wanted, f"{template} {file.stem}", allowed)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(definitions())
def test_generated_networks(definition: Definition) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for columns, sheets in (("compact", SHEETS), ("full", WALKTHROUGH_ONLY)):
            generated = _built(definition, Path(folder) / f"{columns}.xlsx", columns, sheets)
            expected = _carried(generated)
            allowed = judges.allowances(derive(definition).learned, expected) if sheets is SHEETS else {}
            for judge in QUICK_JUDGES:
                assert_agree(judge(generated, {}), expected, repr(definition), allowed)


@pytest.mark.parametrize("judge", QUICK_JUDGES)
def test_a_planted_value_does_not_survive_a_quick_judge(judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    planted = judges.planted(build(load(), tmp_path / "book.xlsx"), SHEET, "R33", 999.0)
    assert judge(planted, {})[SHEET, "R33"] == pytest.approx(0.606477732206728)


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
def test_a_planted_value_does_not_survive_a_program(judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    planted = judges.planted(build(load(), tmp_path / "book.xlsx"), SHEET, "R33", 999.0)
    (tmp_path / "judged").mkdir()
    assert judge([planted], tmp_path / "judged")[0][SHEET, "R33"] == pytest.approx(0.606477732206728)


@pytest.mark.parametrize("judge", QUICK_JUDGES)
def test_a_wrong_formula_is_noticed(judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    generated = build(load(), tmp_path / "book.xlsx")
    expected = _expected(load(), "compact", tmp_path)
    book = openpyxl.load_workbook(generated)
    book[SHEET]["Z33"] = book[SHEET]["Z33"].value.replace("*L33*(1-L33)", "*J33*(1-J33)")
    book.save(generated)
    with pytest.raises(AssertionError, match="Z33"):
        assert_agree(judge(generated, {}), expected, "the original's slip")


def assert_agree(
    actual: Cells, expected: Cells, what: str, allowed: Mapping[tuple[str, str], float] | None = None
) -> None:
    """Every cell is there, is no error, and has the engine's value, but for what `judges.allowances` allows it."""
    assert actual.keys() == expected.keys(), what
    wrong = {
        cell: (actual[cell], value)
        for cell, value in expected.items()
        if not _same(actual[cell], value, (allowed or {}).get(cell, ABSOLUTE_TOLERANCE))
    }
    assert not wrong, f"{what}: {len(wrong)} of {len(expected)} cells, first {next(iter(wrong.items()))}"


def _same(actual: object, expected: object, absolute: float = ABSOLUTE_TOLERANCE) -> bool:
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return math.isclose(actual, expected, rel_tol=RELATIVE_TOLERANCE, abs_tol=max(absolute, ABSOLUTE_TOLERANCE))
    return actual == expected


SOME_CHANGES = ("as-generated", "eta-0", "eta-2", "eta-1000", "eta-1e+05", "i1", "t2", "w1", "w5", "b1")
FEW_CHANGES = ("as-generated", "eta-1000", "w1")
"""For programs that take a second to start and to read each file."""


def _lesson_variants(
    definition: Definition, generated: Path, folder: Path, wanted: tuple[str, ...]
) -> Iterator[tuple[str, Changes, Cells]]:
    """Some changes on the Walkthrough and all of the readers' choices, with what they have to lead to."""
    threshold = judges.stored(generated)[learning_rates.TITLE, learning_rates.THRESHOLD_CELL]
    assert isinstance(threshold, float)
    kept = {
        "learning-rates": partial(learning_rates.learning_rates, choices=learning_rates.Choices(threshold=threshold))
    }
    for name, changed, changes in variants(definition, "compact"):
        if name in wanted:
            yield name, changes, _expected(changed, "compact", folder, {**SHEETS, **kept})
    for name, fillers, changes in choice_variants(definition):
        yield name, changes, _expected(definition, "compact", folder, {**SHEETS, **fillers})


def _built(definition: Definition, path: Path, columns: str, sheets: Fillers) -> Path:
    """A workbook of some sheets only, or of sheets that are filled in another way."""
    with patch.dict(SHEETS, sheets, clear=True):
        return build(definition, path, columns=columns)


def _expected(definition: Definition, columns: str, folder: Path, sheets: Fillers = SHEETS) -> Cells:
    """What the engine gives for every formula cell: the values that a workbook of this very definition carries."""
    return _carried(_built(definition, folder / "expected.xlsx", columns, sheets))


def _carried(path: Path) -> Cells:
    """The value that the file itself carries in every formula cell."""
    values = judges.stored(path)
    return {cell: values[cell] for cell in judges.formula_cells(path)}


def _with_layer(definition: Definition, layer: int, changed: object) -> Definition:
    layers = (*definition.layers[:layer], changed, *definition.layers[layer + 1 :])
    return replace(definition, layers=layers)
