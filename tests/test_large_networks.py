"""Large networks on the Walkthrough: a picture and a derivation that can still be read, and no time lost on them."""

from __future__ import annotations

import re
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import judges
from tests.books import opened
from tests.networks import definitions, sized
from tests.sheets import LAPTOP, WIDEST_CHARACTER, width_of
from xlbackprop import Definition, build, load
from xlbackprop.derivation.equations import derive
from xlbackprop.network.activations import SIGMOID
from xlbackprop.network.loading import parse
from xlbackprop.network.names import derivative, layer_title, short_label
from xlbackprop.symbols.expression import Builtin, Call, Number, Symbol, abridged, apply, sum_of
from xlbackprop.symbols.mathematics import Mathematics
from xlbackprop.walkthrough.arrangement import SCREEN, Arrangement, arrange
from xlbackprop.walkthrough.boxes import LONGEST_LINE, MOST_LINES, Box, boxes
from xlbackprop.walkthrough.computational_graph import picture
from xlbackprop.walkthrough.diagram import TOP_ROW, Diagram, diagram
from xlbackprop.walkthrough.steps import sections
from xlbackprop.walkthrough.table import compact

SHAPES = [
    (4, 5, 3),
    (3, 8, 8, 2),
    (10, 10, 10),
    (64, 16, 10),
    (5, 30),
    (2, 60, 2),
    (41, 21, 1),
    (39, 1),
    (1, 39, 1),
    (150, 1),
    (3, 45, 4, 45, 2),
    (2, 3, 3, 3, 3, 3, 3, 2),
    (1,) * 40,
]
every_shape = pytest.mark.parametrize("sizes", SHAPES, ids=lambda sizes: "-".join(map(str, sizes[:8])))

MOST_ROWS = 40
CHART_COLUMNS = 8
CLASSIC, CATEGORICAL = load("classic"), "categorical cross-entropy"


def network(*sizes: int, **changes: Any) -> Definition:
    return parse(sized(*sizes, **changes), source="generated")


def arranged(definition: Definition) -> Arrangement:
    return arrange(derive(definition), definition.iterations, "compact")


def written(definition: Definition) -> dict[str, Box]:
    """The boxes by their headings."""
    derivation = derive(definition)
    return {box.heading: box for box in boxes(derivation, compact(derivation))}


def assert_nothing_overlaps(arrangement: Arrangement) -> None:
    """… and every box is on one screen with the network's left edge."""
    picture = arrangement.diagram
    taken = {(node.row, node.column) for node in picture.nodes}
    assert len(taken) == len(picture.nodes)
    titles = {(TOP_ROW, title.column) for title in picture.titles}
    assert len(titles) == len(picture.titles)
    assert not titles & taken
    taken |= titles
    chart = (
        arrangement.chart_row,
        arrangement.chart_column + 1,
        arrangement.chart_last_row,
        arrangement.chart_column + CHART_COLUMNS,
    )
    assert max(box.width for box in arrangement.boxes) <= (
        SCREEN if arrangement.boxes[0].row == TOP_ROW else SCREEN - 0.5
    )
    areas = [(box.row, box.column, box.last_row, box.last_column) for box in arrangement.boxes]
    areas.append((arrangement.free_rows[0], 1, arrangement.table.settings_row, 14))
    for top, left, bottom, right in (chart, *areas):
        cells = {(row, column) for row in range(top, bottom + 1) for column in range(left, right + 1)}
        assert not cells & taken
        assert bottom < arrangement.table.header_row
        taken |= cells


def assert_every_unit_is_shown(picture: Diagram, definition: Definition) -> None:
    names = definition.names
    units = [*names.inputs, *(name for row in (*names.pre_activations, *names.activations) for name in row)]
    wanted = [*units, *names.targets, *names.losses, names.total_loss]
    shown = [node.name for node in picture.nodes]
    assert sorted(set(wanted) - set(shown)) == []
    biases = {bias for row in names.biases for bias in row}
    assert all(shown.count(name) == 1 or name in biases for name in shown)  # one bias may belong to many units


