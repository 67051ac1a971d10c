"""Whole runs with students in the published layouts: run, export, open with their libraries."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

hf = pytest.importorskip("transformers", reason="pip install 'pvd-distill[hf]'")
open_clip = pytest.importorskip("open_clip", reason="pip install 'pvd-distill[open-clip]'")
torch = pytest.importorskip("torch")

from click.testing import CliRunner  # noqa: E402
from torch.nn.functional import normalize  # noqa: E402

import pvd  # noqa: E402
from pvd.cli import main  # noqa: E402
from pvd.errors import BadInput  # noqa: E402

pytestmark = pytest.mark.slow

TEXTS = ["a gift for a mother who loves gardening", "boots for rain"]
SHOP = {"use": "boutique", "size": 100}


def command(*words: str) -> str:
    """What the command prints; it must end well."""
    seen = CliRunner().invoke(main, words)
    assert seen.exit_code == 0, seen.output
    return seen.output


def pictures() -> list[Any]:
    return [item.open() for item in pvd.load("source", "boutique", size=12).catalog("")]


def opened(kind: str, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts and pictures as the library embeds them from the folder, at unit length."""
    with torch.no_grad():
        if kind == "open_clip":
            model, _, look = open_clip.create_model_and_transforms(f"local-dir:{folder}")
            words = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
            seen = torch.stack([look(picture) for picture in pictures()])
            texts, images = model.eval().encode_text(words), model.encode_image(seen)
        else:
            family = {"clip": "CLIP", "siglip": "Siglip"}[kind]
            model = getattr(hf, f"{family}Model").from_pretrained(folder).eval()
            reads = {"clip": {"padding": True}, "siglip": {"padding": "max_length"}}[kind]
            words = hf.AutoTokenizer.from_pretrained(folder)(TEXTS, return_tensors="pt", **reads)
            if kind == "siglip":
                words = {"input_ids": words["input_ids"]}
            look = getattr(hf, f"{family}ImageProcessorPil").from_pretrained(folder)
            seen = look(pictures(), return_tensors="pt")["pixel_values"]
            texts = model.get_text_features(**words).pooler_output
            images = model.get_image_features(seen).pooler_output
    return normalize(texts, dim=1), normalize(images, dim=1)


@pytest.mark.parametrize(
    ("kind", "name", "part"),
    [
        ("clip", "fashionclip", "all"),
        ("siglip", "siglip", "last-2"),
        ("open_clip", "open-clip", "lora-1"),
    ],
)
def test_run_export_open(
    layouts: Callable[[str], Path], tmp_path: Path, kind: str, name: str, part: str
) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    schema = "local-dir:" if name == "open-clip" else ""
    tables = {
        "student.model": f"{schema}{layouts(kind)}",
        "student.part": part,
        "student.precision": "fp32",
        "student.long": "chunk",
        "catalog.size": 100,
        "personas.people": 60,
        "train.rounds": 2,
        "train.slates": 60,
        "train.steps": 8,
        "train.batch": 8,
        "train.learning_rate": 3e-3,
        "train.validation_slates": 20,
        "exam.personas": 6,
        "exam.repeats": 0,
        "exam.gallery": 1,
    }
    options = [word for key, value in tables.items() for word in ("-o", f"{key}={value}")]
    command("run", "-q", "--student", name, "--out", str(run), *options)
    metrics = json.loads((run / "metrics.json").read_text())
    assert len(metrics["rounds"]) == 3
    assert [r["loss"] for r in metrics["rounds"]][1:] != [None, None]

    command("export", str(run), "--to", str(out))
    student = pvd.open_student(out)
    texts, images = opened(kind, out)
    torch.testing.assert_close(student.embed_texts(TEXTS), texts, atol=1e-5, rtol=0)
    got = student.embed_prepared(student.prepare(pictures())).detach()
    torch.testing.assert_close(got, images, atol=1e-5, rtol=0)
    before = opened(kind, layouts(kind))
    torch.testing.assert_close(before[0], texts, atol=0, rtol=0)
    if metrics["best_round"]:
        assert not torch.equal(before[1], images)

    half = tmp_path / "half"
    command("export", str(run), "--to", str(half), "--interpolate", "0.5")
    from safetensors.torch import load_file

    file = "open_clip_model.safetensors" if kind == "open_clip" else "model.safetensors"
    base, trained, mixed = (load_file(f / file) for f in (layouts(kind), out, half))
    assert mixed.keys() == base.keys()
    for tensor, value in mixed.items():
        torch.testing.assert_close(value, (base[tensor] + trained[tensor]) / 2, atol=1e-6, rtol=0)


