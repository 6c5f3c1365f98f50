"""Around the table: what a workbook says beside it, noted apart from the mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.cells import Cell, Sheet
from xlbackprop.checker.file.container import UnreadableError
from xlbackprop.checker.file.formula import CellFormula
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.judgement.row_values import half_unit
from xlbackprop.checker.judgement.slip_search import Budget
from xlbackprop.checker.judgement.table_judge import Verdict
from xlbackprop.checker.notes.charts import chart_notes
from xlbackprop.checker.notes.written_formulas import written_derivations
from xlbackprop.checker.report.findings import Note
from xlbackprop.ground.grid import Coordinates, ranges

_EVERYWHERE = """
ABS ACCRINT ACCRINTM ACOS ACOSH ADDRESS AGGREGATE AMORDEGRC AMORLINC AND AREAS ASC ASIN ASINH ATAN ATAN2 ATANH AVEDEV
AVERAGE AVERAGEA AVERAGEIF AVERAGEIFS BESSELI BESSELJ BESSELK BESSELY BETA.DIST BETA.INV BETADIST BETAINV BIN2DEC
BIN2HEX BIN2OCT BINOM.DIST BINOM.INV BINOMDIST CEILING CHAR CHIDIST CHIINV CHISQ.DIST CHISQ.INV CHITEST CHOOSE CLEAN
CODE COLUMN COLUMNS COMBIN COMPLEX CONCATENATE CONFIDENCE CONFIDENCE.NORM CONFIDENCE.T CONVERT CORREL COS COSH COUNT
COUNTA COUNTBLANK COUNTIF COUNTIFS COUPDAYBS COUPDAYS COUPDAYSNC COUPNCD COUPNUM COUPPCD COVAR COVARIANCE.P
COVARIANCE.S CRITBINOM CUMIPMT CUMPRINC DATE DATEDIF DATEVALUE DAVERAGE DAY DAYS360 DB DCOUNT DCOUNTA DDB DEC2BIN
DEC2HEX DEC2OCT DEGREES DELTA DEVSQ DGET DISC DMAX DMIN DOLLAR DOLLARDE DOLLARFR DPRODUCT DSTDEV DSTDEVP DSUM DURATION
DVAR DVARP EDATE EFFECT EOMONTH ERF ERFC ERROR.TYPE EVEN EXACT EXP EXPON.DIST EXPONDIST F.DIST F.INV FACT FACTDOUBLE
FALSE FDIST FIND FINDB FINV FISHER FISHERINV FIXED FLOOR FORECAST FREQUENCY FTEST FV FVSCHEDULE GAMMA.DIST GAMMA.INV
GAMMADIST GAMMAINV GAMMALN GAMMALN.PRECISE GAUSS GCD GEOMEAN GESTEP GROWTH HARMEAN HEX2BIN HEX2DEC HEX2OCT HLOOKUP
HOUR HYPERLINK HYPGEOM.DIST HYPGEOMDIST IF IFERROR IFNA IMABS IMAGINARY IMARGUMENT IMCONJUGATE IMCOS IMDIV IMEXP IMLN
IMLOG10 IMLOG2 IMPOWER IMPRODUCT IMREAL IMSIN IMSQRT IMSUB IMSUM INDEX INT INTERCEPT INTRATE IPMT IRR ISBLANK ISERR
ISERROR ISEVEN ISLOGICAL ISNA ISNONTEXT ISNUMBER ISODD ISPMT ISREF ISTEXT KURT LARGE LCM LEFT LEFTB LEN LENB LINEST LN
LOG LOG10 LOGEST LOGINV LOGNORM.DIST LOGNORM.INV LOGNORMDIST LOOKUP LOWER MATCH MAX MAXA MDETERM MDURATION MEDIAN MID
MIDB MIN MINA MINUTE MINVERSE MIRR MMULT MOD MODE MODE.SNGL MONTH MROUND MULTINOMIAL N NA NEGBINOM.DIST NEGBINOMDIST
NETWORKDAYS NETWORKDAYS.INTL NOMINAL NORM.DIST NORM.INV NORM.S.DIST NORM.S.INV NORMDIST NORMINV NORMSDIST NORMSINV NOT
NPER NPV OCT2BIN OCT2DEC OCT2HEX ODD ODDFPRICE ODDFYIELD ODDLPRICE ODDLYIELD OR PEARSON PERCENTILE PERCENTILE.EXC
PERCENTILE.INC PERCENTRANK PERCENTRANK.INC PERMUT PHI PI PMT POISSON POISSON.DIST POWER PPMT PRICE PRICEDISC PRICEMAT
PROB PRODUCT PROPER PV QUARTILE QUARTILE.EXC QUARTILE.INC QUOTIENT RADIANS RANK RANK.AVG RANK.EQ RATE RECEIVED REPLACE
REPLACEB REPT RIGHT RIGHTB ROMAN ROUND ROUNDDOWN ROUNDUP ROW ROWS RSQ SEARCH SEARCHB SECOND SERIESSUM SIGN SIN SINH
SKEW SLN SLOPE SMALL SQRT SQRTPI STANDARDIZE STDEV STDEV.P STDEV.S STDEVA STDEVP STDEVPA STEYX SUBSTITUTE SUBTOTAL SUM
SUMIF SUMIFS SUMPRODUCT SUMSQ SUMX2MY2 SUMX2PY2 SUMXMY2 SYD T T.DIST T.INV TAN TANH TBILLEQ TBILLPRICE TBILLYIELD
TDIST TEXT TIME TIMEVALUE TINV TRANSPOSE TREND TRIM TRIMMEAN TRUE TRUNC TTEST TYPE UPPER VALUE VAR VAR.P VAR.S VARA
VARP VARPA VDB VLOOKUP WEEKDAY WEEKNUM WEIBULL WEIBULL.DIST WORKDAY WORKDAY.INTL XIRR XNPV XOR YEAR YEARFRAC YIELD
YIELDDISC YIELDMAT Z.TEST ZTEST
"""
"""Functions that Excel 2010, LibreOffice, Google Sheets and Gnumeric have."""
_PORTABLE = frozenset(_EVERYWHERE.split())
_VOLATILE = frozenset(["OFFSET", "INDIRECT", "RAND", "RANDBETWEEN", "RANDARRAY", "NOW", "TODAY", "CELL", "INFO"])
_SAME = 1e-7
"""Relative; a long training enlarges the differences between two programs' last bits."""
_SAME_NEAR_ZERO = 1e-12