def assert_arrows_cross_nothing(picture: Diagram) -> None:
    occupied: dict[int, set[int]] = {}
    for node in picture.nodes:
        occupied.setdefault(node.column, set()).add(node.row)
    for arrow in picture.arrows:
        start, end = arrow.start, arrow.end
        if start.column == end.column:
            assert not occupied[start.column] & set(range(min(start.row, end.row) + 1, max(start.row, end.row)))
            assert abs(start.row - end.row) > 1
        else:
            rows = set(range(min(start.row, end.row), max(start.row, end.row) + 1))
            for column in range(start.column + 1, end.column):
                assert not occupied.get(column, set()) & rows


@every_shape
def test_nothing_overlaps_and_every_unit_is_shown(sizes: tuple[int, ...]) -> None:
    definition = network(*sizes)
    arrangement = arranged(definition)
    assert_nothing_overlaps(arrangement)
    assert_every_unit_is_shown(arrangement.diagram, definition)
    assert_arrows_cross_nothing(arrangement.diagram)


@pytest.mark.thorough
@settings(max_examples=40)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=4), st.sampled_from([None, 0.1, "each"]))
def test_nothing_overlaps_in_a_network_of_any_size(sizes: list[int], bias: float | str | None) -> None:
    layers = [
        {"units": units} | ({} if bias is None else {"bias": [0.1] * units if bias == "each" else bias})
        for units in sizes[1:]
    ]
    definition = network(*sizes, layers=layers, train_biases=True)
    arrangement = arranged(definition)
    assert_nothing_overlaps(arrangement)
    assert_every_unit_is_shown(arrangement.diagram, definition)
    assert_arrows_cross_nothing(arrangement.diagram)
    assert arrangement.diagram.last_row <= TOP_ROW + MOST_ROWS
    assert all(len(box.box.lines) <= MOST_LINES for box in arrangement.boxes)


@pytest.mark.thorough
@settings(max_examples=60)
@given(definitions())
def test_nothing_overlaps_whatever_the_options_are(definition: Definition) -> None:
    arrangement = arranged(definition)
    assert_nothing_overlaps(arrangement)
    for placed in arrangement.boxes:
        assert len(placed.box.lines) <= MOST_LINES
        assert max(map(len, placed.box.lines)) <= LONGEST_LINE


@every_shape
def test_no_picture_is_higher_than_a_screen(sizes: tuple[int, ...]) -> None:
    assert diagram(network(*sizes).names).last_row <= TOP_ROW + MOST_ROWS


@every_shape
def test_no_box_is_longer_or_wider_than_can_be_read(sizes: tuple[int, ...]) -> None:
    for box in written(network(*sizes)).values():
        assert 1 <= len(box.lines) <= MOST_LINES, box.title
        assert max(map(len, box.lines)) <= LONGEST_LINE, box.title


@pytest.mark.parametrize(
    "titles", [["output layer"], ["hidden layer", "output layer"], ["hidden layer 1", "hidden layer 2", "output layer"]]
)
def test_a_layer_has_one_name_wherever_it_is_told(titles: list[str]) -> None:
    sizes = [2] * (len(titles) + 1)
    assert [layer_title(layer, len(titles)) for layer in range(len(titles))] == titles
    assert [title.text for title in diagram(network(*sizes).names).titles if "layer" in title.text] == titles
    assert [title.text for title in picture(network(*sizes).names, side_by_side=False).titles][1:-1] == titles
    backward = [section.heading for section in sections(derive(network(*sizes))) if "Backward" in section.heading]
    assert backward == [f"Backward pass: {title}" for title in reversed(titles)]


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ((4, 5, 3), [True, True]),
        ((3, 8, 8, 2), [True, False, True]),
        ((10, 10, 10), [False, False]),
        ((39, 1), [True]),
        ((40, 1), [False]),
    ],
)
def test_weights_are_in_the_picture_where_they_have_room(sizes: tuple[int, ...], shown: list[bool]) -> None:
    names = network(*sizes).names
    picture = diagram(names)
    there = {node.name for node in picture.nodes}
    for weights, wanted in zip(names.weights, shown, strict=True):
        assert {weight in there for row in weights for weight in row} == {wanted}
        title = f"{weights[0][0]} … {weights[-1][-1]}"
        assert (title in [title.text for title in picture.titles]) != wanted