def test_a_run_goes_on_and_repeats_itself(layouts: Callable[[str], Path], tmp_path: Path) -> None:
    """Rounds one by one give what a whole run gives, to the last bit."""
    tables: dict[str, Any] = {
        "student": {"use": "clip", "model": str(layouts("clip")), "part": "last-1"},
        "catalog": SHOP,
        "personas": {"use": "boutique", "people": 60},
        "train": {"rounds": 2, "slates": 30, "steps": 4, "batch": 8, "validation_slates": 20},
        "exam": {"personas": 6, "repeats": 0, "gallery": 1},
    }
    whole = pvd.run(**tables, out=tmp_path / "whole")
    from pvd.pipeline import evaluate, label, train
    from pvd.progress import Silent
    from pvd.settings import recipe, resolve

    for _ in range(2):
        label(resolve(recipe("default"), tables), tmp_path / "steps", Silent())
        train(resolve(recipe("default"), tables), tmp_path / "steps", Silent())
    steps = evaluate(resolve(recipe("default"), tables), tmp_path / "steps", Silent())
    assert steps.metrics == whole.metrics


@pytest.mark.parametrize("part", ["all", "last-1"])
def test_a_run_does_not_go_on_with_another_model(
    layouts: Callable[[str], Path], tmp_path: Path, part: str
) -> None:
    import shutil

    model, out = Path(shutil.copytree(layouts("clip"), tmp_path / "model")), tmp_path / "run"
    table = {"use": "clip", "model": str(model), "part": part}
    tables: dict[str, Any] = {
        "student": table,
        "catalog": SHOP,
        "personas": {"use": "boutique", "people": 60},
        "train": {"rounds": 1, "slates": 12, "steps": 1},
        "exam": {"personas": 3},
        "store": str(tmp_path / "store.sqlite"),
    }
    pvd.run(out=out, **tables)
    (out / "metrics.json").unlink()
    pvd.run(out=out, **tables)
    (out / "metrics.json").unlink()
    network = hf.CLIPModel.from_pretrained(model)
    with torch.no_grad():
        network.visual_projection.weight.mul_(-1)
    network.save_pretrained(model)
    with pytest.raises(pvd.kit.BadInput, match=r"is not the one that the run in .* began"):
        pvd.run(out=out, **tables)


@pytest.mark.parametrize("side", ["text_model", "vision_model"])
def test_a_model_that_was_replaced_is_noticed(
    layouts: Callable[[str], Path], tmp_path: Path, side: str
) -> None:
    """Also where no checkpoint holds what changed: below LoRA, and on the text side."""
    import shutil

    from safetensors.torch import load_file, save_file

    from pvd.pipeline import label
    from pvd.progress import Silent
    from pvd.settings import recipe, resolve

    folder = shutil.copytree(layouts("clip"), tmp_path / "mine")
    tables: dict[str, Any] = {
        "student": {"use": "clip", "model": str(folder), "part": "lora-1", "precision": "fp32"},
        "catalog": SHOP,
        "personas": {"use": "boutique", "people": 60},
        "train": {"rounds": 2, "slates": 12, "validation_slates": 12},
    }
    label(resolve(recipe("default"), tables), tmp_path / "run", Silent())
    weights = load_file(folder / "model.safetensors")
    for name, value in weights.items():
        if name.startswith(side) and value.ndim > 1:
            weights[name] = value.roll(1, 0)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match=r"is not the one that the run in .* began with"):
        label(resolve(recipe("default"), tables), tmp_path / "run", Silent())
