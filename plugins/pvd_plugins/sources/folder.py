"""A folder of pictures as a catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pvd
from pvd import kit

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")


@dataclass(kw_only=True)
class Folder(pvd.Source):
    """Every picture below the folder is an item; its id is the path, its `folder` the subfolder."""

    def catalog(self, path: str) -> pvd.Catalog:
        root = Path(path)
        if not path or not root.is_dir():
            raise kit.MissingFile(f"There is no folder {path}; check the path of the catalogue.")
        items = []
        for file in sorted(root.rglob("*")):
            if file.suffix.lower() in SUFFIXES:
                name = file.relative_to(root)
                try:
                    if file.is_dir():
                        continue
                    kit.image_path(root, str(name), path)
                except OSError as error:  # a folder that may be listed, but not entered
                    raise kit.BadInput(
                        f"{file} cannot be read ({error.strerror}); check its permissions."
                    ) from None
                attributes = {"folder": str(name.parent)} if name.parent.name else {}
                items.append(pvd.Item(name.as_posix(), file, None, attributes))
        if not items:
            raise kit.BadInput(
                f"There is no picture in {path}; put some there ({', '.join(SUFFIXES)})."
            )
        return pvd.Catalog(tuple(items), path)


@pvd.hookimpl
def register_sources(register: Callable[[str, type[pvd.Source]], None]) -> None:
    register("folder", Folder)
