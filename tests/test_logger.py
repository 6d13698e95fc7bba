"""Loggers, their levels and their one file."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import megengine as mge
from megengine import logger as module


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    level = mge.set_log_level("INFO")
    yield
    mge.set_log_file(None)
    mge.set_log_level(level)
    for name in [n for n in module._made if n.startswith("program")]:
        del module._made[name]


def test_the_file_gets_what_every_logger_writes(tmp_path: Path) -> None:
    early = mge.get_logger("program.early")
    mge.set_log_file(str(tmp_path / "log.txt"))
    late = mge.get_logger("program.late")
    for logger in (early, late, mge.get_logger(), mge.get_logger("megengine.data")):
        logger.warning("from %s", logger.name)
    mge.set_log_file(None)
    early.warning("not in the file")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.split(" WARNING: ")[1] for line in lines] == [
        "from program.early",
        "from program.late",
        "from megengine",
        "from megengine.data",
    ]


def test_a_second_file_takes_the_place_of_the_first(tmp_path: Path) -> None:
    first = io.StringIO()
    mge.set_log_file(first)
    mge.set_log_file(tmp_path / "second", mode="w")
    mge.get_logger("program").info("x")
    assert first.getvalue() == ""
    assert (tmp_path / "second").read_text().endswith("program INFO: x\n")


def test_a_logger_is_made_once() -> None:
    logger = mge.get_logger("program.once")
    assert mge.get_logger("program.once") is logger
    assert len(logger.handlers) == 1
    assert mge.get_logger() is mge.get_logger("megengine")


def test_a_formatter_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    class Short(module.MegEngineLogFormatter):
        def format(self, record: logging.LogRecord) -> str:
            return f"<{record.getMessage()}>"

    logger = mge.get_logger("program.short", Short)
    logger.handlers[0].setStream(sys.stderr)  # type: ignore[attr-defined]
    logger.info("hello")
    assert capsys.readouterr().err == "<hello>\n"


def test_levels() -> None:
    logger = mge.get_logger("program.levels")
    assert mge.set_log_level(logging.ERROR) == "INFO"
    assert logger.level == mge.get_logger().level == logging.ERROR
    assert mge.set_log_level("DEBUG", update_existing=False) == logging.ERROR
    assert logger.level == logging.ERROR
    assert mge.get_logger("program.later").level == logging.DEBUG
    with pytest.raises(ValueError, match="Unknown level: 'LOUD'"):
        mge.set_log_level("LOUD")
    assert mge.set_log_level("INFO") == "DEBUG"


def test_the_engines_level() -> None:
    engine = logging.getLogger("megengine.graph.recompile")
    before = engine.getEffectiveLevel()
    with module.replace_mgb_log_level("ERROR"):
        assert engine.getEffectiveLevel() == logging.ERROR
        assert mge.get_logger("megengine.data").getEffectiveLevel() == logging.INFO
    assert engine.getEffectiveLevel() == before


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MEGENGINE_LOGGING_LEVEL": "warning"}, "30"),
        ({"MGE_LOGGING_LEVEL": "DEBUG"}, "10"),
        ({"MEGENGINE_LOGGING_LEVEL": "loud"}, "MEGENGINE_LOGGING_LEVEL='loud': write DEBUG, INFO, WARNING or ERROR"),
    ],
)
def test_the_level_at_the_start(variables: dict[str, str], expected: str) -> None:
    program = f"import runpy; m = runpy.run_path({module.__file__!r}); print(m['get_logger']().level)"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **variables}, capture_output=True, text=True, timeout=60
    )
    assert expected in done.stdout + done.stderr
