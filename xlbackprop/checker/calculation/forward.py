"""The forward pass: the one cell in it that is wrong, told by its siblings and by gradients that come right."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice, permutations, product

import numpy as np
from msgspec.structs import replace

from xlbackprop.checker.calculation.changed_step import Change, ChangedStep
from xlbackprop.checker.calculation.graph import TEXT, Graph, Kind, skeleton
from xlbackprop.checker.calculation.model import Descent, Mistake, Model
from xlbackprop.checker.calculation.names import cells_of_sheets, moved, named, place
from xlbackprop.checker.calculation.repair import range_text, repair, rewritten, slot_text
from xlbackprop.checker.calculation.step import Step, TooWideError, alike, calculated, calculated_from
from xlbackprop.checker.calculation.threads import Neighbours, is_in_a_step
from xlbackprop.checker.calculation.worlds import FREE
from xlbackprop.checker.file.formula import CellFormula, Node, Position, leaves, parts, with_parts
from xlbackprop.checker.judgement.slip import Tries
from xlbackprop.engine import Array
from xlbackprop.ground.grid import Coordinates

_FEWEST_AT_ONCE, _MOST_AT_ONCE = 8, 64
"""Changes that are tried together: most searches end with one of the first, or with none."""
_NUMBERS_A_CELL = 1_000
"""Calculating a cell of a step anew, with its derivatives, takes as long as comparing so many numbers."""
_FEWEST_IN_RANGE = 2
_MOST_FACTORS = 12
"""Cells, the nearest first, that an update may multiply and the sum should."""
_TERM = 1_000
"""The slot of a term that is no operand yet."""
_MOST_OF_A_LINE = 0.75
"""Cells with one formula that make another one in their row or column a stranger."""


def forward_mistake(
    model: Model, descent: Descent, index: int, trials: Tries, known: Sequence[Mistake]
) -> tuple[list[Mistake], set[int]] | None:
    """One formula of the forward pass that should be another, after which all gradients of the step are right.

    Only where something speaks for it: the same cell of most other steps has that formula, it reads the same thing
    twice where its siblings do not, or something is left unused.

    Args:
        model: the calculation.
        descent: what descends the loss.
        index: an update that is wrong, by its number in this.
        trials: the cells that may still be calculated anew.
        known: what was found in other steps; the same is tried first.
    """
    if descent.loss.errors:
        return None
    parameter = int(model.parameters[descent.members[index]])
    try:
        step = Step(model, descent, _parameter_that_is_read(model, descent, index))
    except TooWideError:
        return None
    updates = set(step.updates)
    here = [place for place, member in enumerate(descent.members.tolist()) if int(model.targets[member]) in updates]
    wrong = {place for place in here if not descent.is_right[place]}
    changes = _changes(model, descent, step, here) if wrong else iter(())
    if known:
        changes = iter(sorted(changes, key=lambda change: not _is_known(model.graph, change, known)))
    at_once = _FEWEST_AT_ONCE
    while some := list(islice(changes, at_once)):
        changed = ChangedStep(step, some)
        is_loss = np.array([change.is_loss for change in some], dtype=np.bool_)
        reached = {place: ~is_loss | changed.reaches(descent, place) for place in here}
        is_right = np.logical_or.reduce(list(reached.values()))
        for one, flags in reached.items():
            if is_right.any():
                is_right &= ~flags | changed.is_right(descent, one)
        for way, change in enumerate(some):
            trials.spend(_NUMBERS_A_CELL * len(step.nodes))
            if is_right[way]:
                first = _mistake_in(step, change, changed.value(change.node, way), parameter)
                found = [first, *(_as_told(model.graph, first, one) for one in change.others)]
                return found, wrong.intersection(place for place in here if reached[place][way])
        at_once = min(2 * at_once, _MOST_AT_ONCE)
    return None


def _is_known(graph: Graph, change: Change, mistakes: Sequence[Mistake]) -> bool:
    """Whether a change is what was found in another step."""
    alike_ = (one for one in mistakes if graph.kind_of[one.node] == graph.kind_of[change.node])
    return any(graph.filled(one.formula, one.node, change.node) == change.text for one in alike_)


def _parameter_that_is_read(model: Model, descent: Descent, index: int) -> int:
    """The parameter of an update, or where no forward pass reads it another one that the update is calculated from."""
    parameter = int(model.parameters[descent.members[index]])
    if np.nan_to_num(descent.adjoint[parameter]).any():
        return parameter
    parameters = set(model.parameters.tolist())
    for node in calculated_from(model, int(model.targets[descent.members[index]])):
        for operand in model.graph.operands(node).tolist():
            if operand in parameters and np.nan_to_num(descent.adjoint[operand]).any():
                return int(operand)
    return parameter


def _mistake_in(step: Step, change: Change, right: Array, parameter: int) -> Mistake:
    kind, words = change.kind, change.words
    if not words:
        found = repair(step, change.node, right)
        kind, words = "wrong_formula", "differs from the same cell of the other steps"
        is_same = found is not None and found.formula.replace("$", "") == change.text.replace("$", "")
        if found is not None and (is_same or found.kind != "wrong_cell"):
            kind, words = found.kind, found.words
    return Mistake(change.node, kind, words, change.text, parameter, change.is_loss or change.node in step.adjoints)


def _as_told(graph: Graph, first: Mistake, change: Change) -> Mistake:
    """The same mistake in another cell of the step that has the formula."""
    words = first.words if change.node == first.node else moved(graph, first.words, first.node, change.node)
    return replace(first, node=change.node, formula=change.text, words=change.words or words)


def _changes(model: Model, descent: Descent, step: Step, here: list[int]) -> Iterator[Change]:
    graph, forward = model.graph, [node for node in step.forward if node in set(step.nodes)]
    fellows = [node for node in step.nodes if not model.evaluation.is_cut[node]]
    steps = Neighbours(graph, model.threads.usual_moves)
    for node in dict.fromkeys([*forward, *step.nodes]):
        text = _usual(graph, node) or _of_other_steps(graph, steps, node)
        for change in _changed_to(graph, step.nodes, node, text, "wrong_cell", ""):
            others = tuple(
                one
                for one in change.others
                if one.text in (_usual(graph, one.node), _of_other_steps(graph, steps, one.node))
            )
            yield replace(change, others=others)
    for node in step.nodes if not step.loss else ():
        text = _usual(graph, node)
        known = graph.read(text, node) if text and _is_in_line(graph, node, descent.loss.cells) else None
        if known is not None:
            yield Change(node, *known, text, "", is_loss=True)
    members = descent.members[here]
    updates = dict(zip(model.parameters[members].tolist(), model.targets[members].tolist(), strict=True))
    unused = _unused(model, descent, step, list(updates))
    level, is_cut = model.evaluation.order.level, model.evaluation.is_cut
    for node in forward:
        program, operands = step.program(node), graph.operands(node)
        for number, slot in enumerate(program.slots):
            if slot.size != 1:
                continue
            for other in dict.fromkeys([*unused, *_of_siblings(graph, fellows, node, slot.start)]):
                if other == node or (level[other] >= level[node] and not is_cut[other]):
                    continue
                changed = operands.copy()
                changed[slot.start] = other
                sheet = graph.positions[node][0]
                used = named(graph, int(operands[slot.start]), sheet)
                words = f"uses {used} where {named(graph, other, sheet)} belongs"
                text = rewritten(graph, node, program.tree, {number: other})
                change = Change(node, program, changed, text, words)
                yield replace(change, others=tuple(_same(graph, forward, change)))
    yield from _with_term(model, forward, {node: updates[node] for node in unused if node in updates})
    yield from _with_factor(model, forward, updates, descent.known_rates)
    yield from _like_sibling(graph, forward)
    yield from _with_weights_exchanged(model, forward)
    yield from _with_fellow(graph, forward, fellows)
    yield from _with_other_ends(graph, forward)


def _with_term(model: Model, forward: list[int], unused: Mapping[int, int]) -> Iterator[Change]:
    """The sums that read parameters, with one more: alone, or times what one of these sums, or its update, multiplies.

    Args:
        model: the calculation.
        forward: the cells of the forward pass.
        unused: the update of each parameter that these do not read.
    """
    graph, parameters = model.graph, set(model.parameters.tolist())
    sums = [node for node in forward if not parameters.isdisjoint(graph.operands(node).tolist())] if unused else []
    multiplied = dict.fromkeys(other for node in sums for other in graph.operands(node).tolist())
    for parameter, update in unused.items():
        own_factors = [other for node in calculated_from(model, update) for other in graph.operands(node).tolist()]
        factors = dict.fromkeys([*multiplied, *own_factors[:_MOST_FACTORS]])
        for node in sums:
            sheet = graph.positions[node][0]
            kind, own = graph.kind(node), set(graph.operands(node).tolist())
            assert kind is not None
            terms = [place(graph, parameter, sheet)]
            terms += [
                f"{terms[0]}*{place(graph, other, sheet)}"
                for other in factors
                if other > TEXT and other not in parameters and other not in own
            ]
            for term, tree in product(terms, _with_one_more(kind.program.tree)):
                text = rewritten(graph, node, tree, {}, {_TERM: term})
                yield from _changed_to(graph, forward, node, text, "missing_term", f"lacks the term {term}")


def _with_factor(
    model: Model, forward: list[int], updates: Mapping[int, int], rates: Container[int]
) -> Iterator[Change]:
    """The formulas in which a parameter is no factor, with one more of what its update multiplies: in place of what is
    added, where that is the other factor.

    Args:
        model: the calculation.
        forward: the cells of the forward pass.
        updates: the update of each parameter.
        rates: the cells with learning rates.
    """
    graph, parameters, level = model.graph, set(model.parameters.tolist()), model.evaluation.order.level
    every = [graph.operands(node).tolist() for node in forward]
    beyond = {cell for cells in every if parameters.isdisjoint(cells) for cell in cells}  # targets are among them
    for node in forward:
        kind, operands, sheet = graph.kind(node), graph.operands(node).tolist(), graph.positions[node][0]
        assert kind is not None
        read = {number: operands[slot.start] for number, slot in enumerate(kind.program.slots) if slot.size == 1}
        alone = {number for number in _without_factor(kind.program.tree) if read.get(number) in updates}
        for number in alone:
            update = updates[read[number]]
            factors = {other for one in calculated_from(model, update) for other in graph.operands(one).tolist()}
            factors -= beyond
            earlier = (one for one in factors - parameters if one not in rates and TEXT < one != node)
            for other in _nearest(graph, node, (one for one in earlier if level[one] <= level[node])):
                added = [one for one, cell in read.items() if cell == other]
                tree = _multiplied(kind.program.tree, number, added)
                left = {read.get(leaf[1]) for leaf in leaves(tree) if leaf[0] == "slot"}
                if other in left:
                    continue
                shown = slot_text(graph, node, added[0]) if added else place(graph, other, sheet)
                text = rewritten(graph, node, tree, {}, {_TERM: shown})
                words = f"lacks the factor {named(graph, other, sheet)} of {named(graph, read[number], sheet)}"
                what = "missing_factor"
                if added:
                    what, words = "wrong_operator", "has + where * belongs"
                yield from _changed_to(graph, forward, node, text, what, words)


def _nearest(graph: Graph, node: int, cells: Iterable[int]) -> list[int]:
    """The cells that stand nearest to another one, those on its own sheet first."""

    def distance(cell: int) -> tuple[bool, int, int]:
        here, there = graph.positions[node], graph.positions[cell]
        return here[0] != there[0], abs(here[1] - there[1]) + abs(here[2] - there[2]), cell

    return sorted(cells, key=distance)[:_MOST_FACTORS]


def _without_factor(tree: Node) -> Iterator[int]:
    """The slots of a formula that nothing multiplies or divides."""
    is_product = tree[0] in {"*", "/", "^"}
    for part in parts(tree):
        if part[0] != "slot":
            yield from _without_factor(part)
        elif not is_product:
            yield part[1]


def _multiplied(tree: Node, slot: int, added: Container[int]) -> Node:
    """A formula with one slot times one more cell, without what is added in some others."""
    if tree == ("slot", slot):
        return ("*", tree, ("slot", _TERM))
    if tree[0] == "+":
        for part, other in (tree[1:], tree[:0:-1]):
            if part[0] == "slot" and part[1] in added:
                return _multiplied(other, slot, added)
    inner = parts(tree)
    return with_parts(tree, tuple(_multiplied(part, slot, added) for part in inner)) if inner else tree


def _with_one_more(tree: Node, is_whole: bool = True) -> Iterator[Node]:
    """A formula with the slot of one more term: of the whole, or of a sum in it."""
    if is_whole or tree[0] == "+":
        yield ("+", tree, ("slot", _TERM))
    inner = parts(tree)
    for number, part in enumerate(inner):
        for changed in _with_one_more(part, False):
            yield with_parts(tree, (*inner[:number], changed, *inner[number + 1 :]))


def _like_sibling(graph: Graph, forward: list[int]) -> Iterator[Change]:
    """Cells that are built otherwise than another one that a formula of the same build reads, built as that one is."""
    held = set(forward)
    siblings: dict[str, dict[str, int]] = defaultdict(dict)
    for node in forward:
        for reader in set(graph.readers(node).tolist()) & held:
            siblings[skeleton(graph, reader)].setdefault(skeleton(graph, node), node)
    for node in forward:
        kind, build = graph.kind(node), skeleton(graph, node)
        assert kind is not None
        readers = {skeleton(graph, reader) for reader in set(graph.readers(node).tolist()) & held}
        builds = {own: other for reader in sorted(readers) for own, other in siblings[reader].items()}
        for other in (other for own, other in builds.items() if own != build):
            like = graph.kind(other)
            assert like is not None
            slots = [(slot.size, slot.is_range) for slot in like.program.slots]
            if slots != [(slot.size, slot.is_range) for slot in kind.program.slots] or ("n", 0.0) in leaves(
                kind.program.tree
            ):
                continue  # what is multiplied by 0 is left out on purpose
            text = rewritten(graph, node, like.program.tree, {})
            words = f"is built otherwise than {named(graph, other, graph.positions[node][0])}"
            yield from _changed_to(graph, forward, node, text, "wrong_formula", words)


def _with_weights_exchanged(model: Model, forward: list[int]) -> Iterator[Change]:
    """The sums that multiply the weights of two inputs with one another's."""
    graph, parameters = model.graph, set(model.parameters.tolist())
    for node in forward:
        kind, operands = graph.kind(node), graph.operands(node).tolist()
        assert kind is not None
        weights = [number for number, slot in enumerate(kind.program.slots) if operands[slot.start] in parameters]
        for one, other in combinations(weights, 2):
            used = [operands[kind.program.slots[number].start] for number in (one, other)]
            text = rewritten(graph, node, kind.program.tree, {one: used[1], other: used[0]})
            sheet = graph.positions[node][0]
            words = f"exchanges {named(graph, used[0], sheet)} and {named(graph, used[1], sheet)}"
            yield from _changed_to(graph, forward, node, text, "wrong_weight", words)


