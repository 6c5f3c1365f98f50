"""The sheet Your turn: one iteration by hand, each answer judged at once and given the reader's earlier ones."""

from __future__ import annotations

import textwrap

from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.workbook.workbook import Workbook

from xlbackprop.derivation import Derivation, Role
from xlbackprop.network import derivative
from xlbackprop.symbols import Expression, Formula, WrittenFormula
from xlbackprop.walkthrough import GIVEN, UPDATE, Given, Lesson, Table, givens, sections, updates
from xlbackprop.workbook.panels.iteration_choice import Choice, choose_iteration, whole_number
from xlbackprop.workbook.panels.step_list import Lines, list_header, list_page
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

TITLE = "Your turn"
ITERATION_CELL, DECIMALS_CELL, PROGRESS_CELL = "C3", "C4", "E3"
RIGHT, WRONG = "✓", "✗"

_DECIMALS, _MOST_DECIMALS = 4, 10
_USED_ITERATION, _TOLERANCE = "F3", "F4"
_HEADER_ROW = 5
_WIDTHS = {"A": 13.0, "B": 66.0, "C": 18.0, "D": 5.0, "E": 74.0}
"""Characters; together they fit a screen of 1366 pixels."""

_TRUE, _EXPECTED, _USED = "F", "G", "H"
"""The columns of the right value, of what follows from the reader's earlier answers, and of what later lines use."""

_LARGEST_ANSWER = "1E15"
"""Later lines go on with no answer beyond this: products of a dozen such numbers are still numbers."""

_LONGEST_LITERAL = 240
"""A formula takes texts of up to 255 characters."""


def your_turn(workbook: Workbook, lesson: Lesson) -> Page:
    """Fill the sheet with everything but the answers."""
    page = list_page(workbook, TITLE, _WIDTHS)
    page.text("A2", "One iteration by hand. Right is what follows from your own numbers above, or from the exact ones.")
    for row, label in ((3, "iteration"), (4, "decimals that have to be right")):
        page.text(f"B{row}", label, Look(theme.HEADING, align="right", indent=1))
        page.heights(row, 1)
    choice = choose_iteration(page, lesson, ITERATION_CELL, _USED_ITERATION)
    _tolerance(page)
    headers = ("symbol", "what it is", "your answer", "", "hint")
    list_header(page, _HEADER_ROW, _WIDTHS, headers)
    exercise = _Exercise(page, lesson, choice)
    exercise.given()
    first = exercise.row + 1
    exercise.calculated()
    exercise.update()
    _progress(page, f"D{first}:D{exercise.row}", exercise.questions)
    _colour_marks(page, f"D{first}:D{exercise.row}")
    page.hide((_TRUE, _EXPECTED, _USED))
    page.sheet.protection.enable()
    page.print_setup(lesson.definition.title, f"{_HEADER_ROW}:{_HEADER_ROW}")
    page.sheet.print_area = f"A1:E{exercise.row}"
    return page


def questions(derivation: Derivation, table: Table) -> tuple[str, ...]:
    """What is asked within an iteration: the columns of the table, and what reaches each hidden unit."""
    names = derivation.names
    between = {derivative(names.total_loss, unit) for layer in names.activations[:-1] for unit in layer}
    wanted = between | set(table.quantities)
    return tuple(name for section in sections(derivation) for name in section.names if name in wanted)


def _tolerance(page: Page) -> None:
    look = Look(theme.INPUT, number_format=theme.PLAIN_FORMAT, unlocked=True)
    page.number(DECIMALS_CELL, _DECIMALS, look)
    page.limit(DECIMALS_CELL, "Decimals", "How exact an answer has to be.", 0, _MOST_DECIMALS, whole=True)
    decimals = whole_number(DECIMALS_CELL, 0, _MOST_DECIMALS, _DECIMALS)
    page.formula(_TOLERANCE, f"10^-({decimals})", 10.0**-_DECIMALS, Look(theme.CALCULATION))
    said = f'"An answer is right when it differs by no more than "&FIXED({_TOLERANCE},{decimals},TRUE)&"."'
    words = f"An answer is right when it differs by no more than {10.0**-_DECIMALS:.{_DECIMALS}f}."
    page.formula(f"E{DECIMALS_CELL[1:]}", said, words, Look(theme.TEXT, align="left", indent=1))


def _progress(page: Page, marks: str, number: int) -> None:
    right, wrong = (f'COUNTIF({marks},"{mark}")' for mark in (RIGHT, WRONG))
    formula = f'({right}+{wrong})&" of {number} answered, "&{right}&" right"&IF({right}={number},": all done!","")'
    page.formula(PROGRESS_CELL, formula, f"0 of {number} answered, 0 right", Look(theme.CHECK, align="left", indent=1))


def _colour_marks(page: Page, marks: str) -> None:
    for mark, role in ((RIGHT, Role.HIDDEN), (WRONG, Role.LOSS)):
        rule = CellIsRule(
            operator="equal",
            formula=[f'"{mark}"'],
            font=Font(bold=True, color=theme.SHADES[role].dark),
            fill=PatternFill("solid", bgColor=theme.SHADES[role].light),
        )
        page.sheet.conditional_formatting.add(marks, rule)


