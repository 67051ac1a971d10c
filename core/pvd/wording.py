"""Sentences about options that do not fit, with what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pvd.discovery import nearest


def no_option(key: str, known: Iterable[str], where: str, name: str = "") -> str:
    """The sentence for an option that `where`, or the component of this name there, lacks."""
    names = ", ".join(known) or "none"
    what = (f"{where} ({name})" if name else where) or "The configuration"
    return f"{what} has no option {key!r}{nearest(key, known)} It has: {names}."


def set_whole(where: str) -> str:
    """The sentence for one who gives an option to a part of a list of components."""
    example = '["NAME", {use="NAME", OPTION=VALUE}]'
    return f"{where} is a list, which is set as a whole, such as -o '{where}={example}'."


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
