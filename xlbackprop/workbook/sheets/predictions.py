"""The sheet Predictions: what the network says to its samples, and to everything between them, at one iteration."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from xlbackprop.derivation import Derivation, Role
from xlbackprop.engine import Array, Trace, evaluate
from xlbackprop.ground.grid import absolute, address, column_letter, column_range
from xlbackprop.network import ACTIVATIONS, LARGEST_NUMBER, Definition, short_label
from xlbackprop.symbols import number_from
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.decision_map import HIGH, MARKS, paint
from xlbackprop.workbook.panels.entry import Entry
from xlbackprop.workbook.panels.passed_samples import Passed, put_layers, put_units
from xlbackprop.workbook.panels.working import Working, forward_columns, put_choices, put_columns, row_index
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.charts import Curve
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

SHOWN, MADE = "shown", "after"

MAP_STEPS = 21
"""Points of a map each way."""
CURVE_STEPS = 61
"""Points of a curve."""
_MARGIN = 8
"""The picture reaches beyond the samples by this part of the distance between the outermost two."""
_OWN_MARGIN = 1.0
"""Where there is only one value."""
_SMALLEST_STEP = 1e-9
"""Of a picture, as a share of where it begins."""
_TO_STEPS = 0.5 + 1e-6
"""To the nearest point; exactly between two the upper one, whichever way it is rounded."""
_CLEARLY = 1e-9
"""What is no further than this on one side of a boundary, or before all others, is not there clearly."""

_CHOICE_ROW, _USED_ROW = 4, 2
_PICTURE_ROW, _PICTURE_COLUMN = 5, 2
_ACROSS_ROW = _PICTURE_ROW + MAP_STEPS
_LAST_PICTURE_COLUMN = _PICTURE_COLUMN + MAP_STEPS - 1
_WIDTH, _NARROW = 7.4, 6.2
_POINT_WIDTH, _SIGNED_POINT_WIDTH = 3.0, 3.6
"""Of a number such as 0.51, and of −0.51."""
_PANEL_WIDTH, _NARROW_PANEL_WIDTH = 8, 7
"""Columns, beside a picture and without one."""
_MOST_GRADIENTS = 150
"""With more of them, units and layers are not told one by one."""
_FEWEST_LAYERS = 3
"""With fewer, there is nothing to see in the gradients layer by layer."""

_FLAT = "The same everywhere here, to two decimals."
_LINES = "Black lines: where it passes the value under “line”."
_FORMATS = {theme.POWER_FORMAT: 1e6, theme.COUNT_FORMAT: 100.0}
"""How numbers are shown, from which size on, that do not fit into the columns of the samples."""
_LARGEST_ON_MAP = 1000.0
_CONTRAST = 0.1
"""A map whose numbers are within this share of the boundary has no full contrast."""
_MAP_FORMAT, _AXIS_FORMAT, _SAID_FORMAT = "0.00", "0.0###", "0.0000"
_RIGHT, _WRONG = "✓", "✗"
_BEFORE = Look(theme.HEADING, align="right", indent=1)
_AFTER = theme.PROSE


class Layout(Struct, frozen=True, dict=True):
    """Where everything stands that a reader looks at: the picture, and beside it the choices and the samples."""

    definition: Definition

    @property
    def has_picture(self) -> bool:
        """Whether there are few enough inputs for one."""
        return len(self.definition.names.inputs) <= 2

    @property
    def is_map(self) -> bool:
        """Whether there is one input across and one upwards."""
        return len(self.definition.names.inputs) == 2

    @property
    def side(self) -> int:
        """The first column beside the picture."""
        return _LAST_PICTURE_COLUMN + 2 if self.has_picture else 1

    @cached_property
    def choices(self) -> dict[str, tuple[int, int]]:
        """The row and the column of each choice: `shown`, `after`, `i1 from`, `i1 to`."""
        first = (SHOWN, MADE) if self.is_map else (MADE,)
        places = {name: (row, self.side + 1) for row, name in enumerate(first, _CHOICE_ROW)}
        inputs = self.definition.names.inputs if self.has_picture else ()
        for row, name in enumerate(inputs, _CHOICE_ROW + len(first) + 1):
            places[f"{name} from"], places[f"{name} to"] = (row, self.side + 1), (row, self.side + 2)
        return places

    def cell(self, choice: str) -> str:
        """The address of a choice."""
        return address(*self.choices[choice])

    @property
    def scale_row(self) -> int:
        """The row of the colours of a map, under the choices."""
        return max(row for row, _ in self.choices.values()) + 1

    @property
    def header_row(self) -> int:
        """The row of the names over the samples."""
        return self.scale_row + (5 if self.is_map else 3)

    @property
    def last_row(self) -> int:
        """The row of the last sample."""
        return self.header_row + len(self.definition.samples)

    def column(self, name: str) -> int:
        """The column of an input, a target or an output in the table of the samples."""
        names = self.definition.names
        return self.side + 1 + (*names.inputs, *names.targets, *names.activations[-1]).index(name)

    def range(self, name: str) -> str:
        """The absolute range of the same over all samples."""
        return column_range(column_letter(self.column(name)), self.header_row + 1, self.last_row)

    @property
    def verdict(self) -> int:
        """The column that says whether the network is right; the next one says how far off it is."""
        return self.column(self.definition.names.activations[-1][-1]) + 1

    @property
    def panel(self) -> tuple[int, int]:
        """The row and the column where what is told beside the samples begins."""
        if self.has_picture:
            return self.last_row + 2, self.side
        return _CHOICE_ROW, self.verdict + 3

    @property
    def panel_cell(self) -> str:
        """The address of the first cell there."""
        return address(*self.panel)

    @property
    def last_column(self) -> int:
        """The last column that a reader looks at."""
        return max(self.verdict + 1, self.panel[1] + self.panel_width - 1)

    @property
    def panel_width(self) -> int:
        """How many columns it takes."""
        return _PANEL_WIDTH if self.has_picture else _NARROW_PANEL_WIDTH

    @property
    def working(self) -> int:
        """The column of the names of what is calculated, before the first of the working's own."""
        return self.last_column + 2