def _with_fellow(graph: Graph, forward: list[int], nodes: Iterable[int]) -> Iterator[Change]:
    """The sums that read all but one of some cells of one build, with that one too."""
    builds: dict[str, list[int]] = defaultdict(list)
    for node in nodes:
        builds[skeleton(graph, node)].append(node)
    for node in forward:
        operands, kind = graph.operands(node).tolist(), graph.kind(node)
        assert kind is not None
        for build in dict.fromkeys(skeleton(graph, operand) for operand in operands if graph.is_formula(operand)):
            left = [other for other in builds[build] if other != node and other not in operands]
            if len(left) != 1:
                continue
            for term in _terms(kind.program.tree):
                slots = {leaf[1] for leaf in leaves(term) if leaf[0] == "slot"}
                read = {operands[kind.program.slots[slot].start] for slot in slots}
                is_single = not any(kind.program.slots[slot].is_range for slot in slots)
                if is_single and len(read) == 1 and skeleton(graph, read.pop()) == build:
                    added = rewritten(graph, node, term, dict.fromkeys(slots, left[0]))[1:]
                    text = f"{rewritten(graph, node, kind.program.tree, {})}+{added}"
                    words = f"leaves out {named(graph, left[0])}"
                    yield from _changed_to(graph, forward, node, text, "missing_term", words)
                    break


