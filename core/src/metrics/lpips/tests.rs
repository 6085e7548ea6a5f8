#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Deserialize;

use super::*;

/// Murmur3's finalizer of index + seed * 2654435769; the same in `tests/fixtures/lpips_parity.py`.
fn bits(index: usize, seed: usize) -> u32 {
    let mut h = (index as u32).wrapping_add((seed as u32).wrapping_mul(2_654_435_769));
    for (shift, factor) in [(16, 0x85eb_ca6b), (13, 0xc2b2_ae35)] {
        h ^= h >> shift;
        h = u32::wrapping_mul(h, factor);
    }
    h ^ (h >> 16)
}

/// An array of the parity test: heads positive, weights of a size that keeps features alive.
fn array(shape: &[usize], seed: usize) -> Vec<f32> {
    let fan_in = if shape.len() > 1 { shape[1..].iter().product() } else { 600 };
    let factor = (6.0 / fan_in as f64).sqrt() as f32;
    let value = |i| {
        let v = (bits(i, seed) >> 8) as f32 / 8_388_608.0 - 1.0;
        if shape[0] == 1 { v.abs() } else { v * factor }
    };
    (0..shape.iter().product()).map(value).collect()
}

fn images(width: usize, height: usize, seed: usize, near: bool) -> [Vec<u8>; 2] {
    let byte = |i, seed| (bits(i, seed) >> 24) as i64;
    let other = |i| {
        let (a, b) = (byte(i, seed), byte(i, seed + 1));
        if near { (a + b % 7 - 3).clamp(0, 255) } else { (a + b) / 2 }
    };
    let all = 0..width * height * 3;
    [all.clone().map(|i| byte(i, seed) as u8).collect(), all.map(|i| other(i) as u8).collect()]
}

fn random(network: Network) -> Lpips {
    let arrays = network.arrays();
    network.assembled(arrays.iter().enumerate().map(|(seed, (_, shape))| array(shape, seed)).collect())
}

#[test]
fn agrees_with_the_authors_package() {
    #[derive(Deserialize)]
    struct Case {
        net: String,
        width: usize,
        height: usize,
        near: bool,
        distance: f64,
    }
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/fixtures/lpips.json")).unwrap();
    assert_eq!(cases.len(), 10);
    let networks = [("alex", random(Network::AlexNet)), ("vgg", random(Network::Vgg16))];
    for Case { net, width, height, near, distance } in cases {
        let (_, lpips) = networks.iter().find(|(name, _)| *name == net).unwrap();
        let [a, b] = images(width, height, 100 + width, near);
        let got = lpips.distance(&a, &b, width, height).unwrap();
        let off = (got / distance - 1.0).abs();
        assert!(off < 1e-5, "{net} {width}x{height} near {near}: {got} for {distance}, off by {off:e}");
        assert_eq!(lpips.distance(&a, &a, width, height).unwrap(), 0.0);
        let back = lpips.distance(&b, &a, width, height).unwrap();
        assert!((back / got - 1.0).abs() < 1e-6);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(
            pool.install(|| lpips.distance(&a, &b, width, height).unwrap()),
            got,
            "threads do not matter"
        );
    }
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let lpips = random(Network::AlexNet);
    let error = lpips.distance(&[0; 30 * 40 * 3], &[0; 30 * 40 * 3], 30, 40).unwrap_err().to_string();
    assert!(
        error.contains("30x40") && error.contains("needs 31") && error.contains("--downscale"),
        "{error}"
    );
    for (a, b) in [(3, 6), (6, 3), (0, 0)] {
        assert!(matches!(lpips.distance(&vec![0; a], &vec![0; b], 1, 2), Err(LpipsError::Length { .. })));
    }
}

