"""Two functions held against one another: what is new, gone and changed in the second."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from ..ir import AnyEquation, Equation, Function
from ..printing import Names, lines
from .picture import Picture
from .shown import Shown
from .tables import count


class Difference(Shown):
    """What differs between two graphs; ``print`` it, or ``show()`` the second one with what differs marked.

    Args:
        before, after: the functions.
        reason: why the second one needed a program of its own, in a sentence, if that is known.
        title: what they are of.

    Attributes:
        marks: for equations of the second, ``"new"`` or ``"changed"``: the same op on other shapes, dtypes or attributes.
        gone: equations of the first that have none that corresponds.
    """

    def __init__(self, before: Function, after: Function, reason: str = "", title: str = "difference") -> None:
        self.before, self.after = before, after
        self.reason = reason
        self.marks: dict[AnyEquation, str] = {}
        self.gone: list[AnyEquation] = []
        self._pairs: list[tuple[AnyEquation | None, AnyEquation | None]] = []
        self._title_text = title
        was, now = ([e.name for e in f.equations] for f in (before, after))
        for tag, a, b, c, d in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
            if tag == "equal":
                self._compare(before.equations[a:b], after.equations[c:d])
            else:
                self.gone += before.equations[a:b]
                self.marks.update(dict.fromkeys(after.equations[c:d], "new"))
                self._pairs += [(e, None) for e in before.equations[a:b]]
                self._pairs += [(None, e) for e in after.equations[c:d]]

    def _compare(self, before: Sequence[AnyEquation], after: Sequence[AnyEquation]) -> None:
        for old, new in zip(before, after, strict=True):
            if _facts(old) != _facts(new):
                self.marks[new] = "changed"
            self._pairs.append((old, new))

    def __bool__(self) -> bool:
        """Whether the recorded operations differ; programs may differ in what lives on, too."""
        return bool(self.marks or self.gone)

    def __str__(self) -> str:
        head = [self.reason] if self.reason else []
        if not self:
            return "\n".join([*head, f"{count(len(self.after.equations), 'operation')}, the same in both"])
        old, new = _listing(self.before), _listing(self.after)
        body: list[str] = []
        same = 0
        for before, after in self._pairs:
            if before is not None and after is not None and after not in self.marks:
                same += 1
                continue
            body += _skipped(same)
            same = 0
            body += [f"- {old[before]}"] if before is not None else []
            body += [f"+ {new[after]}"] if after is not None else []
        return "\n".join([*head, *body, *_skipped(same)])

    def __repr__(self) -> str:
        kinds = [*self.marks.values()]
        counts = f"{kinds.count('new')} new, {kinds.count('changed')} changed, {len(self.gone)} gone"
        return f"<difference of {len(self.before.equations)} and {len(self.after.equations)} operations: {counts}>"

    def _pictures(self) -> Sequence[Picture]:
        return [
            Picture(self.after, f"{self._title_text}: after", marks=self.marks, held=True),
            Picture(self.before, f"{self._title_text}: before", marks=dict.fromkeys(self.gone, "new"), held=True),
        ]


def _facts(equation: AnyEquation) -> Any:
    """What has to be the same of two equations."""
    takes = [v.aval for v in equation.reads()]
    own = equation.signature.attrs if isinstance(equation, Equation) else equation.wrt
    return own, takes, [v.aval for v in equation.outputs]


def _listing(function: Function) -> dict[AnyEquation, str]:
    """The line of each equation in a function's text."""
    names = Names(function)
    text = list(lines(function, names))
    first = len(function.inputs) + len(function.constants)
    return dict(zip(function.equations, text[first:], strict=False))


def _skipped(count: int) -> list[str]:
    return [f"  ... {count} the same"] if count else []
