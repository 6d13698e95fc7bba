"""``report.html``: one self-contained page about a training run."""

from ..._help.public import public_names

__dir__ = public_names(globals())
