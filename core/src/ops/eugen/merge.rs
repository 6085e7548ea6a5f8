//! A linear layer behind an EUGen layer is part of its Theta.

/// `U Theta` and `U theta_0 + u_0`: Theta is `[middle][features]`, U is `[outputs][middle]`. Products are summed in f64.
///
/// # Panics
/// If the extents contradict each other.
#[must_use]
pub fn merge(theta: &[f32], bias: &[f32], u: &[f32], u_bias: Option<&[f32]>) -> (Vec<f32>, Vec<f32>) {
    let middle = bias.len();
    assert!(middle > 0 && theta.len().is_multiple_of(middle), "Theta does not have a row for each bias");
    assert!(u.len().is_multiple_of(middle), "the second layer takes another number of values");
    let (features, outputs) = (theta.len() / middle, u.len() / middle);
    assert!(u_bias.is_none_or(|bias| bias.len() == outputs), "the second layer's bias has another width");
    let (mut merged, mut constant) = (Vec::with_capacity(outputs * features), Vec::with_capacity(outputs));
    let mut row = vec![0.0f64; features];
    for (o, u) in u.chunks_exact(middle).enumerate() {
        row.fill(0.0);
        for (u, theta) in u.iter().zip(theta.chunks_exact(features)) {
            row.iter_mut().zip(theta).for_each(|(sum, t)| *sum += f64::from(*u) * f64::from(*t));
        }
        merged.extend(row.iter().map(|v| *v as f32));
        let sum: f64 = u.iter().zip(bias).map(|(u, b)| f64::from(*u) * f64::from(*b)).sum();
        constant.push((sum + u_bias.map_or(0.0, |bias| f64::from(bias[o]))) as f32);
    }
    (merged, constant)
}
