"""The sheet Your turn: one iteration by hand, each answer judged at once and given the reader's earlier ones."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.ground.grid import column_letter, column_number
from xlbackprop.network import BATCH_SIZE, IN_BATCH, derivative
from xlbackprop.symbols import Expression, Formula, Symbol, WrittenFormula, evaluated, symbols
from xlbackprop.walkthrough import (
    MOST_SLIPS,
    UPDATE_HEADING,
    Given,
    Lesson,
    LikelySlip,
    compact,
    likely_slips,
    sections,
    updated_name,
    updates,
    usual_slip,
)
from xlbackprop.workbook.panels.entry import Entry
from xlbackprop.workbook.panels.iteration_choice import Choice, choose_iteration
from xlbackprop.workbook.panels.step_list import Lines, list_header, prepare_list
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import DECIMAL_MARK, Page
from xlbackprop.workbook.xlsx.styles import highlight
from xlbackprop.workbook.xlsx.theme import Look

ITERATION_CELL, DIGITS_CELL, PROGRESS_CELL = "C3", "C4", "E3"
RIGHT, WRONG = "✓", "✗"

MOST_QUESTIONS = 30
"""More than a lesson has time for; of a larger network fewer units are asked, and the others worked out."""

_DIGITS, _MOST_DIGITS = 3, 10
_USED_ITERATION, _USED_DIGITS = "F3", "F4"
_HEADER_ROW = 5
_WIDTHS = {"A": 11.0, "B": 54.0, "C": 14.0, "D": 4.0, "E": 60.0}
"""Characters."""

_TRUE, _EXPECTED, _USED = "F", "G", "H"
"""The columns of the right value, of what follows from the reader's earlier answers, and of what later lines use."""

_TRUE_ALLOWANCE, _EXPECTED_ALLOWANCE = "I", "J"
"""How far an answer may be from either of them."""

_TRUE_SIZE, _EXPECTED_SIZE = "K", "L"
"""How large the numbers of the same kind are, the right ones and those that follow from the reader's earlier answers:
beside the first of the kind that is asked."""

_REACH, _SLIP = "M", "N"
"""How near an answer has to be to what a slip gives to show it, and the number of the slip that it shows, or 0."""

_FIRST_SLIP = "O"

_DECISIVE = 4
"""An answer shows a slip when it is so many times nearer to what the slip gives than to what is right."""

_ROUNDINGS = 1e-15
"""What is left of a weighted sum that is 0 but for the last digits of its terms."""

_LEAST_STEP = 1e-6
"""The share of a weight below which its step is lost in the six decimals in which the weight is shown."""

_LARGEST_ANSWER = "1E+15"
"""Later lines go on with no answer beyond this: products of a dozen such numbers are still numbers."""

_NOT_ASKED = "Not asked: nothing moves before the batch is complete."

_LONGEST_LITERAL = 240
"""A formula takes texts of up to 255 characters."""


def your_turn(page: Page, lesson: Lesson) -> None:
    """Fill the sheet with everything but the answers."""
    prepare_list(page, _WIDTHS)
    page.text("A2", "One iteration by hand. Right is what follows from your own numbers above, or from the exact ones.")
    for row, label in ((3, "iteration"), (4, "significant digits that have to be right")):
        page.text(f"B{row}", label, Look(theme.HEADING, align="right", indent=1))
        page.heights(row, 1)
    choice = choose_iteration(page, lesson, ITERATION_CELL, _USED_ITERATION)
    _digits(page)
    headers = ("symbol", "what it is", "your answer", "", "hint")
    list_header(page, _HEADER_ROW, _WIDTHS, headers)
    exercise = _Exercise(page, lesson, choice)
    for start, end in exercise.given(exercise.lines):
        page.show_extreme_numbers(f"C{start}:C{end}")
    first = exercise.row + 1
    exercise.calculated()
    exercise.update()
    exercise.allowances()
    exercise.limits()
    number = f"{exercise.questions}"
    asked = exercise.questions
    if exercise.waits:
        number = f"({number}-IF({exercise.waits},{exercise.updates_asked},0))"
        asked -= exercise.updates_asked if exercise.is_waiting else 0
    _progress(page, f"D{first}:D{exercise.row}", number, asked)
    _colour_marks(page, f"D{first}:D{exercise.row}")
    last_helper = column_letter(column_number(_FIRST_SLIP) + 2 * MOST_SLIPS - 1)
    page.hide(column_letter(column) for column in range(column_number(_TRUE), column_number(last_helper) + 1))
    area = f"A1:E{max(exercise.row, exercise.last_row)}"
    page.print_setup(lesson.definition.title, area, f"{_HEADER_ROW}:{_HEADER_ROW}")


