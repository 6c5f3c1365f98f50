"""The readers' choices on the lesson sheets against the engine, recalculated by programs we did not write."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tests import judges
from tests.books import build
from tests.judges import Cells, Changes
from tests.sheets import beginning, small_below
from tests.test_judges import QUICK_JUDGES, TEMPLATES, assert_agree, variants
from xlbackprop import Definition, load
from xlbackprop.derivation.equations import derive
from xlbackprop.ground.grid import address
from xlbackprop.workbook.panels import comparison
from xlbackprop.workbook.sheets import gradient_check, loss_surface, matrices, network

Beginnings = Callable[[], AbstractContextManager[object]]
"""Lets sheets begin with what a reader has chosen on them."""
ChoiceVariant = tuple[str, Definition, Beginnings, Changes]


class View(Struct, frozen=True):
    """One direction of a loss surface as a reader chooses it; None for what the sheet begins with."""

    weight: str
    centre: float | None = None
    reach: float | None = None


class Choices(Struct, frozen=True, kw_only=True):
    """What a reader chooses on the lesson sheets."""

    rates: tuple[float, ...]
    threshold: float
    checked: int = 0
    epsilon: float
    tolerance: float = gradient_check.TOLERANCE
    weight: str
    across: View
    upwards: View
    others: int = 0


def choice_variants(definition: Definition) -> Iterator[ChoiceVariant]:
    """What a reader can choose on the lesson sheets, on all of them at once."""
    learned = derive(definition).learned
    last = definition.iterations - 1
    rates = (0.0, 1e5, 0.3, 0.8, 1.0, 2.0, 100.0, 1e6)
    first, other, *_, final = learned
    chosen = {
        "large-steps": Choices(
            rates=rates,
            threshold=0.2,
            checked=last,
            epsilon=1e-12,
            weight=first,
            across=View(first, 0.15, 0.2),
            upwards=View(final, None, 1.0),
            others=last,
        ),
        "coarse": Choices(
            rates=rates[::-1],
            threshold=0.0,
            checked=last // 2,
            epsilon=0.1,
            tolerance=1e-3,
            weight=final,
            across=View(other, -3.0),
            upwards=View(first, 1e6, 1e6),
            others=1,
        ),
        "one-weight-twice": Choices(
            rates=(5.0,) * 8,
            threshold=1e-9,
            epsilon=1e-6,
            tolerance=0.0,
            weight=other,
            across=View(final, 0.0, 1e-9),
            upwards=View(final),
        ),
    }
    for name, choices in chosen.items():
        changed = replace(definition, learning_rates=choices.rates)
        yield name, changed, partial(_beginning, choices), _typed(learned, choices)


@contextmanager
def _beginning(choices: Choices) -> Iterator[None]:
    views, own = (choices.across, choices.upwards), loss_surface.view
    each = iter(views)

    def view(path: NDArray[np.float64]) -> tuple[float, ...]:
        view = next(each)
        given = zip((view.centre, view.reach), own(path), strict=True)
        return tuple(otherwise if number is None else number for number, otherwise in given)

    with (
        small_below(choices.threshold),
        beginning(
            gradient_check,
            CHECKED_ITERATION=choices.checked,
            EPSILON=choices.epsilon,
            TOLERANCE=choices.tolerance,
            varied_weight=lambda _: choices.weight,
        ),
        beginning(
            loss_surface,
            varied_weights=lambda _: [view.weight for view in views],
            others_from=lambda *_: choices.others,
            view=view,
        ),
    ):
        yield


def _typed(learned: tuple[str, ...], choices: Choices) -> Changes:
    title = "Learning rates"
    changes: dict[tuple[str, str], float | str | None] = {
        (title, address(comparison.NAME_ROW, column)): rate for column, rate in enumerate(choices.rates, 2)
    }
    changes[title, comparison.THRESHOLD_CELL] = choices.threshold
    title = "Gradient check"
    changes[title, gradient_check.ITERATION_CELL] = choices.checked
    changes[title, gradient_check.EPSILON_CELL] = choices.epsilon
    changes[title, gradient_check.TOLERANCE_CELL] = choices.tolerance
    changes[title, gradient_check.Layout(learned).choice_cell] = choices.weight
    title = "Loss surface"
    changes[title, loss_surface.ITERATION_CELL] = choices.others
    for direction, view in enumerate((choices.across, choices.upwards)):
        cells = loss_surface.input_cells(direction)
        for cell, value in zip(cells, (view.weight, view.centre, view.reach), strict=True):
            changes[title, cell] = value
    return changes


@pytest.mark.thorough
@pytest.mark.parametrize("template", TEMPLATES)
def test_quick_judges_agree_on_lesson_sheets(template: str, tmp_path: Path) -> None:
    definition = load(template, iterations=5)
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
    *_, sensible = next(choice_variants(definition))
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
    *_, sensible = next(choice_variants(definition))
    absurd: tuple[float | str | None, ...] = ("a word", 1e300, -1e300, 0.0, None)  # the quick judges have each alone
    files = []
    for first in (0, 1, 3):
        typed = {cell: absurd[(first + place) % len(absurd)] for place, cell in enumerate(sensible)}
        files.append(judges.changed(generated, typed, f"from-{first}"))
    (tmp_path / "judged").mkdir()
    for file, actual in zip(files, judge(files, tmp_path / "judged"), strict=True):
        errors = {cell: value for cell, value in actual.items() if str(value).startswith("#")}
        assert not errors, file.stem


@pytest.mark.slow
@pytest.mark.parametrize(("template", "judge"), [("classic", judges.libreoffice), ("mazur", judges.gnumeric)])
def test_spreadsheet_programs_agree_on_lesson_sheets(template: str, judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    definition = load(template, iterations=5)
    generated = build(definition, tmp_path / "book.xlsx")
    files, expected = [], []
    for name, changes, wanted in _lesson_variants(definition, generated, tmp_path, FEW_CHANGES):
        files.append(judges.changed(generated, changes, name))
        expected.append(wanted)
    (tmp_path / "judged").mkdir()
    for file, actual, wanted in zip(files, judge(files, tmp_path / "judged"), expected, strict=True):
        allowed = judges.allowances(derive(definition).learned, wanted)
        assert_agree({cell: actual.get(cell) for cell in wanted}, wanted, f"{template} {file.stem}", allowed)


SOME_CHANGES = ("as-generated", "eta-0", "eta-2", "eta-1000", "eta-1e+05", "typed-0", "typed-3")
FEW_CHANGES = ("as-generated", "eta-1000", "typed-0")
"""For programs that take a second to start and to read each file."""


def _lesson_variants(
    definition: Definition, generated: Path, folder: Path, wanted: tuple[str, ...]
) -> Iterator[tuple[str, Changes, Cells]]:
    """Some changes on the Walkthrough and all of the readers' choices, with what they have to lead to."""
    threshold = judges.stored(generated)["Learning rates", comparison.THRESHOLD_CELL]
    assert isinstance(threshold, float)
    for variant in variants(definition, "compact"):
        if variant.name in wanted:
            with small_below(threshold):
                expected = judges.carried(
                    build(variant.definition, folder / "expected.xlsx", iteration=variant.iteration)
                )
            typed = variant.changes.get(("Network", network.ITERATION_CELL), 0)
            yield variant.name, {**variant.changes, ("Matrices", matrices.ITERATION_CELL): typed}, expected
    for name, changed, as_chosen, changes in choice_variants(definition):
        with as_chosen():
            expected = judges.carried(build(changed, folder / "expected.xlsx"))
        yield name, changes, expected
