#!/usr/bin/env python3
"""What benches/memory.rs measures, in PyTorch and timm: peak memory of ViT-B/16 forward and backward, batch 4, 224 x 224."""
import re

import timm
import torch


def peak():
    status = open("/proc/self/status").read()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1.024e-3


print(f"start     {peak():6.0f} MB (Python and its libraries)")
torch.set_num_threads(2)
model = timm.create_model("vit_base_patch16_224", num_classes=0)
print(f"model     {peak():6.0f} MB")
images = torch.randn(4, 3, 224, 224)
for step in range(3):
    model.zero_grad(set_to_none=True)
    model.forward_features(images).square().mean().backward()
    print(f"step {step}    {peak():6.0f} MB")
