"""A whole run: from options or a checkpoint to a finished run folder."""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

import megengine

from ..._support.tfevents import EventWriter
from ..errors import UserError
from ..report.environment import environment
from ..report.page import write_report
from ..report.summary import RunSummary
from .checkpoint import CHECKPOINT, Checkpoint, find_checkpoint
from .data import CLASS_NAMES, load_data
from .metrics import Epoch
from .models import layers
from .options import TrainOptions
from .picture import step_picture
from .progress import Progress
from .run_folder import check_writable, make_run_folder
from .trainer import DivergedError, Evaluation, Trainer

__all__ = ["start_run", "resume_run"]

REPORT = "report.html"
INTERRUPTED = 130  # 128 + SIGINT, what a shell reports for Ctrl-C


def start_run(options: TrainOptions, out: str | None = None, quiet: bool = False) -> int:
    """Trains from the beginning and returns the exit status.

    Args:
        options: checked options.
        out: the run folder to make; ``runs/TIME-MODEL`` by default.
        quiet: print the epoch lines only.

    Raises:
        UserError: for whatever the caller can put right.
    """
    use_device(options.device)
    folder = make_run_folder(out, options.model)
    try:
        trainer = Trainer(options, load_data(options.data))
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()  # leaves a folder alone that was not empty
        raise
    trainer.checkpoint().save(folder / CHECKPOINT)
    return _Run(trainer, folder, quiet).go()


def resume_run(run: str, changes: dict[str, Any], quiet: bool = False) -> int:
    """Goes on where a run's checkpoint ended and returns the exit status.

    The numbers are those of an uninterrupted run, to the last bit.

    Args:
        run: the run folder, or the checkpoint in it.
        changes: options that are to differ from the checkpoint's from here on.
        quiet: print the epoch lines only.

    Raises:
        UserError: for whatever the caller can put right.
    """
    path = find_checkpoint(run)
    checkpoint = Checkpoint.load(path)
    options = TrainOptions.from_dict({**checkpoint.options, **changes}).check()
    if options.epochs <= checkpoint.epochs_done:
        raise UserError(
            f"{path} has all of its {checkpoint.epochs_done} epochs",
            f"train further: mge train --resume {shlex.quote(run)} --epochs {checkpoint.epochs_done + 5}",
            exit_code=2,
        )
    use_device(options.device)
    check_writable(path.parent)
    trainer = Trainer(options, load_data(options.data), checkpoint)
    return _Run(trainer, path.parent, quiet).go()


def use_device(device: str) -> None:
    """Makes a device the default one and tries it out.

    Raises:
        UserError: if its name means nothing here.
    """
    try:
        megengine.set_default_device(device)
        megengine.Tensor(np.zeros(1, "float32")).numpy()
    except Exception as error:
        raise UserError(
            f"--device {device}: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            "give xpux (the best there is), cpu0 or gpu0",
            exit_code=2,
        ) from error


class _Run:
    """The epochs of one process: trains, keeps, writes and reports."""

    def __init__(self, trainer: Trainer, folder: Path, quiet: bool) -> None:
        self.trainer, self.folder, self.quiet = trainer, folder, quiet
        self.picture: dict[str, Any] | None = None
        self.saved_epochs = trainer.epochs_done

    def go(self) -> int:
        trainer = self.trainer
        sizes = "-".join(map(str, trainer.layer_sizes))
        self.say(f"{trainer.options.model} {sizes}, {trainer.num_parameters:,} parameters, run folder {self.folder}")
        purge_step = len(trainer.history.steps) if trainer.epochs_done else None
        try:
            with EventWriter(self.folder, purge_step) as events:
                while trainer.epochs_done < trainer.options.epochs:
                    self.one_epoch(events)
        except KeyboardInterrupt:
            print(f"\nStopped in epoch {self.saved_epochs}. Kept: {self.kept()}.", file=sys.stderr)
            print(f"Go on with: mge train --resume {shlex.quote(str(self.folder))}", file=sys.stderr)
            return INTERRUPTED
        except DivergedError as error:
            lower = f"mge train --resume {shlex.quote(str(self.folder))} --lr {trainer.options.lr / 10:g}"
            raise UserError(str(error), f"kept: {self.kept()}", f"go on from there with: {lower}") from error
        self.say(f"report: {self.folder / REPORT}")
        return 0

    def say(self, text: str) -> None:
        if not self.quiet:
            print(text, file=sys.stderr)

    def kept(self) -> str:
        done = self.saved_epochs
        return f"{self.folder / CHECKPOINT}, the state after {done} epoch{'' if done == 1 else 's'}"

    def one_epoch(self, events: EventWriter) -> None:
        trainer = self.trainer
        first_step = len(trainer.history.steps)
        bar = Progress(trainer.epochs_done, len(trainer.data.train), show=not self.quiet)
        try:
            epoch, evaluation = trainer.run_epoch(bar.add)
        finally:
            bar.close()
        trainer.checkpoint().save(self.folder / CHECKPOINT)
        self.saved_epochs = trainer.epochs_done
        print(epoch.line(), flush=True)
        trainer.history.write(self.folder)
        _add_events(events, trainer, epoch, first_step)
        if self.picture is None:
            self.picture = step_picture(trainer)
        write_report(self.folder / REPORT, _summary(trainer, self.folder, evaluation, self.picture))


def _add_events(events: EventWriter, trainer: Trainer, epoch: Epoch, first_step: int) -> None:
    for _, step, loss, accuracy in trainer.history.steps[first_step:]:
        events.add_scalars({"step/loss": loss, "step/accuracy": accuracy}, step)
    values = {
        "epoch/train_loss": epoch.train_loss,
        "epoch/train_acc": epoch.train_acc,
        "epoch/val_loss": epoch.val_loss,
        "epoch/val_acc": epoch.val_acc,
        "epoch/images_per_second": epoch.images_per_second,
    }
    events.add_scalars(values, step=len(trainer.history.steps) - 1)
    events.flush()


def _summary(trainer: Trainer, folder: Path, evaluation: Evaluation, picture: dict[str, Any]) -> RunSummary:
    test = trainer.data.test
    return RunSummary(
        name=folder.resolve().name,
        command=trainer.options.command(),
        options=trainer.options.to_dict(),
        epochs=trainer.history.epochs,
        steps=trainer.history.steps,
        layer_sizes=trainer.layer_sizes,
        num_parameters=trainer.num_parameters,
        class_names=CLASS_NAMES,
        test_images=test.images,
        test_labels=test.labels,
        probabilities=evaluation.probabilities,
        first_layer=layers(trainer.model)[0].weight.numpy(),
        first_layer_before=trainer.first_layer_before,
        picture=picture,
        environment=environment(trainer.options.device),
    )
