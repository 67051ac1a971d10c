"""Each check of a student, and students that it catches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import pytest
from caught import Broken, assert_caught, own_checks, verdicts, wrong

import pvd
from pvd import kit
from pvd.testing import StudentContract

PRICES = Path(__file__).with_name("prices.json")  # of colours


@dataclass(kw_only=True)
class Linear(pvd.Student):
    """A linear map of a small picture, and letters counted."""

    side: int = 4  # pixels

    def load(self, device: str) -> None:
        import torch

        rng = torch.Generator().manual_seed(0)
        self.weight = torch.randn(3 * self.side**2, 26, generator=rng).requires_grad_()

    def open(self, folder: Path, device: str) -> None:
        from safetensors.torch import load_file

        self.load(device)
        self.load_state(load_file(folder / "model.safetensors"))

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        save_file({"weight": self.weight.detach()}, folder / "model.safetensors")

    def count(self, texts: Sequence[str]) -> Any:
        """[P, 26], how often each letter occurs."""
        import torch

        letters = "abcdefghijklmnopqrstuvwxyz"
        return torch.tensor([[float(text.count(one)) for one in letters] for text in texts])

    def embed_texts(self, texts: Sequence[str]) -> Any:
        from torch.nn.functional import normalize

        return normalize(self.count(texts), dim=1)

    def prepare(self, images: Sequence[Any]) -> Any:
        import torch

        small = [image.resize((self.side, self.side)) for image in images]
        return torch.tensor([list(one.tobytes()) for one in small]) / 255

    def prepare_key(self) -> str:
        return f"linear {self.side}"

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Any:
        from torch.nn.functional import normalize

        return normalize(prepared @ self.weight, dim=1)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.weight], "lr_scale": 0.5}]

    def state(self) -> Any:
        return {"weight": self.weight.detach()}

    def load_state(self, state: Any) -> None:
        self.weight.data.copy_(state["weight"])


class Long(Linear):
    """Has texts of other lengths than 1."""

    def embed_texts(self, texts: Sequence[str]) -> Any:
        return 2 * super().embed_texts(texts)


class Double(Linear):
    """Has texts in double precision."""

    def embed_texts(self, texts: Sequence[str]) -> Any:
        return super().embed_texts(texts).double()


class Narrow(Linear):
    """Has texts in another space."""

    def count(self, texts: Sequence[str]) -> Any:
        return super().count(texts)[:, :20]


class Wide(Linear):
    """Has one number more in training."""

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Any:
        from torch.nn.functional import pad

        found = super().embed_prepared(prepared)
        return pad(found, (0, 1)) if train else found


class Loud(Linear):
    """Has other lengths than 1 in training."""

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Any:
        return super().embed_prepared(prepared) * (1 + train)


class Normed(Linear):
    """Centres each batch, in training."""

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Any:
        return super().embed_prepared(prepared - prepared.mean(0) * train)


class Crowded(Linear):
    """Centres the texts that are asked together."""

    def count(self, texts: Sequence[str]) -> Any:
        found = super().count(texts)
        return found - found.mean(0)


class Dropping(Linear):
    """Leaves something out by lot, also where nobody trains."""

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Any:
        from torch.nn.functional import dropout

        return super().embed_prepared(dropout(prepared, 0.1))


class Blind(Linear):
    """Sees no picture."""

    def prepare(self, images: Sequence[Any]) -> Any:
        return super().prepare(images) * 0 + 1


class Attached(Linear):
    """Prepares with what learns."""

    def prepare(self, images: Sequence[Any]) -> Any:
        return super().prepare(images).requires_grad_()


class Merged(Linear):
    """Prepares one row for all."""

    def prepare(self, images: Sequence[Any]) -> Any:
        return super().prepare(images).mean(0)


class Taken(Linear):
    """Names a tensor as the cache does."""

    def prepare(self, images: Sequence[Any]) -> Any:
        return {"digests": super().prepare(images)}

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Any:
        return super().embed_prepared(prepared["digests"])


class Centred(Linear):
    """Centres the pictures that are prepared together."""

    def prepare(self, images: Sequence[Any]) -> Any:
        found = super().prepare(images)
        return found - found.mean(0)


class Learning(Linear):
    """Has a key that changes with every step."""

    def prepare_key(self) -> str:
        return f"{super().prepare_key()} {float(self.weight.detach().sum())}"


class Personal(Linear):
    """Has a key of each object."""

    def prepare_key(self) -> str:
        return f"{super().prepare_key()} {id(self)}"


class Moving(Linear):
    """Prepares with the weights that learn."""

    def prepare(self, images: Sequence[Any]) -> Any:
        return super().prepare(images) + self.weight.detach().mean()


class Forgetful(Linear):
    """Has a key that does not know its options."""

    def prepare_key(self) -> str:
        return "linear"


@dataclass(kw_only=True)
class Toned(Linear):
    """Has a text in its options that its key does not know."""

    tone: str = "bright"

    def prepare(self, images: Sequence[Any]) -> Any:
        return super().prepare(images) + len(self.tone) / 100


@dataclass(kw_only=True)
class Cut(Linear):
    """Has a choice that its key knows in part."""

    cut: Literal["no", "left", "both"] = "no"

    def prepare(self, images: Sequence[Any]) -> Any:
        return super().prepare(images) * (1 + (self.cut == "both"))

    def prepare_key(self) -> str:
        return f"{super().prepare_key()} {self.cut == 'left'}"


@dataclass(kw_only=True)
class Unready(Linear):
    """Has a choice that it breaks under, and one whose weights are not here, which it says."""

    cut: Literal["no", "far", "both"] = "no"

    def load(self, device: str) -> None:
        if self.cut == "far":
            raise kit.MissingFile("There are no weights; fetch them.")
        super().load(device)
        self.by = {"no": 1.0}[self.cut]


@dataclass(kw_only=True)
class Priced(Linear):
    """Has a file among its options, of which its key knows the name."""

    prices: Path = PRICES

    def prepare(self, images: Sequence[Any]) -> Any:
        return super().prepare(images) + float(json.loads(self.prices.read_text())["red"])

    def prepare_key(self) -> str:
        return f"{super().prepare_key()} {self.prices}"


@dataclass(kw_only=True)
class Exact(Priced):
    """Knows all of its options in its key."""

    tone: str = ""
    least: int | None = None
    bins: tuple[float, ...] = (0.5,)

    def prepare(self, images: Sequence[Any]) -> Any:
        more = len(self.tone) + (self.least or 0) + sum(self.bins)
        return super().prepare(images) + more

    def prepare_key(self) -> str:
        options = [self.tone, self.least, self.bins, self.prices.read_text()]
        return f"{super().prepare_key()} {options}"


@dataclass(kw_only=True)
class Weights(Linear):
    """Has options for which there is one value alone."""

    model: str = "linear"
    folder: Path = PRICES.parent

    def __post_init__(self) -> None:
        if self.model != "linear":
            raise pvd.kit.BadInput(f"There is no model {self.model!r}; take 'linear'.")


class ByLength(Linear):
    """Embeds short texts first."""

    def embed_texts(self, texts: Sequence[str]) -> Any:
        return super().embed_texts(sorted(texts, key=len))


class Together(Linear):
    """Embeds equal texts together."""

    def embed_texts(self, texts: Sequence[str]) -> Any:
        return super().embed_texts(sorted(texts, key=list(texts).index))


class DarkFirst(Linear):
    """Embeds dark pictures first."""

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Any:
        return super().embed_prepared(prepared[prepared.sum(1).argsort()])


class SmallFirst(Linear):
    """Prepares small pictures first."""

    def prepare(self, images: Sequence[Any]) -> Any:
        return super().prepare(sorted(images, key=lambda image: image.width * image.height))


class Detached(Linear):
    """Loses the way back."""

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Any:
        return super().embed_prepared(prepared).detach()


class Elsewhere(Linear):
    """Lets something learn that nothing depends on."""

    def load(self, device: str) -> None:
        import torch

        super().load(device)
        self.other = torch.zeros(3, requires_grad=True)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.other]}]


class Joint(Linear):
    """Trains its texts, too."""

    def load(self, device: str) -> None:
        import torch

        super().load(device)
        self.scale = torch.ones(26, requires_grad=True)

    def embed_texts(self, texts: Sequence[str]) -> Any:
        from torch.nn.functional import normalize

        return normalize(self.count(texts) * self.weight.detach()[:1].abs(), dim=1)


class Rated(Linear):
    """Sets a rate that core sets."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.weight], "lr": 0.1}]