@pytest.mark.parametrize(
    ("sizes", "joined"),
    [
        ((4, 5, 3), [20, 15]),
        ((10, 10, 10), [100, 100]),
        ((10, 10, 15), [100, 150]),  # 15 units without gaps
        ((16, 10, 10), [0, 100]),
        ((64, 16, 10), [0, 0]),
        ((41, 3), [0]),  # 123 arrows, but the inputs stand in two columns
        ((39, 1), [39]),
    ],
)
def test_arrows_are_drawn_as_long_as_they_show_something(sizes: tuple[int, ...], joined: list[int]) -> None:
    names = network(*sizes).names
    picture = diagram(names)
    pairs = [(arrow.start.name, arrow.end.name) for arrow in picture.arrows]
    assert len(set(pairs)) == len(pairs)
    for layer, count in enumerate(joined):
        sources = names.activations[layer - 1] if layer else names.inputs
        ends = {weight for row in names.weights[layer] for weight in row} | set(names.pre_activations[layer])
        assert len([1 for start, end in pairs if start in sources and end in ends]) == count
    assert {(output, loss) for output, loss in zip(names.activations[-1], names.losses, strict=True)} <= set(pairs)


def test_what_is_left_out_of_a_box_is_counted() -> None:
    definition = network(64, 16, 10)
    names, there = definition.names, written(definition)
    total = {
        "Forward pass": 2 * 16 + 2 * 10 + 11,
        "Gradients of the output layer": 10 + 160,
        "What reaches the hidden layer: effects add over 10 paths": 10 + 16,
        "Chain rule for the hidden layer": 1024,
        "Gradients of the hidden layer, written out": 16 + 1024,
    }
    for heading, count in total.items():
        lines = there[heading].lines
        more = [int(line.split()[2].replace(",", "")) for line in lines if line.startswith("… and ")]
        assert len(lines) - len(more) + sum(more) == count, heading
        assert min(more) >= 2
    assert there["Chain rule for the hidden layer"].lines[-1] == "… and 1,009 more like these"
    defined = [line.partition(" = ")[0] for line in there["Forward pass"].lines if " = " in line]
    assert defined == ["h1", "h2", "a_h1", "a_h2", "o1", "o2", "a_o1", "a_o2", names.total_loss, "E1"]


def test_sums_that_are_too_long_leave_out_their_middle() -> None:
    first = written(network(64, 16, 10))["Forward pass"].lines[0]
    assert first == "h1 = w1 · i1 + w2 · i2 + w3 · i3 + w4 · i4 + w5 · i5 + w6 · i6 + w7 · i7 + … + w64 · i64"
    assert written(network(4, 5, 3))["Gradients of the hidden layer, written out"].lines[0] == (
        "∂E/∂w1 = ((a_o1 − t1) · a_o1 · (1 − a_o1) · w21 + … + (a_o3 − t3) · a_o3 · (1 − a_o3) · w31)"
        " · a_h1 · (1 − a_h1) · i1"
    )


def test_deltas_that_gradients_refer_to_are_written_down_before_them() -> None:
    there = written(network(10, 10, 10))
    assert there["Gradients of the output layer"].lines[0] == "∂E/∂o1 = (a_o1 − t1) · a_o1 · (1 − a_o1)"
    assert "∂E/∂w101 = ∂E/∂o1 · a_h1" in there["Gradients of the output layer"].lines
    hidden = there["Gradients of the hidden layer, written out"].lines
    assert hidden[0].startswith("∂E/∂h1 = (∂E/∂o1 · w101 + ")
    assert "∂E/∂w1 = ∂E/∂h1 · i1" in hidden
    assert not any(line.startswith("∂E/∂o1 =") for line in written(CLASSIC)["Gradients of the output layer"].lines)


