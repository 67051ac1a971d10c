"""How a student learns, and what of that is kept: a part of its contract."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pvd.protocols import Student
from pvd.testing import options as own
from pvd.testing.contract import Contract, called, check
from pvd.testing.demands import require, skip
from pvd.testing.embedding import (
    PICKLES,
    TEXTS,
    alike,
    embedded,
    learning,
    moved,
    optimizer,
    prepared_of,
    set_back,
)

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.pictures import Pictures


class Learning(Contract[Student]):
    """The checks of what learns: gradients, steps, and the way to disk and back."""

    kind: ClassVar[str] = "student"
    roles: ClassVar[tuple[str, ...]] = ("items", "personas")
    streams: ClassVar[tuple[str, ...]] = ("random", "numpy")  # core seeds torch's before each step
    _loaded: ClassVar[tuple[Student, list[Tensor]] | None] = None

    def loaded(self) -> Student:
        """One with its published weights, on the CPU. It is loaded once, since that takes long, and
        what an earlier check made it learn is taken back."""
        cls = type(self)
        found = vars(cls).get("_loaded")  # not that of a class above
        if found is None:
            student = self.component()
            student.load("cpu")
            found = student, [one.detach().clone() for one in learning(student)]
            cls._loaded = found
        set_back(*found)
        return found[0]

    def texts(self) -> list[str]:
        """Five texts, one of them twice."""
        if "personas" in self._drawn():
            return TEXTS
        first, second, third, fourth = (persona.text for persona in self.personas()[:4])
        return [first, second, third, second, fourth]

    def pictures_of(
        self,
        student: Student,
        count: int = 6,
        block: int = 32,
        sizes: Sequence[tuple[int, int]] = (),
    ) -> Pictures:
        """The first items, prepared so many at once; of these sizes, if some are given."""
        return prepared_of(student, self.items()[:count], block, sizes)

    @classmethod
    def teardown_class(cls) -> None:
        cls._loaded = None

    def use(self, component: Student) -> None:
        component.load("cpu")
        component.embed_texts(self.texts())
        embedded(component, self.pictures_of(component))

    @check
    def test_learns(self) -> None:
        """has parameters that gradients reach through embed_prepared, and texts that stay"""
        import torch

        student = self.loaded()
        before = student.embed_texts(self.texts())
        parameters = learning(student)
        pictures = self.pictures_of(student)
        with torch.inference_mode():  # as before each round: nothing of that may stay behind
            student.embed_prepared(pictures.take(torch.arange(6)))
        prepared = student.augment(pictures.take(torch.arange(6)), torch.Generator().manual_seed(0))
        seen = student.embed_prepared(prepared, train=True)
        require(
            seen.requires_grad,
            "no gradient leads from embed_prepared(train=True) to the parameters; mind no_grad, "
            "detach and numpy",
        )
        seen[:, 0].sum().backward()  # type: ignore[no-untyped-call]
        found = [p.grad for p in parameters if p.grad is not None]
        require(
            any(bool((gradient != 0).any()) for gradient in found),
            "no parameter gets a gradient; parameter_groups() must return those that "
            "embed_prepared uses",
        )
        require(all(bool(g.isfinite().all()) for g in found), "a gradient is not finite")
        optimizer(student).step()
        for parameter in parameters:
            parameter.grad = None
        require(
            before.equal(student.embed_texts(self.texts())),
            "a training step moved the texts, which are frozen; leave their weights out of "
            "parameter_groups()",
        )

    @check
    def test_parameter_groups(self) -> None:
        """gives its parameters in the form of torch's optimisers, each once"""
        student = self.loaded()
        for group in student.parameter_groups():
            require(  # a run overwrites it
                "lr" not in group,
                f'a group has the keys {sorted(group)}; write {{"params": [...]}}, and '
                '"lr_scale" for a factor on the rate that core sets',
            )
        ids = [id(parameter) for parameter in learning(student)]
        require(len(set(ids)) == len(ids), "a parameter stands twice in parameter_groups()")
        leaves = all(p.is_leaf and p.requires_grad for p in learning(student))
        require(leaves, "parameter_groups() must return leaf tensors with requires_grad=True")
        called("torch.optim.AdamW of parameter_groups()", optimizer, student)
        rate = student.learning_rate()
        require(rate > 0, f"learning_rate() is {rate}; it is what AdamW begins with, above 0")

    @check
    def test_saves(self) -> None:
        """gives the same embeddings after save and open into a fresh object"""
        student = self.loaded()
        pictures = self.pictures_of(student)
        fresh = embedded(student, pictures)
        with moved(student, 0.1), tempfile.TemporaryDirectory() as folder:
            student.save(Path(folder))
            pickles = [f.name for f in Path(folder).rglob("*") if f.suffix in PICKLES]
            require(
                not pickles,
                f"save() writes {', '.join(pickles)}, which may run code when it is read; write "
                "safetensors",
            )
            want = embedded(student, pictures)
            require(not want.equal(fresh), "the embeddings do not depend on what learns")
            texts = student.embed_texts(self.texts())
            other = own.again(student)
            other.open(Path(folder), "cpu")
            # Not equal to the last bit: changes that were kept apart may be added to the weights,
            # which bf16 rounds elsewhere.
            off = 1 - float((embedded(other, self.pictures_of(other)) * want).sum(1).min())
            require(
                off < 1e-4,
                f"save and open turn an embedding by 1 - cosine = {off:.2g}; save all that learns",
            )
            require(
                texts.equal(other.embed_texts(self.texts())),
                "texts have other embeddings after save and open",
            )

    @check
    def test_state(self) -> None:
        """gives the same embeddings after state and load_state"""
        import torch

        student = self.loaded()
        pictures = self.pictures_of(student)
        with moved(student, 0.1):
            state = called("state()", student.state)
            require(
                all(isinstance(n, str) and isinstance(t, torch.Tensor) for n, t in state.items()),
                "state() must return tensors by name",
            )
            state = {name: tensor.detach().clone() for name, tensor in state.items()}
            want = embedded(student, pictures)
        other = own.again(student)
        other.load("cpu")
        other.load_state(state)
        require(
            want.equal(embedded(other, self.pictures_of(other))),
            "state() and load_state() do not bring the embeddings back; a run that goes on would "
            "be another one: return all that learns, and copy it back in place",
        )

    @check
    def test_training_repeats(self) -> None:
        """embeds alike in training under one seed of torch"""
        student = self.loaded()
        pictures = self.pictures_of(student)
        first, second = (embedded(student, pictures, train=True) for _ in range(2))
        require(
            first.equal(second),
            "embed_prepared(train=True) has other numbers the second time, so no run can be "
            "repeated; leave out by lot with torch's global generator, which core seeds",
        )

    @check
    def test_augment(self) -> None:
        """varies pictures by the generator that it is given, if it varies them"""
        import torch

        student = self.loaded()
        if type(student).augment is Student.augment:
            skip("it varies no pictures")
        found = []
        for seed in (0, 1):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                taken = self.pictures_of(student).take(torch.arange(6))
                found.append(student.augment(taken, torch.Generator().manual_seed(3)))
        require(
            alike(*found),
            "augment() varies a picture otherwise though the generator is equal; draw from `rng` "
            "alone",
        )
        seen = student.embed_prepared(found[0], train=True)
        require(
            len(seen) == 6, f"of 6 pictures augment() leaves {len(seen)}; it keeps one row for each"
        )
