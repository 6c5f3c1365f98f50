"""The sheet Step by step: one iteration, line by line, from what is given to the loss after the update."""

from __future__ import annotations

from xlbackprop.derivation import Role
from xlbackprop.ground.grid import absolute
from xlbackprop.network import LEARNING_RATE, UPDATE
from xlbackprop.symbols import (
    Conditional,
    Expression,
    Numbers,
    Rounded,
    Symbol,
    evaluated,
    factors_of,
    is_transcendental,
    rounded,
    text_formula,
)
from xlbackprop.walkthrough import UPDATE_HEADING, Given, Lesson, sections, updated_name, updates
from xlbackprop.workbook.panels.iteration_choice import Choice, choose_iteration
from xlbackprop.workbook.panels.printed_number import PrintedNumber, readings
from xlbackprop.workbook.panels.step_list import Lines, list_header, prepare_list
from xlbackprop.workbook.panels.worth_it import QUESTION, SAME_WITHIN, put_answer
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

ITERATION_CELL = "D3"

_USED_CELL = "F3"
_HEADER_ROW = 5
_WIDTHS = {"A": 12.5, "B": 38.0, "C": 43.0, "D": 12.0, "E": 37.5}
"""Characters."""

_PRINTED_COLUMNS = "DFGHI"
"""The value of a line, and how it is put into later ones."""
_RESULT_COLUMNS = "JKL"
"""What a pocket calculator makes of the numbers put in, as many digits of it as the value has, and these as text."""
_WIDE_NUMBER = -0.12345


