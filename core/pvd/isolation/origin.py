"""Where plug-ins come from, and how a sentence names one that is to blame."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from traceback import walk_stack, walk_tb
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pvd.errors import MemoryFull, MissingPrerequisite, PluginError, PvdError
from pvd.prose import with_article

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution

TRACEBACK = "PVD_TRACEBACK"  # set to anything, the command line shows where an error came from
OURS = "pvd-distill"
FULL = re.compile("out of memory|not enough memory|allocate memory|ALLOC_FAILED")
TRAINING = "pvd.training."  # modules that embed as many pictures at once as `train.chunk` says
MOST = 600  # letters of what a stranger's exception says


@dataclass(frozen=True)
class Origin:
    """A plug-in as sentences name it."""

    name: str  # kind.name; nothing for all that a file of -p brings
    place: str  # "acme 1.0", or a file of -p
    module: str  # that brings it

    def __str__(self) -> str:
        if self.name:
            return f"The plug-in {self.name} of {self.place}"
        return f"The plug-in file {self.place}"


_known: WeakKeyDictionary[type, Origin] = WeakKeyDictionary()


def remember(cls: type, origin: Origin) -> None:
    """This class was registered by that plug-in."""
    _known[cls] = origin


def origin_of(component: object) -> Origin:
    """Of a component or its class; one that was never registered is named after its class."""
    cls = component if isinstance(component, type) else type(component)
    return _known.get(cls) or Origin(cls.__qualname__, cls.__module__, cls.__module__)


def maker(function: object) -> str:
    """Whose function makes a picture, as sentences name it: the source that was registered by its
    module, or by its package alone; `its source` if nobody knows."""
    while isinstance(function, partial):
        function = function.func
    module = str(getattr(function, "__module__", ""))
    sources = [known for known in _known.values() if known.name.startswith("source.")]
    for depth in (None, 1):  # the whole module, then its package
        part = module.split(".")[:depth]
        here = {str(one): one for one in sources if one.module.split(".")[:depth] == part}
        if len(here) == 1:
            return next(iter(here)).replace("The", "the", 1)
    return "its source"


def checked_by(component: object) -> str:
    """The command that checks the plug-in of a stranger; nothing for ours, or one of a program."""
    known = _known.get(type(component))
    if known is None or is_ours(known.place):
        return ""
    file = f"-p {known.place} " if known.module.startswith("pvd_file_") else ""
    return f"pvd plugins check {file}{known.name}"


def place_known(component: object) -> str:
    """The distribution or file that registered its class; nothing for a class of a program."""
    known = _known.get(type(component))
    return known.place if known else ""


def failed(origin: Origin, where: str, error: BaseException) -> PvdError:
    """What to raise, from `error`, which the plug-in raised in a method or another place."""
    if missing := missing_package(origin, error):
        return missing
    if memory_is_full(error):
        return no_room(f"{origin} ran out of memory in {where}", error)
    return PluginError(
        f"{origin} failed in {where}: {error_line(error)}; mend or update it, then give the same "
        f"command again ({TRACEBACK}=1 shows where it failed)."
    )


def was_pressed(stop: BaseException | None) -> bool:
    """Whether a signal raised this KeyboardInterrupt, as far as one can tell: a handler in Python,
    such as the command's, is where its traceback ends; Python's own leaves no trace."""
    handler = getattr(signal.getsignal(signal.SIGINT), "__code__", None)
    while stop is not None:
        if not handler or any(frame.f_code is handler for frame, _ in walk_tb(stop.__traceback__)):
            return True
        stop = stop.__context__  # a plug-in may tidy up, and raise another one
    return False


def memory_is_full(error: BaseException) -> bool:
    """Whether it tells of a full memory: torch and CUDA say so only in words."""
    in_words = isinstance(error, RuntimeError) and FULL.search(error_line(error))
    return isinstance(error, MemoryError) or bool(in_words)


def no_room(what: str, error: BaseException) -> MemoryFull:
    """What to raise about a full memory, which is nobody's mistake, and what helps there."""
    amount = re.search(r"allocate ([\d.]+ (?:bytes|[KMGTP]i?B))", error_line(error))
    asked = f" when it asked for {amount[1]}" if amount else ""
    helps = ["free some"]
    if any(module.startswith(TRAINING) for module in _at_work(error)):
        helps.append("embed fewer pictures at once with -o train.chunk=16")
    if "CUDA" in error_line(error):
        helps.append("choose another device, such as cpu")
    return MemoryFull(f"{what}{asked}; {', or '.join(helps)}, then give the same command again.")


