"""Every formula cell against the engine, as generated and after changes, recalculated by programs we did not write."""

from __future__ import annotations

import math
import re
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import judges
from tests.books import build
from tests.judges import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE, Cells, Changes
from tests.networks import definitions
from xlbackprop import Definition, load
from xlbackprop.derivation.equations import derive
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.definition import Layer
from xlbackprop.network.loading import parse
from xlbackprop.walkthrough.arrangement import arrange
from xlbackprop.workbook.sheets import matrices, network, step_by_step, your_turn

SHEET = "Walkthrough"
TEMPLATES = ("classic", "mazur")
ITERATIONS = 8
"""As many as show a training; the judges' time goes with them."""
QUICK_JUDGES = (judges.ironcalc_judge, judges.formualizer_judge)
WITHOUT_CHOICES = ("start-here", "walkthrough", "network", "step-by-step", "your-turn")
"""The sheets that are tried with every change; `test_judged_choices.py` tries the others with some of each kind."""
LEARNING_RATES = (0.0, 0.1, 0.2, 0.5, 0.8, 2.0, 100.0, 1000.0, 1e5, 1e6)
TYPED_APART = 4
"""Of neighbours, each is typed with others."""


class Variant(NamedTuple):
    """A change of some cells, and the definition and chosen iteration whose workbook has to come out of it."""

    name: str
    definition: Definition
    changes: Changes
    iteration: int = 0


def variants(definition: Definition, columns: str) -> Iterator[Variant]:
    """The definition as it is; then η with the iteration, and every input, target, weight and bias, some at a time."""
    table = arrange(derive(definition), definition.iterations, columns).table
    yield Variant("as-generated", definition, {})
    last = definition.iterations - 1
    moments: tuple[tuple[float | str, int], ...] = (
        *((1, 1), (5, 5), (last, last), (1e300, last), (-3, 0), (2.7, 2), ("two", 0)),
        *((0, 0), (0, 0), (0, 0)),  # later ones turn the last digit of a rate this large into the fourth
    )
    cell = table.learning_rate_cell.replace("$", "")
    for rate, (typed, iteration) in zip(LEARNING_RATES, moments, strict=True):
        changes = {(SHEET, cell): rate, **_iteration(typed)}
        yield Variant(f"eta-{rate:g}", replace(definition, learning_rate=rate), changes, iteration)
    names = definition.names
    layers = [name for rows in (*names.weights, names.biases) for row in rows for name in row]
    numbers = {name: 0.77 - 0.13 * place for place, name in enumerate((*names.inputs, *names.targets, *layers))}
    for first in range(TYPED_APART):
        some = dict(list(numbers.items())[first::TYPED_APART])
        changes = {(SHEET, table.cell(name)): number for name, number in some.items()}
        yield Variant(f"typed-{first}", _with_numbers(definition, some), changes)


def _with_numbers(definition: Definition, numbers: Mapping[str, float]) -> Definition:
    names = definition.names

    def row(labels: Sequence[str], values: Sequence[float]) -> tuple[float, ...]:
        return tuple(numbers.get(name, value) for name, value in zip(labels, values, strict=True))

    def layer(weights: Sequence[Sequence[str]], biases: Sequence[str], old: Layer) -> Layer:
        bias = row(biases, old.biases)
        rows = tuple(map(row, weights, old.weights))
        return replace(old, weights=rows, bias=(bias[0] if len(bias) == 1 else bias) if bias else None)

    (sample,) = definition.samples
    inputs, targets = row(names.inputs, sample.inputs), row(names.targets, sample.targets)
    layers = tuple(map(layer, names.weights, names.biases, definition.layers))
    return replace(definition, inputs=inputs, targets=targets, layers=layers)


