"""Slips: the likely mistake behind a wrong formula, found by mending it or by spoiling the right one alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.check.file.book import address
from xlbackprop.check.file.formula import Node, UnsupportedError, evaluate, leaves, parts, with_parts
from xlbackprop.check.judgement.mutations import (
    bracketed,
    spoiled_factors,
    with_operators,
    without_brackets,
    without_terms,
)
from xlbackprop.check.worlds import ELSEWHERE
from xlbackprop.engine.training import Array
from xlbackprop.network.names import LEARNING_RATE
from xlbackprop.walkthrough.table import column_letter

_LINKS = frozenset({"delta", "other"})
"""The links of the chain rule, which are rarely what was meant."""
_MOST_OCCURRENCES = 6
_MOST_LEAVES = 14


Agreement = NDArray[np.bool_]


class Slip(Struct, frozen=True):
    """A likely mistake: its kind, for programs, and its words, for people; what was meant where one leaf is wrong."""

    kind: str
    words: str
    wrong: Node = ()
    """The leaf that is wrong, when it is one."""
    meant: str = ""
    """The quantity that belongs in its place."""


class Scene(Struct, frozen=True):
    """Everything that a search for the slip needs to know."""

    label: str
    """What the sheet calls the quantity."""
    leaf: Callable[[Node], Array | float | None]
    candidates: Mapping[tuple[str, int], Array]
    """What may belong in a leaf's place: by label and distance, the likelier first."""
    shape: tuple[int, ...]
    close: Callable[[Array, Array], Agreement]
    """Whether two arrays agree, over the last axis."""


def name_formula_slip(scene: Scene, tree: Node, found: Array | None, right: Array, model: Node) -> Slip | None:
    """The slip in a wrong formula.

    Args:
        scene: the worlds it is tried in.
        tree: the formula as it stands, helpers written out.
        found: its values; None when it has none.
        right: the values it should have.
        model: the right formula.
    """
    search = _Search(scene, tree, right)
    return (
        _rounded_euler(scene, tree, right)
        or (search.one_leaf() if any(leaf[0] in {"blank", "odd"} for leaf in leaves(tree)) else None)
        or (_same_as_another(scene, found) if found is not None else None)
        or search.one_leaf()
        or search.another_with_learning_rate()
        or search.brackets()
        or (_factor(scene, found, right) if found is not None else None)
        or search.operator()
        or (_factor_in(scene, model, found) if found is not None else None)
        or (_missing_term(scene, model, found) if found is not None else None)
        or search.product_for_difference()
        or search.twoleaves()
        or (_model_brackets(scene, model, found) if found is not None else None)
        or search.brackets_and_leaf()
        or (_two_in_model(scene, model, found) if found is not None else None)
        or search.one_leaf(any_quantity=True)
    )


def name_value_slip(scene: Scene, model: Node, found: Array, right: Array) -> Slip | None:
    """The slip behind numbers without formulas: the mistake which, made in the right formula, gives them."""
    search = _Search(scene, model, found)
    slip = _same_as_another(scene, found) or search.one_leaf()
    if slip is not None and slip.wrong:
        return _exchanged(scene, slip)
    return (
        slip
        or _factor(scene, found, right)
        or _factor_in(scene, model, found)
        or _missing_term(scene, model, found)
        or _model_brackets(scene, model, found)
        or search.operator(reverse=True)
    )


