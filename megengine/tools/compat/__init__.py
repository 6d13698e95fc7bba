"""What today's libraries have taken away, given back to one program: the environment of ``mge run``.

Each library has a file that declares every removed name once: what it was, since when it is gone and what to write instead.
``mge run`` gives the names back while a program runs, ``mge check`` looks for them in its sources.

This package is loaded before the program starts, and in each of its processes. It imports neither the rest of megengine
nor anything else that costs time.
"""
