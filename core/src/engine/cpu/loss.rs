//! The loss of the rays of a tile, and of those that met nothing.

use super::CpuEngine;
use super::field::Field;
use super::workspace::Workspace;
use crate::field::HeadLoss;
use crate::ops::affine_color;
use crate::ops::loss::{channels, photometric};
use crate::ops::march::Ray;

/// Rays, and what they are compared with.
#[derive(Clone, Copy)]
pub(super) struct Compared<'a> {
    pub rays: &'a [Ray],
    /// `[ray][columns]`.
    pub targets: &'a [f32],
    /// The cameras' colors, where they are applied.
    pub codes: Option<&'a [f32]>,
}

impl CpuEngine {
    /// Adds the loss of rays that met no occupied cell, whose output is empty, to the heads' sums.
    pub(super) fn add_loss_of_empty_rays(&mut self) {
        self.met.clear();
        self.met.resize(self.rays.len(), false);
        for span in self.finals.iter().flat_map(|t| &t.spans) {
            self.met[span.ray as usize] = true;
        }
        let (field, width) = (&self.field, self.field.targets.width());
        // One row holds the empty output, the other its gradient, which nobody wants.
        self.empty.clear();
        self.empty.resize(2 * field.outputs.width(), 0.0);
        let (out, d_out) = self.empty.split_at_mut(field.outputs.width());
        for (head, sum) in field.heads.iter().zip(&mut self.losses) {
            let (out, d_out) = (&out[head.output.clone()], &mut d_out[head.output.clone()]);
            let rays = self.met.iter().zip(self.targets.chunks_exact(width)).filter(|(met, _)| !**met);
            let loss = |target: &[f32]| match head.loss {
                HeadLoss::Photometric(penalty) => photometric(penalty, out, 0.0, target, d_out, &mut 0.0),
                HeadLoss::Channels(penalty) => channels(penalty, out, target, d_out),
            };
            *sum +=
                rays.map(|(_, target)| &target[head.target.clone()]).map(loss).map(f64::from).sum::<f64>();
        }
    }
}

impl Field {
    /// The known distances of the tile's rays, for the stages.
    pub(super) fn look_up_distances(&self, ws: &mut Workspace, targets: &[f32]) {
        let width = self.targets.width();
        ws.distance.clear();
        if let Some(column) = self.targets.distance {
            ws.distance.extend(ws.spans.iter().map(|span| targets[span.ray as usize * width + column]));
        }
    }

    /// The heads' losses of the tile's rays, summed in the workspace; leaves the gradient of the output there, by the
    /// heads' weights and divided by the number of rays.
    pub(super) fn loss(&self, ws: &mut Workspace, compared: Compared<'_>) {
        let (width, outputs) = (self.targets.width(), self.outputs.width());
        ws.losses.fill(0.0);
        ws.d_color.clear();
        for (i, span) in ws.spans.iter().enumerate() {
            let ray = span.ray as usize;
            let out = &ws.out[i * outputs..(i + 1) * outputs];
            let d_out = &mut ws.d_out[i * outputs..(i + 1) * outputs];
            let target = &compared.targets[ray * width..(ray + 1) * width];
            let (d_values, d_rest) = d_out.split_at_mut(self.outputs.depth);
            d_rest.fill(0.0);
            for (head, sum) in self.heads.iter().zip(&mut ws.losses) {
                let (out, opacity) = (&out[head.output.clone()], out[self.outputs.opacity]);
                let d_out = &mut d_values[head.output.clone()];
                let (target, share) = (&target[head.target.clone()], ws.share * head.weight);
                let penalty = match head.loss {
                    HeadLoss::Photometric(penalty) => penalty,
                    HeadLoss::Channels(penalty) => {
                        *sum += f64::from(channels(penalty, out, target, d_out));
                        d_out.iter_mut().for_each(|d| *d *= share);
                        continue;
                    }
                };
                let mut d_opacity = 0.0;
                let Some((codes, _)) = compared.codes.map(<[f32]>::as_chunks) else {
                    *sum += f64::from(photometric(penalty, out, opacity, target, d_out, &mut d_opacity));
                    d_out.iter_mut().for_each(|d| *d *= share);
                    d_rest[1] = d_opacity * share;
                    continue;
                };
                let code = &codes[compared.rays[ray].camera as usize];
                let color = [out[0], out[1], out[2]];
                let shown = affine_color::forward(code, color, opacity);
                let mut d_shown = [0.0; 3];
                *sum +=
                    f64::from(photometric(penalty, &shown, opacity, target, &mut d_shown, &mut d_opacity));
                d_shown.iter_mut().for_each(|d| *d *= share);
                let mut d_code = [0.0; affine_color::VALUES];
                let (d_color, more) = affine_color::backward(code, color, opacity, d_shown, &mut d_code);
                d_out.copy_from_slice(&d_color);
                d_rest[1] = d_opacity * share + more;
                ws.d_color.push(d_code);
            }
        }
    }
}
