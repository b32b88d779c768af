"""Batch norms whose statistics are those of the batch over all processes.

torch's SyncBatchNorm needs CUDA; on the CPU the same is done by a differentiable sum over processes.
"""

from __future__ import annotations

import torch
import torch.distributed.nn.functional as collective
from torch import Tensor, nn


class CpuSyncBatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d with the statistics of all processes, each with at least one example (n, channels, h, w)."""

    def forward(self, maps: Tensor) -> Tensor:
        if not self.training:
            return super().forward(maps)
        exact = maps.to(self.weight.dtype)
        numbers = exact.new_full((1,), maps.numel() / maps.shape[1])
        sums = collective.all_reduce(torch.cat([exact.sum((0, 2, 3)), numbers]))
        mean, numbers = sums[:-1] / sums[-1], sums[-1].detach()
        deviations = exact - mean[:, None, None]
        variance = collective.all_reduce(deviations.square().sum((0, 2, 3))) / numbers
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None
            assert self.num_batches_tracked is not None and self.momentum is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * numbers / (numbers - 1), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (deviations * scale[:, None, None] + self.bias[:, None, None]).to(maps.dtype)


def synchronized(network: nn.Module) -> nn.Module:
    """The network with its batch norms replaced; parameters, buffers and their names stay."""
    if next(network.parameters()).is_cuda:
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = CpuSyncBatchNorm2d
    return network
