"""The keys of a definition: what each is for, what it may be, and what it is where it is left out."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from xlbackprop.ground.errors import one_of
from xlbackprop.network.definition import About, Definition, DrawnLayer, Layer, Shorthand


class Key(Struct, frozen=True):
    """A key that a definition may have."""

    purpose: str
    expected: str
    """What it may be, in words."""
    default: object
    """What it is where it is left out; None where it has to be there, or where there is nothing in its place."""
    instead_of: tuple[str, ...]
    """The keys in whose place it stands."""
    heading: str
    """What it and the keys after it are about; empty for a key that goes with those before it."""


_FIELDS: dict[type[Any], tuple[msgspec.structs.FieldInfo, ...]] = {}


def fields_of(kind: type[Any]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a struct, kept: msgspec evaluates its annotations anew whenever it is asked."""
    if kind not in _FIELDS:
        _FIELDS[kind] = msgspec.structs.fields(kind)
    return _FIELDS[kind]


def definition_keys() -> dict[str, Key]:
    """The keys of a definition in the order in which one writes them, those that stand for others after these."""
    keys = _keys(Definition)
    for name, key in _keys(Shorthand).items():
        place = 1 + max(list(keys).index(other) for other in key.instead_of)
        keys = dict([*list(keys.items())[:place], (name, key), *list(keys.items())[place:]])
    return keys


def layer_keys() -> dict[str, Key]:
    """The keys of a layer, whether its weights are given or drawn."""
    return _keys(Layer, DrawnLayer)


def description(annotation: Any, found: object = None) -> str:
    """The words for what a field expects, which stand in its own annotation.

    Args:
        found: what stands there instead; of a number or a list of them it says which was meant.
    """
    if found is not None:
        annotation = _alternative(annotation, is_list=isinstance(found, list | tuple))
    about = _first(annotation, About)
    if about is not None and about.names:
        return one_of(about.names)
    meta = _first(annotation, Meta)
    if meta is None or meta.description is None:
        raise TypeError(f"no description in {annotation!r}")
    return str(meta.description)


def element(annotation: Any) -> Any:
    """The type of what a list of this type holds."""
    listed = _alternative(annotation, is_list=True)
    while get_origin(listed) is Annotated:
        listed = listed.__origin__
    return get_args(listed)[0]


def _keys(*kinds: type[Any]) -> dict[str, Key]:
    return {field.name: _key(field) for kind in kinds for field in fields_of(kind)}


def _key(field: msgspec.structs.FieldInfo) -> Key:
    about = _first(field.type, About)
    if about is None:
        raise TypeError(f"nothing is said of {field.name}")
    return Key(
        about.purpose,
        description(field.type),
        None if field.required else field.default,
        about.instead_of,
        about.heading,
    )


def _first(annotation: Any, kind: type[Any]) -> Any:
    """The first of a kind that is said of a type, or of one of the types that it may be."""
    for each in getattr(annotation, "__metadata__", ()):
        if isinstance(each, kind):
            return each
    for inner in _alternatives(annotation):
        if (found := _first(inner, kind)) is not None:
            return found
    return None


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types that a type stands for: the one that is annotated, or those of a union."""
    if get_origin(annotation) is Annotated:
        return (annotation.__origin__,)
    return get_args(annotation) if _is_union(annotation) else ()


def _alternative(annotation: Any, *, is_list: bool) -> Any:
    """The one of a union's types that is a list, or is none; the type itself where there is no choice."""
    if get_origin(annotation) is Annotated and _is_union(annotation.__origin__):
        annotation = annotation.__origin__
    fitting = [inner for inner in get_args(annotation) if _is_list(inner) == is_list] if _is_union(annotation) else []
    return _alternative(fitting[0], is_list=is_list) if fitting else annotation


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(map(_is_list, _alternatives(annotation)))
