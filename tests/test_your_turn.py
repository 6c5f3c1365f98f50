"""The sheet Your turn: answers are judged by the reader's own earlier ones, and no answer breaks anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import judges
from tests.books import build, opened
from tests.cases import thorough_but
from tests.judges import Cells, Changes
from tests.networks import deep
from xlbackprop import Definition, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.network.templates import names as template_names
from xlbackprop.symbols.expression import Symbol
from xlbackprop.workbook.sheets.your_turn import (
    DIGITS_CELL,
    ITERATION_CELL,
    MOST_QUESTIONS,
    PROGRESS_CELL,
    RIGHT,
    WRONG,
    exercise_lines,
)

TITLE = "Your turn"

Judge = Callable[[Path, Changes], Cells]
ONLY = ["your-turn"]
CLASSIC = load("classic", iterations=4)
DEFINITIONS = (CLASSIC, load("mazur", iterations=4), deep())
QUICK_JUDGES = (judges.ironcalc_judge, judges.formualizer_judge)
ABSURD = ("text", "0,0275", " ", "=1", 1e300, -1e300, 1e14, -1e14, True, False, 0.0, 710.0)
both_judges = pytest.mark.parametrize("judge", QUICK_JUDGES)


def rows(path: Path) -> dict[str, int]:
    """The row of every answer, by symbol."""
    return _rows(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _rows(path: Path, _: int) -> dict[str, int]:
    sheet = opened(path, TITLE)[TITLE]
    return {
        str(symbol.value): symbol.row
        for symbol, answer in zip(sheet["A"], sheet["C"], strict=True)
        if symbol.row > 5 and not answer.protection.locked
    }


def right_answers(definition: Definition, path: Path, iteration: int = 0) -> dict[str, float]:
    """Every right answer by symbol, from the engine."""
    trace = train(definition)
    answers = {}
    for symbol in rows(path):
        kind, _, name = symbol.rpartition(" ")
        name = next(known for known in trace.quantities if known.replace("_", "") == name.replace(",", ""))
        answers[symbol] = float(trace[name][iteration + (kind == "new")])
    return answers


def typed(path: Path, answers: Mapping[str, float | str | bool]) -> Changes:
    """Answers as changes of the sheet's cells."""
    where = rows(path)
    return {(TITLE, f"C{where[symbol]}"): answer for symbol, answer in answers.items()}


def marks(path: Path, cells: Cells) -> dict[str, str]:
    """The mark of every line, empty where nothing was typed."""
    return {symbol: str(cells[TITLE, f"D{row}"] or "") for symbol, row in rows(path).items()}


@both_judges
@pytest.mark.parametrize("columns", thorough_but(["compact", "full"], "compact"))
@pytest.mark.parametrize("definition", thorough_but(DEFINITIONS, *DEFINITIONS[:2]), ids=lambda each: each.title)
def test_right_answers(definition: Definition, columns: str, judge: Judge, tmp_path: Path) -> None:
    path = build(definition, tmp_path / "book.xlsx", columns=columns, sheets=ONLY)
    answers = {symbol: round(value, 6) for symbol, value in right_answers(definition, path, 2).items()}
    cells = judge(path, {**typed(path, answers), (TITLE, ITERATION_CELL): 2})
    assert set(marks(path, cells).values()) == {RIGHT}
    assert cells[TITLE, PROGRESS_CELL] == f"{len(answers)} of {len(answers)} answered, {len(answers)} right: all done!"
    assert not any(cells[TITLE, f"E{row}"] for row in rows(path).values())


def test_what_is_asked_of_the_class_network(tmp_path: Path) -> None:
    asked = list(rows(build(CLASSIC, tmp_path / "book.xlsx", sheets=ONLY)))
    forward = ["h1", "h2", "ah1", "ah2", "o1", "o2", "ao1", "ao2", "E1", "E2", "Etotal"]
    backward = [f"∂E/∂w{index}" for index in (5, 6, 7, 8)] + ["∂E/∂ah1", "∂E/∂ah2"]
    backward += [f"∂E/∂w{index}" for index in (1, 2, 3, 4)]
    assert asked == forward + backward + [f"new w{index}" for index in range(1, 9)]


@both_judges
def test_nothing_typed_is_nothing_wrong(judge: Judge, tmp_path: Path) -> None:
    path = build(CLASSIC, tmp_path / "book.xlsx", sheets=ONLY)
    cells = judge(path, {})
    assert set(marks(path, cells).values()) == {""}
    assert cells[TITLE, PROGRESS_CELL] == "0 of 29 answered, 0 right"


