"""Which library is loaded, and that programs compute the same without one."""

from __future__ import annotations

import os
import sys

import pytest

from megengine.ops.onednn import library as loading
from megengine.ops.onednn.library import OneDNNError, library

needs_it = pytest.mark.skipif(library() is None, reason="needs oneDNN")


def load(monkeypatch: pytest.MonkeyPatch, setting: str | None) -> loading.Library | None:
    """What a process with this setting loads."""
    monkeypatch.setattr(loading, "_loaded", [])
    if setting is None:
        monkeypatch.delenv("MEGENGINE_ONEDNN", raising=False)
    else:
        monkeypatch.setenv("MEGENGINE_ONEDNN", setting)
    return library()


@pytest.mark.parametrize("setting", ["0", "off", "False"])
def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    assert load(monkeypatch, setting) is None and loading.identity() == ""


@needs_it
def test_the_environment_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    found = load(monkeypatch, library().path)  # type: ignore[union-attr]
    assert found is not None and loading.identity() == f"oneDNN {found.version}"
    assert {**os.environ, "MEGENGINE_ONEDNN": ""} == {**before, "MEGENGINE_ONEDNN": ""}


def test_a_path_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OneDNNError, match="MEGENGINE_ONEDNN=/no/such/library"):
        load(monkeypatch, "/no/such/library")


def test_another_library_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OneDNNError, match="MEGENGINE_ONEDNN"):
        load(monkeypatch, "libc.so.6")


def test_it_is_found_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "FILE", "libdnnl.so.none")
    assert load(monkeypatch, None) is None


def test_other_systems_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert load(monkeypatch, None) is None
