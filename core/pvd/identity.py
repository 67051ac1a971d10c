"""Which run a folder holds, and whether a command means that one."""

from __future__ import annotations

import platform
import sys
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

import pvd
from pvd import contents, options, provenance
from pvd.catalog import Data
from pvd.discovery import registry
from pvd.errors import BadInput, MissingFile, UsageError
from pvd.folder import read_json, read_lines, sweep, write_bytes, write_json
from pvd.judge import with_judge, without_follower
from pvd.settings import Settings, components, flat, unrecorded

FRESH = "`pvd run --fresh`"  # what starts over; a program is told of fresh=True
ANSWERS = ("exam/*.jsonl", "rounds/*/judgments.jsonl")
FIRST = ("run.toml", "data.json", "skipped.jsonl")  # what a run folder has before anything else


def _holds_run(folder: Path) -> bool:
    """Whether a run was recorded there: run.toml alone is what `pvd init` writes, and data.json may
    be anybody's."""
    path = folder / "environment.json"
    if not ((folder / "run.toml").is_file() and path.is_file()):
        return False
    try:
        found = read_json(path)
    except BadInput:  # a damaged one
        return False
    return isinstance(found, dict) and "pvd" in found


def check_ours(folder: Path) -> None:
    """UsageError unless all files in the folder may be removed: it holds a run, or nothing but the
    beginnings of one."""
    seen = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if not (seen <= {*FIRST} or _holds_run(folder)):
        raise UsageError(f"{folder} is no run folder, so --fresh will not empty it.")


def empty(folder: Path) -> None:
    """Remove a run, but not the lock that is held on it. Killed in between, the same command finds
    a run that it may remove; never are rounds of one run left under the settings of another.
    """
    remove(folder, {path.name for path in folder.iterdir()} - {".lock", *FIRST})
    for name in FIRST:
        (folder / name).unlink(missing_ok=True)


def renew(folder: Path) -> None:
    """Let a run begin anew of which nothing would be missed: what it cost stays, and whatever else
    somebody put beside it."""
    remove(folder, {"rounds", "exam", "environment.json"})
    for name in ("run.toml", "data.json"):
        (folder / name).unlink(missing_ok=True)


def remove(folder: Path, names: Collection[str]) -> None:
    """Remove files and folders of these names, each at once."""
    order = {"metrics.json": 0, "environment.json": 2}  # the last says that this is a run
    for name in sorted(names, key=lambda name: order.get(name, 1)):
        if (folder / name).exists():
            (folder / name).rename(folder / f".{name}.gone.tmp")
    sweep(folder)


def is_blank(folder: Path) -> bool:
    """Whether a run is in the folder of which nothing came yet: no answer, no round, no result."""
    return _holds_run(folder) and not (_is_learnt(folder) or _answers(folder))


def _is_learnt(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("metrics.json", "rounds/001/done"))


def _answers(folder: Path) -> list[Path]:
    return [path for pattern in ANSWERS for path in folder.glob(pattern)]


def is_other_version(settings: Settings, folder: Path, free: tuple[str, ...] = ()) -> bool:
    """Whether the run in the folder is this one but for files of -p that changed, and began so
    little that it is made again from the store. Settings that begin with one of `free` may
    differ."""
    if difference(settings, folder, ("plugins.", *free)) or changed(settings, folder, free):
        return False
    return _holds_run(folder) and _is_kept(settings, folder)


def _is_kept(settings: Settings, folder: Path) -> bool:
    """Whether no round is done, and each answer is in the store. What `pvd label` asked or a file
    brought, before any exam, is somebody's work, and stays."""
    from pvd.store import archive, default_path  # brings sqlite3, of which completion has no need

    store, asked = settings.store or default_path(), _answers(folder)
    if _is_learnt(folder) or (asked and not (folder / "exam" / "test.jsonl").exists()):
        return False
    try:
        rows = [row for path in asked for row in read_lines(path)]
    except BadInput:  # damaged; what it held cannot be compared
        return False
    # Of a composite's answer the store has the parts.
    needed = {d for row in rows for d, *_ in row.get("parts") or [[row.get("digest", "")]]}
    return not needed or (store.is_file() and needed <= archive.replies(store, needed).keys())


def after_mending(said: str, settings: Settings, folder: Path, other: str) -> str:
    """What is said about a plug-in. Where it is a file of -p, and what lies in the folder is bound
    to the version that failed, the same command would be refused: `other` is what helps."""
    for component in components(settings):
        blamed = said.startswith(f"The plug-in {component.name} of ")  # another process, other path
        bound = (folder / "run.toml").exists() and not _is_kept(settings, folder)
        if blamed and bound and registry.file_of(component):
            return said.replace("give the same command again", other)
    return said


def check_same_run(settings: Settings, folder: Path) -> str:
    """Raise BadInput if the folder holds a run with other settings. If nothing came of that run
    that would be missed, it is to be begun anew: the reason; else nothing."""
    what, mend = difference(settings, folder), "give the same again"
    if not what:
        what, mend = changed(settings, folder), "restore it"
    if what and not (is_blank(folder) or is_other_version(settings, folder)):
        raise BadInput(f"{folder} {what}; {mend}, use another folder, or start over with {FRESH}.")
    return what


