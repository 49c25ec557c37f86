//! An application, as YARN lists it and as its own Flink knows it.

use serde::{Deserialize, Serialize};
use serde_json::json;

/// How Flink says goodbye: `FinalApplicationStatus`. The state is `FINISHED` whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// Its job came to its end.
    Succeeded,
    /// Its job failed for good.
    Failed,
}

/// An application that runs, or ran.
pub(super) struct App {
    number: usize,
    pub(super) id: String,
    began: i64,
    started: i64,
    ended: Option<(Outcome, i64)>,
    /// When a listing first showed the end.
    pub(super) shown: Option<i64>,
}

/// Its name, which is its job's.
pub(super) fn name(number: usize) -> String {
    format!("orders-enrichment-{number:04}")
}

/// Its place, by its id; numbers of YARN count from 1.
pub(super) fn number(id: &str) -> Option<usize> {
    id.rsplit('_').next()?.parse::<usize>().ok()?.checked_sub(1)
}

impl App {
    pub(super) fn new(number: usize, began: i64, started: i64) -> App {
        let id = format!("application_{began}_{:04}", number + 1);
        App { number, id, began, started, ended: None, shown: None }
    }

    pub(super) fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    pub(super) fn end(&mut self, outcome: Outcome, now: i64) {
        self.ended.get_or_insert((outcome, now));
    }

    pub(super) fn finished(&self) -> i64 {
        self.ended.map_or(0, |(_, at)| at)
    }

    pub(super) fn state(&self) -> &'static str {
        if self.is_running() { "RUNNING" } else { "FINISHED" }
    }

    /// A row as Hadoop 3.3 writes it without `resourceRequests`.
    pub(super) fn row(&self, now: i64) -> String {
        let App { number, id, began, started, .. } = self;
        let (name, finished) = (name(*number), self.finished());
        let (outcome, diagnostics) = match self.ended {
            None => ("UNDEFINED", ""),
            Some((Outcome::Succeeded, _)) => ("SUCCEEDED", ""),
            Some((Outcome::Failed, _)) => (
                "FAILED",
                r"java.lang.IllegalStateException: the bench says so\n\tat com.example.Orders$Parse.map(Orders.java:42)\n",
            ),
        };
        let container = format!("container_e03_{began}_{:04}_01_000001", number + 1);
        let node = format!("node-{:03}.example", number % 200);
        let elapsed = if self.is_running() { now - started } else { finished - started };
        let (megabytes, cores, held) =
            if self.is_running() { (12_288, 5, 4) } else { (-1, -1, -1) };
        let (memory, vcores) = (elapsed / 1_000 * 12_288, elapsed / 1_000 * 5);
        format!(
            concat!(
                r#"{{"id":"{}","user":"flink","name":"{}","queue":"root.prod.streaming","#,
                r#""state":"{}","finalStatus":"{}","progress":100.0,"#,
                r#""trackingUI":"{}","trackingUrl":"http://rm-1.example:8088/proxy/{}/","#,
                r#""diagnostics":"{}","clusterId":{},"applicationType":"Apache Flink","#,
                r#""applicationTags":"prod,orders","priority":0,"startedTime":{},"launchTime":{},"#,
                r#""finishedTime":{},"elapsedTime":{},"#,
                r#""amContainerLogs":"http://{}:8042/node/containerlogs/{}/flink","#,
                r#""amHostHttpAddress":"{}:8042","amRPCAddress":"jm-{}{}:8081","#,
                r#""masterNodeId":"{}:8041","allocatedMB":{},"allocatedVCores":{},"#,
                r#""reservedMB":0,"reservedVCores":0,"runningContainers":{},"memorySeconds":{},"#,
                r#""vcoreSeconds":{},"queueUsagePercentage":0.02,"clusterUsagePercentage":0.01,"#,
                r#""resourceSecondsMap":{{"entry":{{"key":"memory-mb","value":"{}"}},"#,
                r#""entry":{{"key":"vcores","value":"{}"}}}},"preemptedResourceMB":0,"#,
                r#""preemptedResourceVCores":0,"numNonAMContainerPreempted":0,"#,
                r#""numAMContainerPreempted":0,"preemptedMemorySeconds":0,"#,
                r#""preemptedVcoreSeconds":0,"preemptedResourceSecondsMap":{{}},"#,
                r#""logAggregationStatus":"NOT_START","unmanagedApplication":false,"#,
                r#""amNodeLabelExpression":"","resourceInfo":{{"resourceUsagesByPartition":[{{"#,
                r#""partitionName":"","used":{{"memory":{},"vCores":{},"resourceInformations":"#,
                r#"{{"resourceInformation":[{{"attributes":{{}},"maximumAllocation":"#,
                r#"9223372036854775807,"minimumAllocation":0,"name":"memory-mb","resourceType":"#,
                r#""COUNTABLE","units":"Mi","value":{}}},{{"attributes":{{}},"#,
                r#""maximumAllocation":9223372036854775807,"minimumAllocation":0,"name":"vcores","#,
                r#""resourceType":"COUNTABLE","units":"","value":{}}}]}}}}}}]}},"#,
                r#""timeouts":{{"timeout":[{{"type":"LIFETIME","expiryTime":"UNLIMITED","#,
                r#""remainingTimeInSeconds":-1}}]}}}}"#
            ),
            id,
            name,
            self.state(),
            outcome,
            if self.is_running() { "ApplicationMaster" } else { "History" },
            id,
            diagnostics,
            began,
            started,
            started + 1_200,
            finished,
            elapsed,
            node,
            container,
            node,
            number,
            super::DOMAIN,
            node,
            megabytes,
            cores,
            held,
            memory,
            vcores,
            memory,
            vcores,
            megabytes,
            cores,
            megabytes,
            cores,
        )
    }
}

/// `/jobmanager/config` of its Flink: what YARN and Flink themselves put in.
pub(super) fn settings(app: &App) -> String {
    let folders = format!("/data/yarn/local/usercache/flink/appcache/{}", app.id);
    let settings = [
        ("execution.target", "yarn-application"),
        ("high-availability.cluster-id", app.id.as_str()),
        ("io.tmp.dirs", folders.as_str()),
        ("jobmanager.rpc.address", "jm"),
        ("rest.port", "8081"),
        ("parallelism.default", "2"),
        ("yarn.application.type", "Apache Flink"),
    ];
    let settings = settings.map(|(key, value)| json!({ "key": key, "value": value }));
    json!(settings).to_string()
}
