"""The model cards agree with the networks and with the table in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torch_zoo.models.vggsound.labels import CLASSES
from torch_zoo.models.vggsound.spectrogram import BINS, SAMPLE_RATE, num_segments
from torch_zoo.models.vggsound.weights import WEIGHTS, head, state_dict

PAGE = (Path(__file__).parents[2] / "docs" / "vggsound.md").read_text()


@pytest.mark.parametrize("card", WEIGHTS.values(), ids=lambda card: card.name)
def test_a_card_describes_the_input_and_is_in_the_published_table(card):
    assert card.input_shape == (1, BINS, num_segments(10 * SAMPLE_RATE))
    assert (card.sample_rate, card.classes) == (SAMPLE_RATE, CLASSES)
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {card.name} |")]
    figures = [card.mean_average_precision, card.mean_auc, card.d_prime]
    assert [float(cell) for cell in row.split("|")[5:8]] == figures


def test_published_files_have_names_of_their_own():
    assert len({card.file.cached.name for card in WEIGHTS.values()}) == len(WEIGHTS)


def test_a_state_dict_is_found_in_its_checkpoint_or_bare():
    state = {"audnet.fc_.weight": torch.zeros(5, 8192)}
    for saved in ({"model_state_dict": state, "epoch": 1}, state, {f"module.{key}": t for key, t in state.items()}):
        assert state_dict(saved) == state
    assert head(state) == ("netvlad", 5)
    assert head({"audnet.fc.weight": torch.zeros(7, 512)}) == ("avgpool", 7)
    assert head({"audnet.conv1.weight": torch.zeros(1)}) is None
