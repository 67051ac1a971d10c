"""An environment for what strangers wrote: pvd is in it, and their packages."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path


def environment(folder: Path, packages: Iterable[Path]) -> None:
    """Make `folder/venv` and install the packages, as pip does it; nothing is fetched."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    site = sysconfig.get_path("purelib", "venv", {"base": str(venv), "platbase": str(venv)})
    # pvd and all that it needs come from the environment of the tests.
    ours = sysconfig.get_path("purelib")
    Path(site, "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    alone = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    done = python(folder, "-m", "pip", "install", "-q", *alone, *map(str, packages))
    assert done.returncode == 0, done.stdout + done.stderr


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The environment's Python, started in `folder`, with nothing of ours in its variables."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP", "VIRTUAL"))}
    return subprocess.run(
        [folder / "venv/bin/python", *words],
        env=kept | {"OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


CHECKS = """
import sys
from click.testing import CliRunner
from pvd.cli import main
for name in sys.argv[1:]:
    result = CliRunner().invoke(main, ["plugins", "check", name])
    print(name, result.exit_code, result.output.replace("\\n", "\\n  "))
"""


def check(folder: Path, names: Iterable[str]) -> None:
    """`pvd plugins check` of each, in one process, since each would load torch."""
    wanted = list(names)
    done = python(folder, "-c", CHECKS, *wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [line.split()[:2] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert found == [[name, "0"] for name in wanted], done.stdout
