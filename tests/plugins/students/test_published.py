"""CLIP, SigLIP and open_clip students on random weights in the published layouts: the same
embeddings as their libraries', before and after training, whatever part learns.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

hf = pytest.importorskip("transformers", reason="pip install 'pvd-distill[hf]'")
open_clip = pytest.importorskip("open_clip", reason="pip install 'pvd-distill[open-clip]'")
torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402
from torch.nn.functional import normalize  # noqa: E402

import pvd  # noqa: E402
from pvd.testing import assert_contract  # noqa: E402

Made = Callable[..., pvd.Student]
KINDS = ("clip", "siglip", "open_clip", "open_siglip", "open_resnet")
STACKS = KINDS[:-1]  # a ResNet has no blocks to count
PARTS = ("all", "last-2", "projection", "lora", "lora-1")
TEXTS = ["a gift for a mother who loves gardening", "Boots.", ""]
EXACT = {"atol": 1e-5, "rtol": 0}

pytestmark = pytest.mark.filterwarnings("ignore:student.part=lora changes every block")


def pictures(count: int = 5) -> list[Image.Image]:
    """Of several shapes, so that resizing and cropping have something to do."""
    rng = np.random.default_rng(0)
    shapes = [(40 + 17 * n, 90 - 9 * n, 3) for n in range(count)]
    return [Image.fromarray((rng.random(shape) * 255).astype("uint8")) for shape in shapes]


def theirs(kind: str, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts and pictures as the library itself embeds them, at unit length."""
    with torch.no_grad():
        if kind.startswith("open"):
            place = f"local-dir:{folder}"
            model, _, look = open_clip.create_model_and_transforms(place)
            model.eval()
            words = open_clip.get_tokenizer(place)(TEXTS)
            seen = torch.stack([look(image) for image in pictures()])
            texts, images = model.encode_text(words), model.encode_image(seen)
        else:
            family = {"clip": "CLIP"}.get(kind, "Siglip")
            model = getattr(hf, f"{family}Model").from_pretrained(folder).eval()
            how = {"padding": True} if kind == "clip" else {"padding": "max_length"}
            words = hf.AutoTokenizer.from_pretrained(folder)(
                TEXTS, truncation=True, max_length=64, return_tensors="pt", **how
            )
            keep = words if kind == "clip" else {"input_ids": words["input_ids"]}
            look = getattr(hf, f"{family}ImageProcessorPil").from_pretrained(folder)
            seen = look(pictures(), return_tensors="pt")["pixel_values"]
            texts = model.get_text_features(**keep).pooler_output
            images = model.get_image_features(seen).pooler_output
    return normalize(texts, dim=1), normalize(images, dim=1)


def ours(student: pvd.Student) -> tuple[torch.Tensor, torch.Tensor]:
    return student.embed_texts(TEXTS), student.embed_prepared(student.prepare(pictures())).detach()