def step_by_step(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the trace gives the values that its formulas have."""
    prepare_list(page, _WIDTHS)
    page.text(
        "A2", "One iteration, in the order in which it is calculated. Every line follows the number in bold blue."
    )
    page.heights(3, 1)
    page.text("C3", "iteration", Look(theme.HEADING, align="right", indent=1))
    choice = choose_iteration(page, lesson, ITERATION_CELL, _USED_CELL)
    first_row = lesson.table.first_row
    before, after = f"← 0 to {choice.last}; this is row ", " of the Walkthrough"
    where = f'"{before}"&({choice.cell}+{first_row})&"{after}"'
    page.formula("E3", where, f"{before}{lesson.iteration + first_row}{after}", theme.PROSE)
    headers = ("symbol", "mathematics", "with the numbers of this iteration", "value", "what it is")
    list_header(page, _HEADER_ROW, _WIDTHS, headers)
    lines = _Lines(page, lesson, choice)
    between = [len(section.names) for section in sections(lesson.derivation)]
    lines.given([*between, len(lesson.derivation.learned), 1])
    lines.calculated()
    lines.update()
    lines.worth_it()
    page.show_extreme_numbers(f"D{_HEADER_ROW + 1}:D{max(lines.row, lines.last_row)}")
    page.hide("FGHIJKL")
    area = f"A1:E{max(lines.row, lines.last_row)}"
    page.print_setup(lesson.definition.title, area, f"{_HEADER_ROW}:{_HEADER_ROW}")


class _Lines(Lines):
    """The lines of the sheet, put down one under the other; each knows where the earlier ones stand."""

    sentence_column = "E"

    def __init__(self, page: Page, lesson: Lesson, choice: Choice) -> None:
        super().__init__(page, lesson, choice, _HEADER_ROW, _WIDTHS)
        self._printed: dict[str, PrintedNumber] = {}
        self._numbers = Numbers(self._moment.value)
        self._wide = Numbers(lambda _: _WIDE_NUMBER)
        self._formula, self._rough, self._live = readings(lambda symbol: self._printed[symbol.label])

    def _given(self, given: Given) -> None:
        value = self._moment.value(given.symbol)
        self._line(given.label, given.sentence, None, self._choice.given(given), value, given.role)
        self._origin(is_learned=given.name in self._derivation.learned)

    def calculated(self) -> None:
        columns = self._lesson.table.quantities
        for section in sections(self._derivation):
            self._heading(section.heading)
            for name in section.names:
                quantity, expression = self._derivation[name], self._derivation.expression(name)
                formula = self._choice.value(name) if name in columns else self._formula.read(expression)
                self._line(name, quantity.reason or quantity.sentence, expression, formula, self._values[name])
                self._effect(name)

    def update(self) -> None:
        self._heading(UPDATE_HEADING)
        made = updates(self._derivation, self._lesson.trace, self._lesson.iteration)
        for name, each in zip(self._derivation.learned, made, strict=True):
            formula = self._formula.read(each.expression)
            self._line(each.name, each.sentence, each.expression, formula, each.value, each.role)
            before, after = self._printed[name].value, f"D{self.row}"
            moved = f'IF({self._printed[LEARNING_RATE].value}<0,"{each.against}","{each.moved}")'
            effect = f'IF(ABS({after}-{before})<={SAME_WITHIN:G},"{each.unmoved}",{moved})'
            effect_now = each.unmoved if abs(each.value - self._values[name]) <= SAME_WITHIN else each.moved
            self._page.formula(f"E{self.row}", effect, effect_now, theme.WRAPPED)

    def worth_it(self) -> None:
        """The same samples before and after the update, or that nothing moves before the batch is complete."""
        self._heading(QUESTION)
        self.row += 1
        renamed = {name: updated_name(name) for name in self._derivation.learned}
        cells = {name: absolute(printed.value) for name, printed in self._printed.items()}
        put_answer(self._page, self._lesson, self.row, cells, renamed)
        self._symbol("new E", Role.LOSS)
        self._page.heights(self.row, 2)

    def _line(
        self,
        name: str,
        sentence: str,
        expression: Expression | None,
        formula: str,
        value: float,
        role: Role | None = None,
    ) -> None:
        self.row += 1
        row, page = self.row, self._page
        printed = self._printed[name] = PrintedNumber(*(f"{letter}{row}" for letter in _PRINTED_COLUMNS))
        quantity = self._derivation.quantities.get(name)
        role = quantity.role if quantity else role
        self._symbol(name, role)
        lines = [page.lines(sentence, "E")]
        for letter in "BC":
            page.blank(f"{letter}{row}", theme.WRITTEN)
        if expression is not None:
            mathematics = self._mathematics.read(expression)
            page.typeset(f"B{row}", self._typesetter.set(mathematics), theme.WRITTEN)
            live, words = self._live.formula(expression), self._numbers.read(expression)
            wide = self._wide.read(expression)
            if not isinstance(expression, Symbol):
                cells = [f"{letter}{row}" for letter in _RESULT_COLUMNS]
                made = evaluated(expression, lambda symbol: rounded(self._moment.value(symbol)).value)
                is_exact = self._is_exact(expression)
                printed_result = printed.put_result(page, cells, self._rough.read(expression), value, made, is_exact)
                waits, is_waiting = self._waits(expression)
                live += f'&IF({waits},"",{cells[-1]})' if waits else f"&{cells[-1]}"
                words += "" if is_waiting else printed_result
                wide += self._wide.result(Symbol(name), _WIDE_NUMBER)
            page.formula(f"C{row}", live, words, theme.WRITTEN)
            lines += [page.lines(mathematics, "B"), page.lines(wide, "C")]
        style = theme.RESULT if name == self._derivation.names.total_loss else theme.CALCULATION
        page.formula(f"D{row}", formula, value, Look(style, role, theme.number_format(role)))
        page.typeset(f"E{row}", self._typesetter.set(sentence), theme.WRAPPED)
        printed.put(page, value)
        page.heights(row, max(lines))

    def _waits(self, expression: Expression) -> tuple[str, bool]:
        """Whether a number only stays what it is until something happens: as a formula, and now."""
        if not isinstance(expression, Conditional) or not expression.until:
            return "", False
        sides = expression.left, expression.right
        left, right = (evaluated(side, self._moment.value) or 0.0 for side in sides)
        return "<".join(map(self._formula.read, sides)), left < right

    def _is_exact(self, expression: Expression) -> tuple[str, bool]:
        """Whether the result of a calculation may be a decimal: as a formula, and now."""
        if not is_transcendental(expression):
            return "TRUE", True
        factors = factors_of(expression)
        nothing = ",".join(f"{self._printed[factor.label].value}=0" for factor in factors)
        return f"OR({nothing})" if nothing else "FALSE", any(self._moment.value(factor) == 0 for factor in factors)

    def _effect(self, name: str) -> None:
        """Say of the gradient just put down what a small change of its weight does to the loss, with its number."""
        of, by = self._derivation[name].derivative_of or ("", "")
        if of != self._derivation.names.total_loss or by not in self._derivation.learned:
            return
        row, number, printed = self.row, rounded(self._values[name]), self._printed[name]
        # near a minimum the curve bends more than it slopes, so that nothing is said of the loss itself
        parts = (f"Raise {by} by 0.01, and at this slope E ", "rises", "falls", " by ")
        risen = f": positive, so a smaller {by} makes E smaller"
        fallen, flat = f": negative, so a larger {by} makes E smaller", f"{by} makes no difference to E here"
        change = text_formula(f"ABS({printed.mantissa})", f"({printed.exponent}-2)")
        is_up = f"{printed.mantissa}>0"
        formula = (
            f'"{parts[0]}"&IF({is_up},"{parts[1]}","{parts[2]}")&"{parts[3]}"&{change}&IF({is_up},"{risen}","{fallen}")'
        )
        changed = Rounded(abs(number.mantissa), number.exponent - 2).text
        words = f"{parts[0]}{parts[1 if number.mantissa > 0 else 2]}{parts[3]}{changed}"
        words = flat if number.mantissa == 0 else words + (risen if number.mantissa > 0 else fallen)
        self._page.formula(f"E{row}", f'IF({printed.mantissa}=0,"{flat}",{formula})', words, theme.WRAPPED)
        self._page.heights(row, 3)

    def _origin(self, *, is_learned: bool) -> None:
        """Say of the line just put down where its number comes from."""
        if not is_learned:
            self._page.text(f"B{self.row}", "given", theme.WRAPPED)
            return
        made, number = self._choice.cell, float(self._lesson.iteration)
        if UPDATE in self._values:  # of the update to which the batch leads
            made, number = f"({self._choice.value(UPDATE)}-1)", self._values[UPDATE] - 1
        formula = f'IF({made}=0,"given, to begin with","learned: "&{made}&IF({made}=1," update"," updates"))'
        words = f"learned: {number:.0f} update{'s' * (number > 1)}" if number else "given, to begin with"
        self._page.formula(f"B{self.row}", formula, words, theme.WRAPPED)

    def _symbol(self, name: str, role: Role | None) -> None:
        self._page.typeset(f"A{self.row}", self._typesetter.set(name), Look(theme.SYMBOL, role or Role.TARGET))
