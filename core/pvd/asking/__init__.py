"""Asking: questions go to a teacher once, and come back as judgments.

A stage asks its `Desk`. What is not in the store yet goes through the post, sent one by one or in
batches; retries, pace and leases are its business.
"""

from pvd.asking.desk import Desk, Show, opened

__all__ = ["Desk", "Show", "opened"]