class Doubled(Linear):
    """Has a parameter in two groups."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.weight]}, {"params": [self.weight]}]


class Still(Linear):
    """Begins with no rate at all."""

    def learning_rate(self) -> float:
        return 0.0


class Pickling(Linear):
    """Saves a pickle beside it."""

    def save(self, folder: Path) -> None:
        import torch

        super().save(folder)
        torch.save(self.state(), folder / "model.pt")


class Published(Linear):
    """Opens the published weights."""

    def open(self, folder: Path, device: str) -> None:
        self.load(device)


class Stateless(Linear):
    """Has no state."""

    def state(self) -> Any:
        return {}

    def load_state(self, state: Any) -> None:
        self.weight.data.copy_(state.get("weight", self.weight.data))


class Lots(Linear):
    """Changes all pictures a little in training, by a lot of its own."""

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Any:
        return super().embed_prepared(prepared + train * Random().random() / 1e6)


class Varying(Linear):
    """Varies pictures by torch's own generator."""

    def augment(self, prepared: Any, rng: Any) -> Any:
        import torch

        return prepared + torch.rand(prepared.shape) / 100


class Halving(Linear):
    """Keeps one of two pictures."""

    def augment(self, prepared: Any, rng: Any) -> Any:
        return prepared[::2]


BROKEN = [
    ("test_unit_length", Broken(Long, r"embed_texts\(\) returned rows that are off unit length")),
    ("test_unit_length", Broken(Double, "texts and pictures are compared in float32")),
    (
        "test_unit_length",
        Broken(Wide, "texts into 26 numbers and images into 27 in training; both must"),
    ),
    (
        "test_unit_length",
        Broken(Loud, r"embed_prepared\(train=True\) returned rows that are off unit length"),
    ),
    (
        "test_unit_length",
        Broken(Narrow, "embeds texts into 20 numbers and images into 26; both must"),
    ),
    ("test_rows_alone", Broken(Normed, r"with the others in the batch \(train=True\); no batch")),
    ("test_texts_alone", Broken(Crowded, "when it is embedded alone; a search")),
    (
        "test_tells_apart",
        Broken(Dropping, "other embeddings the second time", ("test_rows_alone",)),
    ),
    ("test_tells_apart", Broken(Blind, "all pictures have one embedding", None)),
    ("test_prepared", Broken(Attached, "carries a gradient; it is constant, made once")),
    (
        "test_prepared",
        Broken(Merged, "from prepare; it must return a tensor, .* with 3 rows: one an", None),
    ),
    ("test_prepared", Broken(Taken, "names a tensor 'digests', as the cache does its own")),
    ("test_prepares_alone", Broken(Centred, "when its picture is prepared alone")),
    ("test_prepare_key", Broken(Learning, r"prepare_key\(\) depends on what learns")),
    ("test_prepare_key", Broken(Personal, "from one object to the next with the same options")),
    ("test_prepare_key", Broken(Moving, r"prepare\(\) depends on what learns", None)),
    ("test_prepare_key_of_options", Broken(Forgetful, "with side=5 instead of 4 .*put the option")),
    ("test_prepare_key_of_options", Broken(Toned, "with tone='bright-other' instead of")),
    ("test_prepare_key_of_options", Broken(Cut, "with cut='both' instead of 'no'")),
    (
        "test_prepare_key_of_options",
        Broken(Unready, "with cut='both' .* it raises KeyError: 'both'; refuse what it cannot"),
    ),
    (
        "test_prepare_key_of_options",
        Broken(Priced, r"with other contents of prices.json \(prices\) .* what is in its file"),
    ),
    (
        "test_texts_alone",
        Broken(ByLength, r"embed_texts\(\) returns in row 0 what belongs into row"),
    ),
    ("test_texts_alone", Broken(Together, "returns in row 2 what belongs into row 1; return the")),
    ("test_rows_alone", Broken(DarkFirst, r"embed_prepared\(\) returns in row \d what belongs")),
    ("test_prepares_alone", Broken(SmallFirst, r"prepare\(\) returns in row 0 what belongs into")),
    ("test_learns", Broken(Detached, "no gradient leads from embed_prepared")),
    ("test_learns", Broken(Elsewhere, "no parameter gets a gradient", None)),
    ("test_learns", Broken(Joint, "a training step moved the texts")),
    ("test_parameter_groups", Broken(Rated, r"has the keys \['lr', 'params'\]; .*\"lr_scale\"")),
    ("test_parameter_groups", Broken(Doubled, "a parameter stands twice", None)),
    ("test_parameter_groups", Broken(Still, r"learning_rate\(\) is 0.0")),
    ("test_saves", Broken(Pickling, r"save\(\) writes model.pt, which may run code")),
    ("test_saves", Broken(Published, "save and open turn an embedding by 1 - cosine")),
    ("test_training_repeats", Broken(Lots, "by lot with torch's global generator, which core")),
    ("test_augment", Broken(Varying, r"augment\(\) varies a picture otherwise though the gener")),
    ("test_augment", Broken(Halving, r"of 6 pictures augment\(\) leaves 3; it keeps one row")),
    ("test_state", Broken(Stateless, "do not bring the embeddings back")),
]


@pytest.mark.parametrize(("check", "broken"), BROKEN, ids=lambda one: getattr(one, "message", one))
def test_it_is_caught(check: str, broken: Broken) -> None:
    assert_caught(StudentContract, check, broken)


def test_every_check_catches_something() -> None:
    assert {check for check, _ in BROKEN} == own_checks(StudentContract)


@pytest.mark.parametrize("student", [Linear, Exact, Weights])
def test_a_good_one_passes(student: type[pvd.Student]) -> None:
    found = verdicts(StudentContract, student)
    assert not wrong(found)
    said = found["test_prepare_key_of_options"]
    if student is Weights:
        assert said == "no other value of model, folder could be tried here; side is in order"
    else:
        assert said is None
