-- The tables of Dinky 1.x that matter here, in PostgreSQL.

CREATE TABLE "dinky_task" (
  "id" int4 NOT NULL,
  "name" varchar(255),
  "tenant_id" int4,
  "dialect" varchar(50),
  "step" int4,
  "alert_group_id" int8,
  "save_point_strategy" int4,
  "save_point_path" varchar(255),
  "job_instance_id" int8,
  "first_level_owner" int4,
  PRIMARY KEY ("id")
);

CREATE TABLE "dinky_job_instance" (
  "id" int4 NOT NULL,
  "name" varchar(255),
  "task_id" int4,
  "cluster_id" int4,
  "jid" varchar(50),
  "status" varchar(50),
  "error" text,
  "duration" int8,
  "finish_time" timestamp(6),
  "failed_restart_count" int4,
  PRIMARY KEY ("id")
);

CREATE TABLE "dinky_cluster" (
  "id" int4 NOT NULL,
  "name" varchar(255),
  "type" varchar(50),
  "hosts" text,
  "job_manager_host" varchar(255),
  PRIMARY KEY ("id")
);

CREATE TABLE "dinky_user" (
  "id" int4 NOT NULL,
  "username" varchar(50),
  "nickname" varchar(50),
  PRIMARY KEY ("id")
);

CREATE TABLE "dinky_tenant" (
  "id" int4 NOT NULL,
  "tenant_code" varchar(64),
  PRIMARY KEY ("id")
);

CREATE TABLE "dinky_alert_group" (
  "id" int4 NOT NULL,
  "name" varchar(50),
  "alert_instance_ids" text,
  PRIMARY KEY ("id")
);

CREATE TABLE "dinky_alert_instance" (
  "id" int4 NOT NULL,
  "name" varchar(50),
  "type" varchar(50),
  "params" text,
  "enabled" int2,
  PRIMARY KEY ("id")
);