class _Search:
    """Mends one tree until it gives the target."""

    def __init__(self, scene: Scene, tree: Node, target: Array) -> None:
        self._scene = scene
        self._target = target
        self._places: list[Node] = []
        self._numbered = self._number(tree)
        self._values: list[Array | float | None] = [
            leaf[1] if leaf[0] == "n" else scene.leaf(leaf) for leaf in self._places
        ]
        self._names = sorted(scene.candidates, key=lambda name: _sort(name[0]) in _LINKS)
        self._stack = np.array([scene.candidates[name] for name in self._names])
        self._plain = sum(_sort(name) not in _LINKS for name, _ in self._names)

    def one_leaf(self, tree: Node | None = None, *, any_quantity: bool = False) -> Slip | None:
        """Another quantity in the place of one, everywhere or in some of its places; first those that have columns."""
        numbered = self._numbered if tree is None else tree
        count = len(self._stack) if any_quantity else self._plain
        distinct = list(dict.fromkeys(self._places))[:_MOST_LEAVES]
        for leaf in sorted(distinct, key=lambda leaf: {"blank": 0, "odd": 0, "n": 2}.get(leaf[0], 1)):
            places = [index for index, other in enumerate(self._places) if other == leaf]
            for subset in _subsets(places):
                values = self._with(numbered, dict.fromkeys(subset, self._stack[:count]), (count,))
                if values is None:
                    continue
                fits = np.flatnonzero(self._scene.close(values, self._target))
                for index in fits:
                    if self._names[index] not in (leaf[1:3], (self._scene.label, 0)):
                        return self._slip(leaf, self._names[index], partly=len(subset) < len(places))
        return None

    def another_with_learning_rate(self) -> Slip | None:
        """The update of another weight, whose reference to η has drifted besides."""
        rate = self._scene.candidates.get((LEARNING_RATE, 0))
        if rate is None:
            return None
        for leaf in dict.fromkeys(self._places):
            places = [index for index, other in enumerate(self._places) if other == leaf]
            values = self._with(self._numbered, dict.fromkeys(places, rate), ())
            slip = None if values is None else _same_as_another(self._scene, values)
            if slip is not None and slip.kind == "other_quantity":
                return Slip(slip.kind, slip.words)
        return None

    def twoleaves(self) -> Slip | None:
        """Two other quantities of the same sort, each everywhere."""
        distinct = [leaf for leaf in dict.fromkeys(self._places) if leaf[0] == "q"][:_MOST_LEAVES]
        for one, other in combinations(distinct, 2):
            first, second = self._similar(one), self._similar(other)
            if not first or not second:
                continue
            new: dict[int, Array] = {}
            for index, leaf in enumerate(self._places):
                if leaf == one:
                    new[index] = self._stack[first][:, np.newaxis]
                elif leaf == other:
                    new[index] = self._stack[second][np.newaxis]
            values = self._with(self._numbered, new, (len(first), len(second)))
            if values is None:
                continue
            for i, j in np.argwhere(self._scene.close(values, self._target)):
                right = (self._names[first[i]], self._names[second[j]])
                if one[1:3] != right[0] and other[1:3] != right[1]:
                    meant, wrong = (right[0][0], right[1][0]), (str(one[1]), str(other[1]))
                    if meant == wrong:
                        kind, words = _row_words(one[2], right[0][1])
                        return Slip(kind, f"takes {_listed(wrong)} from {words}")
                    if all(name.startswith("∂E/∂") for name in wrong):
                        words = f"is built from {_listed(wrong)}, each with an activation too many, not from"
                        return Slip("gradient_for_delta", f"{words} {_listed(meant)}")
                    return Slip(_leaf_kind(wrong[0], meant[0]), f"uses {_listed(wrong)} where {_listed(meant)} belong")
        return None

    def brackets(self) -> Slip | None:
        """Brackets that are missing."""
        for variant in bracketed(self._numbered):
            values = self._with(variant, {}, ())
            if values is not None and bool(self._scene.close(values, self._target)):
                return Slip("missing_brackets", self._bracket_words(variant))
        return None

    def brackets_and_leaf(self) -> Slip | None:
        """Brackets missing and one quantity wrong besides."""
        for variant in list(bracketed(self._numbered))[:24]:
            slip = self.one_leaf(variant)
            if slip is not None:
                return Slip("missing_brackets", f"brackets are missing, and it {slip.words}")
        return None

    def operator(self, *, reverse: bool = False) -> Slip | None:
        """One operator that is another: + for −, * for /; or a sign."""
        words = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
        for variant, old, new in with_operators(self._numbered):
            values = self._with(variant, {}, ())
            if values is not None and bool(self._scene.close(values, self._target)):
                was, meant = (new, old) if reverse else (old, new)
                if "neg" in (was, meant):
                    return Slip("sign", "has the wrong sign in one place")
                kind = "sign" if {was, meant} == {"+", "-"} else "wrong_operator"
                told = "has the wrong sign in one place: it" if kind == "sign" else "has a wrong operator: it"
                return Slip(kind, f"{told} should {words[meant]} where it has “{was}”")
        return None

    def product_for_difference(self) -> Slip | None:
        """a_o1 · t1 in the place of a_o1 − t1."""
        changed: list[str] = []

        def mended(node: Node) -> Node:
            inner = parts(node)
            if node[0] == "*":
                for output, target in (inner, inner[::-1]):
                    name, other = self._name(output), self._name(target)
                    own = self._scene.candidates.get((f"t{name[3:]}", 0))
                    if re.fullmatch(r"a_o\d", name) and re.fullmatch(r"t\d", other) and own is not None:
                        changed.append(f"{name} · {other} where {name} − t{name[3:]} belongs")
                        return ("-", output, ("is", own))
            return with_parts(node, tuple(map(mended, inner))) if inner else node

        tree = mended(self._numbered)
        if not changed:
            return None
        words = "multiplies in place of subtracting: " + "; ".join(dict.fromkeys(changed))
        values = self._with(tree, {}, ())
        if values is not None and bool(self._scene.close(values, self._target)):
            return Slip("product_for_difference", words)
        other = self.one_leaf(tree)
        return other and Slip("product_for_difference", f"{words}, and it {other.words}")

    def _name(self, node: Node) -> str:
        """The quantity in a place of the tree; empty where something else stands."""
        leaf = self._places[node[1]] if node[0] == "at" else node
        return str(leaf[1]) if leaf[0] == "q" else ""

    def _number(self, node: Node) -> Node:
        inner = parts(node)
        if inner or node[0] in {"call", "list"}:
            return with_parts(node, tuple(map(self._number, inner)))
        self._places.append(node)
        return ("at", len(self._places) - 1)

    def _with(self, tree: Node, new: Mapping[int, Array], shape: tuple[int, ...]) -> Array | None:
        def leaf(node: Node) -> Array | float | None:
            if node[0] == "is":
                return node[1]  # type: ignore[no-any-return]
            replaced = new.get(node[1])
            return self._values[node[1]] if replaced is None else replaced

        return _values(tree, leaf, shape + self._scene.shape)

    def _similar(self, leaf: Node) -> list[int]:
        """The candidates that a quantity may have been taken for."""
        sort = _sort(str(leaf[1]))
        return [
            index
            for index, (name, distance) in enumerate(self._names)
            if (_sort(name) == sort or (sort == "gradient" and _sort(name) == "delta")) and distance in (0, leaf[2])
        ]

    def _slip(self, leaf: Node, meant: tuple[str, int], *, partly: bool) -> Slip:
        name, distance = meant
        where = " in one place" if partly else ""
        if name == LEARNING_RATE:
            if leaf[0] == "n":
                return Slip(
                    "hard_coded", f"has the number {leaf[1]:g} typed in where the learning rate η belongs", leaf, name
                )
            return Slip("wrong_learning_rate", f"uses {_described(leaf)} where the learning rate η belongs", leaf, name)
        if leaf[0] == "n":
            return Slip("hard_coded", f"has the number {leaf[1]:g} typed in where {name} belongs", leaf, name)
        if leaf[0] == "q" and leaf[1] == name:
            kind, words = _row_words(leaf[2], distance)
            return Slip(kind, f"takes {name} from {words}{where}", leaf, name)
        if leaf[0] in {"blank", "odd"}:
            return Slip("wrong_cell", f"refers to {_described(leaf)} where {name} belongs{where}", leaf, name)
        used = _described(leaf)
        if leaf[0] == "q" and leaf[2] != distance:
            used += f" of {_row_words(leaf[2], distance)[1].split(',')[0]}"
        kind = _leaf_kind(str(leaf[1]), name) if leaf[0] == "q" else "wrong_cell"
        return Slip(kind, f"uses {used} where {name} belongs{where}", leaf, name)

    def _bracket_words(self, variant: Node) -> str:
        if variant[0] == "/" and variant[2][0] == "+" and variant[2][2][:2] == ("call", "EXP"):
            return "lacks brackets: 1 + EXP(…) is the denominator as a whole"
        return "lacks a pair of brackets, so that a factor multiplies only one of the terms it should multiply"


