"""The slips seen in hand-made copies, typed into the sheet Your turn: each is wrong there, and each is named."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests import judges
from tests.books import build
from tests.judges import Changes
from tests.test_your_turn import ONLY, marks, rows, typed
from xlbackprop import Definition, load, train
from xlbackprop.workbook.sheets.your_turn import WRONG

TITLE = "Your turn"

TEMPLATES = ("classic", "classic-01-99", "mazur")
Slip = tuple[str, float, float, str]
"""The line, what is right there, what the slip gives, and the slip in words."""


def slips(definition: Definition) -> Iterator[Slip]:
    """Every slip on every line of a 2-2-2 network with the half squared error, where it makes a difference."""
    for name, right, wrong, words in _all(definition):
        if abs(right - wrong) > 1e-9 * abs(right):
            yield name, right, wrong, words


def _all(definition: Definition) -> Iterator[Slip]:
    names, trace = definition.names, train(definition)
    value = {name: float(trace[name][0]) for name in trace.quantities}
    i1, i2 = (value[name] for name in names.inputs)
    t1, t2 = (value[name] for name in names.targets)
    w1, w2, w3, w4, w5, w6, w7, w8 = (value[f"w{index}"] for index in range(1, 9))
    (h1, h2), (o1, _) = ([value[name] for name in row] for row in names.pre_activations)
    (a1, a2), (y1, y2) = ([value[name] for name in row] for row in names.activations)
    hidden, rate = names.activations[0], definition.learning_rate
    sums, outs = names.pre_activations, names.activations[1]
    g = {index: value[f"∂E/∂w{index}"] for index in range(1, 9)}
    d1, d2 = (y1 - t1) * y1 * (1 - y1), (y2 - t2) * y2 * (1 - y2)
    e1, e2 = d1 * w5 + d2 * w7, d1 * w6 + d2 * w8
    b1, b2 = h1 - w1 * i1 - w2 * i2, o1 - w5 * a1 - w6 * a2

    for name, wrong, words in (
        (sums[0][0], w1 * i2 + w2 * i1 + b1, "inputs exchanged"),
        (sums[0][1], w1 * i1 + w2 * i2 + b1, "the other unit's weights"),
        (sums[0][1], w3 * i1 + w3 * i2 + b1, "the wrong cell in a sum"),
        (sums[1][0], w6 * a1 + w6 * a2 + b2, "the wrong cell in a sum"),
        (sums[1][0], w5 * a2 + w6 * a1 + b2, "activations exchanged"),
        (sums[1][0], w5 * h1 + w6 * a2 + b2, "a pre-activation for its activation"),
        (sums[1][1], w7 * a1 + w8 * h2 + b2, "a pre-activation for its activation"),
        (outs[0], 1 / (1 + math.exp(o1)), "no minus in the exponent"),
        (names.losses[0], (t1 - y1) ** 2, "no half"),
        (names.losses[1], 0.5 * (t1 - y2) ** 2, "the first target for both outputs"),
        (names.losses[1], 0.5 * (t2 - y1) ** 2, "the other output"),
    ):
        yield name, value[name], wrong, words
    for index, (d, a, t, y, other) in {
        5: (d1, a1, t1, y1, a2),
        6: (d1, a2, t1, y1, a1),
        7: (d2, a1, t2, y2, a2),
        8: (d2, a2, t2, y2, a1),
    }.items():
        target, output, delta = (t2, y2, d2) if index < 7 else (t1, y1, d1)
        name, right = f"∂E/∂w{index}", g[index]
        yield name, right, -right, "the sign"
        yield name, right, d * other, "hidden activations exchanged"
        yield name, right, delta * a, "the other output's delta"
        yield name, right, (output - t) * y * (1 - y) * a, "the other output in the difference"
        yield name, right, (y - t) * output * (1 - y) * a, "the other output's activation as a factor"
        yield name, right, (y - t) * y * (1 - output) * a, "the other output's activation in the brackets"
        yield name, right, (y - target) * y * (1 - y) * a, "the other target"
        yield name, right, y * t * y * (1 - y) * a, "output times target"
        yield name, right, (y - t) * (1 - y) * a, "a factor missing"
        yield name, right, (y - t) * y * a, "a factor missing"
        yield name, right, (y - t) * y**2 * (1 - y) * a, "a factor squared"
        yield name, right, (y - t) * y * (1 - y), "a factor missing"
        yield name, right, d * (h1 if a == a1 else h2), "a pre-activation for its activation"
    n5, n6, n7, n8 = (w - rate * g[index] for w, index in ((w5, 5), (w6, 6), (w7, 7), (w8, 8)))
    for unit, right, wrongs in (
        (0, e1, (d1 * w5 + d2 * w6, d1 * w6 + d2 * w8, d1 * n5 + d2 * n7, g[5] + g[7], d2 * w5 + d1 * w7, d1 * w5)),
        (1, e2, (d1 * w7 + d2 * w8, d1 * w5 + d2 * w7, d1 * n6 + d2 * n8, g[6] + g[8], d2 * w6 + d1 * w8, d2 * w8)),
    ):
        kinds = "the wrong row;the other column;already updated;sums of gradients;deltas exchanged;one path only"
        for wrong, words in zip(wrongs, kinds.split(";"), strict=True):
            yield f"∂E/∂{hidden[unit]}", right, wrong, words
    s1, s2 = a1 * (1 - a1), a2 * (1 - a2)
    for index, (e, s, i, first, last, other, h, a) in {
        1: (e1, s1, i1, d1 * w5, d2 * w7, s2, h1, a1),
        2: (e1, s1, i2, d1 * w5, d2 * w7, s2, h1, a1),
        3: (e2, s2, i1, d1 * w6, d2 * w8, s1, h2, a2),
        4: (e2, s2, i2, d1 * w6, d2 * w8, s1, h2, a2),
    }.items():
        name, right = f"∂E/∂w{index}", g[index]
        updated = (d1 * n5 + d2 * n7) if index < 3 else (d1 * n6 + d2 * n8)
        yield name, right, -right, "the sign"
        yield name, right, 0.0, "nothing"
        yield name, right, e * other * i, "the other unit's activation derivative"
        yield name, right, e * h * (1 - h) * i, "h for a_h"
        yield name, right, first + last * s * i, "outer brackets missing"
        yield name, right, e * s, "a factor missing"
        yield name, right, e * a * i, "a factor missing"
        yield name, right, e * s**2 * i, "a factor squared"
        yield name, right, first * s * i + last * s * (i1 + i2 - i), "the other input in one term"
        yield name, right, first * s * (i1 + i2 - i) + last * s * i, "the other input in one term"
        yield name, right, e * s * (i1 + i2 - i), "the other input"
        yield name, right, (e1 + e2 - e) * s * i, "the other unit's slope"
        yield name, right, (d1 * w5 + d2 * w6) * s * i, "the wrong weights downstream"
        yield (
            name,
            right,
            (d1 * w5 + d2 * w7 if index > 2 else d1 * w6 + d2 * w8) * s * i,
            "the other weights downstream",
        )
        yield name, right, updated * s * i, "weights already updated"
        yield name, right, (g[5] + g[7] if index < 3 else g[6] + g[8]) * s * i, "gradients summed"
    for index, weight in enumerate((w1, w2, w3, w4, w5, w6, w7, w8), 1):
        name, right = f"new w{index}", weight - rate * g[index]
        yield name, right, weight, "not updated"
        yield name, right, weight + rate * g[index], "plus for minus"
        for other in (each for each in g if each != index):
            yield name, right, weight - rate * g[other], f"the gradient of w{other}"
        if rate != 1:
            yield name, right, weight - g[index], "no learning rate"
        yield name, right, weight - t2 * g[index], "a learning rate that drifted into the target"


def rounds(definition: Definition) -> Iterator[dict[str, tuple[float, str]]]:
    """The slips in rounds that are typed at once: none of a round is on a line that another one follows from."""

    def stage(slip: Slip) -> str:
        name = slip[0]
        return name[:3] if name.startswith("new") else "∂E/∂w" if name.startswith("∂E/∂w") else name

    for _, found in groupby(sorted(slips(definition), key=stage), key=stage):
        lines: dict[str, list[tuple[float, str]]] = {}
        for name, _, wrong, words in found:
            lines.setdefault(name.replace("_", ""), []).append((wrong, words))
        for turn in range(max(map(len, lines.values()))):
            yield {name: wrongs[turn] for name, wrongs in lines.items() if turn < len(wrongs)}


NAMED = {
    "the sign": "Only the sign is wrong.",
    "already updated": "Already updated: ",
    "weights already updated": "Already updated: ",
    "a factor missing": "Is the factor ",
    "no half": "Is the factor ½ left out?",
    "outer brackets missing": "Are the brackets around the sum left out?",
    "the other output's activation in the brackets": "Does ",
    "the other unit's activation derivative": "Does ",
    "the wrong weights downstream": "Do w5, w6 stand where ",
    "gradients summed": "Are ∂E/∂w",
    "the gradient of w6": "Does ∂E/∂w6 stand where ",
    "plus for minus": "Plus instead of minus?",
    "not updated": "Is the step left out",
    "nothing": "As good as 0: was a small number rounded away",
    "a factor squared": "Is ",
    "the other input in one term": "Does i",
    "the wrong cell in a sum": "Does w",
}
"""How the hint begins."""


def marks_and_hints(
    path: Path, definition: Definition, judge: Callable[[Path, Changes], judges.Cells]
) -> Iterator[tuple[str, str, str, str]]:
    """The line of every slip, the slip, its mark and its hint, typed with all its digits and with six."""
    where = rows(path)
    for typed_once in rounds(definition):
        for digits in (17, 6):
            answers = {name: float(f"{wrong:.{digits}g}") for name, (wrong, _) in typed_once.items()}
            cells = judge(path, typed(path, answers))
            for name, (_, words) in typed_once.items():
                mark, hint = (str(cells[TITLE, f"{column}{where[name]}"]) for column in "DE")
                yield name, words, mark, hint


@pytest.mark.thorough
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_slip_is_wrong_and_every_one_is_named(template: str, tmp_path: Path) -> None:
    definition = load(template, iterations=4)
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY)
    assert sum(1 for _ in slips(definition)) > 180
    seen = list(marks_and_hints(path, definition, judges.ironcalc_judge))
    assert [each for each in seen if each[2] != WRONG] == []
    assert [each for each in seen if each[3].startswith(("Too ", "Nearly", "The sign is wrong: "))] == []
    for words, beginning in NAMED.items():
        hints = {hint for _, each, _, hint in seen if each == words}
        assert hints
        assert {hint for hint in hints if not hint.startswith(beginning)} == set(), words


@pytest.mark.thorough
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_slip_is_wrong_among_right_answers_that_are_rounded(template: str, tmp_path: Path) -> None:
    definition = load(template, iterations=4)
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY)
    right = {
        symbol: float(f"{value:.4g}")
        for name, value in train(definition).at(0).items()
        if (symbol := name.replace("_", "")) in rows(path)
    }
    found = []
    for typed_once in rounds(definition):
        answers = right | {name: float(f"{wrong:.6g}") for name, (wrong, _) in typed_once.items()}
        seen = marks(path, judges.ironcalc_judge(path, typed(path, answers)))
        found += [f"{name}: {words}" for name, (_, words) in typed_once.items() if seen[name] != WRONG]
    assert found == []


@pytest.mark.slow
def test_every_slip_is_wrong_in_libreoffice(tmp_path: Path) -> None:
    definition = load("classic", iterations=4)
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY)
    typed_rounds = list(rounds(definition))[::3]  # IronCalc has them all
    files = [
        judges.changed(path, typed(path, {name: wrong for name, (wrong, _) in each.items()}), f"round-{index}")
        for index, each in enumerate(typed_rounds)
    ]
    (tmp_path / "judged").mkdir()
    found = []
    for each, cells in zip(typed_rounds, judges.libreoffice(files, tmp_path / "judged"), strict=True):
        where = rows(path)
        found += [f"{name}: {words}" for name, (_, words) in each.items() if cells[TITLE, f"D{where[name]}"] != WRONG]
    assert found == []
