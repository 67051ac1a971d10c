"""Chats with labelled pictures into tensors, through the network, and out as letters or text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from string import ascii_uppercase
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from pvd import kit
from pvd_plugins.teachers.qwen_vl.weights import Found, digest, load

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

# How the answer begins, so that a letter is the next token. A list, since its letters stand alone:
# in "BADEC" the first token may be a whole syllable.
PREFIX = '{"ranking": ["'
PICTURE = "<|image_pad|>"  # one for each picture in the chat, and one for each of its tokens
THINKING = "<think>\n"  # where a template leaves a thought open, it is closed unthought


@dataclass(frozen=True)
class Chat:
    """What is said to the model: labelled pictures between `system` and `question`."""

    system: str
    letters: Sequence[str]
    pictures: Sequence[Image]
    question: str


@dataclass(frozen=True)
class Answer:
    """A raw answer, and the tokens that were read and written."""

    text: str
    read: int
    wrote: int
    mass: float = 1.0  # probability that the letters have together
    finish: str = ""


class Model:
    """A network with its tokenizer and image processor."""

    def __init__(self, name: str, network: Any, tokenizer: Any, pixels: Any) -> None:
        self.name = name
        self.network = network
        self.tokenizer = tokenizer
        self.pixels = pixels
        self.warned = False  # about what its letters are worth
        self.lock = Lock()  # a network remembers positions from one token to the next
        self.picture = tokenizer.convert_tokens_to_ids(PICTURE)
        if tokenizer.chat_template is None or self.picture is None:
            raise kit.BadInput(f"{name} has no chat template or no token {PICTURE}.")
        tokenizer.padding_side = "left"  # so that every chat ends at the last position
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        # transformers 5 wants to be told which tokens are pictures, 4 refuses to be.
        self.wants_types = "mm_token_type_ids" in signature(network.forward).parameters
        self._be_greedy()

    def letters(self, chats: Sequence[Chat], max_pixels: int) -> list[Answer]:
        """The log-probability of each letter as the first token, among all tokens."""
        import torch

        inputs = self.inputs(chats, max_pixels, PREFIX)
        with self.lock, torch.no_grad():
            logits = self.network(**inputs, logits_to_keep=1, use_cache=False).logits[:, -1]
        answers = []
        read = inputs["attention_mask"].sum(dim=1).tolist()
        for chat, row, count in zip(chats, logits.float().log_softmax(-1), read, strict=True):
            ids = [self.letter_ids[letter] for letter in chat.letters]
            found = row[ids]
            values = dict(zip(chat.letters, found.tolist(), strict=True))
            mass = float(found.exp().sum())
            text = json.dumps({"logprobs": values, "mass": mass})
            answers.append(Answer(text, count, 1, mass))
        return answers

    def texts(self, chats: Sequence[Chat], max_pixels: int, max_new_tokens: int) -> list[Answer]:
        """What it writes, always taking the likeliest token."""
        import torch

        inputs = self.inputs(chats, max_pixels)
        with self.lock, torch.no_grad():
            said = self.network.generate(**inputs, max_new_tokens=max_new_tokens)
        answers = []
        read = inputs["attention_mask"].sum(dim=1).tolist()
        for row, count in zip(said[:, inputs["input_ids"].shape[1] :].tolist(), read, strict=True):
            ends = [place for place, token in enumerate(row) if token in self.ends]
            row = row[: ends[0] + 1] if ends else row
            text = self.tokenizer.decode(row, skip_special_tokens=True)
            answers.append(Answer(text, count, len(row), finish="" if ends else "truncated"))
        return answers

    def inputs(self, chats: Sequence[Chat], max_pixels: int, prefix: str = "") -> dict[str, Tensor]:
        """The batch as the network takes it, on its device."""
        shortest = min(self.pixels.size["shortest_edge"], max_pixels)  # pixels, whatever the name
        seen = self.pixels(
            [picture for chat in chats for picture in chat.pictures],
            size={"shortest_edge": shortest, "longest_edge": max_pixels},
            return_tensors="pt",
        )
        counts = iter((seen["image_grid_thw"].prod(-1) // self.pixels.merge_size**2).tolist())
        texts = []
        for chat in chats:
            parts = self._said(chat, prefix).split(PICTURE)
            if len(parts) != len(chat.pictures) + 1:
                raise kit.BadInput(
                    f"The chat template of {self.name} has room for {len(parts) - 1} of "
                    f"{len(chat.pictures)} pictures; this is no template of a Qwen-VL model."
                )
            filled = (part + PICTURE * next(counts) for part in parts[:-1])
            texts.append("".join(filled) + parts[-1])
        words = self.tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt")
        batch = {
            "input_ids": words["input_ids"],
            "attention_mask": words["attention_mask"],
            "pixel_values": seen["pixel_values"],
            "image_grid_thw": seen["image_grid_thw"],
        }
        if self.wants_types:
            batch["mm_token_type_ids"] = (words["input_ids"] == self.picture).int()
        return {name: tensor.to(self.network.device) for name, tensor in batch.items()}

    def _said(self, chat: Chat, prefix: str) -> str:
        content: list[dict[str, str]] = []
        for letter in chat.letters:
            content += [{"type": "text", "text": f"[{letter}]"}, {"type": "image"}]
        content.append({"type": "text", "text": chat.question})
        messages = [
            {"role": "system", "content": chat.system},
            {"role": "user", "content": content},
        ]
        text: str = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        if prefix and text.endswith(THINKING):
            text += "\n</think>\n\n"
        return text + prefix

    @cached_property
    def letter_ids(self) -> dict[str, int]:
        """The token of each letter after the prefix."""
        start, *others = (
            self.tokenizer("\n" + PREFIX + letter, add_special_tokens=False)["input_ids"]
            for letter in ("", *ascii_uppercase)
        )
        return {
            letter: ids[-1]
            for letter, ids in zip(ascii_uppercase, others, strict=True)
            if ids[:-1] == start
        }

    def check_letters(self) -> None:
        """BadInput if a letter is no token of its own where the answer goes on."""
        if missing := set(ascii_uppercase) - self.letter_ids.keys():
            raise kit.BadInput(
                f"The tokenizer of {self.name} does not write {min(missing)} as a token of its "
                "own; use teacher.mode=generate."
            )

    def _be_greedy(self) -> None:
        """Forget the folder's sampling and penalties: one question has one answer."""
        hf = kit.need("transformers", "hf")
        end = self.network.generation_config.eos_token_id
        end = self.tokenizer.eos_token_id if end is None else end
        self.ends = set(end) if isinstance(end, list) else {end}
        self.network.generation_config = hf.GenerationConfig(
            do_sample=False, eos_token_id=end, pad_token_id=self.tokenizer.pad_token_id
        )


# While somebody holds it: the judge of a run is the teacher again, and gigabytes are loaded once.
_LOADED: WeakValueDictionary[tuple[object, ...], Model] = WeakValueDictionary()
_LOADING = Lock()


def loaded(found: Found, device: str, dtype: str) -> Model:
    """The model in memory, loaded if nobody has done so."""
    key = (found.name, digest(found.folder), device, dtype)
    with _LOADING:
        model = _LOADED.get(key)
        if model is None:
            model = _LOADED[key] = Model(found.name, *load(found.folder, device, dtype))
    return model
