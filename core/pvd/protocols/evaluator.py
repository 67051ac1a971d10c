"""Evaluators measure how a system did in the exam."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from pvd.protocols.component import Component
from pvd.records import Estimate, Exam


class Evaluator(Component):
    """Measures one system's exam."""

    @abstractmethod
    def evaluate(self, exam: Exam) -> Mapping[str, Estimate]:
        """Numbers by name, higher is better; empty where the exam lacks what it needs. Give
        `pvd.kit.mean` one value a persona, None for whom there is none, so that systems can be
        compared in pairs."""

    def chance(self, items: int) -> Mapping[str, float]:
        """What a ranking by lot gets among so many items, by the names of `evaluate`, where that is
        known."""
        return {}
