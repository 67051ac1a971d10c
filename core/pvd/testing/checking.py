"""Runs a contract: each clause, and what is wrong."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from pvd.discovery import KINDS
from pvd.errors import MissingPrerequisite, PvdError
from pvd.protocols import Capabilities, Component, Teacher
from pvd.testing.contracts import ASKING, CONTRACTS

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Skipped(str):
    """Why a clause was not checked."""


def check(component: Component, *, live: bool = True) -> Iterator[tuple[str, str | None]]:
    """Each clause of the component's contract, with None, or what is wrong.

    Without `live` nothing is asked that costs money, this machine alone is reached, and what is
    missing here (a key, weights) is Skipped, not wrong.
    """
    kind = next(kind for kind, cls in KINDS.items() if isinstance(component, cls))
    able = component.capabilities if isinstance(component, Teacher) else Capabilities()
    for clause in CONTRACTS[kind]:
        sentence = (clause.__doc__ or "").strip()
        if (able.paid or able.person) and not live and clause in ASKING:
            why = "costs money" if able.paid else "is a person's, and nobody is bothered in a check"
            yield sentence, Skipped(f"an answer of this teacher {why}")
            continue
        try:
            with ExitStack() as stack:
                if not live:
                    stack.enter_context(alone())
                clause(component)
        except AssertionError as error:
            yield sentence, str(error) or traceback.format_exc(limit=-1).strip()
        except MissingPrerequisite as error:
            yield sentence, str(error) if live else Skipped(error)
        except PvdError as error:
            yield sentence, str(error)
        except Exception as error:  # a stranger's code: whatever it raises is the finding
            yield sentence, f"{type(error).__name__}: {error}"
        else:
            yield sentence, None


def assert_contract(component: Component) -> None:
    """Raise AssertionError that lists the broken clauses."""
    broken = [f"{clause}: {problem}" for clause, problem in check(component) if problem]
    assert not broken, "\n".join(broken)


@contextmanager
def alone() -> Iterator[None]:
    """No connection leaves this machine."""
    find, connect = socket.getaddrinfo, socket.socket.connect

    def found(host: Any, *rest: Any, **more: Any) -> Any:
        if host in (None, *LOOPBACK):
            return find(host, *rest, **more)
        raise socket.gaierror(f"{host} is not looked up: a check never uses the network")

    def connected(self: socket.socket, address: Any) -> None:
        inside = self.family not in (socket.AF_INET, socket.AF_INET6) or address[0] in LOOPBACK
        if not inside:
            raise OSError(f"{address[0]} is not reached: a check never uses the network")
        connect(self, address)

    socket.getaddrinfo = found
    socket.socket.connect = connected  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        socket.getaddrinfo = find
        socket.socket.connect = connect  # type: ignore[method-assign]
