"""The contract of a student."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pvd.protocols import Student
from pvd.testing import options as own
from pvd.testing.contract import Contract, called, check, require, skip
from pvd.testing.embedding import (
    HERE,
    PICKLES,
    TEXTS,
    alike,
    apart,
    embedded,
    learning,
    moved,
    optimizer,
    pictures_of,
    set_back,
)
from pvd.testing.material import items

if TYPE_CHECKING:
    from torch import Tensor


class StudentContract(Contract):
    """A student embeds texts and pictures into one space, at unit length, row by row; what learns
    is reached by gradients, and is saved and opened without loss."""

    kind: ClassVar[str] = "student"
    streams: ClassVar[tuple[str, ...]] = ("random", "numpy")  # core seeds torch's before each step
    _loaded: ClassVar[tuple[Student, list[Tensor]] | None] = None

    def component(self) -> Student:
        raise NotImplementedError(f"{type(self).__name__} must define component(self).")

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

    @classmethod
    def teardown_class(cls) -> None:
        """After its last check, for pytest: let go of the weights."""
        cls._loaded = None

    def use(self, component: Any) -> None:
        component.load("cpu")
        component.embed_texts(TEXTS)
        embedded(component, pictures_of(component))

    @check
    def test_unit_length(self) -> None:
        """embeds texts and pictures into one space, at unit length"""
        import torch

        student = self.loaded()
        texts = student.embed_texts(TEXTS)
        images = embedded(student, pictures_of(student))
        for rows, count, what in ((texts, 3, "embed_texts"), (images, 6, "embed_prepared")):
            require(
                rows.ndim == 2 and len(rows) == count,
                f"{what}() returned the shape {tuple(rows.shape)} for {count}; return one row each",
            )
            require(
                rows.dtype == torch.float32,
                f"{what}() returned {rows.dtype}; texts and pictures are compared in float32: "
                ".float() at the end",
            )
            off = float((rows.norm(dim=1) - 1).abs().max())
            require(
                off < 1e-4,
                f"{what}() returned rows that are off unit length by {off:.2g}; end with "
                "torch.nn.functional.normalize(..., dim=1)",
            )
        require(
            texts.shape[1] == images.shape[1],
            f"texts have {texts.shape[1]} numbers and pictures {images.shape[1]}; both must lie in "
            "one space",
        )

    @check
    def test_rows_alone(self) -> None:
        """embeds picture i by itself, whatever else is in the batch, in training too"""
        student = self.loaded()
        pictures = pictures_of(student, 12)
        mend = "no batch norm, nothing that looks along the first axis"
        for train in (False, True):
            whole = embedded(student, pictures, HERE, train)
            for row in (0, 5):
                among = [row if place == row else place + 6 for place in HERE]
                off = apart(embedded(student, pictures, among, train)[row], whole[row])
                require(
                    off <= 1e-5,
                    f"picture {row}'s embedding moves by {off:.2g} with the others in the batch"
                    f"{' (train=True)' if train else ''}; {mend}",
                )
        # A batch of another size is rounded in other places, in bf16 from the third digit on.
        off = apart(embedded(student, pictures, [5])[0], embedded(student, pictures, HERE)[5])
        require(off <= 0.02, f"a picture's embedding moves by {off:.2g} when it is alone; {mend}")

    @check
    def test_texts_alone(self) -> None:
        """embeds text i by itself, whatever else is asked with it"""
        student = self.loaded()
        whole = student.embed_texts(TEXTS)
        for row, text in enumerate(TEXTS):
            off = apart(student.embed_texts([text])[0], whole[row])
            require(
                off <= 0.02,
                f"the embedding of a text moves by {off:.2g} when it is embedded alone; a search "
                "embeds one query at a time (mind the padding's mask)",
            )

    @check
    def test_tells_apart(self) -> None:
        """embeds different pictures differently, and the same one alike each time"""
        student = self.loaded()
        pictures = pictures_of(student)
        first = embedded(student, pictures)
        require(
            first.equal(embedded(student, pictures, seed=1)),
            "the same pictures have other embeddings the second time; without train=True nothing "
            "is left to chance (mind .eval())",
        )
        require(bool((first != first[0]).any()), "all pictures have one embedding")

    @check
    def test_prepared(self) -> None:
        """prepares tensors with a row a picture, which can be kept on disk"""
        student = self.loaded()
        prepared = student.prepare([item.open() for item in items(3)])
        fields = prepared if isinstance(prepared, Mapping) else {"": prepared}
        for name, tensor in fields.items():
            which = f"prepare()[{name!r}]" if name else "prepare()"
            require(
                getattr(tensor, "ndim", 0) > 0 and len(tensor) == 3,
                f"{which} is {type(tensor).__name__} {tuple(getattr(tensor, 'shape', ()))} for 3 "
                "pictures; return a tensor with one row a picture, or a dict of such",
            )
            require(
                not tensor.requires_grad,
                f"{which} carries a gradient; it is constant, made once: put `with "
                "torch.no_grad():` around it",
            )
        taken = fields.keys() & {"digests"} or (fields.keys() == {"prepared"} and fields.keys())
        require(
            not taken,
            f"prepare() names a tensor {', '.join(taken or ())!r}, as the cache does its own; "
            "choose another name",
        )

    @check
    def test_prepares_alone(self) -> None:
        """prepares picture i by itself, whatever else is prepared with it"""
        student = self.loaded()
        together, alone = pictures_of(student), pictures_of(student, block=1)
        off = apart(embedded(student, together), embedded(student, alone))
        require(
            off <= 0.02,
            f"an embedding moves by {off:.2g} when its picture is prepared alone; what is kept of "
            "a picture must not depend on those beside it",
        )

    @check
    def test_prepare_key(self) -> None:
        """prepares a picture alike under one key, whatever has been learned since"""
        import torch

        student = self.loaded()
        key, before = student.prepare_key(), pictures_of(student)
        require(isinstance(key, str) and key, f"prepare_key() returned {key!r}; return text")
        rows = torch.arange(6)
        with moved(student, 0.1):
            require(
                student.prepare_key() == key,
                "prepare_key() depends on what learns, so that nothing kept is ever found again",
            )
            require(
                alike(before.take(rows), pictures_of(student).take(rows)),
                "prepare() depends on what learns; what is kept of a picture would be out of date "
                "after the first step",
            )
        other = own.again(student)
        other.load("cpu")
        require(
            other.prepare_key() == key,
            "prepare_key() differs from one object to the next with the same options; make it of "
            "what prepare() depends on, with pvd.kit.digest_of or hashlib, not hash() or id()",
        )

    @check
    def test_prepare_key_of_options(self) -> None:
        """has another prepare_key where an option changes what is prepared"""
        import torch

        student, rows = self.loaded(), torch.arange(6)
        key, before = student.prepare_key(), pictures_of(student).take(rows)
        seen = 0
        for change, other in own.variations(student):
            try:
                other.load("cpu")
                after = pictures_of(other).take(rows)
            except Exception:  # no value for this option, or no weights for it here
                continue
            seen += 1
            require(
                other.prepare_key() != key or alike(before, after),
                f"with {change} prepare() returns something else under the same prepare_key(); put "
                "the option into the key",
            )
        if not seen:
            skip("it has no option with a value that could be changed here")

    @check
    def test_learns(self) -> None:
        """has parameters that gradients reach through embed_prepared, and texts that stay"""
        import torch

        student = self.loaded()
        before = student.embed_texts(TEXTS)
        parameters = learning(student)
        require(parameters, "parameter_groups() is empty; nothing would learn")
        pictures = pictures_of(student)
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
            before.equal(student.embed_texts(TEXTS)),
            "a training step moved the texts, which are frozen; leave their weights out of "
            "parameter_groups()",
        )

    @check
    def test_parameter_groups(self) -> None:
        """gives its parameters in the form of torch's optimisers, each once"""
        student = self.loaded()
        for group in student.parameter_groups():
            require(
                "params" in group and "lr" not in group,
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
        pictures = pictures_of(student)
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
            texts = student.embed_texts(TEXTS)
            other = own.again(student)
            other.open(Path(folder), "cpu")
            # Not equal to the last bit: changes that were kept apart may be added to the weights,
            # which bf16 rounds elsewhere.
            off = 1 - float((embedded(other, pictures_of(other)) * want).sum(1).min())
            require(
                off < 1e-4,
                f"save and open turn an embedding by 1 - cosine = {off:.2g}; save all that learns",
            )
            require(
                texts.equal(other.embed_texts(TEXTS)),
                "texts have other embeddings after save and open",
            )

    @check
    def test_state(self) -> None:
        """gives the same embeddings after state and load_state"""
        import torch

        student = self.loaded()
        pictures = pictures_of(student)
        with moved(student, 0.1):
            state = student.state()
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
            want.equal(embedded(other, pictures_of(other))),
            "state() and load_state() do not bring the embeddings back; a run that goes on would "
            "be another one: return all that learns, and copy it back in place",
        )
