//! The loss of the rays of a tile, and of those that met nothing.

use super::layout::FieldLayout;
use super::{BatchEngine, Workspace};
use crate::engine::Ray;
use crate::ops::affine_color;
use crate::ops::composite::EXTRA;

impl BatchEngine {
    /// The loss of rays that met no occupied cell: their output is empty.
    pub(super) fn loss_of_empty_rays(&mut self) -> f64 {
        let objective = &self.field.objective;
        let (width, outputs) = (objective.targets(), self.field.channels + EXTRA);
        self.met.clear();
        self.met.resize(self.rays.len(), false);
        for span in self.finals.iter().flat_map(|t| &t.spans) {
            self.met[span.ray as usize] = true;
        }
        // One row holds the empty output, the other its gradient, which nobody wants.
        self.empty.clear();
        self.empty.resize(2 * outputs, 0.0);
        let (out, d_out) = self.empty.split_at_mut(outputs);
        let rays = self.met.iter().zip(self.targets.chunks_exact(width)).filter(|(met, _)| !**met);
        rays.map(|(_, target)| f64::from(objective.loss(out, target, d_out))).sum()
    }
}

impl FieldLayout {
    /// The known distances of the tile's rays, for the stages.
    pub(super) fn look_up_distances(&self, ws: &mut Workspace, targets: &[f32]) {
        let width = self.objective.targets();
        ws.distance.clear();
        if let Some(column) = self.objective.distance() {
            ws.distance.extend(ws.spans.iter().map(|span| targets[span.ray as usize * width + column]));
        }
    }

    /// The loss of the tile's rays, whose cameras show their colors by `codes`; leaves its gradient in the workspace,
    /// divided by the number of rays.
    pub(super) fn loss(
        &self,
        ws: &mut Workspace,
        rays: &[Ray],
        targets: &[f32],
        codes: Option<&[f32]>,
    ) -> f64 {
        let (width, outputs) = (self.objective.targets(), self.channels + EXTRA);
        let scale = ws.share;
        let mut sum = 0.0;
        ws.d_color.clear();
        for (i, span) in ws.spans.iter().enumerate() {
            let out = &ws.out[i * outputs..(i + 1) * outputs];
            let d_out = &mut ws.d_out[i * outputs..(i + 1) * outputs];
            let target = &targets[span.ray as usize * width..(span.ray as usize + 1) * width];
            let Some((codes, _)) = codes.map(<[f32]>::as_chunks) else {
                sum += f64::from(self.objective.loss(out, target, d_out));
                d_out.iter_mut().for_each(|d| *d *= scale);
                continue;
            };
            let code = &codes[rays[span.ray as usize].camera as usize];
            let (color, opacity) = ([out[0], out[1], out[2]], out[4]);
            let [r, g, b] = affine_color::forward(code, color, opacity);
            sum += f64::from(self.objective.loss(&[r, g, b, out[3], opacity], target, d_out));
            d_out.iter_mut().for_each(|d| *d *= scale);
            let mut d_code = [0.0; affine_color::VALUES];
            let shown = [d_out[0], d_out[1], d_out[2]];
            let (d_color, d_opacity) = affine_color::backward(code, color, opacity, shown, &mut d_code);
            d_out[..3].copy_from_slice(&d_color);
            d_out[4] += d_opacity;
            ws.d_color.push(d_code);
        }
        sum
    }
}
