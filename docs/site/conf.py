"""Sphinx's settings; ``build.py`` runs it."""

from collections import namedtuple
from pathlib import Path

from sphinx.application import Sphinx

import gm_course

HERE = Path(__file__).parent

project = "Deep generative models"
author = "the authors of the course"
copyright = "text and figures CC BY 4.0, code MIT"
release = gm_course.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx-mathjax-offline",  # serves MathJax from the site itself
]
templates_path = [str(HERE / "templates")]

# Notebooks: outputs as they are stored.
nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show the answer"
nb_code_prompt_hide = "Hide the answer"
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "dollarmath"]
myst_dmath_double_inline = True  # $$ … $$ without empty lines around it, as JupyterLab takes it
myst_heading_anchors = 3

# The API reference, from docstrings in Google's style.
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Source"]
napoleon_use_ivar = True
python_use_unqualified_type_names = True
add_module_names = False

# Not linked: what other packages define, so that the site needs no other one; aliases of our own,
# which have no entry; names without their module. What contains a space is no name.
nitpick_ignore_regex = [
    (r"py:.*", r"(torch|numpy|np|matplotlib|ipywidgets|nn|collections|typing|pathlib)\b.*"),
    (r"py:class", r"Tensor|Figure|Argument|Plain|CourseError|Verdict"),
    (r"py:class", r".* .*"),
    (r"py:data", r"gm_course\.checks\.verdict\.GENERIC_HINTS"),
]

# A formula is set at the size of the text around it.
mathjax3_config = {"chtml": {"scale": 0.92}}

html_theme = "furo"
html_favicon = str(HERE / "static/favicon.svg")
html_theme_options = {
    "light_css_variables": {"color-holds": "#1a7f37", "color-fails": "#cf222e"},
    "dark_css_variables": {"color-holds": "#3fb950", "color-fails": "#ff7b72"},
}
html_title = project
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


_FIELD = type(namedtuple("Any", "field").field)


def _skip_fields(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Leave out what Python writes about a named tuple's fields; the docstring says more."""
    return True if type(obj) is _FIELD else None


def setup(app: Sphinx) -> None:
    """Connect what is above."""
    app.connect("autodoc-skip-member", _skip_fields)
