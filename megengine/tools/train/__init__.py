"""``mge train``: a classifier trained on Fashion-MNIST, and the folder that a run leaves."""

from ..._help.public import public_names

__dir__ = public_names(globals())
