"""The bundled student: frozen words, rows by themselves, and weights that know no tastes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from PIL import Image

import pvd
from pvd import kit
from pvd_plugins.students import tiny
from pvd_plugins.students.tiny import captions, text, vision


@pytest.fixture(scope="module")
def student() -> pvd.Student:
    made: pvd.Student = pvd.load("student", "tiny")
    made.load("cpu")
    return made


@pytest.fixture(scope="module")
def shop() -> Any:
    return pvd.load("source", "boutique", size=240, seed=5)


@pytest.fixture(scope="module")
def pictures(shop: Any) -> list[Image.Image]:
    return [item.open() for item in shop.catalog("")]


@pytest.fixture(scope="module")
def prepared(student: pvd.Student, pictures: list[Image.Image]) -> torch.Tensor:
    described = student.prepare(pictures)
    assert isinstance(described, torch.Tensor)
    return described


def test_the_plugin_module_loads_without_torch() -> None:
    code = (
        "import sys, pvd_plugins.students.tiny;"
        "print([m for m in ('torch', 'numpy', 'PIL', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_weights_are_small() -> None:
    assert (tiny.BUNDLED / tiny.WEIGHTS).stat().st_size <= 5_000_000


def test_texts_have_unit_length_whatever_they_say(student: pvd.Student) -> None:
    texts = ["a keen gardener", "the of a", "", "?!", "園芸が好きな母", "x" * 3000]
    embedded = student.embed_texts(texts)
    assert embedded.shape == (len(texts), text.WIDTH)
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(len(texts)))


def test_unknown_words_differ_and_kindred_ones_are_close(student: pvd.Student) -> None:
    texts = ["a flimbrator", "a quostelet", "gardener", "gardening", "glacier"]
    close = student.embed_texts(texts) @ student.embed_texts(texts).T
    assert close[0, 1] < 0.3
    assert close[2, 3] > 0.3 > close[2, 4]


def test_a_text_is_near_the_sum_of_its_parts(student: pvd.Student) -> None:
    whole, *parts = student.embed_texts(
        ["a sailor who is planning a picnic", "a sailor", "planning a picnic"]
    )
    total = parts[0] + 2**0.5 * parts[1]
    assert whole @ total / total.norm() > 0.95


def test_a_text_embeds_alike_in_any_company(student: pvd.Student) -> None:
    alone = student.embed_texts(["a village librarian"])
    together = student.embed_texts(["somebody else", "a village librarian"])
    assert torch.equal(alone[0], together[1])


@pytest.mark.parametrize("train", [False, True])
def test_images_have_unit_length(student: pvd.Student, prepared: torch.Tensor, train: bool) -> None:
    embedded = student.embed_prepared(prepared, train=train)
    assert embedded.shape == (len(prepared), text.WIDTH)
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(len(prepared)))


def test_a_row_depends_on_its_picture_alone(
    student: pvd.Student, pictures: list[Image.Image], prepared: torch.Tensor
) -> None:
    together = student.embed_prepared(prepared)
    torch.testing.assert_close(student.embed_prepared(prepared[7:8]), together[7:8])
    torch.testing.assert_close(student.embed_prepared(prepared.flip(0)), together.flip(0))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("together", [1, 3, 31])
def test_a_picture_is_described_in_the_same_bits(
    pictures: list[Image.Image],
    prepared: torch.Tensor,
    together: int,
    threads: int,
) -> None:
    # What is kept of an earlier run was prepared in other company, perhaps beside other work.
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        parts = [pictures[i : i + together] for i in range(0, 93, together)]
        described = torch.cat([vision.describe(part) for part in parts])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(described, prepared[:93])


def test_any_picture_can_be_described() -> None:
    odd = [Image.new("L", (1, 1)), Image.new("RGBA", (3, 500), "red"), Image.new("P", (900, 20))]
    described = vision.describe(odd)
    assert described.shape == (3, vision.WIDTH)
    assert described.isfinite().all()


def test_the_mirror_is_the_picture_mirrored(pictures: list[Image.Image]) -> None:
    # At the size that is described: resizing first would round otherwise.
    small = [p.resize((vision.SIDE, vision.SIDE)) for p in pictures[:16]]
    flipped = [p.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for p in small]
    torch.testing.assert_close(
        vision.mirrored(vision.describe(small)), vision.describe(flipped), atol=0.05, rtol=0
    )


def test_augment_follows_its_generator(student: pvd.Student, prepared: torch.Tensor) -> None:
    def once(seed: int) -> torch.Tensor:
        result = student.augment(prepared, torch.Generator().manual_seed(seed))
        assert isinstance(result, torch.Tensor)
        return result

    assert torch.equal(once(1), once(1))
    assert not torch.equal(once(1), once(2))


def test_saved_and_opened_it_is_the_same(
    student: pvd.Student, prepared: torch.Tensor, tmp_path: Path
) -> None:
    other = pvd.load("student", "tiny")
    other.load("cpu")
    for value in (state := other.state()).values():
        value += 0.01 * torch.randn_like(value)
    other.load_state(state)
    other.save(tmp_path)
    again = pvd.load("student", "tiny")
    again.load("cpu")
    assert not torch.equal(again.embed_prepared(prepared), other.embed_prepared(prepared))
    again = pvd.load("student", "tiny")
    again.open(tmp_path, "cpu")
    assert torch.equal(again.embed_prepared(prepared), other.embed_prepared(prepared))
    assert again.state().keys() == state.keys()
    assert all(torch.equal(again.state()[name], state[name]) for name in state)


def test_open_refuses_what_another_student_wrote(student: pvd.Student, tmp_path: Path) -> None:
    fresh = pvd.load("student", "tiny")
    with pytest.raises(pvd.kit.MissingFile, match="config"):
        fresh.open(tmp_path, "cpu")
    (tmp_path / tiny.CARD).write_text('{"model": "huge"}')
    with pytest.raises(pvd.kit.BadInput, match="another student"):
        fresh.open(tmp_path, "cpu")


def test_only_the_image_side_learns(prepared: torch.Tensor) -> None:
    learner = pvd.load("student", "tiny")
    learner.load("cpu")
    before = learner.embed_texts(["a village librarian"])
    groups = learner.parameter_groups()
    loss = (learner.embed_texts(["a village librarian"]) @ learner.embed_prepared(prepared).T).sum()
    loss.backward()
    parameters = [p for group in groups for p in group["params"]]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters)
    assert sum(p.numel() for p in parameters) == sum(v.numel() for v in learner.state().values())
    torch.optim.SGD(groups, lr=1.0).step()
    assert torch.equal(before, learner.embed_texts(["a village librarian"]))


def test_no_taste_and_no_persona_goes_into_the_captions(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain = pytest.importorskip("pvd_plugins.students.tiny.pretrain")
    people = shop.personas("")
    monkeypatch.setattr(type(shop), "personas", _nobody)
    _, attributes = pretrain.look(40)
    rng = Random(0)
    written = {captions.caption(each, rng) for each in attributes * 50}
    columns = {"category", "colour", "pattern", "tone"}
    assert all(set(each) <= columns for each in attributes)
    assert not any(person.text in caption for person in people for caption in written)
    # A part of a persona is a sentence about somebody; captions are bare words about a thing.
    assert not any(" who " in f" {caption} " for caption in written)


def _nobody(*_: object) -> None:
    raise AssertionError("pretraining asked for personas")


def test_captions_leave_parts_out_and_are_never_empty() -> None:
    look = {"category": "watering can", "colour": "green", "pattern": "plain", "tone": "mid"}
    rng = Random(1)
    written = [captions.caption(look, rng) for _ in range(300)]
    assert all(written)
    assert any("garden" in caption for caption in written)
    assert any("watering can" not in caption for caption in written)


@pytest.mark.slow
def test_before_any_distillation_it_knows_more_than_chance(student: pvd.Student) -> None:
    shop = pvd.load("source", "boutique")
    items, people = list(shop.catalog(""))[:400], shop.personas("")
    images = student.embed_prepared(student.prepare([item.open() for item in items])).detach()
    scores = student.embed_texts([person.text for person in people]) @ images.T
    tastes = [person.attributes["tastes"] for person in people]
    means = []  # of each persona's best items, since those of one persona hang together
    for row, likes in zip(scores, tastes, strict=True):
        utilities = [sum(likes.get(f"{k}={v}", 0) for k, v in i.attributes.items()) for i in items]
        best = [n for n, u in enumerate(utilities) if u == max(utilities)]
        ranks = [100 * (1 - float((row > row[n]).sum()) / len(items)) for n in best]
        means.append(sum(ranks) / len(ranks))
    zero_shot = kit.mean(means, 0, "personas")
    print(f"zero-shot {zero_shot.value:.1f} ({zero_shot.low:.1f} to {zero_shot.high:.1f})")
    assert zero_shot.low > 50 + 50 / len(items)  # chance lies below the interval
