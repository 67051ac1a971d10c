"""Models that transformers publishes: a folder with config.json and model.safetensors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pvd import kit
from pvd_plugins.students.dual.encoder import DualEncoder
from pvd_plugins.students.dual.layers import through
from pvd_plugins.students.dual.network import TOKENIZER_FILES, VOCABULARIES, Network, Stage

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

# sentence-transformers (5.4 and later) then gives the same embeddings, of unit length.
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {
        "idx": 1,
        "name": "1",
        "path": "1_Normalize",
        "type": "sentence_transformers.models.Normalize",
    },
]
NO_MATTER = {"dtype", "torch_dtype", "transformers_version", "_name_or_path"}  # of its settings
LOAD = """\
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")  # or transformers.%s.from_pretrained
model.encode(["a gift for a mother who loves gardening"])"""


class HuggingFace(Network):
    """A model of transformers; a subclass knows how its image tower is made."""

    weights = "model.safetensors"
    small = (
        "config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "model.safetensors.index.json",
        *TOKENIZER_FILES,
    )
    tower = "vision_model"

    reads: ClassVar[Mapping[str, Any]]  # how the tokenizer is called
    kind: ClassVar[str]  # config.json's model_type
    model_class: ClassVar[str]
    image_class: ClassVar[str]  # of the processor; the one that uses Pillow

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._look_through(name)
        hf = kit.transformers()
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            with _quiet(hf.logging):
                self.tokenizer = hf.AutoTokenizer.from_pretrained(folder, **local)
                scaler = getattr(hf, f"{self.image_class}Pil", None)  # of transformers 5
                scaler = scaler or getattr(hf, self.image_class)
                self.processor = scaler.from_pretrained(folder, local_files_only=True)
                self.model, seen = self._load(getattr(hf, self.model_class), folder)
        except ImportError as error:
            raise kit.MissingPrerequisite(
                f"transformers cannot load its classes for {name} ({kit.one_line(error)}); "
                "upgrade it: pip install --upgrade transformers"
            ) from None
        except Exception as error:  # of a dozen kinds, for files that somebody may have damaged
            raise kit.BadInput(
                f"The model in {folder} cannot be loaded ({kit.one_line(error)}); fetch or save it "
                "again."
            ) from None
        if missing := sorted(seen["missing_keys"]):
            raise kit.BadInput(
                f"The weights in {folder} lack {len(missing)} tensors, such as {missing[0]}; fetch "
                "or save them again."
            )
        self.window = self.model.config.text_config.max_position_embeddings
        self.mean, self.std = self.processor.image_mean, self.processor.image_std

    def _look_through(self, name: str) -> None:
        path = self.folder / "config.json"
        config = kit.parse_json(kit.read_text(path, "file of a model"), str(path))
        kind = config.get("model_type") if isinstance(config, dict) else None
        if kind != self.kind:
            raise kit.BadInput(
                f"{name} is a model of type {kind!r}, not {self.kind!r}; choose the student that "
                "fits it, or another model."
            )
        if not list(self.folder.glob("*.safetensors")):
            raise kit.BadInput(
                f"{self.folder} has no *.safetensors; weights in another format can run programs "
                "and are not loaded, so choose a revision that has them."
            )
        # transformers makes an empty tokenizer where there is none, to which all texts look alike.
        if not any((self.folder / file).is_file() for file in VOCABULARIES):
            raise kit.BadInput(
                f"{self.folder} has no vocabulary (such as tokenizer.json); fetch or save the "
                "model again."
            )

    @staticmethod
    def _load(model: Any, folder: Path) -> Any:
        import torch

        return model.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )

    def scaled(self, images: Sequence[Image]) -> Tensor:
        seen: Tensor = self.processor(
            list(images), do_rescale=False, do_normalize=False, return_tensors="pt"
        )["pixel_values"]
        return seen

    def scaling(self) -> Any:
        names = ("size", "crop_size", "do_center_crop", "do_resize", "resample")
        return {name: str(getattr(self.processor, name, None)) for name in names}

    def architecture(self) -> Any:
        config = self.model.config.vision_config.to_dict()
        return {name: str(value) for name, value in config.items() if name not in NO_MATTER}

    def theirs(self, images: Sequence[Image]) -> Tensor:
        pixels = self.processor(list(images), return_tensors="pt")["pixel_values"]
        return _plain(self.model.get_image_features(pixels))

    def lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self.tokenizer(list(texts), verbose=False)["input_ids"]]

    def reading(self) -> dict[str, Any]:
        """How the tokenizer is called; sentence-transformers is told the same."""
        return {**self.reads, "truncation": True, "max_length": self.window}

    def read(self, texts: Sequence[str]) -> Tensor:
        words = self.tokenizer(list(texts), return_tensors="pt", **self.reading())
        return _plain(self.model.get_text_features(**words.to(self.model.device)))

    def blocks(self, layers: Sequence[nn.Module], *, first: bool = False) -> list[Stage]:
        """A stage for each layer, of the last one the first token alone if so asked."""
        # transformers 4 wants a second mask for texts, which 5 does not know.
        more = (None,) * ("causal_attention_mask" in signature(layers[0].forward).parameters)

        def stage(layer: nn.Module) -> Stage:
            def theirs(hidden: Tensor) -> Tensor:
                out = layer(hidden, None, *more)
                found: Tensor = out[0] if isinstance(out, tuple) else out
                return found

            run = through(layer, theirs, first=first and layer is layers[-1])
            return Stage(run, [layer], block=True)

        return [stage(layer) for layer in layers]

    def companions(self) -> Mapping[str, Any]:
        towers = {
            kind: {"method": f"get_{kind}_features", "method_output_name": "pooler_output"}
            for kind in ("text", "image")
        }
        return {
            "modules.json": MODULES,
            "sentence_bert_config.json": {
                "transformer_task": "feature-extraction",
                "modality_config": towers,
                "module_output_name": "sentence_embedding",
                "processing_kwargs": {"text": self.reading()},
            },
            "1_Normalize/config.json": {},
            "config.json": _settled(json.loads((self.folder / "config.json").read_bytes())),
        }


@dataclass(kw_only=True)
class FromTransformers(DualEncoder):
    """A student over a network of transformers, from the hub or from a folder."""

    extra: ClassVar[str] = "hf"
    network: ClassVar[type[HuggingFace]]

    def published(self) -> HuggingFace:
        # Repositories hold the same weights in several formats and for several libraries.
        files = (*self.network.small, "model*.safetensors")
        folder = kit.model_folder(self.model, self.revision, files, "student.model")
        return self.network(folder, self.model)

    def saved(self, folder: Path) -> HuggingFace:
        return self.network(folder, str(folder))

    def about(self) -> Mapping[str, str]:
        found = {"library_name": "sentence-transformers", "load": LOAD % self.network.model_class}
        found["base_model"] = self.model
        if kit.is_id(self.model):
            found["revision"] = self.revision or "main"
        return found


def _plain(features: Any) -> Tensor:
    """The tensor; transformers 5 wraps it."""
    found: Tensor = getattr(features, "pooler_output", features)
    return found


def _settled(value: Any) -> Any:
    """A published configuration, of weights that are fp32 now and lie where nobody knows."""
    if not isinstance(value, dict):
        return value
    of_now = {name: "float32" for name in ("dtype", "torch_dtype") if name in value}
    kept = {name: _settled(part) for name, part in value.items() if name != "_name_or_path"}
    return kept | of_now


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Progress is core's, and what a published configuration may have wrong is not the user's."""
    before = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
