"""The verdict on a workbook's calculation: its trainings, its mistakes, and which cells are proven right."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from types import MappingProxyType

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.calculation.biases import odd_biases
from xlbackprop.checker.calculation.carrying import carrying_doubts, carrying_mistakes, shares_of
from xlbackprop.checker.calculation.forward import odd_choices, odd_starts, pasted_numbers, shifted_units, strangers
from xlbackprop.checker.calculation.graph import TEXT, Graph, TooLargeError, skeleton
from xlbackprop.checker.calculation.judgement import crossed_mistakes, mistakes
from xlbackprop.checker.calculation.lone_cells import lone_formulas, mistake_in
from xlbackprop.checker.calculation.model import Descent, Flags, Mistake, Model
from xlbackprop.checker.calculation.names import cells_of_sheets, label, moved, named, place
from xlbackprop.checker.calculation.program import Identities
from xlbackprop.checker.calculation.rates import rate_doubts, rate_mistakes
from xlbackprop.checker.calculation.recognition import (
    LEAST_SHARE,
    adaptive_model_of,
    ancestors,
    batched_model_of,
    choices_of,
    dependents,
    descents,
    is_right_with,
    model_of,
    scaled,
    stateful_model_of,
    supposed,
    truncated_model_of,
    waiting_model_of,
)
from xlbackprop.checker.calculation.regularity import (
    added_halves,
    odd_inputs,
    odd_losses,
    odd_outputs,
    sums_without_one,
    turned_losses,
    without_poles,
)
from xlbackprop.checker.calculation.rules import odd_targets, rule_doubts, rule_words
from xlbackprop.checker.calculation.step import alike
from xlbackprop.checker.calculation.threads import is_steps_away, restarts
from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.formula import CellFormula, Position
from xlbackprop.checker.judgement.slip import Tries
from xlbackprop.ground.errors import count

MOST_FORMULAS = 300_000
"""Ten seconds' work."""
_MOST_TRIALS = 100_000
"""In the search for wrong forward passes: a second's work."""
_MOST_SHOWN = 8
"""Names of cells that are named."""
_MOST_NAMED = 3
"""Sheets that are named before the others are only counted."""
_MOST_SUPPOSED, _FEW = 3, 2
"""Losses that are tried where no update descends one, and updates of which one mistake has to explain both first."""
_MOST_LONE = 6
"""Cells unlike their line that are tried with its formula; each takes as long as the judgement."""
_MOST_CHOICES = 6
"""Choices not made at present that are tried; each takes as long as the judgement."""
_STEPS = frozenset({"IF", "SIGN"})
_SLOPES = frozenset({"EXP", "TANH", "MAX"})


class Training(Struct, frozen=True):
    """The updates on one sheet that descend one loss."""

    sheet: str
    first: tuple[int, int]
    """Row and column of the upper left corner of what was judged."""
    last: tuple[int, int]
    steps: int
    parameters: int
    updates: int
    right: int
    loss: int
    """A cell with the loss of one step."""
    cells: tuple[int, ...]
    """The formula cells that were judged."""
    rate: int
    """The cell with the learning rate that most updates use; 0 where it is typed into the formulas."""
    rule: str
    """What is descended without a cell of its own, in words; empty where `loss` is it."""
    carried: str
    """What else goes on from step to step, in words."""


