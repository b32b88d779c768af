"""Every tensor of VGGish corresponds to a variable in Google's checkpoint."""

from __future__ import annotations

import json

from torch_zoo.models.vggish.weights import VARIABLES


def test_variables_match_googles_checkpoint(manifests):
    theirs = json.loads((manifests / "vggish_tf_to_torch.json").read_text())["map"]
    ours = [
        {
            "tf": variable.name,
            "tf_shape": list(variable.shape),
            "torch": key,
            "torch_shape": [variable.shape[axis] for axis in variable.axes],
            "transpose": list(variable.axes) if len(variable.shape) > 1 else None,
        }
        for key, variable in VARIABLES.items()
    ]
    assert ours == theirs
