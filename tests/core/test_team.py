"""Several processes give what one gives. Real ones, started by torchrun."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import forked
import psutil
import pytest
from member import LOSSES, work

from pvd.team import Team

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# In a network of their own with no way out, where the machine lets us make one: torchrun listens
# on every interface that there is.
APART = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


MARK = "PVD_TEST_TEAM_OF"


def environment(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except psutil.Error:
        return {}


@cache
def apart() -> Sequence[str]:
    try:
        done = subprocess.run([*APART, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return ()
    return APART if done.returncode == 0 else ()


def launch(size: int, *words: str | Path, cache: Path) -> subprocess.Popen[str]:
    where = (
        ["--master-addr", "127.0.0.1", "--master-port", "29500"] if apart() else ["--standalone"]
    )
    return subprocess.Popen(
        [*apart(), sys.executable, "-m", "torch.distributed.run", *where,
         "--nproc-per-node", str(size), *map(str, words)],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
            "PVD_CACHE_DIR": str(cache),
            MARK: str(os.getpid()),
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _none_left() -> Iterator[None]:
    """Whatever a test does, no process of a team outlives this module: they would train on."""
    yield
    for process in psutil.process_iter():
        if process.pid != os.getpid() and environment(process).get(MARK) == str(os.getpid()):
            process.kill()


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """What it said, once it has ended; nothing of it is left behind."""
    try:
        out, err = process.communicate(timeout=200)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == code, err
    return out, err


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    folder = tmp_path_factory.mktemp("team")
    ended(launch(request.param, HERE / "member.py", folder, cache=folder))
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(request.param)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("chunk", [None, 4])
def test_a_team_learns_what_one_process_learns(
    team: list[dict], kind: str, chunk: int | None
) -> None:
    alone = work(Team(), kind, chunk)

    for member in team:
        mine = member[f"{kind} {chunk}"]
        assert mine["losses"] == pytest.approx(alone["losses"], rel=1e-9)
        assert mine["weights"] == pytest.approx(alone["weights"], rel=1e-7, abs=1e-9)
    # The first one has all embeddings, the others their share.
    shares = zip(*(member[f"{kind} {chunk}"]["embedded"] for member in team), strict=True)
    for (rows, *others), wanted in zip(shares, alone["embedded"], strict=True):
        assert len(rows) == len(wanted)
        assert sum(map(len, others)) == len(wanted) - len(wanted) // len(team)
        for row, want in zip(rows, wanted, strict=True):
            assert row == pytest.approx(want, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("kind", LOSSES)
def test_its_members_have_the_same_weights_and_share_the_pictures(
    team: list[dict], kind: str
) -> None:
    key = f"{kind} None"
    assert all(member[key]["weights"] == team[0][key]["weights"] for member in team)
    seen = [member[key]["pictures"] for member in team]
    assert sum(seen) == work(Team(), kind, None)["pictures"]
    assert max(seen) - min(seen) <= 6  # at most one more in each of six steps


def test_a_team_goes_on_from_a_bookmark(team: list[dict]) -> None:
    for member in team:
        whole, resumed = member["in-batch None"], member["resumed"]
        assert resumed["losses"] == whole["losses"][3:]
        assert resumed["weights"] == whole["weights"]


@pytest.mark.slow
def test_a_member_that_sees_another_bookmark_says_so(tmp_path: Path) -> None:
    """Else they would add up gradients of different steps."""
    _, said = ended(launch(2, HERE / "member.py", tmp_path, "apart", cache=tmp_path), code=1)

    assert "does not see the same bookmark in the run's folder, as the first one does" in said


def test_one_alone_is_told_nothing() -> None:
    team = Team()
    with team.at_work(do="embed", round=0):
        pass
    team.dismiss()
    assert team.leads
    assert team.share(7) == slice(0, 7)
    assert [Team(rank, 3).share(7) for rank in range(3)] == [slice(0, 2), slice(2, 4), slice(4, 7)]


# --- the commands ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first round is labelled; its student neither augments nor drops out."""
    folder = tmp_path_factory.mktemp("labelled")
    words = (
        "-p",
        ROOT / "examples/own_student.py",
        "--student",
        "colours",
        "-o",
        "catalog.size=150",
    )
    small = ("-o", "train.slates=60", "-o", "train.steps=10", "-o", "personas.people=40")
    alone(folder, "label", *words, *small, folder / "run")
    return folder


def alone(cache: Path, name: str, *words: str | Path) -> str:
    """A command that belongs to no team; what it says."""
    command = [sys.executable, "-m", "pvd", name, "-q", *map(str, words)]
    done = forked.run(command, {**os.environ, "PVD_CACHE_DIR": str(cache)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def copied(labelled: Path, name: str) -> Path:
    return Path(shutil.copytree(labelled / "run", labelled / name))


def rank_of(process: psutil.Process) -> int:
    return int(environment(process).get("RANK", "-1"))


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def result(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "rounds/001/done").read_text())
    return found


@pytest.mark.slow
def test_pvd_train_under_torchrun(labelled: Path) -> None:
    one, two = copied(labelled, "one"), copied(labelled, "two")
    wanted = alone(labelled, "train", one)

    words = ("-m", "pvd", "train", "-q", two, "--observe", "tensorboard")
    said, warned = ended(launch(2, *words, cache=labelled))

    assert said == wanted, "one process speaks, as if it were alone"
    assert "Traceback" not in warned
    assert result(two)["loss"] == pytest.approx(result(one)["loss"], rel=1e-5)
    assert result(two)["validation"] == result(one)["validation"]
    assert not list(two.rglob("*.tmp"))
    assert len(list((two / "tensorboard").iterdir())) == 1, "the first process alone is watched"


@pytest.mark.slow
def test_a_mistake_ends_all_of_them(labelled: Path) -> None:
    run = copied(labelled, "mistaken")
    (run / "rounds/001/judgments.jsonl").unlink()

    _, said = ended(launch(2, "-m", "pvd", "train", "-q", run, cache=labelled), code=1)

    assert said.count("Round 1 has no judgments yet") == 1


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_member_that_is_killed_ends_all_of_them_and_the_round_goes_on(
    labelled: Path, rank: int
) -> None:
    run = copied(labelled, f"killed-{rank}")
    long = (run / "run.toml").read_text().replace("steps = 10", "steps = 100000")
    (run / "run.toml").write_text(long)
    team = launch(2, "-m", "pvd", "train", "-q", run, "--observe", "jsonl", cache=labelled)
    steps = run / "events.jsonl"
    deadline = time.monotonic() + 120
    while not (steps.exists() and steps.read_text().count('"step"') > 3):
        assert time.monotonic() < deadline
        assert team.poll() is None, team.communicate()[1]
        time.sleep(0.1)
    member = next(
        p for p in psutil.Process(team.pid).children(recursive=True) if rank_of(p) == rank
    )
    member.kill()

    _, said = ended(team, code=1)

    assert not [p for p in psutil.process_iter() if str(run) in " ".join(command(p))]
    (run / "run.toml").write_text(long.replace("steps = 100000", "steps = 10"))
    alone(labelled, "train", run)
    assert result(run)["round"] == 1
    assert "core/pvd" not in said, "torchrun shows a traceback of its own; none of ours"
