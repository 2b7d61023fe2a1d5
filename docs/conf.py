"""How Sphinx builds the documentation (`make docs`)."""

project = "edgepatho"
copyright = "2026, The edgepatho developers"
html_title = "edgepatho"
html_theme = "furo"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click"]
myst_heading_anchors = 4
autodoc_typehints = "description"
default_role = "code"  # docstrings mark code with single backticks
