//! Rerun's page for browsers, from this program's own memory, so that nothing leaves the machine.
//!
//! Rerun's own server would do, but its page asks a font host and, in the viewer, a telemetry host. Here each answer
//! carries a content security policy under which the browser talks to this machine alone.
use std::{
    io,
    net::Ipv4Addr,
    sync::Arc,
    thread::{self, JoinHandle},
};

use re_web_viewer_server::WebViewerData;
use tiny_http::{Header, Request, Response, Server};

/// The usual port of Rerun's page.
const PORT: u16 = 9090;

/// Everything from here, WebAssembly included, and data from servers of this machine only. The scripts and styles
/// that are written into the page itself are part of it.
const POLICY: &str = "default-src 'none'; \
    script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; \
    font-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; \
    connect-src 'self' data: blob: http://127.0.0.1:* http://localhost:*";

/// The page, for as long as this lives.
pub(crate) struct Page {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
    address: String,
}

impl Page {
    /// Serves a page that shows what the gRPC server at `url` has, on the usual port or any that is free.
    ///
    /// # Errors
    /// If the assets or a port cannot be had.
    pub(crate) fn serve(url: &str) -> io::Result<Self> {
        let data = WebViewerData::load(None).map_err(io::Error::other)?;
        let bind = |port| Server::http((Ipv4Addr::LOCALHOST, port));
        let server = Arc::new(bind(PORT).or_else(|_| bind(0)).map_err(io::Error::other)?);
        let port = server.server_addr().to_ip().map_or(PORT, |address| address.port());
        let query: String = url.bytes().map(escaped).collect();
        let address = format!("http://127.0.0.1:{port}/?url={query}&hide_welcome_screen");
        let thread = {
            let server = server.clone();
            thread::Builder::new().name("viewer page".into()).spawn(move || {
                for request in server.incoming_requests() {
                    // A browser that goes away is none of our business.
                    let _ = answer(request, &data);
                }
            })?
        };
        Ok(Self { server, thread: Some(thread), address })
    }

    /// What to open.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // It may be sending to a browser that is stuck; it is not waited for.
            drop(thread);
        }
    }
}

/// A byte of a query's value.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

fn answer(request: Request, data: &WebViewerData) -> io::Result<()> {
    let path = request.url().split(['?', '#']).next().unwrap_or_default();
    let (kind, bytes) = match path {
        "/" | "/index.html" => ("text/html", data.index_html()),
        "/favicon.ico" => ("image/x-icon", data.favicon()),
        "/apple-touch-icon.png" => ("image/png", data.apple_touch_icon()),
        "/sw.js" => ("text/javascript", data.sw_js()),
        "/re_viewer.js" => ("text/javascript", data.viewer_js()),
        "/re_viewer_bg.wasm" => ("application/wasm", data.viewer_wasm()),
        _ => return request.respond(Response::empty(404)),
    };
    let headers = [
        ("Content-Type", kind.to_owned()),
        ("Content-Security-Policy", POLICY.to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
        // The page's progress bar: the length of what comes in chunks.
        ("rerun-final-length", bytes.len().to_string()),
    ];
    let mut response = Response::new(200.into(), Vec::new(), bytes, Some(bytes.len()), None);
    for (name, value) in headers {
        if let Ok(header) = Header::from_bytes(name, value) {
            response.add_header(header);
        }
    }
    request.respond(response)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    fn get(page: &Page, path: &str) -> (String, Vec<u8>) {
        let address = page.address().strip_prefix("http://").unwrap().split('/').next().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
    }

    #[test]
    fn the_page_is_whole_and_may_talk_to_this_machine_only() {
        let page = Page::serve("rerun+http://127.0.0.1:9876/proxy").unwrap();
        assert!(page.address().starts_with("http://127.0.0.1:"));
        assert!(page.address().contains("?url=rerun%2Bhttp%3A%2F%2F127%2E0%2E0%2E1%3A9876%2Fproxy"));
        let (head, body) = get(&page, "/?url=x");
        assert!(head.contains(" 200 ") && head.contains("Content-Type: text/html"), "{head}");
        assert!(head.contains(POLICY), "{head}");
        assert!(String::from_utf8(body).unwrap().contains("re_viewer.js"));
        let (head, wasm) = get(&page, "/re_viewer_bg.wasm");
        assert!(head.contains("application/wasm") && wasm.starts_with(b"\0asm") && wasm.len() > 10 << 20);
        assert!(get(&page, "/../../etc/passwd").0.contains(" 404 "));
        let connect = POLICY.split(';').find(|part| part.trim().starts_with("connect-src")).unwrap();
        assert!(!connect.contains("https") && !POLICY.contains("*:") && !POLICY.contains(" * "));
    }
}
