"""Who holds a lease: a process, known by its machine, its number and when it began."""

from __future__ import annotations

import os
import platform
import uuid

CLOCK = 5  # seconds by which a process's beginning may be told differently after a clock was set


def this_process() -> str:
    """A new owner in this process; each opened store is one."""
    return f"{platform.node()}/{os.getpid()}/{_began(os.getpid())}/{uuid.uuid4()}"


def is_dead(owner: str) -> bool:
    """Whether it was a process of this machine that is no more; of other machines nobody knows.
    "" is nobody."""
    if not owner:
        return True
    host, pid, began, _ = owner.rsplit("/", 3)
    return host == platform.node() and not _alive(int(pid), int(began))


def _began(pid: int) -> int:
    """When a process began, in seconds since 1970: its number alone may be somebody else's next."""
    import psutil

    return int(psutil.Process(pid).create_time())


def _alive(pid: int, began: int) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(_began(pid) - began) <= CLOCK
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # it runs, as another user
