"""Where a model's files are, what tells them apart, and the one way in which they are loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvd import kit

FILES = ("*.json", "*.jinja", "*.txt", "*.safetensors")  # no program and no pickle is fetched
FAMILIES = ("qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


@dataclass(frozen=True)
class Found:
    """A folder that holds a model, and the name by which its answers are kept."""

    folder: Path
    name: str


def place(model: str, revision: str | None) -> Path:
    """The folder of a model: its own, or that of an id, fetched once."""
    return kit.model_folder(model, revision, FILES, "teacher.model")


def digest(folder: Path) -> str:
    """What tells models apart."""
    return kit.model_digest(folder, FILES)


def found(model: str, revision: str | None) -> Found:
    """The folder of a model, looked through."""
    folder = place(model, revision)
    commit = f"{model}@{folder.name[:12]}"
    _look_through(folder, model)
    return Found(folder, commit if kit.is_id(model) else folder.resolve().name)


def _look_through(folder: Path, model: str) -> None:
    path = folder / "config.json"
    config = kit.parse_json(kit.read_text(path, "file of a model"), str(path))
    family = config.get("model_type") if isinstance(config, dict) else None
    if family not in FAMILIES:
        raise kit.BadInput(
            f"{model} is a model of type {family!r}; teacher.qwen-vl runs {', '.join(FAMILIES)}."
        )
    if not list(folder.glob("*.safetensors")):
        raise kit.BadInput(
            f"{folder} has no *.safetensors; weights in another format can run programs and are "
            "not loaded, so save them with `save_pretrained` first."
        )


def _has_template(folder: Path) -> bool:
    """Whether the template is where the tokenizer looks for it; processors once had their own."""
    return (folder / "chat_template.jinja").is_file()


def load(folder: Path, device: str, dtype: str) -> tuple[Any, Any, Any]:
    """The network, the tokenizer and the image processor. No program of the folder is run."""
    import torch

    hf = kit.transformers()
    hf.logging.disable_progress_bar()  # progress is core's
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = hf.AutoTokenizer.from_pretrained(folder, **local)
        if (old := folder / "chat_template.json").is_file() and not _has_template(folder):
            tokenizer.chat_template = json.loads(old.read_text("utf-8"))["chat_template"]
        # AutoProcessor prepares videos too, for which it needs torchvision.
        scaler = getattr(hf, "Qwen2VLImageProcessorPil", None) or hf.Qwen2VLImageProcessor
        pixels = scaler.from_pretrained(folder, local_files_only=True)
        network, seen = hf.AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=getattr(torch, DTYPES[dtype]),
            use_safetensors=True,
            output_loading_info=True,
            **local,
        )
        network = network.eval().to(device)
    except ImportError as error:
        raise kit.MissingPrerequisite(
            f"transformers cannot load its classes for Qwen-VL ({kit.one_line(error)}); upgrade "
            "it: pip install --upgrade transformers"
        ) from None
    except Exception as error:  # of a dozen kinds, for files that a user may have damaged
        raise kit.BadInput(
            f"The model in {folder} cannot be loaded ({kit.one_line(error)})."
        ) from None
    if missing := sorted(seen["missing_keys"]):
        raise kit.BadInput(
            f"The weights in {folder} lack {len(missing)} tensors, such as {missing[0]}."
        )
    return network, tokenizer, pixels
