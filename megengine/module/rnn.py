"""Recurrent layers and their cells."""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from typing import Any

import numpy as np

from .._help.ranges import integer
from ..functional import concat, dropout, zeros
from ..functional._settings import require_mode
from ..graph.apply import apply
from ..ops import recurrent as ops
from ..tensor import Parameter, Tensor
from . import init
from .module import Module

NONLINEARITIES = ("tanh", "relu", "identity")


class RNNCellBase(Module):
    """Base of recurrent cells: weights and biases, ``num_chunks`` of them one below the other."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int) -> None:
        super().__init__()
        self.input_size = integer("input_size", input_size, 1)
        self.hidden_size = integer("hidden_size", hidden_size, 1)
        self.bias = bias
        self.gate_hidden_size = num_chunks * self.hidden_size
        self.weight_ih = Parameter(np.zeros((self.gate_hidden_size, self.input_size), np.float32))
        self.weight_hh = Parameter(np.zeros((self.gate_hidden_size, self.hidden_size), np.float32))
        make = Parameter if bias else Tensor
        self.bias_ih = make(np.zeros(self.gate_hidden_size, np.float32))
        self.bias_hh = make(np.zeros(self.gate_hidden_size, np.float32))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, from the uniform distribution between -+1 / sqrt(hidden_size)."""
        _draw(self, self.hidden_size)

    def _no_state(self, input: Tensor) -> Tensor:
        return zeros((input.shape[0], self.hidden_size), device=input.device)

    def _operands(self, input: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        return input, self.weight_ih, self.bias_ih, h, self.weight_hh, self.bias_hh


def _draw(module: Module, hidden_size: int) -> None:
    bound = 1 / math.sqrt(hidden_size)
    for parameter in module.parameters():
        init.uniform_(parameter, -bound, bound)


class RNNCell(RNNCellBase):
    """Elman recurrent cell: one step (Elman, Finding Structure in Time, 1990).

    ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``

    The parameters ``weight_ih`` ``(hidden_size, input_size)``, ``weight_hh`` ``(hidden_size, hidden_size)``, ``bias_ih`` and
    ``bias_hh`` start with uniform draws between -+1 / sqrt(hidden_size).

    Args:
        input_size: size of x ``(N, input_size)``.
        hidden_size: size of h ``(N, hidden_size)``.
        bias: whether to add biases. Default: True
        nonlinearity: ``"tanh"``, ``"relu"`` or ``"identity"``. Default: ``"tanh"``

    Raises:
        SettingError: another nonlinearity.
        RuntimeError: shapes do not fit.

    Example:
        >>> cell = M.RNNCell(3, 4)
        >>> cell(Tensor(np.ones((2, 3), "float32"))).shape
        (2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh") -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=1)
        self.nonlinearity = require_mode(nonlinearity, NONLINEARITIES, "nonlinearity")

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        h = self._no_state(input) if hx is None else hx
        return apply(ops.rnn_cell, *self._operands(input, h), activation=self.nonlinearity)


class LSTMCell(RNNCellBase):
    """Long short-term memory cell: one step (Hochreiter and Schmidhuber, 1997; with forget gates).

    ``i, f, g, o`` are the quarters of ``W_ih x + b_ih + W_hh h + b_hh``; ``c' = sigmoid(f) c + sigmoid(i) tanh(g)`` and
    ``h' = sigmoid(o) tanh(c')``. The parameters ``weight_ih`` ``(4 * hidden_size, input_size)``, ``weight_hh``
    ``(4 * hidden_size, hidden_size)``, ``bias_ih`` and ``bias_hh`` start with uniform draws between
    -+1 / sqrt(hidden_size).

    Args:
        input_size: size of x ``(N, input_size)``.
        hidden_size: size of h and c ``(N, hidden_size)``.
        bias: whether to add biases. Default: True

    Returns:
        The new h and c; it is called with x and, unless they are zeros, a pair of h and c.

    Raises:
        RuntimeError: shapes do not fit.

    Example:
        >>> cell = M.LSTMCell(3, 4)
        >>> h, c = cell(Tensor(np.ones((2, 3), "float32")))
        >>> h.shape, c.shape
        ((2, 4), (2, 4))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = (self._no_state(input), self._no_state(input)) if hx is None else hx
        h, c = apply(ops.lstm_cell, *self._operands(input, h), c)
        return h, c