def _with_other_ends(graph: Graph, forward: list[int]) -> Iterator[Change]:
    """The formulas with a range that ends before a cell of the build of all others, or with one that is unlike them.

    Another range of that shape in the formula, such as the targets beside the outputs, has the same ends.
    """
    for node in forward:
        operands, kind = graph.operands(node).tolist(), graph.kind(node)
        assert kind is not None
        ranges = {
            number: [graph.positions[cell] for cell in operands[slot.start : slot.start + slot.size]]
            for number, slot in enumerate(kind.program.slots)
            if slot.size >= _FEWEST_IN_RANGE and slot.is_range
        }
        for places in ranges.values():
            cells = [graph.node(where) for where in places]
            down, across = (places[1][axis] - places[0][axis] for axis in (1, 2))
            builds = [skeleton(graph, cell) for cell in cells]
            for end, far in ((-1, 1), (0, -1)):
                beyond = graph.node(_shifted(places[end], far * down, far * across))
                others = builds[:-1] if end else builds[1:]
                if min(cells) <= TEXT or len(set(others)) != 1 or not others[0]:
                    continue
                if builds[end] != others[0]:
                    is_longer, mistake, words = False, "extra_term", f"takes in {named(graph, cells[end])}"
                elif beyond > TEXT and skeleton(graph, beyond) == others[0]:
                    is_longer, mistake, words = True, "missing_term", f"leaves out {named(graph, beyond)}"
                else:
                    continue
                shown = {
                    number: range_text(
                        graph,
                        node,
                        number,
                        _with_end([at[1:] for at in alike], (far * down, far * across), end, is_longer),
                    )
                    for number, alike in ranges.items()
                    if len(alike) == len(places) and alike[1] == _shifted(alike[0], down, across)
                }
                text = rewritten(graph, node, kind.program.tree, {}, shown)
                yield from _changed_to(graph, forward, node, text, mistake, words)


