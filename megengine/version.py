"""The version of the API that is followed and the release of this implementation of it."""

from __future__ import annotations

__all__ = ["__release__", "__version__", "git_version"]

#: The MegEngine release whose Python API and behaviour are followed; what programs compare against.
__version__ = "1.13.0"

#: The release of this implementation; the version of the distribution ``megengine-xla``.
__release__ = "0.1.0"

#: MegEngine says here from which commit it was built; programs print it.
git_version = ""
