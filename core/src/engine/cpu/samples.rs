//! Where rays' samples come from: marched, or given.

use crate::engine::SampleSource;
use crate::ops::march::{Live, Ray, Staged, march};
use crate::simd::Isa;

/// A source of samples, for rays from the `first` on.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub isa: Isa,
    pub samples: SampleSource<'a>,
    pub first: usize,
}

impl Source<'_> {
    /// For every ray that `live` names in `rays`: appends up to `limit` samples at distances from `from` on to `out`, and
    /// sets `from` to where to go on, or to infinity.
    pub fn march(&self, rays: &[Ray], live: &mut [Live], limit: usize, out: &mut Staged) {
        let given = match &self.samples {
            SampleSource::Space(space) => {
                return march(self.isa, space.bits, &space.volume.steps, rays, live, limit, out);
            }
            SampleSource::Given(given) => given,
        };
        #[cfg(test)]
        let limit = limit.min(given.stretch.unwrap_or(limit));
        for l in live {
            let (t, dt) = given.ray(self.first + l.ray as usize);
            let start = t.partition_point(|t| *t < l.from);
            let end = t.len().min(start + limit);
            out.samples.t.extend_from_slice(&t[start..end]);
            out.samples.dt.extend_from_slice(&dt[start..end]);
            out.counts.push((end - start) as u32);
            l.from = t.get(end).copied().unwrap_or(f32::INFINITY);
        }
    }
}
