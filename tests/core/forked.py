"""Commands in processes of their own that are forked, not started: from one that has loaded what a
run loads. They begin at once, instead of after seconds that no test is about.

The module takes the place of `subprocess` where `pvd.comparing` starts runs.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Any

__all__ = ["DEVNULL", "FORKS", "Popen", "run"]

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "torch._dynamo", "scipy.stats", "safetensors.torch", "matplotlib.style",
        "matplotlib.figure", "matplotlib.backends.backend_svg", "jinja2", "rich.table",
        "openai", "anthropic", "google.genai", "pvd.cli", "pvd.pipeline", "pvd.figures",
    ]
)  # fmt: skip


class Popen:
    """`subprocess.Popen` of `python -m pvd ...` or `python FILE ...`, as far as it is used here.
    What it says goes to files.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdout: Any,
        stderr: Any,
        env: Mapping[str, str],
        start_new_session: bool = False,
        stdin: object = None,  # there is none
    ) -> None:
        self.args = command
        to = stdout.name, stderr.name
        given = (list(command[1:]), to, dict(env), start_new_session)
        self._process = FORKS.Process(target=become, args=given, daemon=True)
        self._process.start()
        assert self._process.pid
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; the exit code."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)


def run(command: Sequence[str], env: Mapping[str, str]) -> CompletedProcess[str]:
    """`subprocess.run` of it, with what it said."""
    with TemporaryDirectory() as folder:
        said = [Path(folder, name) for name in ("stdout", "stderr")]
        with said[0].open("wb") as out, said[1].open("wb") as err:
            process = Popen(command, stdout=out, stderr=err, env=env)
        try:
            code = process.wait()
        finally:
            process.send_signal(signal.SIGKILL)
        return CompletedProcess(list(command), code, *(path.read_text() for path in said))


def become(words: list[str], to: tuple[str, str], env: dict[str, str], session: bool) -> None:
    """In the forked process: be the command."""
    if session:
        os.setsid()
    os.environ.clear()
    os.environ.update(env)
    for number, path in enumerate(to, 1):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    if "--parent" in words:  # whose end a run of a comparison must see: here who forks
        words[words.index("--parent") + 1] = str(os.getppid())
    if words[0] == "-m":
        _, module, *rest = words
        sys.argv = [module, *rest]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
