//! Models fetched from the hub into its cache.
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError};

use super::source::{INDEX, WHOLE, shards};

/// Fetches configuration and weights of a model, and returns the folder that holds them.
pub(super) fn fetch(name: &str, cache: Option<&Path>) -> Result<PathBuf, String> {
    fetch_by(ApiBuilder::from_env().with_progress(false), name, cache)
}

fn fetch_by(mut builder: ApiBuilder, name: &str, cache: Option<&Path>) -> Result<PathBuf, String> {
    let said = |error: ApiError| format!("it cannot be fetched: {error}");
    if let Some(cache) = cache {
        builder = builder.with_cache_dir(cache.to_owned());
    }
    let model = builder.build().map_err(said)?.model(name.to_owned());
    let files: Vec<String> = model.info().map_err(said)?.siblings.into_iter().map(|f| f.rfilename).collect();
    let has = |name: &str| files.iter().any(|file| file == name);
    if has("config.json") {
        model.get("config.json").map_err(said)?;
    }
    for (whole, index) in WHOLE.into_iter().zip(INDEX) {
        let path = if has(whole) {
            model.get(whole).map_err(said)?
        } else if has(index) {
            let index = model.get(index).map_err(said)?;
            for shard in shards(&index).map_err(|error| error.to_string())? {
                model.get(&shard).map_err(said)?;
            }
            index
        } else {
            continue;
        };
        return path.parent().map(Path::to_owned).ok_or_else(|| "it was put nowhere".to_owned());
    }
    Err(format!("the hub has none of {} of it", WHOLE.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const FILES: [(&str, &str); 4] = [
        ("config.json", "{}"),
        ("model.safetensors.index.json", r#"{"weight_map": {"a": "x.safetensors", "b": "y.safetensors"}}"#),
        ("x.safetensors", "first"),
        ("y.safetensors", "second"),
    ];

    /// Answers one request as the hub does.
    fn answer(mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
        let request = lines.next().unwrap_or_default();
        let header: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let path = request.split(' ').nth(1).unwrap_or_default();
        let file = FILES.iter().find(|(name, _)| path == format!("/owner/name/resolve/main/{name}"));
        let (status, body) = match file {
            Some((_, body)) => ("206 Partial Content", (*body).to_owned()),
            None if path == "/api/models/owner/name/revision/main" => {
                let names = FILES.map(|(name, _)| serde_json::json!({"rfilename": name}));
                ("200 OK", serde_json::json!({"siblings": names, "sha": "abc"}).to_string())
            }
            None => ("404 Not Found", String::new()),
        };
        let probe = header.iter().any(|line| line.to_lowercase() == "range: bytes=0-0");
        let sent = if probe { &body[..1] } else { &body[..] };
        let text = format!(
            "HTTP/1.1 {status}\r\netag: \"{}\"\r\nx-repo-commit: abc\r\ncontent-range: bytes 0-0/{}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{sent}",
            path.replace('/', "-"),
            body.len(),
            sent.len()
        );
        stream.write_all(text.as_bytes()).expect("an answer");
    }

    #[test]
    fn shards_come_into_the_cache() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let hub = format!("http://{}", listener.local_addr().expect("an address"));
        std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
        let cache = tempfile::tempdir().expect("a folder");
        let builder = || ApiBuilder::new().with_progress(false).with_endpoint(hub.clone());
        let folder = fetch_by(builder(), "owner/name", Some(cache.path())).expect("a model");
        assert!(folder.ends_with("models--owner--name/snapshots/abc"), "{}", folder.display());
        for (name, text) in FILES {
            assert_eq!(fs::read_to_string(folder.join(name)).expect("a file"), text);
        }
        let error = fetch_by(builder(), "owner/other", Some(cache.path())).expect_err("there is none");
        assert!(error.contains("404"), "{error}");
    }
}