class _Exercise(Lines):
    """The lines of the exercise, put down one under the other; each knows where the earlier ones stand."""

    def __init__(self, page: Page, lesson: Lesson, choice: Choice) -> None:
        super().__init__(page, lesson, choice, _HEADER_ROW, _WIDTHS)
        self.questions = 0
        self._true: dict[str, str] = {}
        self._used: dict[str, str] = {}
        self._true_formula = Formula(lambda symbol: self._true[symbol.label])
        self._used_formula = Formula(lambda symbol: self._used[symbol.label])
        self._written_formula = WrittenFormula(lambda symbol: self._used[symbol.label])

    def given(self) -> None:
        self._heading(GIVEN)
        for given in givens(self._derivation):
            self._given(given)
        self._page.show_extreme_numbers(f"C{_HEADER_ROW + 2}:C{self.row}")

    def calculated(self) -> None:
        asked = questions(self._derivation, self._lesson.table)
        columns = self._lesson.table.quantities
        known = {*asked, *self._derivation.given}
        for section in sections(self._derivation):
            names = [name for name in section.names if name in asked]
            if names:
                self._heading(section.heading)
            for name in names:
                expression = self._derivation.expanded(name, known)
                formula = self._choice.value(name) if name in columns else self._true_formula.read(expression)
                quantity = self._derivation[name]
                self._question(name, quantity.role, quantity.sentence, expression, formula, self._values[name])

    def update(self) -> None:
        self._heading(UPDATE)
        for each in updates(self._derivation, self._lesson.trace, self._lesson.iteration):
            formula = self._true_formula.read(each.expression)
            self._question(each.name, each.role, each.sentence, each.expression, formula, each.value)

    def _given(self, given: Given) -> None:
        self.row += 1
        self._name(given.label, given.role, given.sentence)
        look = Look(theme.CALCULATION, given.role, theme.number_format(given.role))
        self._page.formula(f"C{self.row}", self._choice.given(given), self._moment.value(given.symbol), look)
        self._page.heights(self.row, self._page.lines(given.sentence, "B"))
        self._true[given.label] = self._used[given.label] = f"C{self.row}"

    def _question(
        self, name: str, role: Role, sentence: str, expression: Expression, formula: str, value: float
    ) -> None:
        self.row += 1
        self.questions += 1
        row, page = self.row, self._page
        self._name(name, role, sentence)
        answer, mark = f"C{row}", f"D{row}"
        page.blank(answer, Look(theme.INPUT, unlocked=True))
        close = " ".join(
            f"ABS({answer}-{column}{row})<={_TOLERANCE}*1.000001," for column in (_EXPECTED, _TRUE)
        ).rstrip(",")
        judged = f'IF(ISNUMBER({answer}),IF(OR({close}),"{RIGHT}","{WRONG}"),"{WRONG}")'
        page.formula(mark, f'IFERROR(IF({answer}="","",{judged}),"{WRONG}")', "", _MARK)
        mathematics = self._mathematics.read(expression)
        hint = f"{name} = {mathematics}"
        said = (
            f'IF({mark}="{WRONG}",IF(ISNUMBER({answer}),{_literal(hint)},"Type a number, such as "&0.5&"."),'
            f'IF({mark}="{RIGHT}",IF(ABS({answer}-{_TRUE}{row})>{_TOLERANCE}*1.000001,'
            f'"Right for the numbers that you typed above.",""),""))'
        )
        page.formula(f"E{row}", f'IFERROR({said},"")', "", _HINT)
        page.formula(f"{_TRUE}{row}", formula, value, _HELPER)
        page.formula(f"{_EXPECTED}{row}", self._following(expression), value, _HELPER)
        is_used = f"IF(ISNUMBER({answer}),ABS({answer})<{_LARGEST_ANSWER},FALSE)"
        page.formula(f"{_USED}{row}", f"IF({is_used},{answer},{_EXPECTED}{row})", value, _HELPER)
        page.heights(row, max(page.lines(sentence, "B"), page.lines(hint, "E")))
        self._true[name], self._used[name] = f"{_TRUE}{row}", f"{_USED}{row}"

    def _following(self, expression: Expression) -> str:
        """The formula of what follows from the reader's own answers, as the mathematics is written where that works."""
        written, stable = self._written_formula.read(expression), self._used_formula.read(expression)
        return f"IFERROR({written},{'0' if written == stable else f'IFERROR({stable},0)'})"

    def _name(self, name: str, role: Role, sentence: str) -> None:
        self._page.typeset(f"A{self.row}", self._typesetter.set(name), Look(theme.SYMBOL, role))
        self._page.typeset(f"B{self.row}", self._typesetter.set(sentence), _PROSE)


_PROSE = Look(theme.TEXT, align="left", indent=1, wrap=True)
_MARK = Look(theme.HEADING, align="center")
_HINT = Look(theme.TEXT, align="left", indent=1, wrap=True)
_HELPER = Look(theme.CALCULATION)


def _literal(text: str) -> str:
    """A text as a formula has it, in parts when it is long."""
    return "&".join(f'"{part}"' for part in _parts(text))


def _parts(text: str) -> list[str]:
    return textwrap.wrap(text, _LONGEST_LITERAL, drop_whitespace=False, break_on_hyphens=False)