class ExerciseLine(Struct, frozen=True):
    """A line below what is given: asked, or worked out for the reader where others like it are asked."""

    name: str
    expression: Expression
    """Over what is given and the lines before it."""
    is_asked: bool


def exercise_lines(derivation: Derivation) -> tuple[ExerciseLine, ...]:
    """What a person would calculate of one iteration: the columns of the original, and what reaches each hidden unit.

    What repeats a number that stands there already, and a mean over several iterations, is worked out; so are, in a
    large network, all but the first ones of each kind in each layer.
    """
    wanted = _reaching(derivation) | set(compact(derivation))
    listed = [name for section in sections(derivation) for name in section.names if name in wanted]
    known = frozenset((*listed, *derivation.given))
    lines = {name: derivation.expanded(name, known) for name in listed}
    lines |= {updated_name(name): derivation.update(name) for name in derivation.learned}
    candidates = [name for name, expression in lines.items() if _is_work(derivation, name, expression)]
    places = {name: derivation.siblings(name).index(name) for name in candidates if name in derivation.quantities}
    places |= {updated_name(name): derivation.siblings(name).index(name) for name in derivation.learned}
    most = max(places.values(), default=0) + 1
    while most > 1 and sum(places[name] < most for name in candidates) > MOST_QUESTIONS:
        most -= 1
    asked = {name for name in candidates if places[name] < most}
    return tuple(ExerciseLine(name, expression, name in asked) for name, expression in lines.items())


def _reaching(derivation: Derivation) -> set[str]:
    """What reaches each hidden unit."""
    names = derivation.names
    return {derivative(names.total_loss, unit) for layer in names.activations[:-1] for unit in layer}


def _is_work(derivation: Derivation, name: str, expression: Expression) -> bool:
    """Whether there is something to calculate, and from this iteration alone but for what an optimiser remembers."""
    quantity = derivation.quantities.get(name)
    is_mean = quantity is not None and quantity.role is Role.LOSS and name in derivation.carried
    return not isinstance(expression, Symbol) and not is_mean


def _digits(page: Page) -> None:
    look = Look(theme.INPUT, number_format=theme.PLAIN_FORMAT)
    page.number(DIGITS_CELL, _DIGITS, look)
    digits = Entry(DIGITS_CELL, "Significant digits", 1, _MOST_DIGITS, is_whole=True)
    digits.limit(page)
    page.formula(_USED_DIGITS, digits.used(_DIGITS), _DIGITS, theme.COUNTED)
    parts = ("Right to ", " significant digits; near 0, to that share of its kind.")
    said = f'"{parts[0]}"&{_USED_DIGITS}&"{parts[1]}"'
    page.formula(f"E{DIGITS_CELL[1:]}", said, str(_DIGITS).join(parts), theme.PROSE)


def _progress(page: Page, marks: str, number: str, asked: int) -> None:
    right, wrong = (f'COUNTIF({marks},"{mark}")' for mark in (RIGHT, WRONG))
    formula = f'({right}+{wrong})&" of "&{number}&" answered, "&{right}&" right"&IF({right}={number},": all done!","")'
    page.formula(PROGRESS_CELL, formula, f"0 of {asked} answered, 0 right", Look(theme.CHECK, align="left", indent=1))


