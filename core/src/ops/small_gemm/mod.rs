//! Small dense products on the calling thread, `C = A B` or `C += A B`, with an epilogue: the whole of a small MLP,
//! forward and backward, and attention's products. Operands lie in the thread's cache and are not packed. Large products,
//! which are packed and split over all threads, are `crate::ops::gemm`'s.
//!
//! A is addressed as `a[i * a_row + k * a_col]`, so that one kernel serves `Y = X W` (a_col = 1) and
//! `dW = X^T dY` (a_row = 1). B and C are row-major with strides `ldb` and `ldc`; the number of columns is a
//! multiple of 16, which callers pad to. Sums run over k in order, one accumulator per element: the result
//! depends on the instruction set but not on how rows are grouped.

#[cfg(target_arch = "x86_64")]
pub mod amx;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_amx.rs"]
pub mod amx;
mod cpu;

pub use cpu::{small_gemm, small_gemm_from};

/// The arithmetic of products.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// Factors rounded to bf16, sums and everything else in f32: several times faster on CPUs with AMX.
    Bf16,
    /// Values and factors in half precision, sums in f32: a GPU's.
    F16,
}

impl Precision {
    /// Whether this CPU can do it.
    pub fn available(self) -> bool {
        match self {
            Self::F32 => true,
            Self::Bf16 => amx::available(),
            Self::F16 => false,
        }
    }
}

/// The deepest product of activations with weights in bf16.
pub const MOST_BF16_DEPTH: usize = 256;

/// Columns are padded to a multiple of this.
pub const COLUMN_PAD: usize = 16;

/// `n` rounded up to whole column panels.
pub fn padded(n: usize) -> usize {
    n.next_multiple_of(COLUMN_PAD)
}

/// The left operand: `rows x depth`, any strides.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    /// The values.
    pub values: &'a [f32],
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub col: usize,
}

/// What happens to an element before it is stored.
#[derive(Clone, Copy)]
pub enum Epilogue<'a> {
    /// Nothing.
    None,
    /// `max(c, 0)`.
    Relu,
    /// `c` where the element of the same place in this matrix (row stride) is positive, else 0: ReLU's backward.
    MaskBy(&'a [f32], usize),
}

/// How a product ends.
#[derive(Clone, Copy)]
pub enum Finish<'a> {
    /// By an epilogue alone.
    By(Epilogue<'a>),
    /// `c` times what is stored there, then `max(c, 0)` if `relu`: a Hadamard product with no pass of its own. The depth is not
    /// split, and the product starts from anything but [`Start::Stored`].
    Times {
        /// Whether ReLU comes last.
        relu: bool,
    },
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// Nothing.
    Zero,
    /// What is stored there.
    Stored,
    /// One row for all: a bias.
    Row(&'a [f32]),
    /// `constant + by[row] slope`: two rows for all, the second one times a number of each row.
    Affine {
        /// By column.
        constant: &'a [f32],
        /// By column.
        slope: &'a [f32],
        /// By row.
        by: &'a [f32],
    },
}

/// Extents of a product.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C, a multiple of 16.
    pub n: usize,
    /// Columns of A, rows of B.
    pub k: usize,
}
