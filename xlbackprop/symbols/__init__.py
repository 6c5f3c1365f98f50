"""Symbolic expressions, and one file for each way to read them."""

from xlbackprop.symbols.evaluation import calculated, evaluated
from xlbackprop.symbols.expression import (
    Apply,
    Builtin,
    Call,
    Conditional,
    Difference,
    Entry,
    Exponential,
    Expression,
    Function,
    Limited,
    Listed,
    Negation,
    Number,
    Old,
    Power,
    Product,
    Quotient,
    Raised,
    Stable,
    Sum,
    Symbol,
    abridged,
    apply,
    at_the_start,
    conditional,
    factors_of,
    is_transcendental,
    substitute,
    sum_of,
    symbols,
)
from xlbackprop.symbols.formula import FUNCTIONS, Formula, PlainFormula, WrittenFormula, number_from, text_from
from xlbackprop.symbols.latex import Latex, LatexNumbers, latex_name, latex_number
from xlbackprop.symbols.live_numbers import (
    LiveNumbers,
    bracketed_formula,
    exponent_formula,
    few_decimals_formula,
    held_formula,
    mantissa_formula,
    result_formula,
    short_formula,
    text_formula,
)
from xlbackprop.symbols.mathematics import (
    DIGITS,
    Mathematics,
    Numbers,
    Rounded,
    bracketed,
    few_decimals,
    held,
    matrix_mathematics,
    result,
    rounded,
    short,
)
from xlbackprop.symbols.typesetting import Piece, Typesetter