def test_many_layers_are_written_down_from_both_ends() -> None:
    there = written(network(*(1,) * 40))
    assert len(there) == 3 + 3 * 4 + 1
    assert "Hidden layers 34 to 1 in the same way" in there
    forward = there["Forward pass"].lines
    assert forward[:2] == ("h1_1 = w1 · i1", "a_h1_1 = σ(h1_1) = 1/(1 + exp(−h1_1))")
    assert forward[4] == "… and 72 more for the layers between"
    assert forward[-4:] == ("o1 = w39 · a_h38_1", "a_o1 = σ(o1)", "E_total = E1", "E1 = ½(t1 − a_o1)²")
    assert "Hidden layer 1 in the same way" in written(network(*(1,) * 7))
    assert not any("in the same way" in heading for heading in written(network(*(1,) * 6)))


def test_the_classic_boxes_are_complete() -> None:
    for definition in (CLASSIC, load("mazur")):
        lines = [line for box in written(definition).values() for line in box.lines]
        assert not any("…" in line for line in lines)
        assert len(written(definition)) == 6


UPDATES: list[tuple[dict[str, Any], list[str]]] = [
    ({"optimiser": {"name": "gradient descent", "weight_decay": 0.1}}, ["new w5 = w5 − η · (∂E/∂w5 + λ · w5)"]),
    ({"optimiser": "momentum"}, ["v_w5 = μ · old v_w5 + ∂E/∂w5", "new w5 = w5 − η · v_w5"]),
    ({"optimiser": "rmsprop"}, ["v_w5 = ρ · old v_w5 + (1 − ρ) · (∂E/∂w5)²", "new w5 = w5 − η · ∂E/∂w5/(√(v_w5) + ε)"]),
    (
        {"optimiser": "adam", "schedule": "exponential"},
        [
            "m_w5 = β1 · old m_w5 + (1 − β1) · ∂E/∂w5",
            "v_w5 = β2 · old v_w5 + (1 − β2) · (∂E/∂w5)²",
            "c_m = 1 − β1^(iteration + 1)",
            "c_v = 1 − β2^(iteration + 1)",
            "η_k = η · γ^iteration",
            "new w5 = w5 − η_k · m_w5/c_m/(√(v_w5/c_v) + ε)",
        ],
    ),
    ({"schedule": "exponential"}, ["η_k = η · γ^iteration", "new w5 = w5 − η_k · ∂E/∂w5"]),
    (
        {"inputs": [[0, 1], [1, 0]], "targets": [[0, 1], [1, 0]], "batch_size": "all"},
        [
            "∂Ē/∂w5 = (old ∂Ē/∂w5 · (in batch − 1) + ∂E/∂w5)/in batch",
            "new w5 = w5 − η · ∂Ē/∂w5 once the batch is complete, until then w5",
        ],
    ),
]


@pytest.mark.parametrize(("changes", "lines"), UPDATES, ids=[str(changes) for changes, _ in UPDATES])
def test_an_update_that_is_more_than_a_step_has_a_box(changes: dict[str, Any], lines: list[str]) -> None:
    definition = network(2, 2, 2, **changes)
    *_, (heading, box) = written(definition).items()
    assert heading == f"Update: {definition.optimiser.name}"
    assert list(box.lines) == lines
    assert arranged(definition).boxes[-1].box.title == f"7  {heading}"


@pytest.mark.parametrize(
    "changes", [{}, {"inputs": [[0, 1], [1, 0]], "targets": [[0, 1], [1, 0]]}, {"train_biases": True}]
)
def test_a_plain_step_has_none(changes: dict[str, Any]) -> None:
    assert not [heading for heading in written(network(2, 2, 2, **changes)) if heading.startswith("Update")]


def test_abridging() -> None:
    a, b, c, d = map(Symbol, "abcd")
    read = Mathematics().read
    assert read(abridged(sum_of([a, b, c, d]), 3)) == "a + b + … + d"
    assert read(abridged(sum_of([a, b, c]), 3)) == "a + b + c"
    assert read(abridged(Number(1.0) / (1 - sum_of([a, b, c]) * d) ** 2, 2)) == "1/(1 − (a + … + c) · d)²"
    assert read(abridged(Call(SIGMOID, apply(Builtin.MAXIMUM, a, b, c, d)), 2)) == "σ(max(a, …, d))"