class CalculationVerdict(Struct, eq=False, dict=True):
    """Everything that the calculation of a workbook says."""

    graph: Graph
    model: Model
    descents: tuple[Descent, ...]
    mistakes: tuple[Mistake, ...]
    proven: Flags
    explained: Flags
    """Cells that are wrong only because a cell of the forward pass before them is."""
    trainings: tuple[Training, ...]
    doubts: tuple[str, ...]
    """What cannot be called right, in words."""

    @property
    def is_plain(self) -> bool:
        """Whether updates subtract the gradient and nothing else."""
        is_carried = self.model.states or self.model.adaptive is not None
        return not (is_carried or any(descent.is_decayed for descent in self.descents))

    def is_proven(self, position: Position) -> bool:
        """Whether a cell is right, whatever its label says."""
        node = self.graph.node(position)
        return node > TEXT and bool(self.proven[node])

    @cached_property
    def covered(self) -> frozenset[str]:
        """The sheets with updates that were judged, or with parameters of these."""
        members = [descent.members for descent in self.descents]
        nodes = [array[chosen] for array in (self.model.targets, self.model.parameters) for chosen in members]
        return frozenset(self.graph.positions[node][0] for part in nodes for node in part.tolist())

    @cached_property
    def loose(self) -> Identities:
        """The updates that descend no loss, on sheets with others that do or going on from these."""
        model, graph = self.model, self.graph
        followed = np.zeros(len(model.targets), dtype=np.bool_)
        for descent in self.descents:
            followed[descent.members] = True
        judged = {*model.targets[followed].tolist(), *model.parameters[followed].tolist()}
        return np.array(
            [
                target
                for target, parameter in zip(
                    model.targets[~followed].tolist(), model.parameters[~followed].tolist(), strict=True
                )
                if graph.positions[target][0] in self.covered or {graph.link(parameter), target, parameter} & judged
            ],
            dtype=np.int64,
        )


@np.errstate(all="ignore")  # what is not finite in the worlds is no proof, and nothing to be warned of
def judge_calculation(book: Book) -> CalculationVerdict | None:
    """Judge the calculation of a workbook; None where it has no formulas.

    Raises:
        TooLargeError: it has more formulas than can be judged in time.
    """
    if not book.formulas:
        return None
    if book.formulas > MOST_FORMULAS:
        raise TooLargeError
    recognised, lone = _without_lone(book, _recognised(book))
    graph, model, found = recognised.graph, recognised.model, recognised.found
    trials = Tries(_MOST_TRIALS)
    descended = {cell for descent in found if not descent.loss.errors for cell in descent.loss.cells}
    odd = {one: tuple(odd_outputs(model, one.loss)) or tuple(odd_losses(model, one.loss)) for one in found}
    doubts = {one: () if odd[one] else tuple(rule_doubts(model, one.loss, descended)) for one in found}
    found = [descent for descent in found if not doubts[descent]]  # the sheet has another loss than these descend
    mistakes_of = {descent: mistakes(model, descent, trials) for descent in found}
    found = [descent for descent in found if _is_enough(descent) or _is_explained(descent, mistakes_of[descent])]
    if not (found or any(doubts.values())):
        for descent in islice(supposed(model), _MOST_SUPPOSED):
            few = descent.of(np.arange(min(_FEW, len(descent.members))))
            if not found and _is_one_mistake(model, mistakes(model, few, trials)):
                mistakes_of[descent] = mistakes(model, descent, trials)
                found = [descent] if _is_one_mistake(model, mistakes_of[descent]) else []
    wrong = [*lone, *crossed_mistakes(model)] if found else []
    pasted = list(pasted_numbers(model)) if found else []
    after = dependents(model.evaluation, np.array([mistake.node for mistake in pasted], dtype=np.int64))
    for descent in found:
        here = mistakes_of[descent]
        if descent.loss.errors:  # with no loss to go by, only what one change makes right is known to be wrong
            known = [mistake for mistake in here if mistake.formula]
            slips = odd.get(descent, ())
            is_output = any(one.is_forward for one in slips)
            here = [*slips, *(() if is_output else (*known, *odd_targets(model, descent.loss)))]
        else:
            here = [*here, *sums_without_one(graph, descent.loss.cells)]
        wrong += [*here, *rate_mistakes(model, descent)]
    if found:
        wrong += carrying_mistakes(model, found, {one.node for one in wrong})
        wrong += strangers(model, {one.node for one in wrong})
        wrong += odd_starts(model, {one.node for one in wrong})
        wrong += odd_choices(model)
        adjoints = [np.nan_to_num(descent.adjoint) for descent in found]
        is_forward = np.any([(one != 0).any(axis=1) for one in adjoints], axis=0)
        alone = [*odd_biases(model, is_forward), *without_poles(model, is_forward), *odd_inputs(model)]
        alone += added_halves(model)
        wrong += [one for one in alone if one.node not in {other.node for other in wrong}]
    wrong = [one for one in wrong if not (after[one.node] or after[model.graph.operands(one.node)].any())] + pasted
    if model.adaptive is not None:
        wrong = [one for one in wrong if one.node not in model.adaptive.targets] + list(model.adaptive.mistakes)
    meant = {one.node: term for one in wrong if (term := _added_on_purpose(model, one))}
    wrong = [one for one in wrong if one.node not in meant]
    wrong = list(_with_known_remedies(graph, wrong))
    wrong += list(_in_line(model, wrong))
    updated = set(model.targets.tolist())
    inner = {one.node for one in wrong} - updated
    wrong = [
        one
        for one in wrong
        if one.formula or one.node not in updated or inner.isdisjoint(graph.operands(one.node).tolist())
    ]
    trainings = [training for descent in found for training in _trainings(model, descent)]
    proven = _proven(model, found, wrong)
    sources = np.array([mistake.node for mistake in wrong if mistake.is_forward], dtype=np.int64)
    explained = dependents(model.evaluation, sources)
    explained[sources] = False
    words = [word for several in doubts.values() for word in several]
    words += [word for descent in found for word in rate_doubts(model, descent)]
    words += [word for descent in found for word in turned_losses(model, descent.loss)]
    words += carrying_doubts(model) if found else ()
    words += (
        ()
        if not recognised.is_scaled
        else ("the updates go down the gradient by steps whose size is calculated from it",)
    )
    words += [
        f"{named(graph, term, '')} is added to {named(graph, node, '')}" for node, term in list(meant.items())[:1]
    ]
    words += () if wrong else (*_choice_doubts(model, found), *shifted_units(model, found))
    words += () if model.adaptive is None else model.adaptive.doubts
    if found and (anew := restarts(graph, model.threads, model.targets)):
        anew_at, first = (cells_of_sheets(graph.positions[node] for node in nodes) for nodes in (anew, anew.values()))
        words.append(
            f"{anew_at} holds the typed numbers of {first}: the training starts anew there, and does not go on"
        )
    return CalculationVerdict(
        graph, model, tuple(found), tuple(wrong), proven, explained, tuple(trainings), tuple(words)
    )