def _shifted(position: Position, down: int, across: int) -> Position:
    sheet, row, column = position
    return sheet, row + down, column + across


def _with_end(
    places: list[Coordinates], move: Coordinates, end: int, is_longer: bool
) -> tuple[Coordinates, Coordinates]:
    """The ends of a range with one cell more, or one less, at its end or, where that is 0, at its beginning."""
    row, column = places[end]
    shorter = places[:-1] if end else places[1:]
    kept = [*places, (row + move[0], column + move[1])] if is_longer else shorter
    return min(kept), max(kept)


def _changed_to(graph: Graph, forward: list[int], node: int, text: str, kind: str, words: str) -> Iterator[Change]:
    """A cell with another formula, where that can be read."""
    known = graph.read(text, node) if text else None
    if known is not None:
        change = Change(node, *known, text, words, kind)
        yield replace(change, others=tuple(_same(graph, forward, change)))


def _terms(tree: Node) -> Iterator[Node]:
    """What a formula adds up, the last first; the whole of one that adds nothing."""
    if tree[0] == "+":
        yield from _terms(tree[2])
        yield from _terms(tree[1])
    else:
        yield tree


def _same(graph: Graph, forward: list[int], change: Change) -> Iterator[Change]:
    """The same change of the other cells of a step that have the formula, as the samples of a batch do."""
    for node in forward:
        if node != change.node and graph.kind_of[node] == graph.kind_of[change.node]:
            text = graph.filled(change.text, change.node, node)
            known = graph.read(text, node)
            if known is not None:
                yield replace(change, node=node, program=known[0], operands=known[1], text=text)


