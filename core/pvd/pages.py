"""Pages from templates: what a stranger's text holds neither breaks one nor runs in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pvd.money.amounts import money
from pvd.prose import DASH, true_minus

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


def show(value: Any) -> str:
    """Any JSON value in a table: four digits of a float, long text cut (run.toml has it all)."""
    if value is None:
        return DASH
    if isinstance(value, float):
        grouped = 1000 <= abs(value) < 1e9
        return true_minus(f"{value:{',.0f' if grouped else '.4g'}}")
    if isinstance(value, int) and not isinstance(value, bool):
        return true_minus(f"{value:,}")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:159] + "…"


def dollars(amount: float | None) -> str:
    """An amount of money; that of an unknown price is unknown."""
    return "unknown" if amount is None else money(amount)


def flat(component: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A component's options with their dotted paths, as `-o` takes them."""
    for name, value in component.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
