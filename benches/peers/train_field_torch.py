#!/usr/bin/env python3
"""Trains peer_nerf_torch.py's Field on recorded batches and evaluates it on recorded views.

`cargo bench --bench peer_field` records the batches and runs this. Usage: train_field_torch.py FOLDER [he],
where `he` starts its networks as ours do, uniform in +-sqrt(6 / in) (He et al. 2015) and not as nn.Linear does, in
+-sqrt(1 / in). FOLDER/meta.json holds the configuration, per training step its number of rays and its learning rate, and per
test view its number of rays. The arrays beside it are little-endian and follow each other without gaps:
  {train,test}.counts   u32, per ray: samples
  {train,test}.rays     f32, per ray: direction 3, target rgba 4 (straight alpha), background 3
  {train,test}.samples  f32, per sample: position in the unit cube 3, length 1
The last line printed is JSON: {"psnr": mean over views, "views": [...], "seconds": training}.
"""
import ast, json, os, sys, time

folder, he = sys.argv[1], 'he' in sys.argv[2:]
# Quality is measured here, not speed: do not spin where other work wants the processor.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
with open(os.path.join(folder, 'meta.json')) as f:
    meta = json.load(f)


def peer(args):
    """The definitions of peer_nerf_torch.py for its flags `args`: it is a program, so its own run is left out."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peer_nerf_torch.py')
    with open(path) as f:
        tree = ast.parse(f.read(), path)
    is_model = lambda n: isinstance(n, ast.Assign) and getattr(n.targets[0], 'id', '') == 'model'
    tree.body = tree.body[:next(i for i, n in enumerate(tree.body) if is_model(n))]
    sys.argv = [path] + [str(a) for a in args]
    names = {'__name__': 'peer'}
    exec(compile(tree, path, 'exec'), names)
    return names


names = peer(['--impl', 'loop', '--threads', meta['threads'], '--log2T', meta['log2_entries'], '--levels',
              meta['levels'], '--feat', meta['features'], '--base', meta['base'], '--max-res', meta['finest'],
              '--width', meta['width']])
import numpy as np, torch
torch.manual_seed(meta['seed'])
torch.set_flush_denormal(True)


class Batches:
    """The batches of one split, in order."""

    def __init__(s, split, rays):
        load = lambda name, dtype: np.fromfile(os.path.join(folder, f'{split}.{name}'), dtype)
        s.counts = load('counts', '<u4').astype(np.int64)
        s.rays = load('rays', '<f4').reshape(-1, 10)
        s.samples = load('samples', '<f4').reshape(-1, 4)
        s.ray_ends = np.cumsum(rays)
        s.ends = np.concatenate([[0], np.cumsum(s.counts)])
        assert s.ray_ends[-1] == len(s.counts) == len(s.rays) and s.ends[-1] == len(s.samples)

    def __getitem__(s, i):
        a, b = (s.ray_ends[i - 1] if i else 0), s.ray_ends[i]
        t = torch.from_numpy
        return t(s.counts[a:b]), t(s.rays[a:b].copy()), t(s.samples[s.ends[a]:s.ends[b]].copy())


def render(field, counts, rays, samples):
    """Colours (R, 3) on the rays' backgrounds, as Field.forward computes them, for rays of unequal length."""
    R, S = len(counts), max(int(counts.max()), 1)
    ray = torch.repeat_interleave(torch.arange(R), counts)
    place = torch.arange(len(ray)) - (torch.cumsum(counts, 0) - counts)[ray]
    h = field.sig(field.grid(samples[:, :3]))
    dirs = names['sh4'](rays[:, :3])[ray]
    c = torch.sigmoid(field.rgb(torch.cat([dirs, h], -1)))
    tau = torch.zeros(R, S).index_put((ray, place), torch.exp(h[:, 0].clamp(max=15)) * samples[:, 3])
    w = torch.exp(-(torch.cumsum(tau, 1) - tau)) * (1 - torch.exp(-tau))
    img = torch.zeros(R, 3).index_add(0, ray, w[ray, place][:, None] * c)
    return img + (1 - w.sum(1, keepdim=True)) * rays[:, 7:10]


def truth(rays):
    return rays[:, 3:6] * rays[:, 6:7] + (1 - rays[:, 6:7]) * rays[:, 7:10]


field = names['Field']()
if he:
    for linear in (m for m in field.modules() if isinstance(m, torch.nn.Linear)):
        bound = (6 / linear.in_features) ** 0.5
        torch.nn.init.uniform_(linear.weight, -bound, bound)
opt = torch.optim.Adam(field.parameters(), lr=1e-2, betas=(0.9, 0.99), eps=1e-15, fused=True)
steps = meta['steps']
train = Batches('train', [s['rays'] for s in steps])
start = time.perf_counter()
for i, step in enumerate(steps):
    counts, rays, samples = train[i]
    opt.param_groups[0]['lr'] = step['rate']
    opt.zero_grad(set_to_none=True)
    loss = ((render(field, counts, rays, samples) - truth(rays)) ** 2).mean()
    loss.backward()
    opt.step()
    if (i + 1) % 100 == 0:
        print(f'step {i + 1}: loss {loss.item():.5f}, {time.perf_counter() - start:.0f} s', file=sys.stderr)
seconds = time.perf_counter() - start

views = []
test = Batches('test', meta['tests'])
with torch.no_grad():
    for i in range(len(meta['tests'])):
        counts, rays, samples = test[i]
        image = (render(field, counts, rays, samples).clamp(0, 1) * 255).round()
        mse = float(((image - (truth(rays) * 255).round()) ** 2).mean(dtype=torch.float64))
        views.append(10 * np.log10(255 ** 2 / mse))
print(json.dumps(dict(psnr=float(np.mean(views)), views=views, seconds=round(seconds, 1))))