def _colour_marks(page: Page, marks: str) -> None:
    first = marks.partition(":")[0]
    for mark, role in ((RIGHT, Role.HIDDEN), (WRONG, Role.LOSS)):
        shade = theme.SHADES[role]
        page.format_where(marks, f'{first}="{mark}"', highlight(bold=shade.dark, fill=shade.light))


class _Exercise(Lines):
    """The lines of the exercise, put down one under the other; each knows where the earlier ones stand."""

    sentence_column = "B"

    def __init__(self, page: Page, lesson: Lesson, choice: Choice) -> None:
        super().__init__(page, lesson, choice, _HEADER_ROW, _WIDTHS)
        self.questions = self.updates_asked = 0
        self._rows: dict[str, int] = {}
        self._known = dict(self._values)
        self._updated: dict[str, Expression] = {}
        learned = self._derivation.learned
        self._update_uses = {name: {each.label for each in symbols(self._derivation.update(name))} for name in learned}
        self._backward, self._reaching = _reaching(self._derivation), dict[str, Expression]()
        self._true: dict[str, str] = {}
        self._used: dict[str, str] = {}
        self._true_formula = Formula(lambda symbol: self._true[symbol.label])
        self._used_formula = Formula(lambda symbol: self._used[symbol.label])
        self._written_formula = WrittenFormula(lambda symbol: self._used[symbol.label])
        self.is_waiting = BATCH_SIZE in self._values and self._values[IN_BATCH] < self._values[BATCH_SIZE]
        self._questions = {question.name: question for question in exercise_lines(self._derivation)}

    @property
    def lines(self) -> list[int]:
        """How many lines every stretch below what is given has."""
        asked = [sum(name in self._questions for name in each.names) for each in sections(self._derivation)]
        return [*filter(None, asked), len(self._derivation.learned)]

    @property
    def waits(self) -> str:
        """The condition under which nothing moves yet, because the batch is not complete; nothing without batches."""
        if BATCH_SIZE not in self._values:
            return ""
        return f"{self._true[IN_BATCH]}<{self._true[BATCH_SIZE]}"

    def calculated(self) -> None:
        columns = self._lesson.table.quantities
        for section in sections(self._derivation):
            names = [name for name in section.names if name in self._questions]
            if names:
                self._heading(section.heading)
            for name in names:
                question, quantity = self._questions[name], self._derivation[name]
                formula = self._choice.value(name) if name in columns else self._true_formula.read(question.expression)
                self._line(question, quantity.role, quantity.sentence, name, formula, self._values[name])
                self._learn(name)

    def update(self) -> None:
        self._heading(UPDATE_HEADING)
        for each, name in zip(
            updates(self._derivation, self._lesson.trace, self._lesson.iteration), self._derivation.learned, strict=True
        ):
            question = self._questions[each.name]
            formula = self._true_formula.read(each.expression)
            self._line(question, each.role, each.sentence, name, formula, each.value)

    def allowances(self) -> None:
        """How far from right an answer may be, which depends on the numbers of the same kind, so that they come last.

        A new weight is judged by its step too: of 0.15 − 0.000317 the first three digits say nothing of the step.
        """
        sizes: dict[tuple[str, ...], tuple[str, str, float]] = {}
        for name, row in self._rows.items():
            learned = name.removeprefix(updated_name(""))
            siblings = tuple(name.removesuffix(learned) + each for each in self._derivation.siblings(learned))
            if siblings not in sizes:
                sizes[siblings] = self._sizes(siblings, row)
            *places, size = sizes[siblings]
            is_sum = any(name in units for units in self._derivation.names.pre_activations)
            before = self._used[learned] if learned != name else None
            old = self._known[learned] if before else None
            value = _allowed(self._value_of(name), size, is_sum=is_sum, before=old)
            for (number, column), place in zip(_RIGHT_ONES, reversed(places), strict=True):
                formula = _allowance(f"{number}{row}", place, is_sum=is_sum, before=before)
                self._page.formula(f"{column}{row}", formula, value, theme.HELPER)

    def _sizes(self, siblings: Sequence[str], row: int) -> tuple[str, str, float]:
        """Put down how large numbers of a kind are: the right ones, then those that follow, but no larger than these.

        Where absurd answers make others tiny, what follows is not near 0 because it is small beside the right ones;
        and where they make them huge, not because it is small beside those.
        """
        following = [f"{_EXPECTED}{self._rows[each]}" if each in self._rows else self._used[each] for each in siblings]
        true, expected = (f"{column}{row}" for column in (_TRUE_SIZE, _EXPECTED_SIZE))
        size = max(float(_SMALLEST), *(abs(self._value_of(each)) for each in siblings))
        self._page.formula(true, _largest([self._true[each] for each in siblings]), size, theme.HELPER)
        self._page.formula(expected, f"MIN({true},{_largest(following)})", size, theme.HELPER)
        return true, expected, size

    def limits(self) -> None:
        """Let the answers be numbers only, and say how a number and a fraction are typed."""
        answers = " ".join(f"C{row}" for row in self._rows.values())
        refusal = f"A number, please. {DECIMAL_MARK} A fraction is calculated: =1/3."
        most = float(_LARGEST_ANSWER)
        self._page.limit(answers, "Your answer", -most, most, optional=True, refusal=refusal)

    def _value_of(self, name: str) -> float:
        return self._known[name]

    def _learn(self, name: str) -> None:
        """Once a gradient is known, so is what its weight will become, where that takes nothing else."""
        if name in self._backward:
            self._reaching[name] = self._questions[name].expression
        for learned, used in self._update_uses.items():
            if name in used and used <= self._used.keys():
                self._updated[learned] = self._derivation.update(learned)

    def _given(self, given: Given) -> None:
        self.row += 1
        self._name(given.label, given.role, given.sentence)
        look = Look(theme.CALCULATION, given.role, theme.number_format(given.role))
        self._known[given.label] = self._moment.value(given.symbol)
        self._page.formula(f"C{self.row}", self._choice.given(given), self._known[given.label], look)
        self._true[given.label] = self._used[given.label] = f"C{self.row}"

    def _line(self, question: ExerciseLine, role: Role, sentence: str, name: str, formula: str, value: float) -> None:
        self.row += 1
        row, page = self.row, self._page
        self._name(question.name, role, sentence)
        self._known[question.name] = value
        page.formula(f"{_TRUE}{row}", formula, value, theme.HELPER)
        following = self._following(question.expression)
        if question.is_asked:
            page.formula(f"{_EXPECTED}{row}", following, value, theme.HELPER)
            likely = likely_slips(self._derivation, name, question.expression, self._updated, self._reaching)
            slips = (slip for slip in likely if {each.label for each in symbols(slip.expression)} <= self._used.keys())
            self._asked(question, name, sentence, value, tuple(slips))  # nobody slips into what is not calculated yet
            self._used[question.name] = f"{_USED}{row}"
        else:
            look = Look(theme.CALCULATION, role, theme.VALUE_FORMAT)
            page.formula(f"C{row}", following, value, look)
            page.show_extreme_numbers(f"C{row}")
            page.text(f"E{row}", "worked out for you, from the numbers above", theme.WRAPPED)
            page.heights(row, page.lines(sentence, "B"))
            self._used[question.name] = f"C{row}"
        self._true[question.name] = f"{_TRUE}{row}"

    def _asked(
        self, question: ExerciseLine, name: str, sentence: str, value: float, slips: tuple[LikelySlip, ...]
    ) -> None:
        self.questions += 1
        row, page = self.row, self._page
        self._rows[question.name] = row
        cells = _Cells(row)
        page.blank(cells.answer, Look(theme.INPUT))
        hint = f"{question.name} = {self._mathematics.read(question.expression)}"
        usual = usual_slip(self._derivation, name, question.expression)
        is_update = question.name not in self._values
        mark, hinted, shown = cells.marked(), cells.hinted(usual, hint, slips, is_update=is_update), ""
        if is_update and self.waits:
            self.updates_asked += 1
            mark, hinted = f'IF({self.waits},"",{mark})', f'IF({self.waits},"{_NOT_ASKED}",{hinted})'
            shown = _NOT_ASKED if self.is_waiting else ""
        page.formula(cells.mark, mark, "", _MARK)
        page.formula(cells.hint, hinted, shown, theme.WRAPPED)
        is_used = f"IF(ISNUMBER({cells.answer}),ABS({cells.answer})<{_LARGEST_ANSWER},FALSE)"
        page.formula(f"{_USED}{row}", f"IF({is_used},{cells.answer},{_EXPECTED}{row})", value, theme.HELPER)
        page.formula(cells.reach, cells.reached(), "", theme.HELPER)
        page.formula(cells.slip, cells.shown(len(slips)), 0, theme.HELPER)
        for place, slip in enumerate(slips):
            given = evaluated(slip.expression, lambda symbol: self._known[symbol.label])
            formula = f"IFERROR({self._written_formula.read(slip.expression)},{_EXPECTED}{row})"
            page.formula(cells.slip_value(place), formula, value if given is None else given, theme.HELPER)
            page.formula(cells.slip_share(place), cells.distance(place), _FAR, theme.HELPER)
        said = [f"{words}{hint}" for words in (_NEARLY, f"{_TOO_LARGE}{usual} ", _AS_GOOD_AS_0)]
        lines = max(page.lines(words, "E") for words in (*said, *(slip.question for slip in slips)))
        page.heights(row, max(page.lines(sentence, "B"), lines))

    def _following(self, expression: Expression) -> str:
        """The formula of what follows from the reader's own answers, as the mathematics is written where that works."""
        written, stable = self._written_formula.read(expression), self._used_formula.read(expression)
        true = f"{_TRUE}{self.row}"
        return f"IFERROR({written},{true if written == stable else f'IFERROR({stable},{true})'})"

    def _name(self, name: str, role: Role, sentence: str) -> None:
        self._page.typeset(f"A{self.row}", self._typesetter.set(name), Look(theme.SYMBOL, role))
        self._page.typeset(f"B{self.row}", self._typesetter.set(sentence), theme.WRAPPED)


