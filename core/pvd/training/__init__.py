"""Training: the student's scores are pulled towards the rankings, a number of steps a round."""

from pvd.training.bookmark import Bookmark
from pvd.training.lesson import Aged, Lesson, drift
from pvd.training.steps import train_round

__all__ = ["Aged", "Bookmark", "Lesson", "drift", "train_round"]