def train(student: pvd.Student, steps: int = 3) -> None:
    """Towards nothing in particular, and visibly."""
    optimizer = torch.optim.AdamW(student.parameter_groups(), lr=3e-3)
    prepared = student.prepare(pictures())
    for _ in range(steps):
        rows = student.embed_prepared(prepared, train=True)
        loss = (rows @ rows.T).square().mean() + rows[:, 0].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "part"),
    [*((k, part) for k in STACKS for part in PARTS), ("open_resnet", "all"), ("siglip2", "last-1")],
)
def test_embeddings_are_the_librarys(
    loaded: Made, layouts: Callable[[str], Path], tmp_path: Path, kind: str, part: str
) -> None:
    student = loaded(kind, part=part)
    texts, images = ours(student)
    want_texts, want_images = theirs(kind, layouts(kind))
    torch.testing.assert_close(texts, want_texts, **EXACT)
    torch.testing.assert_close(images, want_images, **EXACT)
    assert (1 - images @ images.T).max() > 1e-5, "they could be told apart"

    train(student)
    texts, images = ours(student)
    student.save(tmp_path / "saved")
    kept_texts, kept_images = theirs(kind, tmp_path / "saved")
    torch.testing.assert_close(texts, kept_texts, **EXACT)
    torch.testing.assert_close(images, kept_images, **EXACT)
    assert torch.equal(kept_texts, want_texts), "the text side is frozen"
    assert (1 - (kept_images * want_images).sum(1)).max() > 1e-3, "the image side learned"


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2"])
@pytest.mark.parametrize("part", ["all", "lora-1"])
def test_sentence_transformers_opens_what_is_saved(
    loaded: Made, tmp_path: Path, kind: str, part: str
) -> None:
    library = pytest.importorskip("sentence_transformers")
    student = loaded(kind, part=part)
    train(student)
    student.save(tmp_path)
    square = [image.resize((32, 32)) for image in pictures()]  # torchvision resizes otherwise

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about versions
        model = library.SentenceTransformer(str(tmp_path))
        texts, images = model.encode(TEXTS[:2]), model.encode(square)

    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-6)
    torch.testing.assert_close(student.embed_texts(TEXTS[:2]), torch.tensor(texts), **EXACT)
    want = student.embed_prepared(student.prepare(square)).detach()
    torch.testing.assert_close(want, torch.tensor(images), **EXACT)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "part", "precision"),
    [
        ("clip", "all", "fp32"),
        ("clip", "last-2", "bf16"),
        ("clip", "projection", "fp32"),
        ("clip", "lora", "fp32"),
        ("siglip", "all", "bf16"),
        ("siglip", "last-2", "fp32"),
        ("siglip", "projection", "fp32"),
        ("siglip", "lora-1", "bf16"),
        ("open_clip", "all", "fp32"),
        ("open_clip", "last-2", "fp32"),
        ("open_clip", "projection", "bf16"),
        ("open_clip", "lora-1", "fp32"),
        ("open_siglip", "last-2", "fp32"),
        ("open_siglip", "projection", "fp32"),
        ("open_resnet", "all", "fp32"),
    ],
)
def test_the_contract(student: Made, kind: str, part: str, precision: str) -> None:
    assert_contract(student(kind, part=part, precision=precision))


@pytest.mark.parametrize("kind", STACKS)
def test_bf16_and_what_is_kept_stay_close(loaded: Made, kind: str) -> None:
    exact = ours(loaded(kind))[1]
    for part in ("all", "last-1"):
        rounded = ours(loaded(kind, part=part, precision="bf16"))[1]
        apart = 1 - float((exact * rounded).sum(1).min())
        assert 0 < apart < 1e-3, f"{part}: 1 - cosine {apart:.1g}"


def test_what_learns(loaded: Made) -> None:
    counts = {
        part: sum(
            p.numel() for g in loaded("clip", part=part).parameter_groups() for p in g["params"]
        )
        for part in (*PARTS, "last-3")
    }
    block, projection, norm = (
        96 * 96 * 4 + 96 * 4 + 96 * 192 * 2 + 192 + 96 + 96 * 4,
        96 * 48,
        96 * 2,
    )
    assert counts["projection"] == projection
    assert counts["last-2"] == 2 * block + norm + projection
    assert counts["last-3"] == 3 * block + norm + projection
    assert counts["all"] - counts["last-3"] == 3 * 64 * 96 + 96 + 17 * 96 + norm
    assert counts["lora"] == 3 * counts["lora-1"]
    assert counts["lora-1"] == 16 * (4 * (96 + 96) + 2 * (96 + 192))


def test_a_rank_of_ones_own(loaded: Made) -> None:
    sizes = {
        tuple(p.shape)
        for g in loaded("clip", part="lora-1", rank=3).parameter_groups()
        for p in g["params"]
    }
    assert sizes == {(3, 96), (96, 3), (192, 3), (3, 192)}


def test_lora_begins_where_the_model_is_and_alike_each_time(loaded: Made) -> None:
    plain = ours(loaded("clip"))[1]
    torch.manual_seed(1)
    first = loaded("clip", part="lora")
    torch.manual_seed(2)
    second = loaded("clip", part="lora")
    torch.testing.assert_close(ours(first)[1], plain, **EXACT)
    train(first)
    train(second)
    assert torch.equal(ours(first)[1], ours(second)[1])


