"""Exports: the same student, a card that says what the numbers say, mixtures by hand."""

from __future__ import annotations

import json
import re
import resource
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

import pvd
import pvd.pipeline
from pvd.cli import main
from pvd.errors import BadInput, MissingFile, UsageError
from pvd.folder import read_json
from pvd.metrics import number, signed
from pvd.publishing import card, exporting, mixing
from pvd.publishing.exporting import export
from pvd.testing import items

Tables = dict[str, Any]
Run = pvd.Run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("finished") / "run"


@pytest.fixture
def done(small: Tables, place: Path, tmp_path: Path) -> Run:
    """A run that is made once, and a copy of it for each test."""
    train = small["train"] | {"steps": 40, "learning_rate": 0.01}
    run = pvd.run(out=place, **small | {"train": train})
    assert run.metrics["best_round"] > 0  # or there is nothing between before and after
    shutil.copytree(place, tmp_path / "run")
    return pvd.Run.open(tmp_path / "run")


def vectors(student: pvd.Student) -> torch.Tensor:
    with torch.inference_mode():
        return student.embed_prepared(student.prepare([item.open() for item in items(12)]))


def head(folder: Path) -> dict[str, Any]:
    """The card's YAML."""
    text = (folder / "README.md").read_text()
    assert text.startswith("---\n")
    return dict(yaml.safe_load(text.split("---\n")[1]))


# --- the folder -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("student", ["colours", "tiny"])
def test_an_export_is_the_student(student: str, small: Tables, tmp_path: Path) -> None:
    run = pvd.run(out=tmp_path / "run", **small | {"student": student})
    out = pvd.export(run.folder, tmp_path / "out")
    shutil.rmtree(run.folder)  # it needs nothing of the run
    opened = pvd.open_student(out)
    assert torch.equal(vectors(opened), vectors(run.student))
    texts = ["a gift for a mother who loves gardening"]
    assert torch.equal(opened.embed_texts(texts), run.student.embed_texts(texts))


