//! Vision models on two threads: forward, forward and backward, and a training step. Peers run the same in PyTorch and
//! onnxruntime: `benches/peers/peer_vision.py`, `benches/peers/peer_tinyvit.py`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nerve::core::device::keep_freed_memory;
use nerve::core::graph::{
    DType, Device, Gradients, Matcher, Mode, Optimizer, ParamGroup, Randomness, Result, Scope, Tensor,
    Variables, differentiate,
};
use nerve::core::ops::resize::bilinear;
use nerve::vision::backbones::Backbone;
use nerve::vision::backbones::swin::{Swin, SwinConfig};
use nerve::vision::backbones::tiny_vit::{TinyVit, TinyVitConfig};
use nerve::vision::backbones::vit::{Vit, VitConfig};
use nerve::vision::heads::Head;
use nerve::vision::heads::all_mlp::{AllMlp, AllMlpConfig};
use std::time::Duration;

/// Images of a batch, and threads: the peers' too.
const BATCH: usize = 4;
const THREADS: usize = 2;
/// Classes and width of the head on TinyViT.
const CLASSES: usize = 11;
const WIDTH: usize = 128;
const TRAIN: Mode = Mode::Train(Randomness { seed: 0, step: 0 });

type Forward = Box<dyn Fn(&Tensor, Mode) -> Result<Tensor>>;

fn swin(scope: &Scope) -> Result<Forward> {
    let model = Swin::new(scope, &SwinConfig { drop_path_rate: 0.0, ..SwinConfig::tiny() })?;
    Ok(Box::new(move |x, mode| last(model.maps(x, mode)?)))
}

fn vit(scope: &Scope) -> Result<Forward> {
    let model = Vit::new(scope, &VitConfig::base(16))?;
    Ok(Box::new(move |x, mode| Ok(model.forward(x, mode)?.tokens)))
}

fn tiny_vit(scope: &Scope) -> Result<Forward> {
    let backbone = TinyVit::new(&scope.at("backbone"), &TinyVitConfig::default())?;
    let inputs = backbone.levels().iter().map(|level| level.channels).collect();
    let config = AllMlpConfig { inputs, channels: WIDTH, classes: CLASSES, dropout: 0.0 };
    let head = AllMlp::new(&scope.at("head"), &config)?;
    Ok(Box::new(move |x, mode| {
        let (_, height, width, _) = x.dims4()?;
        bilinear(&head.forward(&backbone.maps(x, mode)?, mode)?, [height, width], false)
    }))
}

fn last(maps: Vec<Tensor>) -> Result<Tensor> {
    maps.into_iter().next_back().ok_or_else(|| nerve::core::graph::Error::Msg("no maps".into()))
}

fn step(forward: &Forward, images: &Tensor, gradients: &mut Gradients) -> Result<()> {
    gradients.clear();
    differentiate(gradients, || forward(images, TRAIN)?.sqr()?.mean_all()).map(drop)
}

fn model(
    c: &mut Criterion,
    name: &str,
    size: [usize; 2],
    build: fn(&Scope) -> Result<Forward>,
) -> Result<()> {
    let mut group = c.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_secs(2)).measurement_time(Duration::from_secs(8));
    group.throughput(Throughput::Elements(BATCH as u64));
    let variables = Variables::random(1);
    let images =
        Tensor::randn(0f32, 1.0, (BATCH, size[0], size[1], 3), &Device::Cpu)?.to_dtype(DType::F32)?;
    let answering = build(&variables.detached())?;
    group.bench_function("forward", |b| b.iter(|| answering(&images, Mode::Eval).map(drop)));
    let learning = build(&variables.tracked())?;
    let mut gradients = Gradients::default();
    group.bench_function("forward+backward", |b| b.iter(|| step(&learning, &images, &mut gradients)));
    let all = ParamGroup { name: "all".into(), matcher: Matcher::All, lr: 1e-6, decay: 0.02, frozen: false };
    let mut optimizer = Optimizer::new(&variables, None, &[all])?;
    group.bench_function("forward+backward+adamw", |b| {
        b.iter(|| {
            step(&learning, &images, &mut gradients).and_then(|()| optimizer.step(&mut gradients, 1.0, 1.0))
        });
    });
    group.finish();
    Ok(())
}

fn models(c: &mut Criterion) {
    keep_freed_memory();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global();
    pool.unwrap_or_else(|e| panic!("threads: {e}"));
    let run = |c: &mut Criterion| -> Result<()> {
        model(c, "swin_t", [224, 224], swin)?;
        model(c, "vit_b_16", [224, 224], vit)?;
        model(c, "tiny_vit_all_mlp", [224, 448], tiny_vit)
    };
    run(c).unwrap_or_else(|e| panic!("a model: {e}"));
}

criterion_group!(benches, models);
criterion_main!(benches);
