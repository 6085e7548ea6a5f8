use nerve_core::graph::{Mode, Variables};
use nerve_vision::backbones::{Backbone, Level};
use nerve_vision::heads::Head;
use nerve_vision::heads::semantic_fpn::{SemanticFpn, SemanticFpnConfig};
use nerve_vision::load::{Destination, LoadReport, load};
use nerve_vision::upernet::{UperNet, UperNetConfig};

use crate::common::{Cases, agree, agree_all, weights};

#[test]
fn upernet() {
    let mut source = weights("upernet");
    let config: UperNetConfig = source.config().expect("a configuration").expect("a file");
    let mut cases = Cases::open("upernet_cases.safetensors");
    for auxiliary in [true, false] {
        let variables = Variables::unset();
        let model = UperNet::new(&variables.detached(), &config, auxiliary).expect("a model");
        let keys = model.keys(&source);
        load(&variables, "", &mut source, &keys).and_then(LoadReport::strict).expect("a strict load");
        assert_eq!(cases.count(), 2);
        for i in 0..2 {
            let image = cases.tensor(&format!("{i}.image"));
            let maps = model.backbone().maps(&image, Mode::Eval).expect("maps");
            agree_all(&format!("case {i}, map"), &maps, &cases.numbered(&format!("{i}.map")));
            let found = model.forward(&image, Mode::Eval).expect("scores");
            agree(&format!("case {i}, scores"), &found.scores, &cases.tensor(&format!("{i}.scores")));
            assert_eq!(found.auxiliary.is_some(), auxiliary);
            if let Some(found) = found.auxiliary {
                agree(&format!("case {i}, auxiliary"), &found, &cases.tensor(&format!("{i}.auxiliary")));
            }
        }
    }
}

#[test]
fn semantic_fpn() {
    let inputs = [(4, 4), (6, 8), (8, 16), (10, 32)].map(|(channels, stride)| Level { channels, stride });
    let config = SemanticFpnConfig { pyramid: 8, channels: 6, ..SemanticFpnConfig::new(inputs.to_vec(), 5) };
    let variables = Variables::unset();
    let head = SemanticFpn::new(&variables.detached(), &config).expect("a head");
    let place = |name: &str| match name.ends_with("num_batches_tracked") {
        true => Destination::Ignored,
        false => Destination::Variable(name.to_owned()),
    };
    load(&variables, "", &mut weights("semantic_fpn.safetensors"), &place)
        .and_then(LoadReport::strict)
        .expect("a strict load");
    let mut cases = Cases::open("semantic_fpn_cases.safetensors");
    assert_eq!(cases.count(), 2);
    for i in 0..2 {
        let found = head.forward(&cases.numbered(&format!("{i}.map")), Mode::Eval).expect("scores");
        agree(&format!("case {i}"), &found, &cases.tensor(&format!("{i}.scores")));
    }
}
