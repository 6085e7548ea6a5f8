//! What `nerve export` makes of a field: a mesh, points, its cameras.

use crate::context::Context;
use crate::format;
use crate::given::Given;
use crate::nerf;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::progress::Counter;
use anyhow::Context as _;
use nerve_core::run::write_atomic;
use nerve_data::mesh;
use nerve_data::posed::{self, PosedView};
use nerve_nerf::Model;
use nerve_nerf::compact::CompactOptions;
use nerve_nerf::meshing::{Extracted, MeshOptions, MeshReport, Method, Stage, extract};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What a run is written as by `nerve export`; each kind refuses those that it does not have.
#[derive(Debug, clap::Subcommand)]
pub enum ExportForm {
    /// Write the field as one small file, which `nerve eval` reads
    Compact {
        /// File to write [default: RUN/NAME.compact, or beside a checkpoint outside of its run]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        options: CompactOptions,
    },
    /// Write the field's surface as a triangle mesh, in the capture's coordinates
    Mesh(MeshArgs),
    /// Write points of the field's surface, in the capture's coordinates
    Points(PointsArgs),
    /// Write the cameras, refined where they were refined, for Nerfstudio and COLMAP
    Cameras(CamerasArgs),
}

/// Flags of `nerve export RUN mesh`.
#[derive(Clone, Debug, clap::Args)]
pub struct MeshArgs {
    /// File to write: .ply, .obj (with its .mtl) or .glb [default: mesh.ply in the run's folder, or beside the file]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    options: MeshOptions,
    /// Colors as a texture of N x N texels instead of by vertex, for .obj and .glb; without --faces the mesh is simplified to
    /// what it has room for, N * N / 98
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(16..=16384))]
    texture: Option<u32>,
    /// Replace FILE if it is there
    #[arg(long)]
    overwrite: bool,
}

/// Flags of `nerve export RUN points`.
#[derive(Clone, Debug, clap::Args)]
pub struct PointsArgs {
    /// PLY file to write [default: points.ply in the run's folder, or beside the file]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// How many points
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    points: u32,
    #[command(flatten)]
    options: MeshOptions,
    /// Replace FILE if it is there
    #[arg(long)]
    overwrite: bool,
}

/// Flags of `nerve export RUN cameras`.
#[derive(Clone, Debug, clap::Args)]
pub struct CamerasArgs {
    /// Folder to write [default: cameras in the run's folder, or beside the file]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    overwrite: bool,
}

impl ExportForm {
    /// Checks what parsing does not.
    pub fn validate(&self) -> anyhow::Result<()> {
        match self {
            Self::Compact { options, .. } => options.validate().map_err(usage)?,
            Self::Mesh(args) => {
                args.options.validate().map_err(usage)?;
                let form = args.file.as_deref().map_or(Ok(Form::Ply), form)?;
                if args.texture.is_some() && form == Form::Ply {
                    Err(usage("--texture: PLY files have none: name a file .obj or .glb"))?;
                }
            }
            Self::Points(args) => args.options.validate().map_err(usage)?,
            Self::Cameras(_) => {}
        }
        Ok(())
    }
}

/// Writes a field in another form.
pub fn field(context: &Context, given: &Given, form: &ExportForm) -> anyhow::Result<Outcome> {
    match form {
        ExportForm::Compact { file, options } => nerf::export(context, given, file.as_deref(), options),
        ExportForm::Mesh(args) => mesh(context, given, args),
        ExportForm::Points(args) => points(context, given, args),
        ExportForm::Cameras(args) => cameras(context, given, args),
    }
}

/// The kinds of files of meshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Ply,
    Obj,
    Glb,
}

fn form(file: &Path) -> anyhow::Result<Form> {
    let extension = file.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("ply") => Ok(Form::Ply),
        Some("obj") => Ok(Form::Obj),
        Some("glb") => Ok(Form::Glb),
        _ => Err(usage(format!("{}: name it .ply, .obj or .glb", file.display())).into()),
    }
}

/// Where something goes if nothing is said.
fn place(given: &Given, file: Option<&Path>, name: &str) -> PathBuf {
    match (file, given) {
        (Some(file), _) => file.to_owned(),
        (None, Given::Run(run)) => run.path().join(name),
        (None, Given::Field(file)) => file.with_file_name(name),
    }
}

