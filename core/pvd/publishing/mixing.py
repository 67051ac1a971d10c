"""Weights half way between two students: the average of their files, name by name.

WiSE-FT (Wortsman et al. 2022): what lies between the published and the trained weights often keeps
more of what the first knew than the second does, at little cost in what the second learned.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pvd.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor


def average(base: Path, trained: Path, share: float, to: Path) -> None:
    """Write every *.safetensors file of two folders to a third, each floating tensor `share` of the
    way from the base's to the trained one's. BadInput if the folders differ in more than numbers.
    """
    names = [weight_files(folder) for folder in (base, trained)]
    if names[0] != names[1] or not names[0]:
        raise BadInput(
            "The student saves other files of weights before training than after it "
            f"({_listed(names[0])}; {_listed(names[1])}), so there is no average of the two."
        )
    for name in names[0]:
        _average(base / name, trained / name, share, to / name)


def weight_files(folder: Path) -> list[str]:
    """The files of weights in a folder, by their relative names."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.safetensors"))


def check_whole(folder: Path) -> None:
    """BadInput if a student's weights are gone or cut off."""
    from safetensors import SafetensorError, safe_open

    files = weight_files(folder)
    if not files:
        raise BadInput(f"{folder} has no weights; make the run's result again (pvd evaluate).")
    for name in files:
        try:
            with safe_open(folder / name, "pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise BadInput(
                f"The weights {folder / name} are damaged ({error}); make the run's result again "
                "(pvd evaluate)."
            ) from None


def _average(base: Path, trained: Path, share: float, to: Path) -> None:
    import torch
    from safetensors import safe_open
    from safetensors.torch import save

    with safe_open(base, "pt") as before, safe_open(trained, "pt") as after:
        names = sorted(after.keys())
        if sorted(before.keys()) != names:
            odd = sorted(set(before.keys()) ^ set(names))
            raise BadInput(
                f"{trained.name} holds other tensors before training than after it, such as "
                f"{odd[0]}, so there is no average of the two."
            )
        mixed: dict[str, Tensor] = {}
        for name in names:
            old, new = before.get_tensor(name), after.get_tensor(name)
            same = old.shape == new.shape and old.dtype == new.dtype
            if not same or not (new.is_floating_point() or torch.equal(old, new)):
                raise BadInput(
                    f"The tensor {name} of {trained.name} changed in more than its numbers, so "
                    "there is no average of the two."
                )
            # lerp leaves what is equal in both exactly as it is.
            mixed[name] = (
                torch.lerp(old.float(), new.float(), share).to(new.dtype)
                if new.is_floating_point()
                else new
            )
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(save(mixed, after.metadata()))


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
