"""`pvd audit` as a user meets it: what it prints and writes, and what it says of mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from strangers import component

import pvd as package
from pvd import testing
from pvd.cli import main
from pvd.discovery import Registry, registry
from pvd.errors import BadInput

BIASED = '{use="simulated", position_bias=2.0}'
HOSTILE = "<script>alert(1)</script> & {{ 7 * 7 }}"


def pvd(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def error(result: Result) -> tuple[int, str]:
    """The exit code and the one sentence."""
    return result.exit_code, result.stderr.strip().splitlines()[-1]


def flat(text: str) -> str:
    """It in one line."""
    return " ".join(text.split())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with shop.csv and people.jsonl, one of whom is a hacker."""
    rows = ["id,image,colour,title"]
    for item in testing.items(40):
        (tmp_path / f"{item.id}.png").write_bytes(item.read())
        rows.append(f'{item.id},{item.id}.png,{item.attributes["colour"]},"{HOSTILE}"')
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n")
    lines = [
        {"id": p.id, "text": HOSTILE, "tastes": {"colour=green": 1.5, "colour=red": n / 20}}
        for n, p in enumerate(testing.personas(30))
    ]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


DATA = ["--catalog", "shop.csv", "--personas", "people.jsonl"]
SMALL = [*DATA, "--slates", "24", "--out", "first"]


def numbers(folder: str = "first") -> Any:
    return json.loads(Path(folder, "audit.json").read_text())


@pytest.mark.usefixtures("shop")
def test_two_teachers_stand_beside_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = pvd("audit", "simulated", BIASED, *SMALL)

    assert result.exit_code == 0, result.output
    said = result.stdout
    for words in (
        "same best item",
        "tau with itself",
        "place matters",
        "circular triples",
        "simulated (position_bias=2)",
        "favours what is shown first",
        "a made-up teacher",
    ):
        assert words in flat(said), words
    assert max(map(len, said.splitlines())) <= 80
    assert "Audit folder: first" in result.stderr
    found = numbers()
    assert [card["label"] for card in found["teachers"]] == [
        "simulated",
        "simulated (position_bias=2)",
    ]
    assert found["simulated"]
    assert found["design"]["questions"] == 24 * 3 + 4 * 10
    assert found["latency"]["simulated"]["calls"] == 2  # of 64 questions each
    (pair,) = found["between"]
    assert pair["tau_ceiling"]["low"] <= pair["tau_ceiling"]["value"] <= pair["tau_ceiling"]["high"]
    assert not pair["prompt_only"]


@pytest.mark.usefixtures("shop")
def test_only_the_training_part_is_asked_about() -> None:
    assert pvd("audit", "simulated", *SMALL).exit_code == 0
    run = ["run", "--out", "run", *DATA, "--student", "tiny", "-o", "train.slates=12"]
    run += ["-o", "train.steps=1", "-o", "train.rounds=1", "-o", "train.validation_slates=4"]
    run += ["-o", "exam.personas=4", "-o", "exam.repeats=0", "-o", "exam.gallery=0"]
    assert pvd(*run).exit_code == 0
    examined = {p["id"] for p in json.loads(Path("run/metrics.json").read_text())["exam"]["people"]}
    page = Path("first/report.html").read_text()
    audited = set(re.findall(r"persona (persona-\d+)", page))
    assert audited
    assert not audited & examined


@pytest.mark.usefixtures("shop")
def test_the_same_command_prints_the_same_and_asks_nothing() -> None:
    first = pvd("audit", "simulated", *SMALL, "--json")
    before = numbers()
    Path("shop.csv").unlink()  # what is finished needs nothing any more

    Path("shop.csv").touch()
    again = pvd("audit", "simulated", *SMALL, "--json", "-o", "ask.workers=2")

    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout
    assert json.loads(first.stdout)["audit"] == before
    assert again.stderr == ""


