//! What a platform keeps a run waiting for, in words.

use crate::model::PlatformWait;

/// `waiting for YARN: queue prod uses 96 of 96 GB, 40 of 48 vcores`.
pub(super) fn words(wait: &PlatformWait) -> String {
    let amounts = amounts(wait, |used, most| format!("{used} of {most}"), ", ");
    let whose = match (wait.of_masters, wait.of_cluster, wait.queue.as_str()) {
        (true, _, "") => "the ApplicationMasters use".to_owned(),
        (true, _, queue) => format!("the ApplicationMasters of queue {queue} use"),
        (_, true, "") | (false, false, "") => "the cluster uses".to_owned(),
        (_, true, queue) => format!("queue {queue}; the cluster uses"),
        (_, _, queue) => format!("queue {queue} uses"),
    };
    match (amounts.as_str(), wait.queue.as_str()) {
        ("", "") => "waiting for YARN to start its ApplicationMaster".to_owned(),
        ("", queue) => format!("waiting for YARN to start its ApplicationMaster in queue {queue}"),
        (amounts, _) => {
            let limit = if wait.of_masters { " allowed for them" } else { "" };
            format!("waiting for YARN: {whose} {amounts}{limit}")
        }
    }
}

/// The same in Chinese.
pub(super) fn words_zh(wait: &PlatformWait) -> String {
    let amounts = amounts(wait, |used, most| format!("{used} / {most}"), "，");
    let whose = match (wait.of_masters, wait.of_cluster, wait.queue.as_str()) {
        (true, _, "") => "ApplicationMaster 已用".to_owned(),
        (true, _, queue) => format!("队列 {queue} 的 ApplicationMaster 已用"),
        (_, true, "") | (false, false, "") => "集群已用".to_owned(),
        (_, true, queue) => format!("队列 {queue}，集群已用"),
        (_, _, queue) => format!("队列 {queue} 已用"),
    };
    match (amounts.as_str(), wait.queue.as_str()) {
        ("", "") => "等待 YARN 启动 ApplicationMaster".to_owned(),
        ("", queue) => format!("等待 YARN 在队列 {queue} 中启动 ApplicationMaster"),
        (amounts, _) => {
            let limit = if wait.of_masters { "（ApplicationMaster 的上限）" } else { "" };
            format!("等待 YARN：{whose} {amounts}{limit}")
        }
    }
}

fn amounts(wait: &PlatformWait, of: impl Fn(String, String) -> String, between: &str) -> String {
    let memory = wait.used_mb.zip(wait.most_mb);
    let memory = memory.map(|(used, most)| of(gigabytes(used), format!("{} GB", gigabytes(most))));
    let cores = wait.used_vcores.zip(wait.most_vcores);
    let cores = cores.map(|(used, most)| of(used.to_string(), format!("{most} vcores")));
    memory.into_iter().chain(cores).collect::<Vec<_>>().join(between)
}

/// Whole ones without a fraction: `96`, `1.5`.
fn gigabytes(mb: u64) -> String {
    let tenths = mb.saturating_mul(10).saturating_add(512) / 1024;
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_and_what_there_is_are_named() {
        let full = PlatformWait {
            queue: "root.prod".to_owned(),
            used_mb: Some(98_304),
            most_mb: Some(99_840),
            used_vcores: Some(40),
            most_vcores: Some(48),
            ..PlatformWait::default()
        };
        let none = PlatformWait { queue: "prod".to_owned(), ..PlatformWait::default() };
        for (wait, words_en, zh) in [
            (
                full.clone(),
                "waiting for YARN: queue root.prod uses 96 of 97.5 GB, 40 of 48 vcores",
                "等待 YARN：队列 root.prod 已用 96 / 97.5 GB，40 / 48 vcores",
            ),
            (
                PlatformWait { of_masters: true, used_vcores: None, ..full.clone() },
                "waiting for YARN: the ApplicationMasters of queue root.prod use 96 of 97.5 GB \
                 allowed for them",
                "等待 YARN：队列 root.prod 的 ApplicationMaster 已用 96 / 97.5 GB（ApplicationMaster 的上限）",
            ),
            (
                PlatformWait { of_cluster: true, most_mb: None, ..full },
                "waiting for YARN: queue root.prod; the cluster uses 40 of 48 vcores",
                "等待 YARN：队列 root.prod，集群已用 40 / 48 vcores",
            ),
            (
                none,
                "waiting for YARN to start its ApplicationMaster in queue prod",
                "等待 YARN 在队列 prod 中启动 ApplicationMaster",
            ),
            (
                PlatformWait::default(),
                "waiting for YARN to start its ApplicationMaster",
                "等待 YARN 启动 ApplicationMaster",
            ),
        ] {
            assert_eq!((words(&wait).as_str(), words_zh(&wait).as_str()), (words_en, zh));
        }
    }
}
