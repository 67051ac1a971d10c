"""Pages from templates: what a stranger's text holds neither breaks one nor runs in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template


def render(template: str, *filters: Callable[..., str], **values: Any) -> str:
    """A template of ours, filled in. In HTML everything is escaped; elsewhere the template's
    filters see to it. `filters` are known in it by the functions' names.
    """
    page = _compiled(template, filters).render(values)
    # A lone surrogate is valid JSON, so that a text may have one, but no valid UTF-8.
    return page.encode("utf-8", "replace").decode()


@lru_cache(32)
def _compiled(template: str, filters: tuple[Callable[..., str], ...]) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pvd"),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({function.__name__: function for function in filters})
    return environment.get_template(template)
