use nerve_core::graph::{Device, Mode, Variables, read};

use super::*;
use crate::check::{gradient_reach, images};

fn small() -> DinoV3Config {
    DinoV3Config {
        patch: 8,
        dim: 24,
        depth: 2,
        heads: 3,
        hidden: 40,
        registers: 2,
        layer_scale: 0.5,
        out: Some(vec![0, 1]),
        ..DinoV3Config::small()
    }
}

#[test]
fn sizes_are_those_published() {
    for (config, parameters) in [
        (DinoV3Config::small(), 21_596_160),
        (DinoV3Config::small_plus(), 28_692_480),
        (DinoV3Config::base(), 85_659_648),
        (DinoV3Config::large(), 303_128_576),
    ] {
        let variables = Variables::unset();
        DinoV3::new(&variables.detached(), &config).expect("a model");
        assert_eq!(variables.parameters(), parameters);
    }
}

#[test]
fn every_variable_has_a_gradient() {
    for gated in [false, true] {
        let variables = Variables::random(3);
        let model = DinoV3::new(&variables.tracked(), &DinoV3Config { gated, ..small() }).expect("a model");
        let run = || {
            let (mut maps, tokens) = model.forward(&images(24, 35), Mode::Eval)?;
            assert_eq!((maps[0].dims(), tokens.dims()), (&[2, 3, 4, 24][..], &[2, 15, 24][..]));
            maps.push(tokens);
            Ok(maps)
        };
        gradient_reach(&variables, run).expect("all are reached");
    }
}

/// Registers have no place: exchanged, they exchange their outputs, and patches are as before.
#[test]
fn registers_may_be_exchanged() {
    let variables = Variables::random(3);
    let model = DinoV3::new(&variables.detached(), &small()).expect("a model");
    let run =
        || read(&model.forward(&images(16, 16), Mode::Eval).expect("tokens").1).expect("values").to_vec();
    let before = run();
    let registers = variables.get("reg_token").expect("registers").var;
    let mut values = read(registers.as_tensor()).expect("values").to_vec();
    values.rotate_left(24);
    registers.set(&Tensor::from_vec(values, registers.dims(), &Device::Cpu).expect("values")).expect("set");
    let after = run();
    for (token, found) in after.chunks_exact(24).enumerate() {
        let (image, place) = (token / 7, token % 7);
        let from = 7 * image
            + match place {
                1 => 2,
                2 => 1,
                other => other,
            };
        let wanted = &before[24 * from..24 * (from + 1)];
        let furthest = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(furthest < 1e-5, "token {token}: {furthest}");
    }
}

#[test]
fn what_cannot_be_is_said() {
    let scope = Variables::unset().detached();
    for (config, part) in [
        (DinoV3Config { heads: 5, ..small() }, "5 heads"),
        (DinoV3Config { out: Some(vec![2]), ..small() }, "to output"),
    ] {
        let error = DinoV3::new(&scope, &config).expect_err("it cannot be").to_string();
        assert!(error.contains(part), "{error}");
    }
    let published: PublishedDinoV3 = serde_json::from_str(r#"{"key_bias": true}"#).expect("JSON");
    assert!(DinoV3Config::try_from(published).expect_err("no such model").to_string().contains("key_bias"));
}