@pytest.mark.usefixtures("drawn")
@pytest.mark.slow
@pytest.mark.usefixtures("shop")
def test_the_same_seed_gives_the_same_bytes_also_from_the_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = ["audit", "simulated", BIASED, *DATA, "--slates", "12", "-q"]
    for folder, store, seed in (("a", "s1", 0), ("b", "s1", 0), ("c", "s2", 0), ("d", "s2", 1)):
        result = pvd(*given, "--out", folder, "--store", store, "--seed", str(seed))
        assert result.exit_code == 0, result.output
    files = [numbers(name) for name in "abcd"]
    times = [one.pop("latency") for one in files]
    assert json.dumps(files[0]) == json.dumps(files[1]) == json.dumps(files[2])
    assert files[3]["teachers"] != files[0]["teachers"]
    assert times[1]["simulated"] == {"calls": 0, "questions": 0, "p50": None, "p95": None}
    page = Path("b/report.html").read_text()
    assert "How long a call takes is unknown" in page


@pytest.mark.usefixtures("drawn")
@pytest.mark.usefixtures("shop")
def test_the_page_loads_nothing_runs_nothing_and_shows_pictures() -> None:
    assert pvd("audit", "simulated", BIASED, *SMALL).exit_code == 0
    page = Path("first/report.html").read_text()

    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert not re.search(r"(src|href)=.?(https?:|//)", page)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; {{ 7 * 7 }}" in page
    assert page.count("data:image/jpeg;base64,") == 6 * 2 * 5
    assert "All preferences here are simulated" in page
    assert page.count('class="card"') == 2
    assert "Where they disagree most" in page


@pytest.mark.usefixtures("shop")
def test_a_lone_teacher_is_shown_against_itself_and_bad_pictures_by_name() -> None:
    for path in Path().glob("*.png"):
        path.write_bytes(b"no picture")  # a teacher that looks at none does not mind
    assert pvd("audit", "simulated", *SMALL).exit_code == 0
    page = Path("first/report.html").read_text()
    assert "Where it disagrees most with itself" in page
    assert "order 3" in page
    assert "data:image/jpeg" not in page
    assert page.count('class="nothing"') == 6 * 3 * 5


@pytest.mark.usefixtures("shop")
def test_options_reach_the_teachers_that_have_them() -> None:
    given = ["audit", "simulated", '{use="consistent", of="simulated", orders=2}']
    given += [BIASED, *SMALL, "-o", "teacher.noise=0.25", "-o", "teacher.position_bias=1"]

    result = pvd(*given)

    assert result.exit_code == 0, result.output
    found = numbers()
    # A table's own option is the stronger one.
    assert [card["label"] for card in found["teachers"]] == [
        "simulated (noise=0.25, position_bias=1)",
        "consistent (of=simulated, orders=2)",
        "simulated (noise=0.25, position_bias=2)",
    ]
    assert [card["composite"] for card in found["teachers"]] == [False, True, False]
    assert len(found["between"]) == 3


@pytest.mark.usefixtures("shop")
def test_a_composite_of_bad_answers_is_counted() -> None:
    inner = '{use="consistent", of={use="simulated", malformed=0.2}, orders=2}'
    assert pvd("audit", inner, '{use="simulated", malformed=0.2}', *SMALL).exit_code == 0
    whole, part = (card["answers"] for card in numbers()["teachers"])
    assert whole["malformed"]["value"] > part["malformed"]["value"] > 0.05
    assert whole["kinds"].keys() == {"no ranking"}


@pytest.mark.usefixtures("shop")
def test_a_teacher_that_only_ranks_has_no_noise_and_no_calibration(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RANKS)
    result = pvd("audit", "mine", *SMALL, "-p", "mine.py")

    assert result.exit_code == 0, result.output
    (card,) = numbers()["teachers"]
    assert card["noise"]["deviation"] is None
    assert "no utilities" in card["noise"]["note"]
    assert card["calibration"] is None
    assert card["place"]["utility"] is None
    assert card["pairs"]["noise_alone"] is None
    # It takes what it sees first, and knows two items of five.
    assert card["place"]["p"] is None
    assert card["pairs"]["first_wins"]["value"] == 1
    assert "has too few usable answers to tell what a place does" in flat(result.stdout)
    assert card["answers"]["partial"]["value"] == 1
    assert card["answers"]["unusable"]["value"] == 0
    assert "no utilities" in Path("first/report.html").read_text()


