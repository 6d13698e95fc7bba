"""One step of each optimizer for one parameter: ``op(param, grad, *state, *options)`` gives the new parameter and state.

Options are numbers that may change from step to step; ``decays`` says whether ``weight_decay`` is in force. Results have the
dtypes of what they replace.
"""

import jax.numpy as jnp

from .op import op


@op(elementwise=True, replaces=(0,))
def sgd(param, grad, lr, weight_decay, *, decays):
    grad = _decayed(param, grad, weight_decay, decays)
    return _like(param - grad * lr, param)


@op(elementwise=True, replaces=(0, 2))
def sgd_momentum(param, grad, velocity, lr, weight_decay, momentum, *, decays, nesterov):
    grad = _decayed(param, grad, weight_decay, decays)
    new = velocity * momentum + grad
    direction = grad + new * momentum if nesterov else new
    return _like(param - direction * lr, param), _like(new, velocity)


@op(elementwise=True, replaces=(0, 2, 3, 4))
def adam(param, grad, mean, square, step, lr, weight_decay, beta0, beta1, eps, *, decays):
    grad = _decayed(param, grad, weight_decay, decays)
    direction, state = _adam(grad, mean, square, step, beta0, beta1, eps)
    return _like(param - direction * lr, param), *state


@op(elementwise=True, replaces=(0, 2, 3, 4))
def adamw(param, grad, mean, square, step, lr, weight_decay, beta0, beta1, eps, *, decays):
    direction, state = _adam(grad, mean, square, step, beta0, beta1, eps)
    direction = _decayed(param, direction, weight_decay, decays)
    return _like(param - direction * lr, param), *state


@op(elementwise=True, replaces=(0, 2, 3))
def adagrad(param, grad, total, step, lr, weight_decay, lr_decay, eps, *, decays):
    grad = _decayed(param, grad, weight_decay, decays)
    new = total + grad * grad
    rate = lr / (step * lr_decay + 1.0)
    return _like(param - grad / jnp.sqrt(new + eps) * rate, param), _like(new, total), step + 1.0


@op(elementwise=True, replaces=(0, 2, 3, 4))
def adadelta(param, grad, square, delta_square, step, lr, weight_decay, rho, eps, *, decays):
    grad = _decayed(param, grad, weight_decay, decays)
    new = square * rho + grad * grad * (1.0 - rho)
    delta = jnp.sqrt(delta_square + eps) / jnp.sqrt(new + eps) * grad
    moved = delta_square * rho + delta * delta * (1.0 - rho)
    return _like(param - delta * lr, param), _like(new, square), _like(moved, delta_square), step + 1.0


@op(replaces=(0, 2, 3, 4))
def lamb(param, grad, mean, square, step, lr, weight_decay, beta0, beta1, eps, *, decays, corrects, adapts):
    direction, state = _adam(grad, mean, square, step, beta0, beta1, eps, corrects)
    wide = param.astype(jnp.float32)
    direction = _decayed(wide, direction, weight_decay, decays)
    rate = lr * _trust(wide, direction) if adapts else lr
    return _like(wide - direction * rate, param), *state


@op(replaces=(0, 2, 3, 4, 5))
def lamb_mixed(param, grad, mean, square, step, master, *numbers, decays, corrects, adapts):
    # What was assigned to the parameter meanwhile counts, or else the digits that it has no room for.
    own = jnp.where(param == _like(master, param), master, _like(param, master))
    new, *state = lamb.lower(own, grad, mean, square, step, *numbers, decays=decays, corrects=corrects, adapts=adapts)
    return _like(new, param), *state, new


def _trust(param, direction):
    """How long a parameter is against its step, 1 where one of them is zero."""
    size, step = (jnp.sqrt((x * x).sum()) for x in (param, direction))
    return jnp.where((size > 0) & (step > 0), size / jnp.where(step > 0, step, 1), 1)


@op(differentiable=False)
def unscale(scale, *grads):
    """The gradients times ``scale``, and as int32 whether one is infinite or NaN then."""
    scaled = [_like(g * scale, g) for g in grads]
    finite = jnp.stack([jnp.isfinite(g).all() for g in scaled]).all()
    return *scaled, (~finite).astype(jnp.int32)


def _adam(grad, mean, square, step, beta0, beta1, eps, corrects=True):
    """The direction, bias-corrected by default, and the new averages and step count."""
    count = step + 1.0
    m = mean * beta0 + grad * (1.0 - beta0)
    v = square * beta1 + grad * grad * (1.0 - beta1)
    in_m, in_v = (1.0 - beta0**count, 1.0 - beta1**count) if corrects else (1.0, 1.0)
    direction = (m / in_m) / (jnp.sqrt(v / in_v) + eps)
    return direction, (_like(m, mean), _like(v, square), count)


def _decayed(param, grad, weight_decay, decays):
    return grad + param * weight_decay if decays else grad


def _like(new, old):
    return new.astype(old.dtype)
