"""A small CLIP in the layout of transformers, pretrained on a catalogue's training photographs.

For parts.py, which needs lower blocks that see something: random ones would make it pointless to
keep them. The image tower learns from captions made of the items' attributes, and of where such
things belong. It sees no held-out item but to choose the epoch (validation), and no persona at all.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from PIL import ImageOps
from torch.nn.functional import cross_entropy

import pvd
from pvd import kit
from pvd.folder import replaced
from pvd.records import Item
from pvd_plugins.students.tiny.captions import caption

if TYPE_CHECKING:
    from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "plugins" / "students"))
import published

SIDE, MARGIN = 48, 6  # pixels; and by how many more than that a picture may be shifted
PATCH, BLOCKS, WIDTH, HEADS = 8, 6, 128, 2
EPOCHS, BATCH, RATE, DECAY = 24, 64, 1e-3, 0.1
KIND = "category"  # the attribute that most captions name
RECALLED = 1 / 4  # of the captions say where such things belong
SEED = 0
TEMPLATES = ("{}", "a {}", "a photo of a {}", "someone wearing a {}", "something like a {}")


def pretrain(train: Sequence[Item], validation: Sequence[Item], folder: Path) -> Path:
    """The folder with the model of the epoch whose validation loss was lowest."""
    with replaced(folder) as fresh:
        published.clip(fresh, SIDE)  # for its tokenizer and its settings of the pictures
        hf = kit.transformers()
        hf.logging.disable_progress_bar()
        words = hf.AutoTokenizer.from_pretrained(fresh, local_files_only=True)
        scaler = hf.CLIPImageProcessorPil.from_pretrained(fresh, local_files_only=True)
        model = hf.CLIPModel(config(hf))
        model.set_attn_implementation("eager")  # in bf16 and for few tokens the faster one
        # Random features of all words: taught captions alone, it would not hear what personas say.
        model.text_model.requires_grad_(False)
        study = Study(model, words, scaler.image_mean, scaler.image_std)
        study.learn(train, validation)
        model.save_pretrained(fresh)
    return folder


def config(hf: Any) -> Any:
    """CLIP's, with small towers."""
    torch.manual_seed(SEED)
    width = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": HEADS}
    text = {**width, "num_hidden_layers": 2}
    text |= {"eos_token_id": 2, "bos_token_id": 0, "pad_token_id": 1}
    vision = {**width, "num_hidden_layers": BLOCKS, "image_size": SIDE, "patch_size": PATCH}
    return hf.CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)


class Study:
    """A model that learns, and how it is shown texts and pictures."""

    def __init__(self, model: Any, words: Any, mean: Sequence[float], std: Sequence[float]) -> None:
        self.model, self._words = model, words
        self._mean, self._std = (torch.tensor(one).view(3, 1, 1) for one in (mean, std))

    def learn(self, train: Sequence[Item], validation: Sequence[Item]) -> None:
        """Radford et al. 2021; the weights are those of the best epoch in the end."""
        rng, chance = Random(SEED), torch.Generator().manual_seed(SEED)
        seen, held = pixels(train, SIDE + MARGIN), pixels(validation, SIDE)
        about = [described(item, Random(SEED)) for item in validation]
        steps = len(train) // BATCH
        learning = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(learning, lr=RATE, weight_decay=DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, RATE, total_steps=EPOCHS * steps, pct_start=0.1
        )
        least, best = math.inf, {}
        for epoch in range(EPOCHS):
            order = torch.randperm(len(train), generator=chance)
            losses = []
            for rows in order[: steps * BATCH].split(BATCH):
                texts = [described(train[row], rng) for row in rows.tolist()]
                loss = self.loss(moved(seen[rows], chance), texts)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
            with torch.no_grad():
                found = self.loss(held, about).item()
            print(
                f"epoch {epoch + 1} of {EPOCHS}: loss {sum(losses) / steps:.3f}, "
                f"validation {found:.3f}",
                file=sys.stderr,
                flush=True,
            )
            if found < least:
                least, best = found, copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(best)

    def loss(self, seen: Tensor, texts: Sequence[str]) -> Tensor:
        """CLIP's own, but that pictures with the same caption are all right for it."""
        words = self._words(list(texts), padding=True, return_tensors="pt")
        normal = (seen.float() / 255 - self._mean) / self._std
        with torch.autocast("cpu", torch.bfloat16):
            scores = self.model(**words, pixel_values=normal).logits_per_text.float()
        number = {text: n for n, text in enumerate(dict.fromkeys(texts))}
        which = torch.tensor([number[text] for text in texts])
        same = (which[:, None] == which).float()
        target = same / same.sum(1, keepdim=True)
        return (cross_entropy(scores, target) + cross_entropy(scores.T, target)) / 2


def pixels(items: Sequence[Item], side: int) -> Tensor:
    """[n, 3, side, side], uint8."""
    fitted = [ImageOps.fit(item.open().convert("RGB"), (side, side)) for item in items]
    flat = [torch.frombuffer(bytearray(one.tobytes()), dtype=torch.uint8) for one in fitted]
    return torch.stack(flat).view(-1, side, side, 3).permute(0, 3, 1, 2)


def moved(seen: Tensor, chance: torch.Generator) -> Tensor:
    """[n, 3, SIDE, SIDE], all shifted alike, each mirrored or not."""
    top, left = torch.randint(MARGIN + 1, (2,), generator=chance).tolist()
    cut = seen[:, :, top : top + SIDE, left : left + SIDE]
    mirrored = torch.rand(len(cut), 1, 1, 1, generator=chance) < 0.5
    return torch.where(mirrored, cut.flip(3), cut)


def described(item: Item, rng: Random) -> str:
    """One of many captions; parts of what is known are left out at random."""
    shown = {name: str(value) for name, value in item.attributes.items() if name != "split"}
    if rng.random() < RECALLED:
        return rng.choice(TEMPLATES).format(caption(shown, rng))
    words = [v for name, v in reversed(shown.items()) if name == KIND or rng.random() < 0.5]
    return rng.choice(TEMPLATES).format(" ".join(words) or rng.choice(list(shown.values())))


def recognised(folder: Path, items: Sequence[Item]) -> dict[str, tuple[float, float]]:
    """For each attribute, of how many pictures (%) the model finds the value among all values, and
    how many have the most frequent one."""
    student = pvd.load("student", "clip", model=str(folder))
    student.load("cpu")
    seen = student.embed_prepared(student.prepare([item.open() for item in items]))
    found = {}
    for name in (name for name in items[0].attributes if name != "split"):
        truth = [str(item.attributes[name]) for item in items]
        values = sorted(set(truth))
        texts = student.embed_texts([f"a photo of a {value}" for value in values])
        guesses = [values[n] for n in (seen @ texts.T).argmax(1).tolist()]
        right = sum(guess == true for guess, true in zip(guesses, truth, strict=True))
        most = max(truth.count(value) for value in values)
        found[name] = (100 * right / len(items), 100 * most / len(items))
    return found