/// The convolution as it is defined, in f64, with the ReLU; `values` has no padding.
fn direct(
    values: &[f32],
    (width, height, inputs): (usize, usize, usize),
    weights: &[f32],
    bias: &[f32],
    (side, stride, pad): (usize, usize, usize),
) -> Vec<f64> {
    let size = |n: usize| (n + 2 * pad - side) / stride + 1;
    let mut out = Vec::new();
    for y in 0..size(height) {
        for x in 0..size(width) {
            for (o, bias) in bias.iter().enumerate() {
                let mut sum = f64::from(*bias);
                for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
                    let (py, px) =
                        ((y * stride + row).wrapping_sub(pad), (x * stride + column).wrapping_sub(pad));
                    if py < height && px < width {
                        for i in 0..inputs {
                            let weight = weights[((o * inputs + i) * side + row) * side + column];
                            sum += f64::from(weight) * f64::from(values[(py * width + px) * inputs + i]);
                        }
                    }
                }
                out.push(sum.max(0.0));
            }
        }
    }
    out
}

fn map(values: &[f32], (width, height, channels): (usize, usize, usize), pad: usize) -> Map {
    let mut map = Map::new(width, height, channels, pad);
    for y in 0..height {
        map.row_mut(y).copy_from_slice(&values[y * width * channels..][..width * channels]);
    }
    map
}

