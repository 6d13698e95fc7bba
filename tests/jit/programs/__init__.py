"""Programs around a traced function that lives with Python state; each returns what an observer sees, call by call.

``program(wrap)`` uses ``wrap`` as the decorator and must give what it gives with ``wrap`` doing nothing.
"""

from . import called, contents, decided, drawn, left, numbers, replaced, results, state, written
from .program import PROGRAMS

__all__ = ["PROGRAMS", "called", "contents", "decided", "drawn", "left", "numbers", "replaced", "results", "state", "written"]
