"""Pictures as a student reads them: decoded and prepared once, kept on disk, taken by row."""

from pvd.pictures.blocks import Block, check_bad, prepared
from pvd.pictures.kept import Kept
from pvd.pictures.shelf import Memory, Pictures, prepare

__all__ = ["Block", "Kept", "Memory", "Pictures", "check_bad", "prepare", "prepared"]
