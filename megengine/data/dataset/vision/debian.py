"""Data sets that Debian has a package for: fetched with apt-get and unpacked, without installing anything or being root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .fetch import DataFile, Unavailable, progress_bar, read_checked, write_beside

__all__ = ["DebianPackage"]


class DebianPackage:
    """The files of a package of Debian or of one of its descendants.

    Args:
        package: the package's name.
        folder: where its files lie once it is installed.
        files: all files of the data set; they are kept together, so that the package is fetched once.
        store: folder into which the files are copied.
        timeout: seconds that each run of apt-get may take.
    """

    def __init__(self, package: str, folder: str, files: Sequence[DataFile], store: Path, timeout: float) -> None:
        self.package = package
        self.folder = folder
        self.files = files
        self.store = store
        self.timeout = timeout

    def __str__(self) -> str:
        return f"apt-get download {self.package}"

    def read(self, file: DataFile) -> bytearray:
        """Fetches the package, keeps all of its files and returns the content of one."""
        for program in ("apt-get", "dpkg-deb"):
            if shutil.which(program) is None:
                raise Unavailable(f"there is no {program}")
        try:
            self.store.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".apt-", dir=self.store) as work:
                self._unpack(Path(work))
                for each in self.files:
                    self._keep(Path(work) / "root" / self.folder.lstrip("/") / each.name, each)
        except OSError as error:
            raise Unavailable(f"cannot write to {self.store} ({error.strerror or error})") from error
        return read_checked(self.store / file.name, file)

    def _keep(self, unpacked: Path, file: DataFile) -> None:
        try:
            read_checked(unpacked, file)
        except Unavailable as error:
            raise Unavailable(f"{file.name} of the package {error}") from error
        try:
            read_checked(self.store / file.name, file)
        except Unavailable:
            with write_beside(self.store / file.name) as beside:
                shutil.copyfile(unpacked, beside)

    def _unpack(self, work: Path) -> None:
        try:
            archive = self._download(work, [])
        except Unavailable:
            # No package lists, as in a container, or old ones: fetch lists of our own and leave the system's alone.
            options = private_lists(work)
            run(["apt-get", *options, "update"], self.timeout)
            archive = self._download(work, options)
        run(["dpkg-deb", "-x", archive.name, "root"], self.timeout, folder=work)

    def _download(self, work: Path, options: Sequence[str]) -> Path:
        command = ["apt-get", *options, "-o", "APT::Sandbox::User=", "download"]
        listing = run([*command, "--print-uris", self.package], self.timeout, folder=work).split()
        if len(listing) < 3 or not listing[2].isdigit():
            raise Unavailable(f"apt-get knows no download of {self.package}")
        archive, total = work / listing[1], int(listing[2])
        with progress_bar(self.package, total) as advance:
            seen = 0

            def report() -> None:
                nonlocal seen
                size = archive.stat().st_size if archive.exists() else 0
                advance(size - seen)
                seen = size

            run([*command, self.package], self.timeout, folder=work, meanwhile=report)
        if not archive.exists():
            raise Unavailable(f"apt-get did not write {archive.name}")
        return archive


def private_lists(work: Path) -> list[str]:
    """Options for apt-get to keep its package lists and caches within a folder."""
    for part in ("lists/partial", "cache/archives/partial"):
        (work / part).mkdir(parents=True, exist_ok=True)
    settings = {
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
        "Acquire::http::Timeout": "20",
        "Acquire::Retries": "1",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def run(
    command: Sequence[str], timeout: float, folder: Path | None = None, meanwhile: Callable[[], None] | None = None
) -> str:
    """Runs a program and returns what it printed.

    Args:
        command: the program and its arguments.
        timeout: seconds that it may take.
        folder: where it runs.
        meanwhile: called several times a second while it runs, and once after.

    Raises:
        Unavailable: if it fails, with its last error line, or takes too long.
    """
    deadline = time.monotonic() + timeout
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise Unavailable(f"{command[0]} was not finished after {timeout:g} s")
                time.sleep(0.05)
                if meanwhile is not None:
                    meanwhile()
        except BaseException:
            process.kill()
            raise
        if meanwhile is not None:
            meanwhile()
        output.seek(0)
        printed = output.read()
    if process.returncode:
        errors = [line for line in printed.splitlines() if line.startswith(("E:", "dpkg-deb: error"))]
        reason = errors[-1] if errors else f"exit status {process.returncode}"
        raise Unavailable(f"{command[0]} failed: {reason}")
    return printed
