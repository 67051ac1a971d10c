"""Grids of seeds x personas: how sure a mean is, which differences are told apart, and what it
takes to see one. Pure functions over numpy arrays, one row a seed and one column a persona.
"""

from pvd.crossed.analysis import LEVEL, Components, Crossed, analyse, conditional
from pvd.crossed.families import FEW_SEEDS, Comparison, Verdict, compare, holm
from pvd.crossed.power import detectable, seeds_needed
from pvd.crossed.ratios import Ratio, ratio

__all__ = [
    "FEW_SEEDS",
    "LEVEL",
    "Comparison",
    "Components",
    "Crossed",
    "Ratio",
    "Verdict",
    "analyse",
    "compare",
    "conditional",
    "detectable",
    "holm",
    "ratio",
    "seeds_needed",
]
