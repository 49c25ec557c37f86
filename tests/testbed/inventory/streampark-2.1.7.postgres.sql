-- The tables of StreamPark 2.1.7 that matter here, with the columns its versions have in PostgreSQL.

CREATE TABLE "t_flink_app" (
  "id" int8 NOT NULL,
  "team_id" int8,
  "job_type" int2,
  "execution_mode" int2,
  "resource_from" int2,
  "project_id" bigint,
  "job_name" varchar(255),
  "module" varchar(255),
  "jar" varchar(255),
  "jar_check_sum" int8,
  "main_class" varchar(255),
  "dependency" text,
  "args" text,
  "options" text,
  "hot_params" text,
  "user_id" int8,
  "app_type" int2,
  "duration" int8,
  "job_id" varchar(64),
  "job_manager_url" varchar(255),
  "version_id" int8,
  "cluster_id" varchar(45),
  "k8s_namespace" varchar(63),
  "flink_image" varchar(128),
  "state" int2,
  "restart_size" int4,
  "restart_count" int4,
  "cp_threshold" int4,
  "cp_max_failure_interval" int4,
  "cp_failure_rate_interval" int4,
  "cp_failure_action" int2,
  "dynamic_properties" text,
  "description" varchar(255),
  "resolve_order" int2,
  "k8s_rest_exposed_type" int2,
  "jm_memory" int4,
  "tm_memory" int4,
  "total_task" int4,
  "total_tm" int4,
  "total_slot" int4,
  "available_slot" int4,
  "option_state" int2,
  "tracking" int2,
  "create_time" timestamp(6),
  "modify_time" timestamp(6),
  "option_time" timestamp(6),
  "release" int2,
  "build" boolean,
  "start_time" timestamp(6),
  "end_time" timestamp(6),
  "alert_id" int8,
  "k8s_pod_template" text,
  "k8s_jm_pod_template" text,
  "k8s_tm_pod_template" text,
  "k8s_hadoop_integration" boolean,
  "flink_cluster_id" int8,
  "ingress_template" text,
  "default_mode_ingress" text,
  "tags" varchar(500),
  PRIMARY KEY ("id")
);

CREATE TABLE "t_flink_cluster" (
  "id" int8 NOT NULL,
  "address" varchar(150),
  "cluster_id" varchar(45),
  "cluster_name" varchar(128) NOT NULL,
  "options" text,
  "yarn_queue" varchar(128),
  "execution_mode" int2 NOT NULL,
  "version_id" int8 NOT NULL,
  "k8s_namespace" varchar(63),
  "service_account" varchar(64),
  "description" varchar(255),
  "user_id" int8,
  "flink_image" varchar(128),
  "dynamic_properties" text,
  "k8s_rest_exposed_type" int2,
  "k8s_hadoop_integration" boolean,
  "k8s_conf" varchar(255),
  "resolve_order" int4,
  "exception" text,
  "cluster_state" int2,
  "create_time" timestamp(6),
  PRIMARY KEY ("id")
);

CREATE TABLE "t_flink_savepoint" (
  "id" int8 NOT NULL,
  "app_id" int8 NOT NULL,
  "chk_id" int8,
  "type" int2,
  "path" varchar(255),
  "latest" boolean NOT NULL,
  "trigger_time" timestamp(6),
  "create_time" timestamp(6),
  PRIMARY KEY ("id")
);

CREATE TABLE "t_flink_log" (
  "id" int8 NOT NULL,
  "app_id" int8,
  "yarn_app_id" varchar(64),
  "job_manager_url" varchar(255),
  "success" boolean,
  "exception" text,
  "option_time" timestamp(6),
  "option_name" int2,
  PRIMARY KEY ("id")
);

CREATE TABLE "t_alert_config" (
  "id" int8 NOT NULL,
  "user_id" int8,
  "alert_name" varchar(128),
  "alert_type" int4,
  "email_params" varchar(255),
  "sms_params" text,
  "ding_talk_params" text,
  "we_com_params" varchar(255),
  "http_callback_params" text,
  "lark_params" text,
  "create_time" timestamp(6),
  "modify_time" timestamp(6),
  PRIMARY KEY ("id")
);

CREATE TABLE "t_team" (
  "id" int8 NOT NULL,
  "team_name" varchar(64),
  PRIMARY KEY ("id")
);

CREATE TABLE "t_user" (
  "user_id" int8 NOT NULL,
  "username" varchar(64),
  "nick_name" varchar(64),
  "password" varchar(255),
  "email" varchar(64),
  "user_type" int4,
  PRIMARY KEY ("user_id")
);

CREATE TABLE "t_setting" (
  "setting_key" varchar(64) NOT NULL,
  "setting_value" text,
  PRIMARY KEY ("setting_key")
);
