//! Rays through random pixels of the views.

use super::field::Field;
use crate::engine::{Background, DepthImage, Draw, Poses, TrainView};
use crate::field::HeadLoss;
use crate::ops::loss::PIXEL;
use crate::ops::march::Ray;
use crate::ops::rigid::Correction;
use crate::rng::{Rng, Stream, below, uniform};
use crate::simd::prefetch;

/// Views, as rays are drawn from them.
#[derive(Debug)]
pub(super) struct Views {
    views: Vec<TrainView>,
    /// Their optical axes as they were given.
    axes: Vec<[f32; 3]>,
    /// Room for what moves them.
    corrections: Vec<Correction>,
}

/// The rays of one step.
pub(super) struct Drawn<'a> {
    views: &'a Views,
    field: &'a Field,
    draw: &'a Draw<'a>,
    rng: Rng,
}

/// Where a ray starts in its photograph.
struct Origin {
    camera: usize,
    pixel: u32,
    /// The distance that a point tells; 0 for none.
    distance: f32,
    /// What is left of the ray's random bits.
    jitter: u32,
}

impl Views {
    /// Takes views over; the maps of each stand in the order of these heads, which compare channels.
    pub fn new(mut views: Vec<TrainView>, heads: &[(&str, usize)]) -> Self {
        for view in &mut views {
            let mut maps = std::mem::take(&mut view.maps);
            let mut take =
                |head: &str| maps.iter().position(|map| map.head == head).map(|at| maps.swap_remove(at));
            view.maps = heads.iter().filter_map(|(head, _)| take(head)).collect();
        }
        let axes = views.iter().map(|view| view.camera.forward()).collect();
        Self { views, axes, corrections: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// Moves the cameras, from where they were given; `learnt` is what the field has.
    pub fn place(&mut self, poses: Poses<'_>, learnt: Option<&[f32]>) {
        self.corrections.clear();
        let rows = match poses {
            Poses::Given => &[],
            Poses::Learnt => learnt.map_or(&[][..], |values| values.as_chunks().0),
            Poses::Corrected(rows) => rows,
        };
        self.corrections.extend(rows.iter().map(|row| Correction::new(row)));
    }
}

impl<'a> Drawn<'a> {
    /// The rays that `draw` draws from `views` for a field.
    pub fn new(views: &'a Views, field: &'a Field, draw: &'a Draw<'a>) -> Self {
        Self { views, field, draw, rng: Rng::new(draw.key.seed) }
    }

    fn origin(&self, index: u32) -> Origin {
        let [view, pixel, jitter, kind] = self.rng.bits(Stream::Pixels, self.draw.key.step, index);
        let camera = below(view, self.views.len() as u32) as usize;
        let TrainView { pixels, kept, points, .. } = &self.views.views[camera];
        if !points.is_empty() && uniform(kind) < self.draw.point_share {
            let (pixel, distance) = points[below(pixel, points.len() as u32) as usize];
            return Origin { camera, pixel, distance, jitter };
        }
        let pixel = match kept {
            None => below(pixel, pixels.len()),
            Some(kept) => kept[below(pixel, kept.len() as u32) as usize],
        };
        Origin { camera, pixel, distance: 0.0, jitter }
    }

    /// Says that a ray's pixel will be read soon: it lies somewhere in memory, and can be fetched meanwhile.
    pub fn prefetch(&self, index: usize) {
        let Origin { camera, pixel, .. } = self.origin(index as u32);
        prefetch(self.views.views[camera].pixels.stored(pixel).as_ptr());
    }

    /// The `index`-th ray of the step, and its target.
    pub fn ray(&self, index: usize, target: &mut [f32]) -> Ray {
        let index = index as u32;
        let Origin { camera, pixel, distance, jitter } = self.origin(index);
        let view = &self.views.views[camera];
        let at = [pixel % view.pixels.width, pixel / view.pixels.width];
        let mut maps = view.maps.iter();
        for head in &self.field.heads {
            let target = &mut target[head.target.clone()];
            match head.loss {
                HeadLoss::Photometric(_) => self.pixel(index, view, pixel, target),
                HeadLoss::Channels(_) => {
                    if let Some(map) = maps.next() {
                        target.copy_from_slice(map.at(at, &view.pixels, target.len()));
                    }
                }
            }
        }
        let given = view.camera.cast(f64::from(at[0]) + 0.5, f64::from(at[1]) + 0.5);
        let ray = self.views.corrections.get(camera).map_or(given, |c| c.apply(given));
        if let Some(column) = self.field.targets.distance {
            target[column] = if distance > 0.0 { distance } else { self.depth(camera, pixel, given.1) };
        }
        Ray { camera: camera as u32, ..self.draw.space.volume.ray(ray, uniform(jitter)) }
    }

    /// The pixel and the background.
    fn pixel(&self, index: u32, view: &TrainView, pixel: u32, target: &mut [f32]) {
        for (t, v) in target.iter_mut().zip(view.pixels.rgba(pixel)) {
            *t = f32::from(v) / 255.0;
        }
        target[4..PIXEL].copy_from_slice(&match self.draw.background {
            Background::Color(color) => color,
            Background::Random => {
                let [r, g, b, _] = self.rng.uniform4(Stream::Background, self.draw.key.step, index);
                [r, g, b]
            }
        });
    }

    /// The known distance along a pixel's ray, of direction `d` as it was given; 0 for none.
    fn depth(&self, camera: usize, pixel: u32, d: [f32; 3]) -> f32 {
        let Some(DepthImage { data, scale }) = &self.views.views[camera].depth else { return 0.0 };
        // Depth is measured along the axis; a ray that runs away from it goes further.
        let axis = self.views.axes[camera];
        let cos = d[0] * axis[0] + d[1] * axis[1] + d[2] * axis[2];
        let depth = data[pixel as usize];
        if depth > 0.0 && cos > 0.05 { depth * scale / cos } else { 0.0 }
    }
}
