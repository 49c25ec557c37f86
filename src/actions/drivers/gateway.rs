//! The calls to Flink's SQL Gateway (`docs/static/generated/rest_v1_sql_gateway.yml`): sessions, and
//! statements whose results are asked for until they are there.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::flink_rest::{Row, bounded, failure};
use crate::http::{HttpClient, Response};

const MIB: usize = 1 << 20;
/// Between two looks at a statement on its way.
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// Looks in a row that may fail before it is given up.
const LOOKS: u32 = 10;

/// A gateway.
pub(super) struct Gateway {
    client: HttpClient,
    base: String,
}

/// How it is spoken to.
pub(super) struct Api {
    /// Such as `v1`.
    path: String,
    /// Flink's version, such as `1.20.5`.
    pub(super) version: String,
}

/// A session; it ends when it is closed, or by itself after some minutes.
pub(super) struct Session {
    /// Address below the gateway's.
    path: String,
}

/// What came of a statement.
pub(super) enum Outcome {
    /// Its result.
    Done(Value),
    /// It was run, and failed; the answer that says so.
    Failed(Vec<u8>),
    /// It was not run.
    Refused(String),
    /// Nobody knows.
    Unclear(String),
}

impl Gateway {
    pub(super) fn new(client: HttpClient, url: &str) -> Gateway {
        Gateway { client, base: url.trim_end_matches('/').to_owned() }
    }

    /// The oldest form of its API, which every release has, and its version.
    pub(super) async fn api(&self) -> Result<Api, String> {
        #[derive(Deserialize)]
        struct Versions {
            #[serde(default)]
            versions: Vec<String>,
        }
        #[derive(Deserialize)]
        struct Info {
            #[serde(default)]
            version: String,
        }
        let url = format!("{}/api_versions", self.base);
        let known = self.client.get_json::<Versions>(&url, MIB).await;
        let known =
            known.map_err(|error| bounded(&format!("the SQL Gateway: {}", error.explain())))?;
        let number = |name: &String| name.trim_start_matches(['v', 'V']).parse::<u32>().ok();
        let Some(oldest) = known.versions.iter().filter_map(number).min() else {
            return Err(format!("{} is no SQL Gateway (check `url`)", bounded(&self.base)));
        };
        let path = format!("v{oldest}");
        let url = format!("{}/{path}/info", self.base);
        let info = self.client.get_json::<Info>(&url, MIB).await;
        let info =
            info.map_err(|error| bounded(&format!("the SQL Gateway: {}", error.explain())))?;
        Ok(Api { path, version: info.version })
    }

    pub(super) async fn open(
        &self,
        api: &Api,
        name: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<Session, String> {
        let body = json!({ "sessionName": name, "properties": properties });
        let answer = self.post(&format!("{}/sessions", api.path), &body).await;
        let answer = answer.map_err(|error| bounded(&error))?;
        if answer.status >= 300 {
            return Err(failure(answer.status, &answer.body).error);
        }
        let said: Value = answer.json().unwrap_or_default();
        let handle = said["sessionHandle"].as_str().filter(|handle| is_plain(handle));
        let handle = handle.ok_or("the SQL Gateway opened a session and did not name it")?;
        Ok(Session { path: format!("{}/sessions/{handle}", api.path) })
    }

    /// Closes a session; one that cannot be closed ends by itself. Its jobs run on.
    pub(super) async fn close(&self, session: &Session) {
        let url = format!("{}/{}", self.base, session.path);
        let closed = self.client.request(Method::DELETE, &url, HeaderMap::new(), None, MIB).await;
        if let Err(error) = closed {
            tracing::debug!(%error, "a session of the SQL Gateway was not closed");
        }
    }

    /// Runs a statement with these settings of its own, and waits for its first result.
    pub(super) async fn run(
        &self,
        session: &Session,
        statement: &str,
        settings: &BTreeMap<&'static str, String>,
    ) -> Outcome {
        let body = json!({ "statement": statement, "executionConfig": settings });
        let path = format!("{}/statements", session.path);
        let answer = match self.post(&path, &body).await {
            Ok(answer) => answer,
            Err(error) => return Outcome::Unclear(bounded(&error)),
        };
        if answer.status >= 300 {
            let failed = failure(answer.status, &answer.body);
            let told = if failed.unclear { Outcome::Unclear } else { Outcome::Refused };
            return told(failed.error);
        }
        let said: Value = answer.json().unwrap_or_default();
        let Some(handle) = said["operationHandle"].as_str().filter(|handle| is_plain(handle))
        else {
            let error = "the SQL Gateway took a statement and did not name its operation";
            return Outcome::Unclear(error.to_owned());
        };
        self.result(&format!("{}/operations/{handle}/result/0", session.path)).await
    }

    /// All jobs of the cluster it submits to, as that shows them (Flink 1.17 and later).
    pub(super) async fn jobs(&self, session: &Session) -> Result<Vec<Row>, String> {
        let result = match self.run(session, "SHOW JOBS", &BTreeMap::new()).await {
            Outcome::Done(result) => result,
            Outcome::Failed(body) => return Err(failure(500, &body).error),
            Outcome::Refused(error) | Outcome::Unclear(error) => return Err(error),
        };
        rows(&result).ok_or_else(|| "the SQL Gateway does not say which jobs there are".to_owned())
    }

    async fn result(&self, path: &str) -> Outcome {
        let url = format!("{}/{path}", self.base);
        let mut failed = 0;
        loop {
            let asked =
                self.client.request(Method::GET, &url, HeaderMap::new(), None, 4 * MIB).await;
            let error = match asked {
                Ok(answer) if answer.status < 300 => match answer.json::<Value>() {
                    Ok(result) if result["resultType"] == "NOT_READY" => None,
                    Ok(result) => return Outcome::Done(result),
                    Err(error) => Some(error.to_string()),
                },
                Ok(answer) if matches!(answer.status, 502..=504) => {
                    Some(failure(answer.status, &answer.body).error)
                }
                Ok(answer) => return Outcome::Failed(answer.body),
                Err(error) => Some(error.explain()),
            };
            if let Some(error) = error {
                failed += 1;
                if failed >= LOOKS {
                    return Outcome::Unclear(bounded(&error));
                }
            } else {
                failed = 0;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Response, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let url = format!("{}/{path}", self.base);
        let posted = self.client.post(&url, headers, body.to_string().into(), MIB).await;
        posted.map_err(|error| error.explain())
    }
}

/// The rows of `SHOW JOBS`.
fn rows(result: &Value) -> Option<Vec<Row>> {
    let columns = result["results"]["columns"].as_array()?;
    let place = |name: &str| columns.iter().position(|column| column["name"] == name);
    let places = [place("job id")?, place("job name")?, place("status")?];
    let data = result["results"]["data"].as_array()?.iter();
    let row = |fields: &Value| {
        let [jid, name, state] = places.map(|at| fields[at].as_str().map(str::to_owned));
        Some(Row { jid: jid?, name: name.unwrap_or_default(), state: state.unwrap_or_default() })
    };
    data.map(|row_of| row(&row_of["fields"])).collect()
}

/// It can stand in an address as it is.
fn is_plain(handle: &str) -> bool {
    !handle.is_empty() && handle.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
