"""Texts beyond the window of the text tower: cut off with a warning, refused, or read in parts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import pytest

pytest.importorskip("transformers", reason="pip install 'pvd-distill[hf]'")
pytest.importorskip("open_clip", reason="pip install 'pvd-distill[open-clip]'")
torch = pytest.importorskip("torch")

import pvd  # noqa: E402
from pvd.kit import BadInput  # noqa: E402
from pvd_plugins.students.dual.texts import pieces  # noqa: E402

Made = Callable[..., pvd.Student]
KINDS = ("clip", "siglip", "open_clip", "open_siglip")


def words(texts: Sequence[str]) -> list[int]:
    """A tokenizer by which every five letters of a word are a token, with one around each text."""
    return [2 + sum(-(-len(word) // 5) for word in text.split()) for text in texts]


@pytest.mark.parametrize("long", ["truncate", "error", "chunk"])
def test_what_fits_stays(long: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pieces(["a b c", "", "d"], words, 5, long) == [["a b c"], [""], ["d"]]


def test_cutting_off_is_said_with_counts() -> None:
    texts = ["a b c", "a b c d e f", "a b c d"]
    with pytest.warns(UserWarning, match="are longer") as said:
        assert pieces(texts, words, 5, "truncate") == [[text] for text in texts]
    assert [str(w.message) for w in said] == [
        "2 of 3 texts are longer than the 5 tokens that the text tower reads; the longest has 8, "
        "and begins with 'a b c d e f'. The ends are cut off: 4 of 19 tokens. student.long=chunk "
        "reads all of them."
    ]


def test_one_that_is_refused() -> None:
    with pytest.raises(
        BadInput, match=r"^1 of 2 texts is longer .* Shorten it, or set student.long"
    ):
        pieces(["a", "a b c d"], words, 5, "error")


def test_parts_hold_every_word_once_and_fit() -> None:
    text = "one two three-and-more four incomprehensibilities five six seven"
    (parts,) = pieces([text], words, 6, "chunk")
    assert " ".join(parts).replace(" ", "") == text.replace(" ", "")
    assert max(words(parts)) <= 6
    assert parts[0].split() == ["one", "two"], "a word that does not fit begins the next part"
    assert len(parts) == 5, "no more parts than going from left to right needs"


def test_a_word_longer_than_the_window_is_halved() -> None:
    (parts,) = pieces(["x" * 100], words, 4, "chunk")
    assert "".join(parts).replace(" ", "") == "x" * 100
    assert max(words(parts)) <= 4


def test_a_space_may_have_a_token_of_its_own() -> None:
    def spaced(texts: Sequence[str]) -> list[int]:
        return [1 + len(text.split()) + text.count(" ") for text in texts]

    (parts,) = pieces(["a b c d e f g h"], spaced, 6, "chunk")
    assert " ".join(parts) == "a b c d e f g h"
    assert max(spaced(parts)) <= 6


def test_words_that_cost_more_together_are_parted() -> None:
    def together(texts: Sequence[str]) -> list[int]:
        return [1 + len(text.replace(" ", "")) ** 2 for text in texts]

    (parts,) = pieces(["a b c d e f g"], together, 6, "chunk")
    assert "".join(parts).replace(" ", "") == "abcdefg"
    assert max(together(parts)) <= 6


@pytest.mark.parametrize("kind", [*KINDS, "siglip2"])
@pytest.mark.parametrize(
    "text", ["gift, garden; it's 25 \u20ac! ", "\u6771\u4eac\u3067", "... !? "]
)
def test_no_part_is_cut_off(loaded: Made, kind: str, text: str) -> None:
    network = loaded(kind)._net
    parts = pieces([text * 60], network.lengths, network.window, "chunk")[0]
    assert "".join("".join(parts).split()) == "".join((text * 60).split())
    assert max(network.lengths(parts)) <= network.window


@pytest.mark.parametrize("kind", KINDS)
def test_counts_are_the_tokenizers(loaded: Made, kind: str) -> None:
    network = loaded(kind)._net
    some = ["", "a gift", "boots for rain in the mountains", "gift " * 300]
    counts = network.lengths(some)
    assert counts == sorted(counts)
    assert counts[-1] > network.window
    # A text that just fits is read to its end; what is beyond makes no difference.
    fitting = " ".join(["gift"] * ((network.window - counts[0]) // (counts[1] - counts[0])))
    while network.lengths([fitting + " a"])[0] <= network.window:
        fitting += " a"
    ends = [fitting[:-1] + letter for letter in "aeionrst"]
    ends = [end for end in ends if network.lengths([end])[0] <= network.window]
    more = " gift gift gift gift"
    with torch.no_grad():
        inside = network.read(ends)
        beyond = network.read([fitting + more + " one", fitting + more + " two"])
    assert len(ends) > 1
    assert not torch.equal(inside[0], inside[1])
    torch.testing.assert_close(beyond[0], beyond[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_are_averaged(loaded: Made, kind: str) -> None:
    student = loaded(kind, long="chunk")
    short, long = "a gift for a mother", "rain in the mountains and " * 40
    network = student._net
    parts = pieces([long], network.lengths, network.window, "chunk")[0]
    assert len(parts) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = student.embed_texts([short, long, short])
    alone = loaded(kind).embed_texts([short, *parts])
    mean = torch.nn.functional.normalize(alone[1:].mean(0), dim=0)
    torch.testing.assert_close(got, torch.stack([alone[0], mean, alone[0]]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_long_is_never_silent(loaded: Made, kind: str) -> None:
    with pytest.warns(UserWarning, match=r"1 of 2 texts is longer than the \d\d tokens"):
        loaded(kind).embed_texts(["a gift", "rain " * 200])
    with pytest.raises(BadInput, match="1 of 2 texts is longer"):
        loaded(kind, long="error").embed_texts(["a gift", "rain " * 200])
