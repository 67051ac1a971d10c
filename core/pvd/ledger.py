"""The rounds as they lie in the run folder; a round counts once its `done` is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd.drawing import Drawn
from pvd.errors import BadInput, MissingFile
from pvd.estimates import plain
from pvd.folder import (
    new_array,
    read_array,
    read_json,
    read_lines,
    read_tensors,
    write_json,
    write_lines,
    write_tensors,
)
from pvd.protocols import Loss, Student
from pvd.records import (
    Estimate,
    Item,
    Judgment,
    Persona,
    Ranking,
    Reply,
    RoundResult,
    Slate,
    Tokens,
    digest_of,
)

if TYPE_CHECKING:
    from torch import Tensor


WEIGHTS = "student.safetensors"
SEEN = "seen.safetensors"
VIEW = "items.npy"
TEXTS = "texts.npy"
BOOKMARK = "training.safetensors"
ALIKE = 0.999  # cosine of one picture or text before and now; bf16 makes 0.99999


class Ledger:
    """Reads and writes `rounds/NNN/`; items and personas are found again by their ids."""

    def __init__(self, folder: Path, items: Sequence[Item], personas: Sequence[Persona]) -> None:
        self.folder = folder
        self._items = {item.id: item for item in items}
        self._personas = {persona.id: persona for persona in personas}

    def path(self, round: int, name: str) -> Path:
        """A file of a round."""
        return self.folder / f"{round:03d}" / name

    def finished(self) -> int:
        """The number of rounds that are done, without a gap; round 0 is the untrained student."""
        round = 0
        while self.path(round + 1, "done").exists():
            round += 1
        return round

    def mend(self) -> list[str]:
        """Take out what a crash or a bad disk left unreadable in the round under way, and ends of
        rounds that cannot be read; what was taken out. It is made again, from the store for free.
        """
        taken = []
        for round in range(self.finished() + 1):
            if self.has(round, "done") and not _reads(self.result, round):
                taken.append(self.path(round, "done"))
        if self.has(0, WEIGHTS) and not self.has(0, "done") and not _reads(self.weights, 0):
            taken.append(self.path(0, WEIGHTS))  # those of later rounds are written over
        round = self.finished() + 1
        # Without slates the judgments came from the user's file, and are not ours to make again.
        made = ("slates.jsonl", "notes.json", "judgments.jsonl") * self.has(round, "slates.jsonl")
        here = [name for name in made if self.has(round, name)]
        readers = (self.drawn, self.notes) + (self.judgments,) * ("judgments.jsonl" in here)
        if here and not all(_reads(reader, round) for reader in readers):
            taken += [self.path(round, name) for name in here]
        for path in taken:
            path.unlink()
        return [str(path) for path in taken]

    def whole(self, path: Path) -> list[Judgment] | None:
        """The judgments of a file that we wrote; None if it is not there or cannot be read, so
        that they are to be asked again, which the store makes free."""
        try:
            return self.read_judgments(path)
        except (BadInput, MissingFile):
            return None

    def write_drawn(self, round: int, drawn: Sequence[Drawn], notes: Mapping[str, Any]) -> None:
        """The slots of a round, before anything of it is asked."""
        write_json(self.path(round, "notes.json"), notes)
        write_lines(
            self.path(round, "slates.jsonl"),
            [
                {
                    "slot": d.slot,
                    "persona": d.persona.id,
                    "items": [item.id for item in d.items],
                    "origin": d.origin,
                }
                for d in drawn
            ],
        )

    def drawn(self, round: int) -> list[Drawn]:
        """The slots that were written; none for a round whose judgments came from a file."""
        if not self.has(round, "slates.jsonl"):
            return []
        return [
            Drawn(
                row["slot"],
                self.persona(row["persona"]),
                tuple(self.item(id) for id in row["items"]),
                (row["origin"][0], row["origin"][1], row["origin"][2]),
            )
            for row in read_lines(self.path(round, "slates.jsonl"))
        ]

    def has(self, round: int, name: str) -> bool:
        """Whether a file of a round was written."""
        return self.path(round, name).exists()

    def notes(self, round: int) -> dict[str, Any]:
        """The sampler's notes on a round."""
        return dict(read_json(self.path(round, "notes.json")))

    def write_judgments(self, round: int, judged: Mapping[int, Judgment]) -> None:
        """A round's judgments by slot."""
        write_lines(
            self.path(round, "judgments.jsonl"),
            [{"slot": slot, **judgment_row(judged[slot])} for slot in sorted(judged)],
        )

    def judgments(self, round: int) -> list[Judgment]:
        """A round's judgments in the order of their slots."""
        return self.read_judgments(self.path(round, "judgments.jsonl"))

    def read_judgments(self, path: Path) -> list[Judgment]:
        """The judgments of any file in this layout."""
        found = []
        for number, row in enumerate(read_lines(path)):
            try:
                found.append(self._judgment(row))
            except KeyError as error:
                why = f"has no {error}; a judgment needs persona, items and tiers."
            except (TypeError, ValueError, OverflowError):
                why = 'is no judgment like {"persona": ID, "items": [ID, ID], "tiers": [[1], [0]]}.'
            except BadInput as error:
                why = f"cannot be used. {error}"
            else:
                continue
            raise BadInput(f"{path}, line {_line(path, number)} {why}")
        return found

    def _judgment(self, row: Mapping[str, Any]) -> Judgment:
        items, tiers, utilities = row["items"], row["tiers"], row.get("utilities")
        attributes = row.get("attributes", {})  # older files have none
        if not (
            isinstance(items, list)
            and isinstance(attributes, dict)
            and len(set(items)) == len(items)
            and all(type(position) is int for tier in tiers for position in tier)
            and row.get("rest", "unknown") in ("unknown", "worse")
        ):
            raise TypeError
        slate = Slate(
            self.persona(row["persona"]),
            tuple(self.item(id) for id in items),
            row.get("repeat", 0),
        )
        ranking = Ranking(
            tuple(tuple(tier) for tier in tiers),
            rest=row.get("rest", "unknown"),
            utilities=None if utilities is None else tuple(map(float, utilities)),
            kind=row.get("kind"),
            rationale=row.get("rationale", ""),
            attributes=attributes,
        ).check(len(slate.items))
        reply = Reply(
            "", row.get("model", ""), Tokens(*row.get("tokens", (0, 0))), row.get("dollars", 0.0)
        )
        digest = row.get("digest") or digest_of([row["persona"], row["items"], row["tiers"]])
        return Judgment(
            slate,
            ranking,
            digest,
            reply,
            row.get("teacher", ""),
            row.get("date", ""),
            tuple((digest, dollars) for digest, dollars in row.get("parts", ())),
        )

    def item(self, id: str) -> Item:
        """The item of this id; BadInput if there is none."""
        if id not in self._items:
            raise BadInput(
                f"There is no item {id!r} in the catalogue; bring it, or leave its judgments out."
            )
        return self._items[id]

    def persona(self, id: str) -> Persona:
        """The persona of this id; BadInput if there is none."""
        if id not in self._personas:
            raise BadInput(
                f"There is no persona {id!r} in this run; bring it, or leave its judgments out."
            )
        return self._personas[id]

    def write_weights(self, round: int, student: Student, loss: Loss) -> None:
        """What learned, after a round."""
        self.path(round, VIEW).unlink(missing_ok=True)  # of other weights
        own = {f"loss.{n}": t for n, t in enumerate(loss.parameters())}
        weights = {f"student.{name}": tensor for name, tensor in student.state().items()}
        write_tensors(self.path(round, WEIGHTS), weights | own)

    def weights(self, round: int) -> dict[str, Tensor]:
        """What learned, as it was after a round."""
        return read_tensors(self.path(round, WEIGHTS))

    def began_with(self, student: Student) -> bool:
        """Whether the student, as it is loaded, has the weights of before round 1."""
        import torch

        began = self.weights(0)
        state = {f"student.{name}": weight.cpu() for name, weight in student.state().items()}
        return all(name in began and torch.equal(began[name], w) for name, w in state.items())

    def write_seen(self, texts: Tensor, items: Tensor) -> None:
        """How a few texts and items look to the student before training: what does not learn is in
        no checkpoint, and this tells whether it is still the same."""
        write_tensors(self.path(0, SEEN), {"texts": texts, "items": items})

    def saw(self, texts: Tensor, items: Tensor) -> bool:
        """Whether they look so still; another machine may round otherwise."""
        if not self.has(0, SEEN):  # begun by an earlier version
            return True
        before = read_tensors(self.path(0, SEEN))
        now = {"texts": texts, "items": items}
        return all(float((before[name] * now[name]).sum(1).min()) > ALIKE for name in now)

    def write_texts(self, rows: Tensor) -> None:
        """[P, D], the personas' embeddings, for other processes: to the bit those of this one."""
        with new_array(self.path(0, TEXTS), (len(rows), rows.shape[1])) as file:
            file.copy_(rows)

    def texts(self) -> Tensor:
        """What `write_texts` wrote."""
        return read_array(self.path(0, TEXTS))

    def new_view(self, round: int, shape: tuple[int, int]) -> AbstractContextManager[Tensor]:
        """To be filled: [N, D], items as the student sees them after a round. After round 0 these
        are all, and stay; later the training items, until the next round is done."""
        return new_array(self.path(round, VIEW), shape)

    def view(self, round: int) -> Tensor:
        """What was filled in, mapped."""
        return read_array(self.path(round, VIEW))

    def load_weights(self, round: int, student: Student, loss: Loss) -> None:
        """Put a round's weights into the student and the loss."""
        tensors = self.weights(round)
        student.load_state(_below("student.", tensors))
        own = _below("loss.", tensors)
        for number, tensor in enumerate(loss.parameters()):
            tensor.data.copy_(own[str(number)])

    def write_done(self, result: RoundResult) -> None:
        """The round's end: from here on it is not repeated."""
        row = asdict(result) | {"validation": plain(result.validation)}
        write_json(self.path(result.round, "done"), row)
        self.path(result.round, BOOKMARK).unlink(missing_ok=True)
        if result.round > 1:
            self.path(result.round - 1, VIEW).unlink(missing_ok=True)

    def result(self, round: int) -> RoundResult:
        """What a finished round did."""
        row = read_json(self.path(round, "done"))
        return RoundResult(**{**row, "validation": Estimate(**row["validation"])})


