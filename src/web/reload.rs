//! `POST /-/reload`: read everything again, and go on with it if it is right.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use crate::model::Problem;

/// Reads the configuration again; answers when it is in force and committed, or refused.
pub type Reload = Arc<dyn Fn() -> BoxFuture<'static, Result<Reloaded, ReloadError>> + Send + Sync>;

/// A reload that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Rules in force.
    pub rules: usize,
    /// Sources configured.
    pub sources: usize,
    /// What is worth a word.
    pub warnings: Vec<Problem>,
    /// Keys that differ from those the process was started with and take effect only at a start.
    pub needs_restart: Vec<String>,
}

/// A reload that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReloadError {
    /// All that is wrong with what was read; the old configuration stays in force.
    Refused(Vec<Problem>),
    /// It could not be tried.
    Unavailable(String),
}

pub(super) async fn reload(State(shared): State<Shared>) -> Response {
    let Some(reload) = &shared.web.reload else {
        return ApiError::not_found("there is no configuration file to reload").into_response();
    };
    if let Some(error) = &shared.health().store_error {
        let text = format!("the store cannot be written, and nothing changes until then: {error}");
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    match reload().await {
        Ok(done) => Json(json!({
            "rules": done.rules,
            "sources": done.sources,
            "warnings": problems(&done.warnings),
            "needs_restart": done.needs_restart,
        }))
        .into_response(),
        Err(ReloadError::Refused(found)) => {
            let error = "the configuration is refused; the old one stays in force";
            let body = json!({ "error": error, "problems": problems(&found) });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
        Err(ReloadError::Unavailable(why)) => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
    }
}

fn problems(found: &[Problem]) -> Vec<Value> {
    let one = |p: &Problem| {
        json!({
            "file": p.file,
            "line": p.line,
            "column": p.column,
            "what": p.what,
            "hint": p.hint,
            "warning": p.warning,
        })
    };
    found.iter().map(one).collect()
}
