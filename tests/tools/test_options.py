"""Options: checked, and written back as a command."""

from __future__ import annotations

import shlex

import pytest

from megengine.tools.errors import UserError
from megengine.tools.mge import build_parser
from megengine.tools.train.options import TrainOptions


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"model": "cnn"}, "--model cnn"),
        ({"hidden": ()}, "--hidden"),
        ({"hidden": (256, 0)}, "--hidden 256,0"),
        ({"epochs": 0}, "--epochs 0"),
        ({"lr": 0.0}, "--lr 0.0"),
        ({"lr": float("nan")}, "--lr nan"),
        ({"lr": float("inf")}, "--lr inf"),
        ({"batch_size": 0}, "--batch-size 0"),
        ({"optimizer": "sgdx"}, "--optimizer sgdx"),
        ({"optimizer": "adam", "momentum": 0.9}, "--momentum 0.9"),
        ({"momentum": 1.0}, "--momentum 1.0"),
        ({"weight_decay": -1e-4}, "--weight-decay -0.0001"),
        ({"schedule": "linear"}, "--schedule linear"),
        ({"init": "ones"}, "--init ones"),
        ({"seed": -1}, "--seed -1"),
        ({"seed": 2**32}, "--seed 4294967296"),
    ],
)
def test_bad_values_are_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(UserError) as caught:
        TrainOptions(**wrong).check()  # type: ignore[arg-type]
    assert named in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "options",
    [
        TrainOptions(),
        TrainOptions(model="linear"),
        TrainOptions(hidden=(512, 128), optimizer="momentum", lr=0.05, epochs=20, weight_decay=1e-4),
        TrainOptions(optimizer="sgd", momentum=0.5, init="zero", seed=3, device="cpu0", data="/data"),
        TrainOptions(optimizer="adam", lr=1e-3, schedule="cosine"),
    ],
)
def test_the_command_gives_the_same_options(options: TrainOptions) -> None:
    words = shlex.split(options.command())
    assert words[:2] == ["mge", "train"]
    parsed = vars(build_parser().parse_args(words[1:]))
    given = {name: value for name, value in parsed.items() if name in TrainOptions.__annotations__}
    assert TrainOptions(**given) == options


def test_options_survive_a_checkpoint() -> None:
    options = TrainOptions(hidden=(64, 32), optimizer="momentum")
    assert TrainOptions.from_dict(options.to_dict()) == options


def test_the_cosine_schedule_goes_down_from_lr() -> None:
    options = TrainOptions(lr=0.4, schedule="cosine", epochs=4)
    assert [round(options.lr_of(epoch), 4) for epoch in range(4)] == [0.4, 0.3414, 0.2, 0.0586]
    assert TrainOptions(lr=0.4).lr_of(3) == 0.4


def test_momentum_has_a_default_where_it_exists() -> None:
    assert TrainOptions().momentum == 0.0
    assert TrainOptions(optimizer="momentum").momentum == 0.9
    assert TrainOptions(optimizer="adam").momentum is None
