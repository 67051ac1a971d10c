"""What can be wrong with a student's model, options or machine: one sentence each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="pip install 'pvd-distill[hf]'")
pytest.importorskip("open_clip", reason="pip install 'pvd-distill[open-clip]'")
torch = pytest.importorskip("torch")

import pvd  # noqa: E402
from pvd.kit import BadInput, MissingFile, MissingPrerequisite  # noqa: E402

Made = Callable[..., pvd.Student]
Layouts = Callable[[str], Path]


@pytest.fixture
def copy(layouts: Layouts, tmp_path: Path) -> Callable[[str], Path]:
    """A model that may be damaged."""
    return lambda kind: Path(shutil.copytree(layouts(kind), tmp_path / kind))


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("part", "last-0", "part must be all, projection, last-N, lora or lora-N, not 'last-0'"),
        ("part", "last", "part must be all, projection, last-N, lora or lora-N, not 'last'"),
        ("part", "lora-x", "part must be all"),
        ("rank", 0, "rank must be at least 1, not 0"),
        ("precision", "fp16", "auto.*fp32.*bf16"),
        ("long", "cut", "truncate.*error.*chunk"),
    ],
)
def test_an_option(option: str, value: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        pvd.load("student", "clip", **{option: value})


def test_weights_named_twice() -> None:
    with pytest.raises(BadInput, match="hf-hub:a/b has weights of its own; leave pretrained out"):
        pvd.load("student", "open-clip", model="hf-hub:a/b", pretrained="openai")


@pytest.mark.parametrize("kind", ["clip", "open_clip"])
def test_more_blocks_than_there_are(loaded: Made, kind: str) -> None:
    for part in ("last-4", "lora-4"):
        with pytest.raises(BadInput, match=r"has 3 blocks; student\.part asks for the last 4"):
            loaded(kind, part=part)
    assert loaded(kind, part="last-3")


@pytest.mark.parametrize("part", ["projection", "last-1", "lora", "lora-1"])
def test_a_tower_that_is_no_stack(loaded: Made, part: str) -> None:
    with pytest.raises(
        BadInput, match=r"is no stack of blocks, so only student\.part=all can learn"
    ):
        loaded("open_resnet", part=part)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    for name, schema in (("clip", ""), ("open-clip", "local-dir:")):
        student = pvd.load("student", name, model=f"{schema}{tmp_path}/none")
        with pytest.raises(MissingFile, match=r"There is no folder .*none; student\.model is"):
            student.load("cpu")
        with pytest.raises(MissingFile, match=r"There is no student in .*none; check the path"):
            student.open(tmp_path / "none", "cpu")


def test_a_folder_that_is_said_to_be_one_is_not_looked_for_on_the_hub() -> None:
    with pytest.raises(MissingFile, match=r"There is no folder .*models/none; student\.model is"):
        pvd.load("student", "open-clip", model="local-dir:models/none").load("cpu")


def test_a_revision_of_a_folder(loaded: Made) -> None:
    with pytest.raises(BadInput, match=r"has no revision 'main'; leave student\.revision out"):
        loaded("clip", revision="main")


def test_a_model_of_another_kind(layouts: Layouts) -> None:
    said = "is a model of type 'siglip', not 'clip'; choose the student that fits it"
    with pytest.raises(BadInput, match=said):
        pvd.load("student", "clip", model=str(layouts("siglip"))).load("cpu")
    with pytest.raises(BadInput, match=r"has no open_clip_config\.json, as open_clip's"):
        pvd.load("student", "open-clip", model=str(layouts("clip"))).load("cpu")


def test_a_tokenizer_without_a_vocabulary(copy: Callable[[str], Path], loaded: Made) -> None:
    folder = copy("clip")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BadInput, match=r"has no vocabulary \(such as tokenizer\.json\); fetch"):
        loaded("clip", folder)


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("clip", {"do_normalize": False}, "embedded otherwise than its library does it"),
        ("clip", {"rescale_factor": 1 / 127.5}, "embedded otherwise than its library does it"),
        ("clip", {"do_center_crop": False}, "cannot be used as it is published"),
        ("clip", {"crop_size": {"height": 64, "width": 64}}, r"size \(64\*64\) doesn't match"),
        ("clip", {"image_mean": None}, "cannot be used as it is published"),
        ("siglip", {"image_std": [0, 0, 0]}, "makes vectors that are not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_preprocessing_that_is_not_ours(
    copy: Callable[[str], Path], loaded: Made, kind: str, change: dict[str, object], said: str
) -> None:
    folder = copy(kind)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadInput, match=said):
        loaded(kind, folder)


def test_a_tower_that_is_not_ours(copy: Callable[[str], Path], loaded: Made) -> None:
    folder = copy("siglip")
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["vision_config"]["vision_use_head"] = False
    path.write_text(json.dumps(config))
    with pytest.raises(BadInput, match="this student does not know such towers"):
        loaded("siglip", folder)


def test_a_tower_that_gives_no_single_vector(copy: Callable[[str], Path], loaded: Made) -> None:
    folder = copy("open_clip")
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["vision_cfg"]["pool_type"] = "none"
    path.write_text(json.dumps(config))
    with pytest.raises(BadInput, match="makes no vector of a picture that could be compared"):
        loaded("open_clip", folder)


@pytest.mark.parametrize("kind", ["clip", "siglip", "open_clip"])
def test_pickles_only(copy: Callable[[str], Path], loaded: Made, kind: str) -> None:
    folder = copy(kind)
    (weights,) = folder.glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(BadInput, match=r"has no .*\.safetensors.*can run programs"):
        loaded(kind, folder)


@pytest.mark.parametrize("kind", ["clip", "siglip", "open_clip", "open_siglip"])
def test_damaged_weights(copy: Callable[[str], Path], loaded: Made, kind: str) -> None:
    folder = copy(kind)
    (weights,) = folder.glob("*.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        BadInput, match=r"The model in .* cannot be loaded \(.*\); fetch or save it"
    ):
        loaded(kind, folder)


@pytest.mark.parametrize("kind", ["clip", "siglip", "open_clip"])
def test_weights_that_lack_something(copy: Callable[[str], Path], loaded: Made, kind: str) -> None:
    from safetensors.torch import load_file, save_file

    folder = copy(kind)
    (weights,) = folder.glob("*.safetensors")
    tensors = load_file(weights)
    gone = max(name for name in tensors if "proj" in name)
    del tensors[gone]
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(BadInput, match=r"lack 1 tensors|cannot be loaded"):
        loaded(kind, folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model_type": 3}'])
def test_a_damaged_config(copy: Callable[[str], Path], loaded: Made, text: str) -> None:
    folder = copy("clip")
    (folder / "config.json").write_text(text)
    with pytest.raises(BadInput, match=r"config\.json|is a model of type"):
        loaded("clip", folder)


def test_weights_of_another_part(loaded: Made) -> None:
    state = loaded("clip", part="last-1").state()
    with pytest.raises(BadInput, match=r"of another student\.part than last-2"):
        loaded("clip", part="last-2").load_state(state)


@pytest.mark.parametrize(
    ("model", "pretrained", "said"),
    [
        ("ViT-B-33", None, "open_clip knows no architecture 'ViT-B-33', and it is no folder"),
        (
            "ViT-B-32",
            None,
            "student.pretrained must name weights of ViT-B-32, not None; it has ope",
        ),
        ("ViT-B-32", "laion3b", "must name weights of ViT-B-32, not 'laion3b'; it has openai, "),
        ("ViTamin-B", "datacomp1b", "are published as a pickle only, which could run programs"),
        ("RN50-quickgelu", "mine", "must name weights of RN50-quickgelu"),
    ],
)
def test_architectures_and_tags(model: str, pretrained: str | None, said: str) -> None:
    student = pvd.load("student", "open-clip", model=model, pretrained=pretrained)
    with pytest.raises(BadInput, match=said):
        student.load("cpu")


@pytest.mark.parametrize(
    ("name", "module", "extra", "options"),
    [
        ("clip", "transformers", "hf", {}),
        ("open-clip", "open_clip", "open-clip", {}),
        ("clip", "peft", "lora", {"part": "lora-1"}),
    ],
)
def test_a_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    layouts: Layouts,
    name: str,
    module: str,
    extra: str,
    options: dict[str, str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    folder = str(layouts(name.replace("-", "_")))
    student = pvd.load("student", name, model=folder, **options)
    said = rf"{module} is not installed; type: pip install 'pvd-distill\[{extra}\]'"
    with pytest.raises(MissingPrerequisite, match=said):
        student.load("cpu")


def hub(cache: Path, repository: str, folder: Path) -> None:
    """The folder as the hub's client would have fetched it."""
    commit = "c0ffee" + "0" * 34
    place = cache / "hub" / f"models--{repository.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / commit)
    (place / "refs").mkdir()
    (place / "refs/main").write_text(commit)