def pasted_numbers(model: Model) -> Iterator[Mistake]:
    """Typed numbers in the forward or backward pass where the same cell of the steps around has one formula."""
    graph, kind_of = model.graph, model.graph.kind_of
    steps = Neighbours(graph, model.threads.usual_moves)
    for node in np.flatnonzero(model.feeds & (kind_of < 0)).tolist():
        if node <= TEXT or node >= graph.cells or graph.is_formula(node):
            continue
        before = steps.before(node)
        formula, other = graph.formulas[before], steps.after(node) or steps.before(before)
        if formula is None or kind_of[before] < 0 or kind_of[before] != kind_of[other]:
            continue
        if model.depends[before] and not model.evaluation.is_cut[before]:
            text = "=" + formula.written(*graph.positions[node][1:])
            yield Mistake(node, "pasted_value", "is a typed number where a formula belongs", text, is_forward=True)


def strangers(model: Model, known_mistakes: Container[int]) -> Iterator[Mistake]:
    """Cells that no update is calculated from, with another formula than the same cell of the two steps before.

    What is carried on from step to step needs but one, where the others of its build go on with theirs. The next step,
    where there is one, has the formula of those again; in the last one all that it would read is as before.
    """
    graph, kind_of = model.graph, model.graph.kind_of
    steps = Neighbours(graph, model.threads.usual_moves)
    free = np.flatnonzero(model.depends & ~model.feeds & ~model.evaluation.is_cut & (kind_of >= 0)).tolist()
    go_on: dict[str, list[bool]] = defaultdict(list)
    for node in free:
        earlier = steps.before(node)
        go_on[skeleton(graph, earlier)].append(kind_of[node] == kind_of[earlier])
    for node in free:
        earlier = steps.before(node)
        if node in known_mistakes or earlier in known_mistakes:
            continue
        _, row, column = graph.positions[node]
        formula = graph.formulas[earlier]
        usual = kind_of[earlier]
        if formula is None or usual < 0 or usual == kind_of[node]:
            continue
        others = go_on[skeleton(graph, earlier)]
        start = steps.before(earlier)
        is_carried = start in graph.named(earlier) and sum(others) >= max(1, len(others) - 1)
        if kind_of[start] != usual and not is_carried:
            continue
        later = steps.after(node)
        if later > TEXT and graph.is_formula(later) and kind_of[later] != usual:
            continue
        known = model.read(text := "=" + formula.written(row, column), node)
        if known is None:
            continue
        program, operands = known
        read = [operand for operand in operands.tolist() if graph.is_formula(operand) and operand != earlier]
        fixed = set(graph.operands(earlier).tolist())
        goes_on = all(one in fixed or skeleton(graph, one) == skeleton(graph, steps.before(one)) for one in read)
        if kind_of[later] != usual and not (read and goes_on):
            continue
        right = calculated(program, operands, model.evaluation.seen[operands])
        is_step = is_in_a_step(graph, graph.positions[node], graph.positions[earlier])
        if is_step and not bool(alike(model.evaluation.seen[node], right)):
            words = "differs from the formula of the same cell in the steps before"
            yield Mistake(node, "wrong_formula", words, text, is_forward=True)


