"""Numbering: which weight a sheet means by which number, when it counts in its own way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from msgspec.structs import replace

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.formula import Node, leaves, parts, with_parts
from xlbackprop.checker.table.meaning import Judge, Meaning
from xlbackprop.checker.table.trees import Key, Trees
from xlbackprop.network import derivative


def numbering_of(book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning) -> Meaning:
    """The numbering of the weights under which most formulas are right; the walkthrough's own where it is as good."""
    layers = len(meaning.shape.sizes) - 1
    options = [
        ({}, transposed_numbering(meaning, layer), *_derived(book, trees, typical, meaning, layer))
        for layer in range(layers)
    ]
    core = {name: key for name, key in typical.items() if name in trees.core}
    read = {name: _read_by(trees, key, meaning) for name, key in core.items()}
    best, best_score = meaning, -1
    tried: list[Mapping[str, str]] = []
    known: dict[tuple[str, ...], bool] = {}
    for combination in product(*options):
        numbering = {label: own for part in combination for label, own in part.items()}
        if numbering in tried:
            continue
        tried.append(numbering)
        trial = replace(meaning, numbering=numbering)
        judge = Judge(book, trees, trial)
        score = 0
        for name, key in core.items():
            meant = (name, trial.own(name), *map(trial.own, read[name]))
            if meant not in known:
                known[meant] = judge.is_right(name, key)
            score += known[meant]
        if score > best_score:
            best, best_score = trial, score
        if not numbering and score == len(typical):
            break
    return best


def _read_by(trees: Trees, key: Key, meaning: Meaning) -> list[str]:
    """The labels of the quantities that a formula is calculated from."""
    return list(dict.fromkeys(leaf[1] for leaf in leaves(trees.written_out(key, meaning.lines)) if leaf[0] == "q"))


def transposed_numbering(meaning: Meaning, layer: int) -> dict[str, str]:
    """The other common numbering of a layer: by source, w2 from the first input to the second unit."""
    rows = meaning.derivation.names.weights[layer]
    own = [weight for row in rows for weight in row]
    theirs = [row[source] for source in range(len(rows[0])) for row in rows]
    return _with_gradients(dict(zip(own, theirs, strict=True)))


def other_numberings(meaning: Meaning) -> Iterator[dict[str, str]]:
    """The walkthrough's own numbering, then the other common one in each layer, then in all."""
    layers = range(len(meaning.shape.sizes) - 1)
    yield {}
    for layer in layers:
        yield transposed_numbering(meaning, layer)
    yield {label: own for layer in layers for label, own in transposed_numbering(meaning, layer).items()}


def _derived(
    book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning, layer: int
) -> Iterator[dict[str, str]]:
    """The numbering that the weighted sums themselves use, when each weight has one place in them."""
    labels = meaning.derivation.names
    sources = labels.activations[layer - 1] if layer else labels.inputs
    mapping: dict[str, str] = {}
    judge = Judge(book, trees, meaning)
    for unit, row in zip(labels.pre_activations[layer], labels.weights[layer], strict=True):
        if unit not in typical:
            return
        tree = trees.written_out(typical[unit], meaning.lines)
        base = judge.tree_value(tree)
        for weight in (weight for line in labels.weights[layer] for weight in line):
            leaf = ("q", weight, 0)
            if base is None or leaf not in set(leaves(tree)):
                continue
            raised = judge.tree_value(_replaced(tree, leaf, ("+", leaf, ("n", 1.0))))
            if raised is None:
                continue
            for source, own in zip(sources, row, strict=True):
                right = meaning.world.value(source, 0)
                if right is not None and bool((abs(raised - base - right) < 1e-9).all()):
                    mapping[weight] = own
    if len(mapping) == len(set(mapping.values())) == sum(map(len, labels.weights[layer])):
        yield _with_gradients(mapping)


def _replaced(node: Node, leaf: Node, other: Node) -> Node:
    if node == leaf:
        return other
    inner = parts(node)
    return with_parts(node, tuple(_replaced(part, leaf, other) for part in inner)) if inner else node


def _with_gradients(mapping: dict[str, str]) -> dict[str, str]:
    changed = {label: own for label, own in mapping.items() if label != own}
    return changed | {derivative("E_total", label): derivative("E_total", own) for label, own in changed.items()}