def look_around(book: Book, verdicts: Sequence[Verdict], recalculated: Values, budget: Budget) -> Iterator[Note]:
    """Everything worth saying that is no mistake in a table."""
    seen = set()
    for verdict in verdicts:
        sheet = verdict.table.sheet
        if sheet.name not in seen:
            seen.add(sheet.name)
            yield from _readable(sheet.name, written_derivations(book, sheet, verdict.meaning, budget))
    yield from _readable("", chart_notes(book, verdicts))
    yield from _functions(book)
    # where we know the table for certain, the other sheets measure rounding on purpose, which programs do differently
    certain = any(verdict.table.certain for verdict in verdicts)
    yield from _stale([sheet for sheet in book.sheets if sheet.name in seen or not certain], recalculated)


def _readable(sheet: str, notes: Iterator[Note]) -> Iterator[Note]:
    """The notes, as far as the drawings they are about can be read: the table is judged all the same."""
    try:
        yield from notes
    except UnreadableError as error:
        yield Note(sheet, (), "damaged_part", str(error))


def _functions(book: Book) -> Iterator[Note]:
    for sheet in (sheet for sheet in book.sheets if sheet.is_read):
        strange: dict[str, list[tuple[int, int]]] = {}
        names: dict[CellFormula | None, frozenset[str]] = {
            formula: formula.functions - _PORTABLE
            for formula in sheet.distinct_formulas
            if not formula.functions <= _PORTABLE
        }
        if names:
            for place, cell in sheet.cells.items():
                for name in names.get(cell.formula, ()):
                    strange.setdefault(name.removeprefix("_XLFN."), []).append(place)
        for name, places in sorted(strange.items()):
            cells = ranges(places)
            if name in _VOLATILE:
                yield Note(sheet.name, cells, "volatile", f"{name} gives something else at every recalculation")
            else:
                yield Note(sheet.name, cells, "function", f"not every spreadsheet program has the function {name}")


def _stale(sheets: Sequence[Sheet], recalculated: Values) -> Iterator[Note]:
    """Cells whose stored value is not what their formula gives."""
    volatile = any(formula.functions & _VOLATILE for sheet in sheets for formula in sheet.distinct_formulas)
    for sheet in sheets:
        stale, circular, errors = [], [], []
        for place, cell in _calculated(sheet, recalculated):
            value = recalculated.get((sheet.name, *place))
            if value == cell.value and isinstance(value, float):
                continue
            if value == "#CIRC!":
                circular.append(place)
            elif isinstance(value, str) and value.startswith("#"):
                errors.append(place)
            elif not volatile and _differs(cell, value):
                stale.append(place)
        if circular:
            yield Note(sheet.name, ranges(circular), "circular", "the formulas refer to themselves in a circle")
        if errors:
            yield Note(
                sheet.name, ranges(errors), "error_value", "the formulas give an error value when they are recalculated"
            )
        if stale:
            yield Note(sheet.name, ranges(stale), "stale_value", _stale_words(sheet, stale[0], recalculated))


def _calculated(sheet: Sheet, recalculated: Values) -> list[tuple[Coordinates, Cell]]:
    """The formula cells of a sheet, without those in blocks that hold what it gives."""
    found = [(place, cell) for place, cell in sheet.content.alone.items() if cell.formula is not None]
    if not sheet.content.blocks:
        return found
    for block in sheet.content.blocks:
        given, columns = recalculated.numbers(sheet, block), list(block.places)
        for index in (index for index, formula in enumerate(block.formulas) if formula is not None):
            off = np.abs(block.numbers[:, index] - given[:, index])
            others = np.flatnonzero(off > _SAME * np.abs(given[:, index]) + _SAME_NEAR_ZERO) + block.first
            found += [((row, columns[index]), sheet.cells[row, columns[index]]) for row in others.tolist()]
    inside = (place for place in recalculated.without_number(sheet.name) if place not in sheet.content.alone)
    found += [(place, sheet.cells[place]) for place in inside]
    return sorted(found, key=lambda item: item[0])


def _differs(cell: Cell, value: float | str | None) -> bool:
    if cell.number is None or cell.value == value or not isinstance(value, float):
        return False
    allowed = _SAME * abs(value) + _SAME_NEAR_ZERO
    off = abs(cell.number - value)
    return not off <= allowed and off > allowed + 2 * half_unit(cell.digits, cell.number)


def _stale_words(sheet: Sheet, place: tuple[int, int], recalculated: Values) -> str:
    stored, value = sheet.cells[place].number, recalculated[(sheet.name, *place)]
    return (
        f"the stored values are not what the formulas give: {ranges([place])[0]} holds {stored:.10g}, its formula gives"
        f" {value:.10g}; the cells were judged after recalculation"
    )