TRIED = """
import warnings
import pvd
from pvd.errors import PvdError

def tried(name, **options):
    student = pvd.load("student", name, **options)
    try:
        student.load("cpu")
        print(name, "loaded", student.embed_texts(["a gift"]).shape[1])
    except PvdError as error:
        print(name, error.exit_code, error)

"""


def alone(code: str, **environment: str) -> list[str]:
    """What a process of its own prints."""
    seen = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRIED + code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
    )
    return seen.stdout.splitlines()


@pytest.mark.slow
def test_without_a_network(layouts: Layouts, tmp_path: Path) -> None:
    """What was fetched once is enough; what was not is named, with the place where it would be."""
    hub(tmp_path, "patrickjohncyh/fashion-clip", layouts("clip"))
    hub(tmp_path, "some/half", layouts("clip"))  # in several files, of which one came
    (index,) = tmp_path.glob("hub/models--some--half/snapshots/*")
    shards = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (index / "model.safetensors.index.json").write_text(json.dumps(shards))
    hub(tmp_path, "Marqo/marqo-fashionSigLIP", layouts("open_siglip"))
    hub(tmp_path, "timm/vit_base_patch32_clip_224.openai", layouts("open_clip"))
    code = """
for name in ("fashionclip", "clip", "siglip", "marqo-fashionsiglip", "marqo-fashionclip"):
    tried(name)
tried("fashionclip", revision="v2")
tried("clip", model="some/half")
tried("open-clip", model="ViT-B-32", pretrained="openai")
"""
    shim = str(Path(__file__).parents[2] / "shim")
    found = alone(code, HF_HOME=str(tmp_path), PYTHONPATH=shim)

    def missing(name: str, model: str) -> str:
        return (
            f"{name} 3 The model {model} is not in {tmp_path}/hub and cannot be fetched "
            "(HF_HUB_OFFLINE is set); fetch it once with a network, or name a folder with "
            "student.model."
        )

    assert found == [
        "fashionclip loaded 48",
        missing("clip", "openai/clip-vit-base-patch32"),
        missing("siglip", "google/siglip-base-patch16-224"),
        "marqo-fashionsiglip loaded 64",
        missing("marqo-fashionclip", "Marqo/marqo-fashionCLIP"),
        missing("fashionclip", "patrickjohncyh/fashion-clip"),
        missing("clip", "some/half"),
        "open-clip loaded 48",
    ]