class _Cells:
    """The cells of one question, and the formulas that judge its answer."""

    def __init__(self, row: int) -> None:
        self.row = row
        letters = ("C", "D", "E", _REACH, _SLIP)
        self.answer, self.mark, self.hint, self.reach, self.slip = (f"{letter}{row}" for letter in letters)

    def slip_value(self, place: int) -> str:
        """What a slip gives, by its place from 0."""
        return f"{column_letter(column_number(_FIRST_SLIP) + place)}{self.row}"

    def slip_share(self, place: int) -> str:
        return self.slip_value(MOST_SLIPS + place)

    def marked(self) -> str:
        """Right is an answer that is near enough to one of both numbers, unless it shows a slip."""
        # a share, because programs take very small numbers for equal
        close = ",".join(f"{self._share(number, allowed)}<=1.000001" for number, allowed in _RIGHT_ONES)
        judged = f'IF(AND({self.slip}=0,OR({close})),"{RIGHT}","{WRONG}")'
        answered = f'IF(ISNUMBER({self.answer}),{judged},"{WRONG}")'
        return f'IFERROR(IF({self.answer}="","",{answered}),"{WRONG}")'

    def hinted(self, usual: str, mathematics: str, slips: tuple[LikelySlip, ...], *, is_update: bool) -> str:
        """The hint below: the slip that the answer shows, or what is wrong with it, and how it is calculated.

        Args:
            usual: what to ask where it shows none.
        """
        answer, expected = self.answer, f"{_EXPECTED}{self.row}"
        # shares, because programs take very small numbers for equal
        typed, of_expected = f"MIN({_LARGEST_ANSWER},ABS({answer}))", f"MAX({_SMALLEST},ABS({expected}))"
        size = f'IF({typed}/{of_expected}>1,"{_TOO_LARGE}","{_TOO_SMALL}")&"{usual} "'
        size = f'IF({typed}/{of_expected}<1E-3,"{_AS_GOOD_AS_0}",{size})'
        size = f'IF(MIN({_LARGEST_ANSWER},{self._off(_EXPECTED)})/{of_expected}<=0.05,"{_NEARLY}",{size})'
        bounded = f"MAX(-{_LARGEST_ANSWER},MIN({_LARGEST_ANSWER},{answer}))"
        sides = [f"{number}/{_EXPECTED_ALLOWANCE}{self.row}" for number in (bounded, expected)]
        opposite = "OR(AND({0}>1,{1}<-1),AND({0}<-1,{1}>1))".format(*sides)
        seen = f'IF({opposite},"The sign is wrong: ",{size})&{_literal(mathematics)}'
        if is_update:
            half = _half_unit(expected, _DIGITS_USED)
            seen = f'IF({self._off(_EXPECTED)}<={half},"The step is small: give more decimals.",{seen})'
        is_date = f"AND({answer}=INT({answer}),{answer}>36500,{answer}<73500,ABS({expected})<1000)"
        number = f'IF({is_date},"Was that a fraction? It became a date: type it as in =1/3.",{seen})'
        if slips:
            said = ",".join(_literal(slip.question) for slip in slips)
            number = f"IF({self.slip}>0,CHOOSE(MAX(1,{self.slip}),{said}),{number})"
        own = f"{self._share(_TRUE, _TRUE_ALLOWANCE)}>1.000001"
        right = f'IF({own},"Right for the numbers that you typed above.","")'
        is_marked = f'IF({self.mark}="{WRONG}",IF(ISNUMBER({answer}),{number},{_text_hint(answer)}),'
        return f'IFERROR({is_marked}IF({self.mark}="{RIGHT}",{right},"")),"")'

    def reached(self) -> str:
        """Nothing for what is right to the last digit, or rounded to the digits asked or two more: it shows no slip."""
        answer = self.answer
        rounded = ",".join(
            f"ABS({answer}/({unit}*{allowed}{self.row})-ROUND({number}{self.row}/({unit}*{allowed}{self.row}),0))<=1E-6"
            for number, allowed in _RIGHT_ONES
            for unit in ("2", "0.2", "0.02")
        )
        exact = ",".join(f"{self._share(number, allowed)}<=1E-6" for number, allowed in _RIGHT_ONES)
        off = ",".join(self._off(number) for number, _ in _RIGHT_ONES)
        shows = f'IF(OR({exact},{rounded}),"",MIN({off})/{_DECISIVE})'
        return f'IFERROR(IF(ISNUMBER({answer}),IF(ABS({answer})<{_LARGEST_ANSWER},{shows},""),""),"")'

    def distance(self, place: int) -> str:
        """How far the answer is from what a slip gives, as a share of how near it has to be to show it."""
        answer, true, expected, value = (
            self.answer,
            f"{_TRUE}{self.row}",
            f"{_EXPECTED}{self.row}",
            self.slip_value(place),
        )
        # with the exact numbers a slip is as far from right as with the reader's own rounded ones
        off = f"MIN(ABS({answer}-{value}),ABS({answer}-{true}-{value}+{expected}))"
        share = f"{off}/MAX({_SMALLEST},MIN({self.reach},ABS({value})/200))"
        return f"IFERROR(IF(ISNUMBER({self.reach}),{share},{_FAR:g}),{_FAR:g})"

    def shown(self, slips: int) -> str:
        """The number of the slip that the answer is nearest to, or 0 where it is not far nearer to it than to right."""
        if not slips:
            return "0"
        shares = f"{self.slip_share(0)}:{self.slip_share(slips - 1)}"
        return f"IF(MIN({shares})<1,MATCH(MIN({shares}),{shares},0),0)"

    def _share(self, number: str, allowed: str) -> str:
        """How far the answer is from a number, as a share of what is allowed."""
        return f"{self._off(number)}/MAX({_SMALLEST},{allowed}{self.row})"

    def _off(self, column: str) -> str:
        return f"ABS({self.answer}-{column}{self.row})"