class _Axis(Struct, frozen=True):
    """The values of one input in the picture: where it begins, how far it is from point to point, and their cells."""

    low: float
    step: float
    low_cell: str
    step_cell: str

    def formula(self, number: str) -> str:
        """The formula of the value at a point, by its number from 0."""
        return f"{self.low_cell}+{self.step_cell}*{number}"

    def values(self, count: int) -> Array:
        """The values at so many points, shape (count,)."""
        return self.low + self.step * np.arange(float(count))

    def places(self, values: Array) -> Array:
        """The numbers of the points nearest to some values."""
        return np.asarray(np.floor((values - self.low) / self.step + _TO_STEPS))

    def place_formula(self, cell: str) -> str:
        """The formula of the same for the value in a cell."""
        return f"INT(({cell}-{self.low_cell})/{self.step_cell}+{_TO_STEPS})"


def predictions(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the engine gives the values that its formulas have."""
    sheet = _Sheet(page, lesson)
    layout = sheet.layout
    sheet.choose()
    sheet.network()
    sheet.samples()
    sheet.judge()
    if layout.is_map:
        sheet.map()
    elif layout.has_picture:
        sheet.curves()
    last_row = max(sheet.panels(), layout.last_row, _ACROSS_ROW if layout.has_picture else 0)
    narrow = [*map(layout.column, lesson.derivation.sampled), layout.verdict]
    page.widths(map(column_letter, range(layout.side, layout.last_column + 1)), _WIDTH)
    page.widths(map(column_letter, narrow), _NARROW)
    if layout.has_picture:
        page.widths("A", _NARROW)
        width = _SIGNED_POINT_WIDTH if sheet.may_be_negative else _POINT_WIDTH
        page.widths(map(column_letter, range(_PICTURE_COLUMN, _LAST_PICTURE_COLUMN + 1)), width)
        page.widths([column_letter(layout.side - 1)], 1)
    page.widths(map(column_letter, range(layout.working, sheet.next_column)), 11)
    page.fit_screen(column_letter(layout.last_column))
    area = f"A1:{address(last_row, layout.last_column)}"
    if layout.is_map:
        side = f"{address(_CHOICE_ROW, layout.side)}:{address(last_row, layout.last_column)}"
        area = f"A1:{address(_ACROSS_ROW, _LAST_PICTURE_COLUMN)},{side}"
    page.handout(lesson.definition.title, area, row_cuts=sheet.panel_rows)


def _gradients(derivation: Derivation) -> Sequence[tuple[str, ...]]:
    """The gradients layer by layer, where they are told: there are hidden units, and not too many weights."""
    layers = len(derivation.names.weights)
    shown = layers > 1 and len(derivation.learned) <= _MOST_GRADIENTS
    return [derivation.gradients(layer) for layer in range(layers)] if shown else []


def has_layers(derivation: Derivation) -> bool:
    """Whether the gradients are told layer by layer: there are layers enough to see them vanish."""
    return len(_gradients(derivation)) >= _FEWEST_LAYERS


def passed_columns(derivation: Derivation) -> tuple[str, ...]:
    """What is calculated of one point of the picture, or one sample, before any gradient."""
    return forward_columns(derivation, derivation.deltas if _gradients(derivation) else ())


class _Sheet:
    """The sheet while it is being filled."""

    def __init__(self, page: Page, lesson: Lesson) -> None:
        self.page, self.layout = page, Layout(lesson.definition)
        self._lesson = lesson
        self._derivation, self._names = lesson.derivation, lesson.derivation.names
        self._all = np.arange(len(lesson.definition.samples))
        self._gradients = _gradients(lesson.derivation)
        self._forward = passed_columns(lesson.derivation)
        backward = (name for layer in self._gradients for name in layer)
        self._calculated = (*self._forward, *(self._derivation.deltas if self._gradients else ()), *backward)
        self.next_column = self.layout.working
        """The first free one."""
        self.panel_rows = list[int]()
        """Those with which each panel beside the samples begins."""

    # What the reader chooses

    def choose(self) -> None:
        """Put down the cells in which the reader chooses."""
        page, iterations = self.page, self._lesson.definition.iterations
        for choice, (row, column) in self.layout.choices.items():
            cell, before, after = (address(row, column + offset) for offset in (0, -1, 1))
            if choice == SHOWN:
                page.text(before, choice, _BEFORE)
                page.choice(cell, self._shown, self._heads, "Shown", "One of the activations, please.")
                hidden = ", or a hidden unit" if len(self._forward) > len(self._names.targets) else ""
                page.text(after, f"← an output{hidden}", _AFTER)
            elif choice == MADE:
                page.text(before, choice, _BEFORE)
                page.number(cell, iterations, Look(theme.INPUT, number_format=theme.COUNT_FORMAT))
                self._made.limit(page)
                page.text(after, f"iterations, from 0 to {iterations}", _AFTER)
            else:
                self._choose_end(choice, row, column)

    def _choose_end(self, choice: str, row: int, column: int) -> None:
        page, (name, _, end) = self.page, choice.partition(" ")
        index, cell = self._names.inputs.index(name), address(row, column)
        if index == 0:
            page.text(address(row - 1, column), end, theme.COLUMN_HEAD)
        if end == "from":
            page.text(address(row, column - 1), name, Look(theme.LABEL, Role.INPUT))
        elif index == 0:
            page.text(address(row, column + 1), "empty: around the samples", _AFTER)
        page.blank(cell, Look(theme.INPUT))
        self._end(choice).limit(page)

    @property
    def _made(self) -> Entry:
        """How many iterations the network has made that speaks."""
        iterations = self._lesson.definition.iterations
        return Entry(self.layout.cell(MADE), "Iterations", 0, iterations, is_whole=True)

    def _end(self, choice: str) -> Entry:
        """Where the picture ends at a side."""
        return Entry(self.layout.cell(choice), choice, -LARGEST_NUMBER, LARGEST_NUMBER, is_optional=True)

    @property
    def _shown(self) -> str:
        """Whose activation the map shows to begin with."""
        return self._names.activations[-1][0]

    @property
    def _heads(self) -> str:
        """The range of the names of all activations, over what is calculated of the samples."""
        activations = [name for layer in self._names.activations for name in layer]
        first, last = (self._working_letter(activations[place]) for place in (0, -1))
        return f"${first}${self.layout.header_row}:${last}${self.layout.header_row}"

    def _working_letter(self, name: str) -> str:
        return column_letter(self.layout.working + 1 + self._calculated.index(name))

    # The network at the iteration chosen

    def network(self) -> None:
        """Put down the choices as they are used, and the weights with which the network speaks."""
        page, table, trace = self.page, self._lesson.table, self._lesson.trace
        last = self._lesson.definition.iterations
        column = self.layout.working
        page.text(address(1, column), "Working: the network as it is then, and what it says", Look(theme.HEADING))
        ends = self._ends(column + 2)
        made = ("iterations", self._made.used(last), last)
        made_cell, *cells = put_choices(page, [made, *ends], _USED_ROW, column)
        values = [value for _, _, value in ends]
        self._axes = [
            _Axis(values[place], values[place + 1], cells[place], cells[place + 1]) for place in range(0, len(ends), 2)
        ]
        first_weight = column + len(ends) + 3
        self._weights, self._places = dict[str, float](), dict[str, str]()
        for column, name in enumerate((*self._derivation.learned, *self._derivation.fixed), first_weight):
            role, formula, value = self._derivation[name].role, table.reference(name), float(trace[name][0])
            if name in self._derivation.learned:
                before = number_from(table.range(name), f"{made_cell}+1")
                formula = f"IF({made_cell}={last},{table.last_update(name)},{before})"
                value = trace.final[name]
            page.text(address(_USED_ROW, column), name, Look(theme.LABEL, role))
            cell = address(_USED_ROW + 1, column)
            page.formula(cell, formula, value, Look(theme.CALCULATION, role, theme.VALUE_FORMAT))
            self._weights[name], self._places[name] = value, absolute(cell)

    def _ends(self, first_column: int) -> list[tuple[str, str, float]]:
        """Where the picture begins and its step, input by input: name, formula and value, from a column on."""
        found: list[tuple[str, str, float]] = []
        steps = (MAP_STEPS if self.layout.is_map else CURVE_STEPS) - 1
        for index, name in enumerate(self._names.inputs if self.layout.has_picture else ()):
            values = [sample.inputs[index] for sample in self._lesson.definition.samples]
            least, most = min(values), max(values)
            margin = (most - least) / _MARGIN if most > least else _OWN_MARGIN
            low, high = least - margin, most + margin
            step = max((high - low) / steps, _SMALLEST_STEP * max(1.0, abs(low)))
            lowest, highest = (f"{function}({self.layout.range(name)})" for function in ("MIN", "MAX"))
            room = f"IF({highest}>{lowest},({highest}-{lowest})/{_MARGIN},{_OWN_MARGIN:G})"
            first, second = (
                self._end(f"{name} {end}").used(otherwise)
                for end, otherwise in (("from", f"{lowest}-{room}"), ("to", f"{highest}+{room}"))
            )
            start = absolute(address(_USED_ROW + 1, first_column + len(found)))
            longest = f"(MAX({first},{second})-{start})/{steps}"
            found.append((f"{name} from", f"MIN({first},{second})", low))
            found.append((f"{name} step", f"MAX({longest},{_SMALLEST_STEP:G}*MAX(1,ABS({start})))", step))
        return found

    # The samples

    def samples(self) -> None:
        """Put down the samples, what the network says to each, and on the right how it comes to that."""
        page, layout, table, derivation = self.page, self.layout, self._lesson.table, self._derivation
        count = len(self._all)
        given = {name: f"${column_letter(layout.column(name))}{{row}}" for name in derivation.sampled}
        places = {**self._places, **given}
        working = Working(derivation, self._calculated, layout.working + 1, layout.header_row, count, places)
        said: Trace = evaluate(self._lesson.definition, self._learned(count), self._all)
        self._working, self._said = working, said
        working.put(page, said)
        head = absolute(address(layout.header_row, layout.side))
        page.text(address(layout.header_row, layout.side), "sample", Look(theme.LABEL, Role.ORDER))
        number = f"ROW()-ROW({head})"
        columns = [page.column(theme.COUNTED, number, np.arange(1.0, count + 1))]
        outputs = self._names.activations[-1]
        for name in (*derivation.sampled, *outputs):
            role = derivation[name].role
            page.text(address(layout.header_row, layout.column(name)), name, Look(theme.LABEL, role))
            if name in outputs:
                formula, look = f"{working.letter(name)}{{row}}", Look(theme.RESULT, role, _SAID_FORMAT)
            elif derivation.samples > 1:
                formula, look = number_from(table.samples(name), number), Look(theme.CALCULATION, role, _AXIS_FORMAT)
            else:
                formula, look = table.reference(name), Look(theme.CALCULATION, role, _AXIS_FORMAT)
            columns.append(page.column(look, formula, said[name]))
        page.block(layout.header_row + 1, layout.side, columns)
        self.next_column = working.next_column + 1

    def _learned(self, count: int) -> dict[str, Array]:
        """What is learned, the same in so many forward passes."""
        return {name: np.full(count, self._weights[name]) for name in self._derivation.learned}

    @property
    def may_be_negative(self) -> bool:
        """Whether an activation may be below 0."""
        kinds = {layer.activation for layer in self._lesson.definition.layers} & ACTIVATIONS.keys()
        return any(ACTIVATIONS[kind].value(np.array([-1.0]))[0] < 0 for kind in kinds)

    @property
    def _may_be_large(self) -> bool:
        """Whether an activation may be any number."""
        return self._lesson.definition.weight_limit is not None

    def judge(self) -> None:
        """Say of every sample how far off the network is, and where there is a right side, whether it is there."""
        self._boundaries()
        page, layout, names = self.page, self.layout, self._names
        row, last = layout.header_row, layout.last_row
        pairs = list(zip(names.targets, names.activations[-1], strict=True))
        off = np.max([np.abs(self._said[target] - self._said[output]) for target, output in pairs], axis=0)
        distances = ",".join(
            "ABS({}{{row}}-{}{{row}})".format(*(column_letter(layout.column(name)) for name in pair)) for pair in pairs
        )
        distance = Look(theme.CALCULATION, Role.LOSS, _SAID_FORMAT)
        page.block(row + 1, layout.verdict + 1, [page.column(distance, f"MAX({distances})", off)])
        page.text(address(row, layout.verdict + 1), "off by", theme.COLUMN_HEAD)
        page.text(address(row - 1, layout.verdict), "off by at most", Look(align="right"))
        letter = column_letter(layout.verdict + 1)
        look = Look(theme.RESULT, Role.LOSS, number_format=_SAID_FORMAT)
        page.formula(f"{letter}{row - 1}", f"MAX({letter}{row + 1}:{letter}{last})", float(off.max()), look)
        outputs = address(row + 1, layout.column(names.activations[-1][0]))
        for cells in (f"{outputs}:{letter}{last}", f"{letter}{row - 1}"):
            for shown, largest in list(_FORMATS.items())[: 1 + self._may_be_large]:
                page.show_extreme_numbers(cells, largest=largest, shown=shown)
        page.height(1, 24)
        page.text("A2", self._subtitle)
        if self._lesson.definition.is_softmax:
            self._verdicts("1", True, *self._classes_hit())
        elif ACTIVATIONS[self._lesson.definition.layers[-1].activation].bounded:
            first, final = (self._working.letter(names.activations[-1][place]) for place in (0, -1))
            judged = f"MIN({first}{row - 4}:{final}{row - 4})"
            self._verdicts(judged, all(self._is_class.values()), *self._sides_hit())
        else:
            page.text("A1", f"{page.title}: what the network says", Look(theme.TITLE))

    def _verdicts(self, judged: str, is_judged: bool, formula: str, is_right: NDArray[np.bool_]) -> None:
        """Put down which samples the network is right about, and how many; nothing where there is no right side."""
        page, layout, column = self.page, self.layout, self.next_column
        row, count = layout.header_row, len(self._all)
        page.block(row + 1, column, [page.column(theme.COUNTED, formula, is_right.astype(float))])
        for place, text in ((row, "right"), (row - 2, "judged")):
            page.text(address(place, column), text, theme.COLUMN_HEAD)
        page.formula(address(row - 1, column), judged, int(is_judged), theme.COUNTED)
        judged, hit = absolute(address(row - 1, column)), column_letter(column)
        self.next_column = column + 2
        for place, each in enumerate(is_right.tolist(), row + 1):
            text = f'IF({judged}=1,IF({hit}{place}=1,"{_RIGHT}","{_WRONG}"),"")'
            shown = (_RIGHT if each else _WRONG) if is_judged else ""
            page.formula(address(place, layout.verdict), text, shown, Look(theme.HEADING, align="center"))
        head = address(row, layout.verdict)
        page.formula(head, f'IF({judged}=1,"right?","")', "right?" if is_judged else "", theme.COLUMN_HEAD)
        words, plain = f" of {count} right", f"{page.title}: what the network says"
        title = f'IF({judged}=1,"{page.title}: "&SUM({hit}{row + 1}:{hit}{row + count})&"{words}","{plain}")'
        shown = f"{page.title}: {int(is_right.sum())}{words}" if is_judged else plain
        page.formula("A1", title, shown, Look(theme.TITLE))

    @property
    def _subtitle(self) -> str:
        if self.layout.is_map:
            return "The network's answer to every pair of inputs, with the weights of one iteration."
        if self.layout.has_picture:
            return "The curve that the network has learned, with the weights of one iteration, and the samples."
        return "The network's answer to every sample, with the weights of one iteration."

    def _boundaries(self) -> None:
        """Put down over every activation what its targets are, and where the boundary between them runs."""
        page, layout = self.page, self.layout
        rows = [layout.header_row - 4 + index for index in range(4)]
        for row, text in zip(rows, ("two kinds:", "least:", "largest:", "boundary:"), strict=True):
            page.text(address(row, layout.working), text, Look(theme.TEXT, align="right"))
        self._boundary: dict[str, tuple[float, float, float]] = {}
        self._is_class: dict[str, bool] = {}
        kinds = [layer.activation for layer in self._lesson.definition.layers]
        for layer, units in enumerate(self._names.activations):
            for index, name in enumerate(units):
                letter = self._working.letter(name)
                cells = [f"{letter}{row}" for row in rows]
                if layer + 1 < len(kinds):
                    level = float(ACTIVATIONS[kinds[layer]].value(np.zeros(1))[0])
                    least = most = level
                    formulas = [f"{level:.15G}"] * 3
                else:
                    target = self._names.targets[index]
                    values, where = self._said[target], layout.range(target)
                    least, most = float(values.min()), float(values.max())
                    level = (least + most) / 2
                    between = bool(((values > least) & (values < most)).any())
                    self._is_class[name] = most > least and not between
                    is_between = f"SUMPRODUCT(({where}>{cells[1]})*({where}<{cells[2]}))"
                    formula = f"IF(AND({cells[1]}<{cells[2]},{is_between}=0),1,0)"
                    page.formula(cells[0], formula, int(self._is_class[name]), theme.COUNTED)
                    formulas = [f"MIN({where})", f"MAX({where})", f"({cells[1]}+{cells[2]})/2"]
                look = Look(theme.CALCULATION, self._derivation[name].role, theme.VALUE_FORMAT)
                for cell, formula, value in zip(cells[1:], formulas, (least, most, level), strict=True):
                    page.formula(cell, formula, value, look)
                self._boundary[name] = least, most, level

    def _classes_hit(self) -> tuple[str, NDArray[np.bool_]]:
        """With a softmax: the largest output has to be that of the largest target, clearly."""
        page, row, names = self.page, self.layout.header_row, self._names
        columns = []
        for index, (text, own) in enumerate((("said", names.activations[-1]), ("class", names.targets))):
            values = np.array([self._said[name] for name in own])
            leads = values >= values.max(axis=0) - _CLEARLY
            cells = ":".join(f"{column_letter(self.layout.column(own[place]))}{{row}}" for place in (0, -1))
            formula = f"IF(SUMPRODUCT(({cells}>=MAX({cells})-{_CLEARLY:G})*1)=1,MATCH(MAX({cells}),{cells},0),0)"
            place = np.where(leads.sum(axis=0) == 1, values.argmax(axis=0) + 1.0, 0.0)
            page.text(address(row, self.next_column + index), text, theme.COLUMN_HEAD)
            columns.append(page.column(theme.COUNTED, formula, place))
        page.block(row + 1, self.next_column, columns)
        self._class_columns = columns
        self._class_letters = [column_letter(self.next_column + index) for index in (0, 1)]
        said, meant = (f"{letter}{{row}}" for letter in self._class_letters)
        self.next_column += 2
        right = (columns[0].values == columns[1].values) & (columns[1].values > 0)
        return f"IF(AND({said}={meant},{meant}>0),1,0)", right

    def _sides_hit(self) -> tuple[str, NDArray[np.bool_]]:
        """Every output has to be on that side of its boundary on which its target is, clearly."""
        clear, conditions = [], []
        for target, output in zip(self._names.targets, self._names.activations[-1], strict=True):
            level = self._boundary[output][2]
            clear.append((self._said[output] - level) * (self._said[target] - level) > _CLEARLY)
            line = f"{self._working.letter(output)}${self.layout.header_row - 1}"
            says, means = (f"{column_letter(self.layout.column(name))}{{row}}" for name in (output, target))
            conditions.append(f"({says}-{line})*({means}-{line})>{_CLEARLY:G}")
        return f"IF(AND({','.join(conditions)}),1,0)", np.all(clear, axis=0)

    # The picture

    def _grid(self, inputs: Sequence[Array], formulas: Sequence[str]) -> tuple[Working, Trace]:
        """Put down a forward pass for every point of the picture."""
        page, row, count = self.page, self.layout.header_row, len(inputs[0])
        column = self.next_column
        contents = dict(zip(self._names.inputs, zip(formulas, inputs, strict=True), strict=True))
        places = put_columns(page, self._derivation, row, column, contents)
        column += len(inputs)
        working = Working(self._derivation, self._forward, column, row, count, {**self._places, **places})
        points = tuple(zip(*(each.tolist() for each in inputs), strict=True))
        targets = (self._lesson.definition.samples[0].targets,) * count
        definition = replace(self._lesson.definition, inputs=points, targets=targets)
        said = evaluate(definition, self._learned(count), np.arange(count))
        working.put(page, said)
        self.next_column = working.next_column + 1
        return working, said

    def _number(self) -> str:
        """The number of a point, from 0, in a formula that survives when the reader inserts rows."""
        return row_index(self.layout.header_row, self.next_column)

    def curves(self) -> None:
        """Draw what the outputs say over the only input, the samples, and what the last hidden units contribute."""
        page, names, layout = self.page, self._names, self.layout
        (axis,), number = self._axes, self._number()
        x_column, x = column_letter(self.next_column), axis.values(CURVE_STEPS)
        working, said = self._grid([x], [axis.formula(number)])
        across = page.place(column_range(x_column, working.first_row, working.last_row)), x.tolist()

        def curve(name: str, dash: str, colour: str) -> Curve:
            return Curve(
                (page.place(f"${working.letter(name)}${layout.header_row}"), short_label(name)),
                across,
                (page.place(working.range(name)), said[name].tolist()),
                colour,
                dash=dash,
            )

        def sampled(name: str) -> charts.Stored:
            return page.place(layout.range(name)), self._said[name].tolist()

        outputs, hidden = (theme.SHADES[role].dark for role in (Role.OUTPUT, Role.HIDDEN))
        curves = [curve(name, dash, outputs) for name, dash in zip(names.activations[-1], _DASHES, strict=False)]
        for target, marker in zip(names.targets, _MARKERS, strict=False):
            label = page.place(absolute(address(layout.header_row, layout.column(target)))), target
            x_values, y_values = sampled(names.inputs[0]), sampled(target)
            curves.append(Curve(label, x_values, y_values, theme.INK, marker=marker, marker_size=8, joined=False))
        units = names.activations[-2] if len(names.activations) > 1 else ()
        curves += [curve(name, dash, hidden) for name, dash in zip(units, _HIDDEN_DASHES, strict=False)]
        title = "What the network says, and the samples"
        chart = charts.scatter_chart(title, names.inputs[0], "says", curves, legend="b")
        words = "Chart of the curve that the network has learned, with the samples and its last hidden units"
        page.drawing.chart(chart, (_CHOICE_ROW, 1, _ACROSS_ROW, _LAST_PICTURE_COLUMN), words)

    def map(self) -> None:
        """Put down what the network says as a picture: one input to the right, the other one up."""
        page, (across, upwards), number = self.page, self._axes, self._number()
        x = np.tile(across.values(MAP_STEPS), MAP_STEPS)
        y = np.repeat(upwards.values(MAP_STEPS)[::-1], MAP_STEPS)
        formulas = [
            across.formula(f"MOD({number},{MAP_STEPS})"),
            upwards.formula(f"({MAP_STEPS - 1}-INT({number}/{MAP_STEPS}))"),
        ]
        working, said = self._grid([x, y], formulas)
        self._shown_cells()
        marks = self._marks(working)
        self._axis_cells(across, upwards)
        ends = working.range(self._forward[0]), working.range(self._forward[-1])
        area = f"{ends[0].partition(':')[0]}:{ends[1].rpartition(':')[2]}"
        row_number = f"{row_index(_PICTURE_ROW - 1, _PICTURE_COLUMN)}*{MAP_STEPS}"
        look = Look(theme.SURFACE, number_format=_MAP_FORMAT)
        values = said[self._shown].reshape(MAP_STEPS, MAP_STEPS)
        columns = [
            page.column(look, number_from(area, f"{row_number}+{place}", self._shown_cell), column)
            for place, column in enumerate(values.T, 1)
        ]
        page.block(_PICTURE_ROW, _PICTURE_COLUMN, columns)
        self._scale(values)
        corner, end = address(_PICTURE_ROW, _PICTURE_COLUMN), address(_ACROSS_ROW - 1, _LAST_PICTURE_COLUMN)
        paint(page, (corner, end), self._scale_cells, marks)
        legend = f"{self._scale_cells[0]}:{self._scale_cells[-1]}"
        for cells in (f"{corner}:{end}", legend) if self._may_be_large else ():
            page.show_extreme_numbers(cells, largest=_LARGEST_ON_MAP, smallest=0.0, shown=theme.POWER_FORMAT)

    def _shown_cells(self) -> None:
        """Put down, over the numbers of the points, what is shown: its column, and that of its target."""
        page, layout, column = self.page, self.layout, self.next_column
        row = layout.header_row
        first, last = (self._working.letter(self._forward[place]) for place in (0, -1))
        outputs = self._names.activations[-1]
        offset = len(self._forward) - len(outputs)
        place = self._forward.index(self._shown) + 1
        match = f"MATCH({layout.cell(SHOWN)},${first}${row}:${last}${row},0)"
        page.heads(row - 3, column, ("shown", "target"))
        page.formula(address(row - 2, column), f"IFERROR({match},{offset + 1})", place, theme.COUNTED)
        self._shown_cell = absolute(address(row - 2, column))
        target, number = address(row - 2, column + 1), max(1, place - offset)
        page.formula(target, f"MAX(1,{self._shown_cell}-{offset})", number, theme.COUNTED)
        self._target, self._target_cell = number - 1, absolute(target)

    def _over(self, above: int, place: str = "") -> str:
        """The formula of a number that stands over what is shown, or over another place, rows above the names."""
        row, last = self.layout.header_row - above, self._working.letter(self._forward[-1])
        # with the label before it, no range is a single cell: Gnumeric has no INDEX in one
        cells = f"${column_letter(self.layout.working)}${row}:${last}${row}"
        return number_from(cells, "1", f"{place or self._shown_cell}+1")

    def _marks(self, working: Working) -> str:
        """Put down at which point every sample stands, and what stands at every point; give the range of the latter."""
        page, layout, names = self.page, self.layout, self._names
        row, column = layout.header_row, self.next_column
        across, upwards = self._axes
        x_values, y_values = (self._said[name] for name in names.inputs)
        x_cell, y_cell = (f"{column_letter(layout.column(name))}{{row}}" for name in names.inputs)
        right, up = across.places(x_values), upwards.places(y_values)
        within = (right >= 0) & (right < MAP_STEPS) & (up >= 0) & (up < MAP_STEPS)
        places = np.where(within, (MAP_STEPS - 1 - up) * MAP_STEPS + right, -1.0)
        x_place, y_place = across.place_formula(x_cell), upwards.place_formula(y_cell)
        inside = ",".join(f"{place}>=0,{place}<{MAP_STEPS}" for place in (x_place, y_place))
        target = names.targets[self._target]
        level = self._boundary[names.activations[-1][self._target]][2]
        high = (self._said[target] >= level).astype(float)
        own = f"${column_letter(layout.side)}{{row}}:${column_letter(layout.column(names.targets[-1]))}{{row}}"
        wanted = number_from(own, "1", f"{self._target_cell}+{1 + len(names.inputs)}")
        line = self._over(1, f"{self._target_cell}+{len(self._forward) - len(names.targets)}")
        is_high = f"IF({wanted}>={line},1,0)"
        page.heads(row, column, ("point", "above"))
        point = f"IF(AND({inside}),({MAP_STEPS - 1}-{y_place})*{MAP_STEPS}+{x_place},-1)"
        contents = ((point, places), (is_high, high))
        page.block(row + 1, column, [page.column(theme.COUNTED, *each) for each in contents])
        letters = map(column_letter, (column, column + 1))
        points, highs = (column_range(letter, row + 1, layout.last_row) for letter in letters)
        self.next_column = column + 3
        number, column = self._number(), self.next_column
        page.text(address(row, column), "mark", theme.COLUMN_HEAD)
        there, above = f"COUNTIF({points},{number})", f"SUMIF({points},{number},{highs})"
        formula = f"IF({there}=0,0,IF({above}=0,1,IF({above}={there},2,3)))"
        shown = places >= 0
        counted, higher = (
            np.bincount(places[shown].astype(int), weights=each[shown], minlength=MAP_STEPS * MAP_STEPS)
            for each in (np.ones(len(places)), high)
        )
        marks = np.where(counted == 0, 0, np.where(higher == 0, 1, np.where(higher == counted, 2, 3)))
        page.block(row + 1, column, [page.column(theme.COUNTED, formula, marks.astype(float))])
        self.next_column = column + 2
        return column_range(column_letter(column), row + 1, row + MAP_STEPS * MAP_STEPS)

    def _axis_cells(self, across: _Axis, upwards: _Axis) -> None:
        page, names = self.page, self._names.inputs
        look, turned = (Look(theme.SURFACE, Role.INPUT, _AXIS_FORMAT, turned=turned) for turned in (False, True))
        x_values, y_values = (axis.values(MAP_STEPS).tolist() for axis in (across, upwards))
        for step in range(MAP_STEPS):
            row, column = _ACROSS_ROW - 1 - step, _PICTURE_COLUMN + step
            page.formula(f"A{row}", upwards.formula(str(step)), y_values[step], look)
            page.formula(address(_ACROSS_ROW, column), across.formula(str(step)), x_values[step], turned)
        page.height(_ACROSS_ROW, 36)
        head = Look(theme.HEADING, align="center")
        page.text(f"A{_PICTURE_ROW - 1}", f"↑ {names[1]}", head)
        page.text(f"A{_ACROSS_ROW}", f"{names[0]} →", head)

    def _scale(self, values: Array) -> None:
        """What the colours stand for."""
        page, layout, row = self.page, self.layout, self.layout.scale_row
        least, most, level = self._boundary[self._shown]
        corner, end = absolute(address(_PICTURE_ROW, _PICTURE_COLUMN)), address(_ACROSS_ROW - 1, _LAST_PICTURE_COLUMN)
        whole = f"{corner}:{absolute(end)}"
        self._scale_cells = [address(row + 1, layout.side + 1 + index) for index in range(3)]
        line, reach = absolute(self._scale_cells[1]), _CONTRAST * abs(level)
        lowest, highest = (f"{line}{sign}{_CONTRAST}*ABS({line})" for sign in "-+")
        contents = (
            ("low", f"MIN({whole},{self._over(3)},{lowest})", min(float(values.min()), least, level - reach)),
            ("line", self._over(1), level),
            ("high", f"MAX({whole},{self._over(2)},{highest})", max(float(values.max()), most, level + reach)),
        )
        page.text(address(row + 1, layout.side), "colour", _BEFORE)
        for column, (text, formula, value) in enumerate(contents, layout.side + 1):
            page.text(address(row, column), text, Look(theme.NOTE, align="center"))
            page.formula(address(row + 1, column), formula, value, Look(theme.SURFACE, number_format=_MAP_FORMAT))
        between, alone, hidden = (
            f"line: {text}" for text in ("halfway between the targets", "the target", "its weighted sum is 0")
        )
        output = f'IF({self._over(2)}>{self._over(3)},"{between}","{alone}")'
        words = f'IF({self._shown_cell}>{len(self._forward) - len(self._names.targets)},{output},"{hidden}")'
        page.formula(address(row + 1, layout.side + 4), words, between if most > least else alone, _AFTER)
        ends = f"ROUND(MIN({whole}),2)=ROUND(MAX({whole}),2)"
        is_flat = float(np.round(values.min(), 2)) == float(np.round(values.max(), 2))
        page.formula("A3", f'IF({ends},"{_FLAT}","{_LINES}")', _FLAT if is_flat else _LINES, Look())
        note = f"{MARKS[1]} a sample whose target is halfway or above, {MARKS[0]} below, {MARKS[2]} both"
        if self._derivation.samples == 1:
            note = f"{MARKS[1]} the sample"
        page.text(address(row + 2, layout.side + 1), note, Look(theme.NOTE))

    # What is told beside the samples

    def panels(self) -> int:
        """Put down what else there is to see; give the last row taken."""
        row, column = self.layout.panel
        last = 0
        for panel in (self._classes, self._layers, self._units):
            taken = panel(row, column)
            if taken:
                self.panel_rows.append(row)
                row, last = taken + 2, taken
        return last

    def _classes(self, row: int, column: int) -> int:
        """How many samples of each class get the name of which; of a softmax."""
        if not self._lesson.definition.is_softmax:
            return 0
        page, names = self.page, self._names
        page.text(address(row, column), "How many of each class get which name", Look(theme.HEADING))
        page.text(address(row + 1, column), "class", theme.COLUMN_HEAD)
        said, meant = (
            column_range(letter, self.layout.header_row + 1, self.layout.last_row) for letter in self._class_letters
        )
        named, classes = (each.values for each in self._class_columns)
        for index, name in enumerate(names.activations[-1], 1):
            page.text(address(row + 1, column + index), name, Look(theme.LABEL, Role.OUTPUT))
        for number, target in enumerate(names.targets, 1):
            page.text(address(row + 1 + number, column), target, Look(theme.LABEL, Role.TARGET))
            for index in range(1, len(names.targets) + 1):
                formula = f"SUMPRODUCT(({meant}={number})*({said}={index}))"
                value = int(np.sum((classes == number) & (named == index)))
                style = theme.RESULT if index == number else theme.CALCULATION
                look = Look(style, number_format=theme.COUNT_FORMAT, align="center")
                page.formula(address(row + 1 + number, column + index), formula, value, look)
        last = row + 1 + len(names.targets)
        corners = address(row + 2, column + 1), address(last, column + len(names.targets))
        cells, fixed = ":".join(corners), ":".join(map(absolute, corners))
        page.colour_scale((cells,), ("0", f"MAX({fixed})"), (theme.PAPER, HIGH))
        page.text(address(last + 1, column), "bold: the right name")
        return last + 1

    def _layers(self, row: int, column: int) -> int:
        if not has_layers(self._derivation):
            return 0
        self.next_column += 2
        width = self.layout.panel_width
        return put_layers(self._passed, self._gradients, row, column, width, self.next_column - 2)

    def _units(self, row: int, column: int) -> int:
        return put_units(self._passed, row, column) if self._gradients else 0

    @property
    def _passed(self) -> Passed:
        return Passed(self.page, self._derivation, self._working, self._said)


# outputs and hidden units that a chart shows: four of each
_DASHES = ("solid", "lgDashDot", "lgDash", "sysDashDot")
_HIDDEN_DASHES = ("dash", "sysDot", "dashDot", "sysDash")
_MARKERS = ("circle", "square", "triangle", "diamond")
