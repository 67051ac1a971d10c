"""The contract of a student."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pvd.isolation import checks
from pvd.protocols import Student
from pvd.testing import changing
from pvd.testing import options as own
from pvd.testing.contract import called, check
from pvd.testing.demands import require
from pvd.testing.embedding import (
    HERE,
    NEAR,
    SIZES,
    TURNED,
    alike,
    apart,
    embedded,
    moved,
    require_in_place,
)
from pvd.testing.learning import Learning


class StudentContract(Learning):
    """A student embeds texts and pictures into one space, at unit length, row by row; what learns
    is reached by gradients, and is saved and opened without loss."""

    @check
    def test_unit_length(self) -> None:
        """embeds texts and pictures into one space, at unit length"""
        import torch

        student = self.loaded()
        texts = student.embed_texts(self.texts())
        images, learned = (
            embedded(student, self.pictures_of(student), train=t) for t in (False, True)
        )
        for rows, count, what in (
            (texts, len(self.texts()), "embed_texts()"),
            (images, 6, "embed_prepared()"),
            (learned, 6, "embed_prepared(train=True)"),
        ):
            checks.embeddings(student, what, rows, count, values=False)
            # A run takes half precision, whose lengths are off by a hundredth: so are its scores.
            require(
                rows.dtype == torch.float32,
                f"{what} returned {rows.dtype}; texts and pictures are compared in float32: "
                ".float() at the end",
            )
            off = float((rows.norm(dim=1) - 1).abs().max())
            require(
                off < 1e-4,
                f"{what} returned rows that are off unit length by {off:.2g}; end with "
                "torch.nn.functional.normalize(..., dim=1)",
            )
        checks.same_width(student, texts, images)
        checks.same_width(student, texts, learned, " in training")

    @check
    def test_rows_alone(self) -> None:
        """embeds picture i by itself, in its row, whatever else is in the batch, in training too"""
        student = self.loaded()
        pictures = self.pictures_of(student, 12)
        mend = "no batch norm, nothing that looks along the first axis"
        for train in (False, True):
            whole = embedded(student, pictures, HERE, train)
            turned = embedded(student, pictures, TURNED, train)
            require_in_place("embed_prepared()", turned, whole[TURNED])
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
        require(off <= NEAR, f"a picture's embedding moves by {off:.2g} when it is alone; {mend}")

    @check
    def test_texts_alone(self) -> None:
        """embeds text i by itself, in its row, whatever else is asked with it"""
        import torch

        student = self.loaded()
        texts = self.texts()
        whole = student.embed_texts(texts)
        alone = torch.cat([student.embed_texts([text]) for text in texts])
        require_in_place("embed_texts()", whole, alone)
        for one, by_itself in zip(whole, alone, strict=True):
            off = apart(one, by_itself)
            require(
                off <= NEAR,
                f"the embedding of a text moves by {off:.2g} when it is embedded alone; a search "
                "embeds one query at a time (mind the padding's mask)",
            )

    @check
    def test_tells_apart(self) -> None:
        """embeds different pictures differently, and the same one alike each time"""
        student = self.loaded()
        pictures = self.pictures_of(student)
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
        from pvd.pictures.kept import DIGESTS, ONLY

        student = self.loaded()
        prepared = checks.prepared(
            student, student.prepare([i.open() for i in self.items()[:3]]), 3
        )
        fields = prepared if isinstance(prepared, Mapping) else {"": prepared}
        for name, tensor in fields.items():
            which = f"prepare()[{name!r}]" if name else "prepare()"
            require(
                not tensor.requires_grad,
                f"{which} carries a gradient; it is constant, made once: put `with "
                "torch.no_grad():` around it",
            )
        taken = fields.keys() & {DIGESTS} or (fields.keys() == {ONLY} and fields.keys())
        require(
            not taken,
            f"prepare() names a tensor {', '.join(taken or ())!r}, as the cache does its own; "
            "choose another name",
        )

    @check
    def test_prepares_alone(self) -> None:
        """prepares picture i by itself, in its row, whatever else is prepared with it"""
        student = self.loaded()
        together, alone = (
            embedded(student, self.pictures_of(student, block=block, sizes=SIZES))
            for block in (32, 1)
        )
        require_in_place("prepare()", together, alone)
        off = apart(together, alone)
        require(
            off <= NEAR,
            f"an embedding moves by {off:.2g} when its picture is prepared alone; what is kept of "
            "a picture must not depend on those beside it",
        )

    @check
    def test_prepare_key(self) -> None:
        """prepares a picture alike under one key, whatever has been learned since"""
        import torch

        student = self.loaded()
        key, before = called("prepare_key()", student.prepare_key), self.pictures_of(student)
        rows = torch.arange(6)
        with moved(student, 0.1):
            require(
                student.prepare_key() == key,
                "prepare_key() depends on what learns, so that nothing kept is ever found again",
            )
            require(
                alike(before.take(rows), self.pictures_of(student).take(rows)),
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

        def keyed(student: Student) -> tuple[str, Any]:
            return student.prepare_key(), self.pictures_of(student).take(torch.arange(6))

        def is_covered(before: Student, change: Callable[[], Student]) -> bool:
            if before is not student:
                before.load("cpu")
            key, seen = known if before is student else keyed(before)
            after = change()
            after.load("cpu")
            new_key, now = keyed(after)
            return new_key != key or alike(seen, now)

        student = self.loaded()
        known, seen = keyed(student), set[str]()
        for change in changing.changes(student):
            if change.option in seen and not change.each:
                continue
            covered = changing.tried(change, is_covered)
            if covered is not None:
                require(
                    covered,
                    f"with {change.what} prepare() returns something else under the same "
                    "prepare_key(); put the option into the key, and what is in its file",
                )
                seen.add(change.option)
        changing.skip_if_left(student, seen)
