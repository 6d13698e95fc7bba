"""Configuration of the documentation site."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parent))

import api_pages

from megengine.version import __release__

project = "megengine-xla"
author = "The megengine-xla authors"
copyright = author
release = version = __release__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

napoleon_numpy_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True}

html_theme = "furo"
html_title = f"megengine-xla {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False

api_pages.write()


def name_documented_bases(app: Sphinx, name: str, obj: type, options: Any, bases: list[Any]) -> None:
    """Put documented classes in the place of base classes that no page shows."""
    bases[:] = [f":py:class:`{base}`" for base in api_pages.bases(obj)]


def mend_links_of_sources(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Have the links from a source to the reference lead to where its names are documented, by whatever path."""
    if not page.startswith("_modules/") or "body" not in context:
        return
    places = {name: entry for name, entry in app.env.domains.python_domain.objects.items() if not entry.aliased}

    def mend(match: re.Match[str]) -> str:
        names = [name for name in places if name.endswith(f".{match[1]}")]
        own = [name for name in names if match[2].endswith(f"#{name}")]
        if not names:
            return f'<div class="viewcode-block" id="{match[1]}">\n'
        entry = places[(own or names)[0]]
        link = f"{app.builder.get_relative_uri(page, entry.docname)}#{entry.node_id}"
        return f'<div class="viewcode-block" id="{match[1]}">\n<a class="viewcode-back" href="{link}">{match[3]}</a>'

    context["body"] = re.sub(
        r'<div class="viewcode-block" id="([^"]+)">\s*<a class="viewcode-back" href="([^"]+)">(.*?)</a>',
        mend,
        context["body"],
    )


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-bases", name_documented_bases)
    app.connect("html-page-context", mend_links_of_sources)