@pytest.mark.thorough
@pytest.mark.parametrize("columns", ["compact", "full"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_quick_judges_agree(template: str, columns: str, tmp_path: Path) -> None:
    definition = load(template, iterations=ITERATIONS)
    generated = build(definition, tmp_path / "book.xlsx", columns=columns, sheets=WITHOUT_CHOICES)
    step = 1 if (template, columns) in (("classic", "compact"), ("mazur", "full")) else 3
    for variant in list(variants(definition, columns))[::step]:  # templates and columns are tried with all of them
        expected = _expected(variant, columns, tmp_path)
        for judge in QUICK_JUDGES:
            assert_agree(judge(generated, variant.changes), expected, f"{variant.name}, {judge.__name__}")


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
def test_spreadsheet_programs_agree_and_calculate_what_is_planted(judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files, expected = [], []
    for template, columns in (("classic", "compact"), ("mazur", "full")):
        definition = load(template, iterations=ITERATIONS)
        generated = build(definition, tmp_path / f"{template}.xlsx", columns=columns, sheets=WITHOUT_CHOICES)
        for variant in list(variants(definition, columns))[::3]:  # the quick judges have them all
            files.append(judges.changed(generated, variant.changes, f"{template}-{variant.name}"))
            expected.append(_expected(variant, columns, tmp_path))
    (tmp_path / "judged").mkdir()
    planted = judges.planted(tmp_path / "classic.xlsx", SHEET, "R33", 999.0)
    *found, seen = judge([*files, planted], tmp_path / "judged")
    assert seen[SHEET, "R33"] == pytest.approx(0.606477732206728)
    for file, actual, wanted in zip(files, found, expected, strict=True):
        assert_agree({cell: actual.get(cell) for cell in wanted}, wanted, file.stem)


@pytest.mark.thorough
@settings(max_examples=8)
@given(definitions(), st.sampled_from(["compact", "full"]))
def test_generated_networks(definition: Definition, columns: str) -> None:
    _judge_generated(definition, columns, WITHOUT_CHOICES)


@pytest.mark.thorough
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_weighted_sums_beyond_what_exp_takes(activation: str) -> None:
    weights = [weight for size in (300.0, 3000.0, -3000.0) for weight in (size, size / 2)]
    hidden = {"weights": [[weight] for weight in weights], "activation": activation}
    output = {"weights": [[0.5, 0.25] * 3], "activation": "identity"}
    content = {"title": "Large", "teaches": "Nothing.", "inputs": [1.5], "targets": [0.5], "learning_rate": 1e-9}
    _judge_generated(
        parse(content | {"iterations": 3, "layers": [hidden, output]}, source="large"), "compact", WITHOUT_CHOICES
    )


@pytest.mark.thorough
@settings(max_examples=4)
@given(definitions())
def test_generated_networks_with_all_sheets(definition: Definition) -> None:
    _judge_generated(definition, "compact", None)


@pytest.mark.thorough
def test_what_roundings_decide_is_not_judged_and_all_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate of 1000 makes 1E-11 of the roundings of a network that is symmetrical."""
    layers: list[dict[str, object]]
    layers = [{"weights": [[0.0] * 3]}, {"weights": [[0.0]], "bias": 0.0}, {"weights": [[0.0], [1.0]], "bias": 0.0}]
    activations = ("leaky relu", "leaky relu", "softmax")
    content = {
        "title": "Roundings",
        "teaches": "Nothing.",
        "inputs": [[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.1, -0.7, -0.7]],
        "targets": [[1.0, 0.3], [1.0, -0.7], [-0.7, 1.0]],
        "learning_rate": 0.8576,
        "iterations": 3,
        "train_biases": True,
        "layers": [layer | {"activation": name} for layer, name in zip(layers, activations, strict=True)],
        "optimiser": {"name": "gradient descent", "weight_decay": 0.3},
        "schedule": "exponential",
    }
    definition = parse(content, source="roundings")
    sheets = [*WITHOUT_CHOICES, "learning-rates"]

    def off(path: Path, changes: Changes) -> Cells:
        cells = judges.ironcalc_judge(path, changes)
        return cells | {min(place for place in cells if place[0] == "Learning rates"): 7.0}

    monkeypatch.setattr(f"{__name__}.QUICK_JUDGES", (judges.ironcalc_judge,))
    _judge_generated(definition, "compact", sheets)
    monkeypatch.setattr(f"{__name__}.QUICK_JUDGES", (off,))
    with pytest.raises(AssertionError, match=r": 1 of \d+ cells"):
        _judge_generated(definition, "compact", sheets)


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
def test_a_sample_of_generated_networks_in_programs(judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files: list[Path] = []
    expected: list[Cells] = []

    @settings(max_examples=8, derandomize=True, database=None)
    @given(definitions())
    def collect(definition: Definition) -> None:
        if definition.iterations > 1:  # Gnumeric makes #REF! of INDEX in a range of one cell
            files.append(build(definition, tmp_path / f"{len(files)}.xlsx", sheets=WITHOUT_CHOICES))
            expected.append(judges.carried(files[-1]))

    collect()
    (tmp_path / "judged").mkdir()
    for file, actual, wanted in zip(files, judge(files, tmp_path / "judged"), expected, strict=True):
        chance = _digits_of_roundings(file, wanted)
        held = {cell: value for cell, value in wanted.items() if cell not in chance}
        assert_agree({cell: actual.get(cell) for cell in held}, held, file.stem)


def _judge_generated(definition: Definition, columns: str, sheets: Collection[str] | None) -> None:
    iteration = definition.iterations // 2
    with tempfile.TemporaryDirectory() as folder:
        generated = build(definition, Path(folder) / "book.xlsx", columns=columns, sheets=sheets)
        another = build(definition, Path(folder) / "expected.xlsx", columns=columns, sheets=sheets, iteration=iteration)
        expected = judges.carried(another)
        allowed = {}
        if sheets is None and any(title == "Gradient check" for title, _ in expected):
            allowed = judges.allowances(derive(definition).learned, expected, judges.UNBOUNDED)
        changes = _iteration(iteration)
        if any(title == "Matrices" for title, _ in expected):
            changes = {**changes, ("Matrices", matrices.ITERATION_CELL): iteration}
        chance = _digits_of_roundings(generated, expected)
        for judge in QUICK_JUDGES:
            judged = judge(generated, changes)
            for nudge in (*NUDGES, 0.0):
                actual, wanted = ({cell: each[cell] for cell in each.keys() - chance} for each in (judged, expected))
                if not _wrong(actual, wanted, allowed):
                    break
                other = Path(folder) / "nudged.xlsx"
                build(_nudged(definition, nudge), other, columns=columns, sheets=sheets, iteration=iteration)
                nudged = judges.carried(other)
                chance |= {cell for cell, value in wanted.items() if not _same(nudged[cell], value)}
            assert_agree(actual, wanted, repr(definition), allowed)


NUDGES = tuple(sign * size for size in (1e-15, 1e-14) for sign in (1, -1))
"""What is different after these follows from the roundings of who calculates: a relu unit that stands on its kink but
for them has one slope or the other, and a rate of 1000 makes ten digits of them in few iterations."""


def _nudged(definition: Definition, nudge: float) -> Definition:
    """A definition whose inputs, weights and biases are all a little larger, or smaller."""

    def row(numbers: Sequence[float]) -> tuple[float, ...]:
        return tuple(number + nudge * (1 + abs(number)) for number in numbers)

    def layer(each: Layer) -> Layer:
        biases = each.bias if isinstance(each.bias, tuple) else () if each.bias is None else (each.bias,)
        bias = row(biases) if isinstance(each.bias, tuple) else next(iter(row(biases)), None)
        return replace(each, weights=tuple(map(row, each.weights)), bias=bias)

    inputs = tuple(row(each) if isinstance(each, tuple) else row([each])[0] for each in definition.inputs)
    return replace(definition, inputs=inputs, layers=tuple(map(layer, definition.layers)))


def _digits_of_roundings(path: Path, expected: Cells) -> set[tuple[str, str]]:
    """The cells that follow from the digits of a number that is 0 but for roundings, which are chance."""
    formulas = judges.formula_cells(path)
    chance: set[tuple[str, str]] = set()
    for (sheet, cell), formula in formulas.items():
        of = _DIGITS_OF.match(formula)
        number = expected.get((sheet, of[1].replace("$", ""))) if of else None
        if isinstance(number, float) and abs(number) < ABSOLUTE_TOLERANCE:
            chance.add((sheet, cell))
    readers = defaultdict[tuple[str, str], list[tuple[str, str]]](list)
    for (sheet, cell), formula in formulas.items() if chance else ():
        for place in _REFERENCE.findall(formula):
            readers[sheet, place.replace("$", "")].append((sheet, cell))
    ahead = [*chance]
    while ahead:
        reached = set(readers[ahead.pop()]) - chance
        chance |= reached
        ahead += reached
    return chance


_DIGITS_OF = re.compile(r"=INT\(LOG10\(MAX\(ABS\((?:SUM\()?(\$?[A-Z]+\$?\d+)\)")
_REFERENCE = re.compile(r"\$?[A-Z]+\$?\d+")


@pytest.mark.thorough
@pytest.mark.parametrize("judge", QUICK_JUDGES)
def test_a_planted_value_does_not_survive_a_quick_judge(judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    planted = judges.planted(build(load(), tmp_path / "book.xlsx"), SHEET, "R33", 999.0)
    assert judge(planted, {})[SHEET, "R33"] == pytest.approx(0.606477732206728)


@pytest.mark.parametrize("judge", QUICK_JUDGES)
def test_a_wrong_formula_is_noticed(judge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    generated = build(load(), tmp_path / "book.xlsx", sheets=WITHOUT_CHOICES)
    expected = _expected(Variant("as it is", load(), {}), "compact", tmp_path)
    book = openpyxl.load_workbook(generated)
    book[SHEET]["Z33"] = book[SHEET]["Z33"].value.replace("*L33*(1-L33)", "*J33*(1-J33)")
    book.save(generated)
    with pytest.raises(AssertionError, match="Z33"):
        assert_agree(judge(generated, {}), expected, "the original's slip")


def assert_agree(
    actual: Cells, expected: Cells, what: str, allowed: Mapping[tuple[str, str], float] | None = None
) -> None:
    """Every cell is there, is no error, and has the engine's value, but for what `judges.allowances` allows it.

    A judge may leave out the sheet Matrices as a whole.
    """
    assert actual.keys() in (expected.keys(), expected.keys() - judges.of_matrices(expected)), what
    wrong = _wrong(actual, expected, allowed or {})
    assert not wrong, f"{what}: {len(wrong)} of {len(expected)} cells, first {next(iter(wrong.items()))}"


def _wrong(
    actual: Cells, expected: Cells, allowed: Mapping[tuple[str, str], float]
) -> dict[tuple[str, str], tuple[object, object]]:
    """What a cell has and what it should have, where these differ."""
    return {
        cell: (actual[cell], value)
        for cell, value in expected.items()
        if cell in actual and not _same(actual[cell], value, allowed.get(cell, _tolerance(cell[0], value)))
    }


def _tolerance(sheet: str, value: object) -> float:
    """How far a number may be off, absolutely: see `judges.FAR_FROM_LEARNING` for the one sheet that is special."""
    if sheet == "Learning rates" and isinstance(value, int | float):
        return max(ABSOLUTE_TOLERANCE, judges.FAR_FROM_LEARNING * abs(value))
    return ABSOLUTE_TOLERANCE


def _same(actual: object, expected: object, absolute: float = ABSOLUTE_TOLERANCE) -> bool:
    if isinstance(expected, str) and isinstance(actual, judges.WrittenNumber):
        actual = str(actual)
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return math.isclose(actual, expected, rel_tol=RELATIVE_TOLERANCE, abs_tol=max(absolute, ABSOLUTE_TOLERANCE))
    if isinstance(expected, str) and isinstance(actual, str):
        ours, theirs = (_NUMBER.split(text) for text in (expected, actual))
        if ours[::2] != theirs[::2]:
            return False
        return all(_same(_read(one), _read(other)) for one, other in zip(theirs[1::2], ours[1::2], strict=True))
    return actual == expected or (actual in _NOTHING and expected in _NOTHING)


_NOTHING = ("", None)
"""Some programs store an empty text, some leave the cell out."""


_NUMBER = re.compile(r"(\(−\d[\d.]*(?:E[+-]\d+)?\)|−?\d[\d.]*(?:E[+-]\d+)?)")
"""A number in a text as this product writes them, with the brackets that a negative one takes after an operator."""


def _read(number: str) -> float:
    return float(number.strip("().").replace("−", "-"))


def _iteration(typed: float | str | bool) -> Changes:
    return {
        ("Network", network.ITERATION_CELL): typed,
        ("Step by step", step_by_step.ITERATION_CELL): typed,
        ("Your turn", your_turn.ITERATION_CELL): typed,
    }


def _expected(variant: Variant, columns: str, folder: Path) -> Cells:
    """What the engine gives for every formula cell: the values that a workbook of this very definition carries."""
    path = folder / "expected.xlsx"
    return judges.carried(
        build(variant.definition, path, columns=columns, iteration=variant.iteration, sheets=WITHOUT_CHOICES)
    )