class RNNBase(Module):
    """Base of recurrent layers.

    The weights of all layers and directions stand one after the other in ``_flatten_weights``: of each cell ``weight_ih``,
    ``weight_hh``, ``bias_ih``, ``bias_hh``. The cells in ``cells`` are not used, but MegEngine's state dicts contain them.
    """

    num_directions: int
    dropout: float
    _flatten_weights: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0,
        bidirectional: bool = False,
        proj_size: int = 0,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = integer("input_size", input_size, 1)
        self.hidden_size = integer("hidden_size", hidden_size, 1)
        self.num_layers = integer("num_layers", num_layers, 1)
        self.bias = bias
        self.batch_first = batch_first
        if isinstance(dropout, bool) or not isinstance(dropout, numbers.Real) or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout must be a probability from 0 to 1, not {dropout!r}")
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.num_directions = 2 if bidirectional else 1
        if not 0 <= proj_size < self.hidden_size:
            raise ValueError(f"{name}: proj_size must be from 0 to hidden_size - 1, not {proj_size}")
        if proj_size:
            raise NotImplementedError(f"{name}: proj_size={proj_size}: MegEngine ignores it, leave it 0")
        self.proj_size = proj_size
        self.cells = [[self.create_cell(layer) for _ in range(self.num_directions)] for layer in range(self.num_layers)]
        rows = self.cells[0][0].gate_hidden_size
        columns = sum(self._columns(layer) for layer in range(self.num_layers))
        self._flatten_weights = Parameter(np.zeros((rows, columns), np.float32))
        self.reset_parameters()

    def _inputs(self, layer: int) -> int:
        return self.num_directions * self.hidden_size if layer else self.input_size

    def _columns(self, layer: int) -> int:
        """Columns of ``_flatten_weights`` that a layer takes."""
        return self.num_directions * (self._inputs(layer) + self.hidden_size + 2 * bool(self.bias))

    def reset_parameters(self) -> None:
        """Draw all parameters anew, from the uniform distribution between -+1 / sqrt(hidden_size)."""
        _draw(self, self.hidden_size)

    @abstractmethod
    def create_cell(self, layer: int) -> RNNCellBase:
        """A cell with the sizes of a layer."""

    @abstractmethod
    def init_hidden(self, batch_size: int) -> Any:
        """The states to start with if none are given: zeros."""

    @abstractmethod
    def get_output_from_hidden(self, hx: Any) -> Tensor:
        """What of the states is the output."""

    @abstractmethod
    def apply_op(self, input: Tensor, hx: Any) -> tuple[Tensor, Any]:
        """Outputs and last states of all layers for ``(L, N, input_size)``."""

    def _zeros(self, batch_size: int) -> Tensor:
        return zeros((self.num_directions * self.num_layers, batch_size, self.hidden_size))

    def _run(self, op: Any, x: Tensor, states: tuple[Tensor, ...], **activation: str) -> tuple[Tensor, list[Tensor]]:
        """Layer after layer, with dropout between them; outputs and last states."""
        expected = (self.num_directions * self.num_layers, x.shape[1], self.hidden_size)
        for state in states:
            if tuple(state.shape) != expected:
                raise RuntimeError(
                    f"{type(self).__name__}: a state has shape {tuple(state.shape)} instead of {expected}"
                )
        start, last = 0, []
        for layer in range(self.num_layers):
            if layer and self.training:
                x = dropout(x, self.dropout) if self.dropout < 1 else x * 0
            own = slice(layer * self.num_directions, (layer + 1) * self.num_directions)
            attrs = {"start": start, "bias": bool(self.bias), "directions": self.num_directions, **activation}
            x, *after = apply(op, x, self._flatten_weights, *(state[own] for state in states), **attrs)
            last.append(after)
            start += self._flatten_weights.shape[0] * self._columns(layer)
        return x, [after[0] if len(after) == 1 else concat(after) for after in zip(*last, strict=True)]

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Any]:
        if input.ndim != 3 or input.shape[2] != self.input_size:
            order = "(N, L" if self.batch_first else "(L, N"
            raise RuntimeError(
                f"{type(self).__name__}: the input has shape {tuple(input.shape)} instead of {order}, {self.input_size})"
            )
        if self.batch_first:
            input = input.transpose(1, 0, 2)
        if hx is None:
            hx = self.init_hidden(input.shape[1])
        output, last = self.apply_op(input, hx)
        return output.transpose(1, 0, 2) if self.batch_first else output, last


