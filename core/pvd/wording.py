"""Sentences about options that do not fit, with what to write instead."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence

from pvd.discovery import nearest

TABLE = '{use="NAME", OPTION=VALUE}'  # how a component is written with its options


def no_option(
    key: str, known: Iterable[str], where: str, name: str = "", deeper: Sequence[str] = ()
) -> str:
    """The sentence for an option that `where`, or the component of this name there, lacks;
    `deeper` are the paths of others that have it."""
    names = ", ".join(known) or "none"
    what = (f"{where} ({name})" if name else where) or "The configuration"
    near = f"; did you mean {' or '.join(map(repr, deeper))}?" if deeper else nearest(key, known)
    return f"{what} has no option {key!r}{near} It has: {names}."


def set_whole(where: str) -> str:
    """The sentence for one who gives an option to a part of a list of components."""
    return f"{where} is a list, which is set as a whole, such as -o '{where}=[\"NAME\", {TABLE}]'."


def no_toml(text: str, where: str, instead: str) -> str:
    """The sentence for a value that begins as a list or a table in TOML, and is none."""
    return f"{where} cannot be read as TOML: {text!r:.60}; write -o '{instead}'."


def no_list(text: str, where: str) -> str:
    """The sentence for text in the place of a list that is one in bad TOML, or seems to be several
    texts; nothing for one text."""
    parts = [part.strip(" '\"[]") for part in text.split(",")]
    whole = f"{where}=[{', '.join(map(_written, parts))}]"
    if text.startswith(("[", "{")):
        return no_toml(text, where, f'{where}=["NAME", {TABLE}]' if "{" in text else whole)
    if len(parts) == 1:
        return ""
    return f"{where} is a list, and {text!r:.60} is one text; write -o '{whole}'."


def _written(word: str) -> str:
    """A word of a list as TOML has it: numbers and truth as they are, all else in quotes."""
    try:
        value = tomllib.loads(f"word = {word}")["word"]
    except ValueError:
        value = word
    return word if isinstance(value, int | float) else json.dumps(word, ensure_ascii=False)


def required(missing: Sequence[str], where: str, name: str) -> str:
    """The sentence for options without a default that `where`, or the component of this name
    there, was not given."""
    whole, inside, _ = where.partition("[")
    if inside:  # of a list of components
        table = ", ".join([f'use="{name}"', *(f"{one}=VALUE" for one in missing)])
        mend = f"write {{{table}}} in its place in -o '{whole}=[...]'"
    else:
        mend = "add " + " ".join("-o " + f"{where}.{one}=VALUE".lstrip(".") for one in missing)
    what = where or "The configuration"
    return f"{what} needs a value for {', '.join(missing)}; {mend}."
