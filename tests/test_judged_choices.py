"""The readers' choices on the lesson sheets against the engine, recalculated by programs we did not write."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests import judges
from tests.judges import Cells, Changes
from tests.sheets import filled_by
from tests.test_judges import QUICK_JUDGES, TEMPLATES, assert_agree, variants
from xlbackprop import Definition, build, load
from xlbackprop.derivation.equations import derive
from xlbackprop.workbook.sheets import gradient_check, learning_rates, loss_surface
from xlbackprop.workbook.sheets.loss_surface import View

Fillers = Mapping[str, Callable[..., object]]
"""How sheets are filled when the reader has chosen something on them, by the name of the sheet."""
ChoiceVariant = tuple[str, Fillers, Changes]


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
        (title, learning_rates.rate_cell(index)): rate for index, rate in enumerate(rates.rates or ())
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


@pytest.mark.thorough
@pytest.mark.parametrize("template", TEMPLATES)
def test_quick_judges_agree_on_lesson_sheets(template: str, tmp_path: Path) -> None:
    definition = load(template, iterations=8)
    generated = build(definition, tmp_path / "book.xlsx")
    for name, changes, expected in _lesson_variants(definition, generated, tmp_path, SOME_CHANGES):
        allowed = judges.allowances(derive(definition).learned, expected)
        for judge in QUICK_JUDGES:
            assert_agree(judge(generated, changes), expected, f"{template} {name}", allowed)


@pytest.mark.thorough
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
def test_absurd_choices_show_no_error_in_programs(judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    definition = load(iterations=3)
    generated = build(definition, tmp_path / "book.xlsx")
    _, _, sensible = next(choice_variants(definition))
    typed: dict[str, float | str | None] = {
        "text": "a word",
        "huge": 1e300,
        "negative": -1e300,
        "zero": 0.0,
        "nothing": None,
    }
    files = [judges.changed(generated, dict.fromkeys(sensible, value), name) for name, value in typed.items()]
    (tmp_path / "judged").mkdir()
    for file, actual in zip(files, judge(files, tmp_path / "judged"), strict=True):
        errors = {cell: value for cell, value in actual.items() if str(value).startswith("#")}
        assert not errors, file.stem


@pytest.mark.slow
@pytest.mark.parametrize(("template", "judge"), [("classic", judges.libreoffice), ("mazur", judges.gnumeric)])
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
    for variant in variants(definition, "compact"):
        if variant.name in wanted:
            yield variant.name, variant.changes, _expected(variant.definition, folder, kept, variant.iteration)
    for name, fillers, changes in choice_variants(definition):
        yield name, changes, _expected(definition, folder, fillers)


def _expected(definition: Definition, folder: Path, fillers: Fillers, iteration: int = 0) -> Cells:
    """The values that a workbook of this very definition carries when its sheets are filled in this way."""
    with filled_by(fillers):
        return judges.carried(build(definition, folder / "expected.xlsx", iteration=iteration))