@pytest.mark.slow
def test_a_torchvision_that_does_not_fit(layouts: Layouts, tmp_path: Path) -> None:
    """CLIP does not need it; open_clip does, and says how to mend it."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision/__init__.py").write_text("raise RuntimeError('nms does not exist')")
    (tmp_path / "torchvision-0.28.0.dist-info").mkdir()
    (tmp_path / "torchvision-0.28.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: torchvision\nVersion: 0.28.0\n"
    )
    code = f"""
tried("open-clip", model="local-dir:{layouts("open_clip")}")
tried("clip", model="{layouts("clip")}")
tried("siglip", model="{layouts("siglip")}")
"""
    first, *others = alone(code, PYTHONPATH=str(tmp_path))
    assert others == ["clip loaded 48", "siglip loaded 64"]
    assert first.startswith(
        "open-clip 3 open_clip needs torchvision, and the one that is installed does not fit torch "
        "(nms does not exist); install both from one index"
    )


def test_the_saved_card_of_a_preprocessor_is_untouched(
    loaded: Made, layouts: Layouts, tmp_path: Path
) -> None:
    """Older versions of transformers must find the names that they know."""
    loaded("clip").save(tmp_path)
    for name in ("preprocessor_config.json", "tokenizer_config.json", "config.json"):
        before, after = (json.loads((f / name).read_text()) for f in (layouts("clip"), tmp_path))
        assert before == after
