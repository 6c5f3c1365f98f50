"""Slips in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from xlbackprop.checker.file.formula import Node
from xlbackprop.checker.judgement.slip import Scene, Slip
from xlbackprop.checker.worlds import ANOTHER_ROW
from xlbackprop.ground.grid import address, column_letter
from xlbackprop.network import LEARNING_RATE


def exchanged(scene: Scene, slip: Slip) -> Slip:
    """A slip that was found by spoiling the right formula, told the right way round."""
    if slip.wrong[0] != "q":
        what = f"the number {slip.wrong[1]:g}" if slip.wrong[0] == "n" else described(slip.wrong)
        return Slip("wrong_formula", f"has {slip.meant} where {what} belongs")
    wrong = str(slip.wrong[1])
    if wrong == slip.meant:
        return Slip("wrong_row", f"takes {wrong} from another row")
    if wrong == LEARNING_RATE:
        return Slip("wrong_learning_rate", f"uses {slip.meant} where the learning rate η belongs")
    partly = " in one place" if slip.words.endswith("in one place") else ""
    return Slip(leaf_kind(slip.meant, wrong), f"uses {slip.meant} where {wrong} belongs{partly}")


@lru_cache(maxsize=4096)
def sort_of(name: str) -> str:
    """Quantities of one sort are those that are taken for one another."""
    for pattern, sort in (
        (r"w\d+", "weight"),
        (r"i\d", "input"),
        (r"t\d", "target"),
        (r"b\d+", "bias"),
        (r"(a_)?[ho]\d(_\d)?", "unit"),
        (r"E\d|E_total", "loss"),
        (r"∂E/∂[wb]\d+", "gradient"),
        (r"∂E\d?/∂(a_)?[ho]\d(_\d)?", "delta"),
        (LEARNING_RATE, "rate"),
    ):
        if re.fullmatch(pattern, name):
            return sort
    return "other"


def leaf_kind(used: str, meant: str) -> str:
    sort = sort_of(meant)
    if sort == sort_of(used) == "other" and "/∂h" in meant:
        return "other_activation"
    if sort == "unit" and sort_of(used) == "unit":
        if used.startswith("a_") != meant.startswith("a_"):
            return "pre_activation" if meant.startswith("a_") else "activation"
        return "other_output" if "o" in used and "o" in meant else "other_activation"
    return {
        "weight": "wrong_weight",
        "input": "wrong_input",
        "target": "wrong_target",
        "gradient": "wrong_gradient",
        "delta": "gradient_for_delta" if sort_of(used) == "gradient" else "wrong_cell",
    }.get(sort, "wrong_cell")


def described(leaf: Node) -> str:
    match leaf:
        case ("q", name, distance):
            return name if distance == 0 else f"{name}"
        case ("x", position, *_):
            return f"the number in {address(*position[1:])}"
        case ("blank", position):
            return f"the empty cell {address(*position[1:])}"
        case ("line", line, *_) | ("col", line, *_):
            return f"column {column_letter(line)}"
        case ("odd", why):
            return str(why)
        case _:
            return "a helper cell"


def row_words(used: int, meant: int) -> tuple[str, str]:
    """The kind and the words for the row that a quantity was taken from."""
    if used == ANOTHER_ROW:
        return "wrong_row", "another row" + (", not from the row above" if meant == -1 else "")
    if meant == -1:
        return (
            ("same_row", "its own row, not from the row above")
            if used == 0
            else ("next_row", "the next row, not from the row above")
        )
    return ("previous_row", "the row above") if used == -1 else ("next_row", "the next row")


def in_words(node: Node) -> str:
    """A factor in words: a quantity, or one minus it."""
    match node:
        case ("q", name, _):
            return str(name)
        case ("-", ("n", 1.0), ("q", name, _)):
            return f"(1 − {name})"
        case ("-", ("n", 1.0), ("^", ("q", name, _), ("n", 2.0))):
            return f"(1 − {name}²)"
        case ("-", ("q", one, _), ("q", other, _)):
            return f"({one} − {other})"
        case ("n", value):
            return "½" if value == 0.5 else f"{value:g}"
        case _:
            return "that stands in brackets"


def listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 2 else names)
