"""The contract of a teacher, and what this one prefers."""

from __future__ import annotations

import io

import pvd
import pytest
from PIL import Image
from pvd import testing

from pvd_example import statistics
from pvd_example.aesthetic import Aesthetic
from pvd_example.words import heard


class TestContract(testing.TeacherContract):
    """What core relies on; `pvd plugins check teacher.aesthetic` runs the same."""

    def component(self) -> Aesthetic:
        return Aesthetic()


def item(colour: str) -> pvd.Item:
    def png() -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), colour).save(buffer, "PNG")
        return buffer.getvalue()

    return pvd.Item(colour, png)


ITEMS = (item("grey"), item("red"), item("rosybrown"))


def ranked(teacher: Aesthetic, text: str) -> pvd.Ranking:
    (ranking,) = teacher.rank([pvd.Slate(pvd.Persona("1", text), ITEMS)])
    return ranking


def test_the_most_colourful_is_the_best() -> None:
    assert ranked(Aesthetic(), "anybody").tiers == ((1,), (2,), (0,))


def test_a_weight_turns_the_order_around() -> None:
    assert ranked(Aesthetic(colourfulness=-1.0), "anybody").tiers == ((0,), (2,), (1,))


def test_a_word_of_the_persona_moves_a_weight() -> None:
    text = "Quiet and plain, that is enough."  # two words against colours
    assert ranked(Aesthetic(), text).tiers == ((0,), (2,), (1,))
    assert ranked(Aesthetic(emphasis=0.0), text).tiers == ((1,), (2,), (0,))


def test_words_are_whole_words_in_any_case() -> None:
    found = heard("BOLD, bold; but no plaintiff, and something soft.")
    assert found == {"colourfulness": 0, "contrast": 1, "sharpness": 0, "symmetry": 0}


def test_a_picture_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Image.Image] = []
    monkeypatch.setattr(
        statistics,
        "measure",
        lambda image: measured.append(image) or NOTHING,  # type: ignore
    )
    teacher = Aesthetic()
    for text in ("one", "another"):
        ranked(teacher, text)
    assert len(measured) == len(ITEMS)


NOTHING = statistics.Statistics(0.0, 0.0, 0.0, 0.0)


def test_another_formula_is_another_question(monkeypatch: pytest.MonkeyPatch) -> None:
    slate = testing.slate()
    before = Aesthetic().request(slate).digest
    monkeypatch.setattr(statistics, "VERSION", statistics.VERSION + 1)
    assert Aesthetic().request(slate).digest != before


def test_weights_are_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        Aesthetic(contrast=float("nan"))
