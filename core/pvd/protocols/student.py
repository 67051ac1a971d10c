"""Students embed texts and images into one space."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pvd.protocols.component import Component

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator, Tensor

# In quotes, so that torch stays out.
#: What `Student.prepare` returns: a tensor, or several by name, the first axis the images. Methods
#: that take it say `Any`, so that an override may name the one of the two that it returned.
Prepared: TypeAlias = "Tensor | Mapping[str, Tensor]"
#: The weights that learn, by name.
State: TypeAlias = "dict[str, Tensor]"


class Student(Component):
    """Embeds texts and images into one space; the image side learns, the text side is frozen."""

    @abstractmethod
    def load(self, device: str) -> None:
        """Make the model with its published weights, on `device`."""

    @abstractmethod
    def open(self, folder: Path, device: str) -> None:
        """Make the model from what `save` wrote, on `device`; nothing else is needed or fetched."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the layout that its library publishes; safetensors, never a pickle."""

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """[P, D], unit length, without a gradient. A warning that it gives (a text cut off) is
        shown once, and noted in the report. A plug-in is never called with a bare text, which is
        refused, nor with no texts, for which [0, D] is returned."""

    @abstractmethod
    def prepare(self, images: Sequence[Image]) -> Prepared:
        """What training and embedding read instead of the image, of one at least; constant per
        image, so that it is cached: pixels, or the activations below the first trained block."""

    @abstractmethod
    def prepare_key(self) -> str:
        """A digest of all that `prepare` depends on but the image: frozen weights, preprocessing,
        precision, which part is trained."""

    def augment(self, prepared: Any, rng: Generator) -> Any:
        """A variation for training, all randomness from `rng`; unchanged by default."""
        return prepared

    @abstractmethod
    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Tensor:
        """[n, D], unit length; row i depends on image i alone (no batch normalisation). `train`:
        with a gradient to what learns, and with what training wants, such as dropout."""

    @abstractmethod
    def parameter_groups(self) -> list[dict[str, Any]]:
        """What learns, in torch's form: `{"params": [...], "lr_scale": 1.0, ...}`."""

    def learning_rate(self) -> float:
        """Of AdamW in the first round, where nobody sets `train.learning_rate`."""
        return 1e-3

    def about(self) -> Mapping[str, str]:
        """What a model card says of it, as far as it is known: `base_model` (an id on the hub) and
        its `revision`, `library_name` (the hub's word), `load` (Python that opens the folder)."""
        return {}

    @abstractmethod
    def state(self) -> State:
        """The weights that learn, by name, for checkpoints."""

    @abstractmethod
    def load_state(self, state: State) -> None:
        """Put back what `state` returned."""
