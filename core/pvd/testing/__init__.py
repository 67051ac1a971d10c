"""Contract suites: what core relies on, checked on a component of any kind. No network, no key.

For authors of plug-ins: `pvd plugins check kind.name`, or in a test

    def test_contract():
        pvd.testing.assert_contract(MyTeacher())
"""

from pvd.testing.checking import Skipped, assert_contract, check
from pvd.testing.material import (
    items,
    judgment,
    learnable_batch,
    personas,
    pool,
    scored_batch,
    slate,
)

__all__ = [
    "Skipped",
    "assert_contract",
    "check",
    "items",
    "judgment",
    "learnable_batch",
    "personas",
    "pool",
    "scored_batch",
    "slate",
]
