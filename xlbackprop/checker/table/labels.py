"""What people write for a quantity, in any of the ways seen in real sheets, and the walkthrough's own name for it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from xlbackprop.network import ITERATION, LEARNING_RATE, derivative

LIKE_PARTIAL = "∂𝜕δәӘƏəðđ"
"""What people write for the sign of a partial derivative."""

_PARTIAL = str.maketrans(dict.fromkeys(LIKE_PARTIAL, "d"))
_ETA = set("ηͷƞɳղῃ𝜂𝛈𝞰")
_LEARNING_RATE = re.compile(
    r"(the)?(learning|learn|training)rate(eta|lr|alpha|n|η)?|lr|eta|alpha|rate|l\.r\.?|stepsize|α"
)
_ITERATION = re.compile(r"iterations?|iter|epochs?|steps?|no|sno|s\.no\.?|srno|sr\.no\.?|nr|#|k|round|pass")
_LEARNING_RATE_LETTERS = {"n", "h", "r"}
"""Letters that look like η; they mean it only beside a number that the updates refer to."""

_LONGEST_LABEL = 200
"""Characters, as written; longer texts are not looked at, since that would take long."""

_PART = re.compile(r"d\(?e(?:rror)?_?o?_?\d\)?/")
_DECIMAL = re.compile(r"(?<![0-9])0[.,][0-9]")

_NUMBER = r"(\d(?:_\d)?)"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (rf"(?:i|x|in|inp|input|inputs)_?{_NUMBER}", "i{}"),
        (rf"(?:t|target|targets|tgt|desired|d|expected|actual|y|y_?true)_?o?{_NUMBER}", "t{}"),
        (r"(?:w|weight|weights|wt)_?(\d{1,2})", "w{}"),
        (r"(?:b|bias)_?(\d{1,2})", "b{}"),
        (r"(?:b|bias)_?h_?(\d?)", "b_h{}"),
        (r"(?:b|bias)_?o_?(\d?)", "b_o{}"),
        (rf"(?:a|out|act|σ|sig|sigmoid|s|act_?fn|activation|activated|f|logistic)_?h_?{_NUMBER}", "a_h{}"),
        (rf"(?:h|hidden)_?{_NUMBER}_?(?:out|act|activated|output)|(?:h|hidden)_?(?:out|act)_?{_NUMBER}", "a_h{}"),
        (rf"(?:a|out|act|σ|sig|sigmoid|s|act_?fn|activation|activated|f|logistic)_?[o0]_?{_NUMBER}", "a_o{}"),
        (rf"[o0]_?{_NUMBER}_?(?:out|act|activated|output)|[o0]_?(?:out|act)_?{_NUMBER}", "a_o{}"),
        (rf"(?:out|output|outputs|ŷ|y_?hat|y_?pred|pred|predicted)_?{_NUMBER}", "a_o{}"),
        (
            rf"(?:net|z|in|sum|neth|s_?in)_?h_?{_NUMBER}|h_?(?:net|in|sum)_?{_NUMBER}|h_?{_NUMBER}_?(?:in|net|sum)",
            "h{}",
        ),
        (rf"(?:net|z|in|sum|neto)_?[o0]_?{_NUMBER}|[o0]_?(?:net|in|sum)_?{_NUMBER}|[o0]_?{_NUMBER}_?(?:in|net)", "o{}"),
        (rf"(?:h|hidden|hid)_?{_NUMBER}", "h{}"),
        (rf"(?:o|0)_?{_NUMBER}", "o{}"),
        (rf"(?:e|err|error|loss|l|cost|c|j)_?[o0]?_?{_NUMBER}", "E{}"),
        (
            r"(?:e|l|err|error|loss|cost|total_?error|total_?e|total_?loss|j|mse)(?:_?(?:t|to|tot|totl|total|sum))?",
            "E_total",
        ),
        (r"(?:total|tot)_?(?:e|err|error|loss|cost)|sum_?(?:of_?)?(?:error|errors|e)|e1\+e2", "E_total"),
    )
)
_TOTAL = {
    "e",
    "et",
    "etot",
    "etotal",
    "err",
    "error",
    "loss",
    "l",
    "c",
    "cost",
    "j",
    "totale",
    "totalerror",
    "eto",
    "etota",
}


@lru_cache(maxsize=4096)
def quantity(text: str) -> str | None:
    """The name of the quantity that a label means; None when it means none (or too much).

    Derivatives come as `derivative` writes them; ∂E1/∂w5 is ∂E/∂w5 here, since E1 alone depends on w5.
    """
    plain = _plain(text) if len(text) <= _LONGEST_LABEL else ""
    if not plain or len(plain) > 40 or re.search(r"=\s*[-\d.]", text):
        return None
    if _DECIMAL.search(text):
        return None  # E_0.5 is the loss of another learning rate
    if is_learning_rate(text) and plain not in _LEARNING_RATE_LETTERS:
        return LEARNING_RATE
    if _ITERATION.fullmatch(plain):
        return ITERATION
    if re.match(r"\s*[Δ∆]", text):
        return None  # a step, Δw1, may be the gradient or its product with η
    found = _base(plain)
    return found if found is not None else _derivative(_partial(text))


def is_of_one_output(text: str) -> bool:
    """Whether a label is the derivative of the loss of one output: of ∂E/∂w1, ∂E1/∂w1 is a part."""
    return _PART.match(_partial(text[:_LONGEST_LABEL])) is not None


def is_learning_rate(text: str) -> bool:
    """Whether a text beside a number says that it is the learning rate, look-alike letters included."""
    first = re.split(r"[=:(]", text[:_LONGEST_LABEL].strip())[0].strip()
    if first and all(letter in _ETA for letter in first):
        return True
    plain = _plain(first).replace("_", "")
    return plain in _LEARNING_RATE_LETTERS or bool(_LEARNING_RATE.fullmatch(plain))


def plain_name(name: str) -> str | None:
    """The quantity that a name inside a written formula means: `a_01`, `out_h1`, `W5`; no derivative."""
    return _base(_plain(name))


def _base(plain: str) -> str | None:
    for pattern, name in _PATTERNS:
        match = pattern.fullmatch(plain)
        if match:
            number = next((group for group in match.groups() if group), "")
            if number.startswith("0"):
                return None
            return name.format(number)
    return None


def _derivative(plain: str) -> str | None:
    """A label with a derivative in it, from its letters alone: `de/dw1`, `edw3`, `detotal/dah1`, `dah1/dh1`."""
    text = re.sub(r"(?<!\d)_|_(?!\d)", "", plain)
    text = re.sub(r"^(?:grad(?:ient)?(?:of)?)", "de/d", text)
    numerator, slash, denominator = text.partition("/")
    if not slash:
        # the stroke is missing: E∂w1, ∂E∂w1, or the gradient is only called ∂w1
        match = re.fullmatch(r"d?(e(?:t|to|tot|total|rror)?|loss|l|c|j|)(?:\(|\s)*d\(?(w\d{1,2}|b\d{1,2})\)?", text)
        if match is None:
            return None
        numerator, denominator = "e", match[2]
    numerator = numerator.strip("()")
    denominator = denominator.strip("()")
    if denominator.startswith("d"):
        denominator = denominator[1:]
    elif numerator.strip("d") not in _TOTAL:
        return None
    below = _base(denominator)
    if below is None:
        return None
    above = numerator[1:] if numerator.startswith("d") else numerator
    above = above.strip("()")
    if above in _TOTAL:
        return derivative("E_total", below)
    if re.fullmatch(r"\(?e1\+e2\)?", above):
        return derivative("E_total", below)
    of = _base(above)
    if of is None:
        return None
    if re.fullmatch(r"E\d", of) and re.fullmatch(r"w\d+|b\d+|o\d|a_o\d", below):
        return derivative("E_total", below)
    return derivative(of, below)


def _plain(text: str) -> str:
    """A label without case, spaces, subscripts, brackets and the equals sign at its end."""
    kept = unicodedata.normalize("NFKC", text.replace("½", "1/2")).strip().lower()
    kept = re.sub(r"\s*[=:]\s*$", "", kept)
    kept = re.sub(r"[\s{}\[\]$\\]+", "", kept)
    kept = re.sub(r"\((\w+)\)$", r"_\1", kept)
    return re.sub(r"[-.'’`]+(?=[ho]?\d)", "_", kept)


def _partial(text: str) -> str:
    kept = unicodedata.normalize("NFKC", text.translate(_PARTIAL)).strip().lower().translate(_PARTIAL)
    kept = re.sub(r"\s*[=:]\s*$", "", kept)
    kept = re.sub(r"[\s{}\[\]$\\*·]+", "", kept)
    return re.sub(r"^[(]+|[)]+$", "", kept).replace("÷", "/").replace("∕", "/").replace("⁄", "/")
