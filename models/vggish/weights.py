"""VGGish's pretrained weights, and the name of each in Google's TensorFlow checkpoint.

Hershey et al. 2017, "CNN Architectures for Large-Scale Audio Classification" (arXiv:1609.09430).
"""

from torch_zoo.utils.downloads import PublishedFile
from torch_zoo.utils.tensorflow_checkpoints import Variable

WEIGHTS = PublishedFile(  # Google's vggish_model.ckpt, converted by harritaylor/torchvggish
    url="https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
    sha256="10086976",  # the digits in the file name, by torch.hub's convention; the rest is not published
    license="Apache-2.0 (Google, AudioSet VGGish)",
)
PCA_PARAMS = PublishedFile(  # of AudioSet's embeddings: 128 eigenvectors and means
    url="https://storage.googleapis.com/audioset/vggish_pca_params.npz",
    sha256="4d878af3e306defbfb37095365aa7e5a6cecb86bad13e859e626151c4e6a8b9d",
    license="Apache-2.0 (Google, AudioSet VGGish)",
)

_LAYERS = {  # layer -> TensorFlow scope, TensorFlow kernel shape
    "features.0": ("conv1", (3, 3, 1, 64)),
    "features.3": ("conv2", (3, 3, 64, 128)),
    "features.6": ("conv3/conv3_1", (3, 3, 128, 256)),
    "features.8": ("conv3/conv3_2", (3, 3, 256, 256)),
    "features.11": ("conv4/conv4_1", (3, 3, 256, 512)),
    "features.13": ("conv4/conv4_2", (3, 3, 512, 512)),
    "embeddings.0": ("fc1/fc1_1", (12288, 4096)),
    "embeddings.2": ("fc1/fc1_2", (4096, 4096)),
    "embeddings.4": ("fc2", (4096, 128)),
}
VARIABLES = {
    f"{layer}.{ours}": Variable(f"vggish/{scope}/{theirs}", shape)
    for layer, (scope, kernel) in _LAYERS.items()
    for ours, theirs, shape in (("weight", "weights", kernel), ("bias", "biases", kernel[-1:]))
}
