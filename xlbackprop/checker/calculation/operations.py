"""Operations of spreadsheet formulas on arrays of many cells in many worlds, each with its derivative."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from xlbackprop.checker.file.formula import UnsupportedError
from xlbackprop.engine import Array

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]


class Term:
    """An intermediate value of a formula: axes are cells, rows and columns of the value, worlds.

    `pull` hands the adjoint of the value on to the operands.
    """

    __slots__ = ("adjoint", "counted", "is_constant", "operands", "pull", "value")

    def __init__(
        self,
        value: Array,
        operands: tuple[Term, ...] = (),
        pull: Callable[[Array], tuple[Array | None, ...]] | None = None,
        counted: Mask | None = None,
    ) -> None:
        self.value = value
        self.operands = operands
        self.pull = pull
        self.counted = counted
        """Which cells of a range hold numbers; None for all."""
        self.adjoint: Array | None = None
        self.is_constant = False


def differentiate(root: Term, adjoint: Array) -> None:
    """Hand an adjoint of a value back to everything that it was calculated from."""
    order = calculated_from(root)
    for term in order:
        term.adjoint = None
    root.adjoint = adjoint
    for term in reversed(order):
        if term.adjoint is None or term.pull is None:
            continue
        for operand, share in zip(term.operands, term.pull(term.adjoint), strict=True):
            if share is None or operand.is_constant:
                continue
            share = _gathered(share, operand.value.shape)
            operand.adjoint = share if operand.adjoint is None else operand.adjoint + share


def calculated_from(root: Term) -> list[Term]:
    """A term and all its operands, each after its own operands."""
    order: list[Term] = []
    seen: set[int] = set()
    ahead: list[tuple[Term, bool]] = [(root, False)]
    while ahead:
        term, is_done = ahead.pop()
        if is_done:
            order.append(term)
        elif id(term) not in seen:
            seen.add(id(term))
            ahead.append((term, True))
            ahead += [(operand, False) for operand in term.operands]
    return order


def _gathered(share: Array, shape: tuple[int, ...]) -> Array:
    """An adjoint summed over the axes along which its operand was repeated."""
    if share.shape == shape:
        return share
    axes = tuple(axis for axis in (1, 2) if shape[axis] == 1 and share.shape[axis] != 1)
    summed = share.sum(axis=axes, keepdims=True) if axes else share
    if shape[0] == 1 and summed.shape[0] != 1:
        summed = summed.sum(axis=0, keepdims=True)
    return repeated(summed, np.broadcast_shapes(summed.shape, (1, *shape[1:3], 1)))


def repeated(values: Array, shape: tuple[int, ...]) -> Array:
    """Values in a shape along whose axes they are repeated; most have it, and need not be looked at by NumPy."""
    return values if values.shape == shape else np.broadcast_to(values, shape)


def constant(number: float) -> Term:
    """A number that is written in a formula."""
    term = Term(np.array(number, np.float64, ndmin=4))
    term.is_constant = True
    return term


def add(a: Term, b: Term) -> Term:
    """a + b."""
    return Term(a.value + b.value, (a, b), lambda g: (g, g))


def subtract(a: Term, b: Term) -> Term:
    """a − b."""
    return Term(a.value - b.value, (a, b), lambda g: (g, -g))


def multiply(a: Term, b: Term) -> Term:
    """a · b."""
    return Term(a.value * b.value, (a, b), lambda g: (g * b.value, g * a.value))


def divide(a: Term, b: Term) -> Term:
    """a / b."""
    value = a.value / b.value
    return Term(value, (a, b), lambda g: (g / b.value, -g * value / b.value))


def power(a: Term, b: Term) -> Term:
    """a to the power of b."""
    value = np.power(a.value, b.value)

    def pull(g: Array) -> tuple[Array | None, ...]:
        below = g * b.value * np.power(a.value, b.value - 1)
        above = None if b.is_constant else g * value * np.log(np.abs(a.value))
        return below, above

    return Term(value, (a, b), pull)


def negate(a: Term) -> Term:
    """−a."""
    return Term(-a.value, (a,), lambda g: (-g,))


def compare(operator: str, a: Term, b: Term) -> Term:
    """1 where a comparison holds, 0 elsewhere; it has no slope."""
    holds = {
        "=": np.equal,
        "<>": np.not_equal,
        "<": np.less,
        ">": np.greater,
        "<=": np.less_equal,
        ">=": np.greater_equal,
    }[operator](a.value, b.value)
    unknown = np.isnan(a.value) | np.isnan(b.value)
    return Term(np.where(unknown, np.nan, holds.astype(np.float64)))


def _smooth(function: Callable[[Array], Array], slope: Callable[[Array, Array], Array]) -> Callable[[list[Term]], Term]:
    """A function of one variable; its slope is given from the argument and the value."""

    def apply(arguments: list[Term]) -> Term:
        (a,) = arguments
        value = function(a.value)
        return Term(value, (a,), lambda g: (g * slope(a.value, value),))

    return apply


def _stepwise(function: Callable[[Array], Array]) -> Callable[[list[Term]], Term]:
    """A function without a slope, such as SIGN."""
    return lambda arguments: Term(function(arguments[0].value))


def _same(arguments: list[Term]) -> Term:
    return arguments[0]


def _zero_filled(term: Term) -> Array:
    return term.value if term.counted is None else np.where(term.counted, term.value, 0.0)


def _sum(arguments: list[Term]) -> Term:
    value = sum((_zero_filled(a).sum(axis=(1, 2), keepdims=True) for a in arguments), np.zeros((1, 1, 1, 1)))

    def pull(g: Array) -> tuple[Array | None, ...]:
        return tuple(_spread(g, a) for a in arguments)

    return Term(value, tuple(arguments), pull)


def _spread(g: Array, a: Term) -> Array:
    """The adjoint of a sum for each of its cells; none for those that hold no number."""
    shape = np.broadcast_shapes(g.shape, (1, *a.value.shape[1:3], 1))
    share = np.broadcast_to(g, shape)
    return share if a.counted is None else np.where(a.counted, share, 0.0)


def _numbers(arguments: list[Term]) -> Array:
    """How many numbers the arguments hold."""
    return sum(
        (
            np.full((1, 1, 1, 1), float(a.value.shape[1] * a.value.shape[2]))
            if a.counted is None
            else a.counted.sum(axis=(1, 2), keepdims=True).astype(np.float64)
            for a in arguments
        ),
        np.zeros((1, 1, 1, 1)),
    )


def _average(arguments: list[Term]) -> Term:
    return divide(_sum(arguments), Term(_numbers(arguments)))


def _count(arguments: list[Term]) -> Term:
    return Term(_numbers(arguments))


def _sum_of_squares(arguments: list[Term]) -> Term:
    return _sum([_square(a) for a in arguments])


def _square(a: Term) -> Term:
    return Term(a.value**2, (a,), lambda g: (2 * g * a.value,), a.counted)


def _product(arguments: list[Term]) -> Term:
    cells = [_filled(a, 1.0) for a in arguments]
    value = np.ones((1, 1, 1, 1))
    for cell in cells:
        value = value * cell.prod(axis=(1, 2), keepdims=True)
    return Term(value, tuple(arguments), lambda g: tuple(g * value / cell for cell in cells))


def _filled(term: Term, number: float) -> Array:
    return term.value if term.counted is None else np.where(term.counted, term.value, number)


def _sumproduct(arguments: list[Term]) -> Term:
    sizes = {a.value.shape[1:3] for a in arguments}
    if len(sizes) != 1:
        raise UnsupportedError("ranges of different sizes")
    cells = [_zero_filled(a) for a in arguments]
    value = cells[0]
    for cell in cells[1:]:
        value = value * cell

    def pull(g: Array) -> tuple[Array | None, ...]:
        shares: list[Array | None] = []
        for index in range(len(cells)):
            share = np.broadcast_to(g, np.broadcast_shapes(g.shape, cells[index].shape))
            for other, cell in enumerate(cells):
                if other != index:
                    share = share * cell
            shares.append(share)
        return tuple(shares)

    return Term(value.sum(axis=(1, 2), keepdims=True), tuple(arguments), pull)


def _sum_of_squared_differences(arguments: list[Term]) -> Term:
    a, b = arguments
    if a.value.shape[1:3] != b.value.shape[1:3]:
        raise UnsupportedError("ranges of different sizes")
    difference = a.value - b.value
    return Term(
        (difference**2).sum(axis=(1, 2), keepdims=True), (a, b), lambda g: (2 * g * difference, -2 * g * difference)
    )


def _matrix_product(arguments: list[Term]) -> Term:
    a, b = arguments
    if a.value.shape[2] != b.value.shape[1]:
        raise UnsupportedError("matrices whose sizes do not fit")
    value = np.einsum("nijw,njkw->nikw", *_alike(a.value, b.value))

    def pull(g: Array) -> tuple[Array | None, ...]:
        left = np.einsum("nikw,njkw->nijw", *_alike(g, b.value))
        right = np.einsum("nijw,nikw->njkw", *_alike(a.value, g))
        return left, right

    return Term(value, (a, b), pull)


def _alike(a: Array, b: Array) -> tuple[Array, Array]:
    """Two arrays with the same cells and worlds."""
    cells, worlds = max(a.shape[0], b.shape[0]), max(a.shape[3], b.shape[3])
    return (np.broadcast_to(a, (cells, *a.shape[1:3], worlds)), np.broadcast_to(b, (cells, *b.shape[1:3], worlds)))


def _transpose(arguments: list[Term]) -> Term:
    (a,) = arguments
    counted = None if a.counted is None else a.counted.transpose(0, 2, 1, 3)
    return Term(a.value.transpose(0, 2, 1, 3), (a,), lambda g: (g.transpose(0, 2, 1, 3),), counted)


def _flattened(arguments: list[Term], missing: float) -> Array:
    """All cells of all arguments along one axis."""
    cells = max(a.value.shape[0] for a in arguments)
    worlds = max(a.value.shape[3] for a in arguments)
    return np.concatenate(
        [
            repeated(_filled(a, missing), (cells, *a.value.shape[1:3], worlds)).reshape(cells, -1, 1, worlds)
            for a in arguments
        ],
        axis=1,
    )


def _choosing(rank: Callable[[Array], Places], missing: float) -> Callable[[list[Term]], Term]:
    """MAX, MIN and MEDIAN: the mean of those cells whose places `rank` gives."""

    def apply(arguments: list[Term]) -> Term:
        flat = _flattened(arguments, missing)
        places = rank(flat)
        value = np.take_along_axis(flat, places, axis=1).mean(axis=1, keepdims=True)

        def pull(g: Array) -> tuple[Array | None, ...]:
            share = np.zeros(np.broadcast_shapes(flat.shape, (g.shape[0], 1, 1, g.shape[3])))
            each = np.broadcast_to(g / places.shape[1], (g.shape[0], places.shape[1], 1, g.shape[3]))
            np.put_along_axis(share, np.broadcast_to(places, each.shape), each, axis=1)
            shares: list[Array | None] = []
            start = 0
            for a in arguments:
                size = a.value.shape[1] * a.value.shape[2]
                part = share[:, start : start + size]
                shares.append(part.reshape(part.shape[0], *a.value.shape[1:3], part.shape[3]))
                start += size
            return tuple(shares)

        known = np.where(np.isnan(flat).any(axis=1, keepdims=True), np.nan, value)
        return Term(known, tuple(arguments), pull)

    return apply


def _middle(flat: Array) -> Places:
    order = np.argsort(flat, axis=1)
    count = flat.shape[1]
    return order[:, (count - 1) // 2 : count // 2 + 1]


def _if(arguments: list[Term]) -> Term:
    condition, then = arguments[0], arguments[1]
    otherwise = arguments[2] if len(arguments) > 2 else constant(0.0)
    holds = condition.value != 0
    value = np.where(holds, then.value, otherwise.value)
    value = np.where(np.isnan(condition.value), np.nan, value)
    return Term(value, (then, otherwise), lambda g: (np.where(holds, g, 0.0), np.where(holds, 0.0, g)))


def _ifs(arguments: list[Term]) -> Term:
    chosen = constant(np.nan)
    for place in range(len(arguments) - 2, -1, -2):
        chosen = _if([arguments[place], arguments[place + 1], chosen])
    return chosen


def _choose(arguments: list[Term]) -> Term:
    chosen = constant(np.nan)
    for number, option in enumerate(arguments[1:], 1):
        chosen = _if([compare("=", Term(np.floor(arguments[0].value)), constant(number)), option, chosen])
    return chosen


_erf: Callable[[Array], Array] = np.vectorize(math.erf, otypes=[np.float64])


def _density(x: Array) -> Array:
    """That of the standard normal distribution."""
    return np.asarray(np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))


def _normal(arguments: list[Term]) -> Term:
    """The standard normal distribution, or its density where the second argument is FALSE."""
    if len(arguments) > 1 and not arguments[1].value.all():
        return FUNCTIONS["PHI"](arguments[:1])
    return _smooth(lambda x: 0.5 * (1 + _erf(x / np.sqrt(2))), lambda x, y: _density(x))(arguments[:1])


def _index(arguments: list[Term]) -> Term:
    a = arguments[0]
    numbers = [np.round(b.value[:, 0, 0, 0]) for b in arguments[1:3]]
    rows, columns = a.value.shape[1:3]
    if len(numbers) == 1 and rows == 1:
        numbers = [np.ones_like(numbers[0]), numbers[0]]
    row = numbers[0] if numbers else np.ones(1)
    column = numbers[1] if len(numbers) > 1 else np.ones(1)
    cells = max(a.value.shape[0], len(row), len(column))
    row, column = np.broadcast_to(row, cells), np.broadcast_to(column, cells)
    inside = (row >= 1) & (row <= rows) & (column >= 1) & (column <= columns)
    at = (
        np.arange(cells) % a.value.shape[0],
        np.where(inside, row, 1).astype(int) - 1,
        np.where(inside, column, 1).astype(int) - 1,
    )
    value = np.where(inside[:, None, None, None], a.value[at][:, None, None, :], np.nan)

    def pull(g: Array) -> tuple[Array | None, ...]:
        share = np.zeros((cells, rows, columns, g.shape[3]))
        share[np.arange(cells), at[1], at[2]] = g[:, 0, 0, :]
        return (share,)

    return Term(value, (a,), pull)


def _logical(every: bool) -> Callable[[list[Term]], Term]:
    def apply(arguments: list[Term]) -> Term:
        flat = _flattened(arguments, float(every))
        holds = (flat != 0).all(axis=1, keepdims=True) if every else (flat != 0).any(axis=1, keepdims=True)
        return Term(holds.astype(np.float64))

    return apply


def _logarithm(arguments: list[Term]) -> Term:
    base = arguments[1] if len(arguments) > 1 else constant(10.0)
    return divide(FUNCTIONS["LN"]([arguments[0]]), Term(np.log(base.value)))


FUNCTIONS: dict[str, Callable[[list[Term]], Term]] = {
    "EXP": _smooth(np.exp, lambda x, y: y),
    "LN": _smooth(np.log, lambda x, y: 1 / x),
    "LOG10": _smooth(np.log10, lambda x, y: 1 / (x * np.log(10))),
    "LOG": _logarithm,
    "SQRT": _smooth(np.sqrt, lambda x, y: 0.5 / y),
    "ABS": _smooth(np.abs, lambda x, y: np.sign(x)),
    "TANH": _smooth(np.tanh, lambda x, y: 1 - y**2),
    "SINH": _smooth(np.sinh, lambda x, y: np.cosh(x)),
    "COSH": _smooth(np.cosh, lambda x, y: np.sinh(x)),
    "SIN": _smooth(np.sin, lambda x, y: np.cos(x)),
    "COS": _smooth(np.cos, lambda x, y: -np.sin(x)),
    "TAN": _smooth(np.tan, lambda x, y: 1 + y**2),
    "ASIN": _smooth(np.arcsin, lambda x, y: 1 / np.sqrt(1 - x**2)),
    "ACOS": _smooth(np.arccos, lambda x, y: -1 / np.sqrt(1 - x**2)),
    "ATAN": _smooth(np.arctan, lambda x, y: 1 / (1 + x**2)),
    "ASINH": _smooth(np.arcsinh, lambda x, y: 1 / np.sqrt(x**2 + 1)),
    "ACOSH": _smooth(np.arccosh, lambda x, y: 1 / np.sqrt(x**2 - 1)),
    "ATANH": _smooth(np.arctanh, lambda x, y: 1 / (1 - x**2)),
    "RADIANS": _smooth(np.radians, lambda x, y: np.full_like(x, np.pi / 180)),
    "ERF": lambda a: _smooth(_erf, lambda x, y: _density(x * np.sqrt(2)) * np.sqrt(8))(a[:1]),
    "NORMSDIST": lambda a: _normal(a[:1]),
    "NORM.S.DIST": lambda a: _normal(a),
    "PHI": _smooth(_density, lambda x, y: -x * y),
    "DEGREES": _smooth(np.degrees, lambda x, y: np.full_like(x, 180 / np.pi)),
    "SIGN": _stepwise(np.sign),
    "INT": _stepwise(np.floor),
    "TRUNC": _stepwise(np.trunc),
    "MOD": lambda a: Term(np.mod(a[0].value, a[1].value)),
    "POWER": lambda a: power(a[0], a[1]),
    "POW": lambda a: power(a[0], a[1]),
    "PI": lambda a: constant(np.pi),
    "ROUND": _same,  # a rounded number is no mistake: judged as the number itself
    "N": _same,
    "VALUE": _same,
    "IFERROR": _same,
    "IFNA": _same,
    "SUM": _sum,
    "PRODUCT": _product,
    "AVERAGE": _average,
    "COUNT": _count,
    "ROWS": lambda a: constant(a[0].value.shape[1]),
    "COLUMNS": lambda a: constant(a[0].value.shape[2]),
    "SUMSQ": _sum_of_squares,
    "SUMPRODUCT": _sumproduct,
    "SUMXMY2": _sum_of_squared_differences,
    "SUMX2MY2": lambda a: subtract(_sum_of_squares(a[:1]), _sum_of_squares(a[1:])),
    "DEVSQ": lambda a: _sum([_square(subtract(one, _average(a))) for one in a]),
    "MMULT": _matrix_product,
    "TRANSPOSE": _transpose,
    "MAX": _choosing(lambda flat: flat.argmax(axis=1)[:, None], -np.inf),
    "MIN": _choosing(lambda flat: flat.argmin(axis=1)[:, None], np.inf),
    "MEDIAN": _choosing(_middle, np.nan),
    "IF": _if,
    "IFS": _ifs,
    "CHOOSE": _choose,
    "INDEX": _index,
    "AND": _logical(True),
    "OR": _logical(False),
    "NOT": lambda a: Term((a[0].value == 0).astype(np.float64)),
}

SELECTING = {"INDEX": 1, "CHOOSE": 0, "MOD": 0, "INT": 0}
"""Functions whose arguments from this one on choose a cell or count: they keep the numbers that are typed."""
DECIDING = frozenset({"IF", "IFS"})
"""Functions whose first argument decides: it keeps the numbers that are typed, where no parameter changes it."""
