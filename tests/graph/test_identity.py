"""Identities that hold in every process."""

from __future__ import annotations

import numpy as np
import pytest

from megengine.graph.identity import Nameless, identity_of, plain


def test_what_has_no_name_has_no_identity() -> None:
    with pytest.raises(Nameless):
        plain(lambda: None)
    assert identity_of("ops.sin", lambda: None) == "" and identity_of("", 1) == ""
    assert identity_of("ops.sin", (1, np.dtype("f4"))) != ""
