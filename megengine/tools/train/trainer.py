"""Training steps, epochs and evaluations: the tutorial's loop in pieces."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np

import megengine
import megengine.functional as F
from megengine import Tensor
from megengine.autodiff import GradManager

from ..errors import UserError
from .checkpoint import Checkpoint
from .data import ImageData
from .metrics import Epoch, History
from .models import build_model, build_optimizer, layers
from .options import TrainOptions

__all__ = ["DivergedError", "Evaluation", "Trainer"]

EVALUATION_BATCH = 64  # the tutorial's


class DivergedError(UserError):
    """The loss is not finite any more, though the data are."""


@dataclasses.dataclass
class Evaluation:
    """The model's answers for the test images, in their order.

    Args:
        probabilities: softmax of the scores, shape (N, classes), float32.
        loss: mean cross entropy.
        accuracy: fraction of right answers.
    """

    probabilities: np.ndarray
    loss: float
    accuracy: float


class Trainer:
    """A model, its optimizer and the data, trained epoch by epoch.

    Args:
        options: checked options.
        data: the images.
        checkpoint: the state to go on from; a new run without it.
    """

    def __init__(self, options: TrainOptions, data: ImageData, checkpoint: Checkpoint | None = None) -> None:
        if options.batch_size > len(data.train):
            raise UserError(
                f"--batch-size {options.batch_size}: there are only {len(data.train)} training images", exit_code=2
            )
        self.options, self.data = options, data
        self.history = History()
        megengine.random.seed(options.seed)
        self.model = build_model(options, data.num_features, data.num_classes)
        self.optimizer = build_optimizer(options, self.model)
        self.first_layer_before = layers(self.model)[0].weight.numpy().copy()
        if checkpoint is not None:
            self._restore(checkpoint)
        self.grad_manager = GradManager().attach(self.model.parameters())

    @property
    def epochs_done(self) -> int:
        """Finished epochs."""
        return len(self.history.epochs)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Values of an image, sizes of the hidden layers, classes."""
        return (self.data.num_features, *self.options.hidden, self.data.num_classes)

    @property
    def num_parameters(self) -> int:
        """Trained numbers."""
        return sum(math.prod(parameter.shape) for parameter in self.model.parameters())

    def step(self, image: np.ndarray, label: np.ndarray) -> tuple[Tensor, Tensor]:
        """One update; returns the batch's mean loss before it and the number of right answers."""
        with self.grad_manager:
            loss, correct = self._forward(Tensor(image), Tensor(label))
            self.grad_manager.backward(loss)
        self.optimizer.step().clear_grad()
        return loss, correct

    def _forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        label = label.astype("int32")
        score = self.model(F.flatten(image, 1))
        loss = F.nn.cross_entropy(score, label)
        return loss, (F.argmax(score, axis=1) == label).sum()

    def run_epoch(self, on_batch: Callable[[int, float, int], None]) -> tuple[Epoch, Evaluation]:
        """Trains one epoch, evaluates, and adds both to the history.

        Args:
            on_batch: called after every step with its images, mean loss and right answers.

        Raises:
            UserError: if the loss is not finite any more, with the epoch, the step and what to do.
        """
        epoch = self.epochs_done
        self.history.drop_unfinished()
        # All of an epoch's randomness follows from the seed and its number: going on needs no more.
        seed = int(np.random.SeedSequence([self.options.seed, epoch]).generate_state(1)[0])
        megengine.random.seed(seed)
        lr = self.options.lr_of(epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        start = time.perf_counter()
        total_loss, total_correct, total = 0.0, 0, 0
        for step, (image, label) in enumerate(self.data.train_batches(self.options.batch_size, seed)):
            loss, correct = self.step(image, label)
            batch_loss, batch_correct = loss.item(), int(correct.item())
            if not math.isfinite(batch_loss):
                raise self._diverged(epoch, step, batch_loss, image)
            total_loss += batch_loss * len(image)
            total_correct += batch_correct
            total += len(image)
            self.history.add_step(epoch, batch_loss, batch_correct / len(image))
            on_batch(len(image), batch_loss, batch_correct)
        trained = time.perf_counter()
        evaluation = self.evaluate()
        row = Epoch(
            epoch=epoch,
            train_loss=total_loss / total,
            train_acc=total_correct / total,
            val_loss=evaluation.loss,
            val_acc=evaluation.accuracy,
            lr=lr,
            train_seconds=trained - start,
            val_seconds=time.perf_counter() - trained,
            images_per_second=total / (trained - start),
        )
        self.history.epochs.append(row)
        return row, evaluation

    def evaluate(self) -> Evaluation:
        """The answers for the test images."""
        self.model.eval()
        batches = self.data.test_batches(EVALUATION_BATCH)
        scores = [self.model(F.flatten(Tensor(image), 1)).numpy() for image, _ in batches]
        self.model.train()
        score = np.concatenate(scores).astype("float64")
        score -= score.max(axis=1, keepdims=True)
        log_probability = score - np.log(np.exp(score).sum(axis=1, keepdims=True))
        labels = self.data.test.labels
        return Evaluation(
            probabilities=np.exp(log_probability).astype("float32"),
            loss=float(-log_probability[np.arange(len(labels)), labels].mean()),
            accuracy=float((score.argmax(axis=1) == labels).mean()),
        )

    def checkpoint(self) -> Checkpoint:
        """The state after the finished epochs."""
        return Checkpoint(
            epochs_done=self.epochs_done,
            options=self.options.to_dict(),
            model=dict(self.model.state_dict()),
            optimizer=self.optimizer.state_dict(),
            history=self.history.to_dict(),
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.model.load_state_dict(checkpoint.model)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.history = History.from_dict(checkpoint.history)

    def _diverged(self, epoch: int, step: int, loss: float, image: np.ndarray) -> UserError:
        options = self.options
        message = f"the loss is {loss} in epoch {epoch}, step {step}"
        if not np.isfinite(image).all():
            return UserError(f"{message}: this batch holds pixels that are not finite", "repair the data")
        broken = [n for n, p in self.model.named_parameters() if not np.isfinite(p.numpy()).all()]
        state = f"parameters that are not finite: {', '.join(broken)}" if broken else "all parameters are finite"
        return DivergedError(
            f"{message} ({state})",
            f"training diverged at learning rate {options.lr:g}: try --lr {options.lr / 10:g}"
            + (f", or --momentum below {options.momentum:g}" if options.momentum else ""),
        )