def test_lora_says_what_it_costs(student: Made) -> None:
    with pytest.warns(UserWarning, match="nothing below can be kept .* last N of 3 and keeps"):
        student("clip", part="lora").load("cpu")


def test_what_is_prepared(loaded: Made) -> None:
    shapes = {part: loaded("clip", part=part).prepare(pictures()) for part in PARTS}
    assert {part: (tuple(found.shape), str(found.dtype)) for part, found in shapes.items()} == {
        "all": ((5, 3, 32, 32), "torch.uint8"),
        "lora": ((5, 3, 32, 32), "torch.uint8"),
        "last-2": ((5, 17, 96), "torch.float32"),
        "lora-1": ((5, 17, 96), "torch.float32"),
        "projection": ((5, 96), "torch.float32"),
    }
    half = loaded("clip", part="last-2", precision="bf16").prepare(pictures())
    assert half.dtype == torch.bfloat16


class TestTheKeyOfWhatIsPrepared:
    def test_it_differs_where_what_is_prepared_does(self, loaded: Made) -> None:
        some = [("clip", {"part": part}) for part in PARTS if part != "lora"]
        some += [("clip", {"part": "last-2", "precision": "bf16"}), ("siglip", {})]
        some += [("open_clip", {}), ("open_siglip", {"part": "last-2"}), ("open_siglip", {})]
        keys = [loaded(kind, **options).prepare_key() for kind, options in some]
        assert len(set(keys)) == len(keys)

    def test_pixels_do_not_depend_on_precision_or_weights(self, loaded: Made) -> None:
        keys = {
            loaded("clip", part=part, precision=precision).prepare_key()
            for part in ("all", "lora")
            for precision in ("fp32", "bf16")
        }
        assert len(keys) == 1

    @pytest.mark.parametrize(("part", "same"), [("all", True), ("last-1", False)])
    def test_weights_below_count(
        self, loaded: Made, layouts: Callable[[str], Path], tmp_path: Path, part: str, same: bool
    ) -> None:
        other = loaded("clip")
        train(other)
        other.save(tmp_path)
        key = loaded("clip", part=part).prepare_key()
        assert (loaded("clip", tmp_path, part=part).prepare_key() == key) is same

    def test_other_preprocessing_counts(self, loaded: Made, copied: Path) -> None:
        path = copied / "preprocessor_config.json"
        config = json.loads(path.read_text())
        path.write_text(json.dumps({**config, "resample": 2}))
        assert loaded("clip", copied).prepare_key() != loaded("clip").prepare_key()

    def test_how_the_tower_computes_counts(self, loaded: Made, copied: Path) -> None:
        path = copied / "config.json"
        config = json.loads(path.read_text())
        config["vision_config"]["hidden_act"] = "gelu"  # the weights are the same
        path.write_text(json.dumps(config))
        for part, same in (("last-1", False), ("all", True)):
            keys = [loaded("clip", place, part=part).prepare_key() for place in (None, copied)]
            assert (keys[0] == keys[1]) is same

    def test_quick_gelu_counts(
        self, loaded: Made, layouts: Callable[[str], Path], tmp_path: Path
    ) -> None:
        import shutil

        folder = Path(shutil.copytree(layouts("open_clip"), tmp_path / "quick"))
        path = folder / "open_clip_config.json"
        config = json.loads(path.read_text())
        config["model_cfg"]["quick_gelu"] = True
        path.write_text(json.dumps(config))
        keys = [loaded("open_clip", where, part="last-1").prepare_key() for where in (None, folder)]
        assert keys[0] != keys[1]


@pytest.fixture
def copied(layouts: Callable[[str], Path], tmp_path: Path) -> Path:
    """A CLIP that may be changed."""
    import shutil

    return Path(shutil.copytree(layouts("clip"), tmp_path / "copy"))


