use nerve_core::graph::{Device, Mode, Variables};
use nerve_vision::backbones::BackboneConfig;
use nerve_vision::backbones::dinov3::{DinoV3, DinoV3Config};
use nerve_vision::load::{LoadReport, load};
use nerve_vision::zoo::{Opened, open};

use crate::common::{Cases, agree, agree_all, weights};

#[test]
fn hugging_face() {
    for name in ["dinov3", "dinov3_gated"] {
        let Opened { architecture, .. } = open(&mut weights(name), Device::Cpu).expect(name);
        let config = architecture.config::<DinoV3Config>().expect("a DINOv3").clone();
        let config = DinoV3Config { out: Some(vec![0, 1]), ..config };
        let variables = Variables::unset();
        let model = DinoV3::new(&variables.detached(), &config).expect("a model");
        let mut source = weights(name);
        let keys = config.build(&variables.detached()).expect("a model").keys(&source, "");
        load(&variables, "", &mut source, &*keys).and_then(LoadReport::strict).expect("a strict load");
        let mut cases = Cases::open(&format!("{name}_cases.safetensors"));
        assert_eq!(cases.count(), 2);
        for i in 0..cases.count() {
            let image = cases.tensor(&format!("{i}.image"));
            let (maps, tokens) = model.forward(&image, Mode::Eval).expect("features");
            agree_all(&format!("{name} {i}, map"), &maps, &cases.numbered(&format!("{i}.map")));
            agree(&format!("{name} {i}, tokens"), &tokens, &cases.tensor(&format!("{i}.tokens")));
        }
    }
}
