#!/usr/bin/env python3
# The PyTorch peer of nerve's field: the same training step in pure PyTorch, timed. `cargo bench --bench compare`
# runs it in turns with ours, `train_field_torch.py` trains its `Field`.
"""Self-contained pure-PyTorch hashgrid-NeRF training-step benchmark (CPU, or CUDA with --device cuda).

What one step is: R rays x S samples (points lie along random rays through the unit cube, so neighbours are
spatially coherent as in real training) -> multiresolution hash grid (L levels, F features, table 2^log2T)
-> density MLP (L*F -> 64 -> 16) -> [SH degree 4 of the ray direction (16) | 16] -> colour MLP (32 -> 64 -> 64 -> 3)
-> volume rendering -> MSE against a target colour -> backward -> dense Adam on every parameter.
No occupancy grid, no data loading: this isolates the field, which dominates.

field-samples/s = R*S / step time; rays/s = R / step time.

Implementations (--impl):
  naive : a loop over levels, one nn.Embedding each, int64 hash of the 8 corners, staged trilinear interpolation
          (how the public pure-PyTorch ports do it)
  vec   : all levels at once, one table, F.embedding + weighted sum
  bag   : all levels at once, F.embedding_bag(mode='sum', per_sample_weights) - fused gather/weighted sum
  loop  : per level, F.embedding + weighted sum (smaller temporaries than vec)
--compile wraps the forward+loss in torch.compile (inductor C++ on CPU; needs g++).
"""
import argparse, json, math, os, statistics, sys, time

ap = argparse.ArgumentParser()
ap.add_argument('--impl', default='vec', choices=['naive', 'vec', 'bag', 'loop'])
ap.add_argument('--log2T', type=int, default=19)
ap.add_argument('--levels', type=int, default=16)
ap.add_argument('--feat', type=int, default=2)
ap.add_argument('--base', type=int, default=16)
ap.add_argument('--max-res', type=int, default=2048)
ap.add_argument('--width', type=int, default=64)
ap.add_argument('--rays', type=int, default=2048)
ap.add_argument('--samples', type=int, default=32)
ap.add_argument('--threads', type=int, default=2)
ap.add_argument('--warmup', type=int, default=2)
ap.add_argument('--runs', type=int, default=7)
ap.add_argument('--compile', action='store_true')
ap.add_argument('--device', default='cpu')
ap.add_argument('--dtype', default='fp32', choices=['fp32', 'bf16'], help='autocast dtype of the MLPs')
ap.add_argument('--no-fused-adam', action='store_true')
ap.add_argument('--fwd-only', action='store_true')
a = ap.parse_args()
os.environ.setdefault('OMP_NUM_THREADS', str(a.threads))
import torch, torch.nn as nn, torch.nn.functional as F
torch.set_num_threads(a.threads)
torch.manual_seed(0)
dev = torch.device(a.device)
P1, P2 = 2654435761, 805459861


