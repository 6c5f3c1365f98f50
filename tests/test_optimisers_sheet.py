"""The sheet Optimisers: what it tells, whether programs agree with it, and whether its template keeps its word."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import judges, sheets
from tests.books import build, opened
from tests.cases import thorough_but
from tests.judges import Cells, Changes
from tests.networks import definitions
from tests.test_judges import QUICK_JUDGES, assert_agree
from tests.test_verdicts import losses_of
from xlbackprop import Definition, UserError, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.derivation.quantities import Derivation
from xlbackprop.ground.errors import DefinitionError
from xlbackprop.network.definition import Comparison, Method
from xlbackprop.network.embedded import from_workbook, to_properties
from xlbackprop.network.loading import parse
from xlbackprop.network.optimisers import OPTIMISERS, SETTINGS, WEIGHT_DECAY
from xlbackprop.walkthrough.arrangement import arrange
from xlbackprop.workbook.panels import loss_grid
from xlbackprop.workbook.panels.comparison import THRESHOLD_CELL
from xlbackprop.workbook.panels.run import MOST_COMPARED_ITERATIONS
from xlbackprop.workbook.sheets import optimisers

TITLE = "Optimisers"

SHEET = "optimisers"
NAMES = ["Gradient descent", "Momentum", "RMSprop", "Adam"]
OTHER = {"η": 0.3} | {setting.symbol: round((setting.default + 0.6) / 2, 3) for setting in SETTINGS}
"""Another value for every setting."""


def filled(folder: Path, definition: Definition) -> Cells:
    """The values that the sheet carries."""
    return sheets.filled(folder, definition, SHEET)


def runs_of(definition: Definition) -> list[Derivation]:
    return [derive(compared) for compared in definition.compared]


def row_of(cells: Cells, label: str) -> int:
    """The row of the table that begins with some words."""
    return next(int(address[1:]) for (sheet, address), value in cells.items() if sheet == TITLE and value == label)


def runs_in(cells: Cells, row: int, runs: int) -> list[Any]:
    """What stands in a row of the table, run by run."""
    return [cells[TITLE, f"{'BCDEFG'[index]}{row}"] for index in range(runs)]


def comparison(name: str, learning_rate: float = 0.1, **settings: float) -> Comparison:
    """An optimiser with its settings as they are unless told."""
    known = {setting.key: setting.default for setting in OPTIMISERS[name].settings}
    values = {**known, WEIGHT_DECAY.key: OPTIMISERS[name].decay, **settings}
    return Comparison(optimiser=Method(name=name, settings=values), learning_rate=learning_rate)


EVERY = (
    comparison("gradient descent", 0.5, weight_decay=0.1),
    comparison("momentum", 0.2, weight_decay=0.05),
    comparison("nesterov", 0.2),
    comparison("rmsprop", 0.05, epsilon=0.01, weight_decay=0.1),
    comparison("adam", 0.1, epsilon=0.01, weight_decay=0.1),
    comparison("adamw", 0.1, epsilon=0.01),
)
MANY_SAMPLES: dict[str, Any] = {
    "title": "Five samples",
    "teaches": "Nothing in particular.",
    "inputs": [[0.3, -0.7], [0.9, 0.1], [-0.4, 0.6], [0.2, 0.2], [-0.8, -0.5]],
    "targets": [[0.2], [0.9], [0.5], [0.1], [0.7]],
    "learning_rate": 0.8,
    "iterations": 23,
    "train_biases": True,
    "batch_size": 2,
    "order": "shuffled",
    "seed": 3,
    "optimiser": {"name": "momentum", "momentum": 0.7},
    "schedule": {"name": "step", "every": 3},
    "layers": [
        {"weights": [[0.5, -0.4], [-0.3, 0.8]], "bias": [0.1, -0.2], "activation": "tanh"},
        {"weights": [[0.7, -0.6]], "bias": 0.05, "activation": "identity"},
    ],
}
DEFINITIONS = {
    "template": load("optimisers", iterations=40),
    "every optimiser": replace(load("classic", iterations=12), compare=EVERY),
    "many samples": replace(parse(MANY_SAMPLES, source="many"), compare=EVERY),
}
every_definition = pytest.mark.parametrize(
    "definition", thorough_but(DEFINITIONS.values(), DEFINITIONS["every optimiser"]), ids=DEFINITIONS.keys()
)


# The template keeps its word


@pytest.fixture(scope="module")
def template() -> Definition:
    return load("optimisers")


def test_the_template_has_a_long_narrow_valley(template: Definition) -> None:
    inputs = np.array(template.inputs)
    curvatures = np.linalg.eigvalsh(2 * inputs.T @ inputs / len(inputs))
    assert curvatures[1] > 300 * curvatures[0] > 0


def test_gradient_descent_zigzags_and_then_creeps(template: Definition) -> None:
    trace = train(template.compared[0])
    across = trace["w1"][:: len(template.samples)]
    turns = np.sign(np.diff(across))
    assert list(turns[:6]) == [-1, 1, -1, 1, -1, 1], "from side to side of the valley"
    loss = losses_of(template.compared[0])
    assert loss[-1] < loss[30] < 1.5 * loss[-1], "it falls, and hardly"


def test_gradient_descent_creeps_whatever_its_rate(template: Definition) -> None:
    threshold = small(template)
    reached = {}
    for rate in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.1, 1.15, 1.2, 1.5, 2.0, 10.0):
        loss = losses_of(replace(template.compared[0], learning_rate=rate))
        reached[rate] = bool(np.any(loss < threshold))
    assert not any(reached.values()), reached


def test_momentum_gathers_speed(template: Definition) -> None:
    speed = np.abs(train(template.compared[1])["v_w2"][:: len(template.samples)])
    assert np.all(np.diff(speed[:8]) > 0)
    assert speed[:20].max() > 5 * speed[1]


@pytest.mark.parametrize("index", [2, 3])
def test_rmsprop_and_adam_give_each_weight_a_step_of_its_own(index: int, template: Definition) -> None:
    trace = train(template.compared[index])
    after = len(template.samples)
    gradients = [abs(trace[f"∂Ē/∂{name}"][after - 1]) for name in ("w1", "w2")]
    steps = [abs(trace[name][after] - trace[name][0]) for name in ("w1", "w2")]
    assert gradients[0] > 10 * gradients[1]
    assert steps[0] == pytest.approx(steps[1], rel=1e-4)


def test_all_three_arrive_and_gradient_descent_does_not(template: Definition, tmp_path: Path) -> None:
    cells = filled(tmp_path, template)
    assert runs_in(cells, row_of(cells, "optimiser"), 4) == NAMES
    assert runs_in(cells, row_of(cells, "what happened"), 4) == ["still falling", *["converged"] * 3]
    descent, *others = runs_in(cells, row_of(cells, "trained from epoch"), 4)
    assert descent == "never"
    assert all(4 * first < template.iterations / 1.8 for first in others)
    last = runs_in(cells, row_of(cells, "loss of all after 60 epochs"), 4)
    assert all(10 * loss < last[0] for loss in last[1:])


def small(definition: Definition) -> float:
    """Below what the sheet calls a loss small."""
    return float(f"{losses_of(definition)[0] / 10:.0e}")


# What the sheet tells


@every_definition
def test_names_settings_and_outcomes(definition: Definition, tmp_path: Path) -> None:
    cells, count = filled(tmp_path, definition), len(definition.compare)
    derivations, threshold = runs_of(definition), cells[TITLE, THRESHOLD_CELL]
    assert isinstance(threshold, float)
    for index, (each, compared) in enumerate(zip(definition.compare, definition.compared, strict=True)):
        for name in optimisers.setting_names(derivations):
            setting = next((known for known in SETTINGS if known.symbol == name), None)
            value = each.learning_rate if setting is None else each.optimiser.settings.get(setting.key)
            wanted = value if name in derivations[index].settings else "–"
            assert cells[TITLE, optimisers.setting_cell(derivations, name, index)] == wanted, (each, name)
        loss = losses_of(compared)
        several = len(definition.samples) > 1
        epochs = definition.iterations / len(definition.samples)
        words = f"loss of all after {epochs:g} epochs" if several else f"loss at iteration {definition.iterations - 1}"
        last = runs_in(cells, row_of(cells, words), count)[index]
        assert last == pytest.approx(loss[-1], rel=1e-12)
        above = np.flatnonzero(loss >= threshold)
        since = 0 if not len(above) else above[-1] + 1
        first = runs_in(cells, row_of(cells, f"trained from {'epoch' if several else 'iteration'}"), count)[index]
        assert first == (since if since < len(loss) else "never")


def test_the_first_to_make_the_loss_small_is_named(tmp_path: Path) -> None:
    cells = filled(tmp_path, load("optimisers"))
    row = row_of(cells, "what happened") + 1
    losses = losses_of(load("optimisers").compared[2])
    since = np.flatnonzero(losses >= small(load("optimisers")))[-1] + 1
    assert cells[TITLE, f"B{row}"] == f"Trained first with RMSprop, from epoch {since}"
    with sheets.small_below(0.0):
        cells = filled(tmp_path, load("optimisers"))
    assert cells[TITLE, f"B{row}"] == "With none of these optimisers is the network trained."


def test_an_optimiser_that_runs_twice_is_numbered(tmp_path: Path) -> None:
    compare = (comparison("momentum"), comparison("adam"), comparison("momentum", momentum=0.5))
    cells = filled(tmp_path, replace(load(), compare=compare))
    assert runs_in(cells, row_of(cells, "optimiser"), 3) == ["Momentum 1", "Adam", "Momentum 2"]


def test_a_setting_that_no_run_has_takes_no_row(tmp_path: Path) -> None:
    cells = filled(tmp_path, replace(load(), compare=(comparison("gradient descent"), comparison("momentum"))))
    assert row_of(cells, "μ, the momentum") == row_of(cells, "η, the learning rate") + 1
    rows = 1 + len(OPTIMISERS["momentum"].settings)
    assert row_of(cells, "loss at iteration 67") == row_of(cells, "η, the learning rate") + rows


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("title", "definition", "name"),
    [(TITLE, load("optimisers"), SHEET), ("Learning rates", replace(load("optimisers"), compare=()), "learning-rates")],
)
def test_part_of_an_epoch_is_no_loss_to_judge_by(title: str, definition: Definition, name: str, tmp_path: Path) -> None:
    # the first sample alone is nearly right, so that the mean rises until all of them are in it
    inputs, targets = definition.inputs, definition.targets
    order = (3, 1, 0, 2)
    easy_first = replace(
        definition, inputs=tuple(inputs[index] for index in order), targets=tuple(targets[index] for index in order)
    )
    first = train(easy_first)["E_total"]
    assert 5 * first[0] < first[:4].mean()
    cells = judges.stored(build(easy_first, tmp_path / "book.xlsx", sheets=[name]))
    told = [value for (sheet, _), value in cells.items() if sheet == title]
    assert "still falling" in told
    assert not [value for value in told if value == "went up, now falling"]
    assert cells[title, "B4"] == pytest.approx(first[:4].mean() / 10, rel=0.1)


@pytest.mark.thorough
def test_more_iterations_than_a_classroom_opens_are_left_out(tmp_path: Path) -> None:
    cells = filled(tmp_path, load("optimisers", iterations=MOST_COMPARED_ITERATIONS + 50))
    assert row_of(cells, f"loss of all after {MOST_COMPARED_ITERATIONS // 4} epochs")


# Programs agree


def changes_of(definition: Definition) -> Iterator[tuple[str, Definition, Changes]]:
    """The definition as it is; then all settings of each run in turn changed; then those of all runs."""
    yield "as generated", definition, {}
    derivations, compare = runs_of(definition), definition.compare
    changed = tuple(map(_with_other_settings, compare, derivations))
    changes = [
        {(TITLE, optimisers.setting_cell(derivations, name, index)): OTHER[name] for name in _own(derivation)}
        for index, derivation in enumerate(derivations)
    ]
    for index, change in enumerate(changes):
        one = (*compare[:index], changed[index], *compare[index + 1 :])
        yield f"run {index + 1}", replace(definition, compare=one), change
    yield "all runs", replace(definition, compare=changed), {cell: x for each in changes for cell, x in each.items()}


def _own(derivation: Derivation) -> list[str]:
    """The settings of a run that stand on the sheet."""
    return [name for name in derivation.settings if name in OTHER]


def _with_other_settings(run: Comparison, derivation: Derivation) -> Comparison:
    other = {setting.key: OTHER[setting.symbol] for setting in SETTINGS if setting.symbol in derivation.settings}
    method = replace(run.optimiser, settings={**run.optimiser.settings, **other})
    return replace(run, optimiser=method, learning_rate=OTHER["η"])


def expected(definition: Definition, folder: Path) -> Cells:
    """What the engine gives for every formula cell: the values that a workbook of this very definition carries."""
    return judges.carried(build(definition, folder / "expected.xlsx", sheets=[SHEET]))


@pytest.mark.thorough
@every_definition
def test_quick_judges_agree(definition: Definition, tmp_path: Path) -> None:
    generated = build(definition, tmp_path / "book.xlsx", sheets=[SHEET])
    for name, changed, changes in changes_of(definition):
        wanted = expected(changed, tmp_path)
        for judge in QUICK_JUDGES:
            assert_agree(judge(generated, changes), wanted, f"{name}, {judge.__name__}")


@pytest.mark.thorough
@pytest.mark.parametrize("judge", QUICK_JUDGES)
def test_the_runs_begin_with_the_numbers_of_the_walkthrough(judge: Callable[..., Cells], tmp_path: Path) -> None:
    definition = DEFINITIONS["every optimiser"]
    generated = build(definition, tmp_path / "book.xlsx", sheets=[SHEET])
    table = arrange(derive(definition), definition.iterations, "compact").table
    hidden = replace(definition.layers[0], weights=((-0.9, 0.2), (0.25, 0.3)))
    changed = replace(definition, layers=(hidden, definition.layers[1]), inputs=(0.05, 0.77))
    changes = {("Walkthrough", table.cell("w1")): -0.9, ("Walkthrough", table.cell("i2")): 0.77}
    changes[TITLE, THRESHOLD_CELL] = 0.01
    with sheets.small_below(0.01):
        assert_agree(judge(generated, changes), expected(changed, tmp_path), "w1, i2, threshold")


@pytest.mark.thorough
@pytest.mark.parametrize("judge", QUICK_JUDGES)
def test_enormous_steps(judge: Callable[..., Cells], tmp_path: Path) -> None:
    definition = load("optimisers", iterations=40)
    generated = build(definition, tmp_path / "book.xlsx", sheets=[SHEET])
    derivations = runs_of(definition)
    changed = replace(definition, compare=tuple(replace(each, learning_rate=1e6) for each in definition.compare))
    changes = {(TITLE, optimisers.setting_cell(derivations, "η", index)): 1e6 for index in range(4)}
    assert_agree(judge(generated, changes), expected(changed, tmp_path), "η = 1,000,000")


@pytest.mark.parametrize("judge", QUICK_JUDGES)
def test_a_flat_valley_has_no_dots(judge: Callable[..., Cells], tmp_path: Path) -> None:
    """A softmax of one output is 1 whatever the weights are, and every program rounds and searches in its own way."""
    layers = [{"weights": [[0.3, -0.2]], "activation": "softmax"}]
    content = {"title": "Flat", "teaches": "Nothing moves.", "inputs": [[0.1, 0.7], [-0.9, 0.3]], "targets": [[0], [1]]}
    definition = parse(
        {**content, "layers": layers, "loss": "mean squared error", "iterations": 2, "learning_rate": 1}, source="flat"
    )
    generated = build(replace(definition, compare=EVERY[:2]), tmp_path / "book.xlsx", sheets=[SHEET])
    cells = judge(generated, {})
    assert_agree(cells, judges.carried(generated), "flat")
    sheet = opened(generated, TITLE)[TITLE]
    (level,) = (cell for row in sheet.iter_rows() for cell in row if cell.value == "level")
    found = {cells[TITLE, f"{level.column_letter}{level.row + row}"] for row in range(1, loss_grid.STEPS**2 + 1)}
    assert found == {1}


@pytest.mark.thorough
@settings(max_examples=8)
@given(definitions(), st.lists(st.sampled_from(EVERY), min_size=2, max_size=6))
def test_generated_networks(definition: Definition, compare: list[Comparison]) -> None:
    definition = replace(definition, compare=tuple(compare))
    with tempfile.TemporaryDirectory() as folder:
        generated = build(definition, Path(folder) / "book.xlsx", sheets=[SHEET])
        for judge in QUICK_JUDGES:
            assert_agree(judge(generated, {}), judges.carried(generated), repr(definition))


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
def test_spreadsheet_programs_agree(judge: Callable[..., list[Cells]], tmp_path: Path) -> None:
    files, wanted = [], []
    for title, definition in DEFINITIONS.items():
        folder = tmp_path / title.replace(" ", "-")
        folder.mkdir()
        generated = build(definition, folder / "book.xlsx", sheets=[SHEET])
        for name, changed, changes in list(changes_of(definition))[:: 1 + len(definition.compare)]:
            files.append(judges.changed(generated, changes, f"{folder.name}-{name.replace(' ', '-')}"))
            wanted.append(expected(changed, folder))
    (tmp_path / "judged").mkdir()
    for file, actual, values in zip(files, judge(files, tmp_path / "judged"), wanted, strict=True):
        assert_agree({cell: actual.get(cell) for cell in values}, values, file.stem)


@pytest.mark.thorough
@pytest.mark.parametrize("judge", QUICK_JUDGES)
@every_definition
def test_absurd_choices_show_no_error(definition: Definition, judge: Callable[..., Cells], tmp_path: Path) -> None:
    definition = replace(definition, iterations=8)
    generated = build(definition, tmp_path / "book.xlsx", sheets=[SHEET])
    derivations = runs_of(definition)
    cells = [
        (TITLE, optimisers.setting_cell(derivations, name, index))
        for index, derivation in enumerate(derivations)
        for name in _own(derivation)
    ]
    for absurd in ("a word", 1e300, -1e300, 0.0, None):
        for cell, value in judge(generated, dict.fromkeys([*cells, (TITLE, THRESHOLD_CELL)], absurd)).items():
            assert isinstance(value, int | float | str), (absurd, cell, value)
            assert not str(value).startswith("#"), (absurd, cell, value)
            assert isinstance(value, str) or math.isfinite(value), (absurd, cell, value)


# How it looks


@pytest.mark.thorough
def test_charts_store_every_curve_and_differ_in_more_than_colour(tmp_path: Path) -> None:
    definition = load("optimisers")
    filled(tmp_path, definition)
    linear, logarithmic, *_ = opened(tmp_path / "book.xlsx", TITLE)[TITLE]._charts
    assert logarithmic.y_axis.scaling.logBase == 10
    assert linear.y_axis.scaling.logBase is None
    for chart in (linear, logarithmic):
        lines = [series.graphicalProperties.line for series in chart.series]
        assert len({line.prstDash for line in lines}) == len({line.solidFill for line in lines}) == 4
        for series, name, compared in zip(chart.series, NAMES, definition.compared, strict=True):
            assert series.tx.strRef.strCache.pt[0].v == name
            points = [point.v for point in series.yVal.numRef.numCache.pt]
            losses = losses_of(compared)
            shown = np.minimum(2 * losses[0], losses) if chart is linear else losses
            np.testing.assert_allclose(points, shown, rtol=1e-9)


@pytest.mark.thorough
def test_the_paths_begin_together_and_go_where_the_weights_go(tmp_path: Path) -> None:
    definition = load("optimisers")
    filled(tmp_path, definition)
    *_, chart = opened(tmp_path / "book.xlsx", TITLE)[TITLE]._charts
    for series, compared in zip(chart.series[3:], definition.compared, strict=True):
        trace = train(compared)
        for name, numbers in zip(("w1", "w2"), (series.xVal, series.yVal), strict=True):
            np.testing.assert_allclose([float(point.v) for point in numbers.numRef.numCache.pt], trace[name])


def test_a_path_that_leaves_does_not_flatten_the_others(tmp_path: Path) -> None:
    """Where one flies away, the picture is that of the others; where all do, it is that of all."""
    definition = load("optimisers", iterations=24)
    path = build(definition, tmp_path / "book.xlsx", sheets=[SHEET])
    sheet, derivations = opened(path, TITLE)[TITLE], runs_of(definition)
    *_, chart = sheet._charts
    ranges = [
        [axis.numRef.f.rpartition("!")[2].replace("$", "") for axis in (series.xVal, series.yVal)]
        for series in chart.series[3:]
    ]

    def drawn_and_true(rates: tuple[float, ...]) -> tuple[Any, Any]:
        changes = {(TITLE, optimisers.setting_cell(derivations, "η", run)): rate for run, rate in enumerate(rates)}
        cells = judges.ironcalc_judge(path, changes)
        ways = [[[cells[TITLE, cell.coordinate] for (cell,) in sheet[each]] for each in run] for run in ranges]
        compare = map(lambda each, rate: replace(each, learning_rate=rate), definition.compare, rates)
        traces = [train(each) for each in replace(definition, compare=tuple(compare)).compared]
        return np.array(ways, float), np.array([[trace["w1"], trace["w2"]] for trace in traces])

    drawn, true = drawn_and_true((3.0, 0.5, 0.1, 0.5))
    np.testing.assert_allclose(drawn[1:], true[1:], rtol=1e-9)
    low, high = true[1:].min(axis=(0, 2)), true[1:].max(axis=(0, 2))
    edges = [edge[:, None] for edge in (low - 0.1 * (high - low), high + 0.1 * (high - low))]
    clipped = np.clip(true[0], *edges)
    left = int(np.argmax((clipped != true[0]).any(axis=0)))
    assert 0 < left < 20
    np.testing.assert_allclose(drawn[0][:, :left], true[0][:, :left], rtol=1e-9)
    np.testing.assert_allclose(
        drawn[0][:, left:], np.repeat(clipped[:, [left]], true.shape[2] - left, axis=1), rtol=1e-9
    )
    drawn, true = drawn_and_true((1e6,) * 4)
    np.testing.assert_allclose(drawn, true, rtol=1e-6)


def test_behind_the_paths_are_dots_of_equal_loss_around_the_lowest(tmp_path: Path) -> None:
    definition = load("optimisers", iterations=24)
    path = build(definition, tmp_path / "book.xlsx", sheets=[SHEET])
    sheet = opened(path, TITLE)[TITLE]
    *_, chart = sheet._charts
    cells = judges.ironcalc_judge(path, {("Walkthrough", "J33"): -0.7, ("Data", "D6"): 2.5})
    inputs, targets = np.array(definition.inputs), np.array(definition.targets)[:, 0]
    targets[0] = 2.5

    def numbers(reference: str) -> list[float]:
        found = sheet[reference.rpartition("!")[2].replace("$", "")]
        rows = found if isinstance(found, tuple) else ((found,),)
        return [float(str(cells[TITLE, cell.coordinate])) for (cell,) in rows]

    def losses(points: list[tuple[float, float]]) -> np.ndarray:
        return np.array([np.mean((targets - inputs @ np.array(point)) ** 2) for point in points])

    dots = [
        list(zip(*(numbers(each.numRef.f) for each in (series.xVal, series.yVal)), strict=True))
        for series in chart.series
    ]
    *sides, lowest = dots[:3]
    steps = loss_grid.STEPS
    first = next(cell for row in sheet for cell in row if cell.value == "level 0")
    levels = [cells[TITLE, first.offset(1, level).coordinate] for level in range(7)]
    paths = np.concatenate([np.array(path) for path in dots[3:]])
    grids = [
        np.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), steps)
        for low, high in zip(paths.min(0), paths.max(0), strict=True)
    ]
    grid = [(x, y) for y in grids[1] for x in grids[0]]
    there = losses(grid)
    assert lowest == [pytest.approx(grid[int(np.argmin(there))])]
    assert levels == pytest.approx([there.min() + (there.max() - there.min()) * (level / 7) ** 2 for level in range(7)])
    for back, side in zip((1, steps), sides, strict=True):
        moving = 0
        for point, dot in enumerate(side):
            ends = there[[point - back, point]]
            passed = [level for level in levels if ends.min() < level <= ends.max()]
            if point < back or (back == 1 and point % steps == 0) or not passed:
                assert dot == lowest[0]
                continue
            share = (passed[-1] - ends[1]) / (ends[0] - ends[1])
            wanted = np.array(grid[point]) + (np.array(grid[point - back]) - np.array(grid[point])) * share
            assert dot == pytest.approx(wanted, abs=1e-9)
            moving += 1
        assert moving > steps


def test_a_loss_of_more_than_two_weights_has_no_dots_of_equal_loss(tmp_path: Path) -> None:
    path = build(DEFINITIONS["every optimiser"], tmp_path / "book.xlsx", sheets=[SHEET])
    *_, chart = opened(path, TITLE)[TITLE]._charts
    assert len(chart.series) == len(EVERY)


@pytest.mark.thorough
@pytest.mark.parametrize("runs", [1, 6])
def test_it_fits_a_laptop_and_its_charts_are_told(runs: int, tmp_path: Path) -> None:
    filled(tmp_path, replace(load("mazur"), compare=EVERY[:runs]))
    sheets.assert_fits_a_laptop(tmp_path, TITLE)
    sheets.assert_charts_are_told(tmp_path, TITLE, 3)
    sheet = opened(tmp_path / "book.xlsx", TITLE)[TITLE]
    (page_break,) = sheet.row_breaks.brk
    assert not [chart for chart in sheet._charts if chart.anchor._from.row < page_break.id < chart.anchor.to.row]
    assert page_break.id <= max(chart.anchor._from.row for chart in sheet._charts), "on a page of its own"


def test_every_choice_is_blue_and_limited(tmp_path: Path) -> None:
    definition = DEFINITIONS["every optimiser"]
    filled(tmp_path, definition)
    sheet = opened(tmp_path / "book.xlsx", TITLE)[TITLE]
    typed = {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.style == "Input cell"}
    limited = {str(rule.sqref) for rule in sheet.data_validations.dataValidation}
    counts = [len(derivation.settings) for derivation in runs_of(definition)]
    assert typed == limited
    assert len(typed) == 1 + sum(counts)


# Definitions


def test_a_workbook_that_compares_nothing_has_no_such_sheet(tmp_path: Path) -> None:
    assert TITLE not in sheets.shown(build(load(), tmp_path / "book.xlsx"))
    with pytest.raises(UserError, match="its definition compares nothing"):
        build(load(), tmp_path / "other.xlsx", sheets=[SHEET])


def test_the_comparisons_stay_in_the_workbook() -> None:
    definition = load("optimisers")
    assert from_workbook(to_properties(definition), ()) == definition


def test_what_a_run_is_set_by() -> None:
    sections = [{"optimiser": {"name": "adam", "beta1": 0.5}}, {"name": "momentum", "learning_rate": 0.25}]
    adam, momentum = parse(MANY_SAMPLES | {"compare": sections}, source="mine.toml").compared
    assert (adam.optimiser.settings["beta1"], adam.learning_rate, adam.compare) == (0.5, 0.8, ())
    assert (momentum.optimiser.settings["momentum"], momentum.learning_rate) == (0.9, 0.25)
    assert momentum.schedule.name == "step"


ADAM = {"optimiser": "adam"}


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        ([ADAM] * 7, "compare: found 7 sections, expected 6 at most"),
        ("adam", 'compare: found the text "adam", expected [[compare]] sections'),
        ([ADAM, {"optimiser": "adm"}], 'compare[2].optimiser: found the text "adm", expected one of "gradient'),
        ([ADAM, {"learning_rate": 1}], "compare[2]: found no name, expected one of"),
        ([ADAM, ADAM | {"beta1": 0.5}], "compare[2].beta1: found an unknown key, expected a known one"),
        ([ADAM, {"name": "adam", "beta3": 0.5}], "compare[2].beta3: found an unknown key, expected a setting of adam"),
        ([ADAM, ADAM | {"learning_rate": -1}], "compare[2].learning_rate: found -1, expected a number from 0"),
        (
            [ADAM, {"optimiser": {"name": "adam", "beta1": 1}}],
            "compare[2].optimiser.beta1: found 1, expected a number from 0 to 0.999999",
        ),
    ],
)
def test_a_mistake_in_a_comparison_is_named(compare: object, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(MANY_SAMPLES | {"compare": compare}, source="mine.toml")
    assert len(caught.value.problems) == 1
    assert message in str(caught.value)


def test_a_mistaken_rate_of_the_definition_is_told_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(MANY_SAMPLES | {"compare": [ADAM, ADAM], "learning_rate": "fast"}, source="mine.toml")
    assert [problem.key for problem in caught.value.problems] == ["learning_rate"]


def test_every_setting_has_its_place_in_the_table() -> None:
    had = {setting for optimiser in OPTIMISERS.values() for setting in optimiser.settings}
    assert {*had, WEIGHT_DECAY} == set(SETTINGS)
    titles = [optimiser.title for optimiser in OPTIMISERS.values()]
    assert len(set(titles)) == len(titles)


def test_the_workings_show_numbers_too_large_for_their_columns_by_powers_of_ten(tmp_path: Path) -> None:
    definition = load("optimisers", iterations=24)
    sheet = opened(build(definition, tmp_path / "book.xlsx", sheets=[SHEET]), TITLE)[TITLE]
    ranges = [rule.sqref for rule in sheet.conditional_formatting]
    working = [cell for row in sheet.iter_rows(min_row=30) for cell in row if cell.style == "Label cell"]
    columns = [cell for cell in working if cell.value not in ("sample", "epoch", "in batch", "batch size", "update")]
    below = [cell.offset(row=2).coordinate for cell in columns if cell.offset(row=2).data_type in ("n", "f")]
    assert len(below) > 4 * 8
    assert [cell for cell in below if not any(cell in cells for cells in ranges)] == []