_FAR = 9.0
"""Of a slip that an answer does not show."""

_SMALLEST = "1E-280"
"""In place of 0 under a fraction or a logarithm: ten digits below it LibreOffice still knows the power of ten."""

_RIGHT_ONES = ((_EXPECTED, _EXPECTED_ALLOWANCE), (_TRUE, _TRUE_ALLOWANCE))
_TOO_LARGE, _TOO_SMALL = "Too large: ", "Too small: "
_AS_GOOD_AS_0 = "As good as 0: was a small number rounded away, or one taken that is 0? "
_NEARLY = "Nearly: is a number on the way rounded too much? "
_DIGITS_USED = "$" + _USED_DIGITS[0] + "$" + _USED_DIGITS[1:]


def _largest(cells: Sequence[str]) -> str:
    listed = ",".join(cells)
    return f"MAX({_SMALLEST},{listed},-MIN({listed}))"


def _allowance(number: str, size: str, *, is_sum: bool, before: str | None) -> str:
    """The formula of half a unit of the last right digit, near 0 in a number as large as others of its kind."""
    unit, share = _half_unit(number, _DIGITS_USED), f"ABS({number})/{size}"
    allowed = f"IF({share}<10^-{_DIGITS_USED},0.5*{size}/10^{_DIGITS_USED},{unit})"
    if is_sum:
        return f"MAX({_ROUNDINGS:G},{allowed})"
    if before is None:
        return allowed
    step = _half_unit(f"({number}-{before})", f"MAX(1,{_DIGITS_USED}-1)")
    return f"MIN({allowed},MAX({step},{_LEAST_STEP:.6f}*ABS({before})))"


