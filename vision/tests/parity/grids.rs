use nerve_core::graph::{Device, Tensor, read};
use nerve_vision::backbones::grid::Resampling;

use crate::common::{Cases, agree};

#[test]
fn as_torch_resamples() {
    let mut cases = Cases::open("grids.safetensors");
    let grid = cases.tensor("grid");
    let mut compared = 0;
    for name in cases.names() {
        let [kind, rows, columns] = name.split('.').collect::<Vec<_>>()[..] else { continue };
        let resampling = match kind {
            "plain" => Resampling::Bicubic,
            "smooth" => Resampling::Antialiased,
            "offset" => Resampling::Offset,
            _ => panic!("unknown kind {kind}"),
        };
        let size = [rows, columns].map(|n| n.parse().expect("a number"));
        let wanted = cases.tensor(&name);
        // With an offset torch resamples a grid of the same size too; models never do.
        if kind == "offset" && size == [5, 4] {
            continue;
        }
        agree(&name, &resampling.resize(&grid, size).expect("a grid"), &wanted);
        let values = resampling.resize_values(&read(&grid).expect("values"), [5, 4], size);
        agree(
            &name,
            &Tensor::from_vec(values, (size[0], size[1], 3), &Device::Cpu).expect("a tensor"),
            &wanted,
        );
        compared += 1;
    }
    assert_eq!(compared, 14);
}
