"""Layers followed by batch normalisation, with the normalisation folded into weight and bias, as integer layers will have it."""

from __future__ import annotations

from math import prod
from typing import Any

from ...functional import ones, sqrt, zeros
from ...tensor import Tensor
from .module import QATModule


class FoldedModule(QATModule):
    """Base of a layer with a batch normalisation ``bn`` behind it.

    With ``d = sqrt(var + eps)``, ``bn(layer(x))`` is the layer with the weight ``weight * gamma / d`` and the bias
    ``beta + gamma * (bias - mean) / d``. In training the folded weight is rounded, and the result divided by ``gamma / d`` again
    before the normalisation learns from it (Jacob et al., Quantization and Training of Neural Networks, 2018).
    """

    bn: Any

    def layer(self) -> Any:
        """The layer in front of the normalisation."""
        raise NotImplementedError

    def calculated(self, inp: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The layer with this weight and bias."""
        raise NotImplementedError

    def scaled_weight(self, factor: Tensor) -> Tensor:
        """The layer's weight, each output channel times its factor."""
        raise NotImplementedError

    def across(self, of_channels: Tensor) -> Tensor:
        """A number for each channel in a shape that is added to results, as the bias has it."""
        raise NotImplementedError

    def _statistics(self, mean: Tensor | None, var: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gamma, beta, mean and inverse deviation, one number a channel."""
        bn = self.bn
        channels = bn.num_features
        gamma = ones((channels,)) if bn.weight is None else bn.weight.reshape(-1)
        beta = zeros((channels,)) if bn.bias is None else bn.bias.reshape(-1)
        mean = zeros((channels,)) if mean is None else mean.reshape(-1)
        var = ones((channels,)) if var is None else var.reshape(-1)
        return gamma, beta, mean, 1.0 / sqrt(var + bn.eps)

    def _folded_bias(self, gamma: Tensor, beta: Tensor, mean: Tensor, inverse: Tensor) -> Tensor:
        bias = self.layer().bias
        start = -mean if bias is None else bias.reshape(-1) - mean
        return self.across(beta + gamma * start * inverse)

    def fold_weight_bias(self, bn_mean: Tensor | None, bn_var: Tensor | None) -> tuple[Tensor, Tensor]:
        """Weight, rounded, and bias with the normalisation folded in.

        Args:
            bn_mean, bn_var: statistics of each channel; 0 and 1 if None.
        """
        gamma, beta, mean, inverse = self._statistics(bn_mean, bn_var)
        weight = self.apply_quant_weight(self.scaled_weight(gamma * inverse))
        return weight, self._folded_bias(gamma, beta, mean, inverse)

    def get_batch_mean_var(self, inp: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance of each channel of a batch ``(N, C, ...)``, with the other dimensions of size 1."""
        axes = [0, *range(2, inp.ndim)]
        count = prod(inp.shape[k] for k in axes)
        total, squares = inp.sum(axes, keepdims=True), (inp * inp).sum(axes, keepdims=True)
        return total / count, (squares - total * total / count) / count

    def update_running_mean_and_running_var(
        self, bn_mean: Tensor, bn_var: Tensor, num_elements_per_channel: float
    ) -> None:
        """Let the normalisation's statistics learn from a batch's mean and biased variance."""
        bn, count = self.bn, num_elements_per_channel
        for running, batch in ((bn.running_mean, bn_mean), (bn.running_var, bn_var * (count / (count - 1)))):
            running *= bn.momentum
            running += (1 - bn.momentum) * batch.detach().reshape(running.shape)

    def folded(self, inp: Tensor, approx: bool) -> Tensor:
        """Layer and normalisation with weight and bias rounded.

        Args:
            inp: the layer's input.
            approx: in training, fold the running statistics and normalise with the batch's behind the layer; else the batch's
                own are folded, for which the layer is computed twice.
        """
        mean, var = self.bn.running_mean, self.bn.running_var
        if self.training and not approx:
            result = self.layer()(inp)
            mean, var = self.get_batch_mean_var(result)
            self.update_running_mean_and_running_var(mean, var, prod(result.shape) / result.shape[1])
        gamma, beta, mean, inverse = self._statistics(mean, var)
        factor = gamma * inverse
        learns = self.training and approx
        bias = None if learns else self._folded_bias(gamma, beta, mean, inverse)
        weight = self.apply_quant_weight(self.scaled_weight(factor))
        out = self.calculated(inp, weight, self.apply_quant_bias(bias, inp, weight))
        if not learns:
            return out
        out = out / self.across(factor)
        if self.layer().bias is not None:
            out = out + self.layer().bias
        return self.bn(out)
