"""The losses, the optimizer and the accuracies, against their published formulas."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from torch_zoo.utils.training.epoch import train_epoch
from torch_zoo.utils.training.labeled import Labeled, batches
from torch_zoo.utils.training.learner import Learner, sigmoid_loss, softmax_loss
from torch_zoo.utils.training.schedule import schedule
from torch_zoo.utils.types import UsageError


def batch(number: int = 15, seed: int = 0, dtype: type = np.float32) -> Labeled:
    random = np.random.default_rng(seed)
    return Labeled(random.normal(size=(number, 4)).astype(dtype), random.integers(0, 3, number))


def layer(seed: int = 0) -> torch.nn.Linear:
    torch.manual_seed(seed)
    return torch.nn.Linear(4, 3)


def test_sigmoid_cross_entropy_is_averaged_over_classes():
    random = np.random.default_rng(0)
    logits, labels = random.normal(0, 3, (15, 3)), random.integers(0, 3, 15)
    p, targets = 1 / (1 + np.exp(-logits)), np.eye(3)[labels]
    expected = np.mean(-targets * np.log(p) - (1 - targets) * np.log(1 - p), axis=1)
    actual = sigmoid_loss(torch.from_numpy(logits), torch.from_numpy(labels))
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_softmax_cross_entropy_is_the_negative_log_of_the_softmax():
    random = np.random.default_rng(0)
    logits, labels = random.normal(0, 3, (15, 3)), random.integers(0, 3, 15)
    expected = -np.log(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))[np.arange(15), labels]
    actual = softmax_loss(torch.from_numpy(logits), torch.from_numpy(labels))
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_the_optimizer_is_adam_with_the_published_constants_and_the_scheduled_rate():
    """Against the update of Kingma & Ba 2015, algorithm 1."""
    network = layer().double()
    before = network.weight.detach().clone().numpy()
    learner = Learner(network, softmax_loss, 1e-4, schedule=lambda step: (step + 1) / 10)
    first, second = np.zeros_like(before), np.zeros_like(before)
    for t in range(1, 4):
        assert learner.learning_rate == pytest.approx(t * 1e-5)
        learner.step(batch(seed=t, dtype=np.float64))
        gradient = network.weight.grad.numpy()
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        before -= t * 1e-5 * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(network.weight.detach().numpy(), before, rtol=0, atol=1e-12)


def test_the_gradient_is_that_of_the_mean_over_the_batch():
    network, given = layer().double(), batch(dtype=np.float64)
    Learner(network, softmax_loss, 0.0).step(given)
    odds = np.exp(given.inputs @ network.weight.detach().numpy().T + network.bias.detach().numpy())
    errors = odds / odds.sum(1, keepdims=True) - np.eye(3)[given.labels]
    np.testing.assert_allclose(network.weight.grad, errors.T @ given.inputs / 15, rtol=0, atol=1e-14)


def test_a_step_reports_loss_and_accuracy_before_the_update():
    network, given = layer(), batch()
    logits = network(torch.from_numpy(given.inputs)).detach()
    step = Learner(network, sigmoid_loss, 0.1).step(given)
    assert step.loss == pytest.approx(sigmoid_loss(logits, torch.from_numpy(given.labels)).mean().item())
    assert step.accuracy == pytest.approx(np.mean(logits.argmax(1).numpy() == given.labels))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_keeps_parameters_in_fp32_and_learns(precision):
    network, given = layer(), batch(60)
    given = given._replace(labels=given.inputs[:, :3].argmax(1))
    learner = Learner(network, softmax_loss, 0.1, precision=precision)
    losses = [learner.step(given).loss for _ in range(30)]
    assert losses[-1] < 0.3 * losses[0]
    assert network.weight.dtype == torch.float32
    assert bool(learner.state_dict()["scaler"]) == (precision == "fp16")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_restored_learner_goes_on_as_if_nothing_had_happened(precision):
    def learner(seed: int) -> tuple[torch.nn.Linear, Learner]:
        network = layer(seed)
        rates = schedule("cosine", warmup=2, total=10)
        return network, Learner(network, softmax_loss, 0.1, schedule=rates, precision=precision)

    def run(learner: Learner, numbers: range) -> list[float]:
        return [learner.step(batch(seed=number)).loss for number in numbers]

    undisturbed = run(learner(0)[1], range(10))
    network, first = learner(0)
    assert run(first, range(4)) == undisturbed[:4]
    file = io.BytesIO()
    torch.save({"network": network.state_dict(), "learner": first.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other, second = learner(1)
    other.load_state_dict(saved["network"])
    second.load_state_dict(saved["learner"])
    assert run(second, range(4, 10)) == undisturbed[4:]


@pytest.mark.parametrize("training_mode", [True, False])
def test_validation_disables_dropout_and_restores_the_mode(training_mode):
    network = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Dropout(0.9)).train(training_mode)
    torch.nn.init.eye_(network[0].weight)
    labels = np.arange(50) % 3
    inputs = np.eye(3, dtype=np.float16)[labels]
    inputs[:10] = np.roll(inputs[:10], 1, axis=1)  # these are misclassified
    validation = Learner(network, softmax_loss, 0.1).validate(batches(Labeled(inputs, labels), 16))
    assert validation.accuracy == 0.8
    assert 0.6 < validation.mean_average_precision < 0.9
    assert network.training is training_mode
    assert network[0].weight.grad is None


def test_an_epoch_takes_a_step_per_batch():
    learner = Learner(layer(), softmax_loss, 0.1)
    steps = train_epoch(learner, [batch(seed=number) for number in range(5)], 5, "epoch 1")
    assert len(steps) == 5
    assert learner.state_dict()["scheduler"]["last_epoch"] == 5


def test_an_infinite_loss_ends_the_run():
    inputs = np.full((2, 4), np.inf, np.float32)
    given = [batch(), Labeled(inputs, np.zeros(2, np.int64))]
    with pytest.raises(UsageError, match="epoch 1: the loss is not finite at batch 2; use a smaller --learning-rate"):
        train_epoch(Learner(layer(), softmax_loss, 0.1), given, 2, "epoch 1")