@pytest.mark.slow
def test_it_takes_the_place_of_an_export_and_of_nothing_else(done: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pvd.export(done.folder, out, interpolate=0.5)
    mixture = (out / "README.md").read_text()
    pvd.export(done.folder, out)
    assert (out / "README.md").read_text() != mixture
    (out / ".git").mkdir()
    (out / ".git" / "config").write_text("mine")
    with pytest.raises(UsageError, match=r"holds what no export wrote, such as .git/config; name"):
        pvd.export(done.folder, out)
    assert (out / ".git" / "config").read_text() == "mine"
    for inside in (done.folder, done.folder / "student", done.folder / "new"):
        with pytest.raises(UsageError, match="is inside the run"):
            pvd.export(done.folder, inside)
    with pytest.raises(UsageError, match="is a file; name a folder"):
        pvd.export(done.folder, out / "README.md")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("made", ["[]", "3", "{", '{"export": 3}', '{"export": {"files": 5}}'])
def test_a_pvd_json_of_somebody_else_is_left_alone(made: str, done: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "pvd.json").write_text(made)
    with pytest.raises(UsageError, match=r"holds what no export wrote, such as pvd.json"):
        pvd.export(done.folder, out)
    assert (out / "pvd.json").read_text() == made


def test_a_loop_of_links_is_no_folder(done: Run, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="loop leads nowhere; name another folder"):
        pvd.export(done.folder, tmp_path / "loop")


def test_a_student_without_its_weights_is_not_exported(done: Run, tmp_path: Path) -> None:
    weights = done.folder / "student/model.safetensors"
    whole = weights.read_bytes()
    for data, said in ((whole[:-9], "are damaged"), (b"", "are damaged"), (None, "no weights")):
        weights.unlink()
        if data is not None:
            weights.write_bytes(data)
        with pytest.raises(BadInput, match=said):
            pvd.export(done.folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_it_names_no_place_of_this_machine(done: Run, tmp_path: Path) -> None:
    for said, want in (
        ("/home/me/models/clip", "clip"),
        ("local-dir:/home/me/models/clip/", "local-dir:clip"),
        ("~/clip", "clip"),
        ("openai/clip-vit-base-patch32", "openai/clip-vit-base-patch32"),
        ("hf-hub:openai/clip", "hf-hub:openai/clip"),
        ("https://example.org/clip", "https://example.org/clip"),
    ):
        assert exporting._placeless(said) == want
    about = read_json(done.folder / "student/pvd.json")
    out = pvd.export(done.folder, tmp_path / "out")
    assert read_json(out / "pvd.json")["options"] == about["options"] == {"width": 64}


def test_what_is_not_finished_is_not_exported(done: Run, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"no run in .*student; name the folder of a finished"):
        pvd.export(done.folder / "student", tmp_path / "out")
    (done.folder / "metrics.json").unlink()
    with pytest.raises(MissingFile, match=r"no result in .* yet; give the same `pvd run` again"):
        pvd.export(done.folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_that_goes_on_meanwhile_is_noticed(
    done: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = card.render

    def render(*given: Any) -> str:
        (done.folder / "metrics.json").write_text("{}")
        return real(*given)

    monkeypatch.setattr(card, "render", render)
    with pytest.raises(BadInput, match="changed while it was exported"):
        pvd.export(done.folder, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_full_disk_leaves_what_was_there(done: Run, tmp_path: Path) -> None:
    out = pvd.export(done.folder, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(BadInput, match=r"out cannot be written \(File too large\); make room"):
            pvd.export(done.folder, out)
        with pytest.raises(BadInput, match=r"The mixture cannot be written to .*; make room there"):
            pvd.export(done.folder, out, interpolate=0.5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


# --- mixtures -------------------------------------------------------------------------------------


def weight(folder: Path) -> torch.Tensor:
    return load_file(folder / "model.safetensors")["weight"]


@pytest.mark.slow
def test_a_mixture_is_the_average_and_sits_the_exam(done: Run, tmp_path: Path) -> None:
    base = pvd.load("student", "colours")
    base.load("cpu")
    trained = weight(done.folder / "student")
    shares = (0.001, 0.5, 0.999)
    made = {
        share: export(done.folder, tmp_path / f"{share}", interpolate=share) for share in shares
    }
    for share, one in made.items():
        want = (1 - share) * base.weight.detach() + share * trained
        assert torch.allclose(weight(one.folder), want, atol=1e-6)
    mixed = [one.mixed for one in made.values()]
    assert all(one is not None for one in mixed)
    low, half, high = (one or {} for one in mixed)
    # It is measured itself: near the ends it is what is there, and between them neither of both.
    systems = done.metrics["exam"]["systems"]
    for metric in ("mpr", "mpr_true"):
        found = [one["exam"]["systems"]["distilled"][metric]["value"] for one in (low, half, high)]
        assert found[0] == pytest.approx(systems["zero-shot"][metric]["value"], abs=1)
        assert found[2] == pytest.approx(systems["distilled"][metric]["value"], abs=1)
        assert found[1] not in (found[0], found[2])
    for one in (low, half, high):
        for unmoved in ("random", "zero-shot", "oracle"):
            assert one["exam"]["systems"][unmoved] == systems[unmoved]
    drifts = [one["forgetting"]["drift"]["value"] for one in (low, half, high)]
    assert drifts == sorted(drifts)
    assert drifts[2] == pytest.approx(done.metrics["forgetting"]["drift"]["value"], rel=0.01)


def test_no_mixture_with_a_model_that_was_replaced(
    done: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls, said = type(done.student), "is not the one that the run in .* began with; bring"
    load, text = cls.load, cls._text  # type: ignore[attr-defined]

    def other(self: Any, device: str) -> None:
        load(self, device)
        self.weight.data *= -1

    monkeypatch.setattr(cls, "load", other)
    with pytest.raises(BadInput, match=said):
        pvd.export(done.folder, tmp_path / "out", interpolate=0.5)

    def marked(self: Any, device: str) -> None:
        load(self, device)
        self.other_words = True

    monkeypatch.setattr(cls, "load", marked)
    monkeypatch.setattr(cls, "_text", lambda self, t: text(self, t) + hasattr(self, "other_words"))
    with pytest.raises(BadInput, match=said):
        pvd.export(done.folder, tmp_path / "out", interpolate=0.5)
    assert not (tmp_path / "out").exists()


def test_the_trained_student_itself_would_get_the_runs_numbers(done: Run) -> None:
    """Sitting the exam again, from the run's files, is the same exam."""
    from pvd.identity import configuration
    from pvd.progress import Silent
    from pvd.publishing.resitting import resit
    from pvd.settings import resolve

    settings = resolve(configuration(done.folder / "run.toml"))
    base = pvd.load("student", "colours")
    base.load("cpu")
    again = resit(done.folder, done.metrics, settings, base, done.student, Silent())
    assert json.loads(json.dumps(again)) == done.metrics


def test_a_mixture_that_cannot_be_measured_says_so(
    small: Tables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["id,image,colour"]
    (tmp_path / "images").mkdir()
    for item in items(90):
        (tmp_path / "images" / f"{item.id}.png").write_bytes(item.read())
        rows.append(f"{item.id},images/{item.id}.png,{item.attributes['colour']}")
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n")
    people = [
        {"id": p.id, "text": p.text, "tastes": {"colour=red": 1}} for p in pvd.testing.personas(60)
    ]
    lines = [json.dumps(row) + "\n" for row in people]
    (tmp_path / "people.jsonl").write_text("".join(lines))
    small["catalog"] = {"use": "table", "path": str(tmp_path / "shop.csv")}
    small["personas"] = {"use": "table", "path": str(tmp_path / "people.jsonl")}
    run = pvd.run(out=tmp_path / "run", **small)
    words = ["export", str(run.folder), "--to", str(tmp_path / "out"), "--interpolate", "0.5"]
    assert CliRunner().invoke(main, [*words, "--json"]).exit_code == 0
    measured = (tmp_path / "out/README.md").read_text()
    assert "It sat the exam itself" in measured

    lines[0] = lines[0].replace(people[0]["text"], "Somebody else.")
    (tmp_path / "people.jsonl").write_text("".join(lines))
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 0
    assert "could not be measured, and its card says so: The catalogue or the pers" in found.stderr
    (tmp_path / "shop.csv").unlink()
    found = CliRunner().invoke(main, words)
    assert "could not be measured, and its card says so: " in found.stderr
    text = (tmp_path / "out/README.md").read_text()
    assert "**The mixture itself was not measured.**" in text
    assert "model-index" not in head(tmp_path / "out")
    mpr = run.metrics["exam"]["systems"]["distilled"]["mpr"]
    assert f"{mpr['value']:.1f}" in text  # of the trained student, as its own
    assert str(tmp_path) not in text + measured
    said = CliRunner().invoke(main, [*words, "--json"])
    assert json.loads(said.stdout)["exam"] is None


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 2.0, float("nan")])
def test_a_share_is_between_none_and_all(share: float, done: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--interpolate must be above 0"):
        pvd.export(done.folder, tmp_path / "out", interpolate=share)


def test_only_numbers_may_differ_in_what_is_averaged(tmp_path: Path) -> None:
    a, b, to = (tmp_path / name for name in "abc")
    for folder in (a, b, to):
        (folder / "text").mkdir(parents=True)
    one = {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor([3]), "f": torch.tensor([0.1, 1 / 3])}
    other = one | {"w": torch.tensor([2.0, 4.0])}

    def write(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
        save_file(first, a / "text/x.safetensors", {"format": "pt"})
        save_file(second, b / "text/x.safetensors", {"format": "pt"})

    write(one, other)
    mixing.average(a, b, 0.25, to)
    found = load_file(to / "text/x.safetensors")
    assert found["w"].tolist() == [1.25, 2.5]
    assert torch.equal(found["f"], one["f"])  # what is frozen stays, to the last bit
    assert torch.equal(found["n"], one["n"])
    from safetensors import safe_open

    with safe_open(to / "text/x.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}  # without which transformers refuses it
    half = {"w": torch.tensor([1.0, 3.0], dtype=torch.bfloat16)}
    write(half, {"w": torch.tensor([2.0, 5.0], dtype=torch.bfloat16)})
    mixing.average(a, b, 0.5, to)
    found = load_file(to / "text/x.safetensors")
    assert (found["w"].dtype, found["w"].tolist()) == (torch.bfloat16, [1.5, 4.0])

    for changed, says in (
        ({"v": one["w"]}, "holds other tensors before training than after it, such as f"),
        ({**one, "w": torch.ones(3)}, "The tensor w of x.safetensors changed in more than its nu"),
        ({**one, "w": one["w"].double()}, "changed in more than its numbers"),
        ({**one, "n": torch.tensor([4])}, "The tensor n of x.safetensors changed in more than"),
    ):
        write(one, changed)
        with pytest.raises(BadInput, match=says):
            mixing.average(a, b, 0.5, to)
    (b / "text/x.safetensors").rename(b / "x.safetensors")
    with pytest.raises(BadInput, match=r"other files .* \(text/x.safetensors; x.safetensors\)"):
        mixing.average(a, b, 0.5, to)


# --- the card -------------------------------------------------------------------------------------


def row(text: str, label: str) -> list[str]:
    """The cells of a table's row."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_the_cards_numbers_are_those_of_the_metrics(done: Run, tmp_path: Path) -> None:
    out = pvd.export(done.folder, tmp_path / "out")
    text, metrics = (out / "README.md").read_text(), done.metrics
    systems = metrics["exam"]["systems"]
    (model,) = head(out)["model-index"]
    (result,) = model["results"]
    assert {m["type"]: m["value"] for m in result["metrics"]} == {
        name: round(estimate["value"], 4) for name, estimate in systems["distilled"].items()
    }
    for name, label in (("mpr", "MPR"), ("mpr_true", "true MPR"), ("hit@5", "hit@5 %")):
        after, before, gain, chance = row(text, label)
        for said, estimate in ((after, systems["distilled"]), (before, systems["zero-shot"])):
            want = [number(estimate[name][end], name) for end in ("value", "low", "high")]
            assert re.findall(r"[\d.]+", said) == want
        paired = metrics["exam"]["gains"]["zero-shot"][name]
        assert gain == "{} ({} to {})".format(
            *(signed(paired[end], name) for end in ("value", "low", "high"))
        )
        assert chance == number(metrics["exam"]["chance"][name], name)
    drift = row(text, "drift: 1 - cosine of an item's embedding before and after")[1]
    assert drift.startswith(f"{metrics['forgetting']['drift']['value']:.3f} (")
    for control in ("persona-blind", "shuffled-persona"):
        gain = metrics["exam"]["gains"][control]["mpr_true"]["value"]
        assert f"- Over {control} (" in text
        assert f"{signed(gain, 'mpr')} (" in text
    assert "6 held-out personas" in text
    assert "preferences that this model learned are simulated" in text
    assert head(out)["tags"][-1] == "simulated-preferences"


def test_a_student_says_what_it_is_made_of(
    done: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {
        "base_model": "openai/clip-vit-base-patch32",
        "revision": "abc123",
        "library_name": "transformers",
        "load": "from transformers import CLIPModel\nmodel = CLIPModel.from_pretrained('.')",
    }
    monkeypatch.setattr(type(done.student), "about", lambda self: about)
    out = pvd.export(done.folder, tmp_path / "out")
    text = (out / "README.md").read_text()
    assert head(out)["base_model"] == "openai/clip-vit-base-patch32"
    assert head(out)["library_name"] == "transformers"
    assert about["load"] in text
    assert "openai/clip-vit-base-patch32, revision abc123" in text

    about["base_model"] = str(tmp_path / "my models/clip")
    out = pvd.export(done.folder, out)
    text = (out / "README.md").read_text()
    assert "base_model" not in head(out)
    assert "**Base model**: clip, rev" in text
    assert str(tmp_path) not in text


HOSTILE = (
    "a|b*.csv\n---\n# Mine\n<script>alert(1)</script> [x](http://e) `x` \x07\x85\u2028\"'\\ 🎁"
)


def test_a_strangers_text_breaks_neither_yaml_nor_markdown(done: Run, tmp_path: Path) -> None:
    metrics = read_json(done.folder / "metrics.json")
    metrics["data"]["catalog"] = metrics["data"]["personas"] = HOSTILE
    metrics["data"]["novelty_note"] = HOSTILE
    (done.folder / "metrics.json").write_text(json.dumps(metrics))
    out = pvd.export(done.folder, tmp_path / "out")
    text = (out / "README.md").read_text()
    found = head(out)
    assert found["model-index"][0]["results"][0]["dataset"]["type"] == HOSTILE
    body = text.split("---\n", 2)[2]
    assert not re.search(r"^(# Mine|---)", body, re.MULTILINE)
    assert not re.search(r"(?<!\\)(<script|`x|\[x)", body)
    assert r"a\|b\*.csv --- \# Mine \<script\>alert(1)\</script\> \[x\](http://e) \`x\`" in body


def test_the_hub_reads_the_card(done: Run, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    out = pvd.export(done.folder, tmp_path / "out")
    data = hub.ModelCard.load(out / "README.md").data
    want = {
        name: round(e["value"], 4)
        for name, e in done.metrics["exam"]["systems"]["distilled"].items()
    }
    assert {result.metric_type: result.metric_value for result in data.eval_results} == want
    assert data.pipeline_tag == "feature-extraction"


def test_a_run_of_an_older_version_is_exported(done: Run, tmp_path: Path) -> None:
    metrics = read_json(done.folder / "metrics.json")
    del metrics["forgetting"], metrics["prompts"]
    (done.folder / "metrics.json").write_text(json.dumps(metrics))
    out = pvd.export(done.folder, tmp_path / "out")
    assert "forget" not in (out / "README.md").read_text()
    found = CliRunner().invoke(
        main, ["export", str(done.folder), "--to", str(out), "--interpolate", "0.5"]
    )
    assert found.exit_code == 0, found.output
    assert "forget" in (out / "README.md").read_text()
    assert "trained" in found.stdout


# --- the command ----------------------------------------------------------------------------------


def test_the_command_says_where_it_is(done: Run, tmp_path: Path) -> None:
    words = ["export", str(done.folder), "--to", str(tmp_path / "out")]
    plain = CliRunner().invoke(main, words)
    assert plain.exit_code == 0, plain.output
    assert plain.stdout.splitlines() == [
        f"Student: {tmp_path / 'out'}",
        f"Model card: {tmp_path / 'out' / 'README.md'} (it names no licence; add yours before you "
        "publish it)",
    ]
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert found["folder"] == str(tmp_path / "out")
    assert found["exam"] == done.metrics["exam"]["systems"]["distilled"]
    assert found["forgetting"] == done.metrics["forgetting"]
    mixed = CliRunner().invoke(main, [*words, "--interpolate", "0.5"])
    table = mixed.stdout.splitlines()[-4:]
    assert [line.split()[0] for line in table[1:]] == ["before", "mixture", "trained"]
    assert all(len(line) <= 60 for line in table)
    value = done.metrics["exam"]["systems"]["distilled"]["mpr_true"]["value"]
    assert f"{value:.1f} (" in table[3]
