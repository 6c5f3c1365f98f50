"""Helpers: what the columns beside the quantities hold, by label, by formula, or by what their users need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from msgspec.structs import replace

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.formula import Node, leaves
from xlbackprop.checker.table.meaning import Judge, Meaning
from xlbackprop.checker.table.recognise import IterationTable
from xlbackprop.checker.table.trees import Key, Trees
from xlbackprop.checker.worlds import CLOSENESS, close
from xlbackprop.engine import Array

_MOST_LEAVES = 50_000
"""Of the trees that are tried with a helper under a name; with more it stays without one."""


def helpers_of(
    book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning, table: IterationTable
) -> Meaning:
    """Name the helper lines: by label, by what their formulas give, else by what the formulas that use them need."""
    core = {name: key for name, key in typical.items() if name in trees.core}
    used = _users(trees, core)
    labelled = {line: name for name, line in table.lines.items() if name not in trees.core and name in typical}
    own = {meaning.own(label) for label in trees.core}
    links = [
        name for name, item in meaning.derivation.quantities.items() if item.expression is not None and name not in own
    ]
    named = dict(meaning.lines)
    judge = Judge(book, trees, meaning)
    waiting: dict[int, list[str]] = {}
    for line, name in labelled.items():
        meant = Judge(book, trees, replace(meaning, lines={**meaning.lines, line: name}))
        is_used_so = line in used and all(meant.is_right(user, core[user]) for user in used[line])
        if table.certain or line not in used or is_used_so or judge.is_right(name, typical[name]):
            named[line] = name
        else:
            waiting[line] = [name, "−" + name]
    values = {signed: meaning.world.value(signed, 0) for link in links for signed in (link, "−" + link)}
    quantities = (meaning.own(label) for label in trees.core if not label.startswith("∂"))  # ∂E/∂o1 may be ∂E/∂b3
    shown = np.array([v for name in quantities if (v := meaning.world.value(name, 0)) is not None])
    needed = [signed for signed, value in values.items() if value is not None and not _is_one_of(value, shown)]
    for line, key in _typical_lines(trees, used.keys() - named.keys()).items():
        found = judge.value(key)
        for signed, right in values.items():
            free = signed.removeprefix("−") not in _unsigned(named)
            if free and found is not None and right is not None and close(found, right):
                named[line] = signed
                break
    meaning = replace(meaning, lines=named)
    left = _MOST_LEAVES
    while left > 0:
        judge = Judge(book, trees, meaning)
        before = {name for name, key in core.items() if judge.is_right(name, key)}
        best: tuple[int, Meaning] | None = None
        for line in sorted(used.keys() - meaning.lines.keys(), key=lambda line: -_depth(trees, used, line)):
            for signed in [*waiting.get(line, ()), *needed]:
                if signed.removeprefix("−") in _unsigned(meaning.lines):
                    continue
                trial = replace(meaning, lines={**meaning.lines, line: signed})
                attempt = Judge(book, trees, trial)
                left -= sum(trees.size(core[name]) for name in used[line])
                if left < 0:
                    return meaning
                after = {name for name in used[line] if attempt.is_right(name, core[name])}
                cured = len(after - before)
                if before & used[line] <= after and cured > (best[0] if best else 0):
                    best = (cured, trial)
        if best is None:
            return meaning
        meaning = best[1]
    return meaning


def _is_one_of(link: Array, shown: Array) -> bool:
    """Whether a link is nothing but a quantity with a line of its own, as ∂o1/∂a_h1 is w5; shape (lines, worlds)."""
    return bool((np.abs(shown - link) <= CLOSENESS * np.abs(link)).all(axis=-1).any())


def _unsigned(lines: Mapping[int, str]) -> set[str]:
    return {name.removeprefix("−") for name in lines.values()}


def _users(trees: Trees, core: Mapping[str, Key]) -> dict[int, set[str]]:
    """The quantities whose formulas use each helper line, directly or through other helpers."""
    users: dict[int, set[str]] = {}
    for name, key in core.items():
        for leaf in _line_leaves(trees, key):
            users.setdefault(leaf[1], set()).add(name)
    return users


def _typical_lines(trees: Trees, lines: Iterable[int]) -> dict[int, Key]:
    """The commonest formula of each line."""
    found = {}
    for line in lines:
        keys: Counter[Key] = Counter()
        for stretch, key in trees.keys_along(line):
            keys[key] += len(stretch)
        if keys:
            found[line] = keys.most_common(1)[0][0]
    return found


def _depth(trees: Trees, lines: Iterable[int], line: int) -> int:
    """How many of the helper lines use this one: the mistake is made in the first of a chain."""
    keys = _typical_lines(trees, lines)
    return sum(any(leaf[1] == line for leaf in _line_leaves(trees, key)) for key in keys.values())


def _line_leaves(trees: Trees, key: Key) -> Iterator[Node]:
    """The helper lines that a cell's formula uses, directly or through other helpers."""
    waiting, seen = [key], {key}
    while waiting:
        for leaf in leaves(trees.tree(waiting.pop())):
            if leaf[0] == "line":
                yield leaf
            inner = leaf[3] if leaf[0] == "line" else leaf[1] if leaf[0] == "cell" else None
            if inner is not None and inner not in seen:
                seen.add(inner)
                waiting.append(inner)
