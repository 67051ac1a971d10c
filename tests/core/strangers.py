"""Small distributions of strangers, installed into a folder that is on Python's path."""

from __future__ import annotations

from pathlib import Path

HEAD = (
    "from __future__ import annotations\nimport pvd, pvd.kit\nfrom dataclasses import dataclass\n"
)
COLOURS = Path(__file__).parents[2] / "examples/own_student.py"
HOOKS = {
    "teacher": "teachers",
    "student": "students",
    "sampler": "samplers",
    "loss": "losses",
    "evaluator": "evaluators",
    "source": "sources",
    "observer": "observers",
}
# What each stranger begins with: a good component of its kind.
GOOD = {
    "teacher": "from pvd_plugins.teachers.simulated import Simulated as Good",
    "student": COLOURS.read_text().partition("@pvd.hookimpl")[0].partition("annotations\n")[2]
    + "\nGood = Colours",
    "sampler": "from pvd_plugins.samplers.uniform import Uniform as Good",
    "loss": "from pvd_plugins.losses.bradley_terry import BradleyTerry as Good",
    "evaluator": "from pvd_plugins.evaluators.hits import Hits as Good",
    "source": "from pvd_plugins.sources.boutique import Boutique as Good",
    "observer": "Good = pvd.Observer",
}


def component(kind: str, name: object, body: str, base: str = "Good") -> str:
    """The source of a module that registers one: a good component but for this body."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    start = HEAD + (GOOD[kind] if base == "Good" else "")
    return f"""{start}

@dataclass(kw_only=True)
class Mine({base}):
{lines or "    pass"}

@pvd.hookimpl
def register_{HOOKS[kind]}(register):
    register({name!r}, Mine)
"""


def installed(
    folder: Path,
    dist: str,
    source: str,
    *names: str,
    version: str = "1.0",
    module: str = "",
    value: str = "",
    requires: str = "",
) -> str:
    """A distribution with one module, whose entry points declare these names; the module's name."""
    module = module or dist.replace("-", "_")
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{dist.replace('-', '_')}-{version}.dist-info"  # as wheels spell it
    info.mkdir()
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n{needs}"
    )
    lines = "".join(f"{name} = {value or module}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[pvd]\n{lines}")
    return module
