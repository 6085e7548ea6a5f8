//! Both losses and their gradients: plain loops over the ten or twenty samples of a ray.

/// The distortion of a ray with ascending places; adds `scale` times its gradient to `d_w`.
///
/// # Panics
/// If the slices differ in length.
#[inline]
pub fn distortion(w: &[f32], s: &[f32], ds: &[f32], scale: f32, d_w: &mut [f32]) -> f32 {
    let n = w.len();
    assert!(s.len() == n && ds.len() == n && d_w.len() == n, "distortion: lengths differ");
    let Some(&first) = s.first() else { return 0.0 };
    // Places from the first one: what is subtracted below stays small.
    let (mut all, mut all_s) = (0.0f32, 0.0f32);
    for (w, s) in w.iter().zip(s) {
        all += w;
        all_s += w * (s - first);
    }
    let (mut ahead, mut ahead_s, mut loss) = (0.0f32, 0.0f32, 0.0f32);
    for i in 0..n {
        let place = s[i] - first;
        let front = place * ahead - ahead_s;
        ahead += w[i];
        ahead_s += w[i] * place;
        let behind = (all_s - ahead_s) - place * (all - ahead);
        let own = w[i] * ds[i] / 3.0;
        loss += w[i] * (2.0 * front + own);
        d_w[i] += scale * 2.0 * (front + behind + own);
    }
    loss
}

/// The deviation of a ray from `place`; adds `scale` times its gradient to `d_w`.
///
/// # Panics
/// If the slices differ in length.
#[inline]
pub fn deviation(w: &[f32], s: &[f32], place: f32, scale: f32, d_w: &mut [f32]) -> f32 {
    assert!(s.len() == w.len() && d_w.len() == w.len(), "deviation: lengths differ");
    let mut loss = 0.0;
    for ((w, s), d_w) in w.iter().zip(s).zip(d_w) {
        let off = (s - place).abs();
        loss += w * off;
        *d_w += scale * off;
    }
    loss
}
