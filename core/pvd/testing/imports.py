"""What it takes to import a plug-in's module, found out in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pvd.testing.demands import skip

# Each takes a tenth of a second or more, or much memory; whoever lists plug-ins pays for all.
HEAVY = (
    "torch", "numpy", "PIL", "transformers", "open_clip", "timm", "peft", "sentence_transformers",
    "tensorflow", "jax", "onnxruntime", "scipy", "sklearn", "pandas", "pyarrow", "matplotlib",
    "cv2", "skimage", "pydantic", "rich", "openai", "anthropic", "google.genai", "cohere",
    "mistralai", "litellm", "boto3", "httpx", "requests", "aiohttp", "tensorboard", "wandb",
    "mlflow", "datasets", "huggingface_hub",
)  # fmt: skip
SECONDS = 60.0

LOOK = """
import importlib, importlib.util, json, sys
name, file, path, heavy = json.loads(sys.argv[1])
sys.path[:] = path
import pvd.testing.network
before = set(sys.modules)
with pvd.testing.network.offline():
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is not None and found.origin == file:
        importlib.import_module(name)
    else:
        spec = importlib.util.spec_from_file_location(name, file)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except ImportError as error:
            sys.exit(f"{type(error).__name__}: {error}" if name.startswith("pvd_file_") else 3)
loaded = set(sys.modules) - before
print()
print(json.dumps([one for one in heavy if one in loaded]))
"""


@dataclass(frozen=True)
class Imported:
    """What the import of a module brought along, and what it printed."""

    heavy: tuple[str, ...]
    printed: str


def imported(cls: type) -> Imported:
    """What the module of a class does when a new process imports it."""
    name = cls.__module__
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or name == "__main__":
        skip(f"the class {cls.__name__} is in no file that could be imported")
    return _imported(name, str(Path(file)), tuple(sys.path))


@lru_cache(maxsize=8)
def _imported(name: str, file: str, path: tuple[str, ...]) -> Imported:
    words = json.dumps([name, file, path, HEAVY])
    process = subprocess.run(
        [sys.executable, "-c", LOOK, words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if process.returncode == 3:  # such as a test's module, with imports from its own folder
        skip(f"its module {file} is no part of an installed package")
    if process.returncode:
        why = (process.stderr.strip().splitlines() or ["it ends the process"])[-1]
        raise AssertionError(f"its module {file} cannot be imported by a new process: {why}")
    printed, _, heavy = process.stdout.rstrip("\n").rpartition("\n")
    return Imported(tuple(json.loads(heavy)), printed.strip())
