"""The run folder: what is in it is whole. Files are written beside their place, synced, renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pvd.errors import BadInput, MissingFile, UsageError

if TYPE_CHECKING:
    from torch import Tensor


CHUNK = 2**22  # bytes
AGAIN = "delete it, then give the same command again to make it anew."


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file in one step; a reader sees the old content or the new, never a part."""
    with _written(path) as file, _told_of(path):
        file.write(data)


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """A file beside its place, which takes it once it is whole, and is gone if it never is."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    file: BinaryIO | None = None
    try:
        with _told_of(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = temporary.open("w+b")
        yield file
        with _told_of(path):
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    finally:
        if file is not None:
            with suppress(OSError):  # what could not be written was told already
                file.close()


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritable(path, error) from None


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """An empty folder to write into, which takes the place of `folder` once it is whole."""
    fresh, old = (folder.with_name(f".{folder.name}.{word}.tmp") for word in ("new", "old"))
    try:
        for path in (fresh, old):
            shutil.rmtree(path, ignore_errors=True)
        fresh.mkdir(parents=True)
        yield fresh
        for path in fresh.rglob("*"):
            if path.is_file():
                with path.open("r+b") as file:
                    os.fsync(file.fileno())
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise _unwritable(folder, error) from None
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def sweep(folder: Path) -> None:
    """Remove what a killed process had begun to write; only for who holds the folder's lock."""
    for path in folder.rglob(".*.tmp"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        f"{path} cannot be written ({error.strerror or error}); make room or choose another "
        "folder, then give the same command again."
    )


def write_json(path: Path, value: Any) -> None:
    """A JSON file whose bytes depend on the value alone."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, _utf8(text + "\n"))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a model may send half of a surrogate pair


def read_json(path: Path) -> Any:
    """The value of a JSON file that pvd wrote."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFile(f"There is no {path}; is the run folder right?") from None
    except (ValueError, OSError) as error:
        raise BadInput(
            f"{path} cannot be read as JSON: {error}; delete it to make it again."
        ) from None


def read_object(path: Path, schema: int | None = None, again: str = AGAIN) -> dict[str, Any]:
    """The object of a JSON file that pvd wrote, of this schema or an older one; `again` ends the
    sentence if it is none."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise BadInput(f"{path} is no JSON object; {again}")
    if schema is None:
        return value
    found = value.get("schema")
    if type(found) is not int or found < 1:
        raise BadInput(f"{path} says no schema; {again}")
    if found > schema:
        raise BadInput(f"{path} was written by a newer pvd (schema {found}); update pvd-distill.")
    return value


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON lines, all of them or none."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_bytes(path, _utf8(text))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingFile(f"There is no {path}; check the path.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}).") from None
    rows = []
    # Only \n ends a line: str.splitlines would also cut at U+2028 inside a string.
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            try:
                row = json.loads(line.decode())  # a torn line can end inside a letter
            except (ValueError, RecursionError) as error:
                raise BadInput(f"{path}, line {number} is no valid JSON: {error}.") from None
            if not isinstance(row, dict):
                raise BadInput(f"{path}, line {number} is no JSON object.")
            rows.append(row)
    return rows


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A safetensors file."""
    from safetensors.torch import save

    write_bytes(path, save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())
    except FileNotFoundError:
        raise MissingFile(f"There is no {path}; is the run folder right?") from None
    except SafetensorError as error:
        raise BadInput(
            f"The checkpoint {path} is damaged ({error}); delete it and the `done` beside it, and "
            "the same command makes it again."
        ) from None


@contextmanager
def new_array(path: Path, shape: tuple[int, int]) -> Iterator[Tensor]:
    """A file of numpy's, mapped, to be filled: no process need hold all of it."""
    import numpy as np
    import torch

    with _written(path) as file:
        with _told_of(path):
            layout = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, layout)
            start = file.tell()
            _reserve(file, 4 * shape[0] * shape[1])
            rows = np.memmap(file, "<f4", "r+", start, shape)
        yield torch.from_numpy(rows)
        with _told_of(path):
            rows.flush()


def _reserve(file: BinaryIO, size: int) -> None:
    """Room for so many bytes more: a full disk that is found through a mapped page ends the
    process. Not every system can do it but by writing."""
    start = file.tell()
    try:
        os.posix_fallocate(file.fileno(), start, size)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        for done in range(0, size, CHUNK):
            file.write(bytes(min(CHUNK, size - done)))
        file.flush()


def read_array(path: Path) -> Tensor:
    """The tensor of such a file, mapped."""
    import numpy as np
    import torch

    try:
        return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
    except FileNotFoundError:
        raise MissingFile(f"There is no {path}; is the run folder right?") from None
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(
            f"{path} is damaged ({error}); delete it, and the same command makes it again."
        ) from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second process out of a run folder. The lock of a dead process is free again. What is
    begun here and leaves nothing, since it was refused, leaves no folder either.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=0)
    new = not (folder / ".lock").exists()
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise BadInput(
            f"Another process is working in {folder}; wait for it or name another folder."
        ) from None
    except OSError as error:
        in_the_way = (path for path in (folder, *folder.parents) if _is_other(path))
        if (other := next(in_the_way, None)) is not None:
            raise BadInput(f"{other} is no folder; name another place.") from None
        raise BadInput(
            f"{folder} cannot be written to ({error.strerror or error}); name another folder."
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # whoever removed it meanwhile was right
            if new and [path.name for path in folder.iterdir()] == [".lock"]:
                (folder / ".lock").unlink()
        lock.release()
        with suppress(OSError):  # from the inside out, as far as they are empty
            for path in made:
                path.rmdir()


def _is_other(path: Path) -> bool:
    """Something is there, and no folder: a file, a device, a link that leads nowhere."""
    return os.path.lexists(path) and not path.is_dir()


def check_holds_only(folder: Path, names: set[str], what: str) -> None:
    """Raise UsageError if there is more in the folder than `what` writes: it is not ours then."""
    inside = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if others := sorted(name for name in inside - names if not name.startswith(".")):
        raise UsageError(f"{folder} holds {others[0]}, which no {what} wrote; name another --out.")


def released(folder: Path, seconds: float) -> None:
    """Wait until nobody holds the folder's lock any more, at most so long."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    with suppress(Timeout), FileLock(folder / ".lock", timeout=seconds):
        return
