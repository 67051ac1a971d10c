"""The site: `make docs` builds it into build/docs, strictly, without a network."""

from __future__ import annotations

from typing import Any

import pvd

project = "pvd"
html_title = f"pvd {pvd.__version__}"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "index"
highlight_language = "text"  # indented blocks are commands, files and screens
smartquotes = False  # what is quoted is often typed

# Anchors of headings as GitHub makes them, so that a link works here and there.
myst_heading_anchors = 4

# Docstrings are plain sentences with `code` in single backticks.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# Types that signatures name and that no page here describes.
nitpick_ignore_regex = [
    ("py:.*", r"(?!pvd\b).*"),
    ("py:.*", r"pvd\.(?!(kit|testing)\.\w+$)[a-z].*"),
]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}


def setup(app: Any) -> None:
    app.connect("autodoc-process-signature", _readable)


def _readable(*event: Any) -> tuple[str | None, str | None]:
    """A field's default that a function makes: Sphinx cannot read its `<factory>`."""
    *_, signature, returned = event
    return signature and signature.replace("<factory>", "..."), returned