@pytest.mark.parametrize("kind", STACKS)
def test_the_saved_folder_has_the_published_files(
    loaded: Made, layouts: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    from safetensors import safe_open

    loaded(kind).save(tmp_path)
    before = {path.name for path in layouts(kind).iterdir()}
    after = {path.name for path in tmp_path.iterdir()}
    more = {"modules.json", "sentence_bert_config.json", "1_Normalize"}
    assert after == before | (set() if kind.startswith("open") else more)
    name = "open_clip_model" if kind.startswith("open") else "model"
    names = []
    for folder in (layouts(kind), tmp_path):
        with safe_open(folder / f"{name}.safetensors", "pt") as file:
            names.append(set(file.keys()))
    assert names[0] == names[1]


def test_weights_of_16_bits_are_saved_as_the_fp32_that_they_became(
    loaded: Made, copied: Path, tmp_path: Path
) -> None:
    hf.CLIPModel.from_pretrained(copied, dtype=torch.float16).save_pretrained(copied)
    assert json.loads((copied / "config.json").read_text())["dtype"] == "float16"
    student = loaded("clip", copied)
    train(student)
    student.save(tmp_path / "saved")
    images = theirs("clip", tmp_path / "saved")[1]
    torch.testing.assert_close(images, ours(student)[1], **EXACT)


def test_what_else_lies_in_a_models_folder_is_not_taken_along(
    loaded: Made, copied: Path, tmp_path: Path
) -> None:
    for name in ("passwords.txt", "wandb.json", "notes.model"):
        (copied / name).write_text("{}")
    config = json.loads((copied / "config.json").read_text())
    config |= {"_name_or_path": "/home/me/models/mine"}
    (copied / "config.json").write_text(json.dumps(config))
    loaded("clip", copied).save(tmp_path / "saved")
    assert not {"passwords.txt", "wandb.json", "notes.model"} & {
        path.name for path in (tmp_path / "saved").iterdir()
    }
    assert "/home/me" not in (tmp_path / "saved" / "config.json").read_text()


def test_options_of_the_presets() -> None:
    def about(name: str, **options: Any) -> dict[str, str]:
        return dict(pvd.load("student", name, **options).about())

    assert about("clip")["base_model"] == "openai/clip-vit-base-patch32"
    assert about("fashionclip", revision="abc")["base_model"] == "patrickjohncyh/fashion-clip"
    assert about("fashionclip", revision="abc")["revision"] == "abc"
    assert about("siglip")["base_model"] == "google/siglip-base-patch16-224"
    assert about("marqo-fashionclip")["base_model"] == "Marqo/marqo-fashionCLIP"
    assert about("marqo-fashionsiglip")["base_model"] == "Marqo/marqo-fashionSigLIP"
    assert "base_model" not in about("open-clip", model="ViT-B-32", pretrained="openai")
    # Of a folder the card says the name, and not that of a published model.
    assert about("clip", model="/models/mine")["base_model"] == "/models/mine"
    assert about("open-clip", model="local-dir:/models/mine")["base_model"] == "/models/mine"
    assert about("open-clip", model="laion/one")["base_model"] == "laion/one"
    assert "revision" not in about("open-clip", model="local-dir:/models/mine")
    for name in ("clip", "siglip", "open-clip"):
        compile(about(name)["load"], name, "exec")


def test_a_folder_that_looks_like_an_id_stays_that_folder(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = f"{copied.parent.name}/{copied.name}"
    monkeypatch.chdir(copied.parents[1])
    student = pvd.load("student", "clip", model=model)
    monkeypatch.chdir("/")
    student.load("cpu")
    assert student.about()["base_model"] == str(copied.resolve())


@pytest.mark.parametrize(
    ("part", "rate"),
    [("all", 1e-5), ("last-2", 3e-5), ("lora", 2e-4), ("lora-2", 2e-4), ("projection", 3e-4)],
)
def test_the_rate_is_that_of_the_part(part: str, rate: float) -> None:
    assert pvd.load("student", "clip", part=part).learning_rate() == rate
