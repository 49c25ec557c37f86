-- The tables of StreamPark 2.2 that matter here, with the columns its versions have in MySQL and MariaDB.

CREATE TABLE `t_flink_app` (
  `id` bigint NOT NULL,
  `team_id` bigint NOT NULL,
  `job_type` tinyint,
  `deploy_mode` tinyint,
  `resource_from` tinyint,
  `project_id` bigint,
  `job_name` varchar(255),
  `module` varchar(255),
  `jar` varchar(255),
  `jar_check_sum` bigint,
  `main_class` varchar(255),
  `args` text,
  `options` text,
  `hot_params` text,
  `user_id` bigint,
  `app_type` tinyint,
  `duration` bigint,
  `job_id` varchar(64),
  `job_manager_url` varchar(255),
  `version_id` bigint,
  `cluster_id` varchar(45),
  `app_id` varchar(64),
  `k8s_name` varchar(63),
  `k8s_namespace` varchar(63),
  `flink_image` varchar(128),
  `state` int,
  `restart_size` int,
  `restart_count` int,
  `cp_threshold` int,
  `cp_max_failure_interval` int,
  `cp_failure_rate_interval` int,
  `cp_failure_action` tinyint,
  `dynamic_properties` text,
  `description` varchar(255),
  `resolve_order` tinyint,
  `k8s_rest_exposed_type` tinyint,
  `jm_memory` int,
  `tm_memory` int,
  `total_task` int,
  `total_tm` int,
  `total_slot` int,
  `available_slot` int,
  `option_state` tinyint,
  `tracking` tinyint,
  `create_time` datetime,
  `modify_time` datetime,
  `option_time` datetime,
  `release` tinyint,
  `build` tinyint,
  `start_time` datetime,
  `end_time` datetime,
  `alert_id` bigint,
  `k8s_pod_template` text,
  `k8s_jm_pod_template` text,
  `k8s_tm_pod_template` text,
  `k8s_hadoop_integration` tinyint,
  `flink_cluster_id` bigint,
  `ingress_template` text,
  `default_mode_ingress` text,
  `tags` varchar(500),
  `hadoop_user` varchar(64),
  PRIMARY KEY (`id`)
);

CREATE TABLE `t_flink_cluster` (
  `id` bigint NOT NULL,
  `address` varchar(150),
  `job_manager_url` varchar(150),
  `cluster_id` varchar(45),
  `cluster_name` varchar(128) NOT NULL,
  `options` text,
  `yarn_queue` varchar(128),
  `deploy_mode` tinyint NOT NULL,
  `version_id` bigint NOT NULL,
  `k8s_namespace` varchar(63),
  `service_account` varchar(64),
  `description` varchar(255),
  `user_id` bigint,
  `flink_image` varchar(128),
  `dynamic_properties` text,
  `k8s_rest_exposed_type` tinyint,
  `k8s_hadoop_integration` tinyint,
  `k8s_conf` varchar(255),
  `resolve_order` int,
  `exception` text,
  `cluster_state` tinyint,
  `create_time` datetime,
  `start_time` datetime,
  `end_time` datetime,
  `alert_id` bigint,
  PRIMARY KEY (`id`)
);

CREATE TABLE `t_flink_savepoint` (
  `id` bigint NOT NULL,
  `app_id` bigint NOT NULL,
  `chk_id` bigint,
  `type` tinyint,
  `path` varchar(255),
  `latest` tinyint NOT NULL,
  `trigger_time` datetime,
  `create_time` datetime,
  PRIMARY KEY (`id`)
);

CREATE TABLE `t_app_log` (
  `id` bigint NOT NULL,
  `job_type` tinyint,
  `app_id` bigint,
  `cluster_id` varchar(64),
  `tracking_url` varchar(255),
  `success` tinyint,
  `exception` text,
  `option_time` datetime,
  `option_name` tinyint,
  `user_id` bigint,
  PRIMARY KEY (`id`)
);

CREATE TABLE `t_alert_config` (
  `id` bigint NOT NULL,
  `user_id` bigint,
  `alert_name` varchar(128),
  `alert_type` int,
  `email_params` varchar(255),
  `sms_params` text,
  `ding_talk_params` text,
  `we_com_params` varchar(255),
  `http_callback_params` text,
  `lark_params` text,
  `create_time` datetime,
  `modify_time` datetime,
  PRIMARY KEY (`id`)
);

CREATE TABLE `t_team` (
  `id` bigint NOT NULL,
  `team_name` varchar(64),
  PRIMARY KEY (`id`)
);

CREATE TABLE `t_user` (
  `user_id` bigint NOT NULL,
  `username` varchar(64),
  `nick_name` varchar(64),
  `password` varchar(255),
  `email` varchar(64),
  `user_type` int,
  PRIMARY KEY (`user_id`)
);

CREATE TABLE `t_setting` (
  `setting_key` varchar(64) NOT NULL,
  `setting_value` text,
  PRIMARY KEY (`setting_key`)
);
