"""What a command line comes to: the tables of settings that its options give."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pvd import options
from pvd.discovery import nearest, registry
from pvd.errors import MissingFile, UsageError


def tables_from(
    config: Path | None, recipe: str, given: dict[str, Any], folder: Path | None = None
) -> list[options.Table]:
    """Recipe, then the run in the folder, then TOML, then options; the first the weakest."""
    from pvd.identity import configuration, repeated
    from pvd.settings import recipe as read_recipe

    tables = [read_recipe(recipe)]
    if folder is not None and (folder / "run.toml").exists():
        tables.append(configuration(folder / "run.toml"))
    if config is not None:
        tables.append(repeated(config))
    over: options.Table = {}
    for kind in ("teacher", "judge", "student", "sampler", "loss"):
        if given[kind] is not None:
            over = options.merge(over, {kind: {"use": given[kind]}})
    for role in ("catalog", "personas"):
        if given[role] is not None:
            over[role] = source_table(given[role], role)
    for name in ("seed", "device", "max_cost", "max_calls"):
        if given[name] is not None:
            over[name] = given[name]
    if given["store"] is not None:
        over["store"] = str(given["store"])
    if given["observe"]:
        over["observers"] = list(given["observe"])
    flags = ("batch", "allow_unpriced", "accept_model_change")
    if on := {name: True for name in flags if given[name]}:
        over["ask"] = on
    for text in given["assignments"]:
        over = options.merge(over, options.assignment(text))
    return [*tables, over]


def as_setting(option: str) -> str:
    """How that is set with `-o` which somebody took for an option; nothing if there is no such
    setting."""
    from pvd.settings import Settings, recipe

    name, known = option.lstrip("-").replace("-", "_"), options.option_types(Settings)
    for key in (name, f"{name}s"):
        if options.of_components(known.get(key)):
            there = ", ".join(f'"{one}"' for one in (*recipe("default").get(key, ()), "NAME"))
            return f"-o '{key}=[{there}]'"
    paths = [name] if name in known else options.deeper(known, recipe("default"), name)
    inside = ".NAME" * is_dataclass(known.get(name))  # a section
    return " or ".join(f"-o {path}{inside}=VALUE" for path in paths)


def source_table(text: str, role: str) -> options.Table:
    """`[source:]path` as a table; without a source, the path says which one."""
    if not text:
        raise UsageError(f"--{role} is empty; name a table, a folder or a source.")
    name, colon, rest = text.partition(":")
    path = Path(text)
    if not options.is_there(text):
        sources = registry.names("source")
        if colon and re.fullmatch(r"[a-z][a-z0-9-]+", name):
            if not rest:
                raise UsageError(f"--{role} {text} names no path; write {name}:PATH.")
            return {"use": name, "path": rest}
        if text in sources:
            return {"use": text}
        near, its = nearest(text, sources), path.suffix.removeprefix(".")
        if path.suffix or len(path.parts) > 1 or near == ".":  # a path, and no name
            near = f"; check the path{f', and write {its}:PATH' * (its in sources)}."
        raise MissingFile(f"There is no file or folder {text} for --{role}{near}")
    if path.is_dir():
        return {"use": "folder", "path": text}
    lines = role == "personas" and path.suffix.lower() in (".txt", ".text", "")
    return {"use": "lines" if lines else "table", "path": text}