def _allowed(number: float, size: float, *, is_sum: bool, before: float | None) -> float:
    """The value of the same formula for the digits that the sheet begins with."""
    share = abs(number) / size < 10.0**-_DIGITS
    allowed = 0.5 * size / 10**_DIGITS if share else _half_of_unit(number, _DIGITS)
    if is_sum:
        return max(_ROUNDINGS, allowed)
    if before is None:
        return allowed
    return min(allowed, max(_half_of_unit(number - before, max(1, _DIGITS - 1)), _LEAST_STEP * abs(before)))


def _half_unit(number: str, digits: str) -> str:
    return f"0.5*10^(INT(LOG10(MAX(ABS({number}),{_SMALLEST}))+1E-9)-{digits}+1)"


def _half_of_unit(number: float, digits: int) -> float:
    return 0.5 * 10.0 ** (math.floor(math.log10(max(abs(number), float(_SMALLEST))) + 1e-9) - digits + 1)


def _text_hint(answer: str) -> str:
    """What to say of an answer that is no number."""
    fraction = "A fraction has to be calculated: type it with = before it, as in =1/3."
    has_mark = f'OR(ISNUMBER(FIND(",",{answer})),ISNUMBER(FIND(".",{answer})))'
    mark = '"Another decimal mark: here a number looks like "&0.5&"."'
    return f'IF(ISNUMBER(FIND("/",{answer})),"{fraction}",IF({has_mark},{mark},"Type a number, such as "&0.5&"."))'


_MARK = Look(theme.HEADING, align="center")


def _literal(text: str) -> str:
    """A text as a formula has it, in parts when it is long."""
    return "&".join(f'"{part}"' for part in _parts(text))


def _parts(text: str) -> list[str]:
    if len(text) <= _LONGEST_LITERAL:
        return [text]
    return textwrap.wrap(text, _LONGEST_LITERAL, drop_whitespace=False, break_on_hyphens=False)
