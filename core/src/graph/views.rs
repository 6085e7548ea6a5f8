//! candle's rearrangements, with a way back for the tape of [`super::differentiate`] that is as short.
use candle_core::shape::ShapeWithOneHole;
use candle_core::{Result, Tensor};

use super::tape::record;

/// The same values in another shape (one extent may be `()`).
///
/// # Errors
/// If the number of values differs.
pub fn reshape<S: ShapeWithOneHole>(x: &Tensor, shape: S) -> Result<Tensor> {
    let (y, shape) = (x.reshape(shape)?, x.shape().clone());
    record(&y, &[x], move |dy| Ok(vec![Some(dy.reshape(shape)?)]));
    Ok(y)
}

/// Extent i of the result is extent `order[i]` of x; contiguous.
///
/// # Errors
/// If `order` is no order of x's extents.
pub fn permute(x: &Tensor, order: &[usize]) -> Result<Tensor> {
    let y = x.permute(order)?.contiguous()?;
    let mut back = vec![0; order.len()];
    for (i, o) in order.iter().enumerate() {
        back[*o] = i;
    }
    record(&y, &[x], move |dy| Ok(vec![Some(dy.permute(back)?)]));
    Ok(y)
}

/// `len` places of the extent `axis` of x, from `start`.
///
/// # Errors
/// If x has not so many.
pub fn narrow(x: &Tensor, axis: usize, start: usize, len: usize) -> Result<Tensor> {
    let y = x.narrow(axis, start, len)?.contiguous()?;
    let after = x.dim(axis)? - start - len;
    record(&y, &[x], move |dy| Ok(vec![Some(dy.pad_with_zeros(axis, start, after)?)]));
    Ok(y)
}

/// Tensors one after another in the extent `axis`.
///
/// # Errors
/// If their other extents differ.
pub fn cat(parts: &[&Tensor], axis: usize) -> Result<Tensor> {
    let y = Tensor::cat(parts, axis)?;
    let extents = parts.iter().map(|part| part.dim(axis)).collect::<Result<Vec<_>>>()?;
    record(&y, parts, move |dy| {
        let mut start = 0;
        let part = |len| {
            start += len;
            dy.narrow(axis, start - len, len).map(Some)
        };
        extents.into_iter().map(part).collect()
    });
    Ok(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::check::{Case, agrees};
    use crate::ops::check::TestRng;

    /// A view as a permutation of values: the reference is the same view of their places.
    fn rearranges(shapes: &[&[usize]], view: &dyn Fn(&[Tensor]) -> Result<Tensor>) {
        let mut rng = TestRng::new(3);
        let values: Vec<Vec<f64>> =
            shapes.iter().map(|shape| rng.normals(shape.iter().product(), 1.0)).collect();
        let mut first = 0.0f32;
        let mut places = Vec::new();
        for shape in shapes {
            let n: usize = shape.iter().product();
            let ids: Vec<f32> = (0..n).map(|i| first + i as f32).collect();
            places.push(Tensor::from_vec(ids, *shape, &candle_core::Device::Cpu).expect("places"));
            first += n as f32;
        }
        let places = view(&places).and_then(|y| y.flatten_all()?.to_vec1::<f32>()).expect("places");
        let inputs: Vec<(&[f64], &[usize])> =
            values.iter().map(|v| &**v).zip(shapes.iter().copied()).collect();
        agrees(Case {
            inputs: &inputs,
            op: view,
            forward: &|v| {
                let all = v.concat();
                places.iter().map(|place| all[*place as usize]).collect()
            },
            backward: &|v, dy| {
                let mut all = vec![0.0; v.iter().map(Vec::len).sum()];
                for (place, dy) in places.iter().zip(dy) {
                    all[*place as usize] += dy;
                }
                let mut rest = all.as_slice();
                v.iter()
                    .map(|v| {
                        let (mine, others) = rest.split_at(v.len());
                        rest = others;
                        mine.to_vec()
                    })
                    .collect()
            },
        });
    }

    #[test]
    fn views_and_their_gradients() {
        rearranges(&[&[2, 3, 4]], &|t| reshape(&t[0], (6, ())));
        rearranges(&[&[2, 3, 4]], &|t| reshape(&t[0], (2, 3, 4)));
        rearranges(&[&[2, 3, 4]], &|t| permute(&t[0], &[2, 0, 1]));
        rearranges(&[&[2, 5, 4]], &|t| narrow(&t[0], 1, 1, 3));
        rearranges(&[&[2, 5, 4]], &|t| narrow(&t[0], 0, 0, 2));
        rearranges(&[&[2, 3, 4], &[2, 1, 4], &[2, 2, 4]], &|t| cat(&t.iter().collect::<Vec<_>>(), 1));
        rearranges(&[&[2, 3], &[1, 3]], &|t| cat(&[&t[0], &t[1]], 0));
    }
}