/// Refuses to write over what is there, before any work is done.
fn keep(files: &[&Path], overwrite: bool) -> anyhow::Result<()> {
    for file in files {
        let there = file.symlink_metadata().is_ok();
        anyhow::ensure!(
            !there || overwrite,
            "{}: it is there already: --overwrite replaces it, or name another",
            file.display()
        );
        anyhow::ensure!(!file.is_dir(), "{}: a folder is there; name another file", file.display());
    }
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_atomic(file, bytes).with_context(|| {
        format!(
            "{}: cannot be written, and nothing is left of it: make its folder, or make room, and export again",
            file.display()
        )
    })
}

/// The mesh of a field; `None` if the user has stopped it.
fn extracted(
    context: &Context,
    model: &mut Model,
    options: &MeshOptions,
    texture: Option<u32>,
) -> anyhow::Result<Option<Extracted>> {
    let cancel = context.interrupt.clean();
    let mut counter: Option<(Stage, Counter)> = None;
    let made = extract(model, options, texture, &mut |stage, done, all| {
        if counter.as_ref().is_none_or(|(now, _)| *now != stage) {
            let what = match stage {
                Stage::Looking => "rendering depth",
                Stage::Filling => "finding the surface",
                Stage::Finishing => "cleaning and coloring",
                Stage::Painting => "painting the texture",
            };
            counter = Some((stage, Counter::new(what)));
        }
        if let Some((_, counter)) = &counter {
            counter.set(done, all);
        }
        !cancel.is_cancelled()
    })?;
    drop(counter);
    context.interrupt.at_once();
    if let Some(Extracted { mesh, report, .. }) = &made {
        anyhow::ensure!(
            !mesh.faces.is_empty(),
            "no surface was found in the box from {:?} to {:?}: train the field for longer, or give other --bounds{}",
            report.bounds[0],
            report.bounds[1],
            if report.method == Method::Density { ", or a lower --level" } else { "" }
        );
    }
    Ok(made)
}

/// What is said of a mesh that was made.
fn told(report: &MeshReport) -> String {
    let [low, high] = report.bounds.map(|corner| corner.map(|c| format!("{c:.4}")).join(" "));
    let [x, y, z] = report.cells;
    let [first, cleaned, last] = report.faces.map(format::whole);
    let surface = match report.method {
        Method::Tsdf => format!("depth of {} training views, fused", report.views),
        Method::Density => format!("density {:.4} per length of the capture", report.level),
    };
    format!(
        "surface   {surface}\nbox       {low} to {high}, {x} x {y} x {z} cells\nfaces     {first}, {cleaned} without {} \
         floaters, {last} written\nmemory    {} beside the mesh",
        report.components[0],
        format::bytes(report.memory),
    )
}

/// `nerve export RUN mesh`.
fn mesh(context: &Context, given: &Given, args: &MeshArgs) -> anyhow::Result<Outcome> {
    let file = place(given, args.file.as_deref(), "mesh.ply");
    let (form, material, picture) = (form(&file)?, file.with_extension("mtl"), file.with_extension("png"));
    let mut files: Vec<&Path> = vec![&file];
    if form == Form::Obj {
        files.push(&material);
        files.extend(args.texture.map(|_| picture.as_path()));
    }
    keep(&files, args.overwrite)?;
    let mut model = given.model(context, false)?;
    let Some(Extracted { mesh, texture, report }) =
        extracted(context, &mut model, &args.options, args.texture)?
    else {
        return Ok(Outcome::Interrupted);
    };
    let comment = comment(&model);
    let png = texture.as_ref().map(mesh::Texture::png).transpose()?;
    let textured = texture.as_ref().zip(png.as_deref()).map(|(texture, png)| (&texture.atlas, png));
    match form {
        Form::Ply => write(&file, &mesh::ply(&mesh, &comment))?,
        Form::Glb => {
            let bytes = mesh::glb(&mesh, textured, &comment).with_context(|| {
                format!("{}: a .glb file holds at most 4 GB: give --faces, or name it .obj", file.display())
            })?;
            write(&file, &bytes)?;
        }
        Form::Obj => {
            let [material_name, picture_name] =
                [&material, &picture].map(|file| file.file_name().unwrap_or_default().to_string_lossy());
            let named = textured.map(|(atlas, _)| (atlas, picture_name.as_ref()));
            let (text, other) = mesh::obj(&mesh, named, &material_name, &comment);
            if let Some((_, png)) = textured {
                write(&picture, png)?;
            }
            write(&material, other.as_bytes())?;
            write(&file, text.as_bytes())?;
        }
    }
    if let Some(most) = args.options.faces.filter(|most| mesh.faces.len() > *most as usize) {
        remark(format_args!(
            "--faces {most}: fewer than {} would tear or fold the surface, which has {} parts",
            mesh.faces.len(),
            report.components[1]
        ));
    }
    context.output.say(format_args!("{}\nwrote {}", told(&report), file.display()));
    context.output.line(
        "mesh",
        &json!({"file": file, "vertices": mesh.positions.len(), "faces": mesh.faces.len(), "texture": args.texture, "mesh": report}),
    );
    Ok(Outcome::Done)
}

