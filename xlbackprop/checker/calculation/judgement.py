"""Judgement: where a calculation is not the descent of its loss, told at the first cell that is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from xlbackprop.checker.calculation.forward import forward_mistake
from xlbackprop.checker.calculation.graph import TEXT, Graph, pairs_of_operands, skeleton
from xlbackprop.checker.calculation.model import Descent, Mistake, Model
from xlbackprop.checker.calculation.names import named, place
from xlbackprop.checker.calculation.program import Identities
from xlbackprop.checker.calculation.recognition import dependents
from xlbackprop.checker.calculation.repair import repair, rewritten
from xlbackprop.checker.calculation.rules import ERROR, rule_words
from xlbackprop.checker.calculation.step import Step, TooWideError, alike, calculated_from, is_descent
from xlbackprop.checker.calculation.worlds import FREE
from xlbackprop.checker.file.formula import UnsupportedError
from xlbackprop.checker.judgement.slip import ExhaustedError, Tries
from xlbackprop.engine import Array

_DEEPEST = 12
_MOST_FORWARD = 60
"""Forward cells of a step up to which every cell is tried as what another stands for."""
_MOST_STARTS = 300
"""Forward cells that are tried as what several cells stand for."""
_FARTHEST_ERROR = 3
"""Formulas from a loss to the errors that it is made of."""
_WIDEST = 40
"""Operands of a formula that are compared with those of another."""


class _Diagnosis:
    """What is wrong in one step."""

    def __init__(self, model: Model, descent: Descent, index: int) -> None:
        self.model = model
        self.descent = descent
        self.index = index
        self.target = int(model.targets[descent.members[index]])
        self.parameter = int(model.parameters[descent.members[index]])
        self.step = Step(model, descent, self.parameter)
        self.graph = model.graph
        self.sheet = self.graph.positions[self.target][0]

    def adjoint(self, node: int) -> Array:
        """The derivative of the loss by a cell."""
        found: Array = self.descent.adjoint[node]
        return found

    def mistakes(self) -> list[Mistake]:
        """The first cell that is not what it stands for, or the first cells, where a sum reads several of a kind."""
        rate = self._rate()
        pace = self.descent.factor * (self.model.evaluation.seen[rate] if rate > TEXT else 1.0)
        wanted = self.model.evaluation.results[self.target] - self.model.steps[self.model_index]
        wanted = wanted - pace * self.adjoint(self.parameter)
        own, step = self.step.adjoints.get(self.parameter), self.model.steps[self.model_index]
        if own is not None and self.descent.is_decayed and is_descent(self.model, self.descent, self.index, step, own):
            words = "lacks the weight decay that the others have"
            return [replace(self._mistake_in(self.target, wanted), kind="missing_term", words=words)]
        unusual = self._unusual_update(wanted)
        if unusual is not None:
            return [unusual]
        found = self._judged(self.target, wanted, 0)
        if [one.node for one in found] == [self.target] and not found[0].formula:
            return self._unusual_operand() or found
        return found

    def _unusual_operand(self) -> list[Mistake]:
        """The one cell that an update reads that is built otherwise than what right updates of its build read there."""
        graph = self.graph
        for other in self.model.targets[self._right].tolist():
            pairs = pairs_of_operands(graph, self.target, other)
            unlike = [(one, usual) for one, usual in pairs if skeleton(graph, one) != skeleton(graph, usual)]
            if len(unlike) == 1 and unlike[0][0] != self.parameter and graph.is_formula(unlike[0][0]):
                node, usual = unlike[0]
                words = f"is built otherwise than {named(graph, usual, self.sheet)}"
                return [Mistake(node, "wrong_formula", words, "", self.parameter)]
        return []

    def _unusual_update(self, wanted: Array) -> Mistake | None:
        """What is wrong in an update that is built otherwise than all right ones, where built like them it is right."""
        graph, right = self.graph, self.model.targets[self._right]
        builds = {skeleton(graph, node) for node in right.tolist()}
        if not builds or skeleton(graph, self.target) in builds:
            return None
        mistake = self._mistake_in(self.target, wanted)
        known = graph.read(mistake.formula, self.target) if mistake.formula else None
        return mistake if known is not None and known[0].build in builds else None

    @cached_property
    def _right(self) -> Identities:
        return self.descent.members[self.descent.is_right]

    @property
    def model_index(self) -> int:
        return int(self.descent.members[self.index])

    def _rate(self) -> int:
        """The cell with the learning rate that the right updates nearest to this one use."""
        sheet, row, column = self.graph.positions[self.target]
        best: tuple[tuple[int, int, int], int] | None = None
        for place_, is_right in enumerate(self.descent.is_right.tolist()):
            if not is_right:
                continue
            other = self.graph.positions[int(self.model.targets[self.descent.members[place_]])]
            rank = (int(other[0] != sheet), abs(other[1] - row), abs(other[2] - column))
            if best is None or rank < best[0]:
                best = (rank, int(self.descent.rates[place_]))
        return best[1] if best is not None else int(self.descent.rates[self.index])

    def _judged(self, node: int, wanted: Array, depth: int) -> list[Mistake]:
        """The mistake in a cell that should have certain numbers, or those in cells that it reads."""
        if depth < _DEEPEST and self.graph.is_formula(node):
            gradients = self._gradients() if node == self.target else []
            inner = self._wrong_operand(node, wanted, np.array(gradients) if gradients else self._pool)
            if inner is not None:
                return self._judged(*inner, depth + 1)
            mistake = self._mistake_in(node, wanted)
            if gradients and not mistake.formula:  # it may read what a gradient is made of
                inner = self._wrong_operand(node, wanted, self._pool)
                if inner is not None:
                    return self._judged(*inner, depth + 1)
            inner = self._needed_by_several(node, wanted)
            if inner is not None:
                return self._judged(*inner, depth + 1)
            is_total = (
                " times " in mistake.words or " where AVERAGE " in mistake.words or " where SUM " in mistake.words
            )
            is_spoilt = not mistake.formula or (not is_total and self._adds_nonsense(node))
            several = self._wrong_operands(node, wanted) if is_spoilt else ()
            found = [mistake for one in several for mistake in self._judged(*one, depth + 1)]
            return found or [mistake]
        return [self._mistake_in(node, wanted)]

    def _needed_by_several(self, node: int, wanted: Array) -> tuple[int, Array] | None:
        """A cell that a formula reads, and what makes it right there and another wrong update of the step that is
        calculated from it, too."""
        step, forward = self.step, set(self.step.forward)
        for operand, slope in step.slopes(node).items():
            is_inner = (
                operand in step.values and self.graph.is_formula(operand) and not self.model.evaluation.is_cut[operand]
            )
            is_shared = len(self.graph.readers(operand)) > 1
            if operand in forward or not (is_inner and is_shared and self.model.depends[operand]):
                continue
            with np.errstate(all="ignore"):
                needed = step.values[operand] + (wanted - step.values[node]) / slope
            if np.allclose(needed, 0.0):
                continue  # the loss leaves out what it belongs to
            slots = np.flatnonzero(self.graph.operands(node) == operand).tolist()
            if not bool(alike(step.replacing(node, slots, needed[None]), wanted)[0]):
                continue
            others = [
                index
                for index, member in enumerate(self.descent.members.tolist())
                if index != self.index and (target := int(self.model.targets[member])) in step.updates
                if operand in calculated_from(self.model, target)
            ]
            if others and all(
                is_right_with(self.model, self.descent, index, {}, {operand: needed}) for index in others
            ):
                return operand, needed
        return None

    def _adds_nonsense(self, node: int) -> bool:
        """Whether a formula reads several cells of one kind that are nothing that belongs in a backward pass."""
        kinds: dict[int, list[int]] = defaultdict(list)
        for operand in dict.fromkeys(self.graph.operands(node).tolist()):
            if operand in self.step.values and self.graph.kind_of[operand] >= 0:
                kinds[int(self.graph.kind_of[operand])].append(operand)
        return any(
            len(cells) > 1 and not any(self._is_meant(self.step.values[cell]) for cell in cells[:_WIDEST])
            for cells in kinds.values()
        )

    def _wrong_operands(self, node: int, wanted: Array) -> Sequence[tuple[int, Array]]:
        """Cells of one build that a formula reads, and the derivatives that would make it right in place of them all.

        Each stands for the derivative of the loss by the cell that lies beside it as those of the others do, or for
        the parameter's share of that, as the samples of a batch do.
        """
        graph, step = self.graph, self.step
        forward = set(step.forward)
        operands = graph.operands(node).tolist()
        groups: dict[str, dict[int, None]] = defaultdict(dict)
        for operand in operands:
            if operand in step.values and graph.kind(operand) is not None and operand not in forward:
                groups[skeleton(graph, operand)][operand] = None
        numbers = step.operands_of(node)
        for cells in groups.values():
            if not 1 < len(cells) <= _WIDEST:
                continue
            first = graph.positions[next(iter(cells))]
            slots = {cell: [slot for slot, operand in enumerate(operands) if operand == cell] for cell in cells}
            for start in step.forward[:_MOST_STARTS]:
                sheet, row, column = graph.positions[start]
                shifted = [
                    graph.node((sheet, down + row - first[1], across + column - first[2]))
                    for _, down, across in (graph.positions[cell] for cell in cells)
                ]
                if not all(other in step.adjoints for other in shifted):
                    continue
                whole = [step.adjoints[other] for other in shifted]
                followed = [other for other in shifted if graph.kind(other) is not None]
                shares = [step.slopes(other).get(self.parameter) for other in followed]
                options = [whole]
                if len(shares) == len(whole) and all(share is not None for share in shares):
                    options.append([one * share for one, share in zip(whole, shares, strict=True) if share is not None])
                for option, sign in product(options, (1.0, -1.0)):
                    for factor in dict.fromkeys((1.0, self.descent.factor, float(len(cells)))):
                        values = [sign * factor * one for one in option]
                        trial = numbers.copy()
                        for value, places in zip(values, slots.values(), strict=True):
                            trial[places] = value
                        if bool(alike(step.tried(node, trial[None]), wanted)[0]):
                            pairs = zip(cells, values, strict=True)
                            return [(cell, value) for cell, value in pairs if not bool(alike(step.values[cell], value))]
        return ()

    def _wrong_operand(self, node: int, wanted: Array, pool: Array) -> tuple[int, Array] | None:
        """A cell that a formula reads, and the one of some numbers with which in it the formula would be right."""
        forward = set(self.step.forward)
        given = set(self.step.given)
        parameters = {*self.model.parameters.tolist(), *self.model.targets[self._right].tolist()}
        found: list[tuple[int, Array]] = []
        operands = self.graph.operands(node).tolist()
        program = self.step.program(node)
        for slot in range(program.width):
            operand = operands[slot]
            if operand <= TEXT or operand in forward or operand in parameters or operand == node:
                continue
            is_rate = operand in self.model.rate_choices[self.model_index]
            if operand in given and (self.graph.is_formula(operand) or is_rate or self._is_read_ahead(operand)):
                continue
            if operands.count(operand) > 1 or operand not in self.step.values or self._is_like_right(operand):
                continue
            hits = np.flatnonzero(alike(self.step.replacing(node, [slot], pool), wanted))
            for index in hits.tolist():
                if bool(alike(self.step.values[operand], pool[index])):
                    return None
                found.append((operand, pool[index]))
                break
        open_ = [one for one in found if not self._is_right_itself(node, *one)]
        return open_[0] if len({operand for operand, _ in open_}) == 1 else None

    def _is_like_right(self, node: int) -> bool:
        """Whether a cell is built, and holds its gradient, as one does that a right update of the step reads."""
        return self._share_of_gradient(node, self.parameter) in self._shares_of_right

    @cached_property
    def _shares_of_right(self) -> set[tuple[str, float]]:
        pairs = zip(self.model.targets[self._right].tolist(), self.model.parameters[self._right].tolist(), strict=True)
        found = {
            self._share_of_gradient(node, parameter)
            for target, parameter in pairs
            if target in self.step.updates
            for node in calculated_from(self.model, target)
            if node != target
        }
        return {share for share in found if share[0] and np.isfinite(share[1])}

    def _share_of_gradient(self, node: int, parameter: int) -> tuple[str, float]:
        """How a cell is built, and its multiple of the derivative by a parameter; nan where it is none."""
        slope, value = self.step.adjoints.get(parameter), self.step.values.get(node)
        if slope is None or value is None:
            return "", np.nan
        with np.errstate(all="ignore"):
            factor = value / slope
        is_steady = bool(alike(factor, np.full_like(factor, factor[0])))
        return skeleton(self.graph, node), float(f"{factor[0]:.9g}") if is_steady else np.nan

    def _is_read_ahead(self, node: int) -> bool:
        """Whether the forward pass reads a number."""
        return bool(np.nan_to_num(self.descent.adjoint[node]).any())

    def _gradients(self) -> list[Array]:
        """The derivative by the parameter, with the sign and factor with which right updates beside it read theirs."""
        own = self.step.adjoints.get(self.parameter)
        if own is None:
            return []
        rate, seen = self._rate(), self.model.evaluation.seen
        paces = [np.ones_like(own), *([seen[rate]] if rate > TEXT else [])]
        found = {
            (number, factor): own * pace * factor
            for number, pace in enumerate(paces)
            for factor in (1.0, self.descent.factor)
        }
        for index, member in enumerate(self.descent.members.tolist()):
            target, parameter = int(self.model.targets[member]), int(self.model.parameters[member])
            slope = self.step.adjoints.get(parameter)
            if not self.descent.is_right[index] or target not in self.step.updates or slope is None:
                continue
            for operand in self.graph.operands(target).tolist():
                if operand not in self.step.values or operand == parameter or not self.model.depends[operand]:
                    continue
                for number, pace in enumerate(paces):
                    with np.errstate(all="ignore"):
                        factor = self.step.values[operand] / slope / pace
                    if bool(alike(factor, np.full_like(factor, factor[0]))):
                        found.setdefault((number, float(f"{factor[0]:.9g}")), own * pace * factor[0])
        return list(found.values())

    def _is_right_itself(self, node: int, operand: int, wanted: Array) -> bool:
        """Whether a cell is right as it is, so that the formula that reads it reads the wrong one."""
        others = [reader for reader in self.graph.readers(operand).tolist() if reader != node]
        right = self.model.targets[self._right]
        if not set(others).isdisjoint(right.tolist()):
            return True
        if not self._is_meant(self.step.values[operand]) or (not others and self.graph.link(operand) != operand):
            return False
        if any(bool(alike(self.step.values[other], wanted)) for other in self.step.nodes if other != node):
            return bool(others) or not self._is_filled(node)
        return any(
            operand in calculated_from(self.model, target) for target in right.tolist() if target in self.step.updates
        )

    def _is_filled(self, node: int) -> bool:
        """Whether a formula is filled from one beside it that is, or that gives something to, a right update."""
        right = self.model.targets[self._right].tolist()
        kind = self.graph.kind_of[node]
        return any(
            other != node and self.graph.kind_of[other] == kind
            for target in right
            if target in self.step.updates
            for other in calculated_from(self.model, target)
        )

    def _is_meant(self, value: Array) -> bool:
        """Whether numbers are something that a cell of the backward pass may stand for."""
        return bool(alike(self._pool, value).any())

    @cached_property
    def _pool(self) -> Array:
        """All that a cell of the backward pass may stand for: the derivatives of the step's cells by one another.

        Of shape (meanings, worlds).
        """
        step = self.step
        sources: list[Mapping[int, float | Array]] = [step.loss]
        if len(step.forward) <= _MOST_FORWARD:
            sources += [{node: 1.0} for node in step.forward if node in set(step.nodes)]
        else:
            sources += [{node: 1.0} for node in self._parts_of_the_loss()]
        found: dict[tuple[float, ...], Array] = {}
        for seeds in sources:
            for value in step.derivatives(seeds).values():
                if not np.isfinite(value[:FREE]).all():
                    continue
                for factor in (1.0, -1.0, *(() if self.descent.factor == 1 else (self.descent.factor,))):
                    scaled = value * factor
                    found.setdefault(tuple(float(f"{x:.9g}") for x in scaled[:FREE].tolist()), scaled)
        return np.array(list(found.values())).reshape(-1, self.model.evaluation.worlds)

    def _parts_of_the_loss(self) -> Iterator[int]:
        for node in self.step.loss:
            yield node
            yield from (n for n in self.graph.operands(node).tolist() if n in self.step.adjoints and n > TEXT)

    def _mistake_in(self, node: int, wanted: Array) -> Mistake:
        if not self.graph.is_formula(node):
            return Mistake(node, "pasted_value", "is a typed number where a formula belongs", "")
        found = repair(self.step, node, wanted)
        if found is not None:
            return Mistake(node, found.kind, found.words, found.formula)
        stands = self._meaning_of(node, wanted)
        return Mistake(node, "wrong_formula", stands, "")

    def _meaning_of(self, node: int, wanted: Array) -> str:
        if self.descent.loss.errors and node == self.target:
            return f"does not change {rule_words(self.model, self.descent.loss)}"
        first = next(iter(self.step.loss), 0) if not self.descent.loss.errors else 0
        loss = named(self.graph, first, self.sheet) if first else "the loss"
        if node == self.target:
            return f"does not go down by the derivative of {loss} by {named(self.graph, self.parameter, self.sheet)}"
        for other in (*self.step.given, *self.step.nodes):
            if other in self.step.adjoints and bool(alike(self.step.adjoints[other], wanted)):
                return f"is not the derivative of {loss} by {named(self.graph, other, self.sheet)}"
        return f"is not the derivative of {loss} that it stands for"


def mistakes(model: Model, descent: Descent, trials: Tries) -> list[Mistake]:
    """All mistakes in the updates of one loss, each at its cell.

    Args:
        model: the calculation.
        descent: what descends the loss.
        trials: the cells that may still be calculated anew in the search for a wrong forward pass.
    """
    graph = model.graph
    if descent.factor < 0 and _is_never_negative(model, descent):
        return list(_climbing(model, descent))
    found: dict[int, Mistake] = {}
    known = np.isfinite(model.steps[descent.members, :FREE]) & np.isfinite(
        descent.adjoint[model.parameters[descent.members], :FREE]
    )
    decided = decided_by_loss(model, descent)
    wrong = np.flatnonzero(~descent.is_right & known.any(axis=1) & ~decided).tolist()
    mended: set[int] = set()
    tried: set[str] = set()
    in_forward: Sequence[Mistake] = ()
    for index in wrong:
        signature = _signature(graph, int(model.targets[descent.members[index]]))
        if index in mended or signature in tried:
            continue
        tried.add(signature)
        try:
            forward = forward_mistake(model, descent, index, trials, in_forward)
        except ExhaustedError:
            break
        if forward is not None:
            seen, others = forward
            in_forward = seen
            found.update({mistake.node: mistake for mistake in seen if mistake.node not in found})
            mended |= others
            tried.discard(signature)
    alike_: dict[str, list[int]] = defaultdict(list)
    for index in wrong:
        if index not in mended:
            alike_[_signature(graph, int(model.targets[descent.members[index]]))].append(index)
    moving = {signature: _worlds_with_effect(model, descent, members).max() for signature, members in alike_.items()}
    for signature in sorted(alike_, key=lambda signature: not moving[signature]):
        known_kinds = {int(graph.kind_of[node]) for node in found}
        first = int(model.targets[descent.members[alike_[signature][0]]])
        is_explained = not moving[signature] and not known_kinds.isdisjoint(
            graph.kind_of[list(calculated_from(model, first))].tolist()
        )  # where nothing reaches the loss, a formula that is wrong elsewhere explains enough
        for mistake in _shared_mistake(model, descent, alike_[signature]):
            is_whole = not moving[signature] and (mistake.kind == "extra_term" or not mistake.formula)
            if not (is_whole or (is_explained and graph.kind_of[mistake.node] not in known_kinds)):
                found.setdefault(mistake.node, mistake)
    return list(found.values())


def decided_by_loss(model: Model, descent: Descent) -> npt.NDArray[np.bool_]:
    """The updates that go by how large the loss is, as where training stops early: another one is another rule."""
    if descent.loss.errors:
        return np.zeros(len(descent.members), dtype=np.bool_)
    loss = dependents(model.evaluation, np.array(descent.loss.cells))
    chosen = [
        kind.cells[loss[kind.operands[:, slot.start : slot.start + slot.size]].any(axis=1)]
        for kind in model.graph.kinds
        for slot in kind.program.slots
        if slot.decides
    ]
    nodes = np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.int64)
    after = dependents(model.evaluation, nodes)
    targets = model.targets[descent.members].tolist()
    return np.array([after[[node, *model.graph.operands(node)]].any() for node in targets], dtype=np.bool_)


def _worlds_with_effect(model: Model, descent: Descent, members: list[int]) -> Array:
    """In how many worlds each parameter changes the loss."""
    slopes = np.nan_to_num(descent.adjoint[model.parameters[descent.members[members]], :FREE])
    found: Array = (slopes != 0).sum(axis=1)
    return found


def _shared_mistake(model: Model, descent: Descent, members: list[int]) -> Iterator[Mistake]:
    """The mistake of updates whose formulas, and those of all cells that these read, are of the same kinds."""
    graph = model.graph
    shown = members[int(np.argmax(_worlds_with_effect(model, descent, members)))]
    first = int(model.targets[descent.members[shown]])
    try:
        diagnosis = _Diagnosis(model, descent, shown)
    except TooWideError:
        for index in members:
            node = int(model.targets[descent.members[index]])
            yield Mistake(node, "wrong_formula", "does not go down by the derivative of the loss", "")
        return
    found = diagnosis.mistakes()
    paths = [_path(graph, first, mistake.node) for mistake in found]
    for index in members:
        nodes = []
        for path in paths:
            node = int(model.targets[descent.members[index]])
            for slot in path:
                node = int(graph.operands(node)[slot])
            nodes.append(node)
        formulas = [graph.filled(one.formula, one.node, node) for one, node in zip(found, nodes, strict=True)]
        is_mended = not all(formulas) or is_right_with(model, descent, index, dict(zip(nodes, formulas, strict=True)))
        parameter = int(model.parameters[descent.members[index]])
        for mistake, node, formula in zip(found, nodes, formulas, strict=True):
            is_factor = mistake.kind in {"missing_factor", "extra_factor"}
            is_right_here = descent.is_right_here[members].all() if is_factor else descent.is_right_here[shown]
            if is_right_here and mistake.kind != "wrong_cell":
                continue  # right with the numbers of the sheet, and nothing says that these may be others
            yield Mistake(node, mistake.kind, mistake.words, formula if is_mended else "", parameter)


def is_right_with(
    model: Model,
    descent: Descent,
    index: int,
    formulas: Mapping[int, str],
    given: Mapping[int, Array] = MappingProxyType({}),
) -> bool:
    """Whether an update descends its loss when some of the cells that it is calculated from have other formulas.

    Args:
        model: the calculation.
        descent: what descends the loss.
        index: the update, by its number in this.
        formulas: the other formulas.
        given: what some cells are instead.
    """
    graph, seen = model.graph, model.evaluation.seen
    member = int(descent.members[index])
    target, parameter = int(model.targets[member]), int(model.parameters[member])
    between = calculated_from(model, target)
    values = dict(given)
    level = model.evaluation.order.level
    for node in sorted(between.keys() - given.keys(), key=lambda one: int(level[one])):
        if node in formulas:
            known = model.read(formulas[node], node)
        else:
            kind, operands = graph.kind(node), graph.operands(node)
            known = (kind.program, operands) if kind and not values.keys().isdisjoint(operands.tolist()) else None
        if known is not None:
            program, operands = known
            numbers = np.array([values.get(operand, seen[operand]) for operand in operands.tolist()])
            try:
                with np.errstate(all="ignore"):
                    values[node] = program.value(numbers[None], operands[None] > TEXT)[0]
            except UnsupportedError:
                return False
        elif node in formulas:
            return False
    moved = values.get(target, model.evaluation.results[target]) - model.evaluation.results[target]
    return is_descent(model, descent, index, model.steps[member] + moved, descent.adjoint[parameter])


def _path(graph: Graph, start: int, end: int) -> tuple[int, ...]:
    """The operands through which one cell is read by another, first to last."""
    ahead: list[tuple[int, tuple[int, ...]]] = [(start, ())]
    seen = {start}
    for node, path in ahead:
        if node == end:
            return path
        for slot, operand in enumerate(graph.operands(node).tolist()):
            if operand > TEXT and operand not in seen and len(path) < _DEEPEST:
                seen.add(operand)
                ahead.append((operand, (*path, slot)))
    return ()


def _signature(graph: Graph, node: int, depth: int = 3) -> str:
    """The kinds of a formula and of what it reads, down to a depth."""
    kind = int(graph.kind_of[node])
    if kind < 0 or depth == 0:
        return str(kind)
    inner = [_signature(graph, operand, depth - 1) for operand in graph.operands(node).tolist()[:_WIDEST]]
    return f"{kind}({','.join(inner)})"


def _is_never_negative(model: Model, descent: Descent) -> bool:
    rates = descent.rates[descent.is_right]
    if (model.graph.numbers[rates[rates > TEXT]] < 0).any():
        return False  # what is added then is subtracted
    if descent.loss.errors:
        return True
    values, graph = model.evaluation.seen[list(descent.loss.cells)], model.graph
    parts = set(descent.loss.cells[:1])
    for _ in range(_FARTHEST_ERROR):
        parts |= {operand for node in parts for operand in graph.operands(node).tolist()}
    is_error = any(ERROR.search(skeleton(graph, node)) for node in parts)  # a reward is not negative either
    return is_error and bool((values[np.isfinite(values)] >= 0).all())


def _climbing(model: Model, descent: Descent) -> Iterator[Mistake]:
    """Updates that all go up the loss."""
    for index in descent.members[descent.is_right].tolist():
        node = int(model.targets[index])
        words = "adds the step that belongs subtracted: the loss grows"
        yield Mistake(node, "wrong_operator", words, _subtracting(model, index))


def _subtracting(model: Model, index: int) -> str:
    graph, node = model.graph, int(model.targets[index])
    sheet = graph.positions[node][0]
    kind = graph.kind(node)
    assert kind is not None
    tree = kind.program.tree
    if tree[0] == "+":
        return rewritten(graph, node, ("-", tree[1], tree[2]), {})
    return f"=2*{place(graph, int(model.parameters[index]), sheet)}-({rewritten(graph, node, tree, {})[1:]})"


def crossed_mistakes(model: Model) -> Iterator[Mistake]:
    """Parameters that go on with what belongs to another."""
    graph = model.graph
    for node, source in model.threads.crossed.items():
        sheet = graph.positions[node][0]
        used = named(graph, graph.link(node), sheet)
        words = f"is carried over from {used} where {named(graph, source, sheet)} belongs"
        yield Mistake(node, "wrong_cell", words, f"={place(graph, source, sheet)}")
    for index, parameter in model.threads.strayed.items():
        target = int(model.targets[index])
        sheet = graph.positions[target][0]
        kind = graph.kind(target)
        assert kind is not None
        wrong = _start(model, index)
        slots = {
            number: parameter
            for number, slot in enumerate(kind.program.slots)
            if slot.size == 1 and int(graph.operands(target)[slot.start]) == wrong
        }
        words = f"starts from {named(graph, wrong, sheet)} where {named(graph, parameter, sheet)} belongs"
        yield Mistake(target, "wrong_weight", words, rewritten(graph, target, kind.program.tree, slots))
    for node, earlier in model.threads.broken:
        before = named(graph, earlier, graph.positions[node][0])
        what, words = "wrong_formula", f"is not the next value of {before}: it is not updated as others are"
        if graph.link(node) == earlier:
            what, words = "not_updated", f"repeats {before} where it should be updated"
        yield Mistake(node, what, words, as_before(model, node, earlier), earlier)
    for node in model.threads.pasted:
        yield Mistake(node, "pasted_value", "is a typed number where the other parameters are updated", "")


def as_before(model: Model, node: int, earlier: int) -> str:
    """The update by which an earlier value of the same parameter came about, written for a later one."""
    formula = model.graph.formulas[earlier]
    if formula is None or model.graph.kind_of[earlier] == model.graph.kind_of[node]:
        return ""
    _, row, column = model.graph.positions[node]
    text = "=" + formula.written(row, column)
    known = model.graph.read(text, node)
    return text if known is not None and earlier in known[1] else ""


def _start(model: Model, index: int) -> int:
    """The cell that an update really starts from."""
    target = int(model.targets[index])
    start = model.evaluation.results[target] - model.steps[index]
    for operand in model.graph.operands(target).tolist():
        if operand > TEXT and bool(alike(model.evaluation.seen[operand], start)):
            return int(operand)
    return int(model.parameters[index])
