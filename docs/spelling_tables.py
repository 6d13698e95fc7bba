"""Writes the tables of docs/pytorch.md, from the spellings that errors name: `python docs/spelling_tables.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from megengine._help import spellings

PAGE = Path(__file__).resolve().parent / "pytorch.md"
MARKED = re.compile(r"<!-- (.+?) -->\n.*?<!-- end -->", re.DOTALL)

# What stands before names in PyTorch, for namespaces said by the heading: the names and their spellings.
TABLES = {
    "x.": spellings.TENSOR,
    "torch.": spellings.PACKAGE,
    "torch.nn.functional.": spellings.FUNCTIONAL,
    "torch.nn.": spellings.MODULE,
    "net.": spellings.NETWORK,
    "torch.nn.init.": spellings.INIT,
    "torch.optim.": spellings.SCHEDULES,
    "torch.utils.data.": spellings.DATA,
    "torchvision.transforms.": spellings.TRANSFORM,
    "scaler.": spellings.SCALER,
    "torch.autograd.": spellings.AUTODIFF,
    "torch.utils.": spellings.UTILS,
    "gm.": spellings.MANAGER,
    "torch.jit.": spellings.JIT,
    "torch.distributed.": spellings.DISTRIBUTED,
}
KEYWORDS = "keywords"


def shown(code: str) -> str:
    """A spelling as it stands in a table: code, and its comment as words."""
    code, _, comment = code.partition("  # ")
    return f"`{code}`" + (f", {comment}" if comment else "")


def keywords() -> Iterator[tuple[str, str]]:
    """The rows of the keywords."""
    for name, own in spellings.KEYWORDS.items():
        if own:
            yield f"`{name}=`", " or ".join(f"`{word}=`" for word in own)
    for name, words in spellings.WITHOUT.items():
        yield f"`{name}=`", words if " " in words.replace(", ", "") else f"`{words}`"


def rows(prefix: str, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The rows of a table of names."""
    for name, code in names.items():
        yield f"`{'' if prefix.startswith('torch') else prefix}{name}`", shown(code)


def table(mark: str) -> str:
    """The table of a mark."""
    lines = keywords() if mark == KEYWORDS else rows(mark, TABLES[mark])
    return "\n".join(["| PyTorch | here |", "|---|---|", *(f"| {theirs} | {ours} |" for theirs, ours in lines)])


def filled(text: str) -> str:
    """A page with its tables as they are now."""
    return MARKED.sub(lambda match: f"<!-- {match[1]} -->\n\n{table(match[1])}\n\n<!-- end -->", text)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
