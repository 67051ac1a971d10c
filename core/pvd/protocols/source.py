"""Sources bring catalogues and personas."""

from __future__ import annotations

from pvd.errors import BadInput
from pvd.protocols.component import Component
from pvd.records import Catalog, Persona


class Source(Component):
    """Brings a catalogue, personas, or both, from a path."""

    path: str = ""  #: what the user wrote after `source:`; core sets it, and hands it over

    def catalog(self, path: str) -> Catalog:
        """The catalogue at this path; raise MissingFile or BadInput, with file and line. By default
        BadInput: this source brings none."""
        raise BadInput(f"The source {self.label} brings no catalogue; name another with --catalog.")

    def personas(self, path: str) -> list[Persona]:
        """The personas at this path, checked by `pvd.kit.persona_record`; raise MissingFile or
        BadInput, with file and line. By default BadInput: this source brings none."""
        raise BadInput(f"The source {self.label} brings no personas; name another with --personas.")
