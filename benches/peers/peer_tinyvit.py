#!/usr/bin/env python3
"""TinyViT-5M with SegFormer's All-MLP head in PyTorch on CPU: images/s of a training step (random weights, no download).

The trunk is timm's tiny_vit_5m_224 with stride 1 in its last merging, as MobileSAM has it (maps at strides 4, 8, 16 and
16); the head is that of SegFormer: linear, bilinear to the first map's grid, concatenation, 1x1 convolution, batch norm,
ReLU, dropout, classifier. A step is forward, mean of squares of the scores, backward, and AdamW. Prints JSON lines.
--compile: torch.compile the model. --bf16: autocast bfloat16.
"""
import argparse, json, os, statistics, time
ap = argparse.ArgumentParser()
ap.add_argument('--batch', type=int, default=4)
ap.add_argument('--height', type=int, default=224)
ap.add_argument('--width', type=int, default=448)
ap.add_argument('--channels', type=int, default=128)
ap.add_argument('--classes', type=int, default=11)
ap.add_argument('--threads', type=int, default=2)
ap.add_argument('--runs', type=int, default=7)
ap.add_argument('--warmup', type=int, default=2)
ap.add_argument('--compile', action='store_true')
ap.add_argument('--bf16', action='store_true')
a = ap.parse_args()
os.environ.setdefault('OMP_NUM_THREADS', str(a.threads))
import timm
import torch
from torch import nn
from torch.nn import functional as F
torch.set_num_threads(a.threads)
torch.manual_seed(0)


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = timm.create_model('tiny_vit_5m_224', pretrained=False, num_classes=0, global_pool='')
        self.trunk.head = nn.Identity()
        self.trunk.stages[3].downsample.conv2.conv.stride = (1, 1)
        self.projections = nn.ModuleList(nn.Linear(c, a.channels) for c in (64, 128, 160, 320))
        self.fuse = nn.Conv2d(4 * a.channels, a.channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(a.channels)
        self.classifier = nn.Conv2d(a.channels, a.classes, 1)

    def forward(self, x):
        x, maps = self.trunk.patch_embed(x), []
        for stage in self.trunk.stages:
            x = stage(x)
            maps.append(x)
        size, projected = maps[0].shape[2:], []
        for x, projection in zip(maps, self.projections):
            x = projection(x.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])
            projected.append(F.interpolate(x, size=size, mode='bilinear', align_corners=False))
        x = F.relu(self.norm(self.fuse(torch.cat(projected[::-1], 1))))
        return self.classifier(F.dropout(x, 0.1, self.training))


def timed(f):
    walls, used, cpu = [], [], []
    for i in range(a.warmup + a.runs):
        w, c = time.perf_counter(), time.process_time()
        f()
        w2, c2 = time.perf_counter(), time.process_time()
        if i >= a.warmup: walls.append(w2 - w); used.append((c2 - c) / (w2 - w)); cpu.append(c2 - c)
    return min(walls), statistics.median(walls), statistics.median(used), min(cpu)


model = Segmenter()
x = torch.randn(a.batch, 3, a.height, a.width)
run = torch.compile(model) if a.compile else model
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)


def autocast():
    return torch.autocast('cpu', torch.bfloat16, enabled=a.bf16)


def forward():
    with torch.no_grad(), autocast():
        run(x)


def step():
    optimiser.zero_grad(set_to_none=True)
    with autocast():
        loss = (run(x).float() ** 2).mean()
    loss.backward()
    optimiser.step()


for kind, f in (('forward', forward), ('forward+backward+adamw', step)):
    model.train(f is step)
    best, median, used, cpu = timed(f)
    print(json.dumps(dict(
        model='tiny_vit_5m+all_mlp', batch=a.batch, size=[a.height, a.width], threads=a.threads,
        params=sum(p.numel() for p in model.parameters()), torch=torch.__version__, compile=a.compile, bf16=a.bf16,
        engine='torch', kind=kind, ms_min=round(best * 1e3, 1), ms_median=round(median * 1e3, 1),
        img_per_s_best=round(a.batch / best, 2), img_per_s_median=round(a.batch / median, 2), cpu_util=round(used, 2),
        img_per_cpu_s_best=round(a.batch / cpu, 2))), flush=True)