def odd_starts(model: Model, known_mistakes: Container[int]) -> Iterator[Mistake]:
    """Cells of the first step that no update is calculated from, with another formula than the next two steps have,
    which here would read the same of this step as there of theirs."""
    graph, kind_of = model.graph, model.graph.kind_of
    steps = Neighbours(graph, model.threads.usual_moves)
    found: dict[int, dict[int, str]] = defaultdict(dict)
    differing: set[int] = set()
    for node in np.flatnonzero(model.depends & ~model.feeds & ~model.evaluation.is_cut & (kind_of >= 0)).tolist():
        later = steps.after(node)
        usual, formula, own = kind_of[later], graph.formulas[later], int(kind_of[node])
        is_usual = formula is not None and 0 <= usual == kind_of[steps.after(later)] != own
        is_first = kind_of[steps.before(node)] not in (usual, own)
        if node in known_mistakes or not (is_first and is_usual) or formula is None:
            continue
        known = model.read(text := "=" + formula.written(*graph.positions[node][1:]), node)
        pairs = [] if known is None else list(zip(known[1].tolist(), graph.operands(later).tolist(), strict=False))
        is_in_place = all(one == other or steps.after(one) == other for one, other in pairs)
        if known is None or not (is_in_place and all(skeleton(graph, a) == skeleton(graph, b) for a, b in pairs)):
            continue
        right = calculated(*known, model.evaluation.seen[known[1]])
        found[own][node] = text
        differing |= set() if np.allclose(model.evaluation.seen[node], right, equal_nan=True) else {own}
    for own in differing:
        for node, text in found[own].items():
            words = "differs from the formula of the same cell in the next steps"
            yield Mistake(node, "wrong_formula", words, text, is_forward=True)


