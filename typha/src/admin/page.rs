//! The page for people at `/`: its files, and what a browser may do with them. What it shows it asks of the admin API.
//!
//! The files are part of the program and ask for nothing from elsewhere, so that the page works in a cluster without a
//! way out. They hold nothing of this replica: names that peers chose are set as text by the page's own script.

use axum::{
    Router,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    response::IntoResponse,
    routing::get,
};

/// Nothing but the files below and the admin API's answers: no inline script or style, no frame around the page, no
/// form that leaves it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// One of the page's files.
#[derive(Clone, Copy)]
struct Asset {
    path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const ASSETS: &[Asset] = &[
    Asset { path: "/", media_type: HTML, text: include_str!("page/index.html") },
    Asset { path: "/page/style.css", media_type: CSS, text: include_str!("page/style.css") },
    Asset { path: "/page/icon.svg", media_type: SVG, text: include_str!("page/icon.svg") },
    Asset { path: "/page/main.js", media_type: JAVASCRIPT, text: include_str!("page/main.js") },
    Asset { path: "/page/replica.js", media_type: JAVASCRIPT, text: include_str!("page/replica.js") },
    Asset { path: "/page/replicas.js", media_type: JAVASCRIPT, text: include_str!("page/replicas.js") },
    Asset { path: "/page/clients.js", media_type: JAVASCRIPT, text: include_str!("page/clients.js") },
    Asset { path: "/page/row.js", media_type: JAVASCRIPT, text: include_str!("page/row.js") },
    Asset { path: "/page/text.js", media_type: JAVASCRIPT, text: include_str!("page/text.js") },
];

/// Adds the page's files to a router.
pub(super) fn add<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    ASSETS.iter().fold(router, |router, asset| router.route(asset.path, get(async || asset.respond())))
}

impl Asset {
    fn respond(self) -> impl IntoResponse {
        let headers = [
            (CONTENT_TYPE, self.media_type),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            // The files change with the program, whose next version may answer at the same address.
            (CACHE_CONTROL, "no-store"),
        ];
        (headers, self.text)
    }
}
