//! Sums of Kronecker products: parametrized hypercomplex multiplication (Zhang et al. 2021) and Polyhistor's layer-wise
//! scaling kernels.
use nerve_core::graph::{Result, Tensor, bail};

/// `sum_i A_i (x) B_i`: `a` is `(k, n, m)`, `b` is `(k, p, q)`; the result is `(n p, m q)`. As one product over i, whose
/// places are then put in order.
pub(super) fn kronecker_sum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((k, n, m), (others, p, q)) = (a.dims3()?, b.dims3()?);
    if k != others {
        bail!("{k} factors on the left of Kronecker products, {others} on the right");
    }
    let products = a.reshape((k, n * m))?.t()?.matmul(&b.reshape((k, p * q))?)?;
    products.reshape((n, m, p, q))?.permute((0, 2, 1, 3))?.contiguous()?.reshape((n * p, m * q))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_core::graph::Device;

    #[test]
    fn blocks_are_in_the_order_of_the_definition() {
        let numbers = |shape: (usize, usize, usize), from: f32| {
            let n = shape.0 * shape.1 * shape.2;
            let values: Vec<f32> = (0..n).map(|i| from + i as f32).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
        };
        let (a, b) = (numbers((3, 2, 4), 1.0), numbers((3, 5, 2), -7.0));
        let sum = kronecker_sum(&a, &b).expect("a sum").to_vec2::<f32>().expect("values");
        let (a, b) = (a.to_vec3::<f32>().expect("a"), b.to_vec3::<f32>().expect("b"));
        assert_eq!((sum.len(), sum[0].len()), (10, 8));
        for (row, values) in sum.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let want: f32 = (0..3).map(|i| a[i][row / 5][column / 2] * b[i][row % 5][column % 2]).sum();
                assert_eq!(*value, want, "{row} {column}");
            }
        }
        assert!(kronecker_sum(&numbers((2, 2, 4), 1.0), &numbers((3, 5, 2), 1.0)).is_err());
    }
}