def changed(settings: Settings, folder: Path, free: tuple[str, ...] = ()) -> str:
    """Which file that an option names is not what it was when the run in the folder began; nothing
    if none is, or no run is there. Options that begin with one of `free` may differ."""
    path = folder / "run.toml"
    if not path.exists():
        return ""
    here, there = settings.contents(), options.read_toml(path).get("files", {})
    for name, file in contents.paths(settings):
        now, was = here.get(name), there.get(name)
        if now != was and not name.startswith(free):
            if was is None:
                return f"has no record of what was in {file} ({name}) when it began"
            return f"was begun before {file} ({name}) {'changed' if now else 'was removed'}"
    return ""


def difference(settings: Settings, folder: Path, free: tuple[str, ...] = ()) -> str:
    """By what the run in the folder is another one; nothing if it is the same, or none is there.
    Settings that begin with one of `free` may differ."""
    path = folder / "run.toml"
    if not path.exists():
        return ""
    there = flat(with_judge(options.read_toml(path)))
    here = flat({**_table(settings), **settings.whole()})
    differ = [
        name
        for name in {**here, **there}
        if not unrecorded(name)
        and not name.startswith((*free, "files."))  # see `changed`
        and here.get(name) != there.get(name)
    ]
    if not differ:
        return ""
    # Another component has other options: say that it is another one.
    name = min(differ, key=lambda name: not name.endswith(".use"))
    was, now, label = there.get(name), here.get(name), name.removesuffix(".use")
    begun = f"without {label}" if was is None else f"with {label} {was}"
    said = "gives none" if now is None else f"says {now}"
    if name.startswith("plugins."):
        plugin = name.removeprefix("plugins.")
        return f"was begun with another version of the plug-in {plugin}"
    if isinstance(was, list) or isinstance(now, list):  # of components with all their options
        return f"was begun with other {label}"
    return f"was begun {begun}, and this command {said}"


def record(settings: Settings, folder: Path) -> None:
    """Write run.toml and environment.json."""
    write_bytes(folder / "run.toml", toml_of(settings).encode())
    write_json(
        folder / "environment.json",
        {
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "device": settings.device,
            "pvd": pvd.__version__,
            "plugins": provenance.plugins(settings),
            "packages": {name: version(name) for name in ("torch", "numpy", "pillow", "pluggy")},
        },
    )


def toml_of(settings: Settings) -> str:
    """The file that `pvd run --config` repeats the run from."""
    import tomli_w

    return tomli_w.dumps(_table(settings))


def _table(settings: Settings) -> options.Table:
    read = {"files": found} if (found := settings.contents()) else {}
    return {"plugins": settings.files(), **settings.table(), **read}


def repeated(path: Path) -> options.Table:
    """`configuration`; BadInput if a file that its options name is not what it was then."""
    table = options.read_toml(path)
    there = table.get("files", {})
    if not isinstance(there, dict):
        raise BadInput(f"[files] in {path} is no table; take it out.")
    for name, text in flat(table).items():
        now = contents.digest(text.base / text) if name in there else None
        if now not in (None, there.get(name)):
            raise BadInput(
                f"The file {text} of {name} changed since {path} was written; restore it, or take "
                "its line out of [files] there."
            )
    return configuration(path)


def written(path: Path) -> options.Table:
    """The tables of a TOML file. In a run folder of an older version a judge is named that nobody
    had set: the teacher once more."""
    table = options.read_toml(path)
    return without_follower(table) if _holds_run(path.parent) else table


def configuration(path: Path) -> options.Table:
    """The tables of a TOML file, after the plug-in files that it names were loaded."""
    table = written(path)
    table.pop("files", None)  # whoever goes on with a run compares them: see `changed`
    folder = path.parent
    blank = path.name == "run.toml" and is_blank(folder)
    for file, digest in table.pop("plugins", {}).items():
        if registry.load_file(Path(file)) != digest and not blank:
            raise BadInput(
                f"The plug-in file {file} changed since {path} was written; restore it, or name it "
                f"with -p and start over with {FRESH}."
            )
    return table


def check_same_data(data: Data, folder: Path, anew: bool = False) -> None:
    """A run that goes on must find the data that it began with; one of which nothing came may
    begin `anew` with others."""
    path = folder / "data.json"
    now = {
        "digest": data.digest(),
        "items": data.items.counts(),
        "personas": data.people.counts(),
    }
    if (folder / "run.toml").exists() and path.exists():
        if read_json(path) == now:
            return
        if not (anew and is_blank(folder)):
            raise BadInput(
                f"The catalogue or the personas changed since the run in {folder} began; restore "
                f"them, or start over with {FRESH}."
            )
        renew(folder)
    write_json(path, now)


def no_result(folder: Path) -> MissingFile:
    """The sentence about a run that has none yet, with what brings one."""
    if not (folder / "run.toml").exists():
        return MissingFile(f"There is no run in {folder}; name the folder that `pvd run` wrote.")
    so_far = f"; `pvd evaluate {folder}` examines what was learnt so far"
    done = (folder / "rounds" / "001" / "done").exists()
    return MissingFile(
        f"There is no result in {folder} yet; give the same `pvd run` again, or `pvd run --config "
        f"{folder / 'run.toml'} --out {folder}`: it goes on from there{so_far * done}."
    )