class HashGrid(nn.Module):
    def __init__(s, L, Fd, log2T, base, max_res, impl):
        super().__init__()
        s.L, s.Fd, s.T, s.impl = L, Fd, 1 << log2T, impl
        b = math.exp(math.log(max_res / base) / max(L - 1, 1))
        scales, res, sizes, dense = [], [], [], []
        for l in range(L):
            sc = base * b ** l - 1.0
            r = int(math.ceil(sc)) + 1
            n = r ** 3
            d = n <= s.T
            scales.append(sc); res.append(r); dense.append(d)
            sizes.append((n + 7) // 8 * 8 if d else s.T)
        offs = [0]
        for n in sizes: offs.append(offs[-1] + n)
        s.nd = sum(dense)                                     # dense levels come first
        s.sizes, s.res, s.scales_l, s.offs = sizes, res, scales, offs
        s.register_buffer('scale', torch.tensor(scales).view(1, L, 1))
        s.register_buffer('off', torch.tensor(offs[:-1], dtype=torch.int64).view(1, L, 1, 1, 1))
        mul = torch.tensor([[1, res[l], res[l] ** 2] if dense[l] else [1, P1, P2] for l in range(L)], dtype=torch.int64)
        s.register_buffer('mul', mul.view(1, L, 3))
        s.register_buffer('corner', torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)]))
        if impl in ('naive', 'loop'):
            s.tabs = nn.ModuleList([nn.Embedding(n, Fd) for n in sizes])
            for t in s.tabs: nn.init.uniform_(t.weight, -1e-4, 1e-4)
        else:
            s.table = nn.Parameter(torch.empty(offs[-1], Fd).uniform_(-1e-4, 1e-4))

    def idx_w(s, x):
        """x (B,3) in [0,1] -> indices and weights (B,L,2,2,2)"""
        pos = x[:, None, :] * s.scale + 0.5
        p0 = torch.floor(pos)
        fr = pos - p0
        lo = p0.to(torch.int64) * s.mul                       # (B,L,3)
        hi = lo + s.mul
        ax = torch.stack([lo, hi], -1)                        # (B,L,3,2)
        X, Y, Z = ax[:, :, 0, :, None, None], ax[:, :, 1, None, :, None], ax[:, :, 2, None, None, :]
        nd = s.nd
        parts = []
        if nd: parts.append((X[:, :nd] + Y[:, :nd] + Z[:, :nd]).clamp_max(s.sizes[nd - 1] if nd == 1 else 1 << 62))
        if nd < s.L: parts.append((X[:, nd:] ^ Y[:, nd:] ^ Z[:, nd:]) & (s.T - 1))
        idx = torch.cat(parts, 1) + s.off
        w2 = torch.stack([1 - fr, fr], -1)
        w = w2[:, :, 0, :, None, None] * w2[:, :, 1, None, :, None] * w2[:, :, 2, None, None, :]
        return idx, w

    def forward(s, x):
        B = x.shape[0]
        if s.impl in ('vec', 'bag'):
            idx, w = s.idx_w(x)
            # the last corner of the finest dense level may touch one row past a level: harmless, it lands in the next
            if s.impl == 'vec':
                f = F.embedding(idx.view(B, s.L, 8), s.table)
                return (f * w.reshape(B, s.L, 8, 1)).sum(2).reshape(B, s.L * s.Fd)
            f = F.embedding_bag(idx.view(B * s.L, 8), s.table, mode='sum', per_sample_weights=w.reshape(B * s.L, 8))
            return f.view(B, s.L * s.Fd)
        outs = []
        for l in range(s.L):
            pos = x * s.scales_l[l] + 0.5
            p0 = torch.floor(pos)
            fr = pos - p0
            c = p0.to(torch.int64)[:, None, :] + s.corner      # (B,8,3)
            if l < s.nd:
                r = s.res[l]
                idx = (c[..., 0] + c[..., 1] * r + c[..., 2] * (r * r)).clamp_max(s.sizes[l] - 1)
            else:
                idx = (c[..., 0] ^ (c[..., 1] * P1) ^ (c[..., 2] * P2)) & (s.T - 1)
            e = s.tabs[l](idx)                                 # (B,8,F)
            if s.impl == 'loop':
                w = torch.where(s.corner.bool(), fr[:, None, :], 1 - fr[:, None, :]).prod(-1, keepdim=True)
                outs.append((e * w).sum(1))
            else:
                wx, wy, wz = fr[:, 0:1], fr[:, 1:2], fr[:, 2:3]
                c00 = e[:, 0] * (1 - wx) + e[:, 4] * wx
                c01 = e[:, 1] * (1 - wx) + e[:, 5] * wx
                c10 = e[:, 2] * (1 - wx) + e[:, 6] * wx
                c11 = e[:, 3] * (1 - wx) + e[:, 7] * wx
                c0 = c00 * (1 - wy) + c10 * wy
                c1 = c01 * (1 - wy) + c11 * wy
                outs.append(c0 * (1 - wz) + c1 * wz)
        return torch.cat(outs, -1)


def sh4(d):
    x, y, z = d.unbind(-1)
    xx, yy, zz, xy, yz, xz = x * x, y * y, z * z, x * y, y * z, x * z
    return torch.stack([
        torch.full_like(x, 0.2820948), -0.4886025 * y, 0.4886025 * z, -0.4886025 * x,
        1.0925484 * xy, -1.0925484 * yz, 0.3153916 * (2 * zz - xx - yy), -1.0925484 * xz, 0.5462742 * (xx - yy),
        -0.5900436 * y * (3 * xx - yy), 2.8906114 * xy * z, -0.4570458 * y * (4 * zz - xx - yy),
        0.3731763 * z * (2 * zz - 3 * xx - 3 * yy), -0.4570458 * x * (4 * zz - xx - yy),
        1.4453057 * z * (xx - yy), -0.5900436 * x * (xx - 3 * yy)], -1)