def judgment_row(judgment: Judgment) -> dict[str, Any]:
    """A judgment as it stands in a file; the raw reply stays in the store."""
    slate, ranking, reply = judgment.slate, judgment.ranking, judgment.reply
    return {
        "persona": slate.persona.id,
        "items": [item.id for item in slate.items],
        "repeat": slate.repeat,
        "tiers": ranking.tiers,
        "rest": ranking.rest,
        "utilities": ranking.utilities,
        "kind": ranking.kind,
        "rationale": ranking.rationale,
        "attributes": ranking.attributes,
        "teacher": judgment.teacher,
        "model": reply.model,
        "tokens": list(reply.tokens.counts()),
        "dollars": reply.dollars,
        "digest": judgment.digest,
        "date": judgment.date,
        **({"parts": judgment.parts} if judgment.parts else {}),
    }


def _reads(read: Callable[[int], object], round: int) -> bool:
    """Whether a file of a round can be read."""
    try:
        read(round)
    except (BadInput, MissingFile, KeyError, TypeError):
        return False
    return True


def _line(path: Path, number: int) -> int:
    """The line on which the row with this number stands; blank lines are no rows."""
    lines = enumerate(path.read_bytes().split(b"\n"), 1)
    return [line for line, text in lines if text.strip()][number]


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
