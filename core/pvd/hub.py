"""Published models: a folder, or an id on the hub that is fetched once. Weights are safetensors."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from pvd.errors import BadInput, MissingFile, MissingPrerequisite, ProviderFailure
from pvd.failures import one_line

SAMPLES, SAMPLE = 256, 4096  # pieces of a file of weights, and the bytes of each

_unfit = ""  # why the torchvision that is installed cannot be imported


def need(module: str, extra: str) -> ModuleType:
    """A third party's module, or exit code 3 with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise MissingPrerequisite(
            f"{module} is not installed; type: pip install 'pvd-distill[{extra}]'"
        ) from None


def transformers() -> ModuleType:
    """The library of that name, also beside a torchvision that does not fit torch."""
    torchvision_fits()
    return need("transformers", "hf")


def torchvision_fits() -> str:
    """Why the installed torchvision cannot be used, or nothing if it can or is not there.

    transformers uses a torchvision that is installed without trying it: beside a torch for the CPU,
    one that was built for CUDA keeps CLIP and others from being loaded, though they do not need it.
    Such a torchvision is hidden, once, before transformers looks for it.
    """
    global _unfit
    if "torchvision" not in sys.modules and find_spec("torchvision") is not None:
        try:
            importlib.import_module("torchvision")
        except (ImportError, OSError, RuntimeError) as error:
            _unfit = one_line(error)
            sys.modules["torchvision"] = None  # type: ignore[assignment]
    return _unfit


def is_id(model: str) -> bool:
    """Whether this means a model on the hub. A folder of that name comes first."""
    return bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model)) and not Path(model).is_dir()


def model_folder(model: str, revision: str | None, files: Sequence[str], option: str) -> Path:
    """The folder of a model: the one of that path, or what is fetched for an id, once. Only `files`
    (patterns) are fetched; `option` is how messages name the setting.

    MissingFile if there is no such folder, ProviderFailure if the hub shows no such model, and
    MissingPrerequisite if it can be neither found here nor fetched.
    """
    if is_id(model):
        return _fetched(model, revision, files, option)
    if not Path(model).is_dir():
        raise MissingFile(
            f"There is no folder {model}; {option} is a model's folder, or an id on the hub such "
            "as openai/clip-vit-base-patch32."
        )
    if revision is not None:
        raise BadInput(
            f"{model} is a folder, which has no revision {revision!r}; leave "
            f"{option.rpartition('.')[0]}.revision out."
        )
    return Path(model)


def model_digest(folder: Path, files: Sequence[str]) -> str:
    """What tells models apart, in milliseconds: the small files, and pieces of the weights from
    one end to the other. Sizes alone would not do: fine-tuning changes none."""
    whole = hashlib.sha256()
    for path in sorted(path for pattern in files for path in folder.glob(pattern)):
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


def _missing(folder: Path) -> int:
    """How many files of weights that come in several are not there."""
    parts: set[str] = set()
    for path in folder.glob("*.safetensors.index.json"):
        parts |= set(json.loads(path.read_text("utf-8"))["weight_map"].values())
    return sum(not (folder / part).exists() for part in parts)


def _fetched(model: str, revision: str | None, files: Sequence[str], option: str) -> Path:
    """What was fetched before is used as it is: a run is about one and the same model."""
    need("transformers", "hf")  # which brings the hub's client
    hub = need("huggingface_hub", "hf")
    errors = need("huggingface_hub.errors", "hf")
    wanted = {"repo_id": model, "revision": revision, "allow_patterns": list(files)}
    try:
        try:
            folder = Path(hub.snapshot_download(**wanted, local_files_only=True))
        except FileNotFoundError:  # not there, or not all of it
            return Path(hub.snapshot_download(**wanted))
        # Another student may have fetched other files of the same repository.
        weights = [name for name in files if name.endswith(".safetensors")]
        if _missing(folder) or not any(list(folder.glob(name)) for name in weights):
            folder = Path(hub.snapshot_download(**wanted))
        if missing := _missing(folder):
            raise FileNotFoundError(f"{missing} of its files of weights did not come")
        return folder
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        at = f" at revision {revision!r}" if revision else ""
        raise ProviderFailure(
            f"The hub shows no model {model}{at} to this account; check {option} and "
            f"{option.rpartition('.')[0]}.revision, or log in with `hf auth login`."
        ) from None
    except Exception as error:  # the client's own, its HTTP library's, the system's
        offline = hub.constants.HF_HUB_OFFLINE
        why = "HF_HUB_OFFLINE is set" if offline else one_line(str(error).partition("\n")[0])
        cache = hub.constants.HF_HUB_CACHE
        raise MissingPrerequisite(
            f"The model {model} is not in {cache} and cannot be fetched ({why}); fetch it once "
            f"with a network, or name a folder with {option}."
        ) from None
