"""What is kept on disk between runs: compiled programs. ``python -m megengine.utils.persistent_cache clean`` deletes them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..graph import runtime


class PersistentCacheOnServer:
    """The compiled programs of this user, processor and versions of the libraries, on disk.

    MegEngine keeps the fastest algorithms there, and may keep them on a Redis server; here the directory is the one that
    ``MEGENGINE_CACHE_DIR`` names.

    Example:
        >>> from megengine.utils.persistent_cache import PersistentCacheOnServer
        >>> from pathlib import Path
        >>> Path(PersistentCacheOnServer().get_cache_dir()).parent.name
        'xla'
    """

    def get_cache_dir(self) -> str:
        """The directory."""
        return str(runtime.cache_directory())

    def clean(self) -> int:
        """Delete what is there; returns how many files. Programs that are loaded go on running."""
        return runtime.prune(0)

    def flush(self) -> None:
        """Nothing to do: a program is written when it is compiled."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line.

    Args:
        arguments: default those of the process.
    """
    parser = argparse.ArgumentParser(prog="persistent_cache", description="manage the compiled programs on disk")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("clean", help="delete all of them")
    parser.parse_args(arguments)
    print(f"{PersistentCacheOnServer().clean()} cache entries deleted")


if __name__ == "__main__":
    main()
