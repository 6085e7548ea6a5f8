"""Writes the weights of LPIPS v0.1 into one file for `nerve eval --lpips FILE`.

    pip install lpips torch torchvision safetensors
    python lpips_weights.py alex lpips_alex.safetensors        (or vgg)

torchvision fetches the ImageNet weights of the network; the heads are in the package.
"""

import sys

import lpips
from safetensors.torch import save_file

network, out = sys.argv[1:]
state = lpips.LPIPS(net=network, version="0.1").state_dict()
# The package registers its heads twice, as lin0 and as lins.0.
save_file({key: value.contiguous() for key, value in state.items() if not key.startswith("lins.")}, out)