RANKS = """
from dataclasses import dataclass
import pvd

@dataclass(kw_only=True)
class Mine(pvd.Teacher):
    def rank(self, slates):
        return [pvd.Ranking(((0,), (1,))) for slate in slates]

@pvd.hookimpl
def register_teachers(register):
    register("mine", Mine)
"""


@pytest.mark.usefixtures("shop")
def test_no_usable_answer_at_all_is_told_and_not_hidden() -> None:
    hopeless = '{use="simulated", malformed=0.999999}'
    result = pvd("audit", hopeless, "simulated", *SMALL)
    assert result.exit_code == 0, result.output
    card = numbers()["teachers"][0]
    assert card["answers"]["unusable"]["value"] == 1
    assert card["itself"]["tau"] is None
    assert "gave too few usable answers" in flat(result.stdout)
    assert "Too few usable answers" in Path("first/report.html").read_text()


@pytest.mark.usefixtures("shop")
def test_a_dry_run_writes_and_asks_nothing() -> None:
    result = pvd("audit", "simulated", BIASED, *SMALL, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "The whole audit" in result.stdout
    assert "later rounds" not in result.stdout
    assert not Path("first").exists()
    plan = json.loads(pvd("audit", "simulated", *SMALL, "--dry-run", "--json").stdout)
    assert plan["new"] == 24 * 3 + 4 * 10
    assert pvd("audit", "simulated", *SMALL).exit_code == 0
    plan = json.loads(pvd("audit", "simulated", *SMALL, "--dry-run", "--json").stdout)
    assert (plan["new"], plan["parts"][0]["stored"]) == (0, 112)


@pytest.mark.usefixtures("shop")
def test_a_free_teachers_questions_wait_for_nobody() -> None:
    plan = json.loads(pvd("audit", "simulated", "gemini", *SMALL, "--dry-run", "--json").stdout)
    free, paid = plan["parts"]
    assert free["questions"] > 0
    assert (free["away"], paid["away"]) == (0, paid["questions"])
    assert paid["at_once"] > 1
    assert plan["hours"] == pytest.approx(paid["questions"] * 3 / 3600 / paid["at_once"])


@pytest.mark.usefixtures("shop")
def test_without_out_the_same_command_finds_its_own_audit() -> None:
    given = ["audit", "simulated", *DATA, "--slates", "6"]
    first, again = pvd(*given), pvd(*given, "--max-calls", "9")
    assert first.exit_code == again.exit_code == 0, first.output
    assert again.stdout == first.stdout
    (folder,) = Path("audits").iterdir()
    assert folder.name.startswith("simulated-")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["simulatd"], 5, "There is no teacher 'simulatd'; did you mean 'simulated'?"),
        (["simulated", "simulated"], 2, "The teacher simulated is named twice; "),
        (["simulated", "--orders", "1"], 2, "--orders 1 tells neither noise nor bias from taste; "),
        (["simulated", "--orders", "3", "-o", "train.size=2"], 2, "--orders 3 is more than a "),
        (["simulated", "--slates", "1"], 2, "--slates 1 gives no interval; "),
        (["simulated", "--pairs", "-1"], 2, "--pairs must not be negative; "),
        (["simulated", "-o", "train.size=1"], 5, "train.size must be at least 2, not 1."),
        (["simulated", "-o", "train.size=36"], 5, "A slate of 36 items cannot be drawn from "),
        (["simulated", "-o", "teacher.nose=1"], 5, "None of the teachers simulated has the option"),
        (["simulated", "--prompt", "brief"], 2, "None of the teachers simulated has a prompt; "),
        (["{noise=1}"], 2, "The teacher '{noise=1}' names none; "),
        (["{use="], 2, "The teacher '{use=' is no TOML table; "),
        (['{use="simulated", noise=-1.0}'], 5, "teacher.noise must be at least 0, not -1.0."),
        (["simulated", "--catalog", "nowhere.csv"], 4, "There is no file or folder nowhere.csv"),
        (["simulated", "--personas", "one.jsonl"], 5, "No persona falls into the part "),
        (["simulated", "--personas", "alone.jsonl"], 5, "An audit needs at least 2 personas "),
        (["simulated", "--out", "run"], 2, "run holds a run; name another --out "),
    ],
)
def test_mistakes_get_one_sentence(words: list[str], code: int, message: str, shop: Path) -> None:
    lines = (shop / "people.jsonl").read_text().splitlines(keepends=True)
    (shop / "one.jsonl").write_text(lines[0])
    parts = ("train", "validation", "test")
    alone = [{**json.loads(line), "split": part} for line, part in zip(lines, parts, strict=False)]
    (shop / "alone.jsonl").write_text("".join(json.dumps(one) + "\n" for one in alone))
    (shop / "run").mkdir()
    (shop / "run/run.toml").touch()

    given = [word for word in DATA if word not in words] if "--catalog" in words else DATA
    result = pvd("audit", *given, "--out", "first", *words)

    assert error(result)[0] == code, result.output
    assert error(result)[1].startswith(f"Error: {message}"), result.stderr
    assert not Path("first/audit.json").exists()