def _added_on_purpose(model: Model, mistake: Mistake) -> int:
    """The typed cell that an update adds though nothing but updates reads it, such as noise; 0 for none."""
    graph, known = model.graph, model.read(mistake.formula, mistake.node) if mistake.kind == "extra_term" else None
    left = [] if known is None else np.setdiff1d(graph.operands(mistake.node), known[1]).tolist()
    is_typed = len(left) == 1 and left[0] > TEXT and not graph.is_formula(left[0])
    return int(left[0]) if is_typed and set(graph.readers(left[0]).tolist()) <= set(model.targets.tolist()) else 0


class _Recognised(Struct, frozen=True):
    """What the updates of a workbook descend."""

    graph: Graph
    """Of its cells alone."""
    model: Model
    """The same where states and adaptive rules are what updates take them for."""
    found: list[Descent]
    is_scaled: bool = False
    """Whether the size of the steps is calculated from the gradient."""

    @property
    def right(self) -> frozenset[int]:
        """The updates that descend a loss."""
        members = [descent.members[descent.is_right] for descent in self.found]
        return frozenset(node for part in members for node in self.model.targets[part].tolist())


def _recognised(book: Book, others: Mapping[Position, CellFormula] = MappingProxyType({})) -> _Recognised:
    """The calculation of a workbook; with other formulas in some cells only as plain descent."""
    plain = model = model_of(book, others)
    found = descents(model)
    for other_model in (waiting_model_of, stateful_model_of, batched_model_of, adaptive_model_of, truncated_model_of):
        other = other_model(model) if not others and _right_of(found) < len(model.targets) else None
        descended = [] if other is None else descents(other)
        is_as_good = other_model is batched_model_of  # of two, the one in which all samples of a batch are descended
        if other is not None and _right_of(descended) > _right_of(found) - is_as_good:
            model, found = other, descended
    scale = None if found else scaled(model)
    return _Recognised(plain.graph, model, found if scale is None else [scale], scale is not None)