class Field(nn.Module):
    def __init__(s):
        super().__init__()
        s.grid = HashGrid(a.levels, a.feat, a.log2T, a.base, a.max_res, a.impl)
        W = a.width
        lin = lambda i, o: nn.Linear(i, o, bias=False)
        s.sig = nn.Sequential(lin(a.levels * a.feat, W), nn.ReLU(), lin(W, 16))
        s.rgb = nn.Sequential(lin(32, W), nn.ReLU(), lin(W, W), nn.ReLU(), lin(W, 3))

    def forward(s, o, d, t, dt, target):
        R, S = t.shape
        x = (o[:, None] + d[:, None] * t[..., None]).reshape(-1, 3).clamp(0, 1)
        e = s.grid(x)
        with torch.autocast(dev.type, torch.bfloat16, enabled=a.dtype == 'bf16'):
            h = s.sig(e)
            dirs = sh4(d)[:, None].expand(R, S, 16).reshape(-1, 16)
            c = torch.sigmoid(s.rgb(torch.cat([dirs, h], -1)))
        sigma = torch.exp(h[:, 0].float().clamp(max=15)).view(R, S)
        c = c.float().view(R, S, 3)
        tau = sigma * dt
        T = torch.exp(-(torch.cumsum(tau, 1) - tau))
        w = T * (1 - torch.exp(-tau))
        img = (w[..., None] * c).sum(1) + (1 - w.sum(1, keepdim=True))
        return ((img - target) ** 2).mean()


def batch():
    o = torch.rand(a.rays, 3, device=dev)
    e = torch.rand(a.rays, 3, device=dev)
    d = e - o
    n = d.norm(dim=-1, keepdim=True).clamp_min(1e-3)
    d = d / n
    S = a.samples
    t = (torch.arange(S, device=dev)[None] + torch.rand(a.rays, S, device=dev)) / S * n
    dt = (n / S).expand(a.rays, S)
    return o, d, t, dt, torch.rand(a.rays, 3, device=dev)


def sync():
    if dev.type == 'cuda': torch.cuda.synchronize()


model = Field().to(dev)
kw = dict(lr=1e-2, betas=(0.9, 0.99), eps=1e-15)
try:
    opt = torch.optim.Adam(model.parameters(), fused=not a.no_fused_adam, **kw)
except Exception:
    opt = torch.optim.Adam(model.parameters(), **kw)
fwd = torch.compile(model, dynamic=False) if a.compile else model
rec, phases = [], []
t_start = time.perf_counter()
for it in range(a.warmup + a.runs):
    b = batch()
    sync(); w0, c0 = time.perf_counter(), time.process_time()
    if a.fwd_only:
        with torch.no_grad(): loss = fwd(*b)
        sync(); t1 = t2 = t3 = time.perf_counter()
    else:
        opt.zero_grad(set_to_none=True)
        loss = fwd(*b); sync(); t1 = time.perf_counter()
        loss.backward(); sync(); t2 = time.perf_counter()
        opt.step(); sync(); t3 = time.perf_counter()
    c1 = time.process_time()
    if it >= a.warmup:
        rec.append((t3 - w0, (c1 - c0) / (t3 - w0), c1 - c0))
        phases.append((t1 - w0, t2 - t1, t3 - t2))
    elif it == 0:
        first = t3 - w0
ts = [r[0] for r in rec]
N = a.rays * a.samples
med, mn = statistics.median(ts), min(ts)
ph = [statistics.median(p[i] for p in phases) for i in range(3)]
print(json.dumps(dict(
    impl=a.impl + ('+compile' if a.compile else ''), torch=torch.__version__, device=str(dev), dtype=a.dtype,
    threads=a.threads, log2T=a.log2T, L=a.levels, F=a.feat,
    params=sum(p.numel() for p in model.parameters()), rays=a.rays, samples_per_ray=a.samples, batch_samples=N,
    fwd_only=a.fwd_only, runs=a.runs, step_ms_min=round(mn * 1e3, 1), step_ms_median=round(med * 1e3, 1),
    fwd_bwd_opt_ms=[round(p * 1e3, 1) for p in ph],
    samples_per_s_best=round(N / mn), samples_per_s_median=round(N / med),
    rays_per_s_best=round(a.rays / mn), rays_per_s_median=round(a.rays / med),
    # per CPU-second (user+system, all threads): the number to trust on a shared machine, with --threads 1
    samples_per_cpu_s_best=round(N / min(r[2] for r in rec)), samples_per_cpu_s_median=round(N / statistics.median(r[2] for r in rec)),
    cpu_util_median=round(statistics.median(r[1] for r in rec), 2), first_step_s=round(first, 1),
    loss=round(float(loss.detach()), 5))))
