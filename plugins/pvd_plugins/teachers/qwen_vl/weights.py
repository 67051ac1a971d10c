"""Where a model's files are, what tells them apart, and the one way in which they are loaded."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvd import kit

FILES = ("*.json", "*.jinja", "*.txt", "*.safetensors")  # no program and no pickle is fetched
FAMILIES = ("qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")
SAMPLES, SAMPLE = 256, 4096  # pieces of a file of weights, and the bytes of each
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


@dataclass(frozen=True)
class Found:
    """A folder that holds a model, and the name by which its answers are kept."""

    folder: Path
    name: str


def is_id(model: str) -> bool:
    """Whether this means a model on the hub. A folder of that name comes first."""
    return bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model)) and not Path(model).is_dir()


def found(model: str, revision: str | None) -> Found:
    """The folder of a model: fetched once if it is an id, and looked through."""
    if is_id(model):
        folder = _fetched(model, revision)
        name = f"{model}@{folder.name[:12]}"  # the commit
    else:
        folder = local(model)
        name = folder.resolve().name
    _look_through(folder, model)
    return Found(folder, name)


def local(model: str) -> Path:
    """The folder of this path; MissingFile if there is none."""
    if not Path(model).is_dir():
        raise kit.MissingFile(
            f"There is no folder {model}; teacher.model is a model's folder, or an id such as "
            "Qwen/Qwen3-VL-4B-Instruct."
        )
    return Path(model)


def digest(folder: Path) -> str:
    """What tells models apart, in milliseconds: the small files, and pieces of the weights from
    one end to the other. Sizes alone would not do: fine-tuning changes none."""
    whole = hashlib.sha256()
    for path in sorted(path for pattern in FILES for path in folder.glob(pattern)):
        size = path.stat().st_size
        whole.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            if path.suffix != ".safetensors":
                whole.update(file.read())
                continue
            for number in range(SAMPLES):
                file.seek(size * number // SAMPLES)
                whole.update(file.read(SAMPLE))
    return whole.hexdigest()


def _fetched(model: str, revision: str | None) -> Path:
    """What was fetched before is used as it is: a run asks one and the same model throughout."""
    kit.need("transformers", "hf")  # which brings the hub's client
    hub = kit.need("huggingface_hub", "hf")
    errors = kit.need("huggingface_hub.errors", "hf")
    wanted = {"repo_id": model, "revision": revision, "allow_patterns": list(FILES)}
    try:
        try:
            return Path(hub.snapshot_download(**wanted, local_files_only=True))
        except FileNotFoundError:  # not there, or not all of it
            return Path(hub.snapshot_download(**wanted))
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        at = f" at revision {revision!r}" if revision else ""
        raise kit.ProviderFailure(
            f"The hub shows no model {model}{at} to this account; check teacher.model and "
            "teacher.revision, or log in with `hf auth login`."
        ) from None
    except Exception as error:  # the client's own, its HTTP library's, the system's
        offline = hub.constants.HF_HUB_OFFLINE
        why = "HF_HUB_OFFLINE is set" if offline else kit.one_line(str(error).partition("\n")[0])
        cache = hub.constants.HF_HUB_CACHE
        raise kit.MissingPrerequisite(
            f"The model {model} is not in {cache} and cannot be fetched ({why}); fetch it once "
            "with a network, or name a folder with teacher.model."
        ) from None


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

    hf = kit.need("transformers", "hf")
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
            "it, or if torchvision is installed and does not fit torch: pip uninstall torchvision"
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