def _without_lone(book: Book, known: _Recognised) -> tuple[_Recognised, list[Mistake]]:
    """The same once cells that are unlike their line have its formula, where more updates are right then."""
    trials, lone, mended = Tries(_MOST_TRIALS), list[Mistake](), dict[Position, CellFormula]()
    is_right = _right_of(known.found) == sum(len(descent.members) for descent in known.found)
    if is_right or not (candidates := list(lone_formulas(known.model))):
        return known, lone
    seen = [one for descent in known.found for one in mistakes(known.model, descent, trials)]
    wrong = {one.node for one in seen}
    if all(one.formula for one in seen) and len({int(known.graph.kind_of[node]) for node in wrong}) == 1:
        return known, lone  # one formula explains all that is wrong
    for node, formula in [one for one in candidates if one[0] not in wrong][:_MOST_LONE]:
        trial = {**mended, known.graph.positions[node]: formula}
        other = _recognised(book, trial)
        if known.right < other.right:
            lone.append(mistake_in(known.graph, node, formula))
            known, mended = other, trial
    return known, lone


def _choice_doubts(model: Model, found: Sequence[Descent]) -> Iterator[str]:
    """The choices that are offered and not made at present, with which updates descend no loss, in words."""
    choices = dict.fromkeys(choices_of(model)) if found else ()
    for node, number in islice(choices, _MOST_CHOICES):
        if not all(is_right_with(model, descent, node, number) for descent in found):
            cell = cells_of_sheets([model.graph.positions[node]])
            yield f"with {number:g} in {cell} not all updates descend the loss"


def _is_explained(descent: Descent, some: Sequence[Mistake]) -> bool:
    """Whether all parameters change a loss that few updates descend, and mistakes with a remedy explain the others."""
    return bool(descent.reached.all()) and all(one.formula for one in some)


def _is_one_mistake(model: Model, some: Sequence[Mistake]) -> bool:
    """Whether mistakes are one of every step: with its remedy, or at cells that several updates lead to."""
    is_shared = not np.isin([one.node for one in some], model.targets).any() and 2 * len(some) <= len(model.targets)
    is_known = all(one.formula for one in some) or is_shared
    return is_known and len({skeleton(model.graph, one.node) for one in some}) == 1


def _is_enough(descent: Descent) -> bool:
    """Whether as many updates descend a loss as make it the loss of a training."""
    return bool(descent.is_right.sum() >= LEAST_SHARE * len(descent.members))


def _right_of(found: Iterable[Descent]) -> int:
    return sum(int(descent.is_right.sum()) for descent in found)


def _with_known_remedies(graph: Graph, wrong: Sequence[Mistake]) -> Iterator[Mistake]:
    """The mistakes, those without a remedy with that of another cell that has the same formula."""
    remedied = {int(graph.kind_of[one.node]): one for one in reversed(wrong) if one.formula}
    for mistake in wrong:
        other = None if mistake.formula else remedied.get(int(graph.kind_of[mistake.node]))
        if other is None or graph.kind_of[other.node] < 0:
            yield mistake
            continue
        text = graph.filled(other.formula, other.node, mistake.node)
        words = moved(graph, other.words, other.node, mistake.node)
        yield replace(mistake, kind=other.kind, words=words, formula=text)


