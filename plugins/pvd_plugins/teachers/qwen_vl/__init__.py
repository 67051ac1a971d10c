"""Qwen2.5-VL and Qwen3-VL in this process, through transformers: no service, no key, no price."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pvd
from pvd import kit
from pvd_plugins.teachers.qwen_vl import weights
from pvd_plugins.teachers.qwen_vl.model import PREFIX, Answer, Chat, Model, loaded

if TYPE_CHECKING:
    from PIL.Image import Image

NARROWEST = 100  # times longer than wide
LEAST_MASS = 0.5  # below this, the letters are not what the model was about to say


@dataclass(kw_only=True)
class QwenVL(kit.PromptedTeacher):
    """A Qwen2.5-VL or Qwen3-VL model, from the hub or from a folder, in this process.

    With `mode=logits` it is asked which letter comes first, and the probabilities of the letters
    at that one token are the ranking and its utilities. With `mode=generate` it writes it out.
    """

    service: ClassVar[str] = "qwen-vl"
    extra: ClassVar[str] = "hf"

    model: Annotated[str, "an id on the hub, or a folder"] = "Qwen/Qwen3-VL-4B-Instruct"
    revision: Annotated[str | None, "branch, tag or commit of the id"] = None
    mode: Annotated[Literal["logits", "generate"], "how it answers: one token, or text"] = "logits"
    device: Annotated[str, "cpu, cuda, cuda:1, mps; auto is cuda where there is one"] = "auto"
    dtype: Annotated[Literal["auto", "fp32", "bf16"], "auto is bf16 on cuda, else fp32"] = "auto"
    batch: Annotated[int, kit.AtLeast(1), "slates in one forward pass"] = 4
    max_pixels: Annotated[
        int, kit.AtLeast(64 * 64), "of a picture; 28 x 28 or 32 x 32 of them are a token"
    ] = 512 * 512
    max_new_tokens: Annotated[int, kit.AtLeast(1), "of an answer with mode=generate, at most"] = 256

    @property
    def capabilities(self) -> pvd.Capabilities:  # type: ignore[override]
        utilities = {"utilities"} if self.mode == "logits" else set()
        return pvd.Capabilities(batch=self.batch, local=True, yields=frozenset(utilities))

    def check(self, personas: Sequence[pvd.Persona], items: Sequence[pvd.Item]) -> None:
        super().check(personas, items)
        self.parameters()  # a folder that is not there is found before anything is drawn

    def connect(self) -> Sequence[str]:
        model = self._model
        return [f"{self.service}: {model.name} answers on {self._device} in {self._dtype}."]

    def close(self) -> None:
        self.__dict__.pop("_model", None)  # gigabytes

    @cached_property
    def _model(self) -> Model:
        model = loaded(weights.found(self.model, self.revision), self._device, self._dtype)
        if self.mode == "logits":
            model.check_letters()
        return model

    @cached_property
    def _device(self) -> str:
        import torch

        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise kit.BadInput(
                f"The device {self.device!r} cannot be used ({kit.one_line(error)}); "
                "set teacher.device to cpu, cuda, cuda:1 or mps."
            ) from None
        return self.device

    @property
    def _dtype(self) -> str:
        if self.dtype != "auto":
            return self.dtype
        return "bf16" if self._device.startswith("cuda") else "fp32"

    @cached_property
    def _weights(self) -> str | None:
        """A digest of the folder: another model in it asks other questions. An id has only its
        revision, since nothing is fetched to find out whether the answers are known already."""
        if kit.is_id(self.model):
            return None
        return weights.digest(weights.place(self.model, self.revision))

    def parameters(self) -> dict[str, Any]:
        how = {"prefix": PREFIX} if self.mode == "logits" else {"tokens": self.max_new_tokens}
        return {
            "mode": self.mode,
            **how,
            "weights": self._weights,
            "revision": self.revision,
            "dtype": self._dtype,
            "max_pixels": self.max_pixels,
            "pixels": "pil",  # torchvision scales a little differently
        }

    def ask(self, prompt: kit.Prompt) -> pvd.Reply:
        return self._replies([prompt])[0]

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        return self._replies([self.prompt_for(request.slate) for request in requests])

    def _replies(self, prompts: Sequence[kit.Prompt]) -> list[pvd.Reply]:
        import torch

        chats = [self._chat(prompt) for prompt in prompts]
        try:
            if self.mode == "logits":
                answers = self._model.letters(chats, self.max_pixels)
                self._weigh([answer.mass for answer in answers])
            else:
                answers = self._model.texts(chats, self.max_pixels, self.max_new_tokens)
        except torch.cuda.OutOfMemoryError:
            raise kit.BadInput(
                f"{len(chats)} slates at once do not fit into the memory of {self._device}; "
                "lower teacher.batch, or teacher.max_pixels."
            ) from None
        return [self._reply(answer) for answer in answers]

    def _chat(self, prompt: kit.Prompt) -> Chat:
        pictures = [_decoded(data) for data in self.pictures(prompt)]
        return Chat(prompt.system, prompt.letters, pictures, prompt.question)

    def _weigh(self, masses: Sequence[float]) -> None:
        mean = math.fsum(masses) / len(masses)
        if mean < LEAST_MASS and not self._model.warned:
            self._model.warned = True  # there, since teacher and judge share it
            warnings.warn(
                f"{self._model.name} gives the letters only {mean:.0%} of the probability where "
                "its answer should begin, so the rankings may mean little; a model that thinks "
                "first needs teacher.mode=generate.",
                stacklevel=2,
            )

    def _reply(self, answer: Answer) -> pvd.Reply:
        return pvd.Reply(
            answer.text, self._model.name, pvd.Tokens(answer.read, answer.wrote), 0.0, answer.finish
        )

    def read(self, request: pvd.Request, reply: pvd.Reply) -> pvd.Ranking:
        if self.mode == "generate":
            said = reply.text.rpartition("</think>")[2]
            return super().read(request, replace(reply, text=said))
        value = kit.read_json(reply.text)
        letters = [letter for letter, _ in request.body["pictures"]]
        try:
            utilities = [float(value["logprobs"][letter]) for letter in letters]
            mass = float(value["mass"])
        except (TypeError, KeyError, ValueError):
            raise kit.Malformed(f"no probabilities of letters: {reply.text[:80]!r}") from None
        if not all(map(math.isfinite, [*utilities, mass])):
            raise kit.Malformed(f"probabilities that are no numbers: {json.dumps(value)[:80]!r}")
        ranking = pvd.Ranking.from_utilities(utilities, kind="logprob")
        return replace(ranking, attributes={"letter_mass": mass})


def _decoded(data: bytes) -> Image:
    """The picture; a very narrow one on white, as the image processor takes none beyond 200:1."""
    import PIL.Image
    import PIL.ImageOps

    picture: Image = PIL.Image.open(io.BytesIO(data))
    least = -(-max(picture.size) // NARROWEST)
    if min(picture.size) >= least:
        return picture
    width, height = (max(side, least) for side in picture.size)
    return PIL.ImageOps.pad(picture, (width, height), color="white")


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("qwen-vl", QwenVL)