def shifted_units(model: Model, found: Iterable[Descent]) -> Iterator[str]:
    """The units whose function is that of most others, with a number added to what it is applied to, in words.

    Its derivative may be right all the same.
    """
    graph, sums = model.graph, np.linspace(-2.0, 2.0, 9)
    units: dict[tuple[object, ...], list[Kind]] = defaultdict(list)
    for kind in graph.kinds:
        is_forward = any(np.nan_to_num(descent.adjoint[kind.cells]).any() for descent in found)
        if is_forward and kind.program.width == 1 and kind.formula.functions:
            units[graph.positions[int(kind.cells[0])][0], kind.formula.functions].append(kind)
    for usual, odd in (pair for kinds in units.values() for pair in permutations(kinds, 2)):
        _, down, across = model.threads.usual_moves.get(graph.positions[int(odd.cells[0])][0], (0, 0, 0))
        lines = [{graph.positions[node][2 if down else 1] for node in kind.cells.tolist()} for kind in (usual, odd)]
        typed = [leaf[1] for leaf in leaves(odd.program.tree) if leaf[0] == "n"] if down or across else []
        shifts = [sums + sign * number for number in typed for sign in (1, -1) if number]
        value = odd.program.value(sums[None, None])
        if len(lines[0]) > len(lines[1]) and any(
            np.allclose(usual.program.value(x[None, None]), value) for x in shifts
        ):
            cells = cells_of_sheets(graph.positions[node] for node in odd.cells.tolist())
            yield f"{cells} has the function of other units, moved by a number"


def odd_choices(model: Model) -> Iterator[Mistake]:
    """Cells that choose a number by the step before, where those in their line that are built alike do by their own."""
    graph, steps = model.graph, Neighbours(model.graph, model.threads.usual_moves)
    lines: dict[tuple[object, ...], dict[int, tuple[int, int]]] = defaultdict(dict)
    for kind in graph.kinds:
        chosen = [(number, slot.start) for number, slot in enumerate(kind.program.slots) if slot.selects]
        for node in kind.cells.tolist() if len(chosen) == 1 else ():
            sheet, row, column = graph.positions[node]
            _, down, across = model.threads.usual_moves.get(sheet, (0, 0, 0))
            if (down or across) and not model.depends[node] and model.depends[graph.readers(node)].any():
                ((number, start),) = chosen
                line = (sheet, row if down else column, kind.program.build)
                lines[line][node] = number, int(graph.operands(node)[start])
    for cells in lines.values():
        (usual, count), *_ = Counter(cell for _, cell in cells.values()).most_common(1)
        for node, (number, cell) in cells.items() if 1 < count == len(cells) - 1 else ():
            node_kind = graph.kind(node)
            if node_kind is not None and cell == steps.before(usual):
                sheet = graph.positions[node][0]
                words = f"is chosen by {named(graph, cell, sheet)} where {named(graph, usual, sheet)} belongs"
                text = rewritten(graph, node, node_kind.program.tree, {number: usual})
                yield Mistake(node, "wrong_cell", words, text, is_forward=True)


def _is_in_line(graph: Graph, node: int, others: Iterable[int]) -> bool:
    """Whether a cell stands in a row or column of some others."""
    sheet, row, column = graph.positions[node]
    places = (graph.positions[other] for other in others)
    return any(where == sheet and (row == down or column == across) for where, down, across in places)