@both_judges
def test_a_wrong_answer_does_not_make_those_that_follow_from_it_wrong(judge: Judge, tmp_path: Path) -> None:
    path = build(CLASSIC, tmp_path / "book.xlsx", sheets=ONLY)
    answers = right_answers(CLASSIC, path)
    answers["h1"] = 0.7
    answers["ah1"] = 1 / (1 + math.exp(-0.7))
    answers["o1"] = 0.4 * answers["ah1"] + 0.45 * answers["ah2"]
    answers["ao1"] = 0.9  # not what follows from o1
    answers["E1"] = 0.5 * (0.5 - 0.9) ** 2
    answers["∂E/∂w5"] = (0.9 - 0.5) * 0.9 * (1 - 0.9) * answers["ah1"]
    answers["new w5"] = 0.4 - answers["∂E/∂w5"]
    cells = judge(path, typed(path, {symbol: answers[symbol] for symbol in _SEVEN}))
    assert marks(path, cells) | {"h1": WRONG, "ao1": WRONG} == marks(path, cells)
    assert [marks(path, cells)[symbol] for symbol in ("ah1", "o1", "E1", "∂E/∂w5", "new w5")] == [RIGHT] * 5
    assert cells[TITLE, PROGRESS_CELL] == "7 of 29 answered, 5 right"
    row = rows(path)
    hint = "Too large: does every number meet its own weight, and is none left out? h1 = w1 · i1 + w2 · i2"
    assert cells[TITLE, f"E{row['h1']}"] == hint
    assert cells[TITLE, f"E{row['ah1']}"] == "Right for the numbers that you typed above."
    # what was not answered follows from what was
    assert cells[TITLE, f"G{row['o2']}"] == pytest.approx(0.5 * answers["ah1"] + 0.55 * answers["ah2"])


_SEVEN = ("h1", "ah1", "o1", "ao1", "E1", "∂E/∂w5", "new w5")


@both_judges
@pytest.mark.parametrize(
    ("digits", "symbol", "answer", "mark"),
    [
        (3, "h1", 0.0275, RIGHT),
        (3, "h1", 0.02754, RIGHT),
        (3, "h1", 0.02756, WRONG),
        (3, "h1", -0.0275, WRONG),
        (3, "h1", 0, WRONG),
        (2, "h1", 0.028, RIGHT),
        (4, "h1", 0.02754, WRONG),
        ("x", "h1", 0.02754, RIGHT),
        (3, "∂E/∂w1", 0.000317, RIGHT),
        (3, "∂E/∂w1", 0.00032, WRONG),
        (3, "∂E/∂w1", 0.00022, WRONG),
        (3, "∂E/∂w1", 0, WRONG),
        (2, "∂E/∂w1", 0.00032, RIGHT),
        (3, "∂E/∂w3", 0.000352, RIGHT),
        (3, "∂E/∂w3", 0.0003518, RIGHT),
        (3, "∂E/∂w3", 0.00035187, WRONG),
        (3, "new w1", 0.149683, RIGHT),
        (3, "new w1", 0.14968, RIGHT),
        (3, "new w1", 0.15, WRONG),
        (3, "new w1", 0.1497, WRONG),
        (3, "new w5", 0.387, RIGHT),
        (3, "new w5", 0.4, WRONG),
    ],
)
def test_the_digits_that_have_to_be_right(
    digits: float | str, symbol: str, answer: float, mark: str, judge: Judge, class_book: Path
) -> None:
    cells = judge(class_book, {**typed(class_book, {symbol: answer}), (TITLE, DIGITS_CELL): digits})
    assert marks(class_book, cells)[symbol] == mark
    assert not judges.errors(cells)


@both_judges
@pytest.mark.parametrize(
    ("symbol", "answer", "hint"),
    [
        ("∂E/∂w3", 0.00035186866513539, "Does a_h1 stand where a_h2 belongs?"),
        ("∂E/∂w5", -0.0128808, "Only the sign is wrong. The slope of the loss is output minus target."),
        ("∂E/∂w5", 0.0327321, "Is the factor (1 − a_o1) left out?"),
        ("∂E/∂ah1", 0.0245685, "Already updated: w5, w7? Every gradient belongs to the old weights."),
        ("new w1", 0.150317, "Plus instead of minus? w1 goes against the gradient, downhill."),
        ("new w1", 0.15, "Is the step left out, or rounded away? This is w1 itself."),
        ("new w1", 0.1497, "The step is small: give more decimals."),
        ("h1", 0.0281, "Nearly: is a number on the way rounded too much? h1 = w1 · i1 + w2 · i2"),
        ("h1", 0.5, "Too large: does every number meet its own weight, and is none left out? h1 = w1 · i1 + w2 · i2"),
        ("h1", -0.6, "The sign is wrong: h1 = w1 · i1 + w2 · i2"),
        ("h1", 46024, "Was that a fraction? It became a date: type it as in =1/3."),
        ("h1", "1/3", "A fraction has to be calculated: type it with = before it, as in =1/3."),
        ("h1", "0,0275", "Another decimal mark: here a number looks like 0.5."),
        ("h1", "one", "Type a number, such as 0.5."),
    ],
)
def test_a_hint_names_what_is_wrong(
    symbol: str, answer: float | str, hint: str, judge: Judge, class_book: Path
) -> None:
    cells = judge(class_book, typed(class_book, {symbol: answer}))
    assert marks(class_book, cells)[symbol] == WRONG
    assert cells[TITLE, f"E{rows(class_book)[symbol]}"] == hint


