"""Lets a torchvision that was built for CUDA load beside a torch that was not.

The package index has no torchvision for the CPU alone: its operators are in a library that does not
load, and without their names `import torchvision` fails, and open_clip and timm with it. Here the
two names that are asked for while it is imported are declared; nobody calls them. The tests put
this folder on the path of the processes that they start. Never part of the package: for users,
hiding what is broken would be worse than saying so.
"""

import importlib.util
from pathlib import Path


def _declare() -> object | None:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    import torch
    from torch import library

    built = (Path(spec.origin).parent / "version.py").read_text()
    if torch.version.cuda is not None or "+cu" not in built:
        return None
    names = library.Library("torchvision", "FRAGMENT")
    names.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    names.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return names


DECLARED = _declare()  # kept: the names go when it goes