def _in_line(model: Model, wrong: list[Mistake]) -> Iterator[Mistake]:
    """The same mistakes where the same formula stands in the other steps, such as the last, which no update reads."""
    graph = model.graph
    mistaken, updated = {mistake.node for mistake in wrong}, set(model.targets.tolist())
    moves = model.threads.usual_moves
    looked_at: set[int] = set()
    for mistake in wrong:
        kind = graph.kind(mistake.node)
        here = graph.positions[mistake.node]
        move = moves.get(here[0]) or next((one for one in moves.values() if not one[0]), None)
        if kind is None or move is None or mistake.node in looked_at:
            continue
        line = [node for node in kind.cells.tolist() if is_steps_away(here, graph.positions[node], move)]
        looked_at.update(line)
        read = [node for node in line if model.feeds[node] or node in updated] if model.feeds[mistake.node] else line
        if mistake.node not in read or 2 * sum(node in mistaken for node in read) <= len(read):
            continue  # it is the one step that is unusual
        for node in line:
            if node in mistaken:
                continue
            text = graph.filled(mistake.formula, mistake.node, node)
            known = graph.read(text, node) if text else None
            if known is not None and known[1].min(initial=TEXT + 1) <= TEXT:
                continue  # it would read the labels above the first step
            if known is not None and known[1].tolist() == graph.operands(node).tolist():
                values = known[0].value(model.evaluation.seen[known[1]][None], known[1][None] > TEXT)
                if bool(alike(values, model.evaluation.results[node])[0]):
                    continue  # a fixed reference is right in the step that it points to
            mistaken.add(node)
            yield replace(mistake, node=node, formula=text, words=moved(graph, mistake.words, mistake.node, node))


def _proven(model: Model, found: list[Descent], wrong: list[Mistake]) -> Flags:
    """The cells that right updates show to be right, and those of the same kind in the same column.

    Args:
        model: the calculation.
        found: what its updates descend.
        wrong: its mistakes.
    """
    graph, evaluation = model.graph, model.evaluation
    proven: Flags = np.zeros(graph.size, dtype=np.bool_)
    mistaken = np.zeros(graph.size, dtype=np.bool_)
    mistaken[[mistake.node for mistake in wrong]] = True
    unusual = _unusual(graph) if found else set()
    for descent in found:
        if descent.factor < 0 and wrong:
            continue
        is_forward = (np.nan_to_num(descent.adjoint) != 0).any(axis=1)
        right, other = descent.members[descent.is_right], descent.members[~descent.is_right]
        backward = ancestors(evaluation, model.targets[right]) & ~is_forward & model.depends
        tainted = dependents(evaluation, model.parameters[other])
        tainted |= ancestors(evaluation, np.flatnonzero(tainted & is_forward))
        tainted |= ancestors(evaluation, model.targets[other])
        reached = dependents(evaluation, model.parameters[right]) | (~model.depends & (graph.kind_of < 0))
        proven |= backward | (is_forward & ~tainted & reached)
        proven[model.targets[right]] = True
        proven[[] if model.adaptive is None else list(model.adaptive.proven)] = True
        if 2 * descent.is_right.sum() > len(descent.members):  # what most updates descend is the loss, as it stands
            for number, kind in enumerate(graph.kinds):
                is_read = model.feeds[kind.cells].any()
                if number not in unusual and is_forward[kind.cells].all() and not is_read:
                    proven[kind.cells] = True
    updated = set(model.targets.tolist())
    for node in np.unique(model.parameters[graph.kind_of[model.parameters] >= 0]).tolist():
        if node not in updated:
            source = graph.link(node)
            proven[node] = proven[source] and source in updated
    lines: set[tuple[object, ...]] = set()
    unproven = {*model.parameters.tolist(), *updated}
    for node in np.flatnonzero(proven & (graph.kind_of >= 0)).tolist():
        lines.update(_lines(graph, node))
    for kind in graph.kinds:
        for node in kind.cells[~proven[kind.cells]].tolist():
            proven[node] = node not in unproven and not lines.isdisjoint(_lines(graph, node))
    return proven & ~mistaken