/// `nerve export RUN points`.
fn points(context: &Context, given: &Given, args: &PointsArgs) -> anyhow::Result<Outcome> {
    let file = place(given, args.file.as_deref(), "points.ply");
    keep(&[&file], args.overwrite)?;
    let mut model = given.model(context, false)?;
    let Some(Extracted { mesh, report, .. }) = extracted(context, &mut model, &args.options, None)? else {
        return Ok(Outcome::Interrupted);
    };
    let points = mesh.sample(args.points as usize);
    write(&file, &mesh::ply(&points, &comment(&model)))?;
    context.output.say(format_args!(
        "{}\nwrote {}: {} points, evenly by area, with normals and colors, where more than half of the light is stopped",
        told(&report),
        file.display(),
        format::whole(points.positions.len())
    ));
    context.output.line("points", &json!({"file": file, "points": points.positions.len(), "mesh": report}));
    Ok(Outcome::Done)
}

/// What files say of themselves.
fn comment(model: &Model) -> String {
    format!(
        "nerve {}: {}, step {}, in the capture's coordinates",
        env!("CARGO_PKG_VERSION"),
        model.capture().name,
        model.step_count()
    )
}

/// `nerve export RUN cameras`.
fn cameras(context: &Context, given: &Given, args: &CamerasArgs) -> anyhow::Result<Outcome> {
    let folder = place(given, args.folder.as_deref(), "cameras");
    let json_file = folder.join("transforms.json");
    let model_folder = folder.join("colmap");
    let texts = ["cameras.txt", "images.txt", "points3D.txt"].map(|name| model_folder.join(name));
    let files: Vec<&Path> = texts.iter().chain([&json_file]).map(PathBuf::as_path).collect();
    keep(&files, args.overwrite)?;
    let model = given.model(context, false)?;
    let capture = model.capture();
    anyhow::ensure!(
        !capture.views.is_empty(),
        "{}: its cameras are not in it, an earlier version wrote it: resume the run for a moment, which saves them",
        given.file().display()
    );
    let scene = &model.config().data.scene;
    let mut views = Vec::new();
    let mut missing = 0;
    for view in &capture.views {
        let camera = model.refined_camera(&view.name).unwrap_or_else(|| view.camera.clone());
        let image = image_of(scene, &view.name);
        missing += usize::from(image.is_none());
        let image = image.unwrap_or_else(|| view.name.clone());
        views.push(PosedView { image, split: view.split, camera });
    }
    std::fs::create_dir_all(&model_folder).with_context(|| model_folder.display().to_string())?;
    let transforms = posed::transforms(&views);
    match &transforms {
        Some(transforms) => write(&json_file, format!("{transforms:#}\n").as_bytes())?,
        None => remark("no transforms.json is written: it has no words for this lens; COLMAP's files have"),
    }
    for (view, listed) in views.iter_mut().zip(&capture.views) {
        // COLMAP names images within their folder.
        view.image.clone_from(&listed.name);
    }
    let text = posed::colmap(&views);
    for (file, text) in texts.iter().zip([text.cameras, text.images, text.points]) {
        write(file, text.as_bytes())?;
    }
    if missing > 0 {
        remark(format_args!(
            "{missing} of {} photographs are not where the run had them: their file_path is what the scene calls them",
            views.len()
        ));
    }
    let refined = if model.poses().is_some() { ", refined" } else { "" };
    context.output.say(format_args!(
        "wrote {}: {} cameras{refined}, as transforms.json (Nerfstudio) and as colmap/*.txt (COLMAP)",
        folder.display(),
        views.len()
    ));
    let refined = model.poses().is_some();
    context.output.line("cameras", &json!({"folder": folder, "cameras": views.len(), "refined": refined}));
    Ok(Outcome::Done)
}

/// Where a view's photograph is, if it is still there.
fn image_of(scene: &Path, name: &str) -> Option<String> {
    let folder = if scene.is_file() { scene.parent()? } else { scene };
    let name = name.strip_prefix("./").unwrap_or(name);
    let endings = ["", ".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".webp"];
    let files = ["", "images"].into_iter().flat_map(|below| {
        endings.iter().map(move |ending| folder.join(below).join(format!("{name}{ending}")))
    });
    let file = files.into_iter().find(|file| file.is_file())?;
    Some(std::path::absolute(file).ok()?.to_str()?.replace('\\', "/"))
}
