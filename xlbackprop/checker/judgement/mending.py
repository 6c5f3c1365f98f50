"""The search for the one change that mends a formula."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import combinations
from math import prod

import numpy as np

from xlbackprop.checker.file.formula import Node, UnsupportedError, evaluate, parts, with_parts
from xlbackprop.checker.judgement.mutations import bracketed, with_operators
from xlbackprop.checker.judgement.slip import Scene, Slip
from xlbackprop.checker.judgement.slip_words import described, leaf_kind, listed, row_words, sort_of
from xlbackprop.engine import Array
from xlbackprop.network import LEARNING_RATE

LINKS = frozenset({"delta", "other"})
"""The links of the chain rule, which are rarely what was meant."""
_MOST_OCCURRENCES = 6
_MOST_LEAVES = 14


class Search:
    """Mends one tree until it gives the target."""

    def __init__(self, scene: Scene, tree: Node, target: Array) -> None:
        self._scene = scene
        self._target = target
        self._places: list[Node] = []
        self._numbered = self._number(tree)
        self._values: list[Array | float | None] = [
            leaf[1] if leaf[0] == "n" else scene.leaf(leaf) for leaf in self._places
        ]
        self._names = sorted(scene.candidates, key=lambda name: sort_of(name[0]) in LINKS)
        self._stack = np.array([scene.candidates[name] for name in self._names])
        self._plain = sum(sort_of(name) not in LINKS for name, _ in self._names)

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
                fits = np.flatnonzero(self._scene.agree(values, self._target))
                for index in fits:
                    if self._names[index] not in (leaf[1:3], (self._scene.label, 0)):
                        return self._slip(leaf, self._names[index], partly=len(subset) < len(places))
        return None

    def another_with_learning_rate(self) -> Slip | None:
        """The update of another weight, whose reference to η has drifted besides."""
        rate = self._scene.candidates.get((LEARNING_RATE, 0))
        if rate is None or not parts(self._numbered):
            return None
        for leaf in dict.fromkeys(self._places):
            places = [index for index, other in enumerate(self._places) if other == leaf]
            values = self._with(self._numbered, dict.fromkeys(places, rate), ())
            slip = None if values is None else same_as_another(self._scene, values)
            if slip is not None and slip.kind == "other_quantity":
                return Slip(slip.kind, slip.words)
        return None

    def two_leaves(self) -> Slip | None:
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
            for i, j in np.argwhere(self._scene.agree(values, self._target)):
                right = (self._names[first[i]], self._names[second[j]])
                if one[1:3] != right[0] and other[1:3] != right[1]:
                    meant, wrong = (right[0][0], right[1][0]), (str(one[1]), str(other[1]))
                    if meant == wrong:
                        kind, words = row_words(one[2], right[0][1])
                        return Slip(kind, f"takes {listed(wrong)} from {words}")
                    if all(name.startswith("∂E/∂") for name in wrong):
                        words = f"is built from {listed(wrong)}, each with an activation too many, not from"
                        return Slip("gradient_for_delta", f"{words} {listed(meant)}")
                    return Slip(leaf_kind(wrong[0], meant[0]), f"uses {listed(wrong)} where {listed(meant)} belong")
        return None

    def brackets(self) -> Slip | None:
        """Brackets that are missing."""
        for variant in bracketed(self._numbered):
            values = self._with(variant, {}, ())
            if values is not None and bool(self._scene.agree(values, self._target)):
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
            if values is not None and bool(self._scene.agree(values, self._target)):
                was, meant = (new, old) if reverse else (old, new)
                if "neg" in (was, meant):
                    return Slip("sign", "has the wrong sign in one place")
                kind = "sign" if {was, meant} == {"+", "-"} else "wrong_operator"
                what = "has the wrong sign in one place: it" if kind == "sign" else "has a wrong operator: it"
                return Slip(kind, f"{what} should {words[meant]} where it has “{was}”")
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
        if values is not None and bool(self._scene.agree(values, self._target)):
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

        return values_of(self._scene, tree, leaf, shape)

    def _similar(self, leaf: Node) -> list[int]:
        """The candidates that a quantity may have been taken for."""
        sort = sort_of(str(leaf[1]))
        return [
            index
            for index, (name, distance) in enumerate(self._names)
            if (sort_of(name) == sort or (sort == "gradient" and sort_of(name) == "delta")) and distance in (0, leaf[2])
        ]

    def _slip(self, leaf: Node, meant: tuple[str, int], *, partly: bool) -> Slip:
        name, distance = meant
        where = " in one place" if partly else ""
        if name == LEARNING_RATE:
            if leaf[0] == "n":
                return Slip(
                    "hard_coded", f"has the number {leaf[1]:g} typed in where the learning rate η belongs", leaf, name
                )
            return Slip("wrong_learning_rate", f"uses {described(leaf)} where the learning rate η belongs", leaf, name)
        if leaf[0] == "n":
            return Slip("hard_coded", f"has the number {leaf[1]:g} typed in where {name} belongs", leaf, name)
        if leaf[0] == "q" and leaf[1] == name:
            kind, words = row_words(leaf[2], distance)
            return Slip(kind, f"takes {name} from {words}{where}", leaf, name)
        if leaf[0] in {"blank", "odd"}:
            return Slip("wrong_cell", f"refers to {described(leaf)} where {name} belongs{where}", leaf, name)
        used = described(leaf)
        if leaf[0] == "q" and leaf[2] != distance:
            used += f" of {row_words(leaf[2], distance)[1].split(',')[0]}"
        kind = leaf_kind(str(leaf[1]), name) if leaf[0] == "q" else "wrong_cell"
        return Slip(kind, f"uses {used} where {name} belongs{where}", leaf, name)

    def _bracket_words(self, variant: Node) -> str:
        if variant[0] == "/" and variant[2][0] == "+" and variant[2][2][:2] == ("call", "EXP"):
            return "lacks brackets: 1 + EXP(…) is the denominator as a whole"
        return "lacks a pair of brackets, so that a factor multiplies only one of the terms it should multiply"


def values_of(
    scene: Scene, tree: Node, leaf: Callable[[Node], Array | float | None], shape: tuple[int, ...] = ()
) -> Array | None:
    """As `value_of`, but where only some of the values are finite the others simply agree with nothing."""
    full = shape + scene.shape
    numbers = prod(full)

    def counted(node: Node) -> Array | float | None:
        scene.tries.spend(numbers)
        return leaf(node)

    try:
        return np.broadcast_to(np.asarray(evaluate(tree, counted), dtype=np.float64), full)
    except (UnsupportedError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def same_as_another(scene: Scene, found: Array) -> Slip | None:
    """A formula that belongs to another quantity."""
    for (name, distance), values in scene.candidates.items():
        if bool(scene.agree(values, found)):
            if name == scene.label:
                if distance == 0:
                    continue
                if re.fullmatch(r"[wb]\d+", name):
                    return Slip("not_updated", f"only repeats {name} of the row above: it is not updated")
                return Slip("wrong_row", f"repeats {name} of the row above")
            above = " of the row above" if distance == -1 else ""
            return Slip("other_quantity", f"computes {name}{above}, not {scene.label}")
    return None


def _subsets(places: list[int]) -> list[tuple[int, ...]]:
    """All of the places first, then fewer of them."""
    if len(places) > _MOST_OCCURRENCES:
        return [tuple(places), *((place,) for place in places)]
    return [subset for size in range(len(places), 0, -1) for subset in combinations(places, size)]
