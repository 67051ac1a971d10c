"""A published model as a student uses it: its image tower in stages, its text tower whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

# By name: what else lies in somebody's folder is not to be taken along.
VOCABULARIES = (  # any of which will do
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
)
TOKENIZER_FILES = (
    *VOCABULARIES,
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)


@dataclass(frozen=True)
class Stage:
    """A step of the image tower. What lies below the first one that learns is computed once for
    each picture and kept; so the tower must be the stages in their order and nothing else."""

    run: Callable[[Tensor], Tensor]
    owns: Sequence[Any] = ()  # its modules and parameters
    block: bool = False  # one of the equal ones that `last-N` counts

    def parameters(self) -> Iterator[nn.Parameter]:
        """What in it can learn."""
        from torch import nn

        for one in self.owns:
            if isinstance(one, nn.Module):
                yield from one.parameters()
            elif isinstance(one, nn.Parameter):
                yield one


class Network(ABC):
    """A model of one library. `folder` has the files that it was loaded from."""

    weights: ClassVar[str]  # the file of weights in the published layout
    small: ClassVar[Sequence[str]]  # patterns of the other files of that layout

    folder: Path
    model: Any  # an nn.Module with both towers
    tower: str  # the name in `model` of the module that holds the image tower's blocks
    window: int  # tokens that the text tower reads, those around a text included
    mean: Sequence[float]  # of the three channels, of values from 0 to 1
    std: Sequence[float]

    @abstractmethod
    def stages(self) -> list[Stage]:
        """The image tower from normalised pixels [n, 3, H, W] to embeddings [n, D]."""

    @abstractmethod
    def scaled(self, images: Sequence[Image]) -> Tensor:
        """[n, 3, H, W], uint8: resized and cropped as the model's library does it."""

    @abstractmethod
    def scaling(self) -> Any:
        """All that decides what `scaled` returns but the image, as JSON."""

    @abstractmethod
    def architecture(self) -> Any:
        """What the image tower computes with its weights, as JSON: its activation, its heads."""

    @abstractmethod
    def theirs(self, images: Sequence[Image]) -> Tensor:
        """[n, D], not of unit length: the pictures as the model's library embeds them."""

    @abstractmethod
    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text before anything is cut off, those around it included."""

    @abstractmethod
    def read(self, texts: Sequence[str]) -> Tensor:
        """[n, D], not of unit length; what is beyond the window is cut off."""

    def look(self, pixels: Tensor) -> Tensor:
        """Pixels as the first stage wants them."""
        import torch

        mean = torch.tensor(self.mean, device=pixels.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).view(3, 1, 1)
        # In place: memory for three more copies of the pictures takes longer than the sums.
        return pixels.float().div_(255).sub_(mean).div_(std)

    def companions(self) -> Mapping[str, Any]:
        """JSON files by which other libraries open what was saved, by their paths in the folder."""
        return {}