fn flat(map: &Map) -> Vec<f32> {
    (0..map.height).flat_map(|y| map.row(y).to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn convolution_is_the_direct_one(
        width in 1usize..40, height in 1usize..30, inputs in 1usize..6, outputs in 1usize..4,
        side in 1usize..6, stride in 1usize..5, pad in 0usize..3, after in 0usize..3, seed in 0usize..1000,
    ) {
        prop_assume!(width.min(height) + 2 * pad >= side);
        let outputs = 16 * outputs;
        let values = array(&[600, width * height * inputs / 600 + 1], seed);
        let weights = array(&[outputs, inputs, side, side], seed + 1);
        let bias = array(&[outputs], seed + 2);
        let shape = (width, height, inputs);
        let convolution = Convolution::new(side, stride, inputs, &weights, bias.clone());
        let got = convolution.apply(&map(&values, shape, pad), after);
        let want = direct(&values, shape, &weights, &bias, (side, stride, pad));
        // What follows sees zeros around.
        let again = map(&flat(&got), (got.width, got.height, outputs), after);
        prop_assert_eq!(format!("{:?}", &again), format!("{got:?}"));
        prop_assert_eq!(want.len(), flat(&got).len());
        for (got, want) in flat(&got).iter().zip(want) {
            prop_assert!((f64::from(*got) - want).abs() < 1e-5 * (1.0 + want), "{} {}", got, want);
        }
    }

    #[test]
    fn pooling_takes_the_largest(
        width in 3usize..20, height in 3usize..20, side in 2usize..4, pad in 0usize..2, seed in 0usize..1000,
    ) {
        let values = array(&[600, width * height * 2 / 600 + 1], seed);
        let got = pool(&map(&values, (width, height, 2), 1), side, 2, pad);
        prop_assert_eq!((got.width, got.height), ((width - side) / 2 + 1, (height - side) / 2 + 1));
        for y in 0..got.height {
            for x in 0..got.width {
                for c in 0..2 {
                    let square = (0..side).flat_map(|r| (0..side).map(move |s| (2 * y + r, 2 * x + s)));
                    let want = square.map(|(y, x)| values[(y * width + x) * 2 + c]).fold(f32::MIN, f32::max);
                    prop_assert_eq!(got.row(y)[x * 2 + c], want);
                }
            }
        }
    }
}

/// Arrays as they would lie in a file.
type Arrays = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn published(network: Network) -> Arrays {
    let arrays = network.arrays().into_iter().enumerate();
    arrays.map(|(seed, (name, shape))| (name, (shape.clone(), array(&shape, seed)))).collect()
}

fn write(path: &Path, arrays: &Arrays) {
    let views = arrays.iter().map(|(name, (shape, values))| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn published_names_are_understood_together_or_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let arrays = published(Network::AlexNet);
    let [a, b] = images(40, 40, 1, false);
    let want = random(Network::AlexNet).distance(&a, &b, 40, 40).unwrap();
    let same = |paths: &[PathBuf]| {
        let lpips = Lpips::read(paths).unwrap();
        assert_eq!((lpips.network(), lpips.distance(&a, &b, 40, 40).unwrap()), (Network::AlexNet, want));
    };
    // Two files, the network with its classifier; then their folder.
    let (heads, mut features): (Arrays, Arrays) =
        arrays.clone().into_iter().partition(|(name, _)| name.starts_with("lin"));
    features.insert("classifier.6.bias".into(), (vec![2], vec![0.0; 2]));
    fs::create_dir(path("both")).unwrap();
    write(&path("both/alexnet.safetensors"), &features);
    write(&path("both/heads.safetensors"), &heads);
    fs::write(path("both/README.md"), "").unwrap();
    same(&[path("both/alexnet.safetensors"), path("both/heads.safetensors")]);
    same(&[path("both")]);

    // The package's own names.
    let slices = [("0", 1), ("3", 2), ("6", 3), ("8", 4), ("10", 5)];
    let mut package: Arrays = arrays
        .iter()
        .map(|(name, array)| {
            let mut parts = name.split('.');
            let name = match (parts.next(), parts.next(), parts.next()) {
                (Some("features"), Some(index), Some(kind)) => {
                    let (_, slice) = slices.iter().find(|(i, _)| *i == index).unwrap();
                    format!("net.slice{slice}.{index}.{kind}")
                }
                _ => name.clone(),
            };
            (name, array.clone())
        })
        .collect();
    package.insert("lins.0.model.1.weight".into(), package["lin0.model.1.weight"].clone());
    package.insert("scaling_layer.shift".into(), (vec![1, 3, 1, 1], SHIFT.to_vec()));
    package.insert("scaling_layer.scale".into(), (vec![1, 3, 1, 1], SCALE.to_vec()));
    write(&path("package"), &package);
    same(&[path("package")]);
    package.get_mut("scaling_layer.scale").unwrap().1[0] = 0.5;
    write(&path("package"), &package);
    let error = Lpips::read(&[path("package")]).unwrap_err().to_string();
    assert!(error.contains("scaling_layer.scale is not"), "{error}");
}

#[test]
fn every_wrong_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alexnet.safetensors");
    let whole = published(Network::AlexNet);
    let refused = |change: &dyn Fn(&mut Arrays), parts: &[&str]| {
        let mut arrays = whole.clone();
        change(&mut arrays);
        write(&file, &arrays);
        let error = Lpips::read(std::slice::from_ref(&file)).unwrap_err().to_string();
        for part in parts.iter().chain(&["alexnet.safetensors", "How to get the weights"]) {
            assert!(error.contains(part), "{part} in {error}");
        }
    };
    refused(&|a| a.retain(|name, _| name.starts_with("lin")), &["no features.0.weight"]);
    refused(
        &|a| a.retain(|name, _| !name.starts_with("lin")),
        &["not the learned heads", "lin0.model.1.weight"],
    );
    refused(
        &|a| {
            a.remove("features.8.bias");
            a.remove("lin3.model.1.weight");
            a.insert("features.12.weight".into(), (vec![1], vec![0.0]));
            a.get_mut("lin1.model.1.weight").unwrap().0 = vec![192];
        },
        &[
            "features.8.bias is missing",
            "lin3.model.1.weight is missing",
            "features.12.weight is not one of AlexNet's",
            "lin1.model.1.weight has shape [192], AlexNet's has [1, 192, 1, 1]",
        ],
    );
    refused(
        &|a| a.get_mut("features.6.bias").unwrap().1[3] = f32::NAN,
        &["features.6.bias holds what is no number"],
    );
    write(&file, &whole);
    let error = Lpips::read(&[file.clone(), file]).unwrap_err().to_string();
    assert!(error.contains("features.10.weight is also in"), "{error}");
}