class RNN(RNNBase):
    """Recurrent network of :class:`RNNCell` layers, each over all time steps; the loops over time are compiled.

    Called with the input ``(L, N, input_size)`` and, unless they are zeros, the states ``(layers * directions, N, hidden_size)``;
    returns the last layer's outputs ``(L, N, directions * hidden_size)`` and the last states. Parameters start with uniform
    draws between -+1 / sqrt(hidden_size).

    Args:
        input_size: size of the input.
        hidden_size: size of the states.
        num_layers: how many layers. Default: 1
        bias: whether to add biases. Default: True
        batch_first: input and output are ``(N, L, ...)``. Default: False
        dropout: probability that an output of a layer is dropped before the next, in training. Default: 0
        bidirectional: add a cell to each layer that goes from the last time step to the first. Default: False
        proj_size: leave it 0.
        nonlinearity: ``"tanh"``, ``"relu"`` or ``"identity"``. Default: ``"tanh"``

    Raises:
        ValueError: a size or probability that does not exist.
        RuntimeError: shapes do not fit.

    Example:
        >>> rnn = M.RNN(10, 20, 2, bidirectional=True)
        >>> out, last = rnn(Tensor(np.ones((6, 3, 10), "float32")))
        >>> out.shape, last.shape
        ((6, 3, 40), (4, 3, 20))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        nonlinearity = kwargs.pop("nonlinearity", "tanh")
        self.nonlinearity = require_mode(nonlinearity, NONLINEARITIES, "nonlinearity")
        super().__init__(*args, **kwargs)

    def create_cell(self, layer: int) -> RNNCell:
        return RNNCell(self._inputs(layer), self.hidden_size, self.bias, self.nonlinearity)

    def init_hidden(self, batch_size: int) -> Tensor:
        return self._zeros(batch_size)

    def get_output_from_hidden(self, hx: Tensor) -> Tensor:
        return hx

    def apply_op(self, input: Tensor, hx: Tensor) -> tuple[Tensor, Tensor]:
        output, (h,) = self._run(ops.rnn_layer, input, (hx,), activation=self.nonlinearity)
        return output, h


class LSTM(RNNBase):
    """Recurrent network of :class:`LSTMCell` layers, each over all time steps; the loops over time are compiled.

    Called with the input ``(L, N, input_size)`` and, unless they are zeros, a pair of states h and c
    ``(layers * directions, N, hidden_size)``; returns the last layer's outputs ``(L, N, directions * hidden_size)`` and the
    pair of last states. Parameters start with uniform draws between -+1 / sqrt(hidden_size).

    Args:
        input_size: size of the input.
        hidden_size: size of the states.
        num_layers: how many layers. Default: 1
        bias: whether to add biases. Default: True
        batch_first: input and output are ``(N, L, ...)``. Default: False
        dropout: probability that an output of a layer is dropped before the next, in training. Default: 0
        bidirectional: add a cell to each layer that goes from the last time step to the first. Default: False
        proj_size: leave it 0.

    Raises:
        ValueError: a size or probability that does not exist.
        RuntimeError: shapes do not fit.

    Example:
        >>> lstm = M.LSTM(10, 20, 2, batch_first=True)
        >>> out, (h, c) = lstm(Tensor(np.ones((3, 6, 10), "float32")))
        >>> out.shape, h.shape, c.shape
        ((3, 6, 20), (2, 3, 20), (2, 3, 20))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def create_cell(self, layer: int) -> LSTMCell:
        return LSTMCell(self._inputs(layer), self.hidden_size, self.bias)

    def init_hidden(self, batch_size: int) -> tuple[Tensor, Tensor]:
        return self._zeros(batch_size), self._zeros(batch_size)

    def get_output_from_hidden(self, hx: tuple[Tensor, Tensor]) -> Tensor:
        return hx[0]

    def apply_op(self, input: Tensor, hx: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, (h, c) = self._run(ops.lstm_layer, input, tuple(hx))
        return output, (h, c)