def _exchanged(scene: Scene, slip: Slip) -> Slip:
    """A slip that was found by spoiling the right formula, told the right way round."""
    if slip.wrong[0] != "q":
        what = f"the number {slip.wrong[1]:g}" if slip.wrong[0] == "n" else _described(slip.wrong)
        return Slip("wrong_formula", f"has {slip.meant} where {what} belongs")
    wrong = str(slip.wrong[1])
    if wrong == slip.meant:
        return Slip("wrong_row", f"takes {wrong} from another row")
    if wrong == LEARNING_RATE:
        return Slip("wrong_learning_rate", f"uses {slip.meant} where the learning rate η belongs")
    partly = " in one place" if slip.words.endswith("in one place") else ""
    return Slip(_leaf_kind(slip.meant, wrong), f"uses {slip.meant} where {wrong} belongs{partly}")


def _values(tree: Node, leaf: Callable[[Node], Array | float | None], shape: tuple[int, ...]) -> Array | None:
    """As `value_of`, but where only some of the values are finite the others simply agree with nothing."""
    try:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(evaluate(tree, leaf), dtype=np.float64), shape)
    except (UnsupportedError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _rounded_euler(scene: Scene, tree: Node, right: Array) -> Slip | None:
    """The number e typed with a few digits, as in 1/(1+2.718^-h1)."""
    for number in {leaf[1] for leaf in leaves(tree) if leaf[0] == "n" and 2.7 <= leaf[1] <= 2.72}:

        def exact(node: Node, number: float = number) -> Node:
            inner = parts(node)
            if node == ("n", number):
                return ("n", np.e)
            return with_parts(node, tuple(map(exact, inner))) if inner else node

        values = _values(exact(tree), scene.leaf, scene.shape)
        if values is not None and bool(scene.close(values, right)):
            return Slip("rounded_constant", f"uses {number:.10g} for e, where EXP is exact", ("n", number))
    return None


def _same_as_another(scene: Scene, found: Array) -> Slip | None:
    """A formula that belongs to another quantity."""
    for (name, distance), values in scene.candidates.items():
        if bool(scene.close(values, found)):
            if name == scene.label:
                if distance == 0:
                    continue
                if re.fullmatch(r"[wb]\d+", name):
                    return Slip("not_updated", f"only repeats {name} of the row above: it is not updated")
                return Slip("wrong_row", f"repeats {name} of the row above")
            above = " of the row above" if distance == -1 else ""
            return Slip("other_quantity", f"computes {name}{above}, not {scene.label}")
    return None


def _factor(scene: Scene, found: Array, right: Array) -> Slip | None:
    """The whole formula multiplied or divided by something."""
    if bool(scene.close(-found, right)):
        return Slip("sign", "has the wrong sign: it is the negative of what it should be")
    if bool(scene.close(found * 2, right)):
        return Slip("extra_factor", "is half of what it should be: a factor ½ too much")
    if bool(scene.close(found * 0.5, right)):
        return Slip("missing_factor", "is twice what it should be: the factor ½ is missing")
    for words, values in _factors(scene):
        with np.errstate(all="ignore"):
            if bool(scene.close(found * values, right)):
                return Slip("missing_factor", f"lacks the factor {words}")
            if bool(scene.close(right * values, found)):
                return Slip("extra_factor", f"has the factor {words} once too often")
    return None


def _factors(scene: Scene) -> Iterator[tuple[str, Array]]:
    for (name, distance), values in scene.candidates.items():
        if _sort(name) not in _LINKS and (distance == 0 or name == LEARNING_RATE):
            yield name, values
            if re.fullmatch(r"a_[ho]\d(_\d)?", name):
                yield f"(1 − {name})", 1 - values
                yield f"{name} · (1 − {name})", values * (1 - values)
    for (name, _), values in scene.candidates.items():
        target = scene.candidates.get(("t" + name[3:], 0)) if re.fullmatch(r"a_o\d", name) else None
        if target is not None:
            yield f"({name} − t{name[3:]})", values - target


def _factor_in(scene: Scene, model: Node, found: Array) -> Slip | None:
    """A factor missing or doubled inside the formula: found by spoiling the right one."""
    for variant, factor, kind in spoiled_factors(model):
        values = _values(variant, scene.leaf, scene.shape)
        if values is not None and bool(scene.close(values, found)):
            words = _told(factor)
            if kind == "missing_factor":
                return Slip(kind, f"lacks the factor {words}" + (" in one term" if words != LEARNING_RATE else ""))
            return Slip(kind, f"has the factor {words} squared")
    return None


def _missing_term(scene: Scene, model: Node, found: Array) -> Slip | None:
    """A term left out of a sum: one output's part of a hidden gradient, or a bias."""
    for variant, term in without_terms(model):
        values = _values(variant, scene.leaf, scene.shape)
        if values is not None and bool(scene.close(values, found)):
            names = [str(leaf[1]) for leaf in leaves(term) if leaf[0] == "q"]
            return Slip("missing_term", f"leaves out a term, the one with {_listed(list(dict.fromkeys(names)))}")
    return None


def _model_brackets(scene: Scene, model: Node, found: Array) -> Slip | None:
    """Brackets lost from the right formula, whatever the order in which the sheet writes its factors."""
    for variant in without_brackets(model):
        values = _values(variant, scene.leaf, scene.shape)
        if values is not None and bool(scene.close(values, found)):
            return Slip(
                "missing_brackets",
                "lacks a pair of brackets, so that a factor multiplies only one of the terms it should multiply",
            )
    return None


def _two_in_model(scene: Scene, model: Node, found: Array) -> Slip | None:
    """A factor missing and one quantity wrong: two slips at once."""
    for variant, factor, kind in list(spoiled_factors(model))[:24]:
        slip = _Search(scene, variant, found).one_leaf() if kind == "missing_factor" else None
        if slip is not None and slip.wrong[:1] == ("q",) and _sort(str(slip.wrong[1])) == _sort(slip.meant):
            return Slip(kind, f"lacks the factor {_told(factor)}, and it {_exchanged(scene, slip).words}")
    return None


def _subsets(places: list[int]) -> list[tuple[int, ...]]:
    """All of the places first, then fewer of them."""
    if len(places) > _MOST_OCCURRENCES:
        return [tuple(places), *((place,) for place in places)]
    return [subset for size in range(len(places), 0, -1) for subset in combinations(places, size)]


def _sort(name: str) -> str:
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


def _leaf_kind(used: str, meant: str) -> str:
    sort = _sort(meant)
    if sort == _sort(used) == "other" and "/∂h" in meant:
        return "other_activation"
    if sort == "unit" and _sort(used) == "unit":
        if used.startswith("a_") != meant.startswith("a_"):
            return "pre_activation" if meant.startswith("a_") else "activation"
        return "other_output" if "o" in used and "o" in meant else "other_activation"
    return {
        "weight": "wrong_weight",
        "input": "wrong_input",
        "target": "wrong_target",
        "gradient": "wrong_gradient",
        "delta": "gradient_for_delta" if _sort(used) == "gradient" else "wrong_cell",
    }.get(sort, "wrong_cell")


def _described(leaf: Node) -> str:
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


def _row_words(used: int, meant: int) -> tuple[str, str]:
    """The kind and the words for the row that a quantity was taken from."""
    if used == ELSEWHERE:
        return "wrong_row", "another row" + (", not from the row above" if meant == -1 else "")
    if meant == -1:
        return (
            ("same_row", "its own row, not from the row above")
            if used == 0
            else ("next_row", "the next row, not from the row above")
        )
    return ("previous_row", "the row above") if used == -1 else ("next_row", "the next row")


def _told(node: Node) -> str:
    """A factor in words: a quantity, or one minus it."""
    match node:
        case ("q", name, _):
            return str(name)
        case ("-", ("n", 1.0), ("q", name, _)):
            return f"(1 − {name})"
        case ("-", ("q", one, _), ("q", other, _)):
            return f"({one} − {other})"
        case ("n", value):
            return "½" if value == 0.5 else f"{value:g}"
        case _:
            return "that stands in brackets"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 2 else names)
