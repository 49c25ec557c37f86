-- The tables of Dinky 1.x that matter here, in MySQL and MariaDB.

CREATE TABLE `dinky_task` (
  `id` int NOT NULL,
  `name` varchar(255),
  `tenant_id` int,
  `dialect` varchar(50),
  `step` int,
  `alert_group_id` bigint,
  `save_point_strategy` int,
  `save_point_path` varchar(255),
  `job_instance_id` bigint,
  `first_level_owner` int,
  PRIMARY KEY (`id`)
);

CREATE TABLE `dinky_job_instance` (
  `id` int NOT NULL,
  `name` varchar(255),
  `task_id` int,
  `cluster_id` int,
  `jid` varchar(50),
  `status` varchar(50),
  `error` text,
  `duration` bigint,
  `finish_time` datetime,
  `failed_restart_count` int,
  PRIMARY KEY (`id`)
);

CREATE TABLE `dinky_cluster` (
  `id` int NOT NULL,
  `name` varchar(255),
  `type` varchar(50),
  `hosts` text,
  `job_manager_host` varchar(255),
  PRIMARY KEY (`id`)
);

CREATE TABLE `dinky_user` (
  `id` int NOT NULL,
  `username` varchar(50),
  `nickname` varchar(50),
  PRIMARY KEY (`id`)
);

CREATE TABLE `dinky_tenant` (
  `id` int NOT NULL,
  `tenant_code` varchar(64),
  PRIMARY KEY (`id`)
);

CREATE TABLE `dinky_alert_group` (
  `id` int NOT NULL,
  `name` varchar(50),
  `alert_instance_ids` text,
  PRIMARY KEY (`id`)
);

CREATE TABLE `dinky_alert_instance` (
  `id` int NOT NULL,
  `name` varchar(50),
  `type` varchar(50),
  `params` text,
  `enabled` tinyint,
  PRIMARY KEY (`id`)
);
