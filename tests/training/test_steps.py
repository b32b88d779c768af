"""The loss, the optimizer and the accuracies, against their published formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from torch_zoo.utils.training import steps as training
from torch_zoo.utils.training.labeled import Labeled


def test_the_loss_is_sigmoid_cross_entropy_averaged_over_batch_and_classes():
    random = np.random.default_rng(0)
    logits, labels = random.normal(0, 3, (15, 3)), np.eye(3)[random.integers(0, 3, 15)]
    p = 1 / (1 + np.exp(-logits))
    expected = np.mean(-labels * np.log(p) - (1 - labels) * np.log(1 - p))
    assert training.loss(torch.from_numpy(logits), torch.from_numpy(labels)).item() == pytest.approx(expected, rel=1e-9)


def test_the_optimizer_is_adam_with_the_published_constants():
    """Against the update of Kingma & Ba 2015, algorithm 1."""
    layer = torch.nn.Linear(4, 3).double()
    before, random = layer.weight.detach().clone().numpy(), np.random.default_rng(0)
    batches = [Labeled(random.normal(size=(15, 4)), np.eye(3)[random.integers(0, 3, 15)]) for _ in range(3)]
    gradients = [layer.weight.grad.numpy().copy() for _ in training.steps(layer, batches, 1e-4)]
    first, second = np.zeros_like(before), np.zeros_like(before)
    for t, gradient in enumerate(gradients, 1):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        before -= 1e-4 * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(layer.weight.detach().numpy(), before, rtol=0, atol=1e-12)


def test_a_step_reports_loss_and_accuracy_before_the_update():
    layer, random = torch.nn.Linear(4, 3), np.random.default_rng(0)
    batch = Labeled(random.normal(size=(15, 4)).astype(np.float32), np.eye(3, dtype=np.float32)[np.arange(15) % 3])
    logits = layer(torch.from_numpy(batch.inputs)).detach()
    step = next(training.steps(layer, [batch], 0.1))
    assert step.loss == pytest.approx(training.loss(logits, torch.from_numpy(batch.labels)).item())
    assert step.accuracy == np.mean(logits.argmax(1).numpy() == np.arange(15) % 3)


@pytest.mark.parametrize("training_mode", [True, False])
def test_validation_disables_dropout_and_restores_the_mode(training_mode):
    network = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Dropout(0.9)).train(training_mode)
    torch.nn.init.eye_(network[0].weight)
    labels = np.eye(3, dtype=np.float32)[np.arange(50) % 3]
    inputs = labels.copy()
    inputs[:10] = np.roll(inputs[:10], 1, axis=1)  # these are misclassified
    assert training.validate(network, Labeled(inputs, labels), batch_size=16) == 0.8
    assert network.training is training_mode
    assert network[0].weight.grad is None
