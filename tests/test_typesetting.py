"""Names are set with their subscripts, in any notation and inside any text."""

import pytest
from hypothesis import given

from tests.networks import definitions
from xlbackprop import Definition
from xlbackprop.derivation.equations import derive
from xlbackprop.symbols.typesetting import Piece, Typesetter, parts


@pytest.mark.parametrize(
    ("name", "base", "subscript"),
    [
        ("w12", "w", "12"),
        ("a_h1", "a", "h1"),
        ("h1_2", "h", "1,2"),
        ("a_h1_2", "a", "h1,2"),
        ("net_o1", "net", "o1"),
        ("E_total", "E", "total"),
        ("E_o1", "E", "o1"),
        ("η", "η", ""),
    ],
)
def test_letter_and_subscript(name: str, base: str, subscript: str) -> None:
    assert parts(name) == (base, subscript)


def test_names_inside_a_text() -> None:
    pieces = Typesetter(["h1", "a_h1", "i1", "E_total"]).set("∂E/∂a_h1 is not i1x, nor the E_total; i1")
    below = [piece.text for piece in pieces if piece.subscript]
    assert below == ["h1", "total", "1"]
    assert "".join(piece.text for piece in pieces) == "∂E/∂ah1 is not i1x, nor the Etotal; i1"


def test_a_text_without_names_is_one_piece() -> None:
    assert Typesetter(["h1"]).set("nothing") == (Piece("nothing"),)


@given(definitions(plain=True))
def test_every_name_has_a_subscript(definition: Definition) -> None:
    derivation = derive(definition)
    typesetter = Typesetter(derivation.typeset)
    for name in derivation.quantities:
        pieces = typesetter.set(name)
        assert sum(piece.subscript for piece in pieces) == 1 + name.startswith("∂") - name.startswith("∂E/")
        assert "_" not in "".join(piece.text for piece in pieces)
