"""What can go wrong, each with the exit code that the command line answers with.

Every message is one sentence that says what, where and how to mend it.
"""

from __future__ import annotations


class PvdError(Exception):
    """The base of every error that pvd raises on purpose; exit code 1."""

    exit_code = 1

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())  # a file's name may have several


class UsageError(PvdError):
    """The command was put together wrongly; exit code 2."""

    exit_code = 2


class MissingPrerequisite(PvdError):
    """A package, an extra or a key is not there; exit code 3."""

    exit_code = 3


class MissingFile(PvdError):
    """A file or folder that was named does not exist; exit code 4."""

    exit_code = 4


class BadInput(PvdError):
    """Data or configuration that cannot be used; exit code 5."""

    exit_code = 5


class UnknownName(BadInput):
    """No plug-in or option has this name; the message lists those that exist."""


class PluginError(BadInput):
    """A plug-in that was asked for cannot be loaded, or breaks its protocol."""

    fault = ""  # what it returned and should have, without whose it is: for contracts


class MemoryFull(PvdError):
    """The memory, the GPU's too, is full, which is no fault of what was being read; exit code 5."""

    exit_code = 5


class ProviderFailure(PvdError):
    """The teacher's provider refuses to go on (key, quota, model, outage); exit code 6."""

    exit_code = 6


class PartialResult(PvdError):
    """More answers failed than the threshold allows; exit code 7."""

    exit_code = 7


class BudgetReached(PvdError):
    """The next question could cost more than is left; a higher limit continues; exit code 8."""

    exit_code = 8


class Interrupted(PvdError):
    """Stopped by the user after what was under way had been kept; exit code 130."""

    exit_code = 130


# By exit code: what a process of ours ended with.
ERRORS = {
    error.exit_code: error
    for error in (
        UsageError,
        MissingPrerequisite,
        MissingFile,
        BadInput,
        ProviderFailure,
        PartialResult,
        BudgetReached,
        Interrupted,
    )
}