def test_deriving_and_arranging_take_next_to_no_time() -> None:
    definition = network(64, 16, 10)
    start = process_time()
    arranged(definition)
    assert process_time() - start < 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    "definition",
    [network(10, 10, 10), network(12, 4, 12, loss=CATEGORICAL, optimiser="adam")],
    ids=["10-10-10", "softmax"],
)
def test_a_large_walkthrough_recalculates_to_what_it_carries(definition: Definition, tmp_path: Path) -> None:
    path = build(definition, tmp_path / "book.xlsx", sheets=["walkthrough"])
    there, carried = judges.ironcalc_judge(path, {}), judges.carried(path)
    assert there.keys() == carried.keys()
    assert not judges.errors(there)
    for cell, value in carried.items():
        assert there[cell] == pytest.approx(value, rel=judges.RELATIVE_TOLERANCE, abs=judges.ABSOLUTE_TOLERANCE), cell


@pytest.mark.thorough
def test_the_sheet_holds_what_was_arranged(tmp_path: Path) -> None:
    definition = network(64, 16, 10)
    arrangement = arranged(definition)
    sheet = opened(build(definition, tmp_path / "book.xlsx", sheets=["walkthrough"]), "Walkthrough")["Walkthrough"]
    for node in arrangement.diagram.nodes:
        shown = sheet.cell(node.row, node.column).value  # a text, as a format of its own for each would be too many
        assert shown.startswith(f'="{short_label(node.name)} = "&')
        assert set(re.findall(r"\b[A-Z]+\d+\b", shown.partition("&")[2])) - {"LOG10"} == {
            arrangement.table.cell(node.name)
        }
    for placed in arrangement.boxes:
        column = [sheet.cell(row, placed.column).value for row in range(placed.row, placed.last_row + 1)]
        assert column == [placed.box.title, *placed.box.lines]
    gradient = derivative(definition.names.total_loss, "w1")
    assert sheet[f"{arrangement.table.letter(gradient)}{arrangement.table.header_row}"].value == gradient
    (chart,) = (each for each in sheet._charts if each.anchor.to.row == arrangement.chart_last_row)
    assert chart.anchor._from.row == arrangement.chart_row - 1
    assert re.fullmatch(r"'?Walkthrough'?!\$\w+\$\d+:\$\w+\$\d+", chart.series[0].yVal.numRef.f)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 1, 1), (2, 2, 2), (3, 2)])
def test_the_chain_rule_says_nothing_twice(sizes: tuple[int, ...]) -> None:
    derivation = derive(network(*sizes))
    (box,) = (each for each in boxes(derivation, compact(derivation)) if each.heading.startswith("Chain rule for w"))
    bare = [line.replace("(", "").replace(")", "") for line in box.lines]
    assert len(set(bare)) == len(bare), box.lines


@pytest.mark.parametrize("sizes", [(2, 5, 3), (3, 4, 4, 2), (2, 2, 2, 2), (2, 3, 3, 1), (4, 3)])
def test_a_chart_of_the_first_screen_is_seen_whole(sizes: tuple[int, ...], tmp_path: Path) -> None:
    """In a wide font, too: beside a network that leaves no room for it there is none, but a small one beside η."""
    path = build(network(*sizes), tmp_path / "book.xlsx", sheets=["walkthrough"])
    sheet = opened(path, "Walkthrough")["Walkthrough"]
    seen = LAPTOP / (sheet.sheet_view.zoomScale / 100)
    row = next(cell.row for cell in sheet["F"] if cell.value == "η =")
    first = [chart for chart in sheet._charts if chart.anchor.to.row <= row]
    assert first
    for chart in first:
        assert sum(width_of(sheet, column) for column in range(1, chart.anchor.to.col + 1)) * WIDEST_CHARACTER <= seen
