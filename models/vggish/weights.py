"""Where VGGish's released weights come from."""

from utils.checkpoints import Released

WEIGHTS = Released(
    url="https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
    sha256="10086976",  # the digits in the file's name, torch.hub's convention; no more are published
    licence="Apache-2.0 (Google, AudioSet VGGish)",
)
