//! What was recorded of an MLP becomes the variables of what takes its place.
use nerve_core::distill::{
    DistillOptions, Form, LayerReport, Normal, low_rank, most_important, train_projections,
};
use nerve_core::graph::{Device, Tensor, to_vec, update_in_place};
use nerve_core::ops::eugen::{FeatureConfig, features};

use super::Place;
use super::record::Recorded;
use crate::segmentation::Segmenter;

type Result<T> = std::result::Result<T, String>;

/// Fills the variables of the student's MLP; what is wrong, in words.
pub(super) fn rewrite(
    place: &Place,
    recorded: Recorded,
    teacher: &Segmenter,
    student: &Segmenter,
    options: &DistillOptions,
) -> Result<LayerReport> {
    let failed = |error: &dyn std::fmt::Display| format!("block {}: {error}", place.block);
    let writer = Writer { place, student };
    let old = |name: &str| {
        let variable = teacher.variables().get(&format!("{}.{name}", place.prefix));
        variable.map(|variable| to_vec(&variable.var))
    };
    let [first, second] = if old("fc1.weight").is_some() { ["fc1", "fc2"] } else { ["dense1", "dense2"] };
    let (channels, m) = (place.channels, options.m);
    let Recorded { normal, x, y, .. } = recorded;
    let error = match options.form {
        Form::Int8 => None,
        Form::Eugen => {
            let mut found = normal.solve(options.ridge).map_err(|e| failed(&e))?;
            if options.train_g > 0 {
                let config = FeatureConfig { order: options.k, features: m, ..FeatureConfig::default() };
                if writer.has("dwconv.dwconv.weight") {
                    return Err(failed(
                        &"projections before a convolution cannot be trained alone: leave --train-g out",
                    ));
                }
                let g = writer.values("g");
                let theta = (&found.weight[..], &found.bias[..]);
                let (steps, seed) = (options.train_g, options.seed);
                let g = train_projections(&config, &g, theta, &x, &y, channels, channels, steps, seed)
                    .map_err(|e| failed(&e))?;
                let again = || -> nerve_core::graph::Result<Normal> {
                    let rows = Tensor::from_slice(&x, (x.len() / channels, channels), &Device::Cpu)?;
                    let g = Tensor::from_slice(&g, &config.shape(channels)[..], &Device::Cpu)?;
                    let mut normal = Normal::new(config.outputs(), channels);
                    normal.add(&nerve_core::graph::read(&features(&rows, &g, &config)?)?, &y);
                    Ok(normal)
                };
                found = again().map_err(|e| failed(&e))?.solve(options.ridge).map_err(|e| failed(&e))?;
                writer.write("g", &g)?;
            }
            writer.write("theta.weight", &found.weight)?;
            writer.write("theta.bias", &found.bias)?;
            Some(found.error)
        }
        Form::LowRank => {
            let found = low_rank(&normal, m, options.ridge, options.seed).map_err(|e| failed(&e))?;
            let rank = found.down.len() / channels;
            let mut g = vec![0.0; (channels + 1) * m];
            for (r, row) in found.down.chunks_exact(channels).enumerate() {
                row.iter().enumerate().for_each(|(c, v)| g[c * m + r] = *v);
            }
            writer.write("g", &g)?;
            let none = || std::iter::repeat_n(0.0, m - rank);
            let theta = found.up.chunks_exact(rank).flat_map(|row| row.iter().copied().chain(none()));
            writer.write("theta.weight", &theta.collect::<Vec<_>>())?;
            writer.write("theta.bias", &found.bias)?;
            if writer.has("dwconv.dwconv.weight") {
                // Nothing is done between neighbors.
                let kernels = (0..m * 9).map(|i| if i % 9 == 4 { 1.0 } else { 0.0 });
                writer.write("dwconv.dwconv.weight", &kernels.collect::<Vec<_>>())?;
                writer.write("dwconv.dwconv.bias", &vec![0.0; m])?;
            }
            Some(found.error)
        }
        Form::Thin => {
            let reader = old(&format!("{second}.weight")).unwrap_or_default();
            let chosen = most_important(&normal.squares(), &[&reader], m);
            let found = normal.subset(&chosen).solve(options.ridge).map_err(|e| failed(&e))?;
            let hidden = normal.squares().len();
            for name in [
                format!("{first}.weight"),
                format!("{first}.bias"),
                "dwconv.dwconv.weight".into(),
                "dwconv.dwconv.bias".into(),
            ] {
                if let Some(values) = old(&name) {
                    let width = values.len() / hidden;
                    let rows = chosen.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied();
                    writer.write(&name, &rows.collect::<Vec<_>>())?;
                }
            }
            writer.write(&format!("{second}.weight"), &found.weight)?;
            writer.write(&format!("{second}.bias"), &found.bias)?;
            Some(found.error)
        }
    };
    let (parameters, products) =
        ([teacher, student].map(|s| size(s, place, false)), [teacher, student].map(|s| size(s, place, true)));
    Ok(LayerReport { name: format!("block {}", place.block), error, parameters, products, seconds: 0.0 })
}

/// Values of an MLP's variables; of its matrices alone, which a token is multiplied with once each.
fn size(segmenter: &Segmenter, place: &Place, matrices: bool) -> usize {
    let all = segmenter.variables().all().into_iter();
    let (mlp, norm) = (format!("{}.", place.prefix), format!("{}.norm.", place.prefix));
    let own = all.filter(|(key, _)| key.starts_with(&mlp) && !key.starts_with(&norm));
    own.filter(|(_, v)| !matrices || v.var.dims().len() > 1).map(|(_, v)| v.var.elem_count()).sum()
}

/// The variables of the student's MLP.
struct Writer<'a> {
    place: &'a Place,
    student: &'a Segmenter,
}

impl Writer<'_> {
    fn has(&self, name: &str) -> bool {
        self.student.variables().get(&format!("{}.{name}", self.place.prefix)).is_some()
    }

    fn values(&self, name: &str) -> Vec<f32> {
        let variable = self.student.variables().get(&format!("{}.{name}", self.place.prefix));
        variable.map(|variable| to_vec(&variable.var)).unwrap_or_default()
    }

    fn write(&self, name: &str, values: &[f32]) -> Result<()> {
        let key = format!("{}.{name}", self.place.prefix);
        let variable = self.student.variables().get(&key).ok_or_else(|| format!("{key} is no variable"))?;
        if variable.var.elem_count() != values.len() {
            return Err(format!(
                "{key} has the shape {:?}, and {} values were found",
                variable.var.dims(),
                values.len()
            ));
        }
        update_in_place(&variable.var, |v| v.copy_from_slice(values)).map_err(|error| error.to_string())
    }
}
