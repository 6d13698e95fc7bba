"""Learning-rate schedules."""

from __future__ import annotations

import pytest

import megengine.optimizer as optim
from megengine import Parameter


def sgd(*rates: float) -> optim.SGD:
    return optim.SGD([{"params": Parameter([1.0]), "lr": lr} for lr in rates], lr=0.0)


def test_multi_step() -> None:
    optimizer = sgd(1.0, 8.0)
    schedule = optim.MultiStepLR(optimizer, [2, 4], gamma=0.5)
    seen = []
    for _ in range(6):
        seen.append((schedule.current_epoch, *[group["lr"] for group in optimizer.param_groups]))
        schedule.step()
    assert seen == [(0, 1, 8), (1, 1, 8), (2, 0.5, 4), (3, 0.5, 4), (4, 0.25, 2), (5, 0.25, 2)]
    schedule.step(1)
    assert optimizer.param_groups[1]["lr"] == 8 and schedule.get_lr() == [1, 8]
    assert optimizer.param_groups[0]["initial_lr"] == 1


def test_multi_step_goes_on() -> None:
    optimizer = sgd(1.0)
    schedule = optim.MultiStepLR(optimizer, (1, 3), gamma=0.1)
    schedule.step()
    schedule.step()
    assert schedule.state_dict() == {"milestones": (1, 3), "gamma": 0.1, "current_epoch": 2}
    fresh = sgd(1.0)
    other = optim.MultiStepLR(fresh, [9])
    other.load_state_dict(schedule.state_dict())
    other.step()
    assert fresh.param_groups[0]["lr"] == pytest.approx(0.01) and other.milestones == (1, 3)
    resumed = sgd(1.0)
    resumed.load_state_dict({**optimizer.state_dict(), "param_groups": resumed.state_dict()["param_groups"]})
    resumed.param_groups[0]["initial_lr"] = 1.0
    assert optim.MultiStepLR(resumed, [1, 3], current_epoch=2).get_lr() == [pytest.approx(0.01)]


def test_milestones_from_an_iterator() -> None:
    assert optim.MultiStepLR(sgd(1.0), iter([0, 1]), gamma=0.5).get_lr() == [0.5]


def test_refusals() -> None:
    with pytest.raises(TypeError, match="should be Optimizer, got <class 'int'>"):
        optim.MultiStepLR(3, [1])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"increasing integers. Got \[3, 1\]"):
        optim.MultiStepLR(sgd(1.0), [3, 1])
    with pytest.raises(KeyError, match=r"'initial_lr' is not specified in param_groups\[0\]"):
        optim.MultiStepLR(sgd(1.0), [1], current_epoch=2)
    with pytest.raises(NotImplementedError, match="get_lr"):
        optim.LRScheduler(sgd(1.0))
    with pytest.raises(KeyError, match="'gamma' is not specified"):
        optim.MultiStepLR(sgd(1.0), [1]).load_state_dict({"milestones": [1]})


def test_a_schedule_of_a_user_saves_all_its_attributes() -> None:
    class Warmup(optim.LRScheduler):
        def __init__(self, optimizer: optim.Optimizer, steps: int) -> None:
            self.steps = steps
            super().__init__(optimizer)

        def get_lr(self) -> list[float]:
            return [lr * min(1.0, (self.current_epoch + 1) / self.steps) for lr in self.base_lrs]

    optimizer = sgd(1.0)
    schedule = Warmup(optimizer, 4)
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert schedule.state_dict() == {"steps": 4, "current_epoch": 0, "base_lrs": [1.0]}
    schedule.load_state_dict({"steps": 2, "current_epoch": 0, "base_lrs": [3.0]})
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 3