def usual_formula(graph: Graph, node: int) -> CellFormula | None:
    """The formula that most cells beside this one in its row or column have; None where it has that itself."""
    sheet, row, column = graph.positions[node]
    for is_down in (True, False):
        run = graph.run(node, is_down=is_down)
        others = len(run.kinds) - run.count
        if run.usual == graph.kind_of[node] or (others > 1 and run.count < _MOST_OF_A_LINE * len(run.kinds)):
            continue
        here = row if is_down else column
        nearest = min((abs(place - here), place) for place, kind in run.kinds.items() if kind == run.usual)[1]
        formula = graph.formulas[graph.node((sheet, nearest, column) if is_down else (sheet, row, nearest))]
        if formula is not None and run.count > 1:
            return formula
    return None


def _usual(graph: Graph, node: int) -> str:
    """The same as it would be in the cell itself."""
    formula = usual_formula(graph, node)
    return "" if formula is None else "=" + formula.written(*graph.positions[node][1:])


def _of_other_steps(graph: Graph, steps: Neighbours, node: int) -> str:
    """The formula that the same cell of two steps around has, or that on two sheets beside, as it would be here."""
    before, after = steps.before(node), steps.after(node)
    sheet, row, column = graph.positions[node]
    names = [one.name for one in graph.book.sheets]
    here = names.index(sheet)
    near = (*names[max(0, here - 2) : here], *names[here + 1 : here + 3])
    beside = [graph.node((name, row, column)) for name in near]
    pairs = ((before, after), (before, steps.before(before)), (after, steps.after(after)), *combinations(beside, 2))
    for one, other in pairs:
        kind, formula = graph.kind_of[one], graph.formulas[one]
        if formula is not None and 0 <= kind == graph.kind_of[other] != graph.kind_of[node]:
            return "=" + formula.written(*graph.positions[node][1:])
    return ""


def _of_siblings(graph: Graph, nodes: Iterable[int], node: int, slot: int) -> Iterator[int]:
    """What may belong in place of a cell that a formula reads twice, or that is unlike all others that it reads.

    That is what formulas of the same build read, where they read nothing twice, and cells of the build of the others.
    """
    operands = graph.operands(node).tolist()
    builds = {skeleton(graph, operand) for index, operand in enumerate(operands) if index != slot}
    is_unlike = len(operands) > 2 and len(builds) == 1 and skeleton(graph, operands[slot]) not in builds
    if operands.count(operands[slot]) < 2 and not is_unlike:
        return
    fellow = builds.pop() if is_unlike else skeleton(graph, operands[slot])
    for other in nodes:
        read = graph.operands(other).tolist()
        is_sibling = other != node and skeleton(graph, other) == skeleton(graph, node)
        if is_sibling and not is_unlike and len(set(read)) == len(read):
            yield from (cell for cell in read if cell > TEXT and cell not in operands)
        if fellow and other not in operands and skeleton(graph, other) == fellow:
            yield other


def _unused(model: Model, descent: Descent, step: Step, parameters: list[int]) -> list[int]:
    """What the forward pass of a step should read and does not, nor that of another step."""
    graph = model.graph
    idle = [node for node in parameters if node not in step.adjoints]
    for node in step.nodes:
        if node not in step.adjoints and not len(graph.readers(node)) and not model.evaluation.is_cut[node]:
            idle.append(node)
    for node in step.given:
        if node not in step.adjoints and node not in idle and not graph.is_formula(node):
            near = graph.positions[node]
            neighbours = [
                graph.node((near[0], near[1] + down, near[2] + across))
                for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0))
            ]
            if any(other in step.adjoints for other in neighbours):
                idle.append(node)
    seen = model.evaluation.seen[:, :FREE]
    is_free = [node for node in idle if graph.is_formula(node) or np.ptp(seen[node]) > 0]  # no number that decides
    return [node for node in is_free if not np.nan_to_num(descent.adjoint[node]).any()]