@both_judges
def test_near_zero_an_answer_is_as_exact_as_the_others_of_its_kind(judge: Judge, tmp_path: Path) -> None:
    definition = replace(CLASSIC, inputs=(0.05, 0.0))
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY)
    right = right_answers(definition, path)
    assert (right["∂E/∂w2"], right["∂E/∂w4"]) == (0, 0)
    largest = max(abs(right[f"∂E/∂w{index}"]) for index in (1, 3))
    for answer, mark in ((0.0, RIGHT), (0.0004 * largest, RIGHT), (0.0006 * largest, WRONG), (0.001, WRONG)):
        assert marks(path, judge(path, typed(path, {"∂E/∂w2": answer})))["∂E/∂w2"] == mark


@both_judges
@pytest.mark.parametrize(
    ("activations", "wrong"),
    [((1e-4, -0.8e-4), 2e-4), ((1e-4, -0.8e-4), 0.0), ((1e6, -888888.0), 0.7), ((-0.9, 0.8001), -0.0003)],
    ids=["tiny", "nothing for tiny", "huge", "cancelling"],
)
def test_after_absurd_answers_near_zero_is_what_is_so_beside_what_follows_from_them(
    activations: tuple[float, float], wrong: float, judge: Judge, class_book: Path
) -> None:
    first, second = activations
    for symbol, weights in (("o1", (0.4, 0.45)), ("o2", (0.5, 0.55))):
        right = float(f"{weights[0] * first + weights[1] * second:.2e}")
        for answer, mark in ((right, RIGHT), (wrong, WRONG)):
            answers = {"ah1": first, "ah2": second, symbol: answer}
            cells = judge(class_book, typed(class_book, answers))
            assert marks(class_book, cells)[symbol] == mark, (symbol, answer)


@both_judges
def test_where_all_of_a_kind_are_zero_only_zero_is_right(judge: Judge, tmp_path: Path) -> None:
    definition = replace(CLASSIC, inputs=(0.0, 0.0))
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY)
    for symbol in ("h1", "∂E/∂w1"):
        for answer, mark in ((0.0, RIGHT), (1e-9, WRONG), (-0.1, WRONG)):
            assert marks(path, judge(path, typed(path, {symbol: answer})))[symbol] == mark


@pytest.mark.thorough
@both_judges
@pytest.mark.parametrize("name", ["classic", "classic-01-99", "mazur", "xor", "iris-mini"])
def test_what_is_right_rounded_to_the_digits_asked_is_never_called_a_slip(
    name: str, judge: Judge, tmp_path: Path
) -> None:
    definition = load(name, iterations=4)
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY)
    right = right_answers(definition, path)
    for digits, more in product((2, 3, 4, 5), (0, 1, 2)):
        answers = {
            symbol: float(f"{value:.{digits + more - 1}e}")
            for symbol, value in right.items()
            if not symbol.startswith("new")
        }
        cells = judge(path, {**typed(path, answers), (TITLE, DIGITS_CELL): digits, (TITLE, ITERATION_CELL): 0})
        wrong = {symbol for symbol in answers if marks(path, cells)[symbol] != RIGHT}
        assert not wrong, (digits, more)


@pytest.mark.parametrize("name", template_names())
def test_no_more_is_asked_than_a_person_would_calculate(name: str) -> None:
    definition = load(name)
    lines = exercise_lines(derive(definition))
    asked = [question for question in lines if question.is_asked]
    assert 5 <= len(asked) <= MOST_QUESTIONS
    assert not any(isinstance(question.expression, Symbol) for question in asked)
    assert {"E_mean", "E_epoch"}.isdisjoint(question.name for question in asked)


@pytest.mark.thorough
@both_judges
@pytest.mark.parametrize("answer", ABSURD)
def test_the_same_absurd_answer_everywhere(answer: float | str | bool, judge: Judge, deep_book: Path) -> None:
    everywhere: dict[str, float | str | bool] = dict.fromkeys(rows(deep_book), answer)
    cells = judge(deep_book, typed(deep_book, everywhere))
    assert not judges.errors(cells)
    if isinstance(answer, str) or abs(answer) > 1e10:
        right = {symbol for symbol, mark in marks(deep_book, cells).items() if mark != WRONG}
        assert all(symbol.startswith("∂E/∂b") or symbol == "Etotal" for symbol in right), "they repeat what was typed"
    if isinstance(answer, str):
        hint = "Another decimal mark: here a number looks like 0.5." if "," in answer else "Type a number, such as 0.5."
        assert cells[TITLE, f"E{rows(deep_book)['h1,1']}"] == hint


