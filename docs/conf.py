"""The site: `make docs` builds it into build/docs, strictly, without a network."""

from __future__ import annotations

import pvd

project = "pvd"
html_title = f"pvd {pvd.__version__}"
extensions = ["myst_parser"]
root_doc = "index"
highlight_language = "text"  # indented blocks are commands, files and screens
smartquotes = False  # what is quoted is often typed

# Anchors of headings as GitHub makes them, so that a link works here and there.
myst_heading_anchors = 4

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
