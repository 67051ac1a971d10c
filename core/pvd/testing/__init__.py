"""Contract suites: what core relies on, checked on a component of any kind. No network, no key.

For authors of plug-ins: `pvd plugins check kind.name`, and in the tests of a package

    from pvd import testing

    class TestMine(testing.LossContract):
        def component(self):
            return Mine(margin=0.2)

Each check is a test then. Fixtures for other tests come with
`pytest_plugins = ["pvd.testing.fixtures"]`.
"""

from pvd.testing.checking import Skipped, assert_contract, check
from pvd.testing.contract import Contract
from pvd.testing.evaluators import EvaluatorContract
from pvd.testing.losses import LossContract
from pvd.testing.material import (
    exam,
    items,
    judged_batch,
    judgment,
    learnable_batch,
    personas,
    pool,
    scored_batch,
    slate,
)
from pvd.testing.network import offline
from pvd.testing.observers import ObserverContract
from pvd.testing.samplers import SamplerContract
from pvd.testing.sources import SourceContract
from pvd.testing.students import StudentContract
from pvd.testing.teachers import TeacherContract

__all__ = [
    "Contract",
    "EvaluatorContract",
    "LossContract",
    "ObserverContract",
    "SamplerContract",
    "Skipped",
    "SourceContract",
    "StudentContract",
    "TeacherContract",
    "assert_contract",
    "check",
    "exam",
    "items",
    "judged_batch",
    "judgment",
    "learnable_batch",
    "offline",
    "personas",
    "pool",
    "scored_batch",
    "slate",
]