@pytest.mark.usefixtures("shop")
def test_a_folder_holds_one_audit() -> None:
    assert pvd("audit", "simulated", *SMALL).exit_code == 0
    for other in (["--seed", "1"], ["--orders", "2"], ["-o", "teacher.noise=2"]):
        code, said = error(pvd("audit", "simulated", *SMALL, *other))
        assert code == 5
        assert said.startswith("Error: first holds an audit with other "), said


@pytest.mark.usefixtures("shop")
def test_a_teacher_from_a_file_is_mended_and_audited_by_the_same_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A finished audit is bound to the version that it is of."""

    def given(body: str) -> Result:
        Path("mine.py").write_text(component("teacher", "mine", body))
        monkeypatch.setattr(registry, "__dict__", Registry().__dict__)
        return pvd("audit", "mine", "-p", "mine.py", *SMALL)

    assert "ZeroDivisionError" in error(given("def answer(self, request): 1 / 0"))[1]
    mended = given("")
    assert mended.exit_code == 0, mended.stderr
    assert "first holds an audit with another version of the plug-in" in mended.stderr
    code, said = error(given("\n# once more\npass"))
    assert code == 5
    assert said.startswith("Error: first holds an audit with another version of the plug-in ")
    assert said.endswith("mine.py; give the same again, or name another --out."), said


def test_no_teacher_is_a_usage_error() -> None:
    assert pvd("audit").exit_code == 2


@pytest.mark.usefixtures("shop")
def test_python_has_it_too() -> None:
    catalog, personas = ({"use": "table", "path": name} for name in ("shop.csv", "people.jsonl"))
    teacher = package.load("teacher", "simulated", noise=2.0)

    done = package.audit(
        "simulated", {"use": "simulated", "position_bias": 1.0}, teacher,
        slates=6, orders=2, pairs=0, out="first", catalog=catalog, personas=personas,
    )  # fmt: skip

    assert done.report.exists()
    assert done.numbers == numbers()
    assert [card["label"] for card in done.numbers["teachers"]] == [
        "simulated",
        "simulated (position_bias=1)",
        "simulated (noise=2)",
    ]
    assert all(card["pairs"] is None for card in done.numbers["teachers"])
    with pytest.raises(BadInput, match="holds an audit with other"):
        package.audit("simulated", out="first", catalog=catalog, personas=personas)


def test_other_peoples_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "compare.json").write_text("{}")
    (tmp_path / "out" / "report.html").write_text("mine")
    words = ["audit", "simulated", "--slates", "5", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, words)

    assert result.exit_code == 2, result.output
    assert "holds compare.json, which no audit wrote" in result.stderr
    assert (tmp_path / "out" / "report.html").read_text() == "mine"