def _at_work(error: BaseException) -> Iterator[str]:
    """The modules whose functions were running: where it was raised, and who called that."""
    for frame, _ in walk_tb(error.__traceback__):
        yield frame.f_globals.get("__name__", "")
    for frame, _ in walk_stack(None):
        yield frame.f_globals.get("__name__", "")


def broken(component: object, what: str, must: str) -> PluginError:
    """What to raise about something that a plug-in returned."""
    error = PluginError(
        f"{origin_of(component)} {what}; {must}. Mend or update it, then give the same command "
        "again."
    )
    error.fault = f"{what}; {must}"
    return error


def missing_package(origin: Origin, error: BaseException) -> MissingPrerequisite | None:
    """The error to raise if a plug-in failed for want of somebody else's package or library."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or origin.module).partition(".")[0]
        if origin.module.startswith("pvd_file_") and _is_beside(Path(origin.place), package):
            return MissingPrerequisite(
                f"{origin} needs {package!r}, which lies beside it, but a file of -p stands alone; "
                "put both into one file, or make a package (pvd plugins new)."
            )
        if package not in (origin.module.partition(".")[0], "pvd"):
            return MissingPrerequisite(
                f"{origin} needs the Python package {package!r}, which is not installed; install "
                "it."
            )
    elif isinstance(error, ImportError):
        shared = re.match(r"(\S+): cannot open shared object file", str(error))
        if shared:
            return MissingPrerequisite(
                f"{origin} needs the library {shared[1]}, which is not installed; install it."
            )
    return None


def _is_beside(file: Path, module: str) -> bool:
    return (file.parent / module).is_dir() or (file.parent / f"{module}.py").is_file()


def error_line(error: BaseException) -> str:
    """The exception in one short line, without what a terminal would take for commands; with its
    class unless it is a sentence of ours."""
    kind = "" if isinstance(error, PvdError) else type(error).__name__
    try:
        said = " ".join(str(error).split()).rstrip(".")
    except Exception:  # a stranger's __str__
        said = ""
    if kind and len(said) > MOST:
        said = said[: MOST - 1] + "…"
    said = "".join(letter if letter.isprintable() else "�" for letter in said)
    return ": ".join(filter(None, [kind, said]))


def shortened(text: str, most: int = 60) -> str:
    """A text that may be long; what is left out is left out between two words or numbers."""
    if len(text) <= most:
        return text
    whole, space, _ = text[: most - 4].rpartition(" ")
    return f"{whole if space else text[: most - 4]} ..."


def shown(value: object) -> str:
    """A value in a few words: what it is, not all that it holds."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{with_article(type(value).__name__)} of shape {tuple(shape)}"
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= 40 else text[:39] + "…"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return with_article(type(value).__name__)


# --- distributions ----------------------------------------------------------------------------


@cache  # read from a file
def place_of(distribution: Distribution | None) -> str:
    """A distribution as sentences name it: `acme 1.0`."""
    try:
        return f"{distribution.name} {distribution.version}" if distribution else "nobody"
    except Exception:  # its metadata are missing or damaged
        return "a damaged distribution"


def is_ours(place: str) -> bool:
    """Whether it is the distribution that pvd itself comes in."""
    return place.partition(" ")[0].lower().replace("_", "-") == OURS


@cache
def unmet(distribution: Distribution | None) -> str:
    """Which pvd-distill a distribution needs, if that is not the one that is installed."""
    try:
        wanted = distribution.requires if distribution else None
    except Exception:  # as above; whatever it needs, nobody knows
        wanted = None
    lines = [line for line in wanted or () if re.match(r"pvd[-_.]distill\b", line, re.I)]
    if not lines:
        return ""
    from importlib.metadata import version

    from packaging.requirements import InvalidRequirement, Requirement

    here = version(OURS)
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        counts = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if counts and not requirement.specifier.contains(here, prereleases=True):
            return (
                f"needs {OURS} {requirement.specifier}, and {here} is installed; update one of "
                "the two"
            )
    return ""
