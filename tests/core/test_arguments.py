"""What a caller hands to a student: refused with a sentence that blames no plug-in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from strangers import COLOURS, component

import pvd
from pvd import testing
from pvd.discovery import Registry, registry
from pvd.errors import BadInput, PluginError
from pvd.isolation import arguments, guard, unguarded
from pvd.protocols import Evaluator

ITEM = pvd.Item("scarf", partial(bytes))
PICTURE = Image.new("RGB", (40, 30))


@pytest.fixture(params=["tiny", "colours", "third"])
def student(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pvd.Student:
    """A student that comes with pvd, one of a file, and a stranger's that iterates over all."""
    monkeypatch.setattr(registry, "__dict__", Registry().__dict__)
    if request.param == "colours":
        registry.load_file(COLOURS)
    if request.param == "third":
        file = tmp_path / "third.py"
        body = """
def embed_texts(self, texts):
    import torch
    assert len(texts), "nobody asks about no texts"
    return torch.nn.functional.normalize(torch.ones(len(texts), 7), dim=1)
"""
        file.write_text(component("student", "third", body))
        registry.load_file(file)
    made = pvd.load("student", request.param)
    made.load("cpu")
    return made


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("red shoes", "not 'red shoes'; write ['red shoes']."),
        ("x" * 200, "not '" + "x" * 39 + "…'; write ["),
        (None, "not None; write for example ['red shoes']."),
        (b"red", "not a bytes; write"),
        ({"red": 1}, "not a dict; write"),
        ((t for t in ["a"]), "not a generator; write"),
        (["red", 3.0], "and one of them is 3.0; write text in its place, or leave it out."),
        (["red", None], "and one of them is None; write text"),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_texts_that_are_no_list_of_texts(student: pvd.Student, given: Any, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        student.embed_texts(given)
    assert str(caught.value).startswith(f"embed_texts takes a list of texts, {said}")
    assert not isinstance(caught.value, PluginError)
    with unguarded(), pytest.raises(BadInput, match="takes a list of texts"):
        student.embed_texts(texts=given)


def test_no_texts_have_no_rows_of_the_right_width(student: pvd.Student) -> None:
    wide = student.embed_texts(["a", "b"])
    assert wide.shape[0] == 2
    for none in ([], ()):
        found = student.embed_texts(none)
        assert found.shape == (0, wide.shape[1])
        assert found.dtype == wide.dtype


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (PICTURE, "not one picture; write [image]."),
        (ITEM, "not the item 'scarf'; write [item.open()]."),
        ("a.png", "not the path 'a.png'; write [PIL.Image.open('a.png')]."),
        (Path("a.png"), "not the path 'a.png'; write [PIL.Image.open('a.png')]."),
        ([ITEM], "and one of them is the item 'scarf'; write item.open() in its place."),
        ([PICTURE, "a.png"], "and one of them is the path 'a.png'; write PIL.Image.open('a.png')"),
        (7, "not 7; write for example [item.open()]."),
        ([], "one at least, and got none; leave the call out."),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_pictures_that_are_no_list_of_pictures(student: pvd.Student, given: Any, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        student.prepare(given)
    assert str(caught.value).startswith(f"prepare takes a list of pictures (PIL.Image), {said}")
    assert not isinstance(caught.value, PluginError)


@pytest.mark.parametrize("given", [[PICTURE], PICTURE, ITEM, "a.png"], ids=lambda g: repr(g)[:12])
def test_what_was_not_prepared(student: pvd.Student, given: Any) -> None:
    with pytest.raises(
        BadInput, match=r"takes what prepare returned, not .*; write embed_prepared"
    ):
        student.embed_prepared(given)


def test_what_fits_goes_through(student: pvd.Student) -> None:
    import numpy as np

    pictures = [item.open() for item in testing.items(3)]
    images = student.embed_prepared(student.prepare(tuple(pictures)))
    assert images.shape[0] == len(student.prepare(images=pictures)) == 3
    one = student.embed_texts(["red", "blue"])
    assert torch.equal(one, student.embed_texts(("red", "blue")))
    assert torch.equal(one, student.embed_texts(np.array(["red", "blue"])))


def test_a_plug_in_that_calls_a_student_wrongly_is_the_one_that_is_named() -> None:
    @dataclass(kw_only=True)
    class Wrong(Evaluator):
        def evaluate(self, exam: Any) -> dict[str, pvd.Estimate]:
            exam.embed_texts("red shoes")
            return {}

    guard(Wrong)
    student: Any = pvd.load("student", "tiny")
    student.load("cpu")
    with pytest.raises(
        PluginError, match=r"Wrong .* failed in evaluate: TypeError: embed_texts ta"
    ):
        Wrong().evaluate(student)


def test_each_look_is_at_an_argument_that_the_protocol_has() -> None:
    import inspect

    for method, (name, _) in arguments.LOOKS.items():
        assert list(inspect.signature(getattr(pvd.Student, method)).parameters)[1] == name


def test_a_students_own_calls_are_its_own_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes one may divide the work as they like, by `super()` too."""
    monkeypatch.setattr(registry, "__dict__", Registry().__dict__)
    file = tmp_path / "own.py"
    body = """
def embed_texts(self, texts):
    return super().embed_texts(t for t in texts) if len(texts) > 1 else super().embed_texts(texts)
"""
    file.write_text(component("student", "own", body))
    registry.load_file(file)
    student = pvd.load("student", "own")
    student.load("cpu")
    texts: Sequence[str] = ["red", "blue"]
    assert student.embed_texts(texts).shape[0] == 2
