"""A number as it is printed: its power of ten, its digits and its text, in cells that the reader need not see."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from xlbackprop.symbols import (
    Formula,
    LiveNumbers,
    Symbol,
    WrittenFormula,
    bracketed,
    bracketed_formula,
    exponent_formula,
    held,
    held_formula,
    mantissa_formula,
    result,
    result_formula,
    rounded,
    text_formula,
)
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import Value


class PrintedNumber(Struct, frozen=True):
    """The cells of a number, and of how it is put into a calculation."""

    value: str
    exponent: str
    mantissa: str
    text: str
    bracketed: str
    """The text as it stands after a sign."""

    @property
    def put_in(self) -> str:
        """The formula of the number as a pocket calculator gets it."""
        return f"({self.mantissa}*10^{self.exponent})"

    def put(self, page: Page, value: float) -> str:
        """Put down all but the number itself; give its text."""
        number = rounded(value)
        _put(page, self.exponent, exponent_formula(self.value), number.exponent)
        _put(page, self.mantissa, mantissa_formula(self.value, self.exponent), number.mantissa)
        _put(page, self.text, text_formula(self.mantissa, self.exponent), number.text)
        _put(page, self.bracketed, bracketed_formula(self.text), bracketed(number.text))
        return number.text

    def put_result(
        self,
        page: Page,
        cells: Sequence[str],
        put_in: str,
        value: float,
        rough: float | None,
        is_exact: tuple[str, bool] = ("TRUE", True),
    ) -> str:
        """Put down what the numbers put in come to, and as text those digits of it that the number has; give these.

        Args:
            cells: of what a calculator makes of them, of its digits that hold, and of the text.
            put_in: the formula of the first.
            value, rough: the number, and what a calculator makes of it.
            is_exact: the formula and the value of what `result` takes.
        """
        made, known, text = cells
        digits = held(value, rough)
        _put(page, made, f'IFERROR({put_in},"")', "" if rough is None else rough)
        _put(page, known, held_formula(self.value, made, self.exponent), "" if digits is None else digits.mantissa)
        condition, holds = is_exact
        words = result(value, rough, is_exact=holds)
        _put(page, text, result_formula(self.value, made, known, self.exponent, condition), words)
        return words


def readings(numbers: Callable[[Symbol], PrintedNumber]) -> tuple[Formula, WrittenFormula, LiveNumbers]:
    """The formula of an expression from the numbers, the one from how they are put in, and the one of its text."""
    return (
        Formula(lambda symbol: numbers(symbol).value),
        WrittenFormula(lambda symbol: numbers(symbol).put_in),
        LiveNumbers(
            lambda symbol: numbers(symbol).text,
            lambda symbol: numbers(symbol).bracketed,
            lambda symbol: numbers(symbol).value,
        ),
    )


def _put(page: Page, cell: str, formula: str, value: Value) -> None:
    page.formula(cell.replace("$", ""), formula, value, theme.HELPER)