def _unusual(graph: Graph) -> set[int]:
    """The kinds of formulas, by number, beside another kind that has more cells in their column or row."""
    counts = Counter(line for node in np.flatnonzero(graph.kind_of >= 0).tolist() for line in _lines(graph, node))
    most: dict[tuple[object, ...], int] = {}
    for (_, *line), number in counts.items():
        most[tuple(line)] = max(number, most.get(tuple(line), 0))
    return {kind for (kind, *line), number in counts.items() if number < most[tuple(line)]}


def _lines(graph: Graph, node: int) -> Iterator[tuple[int, *tuple[object, ...]]]:
    """A kind of formula in one column, in one row, or at one place of the sheets."""
    sheet, row, column = graph.positions[node]
    kind = int(graph.kind_of[node])
    yield from ((kind, sheet, column), (kind, sheet, row, ""), (kind, row, column))


def _trainings(model: Model, descent: Descent) -> Iterator[Training]:
    graph = model.graph
    by_sheet: dict[str, list[int]] = defaultdict(list)
    for index, member in enumerate(descent.members.tolist()):
        by_sheet[graph.positions[int(model.targets[member])][0]].append(index)
    is_forward = (np.nan_to_num(descent.adjoint) != 0).any(axis=1)
    for sheet, indices in by_sheet.items():
        members = descent.members[indices]
        nodes = np.unique(np.concatenate([model.targets[members], model.parameters[members]]))
        places = {graph.positions[node] for node in nodes.tolist() if graph.positions[node][0] == sheet}
        places |= {
            graph.positions[node]
            for node in np.flatnonzero((is_forward & model.depends) | (model.feeds & model.depends)).tolist()
            if graph.positions[node][0] == sheet
        }
        rows = [row for _, row, _ in places]
        columns = [column for _, _, column in places]
        threads = _threads(model, model.parameters[members].tolist())
        rates = Counter(int(rate) for rate in descent.rates[indices].tolist())
        near = [n for n in descent.loss.cells if graph.positions[n][0] == sheet] or list(descent.loss.cells)
        yield Training(
            sheet,
            (min(rows), min(columns)),
            (max(rows), max(columns)),
            -(-len(indices) // threads),
            threads,
            len(indices),
            int(descent.is_right[indices].sum()),
            near[0],
            tuple(sorted(node for node in map(graph.node, places) if graph.is_formula(node))),
            max((rate for rate in rates if rate < graph.cells), key=rates.__getitem__, default=0),
            rule_words(model, descent.loss) if descent.loss.errors else "",
            _carried_words(model) + ", with weight decay" * descent.is_decayed,
        )


def _carried_words(model: Model) -> str:
    if model.is_truncated:
        return ", what the step before gave taken as a number"
    if model.adaptive is not None:
        return f", {model.adaptive.words}"
    shares = Counter(shares_of(model).values())
    usual = [f"{share:g}" for share, number in shares.most_common(3) if 4 * number > shares.total()]
    return f", with momentum {' and '.join(usual)}" if usual else ""


def _threads(model: Model, parameters: list[int]) -> int:
    """How many parameters there are when those that go on from one another count once."""
    first: dict[int, int] = {}
    for node in parameters:
        path = {node: None}
        last = node
        while last not in first and (earlier := model.threads.before.get(last)) is not None and earlier not in path:
            path[earlier] = None
            last = earlier
        first.update(dict.fromkeys(path, first.get(last, last)))
    return len({first[node] for node in parameters})


def judged_words(verdict: CalculationVerdict) -> Iterator[str]:
    """What was judged, in words, one sentence a training."""
    graph = verdict.graph
    for training in verdict.trainings:
        loss = label(graph, training.loss)
        named = f"{loss} in {place(graph, training.loss)}" if loss else place(graph, training.loss)
        steps = "1 step" if training.steps == 1 else f"{training.steps} steps"
        updates = "1 update" if training.updates == 1 else f"{training.updates:,} updates"
        parameters = "1 parameter" if training.parameters == 1 else f"{training.parameters} parameters"
        descended = training.rule or f"by the derivative of {named}"
        yield f"{training.sheet}: {updates} of {parameters} in {steps}, {descended}{training.carried}"


def not_judged_words(verdict: CalculationVerdict) -> Iterator[str]:
    """What was not judged, and why."""
    yield from verdict.doubts
    graph, model = verdict.graph, verdict.model
    followed = {int(member) for descent in verdict.descents for member in descent.members.tolist()}
    left: dict[str, list[int]] = defaultdict(list)
    for index, node in enumerate(model.targets.tolist()):
        if index not in followed:
            left[graph.positions[node][0]].append(node)
    for sheet, nodes in left.items():
        yield f"{sheet}: {count(len(nodes), 'update')}, since {_why_not(model, nodes)}"
    shown: dict[int, dict[Position, None]] = defaultdict(dict)
    beside = model.depends & ~model.feeds & ~model.evaluation.is_cut & ~verdict.proven & ~verdict.explained
    judged = [node for training in verdict.trainings for node in training.cells]
    beside[[*judged, *(one.node for one in verdict.mistakes)]] = False
    known = set(model.graph.kind_of[judged].tolist())  # in the last step, from which no update goes, they stand too
    for node in np.flatnonzero(beside & (model.graph.kind_of >= 0)).tolist():
        kind = int(model.graph.kind_of[node])
        if graph.positions[node][0] in verdict.covered and kind not in known:
            shown[kind][graph.positions[node]] = None
    for places in islice(shown.values(), _MOST_SHOWN):
        name = label(graph, graph.node(next(iter(places))))
        yield f"{cells_of_sheets(places)}{f' ({name})' * bool(name)}, by which no update goes"
    others = [sheet for sheet in graph.book.sheets if sheet.formulas and sheet.name not in {*verdict.covered, *left}]
    if others and verdict.trainings:
        names = ", ".join(sheet.name for sheet in others[:_MOST_NAMED]) + ", …" * (len(others) > _MOST_NAMED)
        number = sum(sheet.formulas for sheet in others)
        yield f"{names}: {count(number, 'formula')} on {'sheets' if len(others) > 1 else 'a sheet'} without updates"
    problems = {**model.evaluation.problems, **graph.problems}
    for problem, number in Counter(problems.values()).most_common(3):
        formulas = count(number, "formula")
        where = cells_of_sheets(graph.positions[node] for node, why in problems.items() if why == problem)
        yield f"{formulas} with {problem or 'what cannot be followed'} ({where})"


def _why_not(model: Model, nodes: list[int]) -> str:
    """Why updates descend no loss: their units have a step, or no loss was found."""
    feeds = ancestors(model.evaluation, np.array(nodes, dtype=np.int64)) & model.depends
    has_step = has_slope = False
    for node in np.flatnonzero(feeds & (model.graph.kind_of >= 0)).tolist():
        kind = model.graph.kind(node)
        assert kind is not None
        values = model.evaluation.seen[node]
        is_step = bool(kind.formula.functions & _STEPS) and bool(np.isin(values, (-1, 0, 1)).all())
        has_step |= is_step
        has_slope |= bool(kind.formula.functions & (_STEPS | _SLOPES)) and not is_step
    if has_step and not has_slope:
        return "their units have a step (a perceptron), which has no gradient"
    if lacking := _without_number(model.graph, nodes):
        return f"they read {cells_of_sheets(lacking)}, where no number stands"
    return "no loss was found that they descend"


def _without_number(graph: Graph, nodes: Sequence[int]) -> dict[Position, None]:
    """The cells that most of some formulas name one by one and that hold no number."""
    counts: Counter[Position] = Counter()
    for node in nodes:
        formula = graph.formulas[node]
        assert formula is not None
        read = dict.fromkeys(reference.at(*graph.positions[node]) for reference in formula.references)
        counts.update(where for where in read if graph.node(where) <= TEXT and where[0] in graph.book.by_name)
    return dict.fromkeys(where for where, count in counts.items() if 2 * count > len(nodes))


__all__ = ["CalculationVerdict", "TooLargeError", "Training", "judge_calculation", "judged_words", "not_judged_words"]