def beside_a_border(value: float) -> float:
    """A number that is not exactly one where another verdict begins: some programs round before they compare."""
    return value * (1 + 1e-9)


@pytest.mark.thorough
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_mixture_of_answers(deep_book: Path, data: st.DataObject) -> None:
    symbols = list(rows(deep_book))
    absurd: st.SearchStrategy[float | str | bool] = st.sampled_from(ABSURD)
    number: st.SearchStrategy[float | str | bool] = st.floats(-1e6, 1e6).map(beside_a_border)
    answers = data.draw(st.dictionaries(st.sampled_from(symbols), absurd | number))
    one, other = (judge(deep_book, typed(deep_book, answers)) for judge in QUICK_JUDGES)
    assert not judges.errors(one)
    assert {symbol for symbol, mark in marks(deep_book, one).items() if mark} == answers.keys()
    for cell, value in one.items():
        if isinstance(value, float) and abs(value) > 1e250:  # beside the largest number one program overflows first
            continue
        assert other[cell] == (pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value), cell


@pytest.mark.slow
@pytest.mark.parametrize("program", [judges.libreoffice, judges.gnumeric])
def test_programs(program, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = build(CLASSIC, tmp_path / "book.xlsx", sheets=ONLY)
    right = right_answers(CLASSIC, path)
    sets: list[Mapping[str, float | str | bool]] = [right, {"h1": 0.7, "ah1": 1 / (1 + math.exp(-0.7))}]
    for answer in ABSURD:
        everywhere: dict[str, float | str | bool] = dict.fromkeys(right, answer)
        sets.append(everywhere)
    files = [judges.changed(path, typed(path, answers), f"set-{index}") for index, answers in enumerate(sets)]
    (tmp_path / "judged").mkdir()
    formulas = judges.calculated(path)
    judged = [{cell: cells.get(cell) for cell in formulas} for cells in program(files, tmp_path / "judged")]
    assert set(marks(path, judged[0]).values()) == {RIGHT}
    assert {symbol: mark for symbol, mark in marks(path, judged[1]).items() if mark} == {"h1": WRONG, "ah1": RIGHT}
    for cells in judged:
        assert not judges.errors(cells)


def test_only_answers_and_choices_can_be_typed(tmp_path: Path) -> None:
    sheet = opened(build(CLASSIC, tmp_path / "book.xlsx", sheets=ONLY), TITLE)[TITLE]
    unlocked = {cell.coordinate for line in sheet.iter_rows() for cell in line if not cell.protection.locked}
    answers = {f"C{row}" for row in rows(tmp_path / "book.xlsx").values()}
    assert sheet.protection.sheet
    assert sheet.protection.password is None
    assert unlocked == answers | {ITERATION_CELL, DIGITS_CELL}


@pytest.fixture(scope="module")
def class_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(CLASSIC, tmp_path_factory.mktemp("class") / "book.xlsx", sheets=ONLY)


@pytest.fixture(scope="module")
def deep_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(deep(), tmp_path_factory.mktemp("deep") / "book.xlsx", sheets=ONLY)


@pytest.mark.thorough
@pytest.mark.parametrize(("iteration", "moves"), [(0, False), (2, True)])
def test_new_weights_are_asked_only_where_they_move(iteration: int, moves: bool, tmp_path: Path) -> None:
    path = build(load("iris-mini"), tmp_path / "book.xlsx", sheets=ONLY)  # three samples a batch
    row = rows(path)["new w1"]
    changes = {(TITLE, ITERATION_CELL): iteration, (TITLE, f"C{row}"): 12.5}
    cells = judges.ironcalc_judge(path, changes)
    assert cells.get((TITLE, f"D{row}"), "") == (WRONG if moves else "")
    assert ("Not asked" in str(cells[TITLE, f"E{row}"])) != moves
    told = str(cells[TITLE, PROGRESS_CELL])
    asked = sum(question.is_asked for question in exercise_lines(derive(load("iris-mini"))))
    updates = sum(
        question.is_asked and question.name.startswith("new ") for question in exercise_lines(derive(load("iris-mini")))
    )
    assert told.startswith(f"{int(moves)} of {asked - (0 if moves else updates)} answered")
    book = build(load("iris-mini"), tmp_path / "stored.xlsx", sheets=ONLY, iteration=iteration)
    stored = opened(book, TITLE, data_only=True)[TITLE]
    assert ("Not asked" in str(stored[f"E{row}"].value)) != moves
    number = told.partition(" of ")[2].partition(" ")[0]
    assert stored[PROGRESS_CELL].value == f"0 of {number} answered, 0 right"
