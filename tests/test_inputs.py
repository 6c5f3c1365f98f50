"""What may be typed: every extreme that a cell takes by its own validation leaves no error value anywhere."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests import judges
from tests.books import build
from tests.cases import thorough_but
from tests.inputs import Input, Typed, inputs
from tests.judges import Changes
from tests.networks import sized, with_few_samples
from xlbackprop import Definition, UserError, load
from xlbackprop.network.loading import parse
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.optimisers import OPTIMISERS
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.templates import names

ITERATIONS = 3
SAMPLES: dict[str, Any] = {"inputs": [[0, 1], [1, 0]], "targets": [[0, 1], [1, 0]]}
OTHERS: Mapping[str, dict[str, Any]] = {
    **{schedule: {"schedule": schedule} for schedule in SCHEDULES if schedule != "constant"},
    **{optimiser: {"optimiser": optimiser} for optimiser in OPTIMISERS if optimiser != "gradient descent"},
    **{loss: {"loss": loss} for loss in LOSSES},
    **{f"{loss}, samples": {"loss": loss, **SAMPLES} for loss in LOSSES},
}
"""What the templates do not have, each in a small network."""

COMBINED: tuple[Callable[[int, Input], Typed], ...] = (
    lambda index, cell: cell.extremes[0],
    lambda index, cell: cell.extremes[1],
    lambda index, cell: cell.extremes[index % 2],
    lambda index, cell: cell.extremes[(index + 1) % 2],
)
"""Which extreme every cell has, where all are changed at once."""


def walkthrough(name: str) -> Definition:
    if name in OTHERS:
        return parse(sized(2, 2, 2, iterations=ITERATIONS, **OTHERS[name]), source=name)
    return with_few_samples(load(name, iterations=ITERATIONS), ITERATIONS)


def typed(index: int, cells: Sequence[Input]) -> Changes:
    """All cells changed at once, by one of the mixtures."""
    return {(cell.sheet, cell.cell): COMBINED[index](number, cell) for number, cell in enumerate(cells)}


@pytest.mark.thorough
@pytest.mark.parametrize("name", thorough_but([*names(), *OTHERS], "classic", "step", "binary cross-entropy, samples"))
def test_no_extreme_that_may_be_typed_makes_an_error(name: str, tmp_path: Path) -> None:
    path = build(walkthrough(name), tmp_path / "book.xlsx")
    cells = inputs(path)
    assert len(cells) > 20
    if name in names():  # each round on about a quarter of the templates, whose sheets are alike
        rounds = list(_rounds(path, cells))[names().index(name) % 4 :: 4]
        mixtures = range(len(COMBINED))
    else:
        rounds, mixtures = [], range(list(OTHERS).index(name) % 2, len(COMBINED), 2)
    for changes in [{}, *rounds, *(typed(index, cells) for index in mixtures)]:
        assert not judges.errors(judges.ironcalc_judge(path, changes)), changes


def _rounds(path: Path, cells: Iterable[Input]) -> Iterator[Changes]:
    """Every extreme of some cells of each kind, one by one, but at once on all sheets that no other sheet reads."""
    alone: list[Changes] = []
    beside = defaultdict[str, list[Changes]](list)
    read = judges.read_by_others(path)
    for cell in _some_of_each_kind(cells):
        for value in cell.extremes:
            where = alone if cell.sheet in read else beside[cell.sheet]
            where.append({(cell.sheet, cell.cell): value})
    yield from alone
    for changes in zip_longest(*beside.values(), fillvalue={}):
        yield dict(ChainMap(*map(dict, changes)))


def _some_of_each_kind(cells: Iterable[Input]) -> list[Input]:
    """The first and the last of the cells of a sheet that take the same."""
    kinds = defaultdict[tuple[object, ...], list[Input]](list)
    for cell in cells:
        kinds[cell.sheet, cell.extremes].append(cell)
    return [cell for alike in kinds.values() for cell in (alike[:1] if len(alike) == 1 else (alike[0], alike[-1]))]


@pytest.mark.slow
def test_nor_in_libreoffice(tmp_path: Path) -> None:
    files = []
    twin = "classic-01-99"  # that is classic, once every number is typed
    others = (name for name in names() if name != twin)
    for place, name in enumerate((*others, "step", "categorical cross-entropy, samples")):
        path = build(walkthrough(name), tmp_path / "book.xlsx")
        changes = typed(1 + place % 2, inputs(path))  # IronCalc has all mixtures of each
        files.append(judges.changed(path, changes, name))
    files.append(judges.changed(path, {("Walkthrough", "G31"): "no number"}, "text"))
    *shown, as_text = judges.shown_by_libreoffice(files, tmp_path)
    assert any(map(judges.is_error, as_text["Walkthrough"]))
    for file, sheets in zip(files, shown, strict=False):
        for title, texts in sheets.items():
            assert not [text for text in texts if judges.is_error(text)], (file.stem, title)


@pytest.mark.parametrize("schedule", ["step", "exponential"])
def test_a_factor_of_nothing_is_refused_in_a_definition_too(schedule: str) -> None:
    with pytest.raises(UserError, match=r"schedule.factor: found 0, expected a number from 0.001 to 1"):
        parse(sized(2, 2, 2, schedule={"name": schedule, "factor": 0}), source="mine.toml")


@pytest.mark.parametrize("several", [False, True], ids=["one sample", "samples"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_target_takes_what_its_loss_does(loss: str, several: bool, tmp_path: Path) -> None:
    definition = walkthrough(f"{loss}, samples" if several else loss)
    path = build(definition, tmp_path / "book.xlsx", sheets=["walkthrough"])
    sheet = openpyxl.load_workbook(path)["Data" if several else "Walkthrough"]
    *_, head = [row for row in sheet.iter_rows() if "t1" in [cell.value for cell in row]]  # also frozen at the top
    heads = {
        str(cell.value): cell for cell in reversed(head) if cell.value in ("t1", "t2", "i1")
    }  # the first of a name
    limits = {cell.cell: cell.extremes[:2] for cell in inputs(path) if cell.sheet == sheet.title}
    below = {name: limits[f"{head.column_letter}{head.row + 1}"] for name, head in heads.items()}
    assert below == {"t1": definition.target_range, "t2": definition.target_range, "i1": (-1e6, 1e6)}
    assert definition.target_range == ((0, 1) if "cross-entropy" in loss else (-1e6, 1e6))
