//! The console: the pages at `/`, for people.
//!
//! Each process answers them in every phase, also as a standby and while its database is out: the page says
//! what the process can tell. The files are those of the folder `web`, which `build.rs` compresses. All of them lie
//! under one name that is made of their content, so a browser keeps them, never mixes two versions,
//! and asks only for `/` again. The policy that they are sent with (`docs.rs`) forbids what is not one of them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::docs::{HTML, Page};
use super::problem::Problem;

/// A file of the console, as it is stored in the program.
pub(super) struct Stored {
    pub(super) name: &'static str,
    content_type: &'static str,
    gzip: &'static [u8],
}

// What `build.rs` wrote: the name of the set, and its files.
include!(concat!(env!("OUT_DIR"), "/console_files.rs"));

static INDEX: LazyLock<Page> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("OUT_DIR"), "/console/index.html"));
    Page::of(HTML, text)
});

static FILES: LazyLock<BTreeMap<&'static str, Page>> = LazyLock::new(|| {
    let files = STORED.iter();
    files
        .map(|file| {
            let page = Page::compressed(file.content_type, file.gzip);
            (file.name, page.kept())
        })
        .collect()
});

/// Returns the path of a file of the console.
pub fn console_file(name: &str) -> String {
    format!("/console/{SET}/{name}")
}

/// `GET /`
pub(super) async fn index(request: HttpRequest) -> Result<HttpResponse, Problem> {
    INDEX.answer(&request)
}

/// `GET /console/{set}/{file}`
pub(super) async fn file(
    path: Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (set, name) = path.into_inner();
    let found = FILES.get(name.as_str()).filter(|_| set == SET);
    found
        .ok_or_else(Problem::unknown_console_file)?
        .answer(&request)
}
