-- The platform's own tables, for installations that do not have them yet. A table that is there already is left
-- exactly as it is, with its triggers and indexes. No data.

CREATE OR REPLACE FUNCTION gpudev_touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION gpudev_touch_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.last_updated := now();
    IF NEW.is_deleted IS TRUE AND OLD.is_deleted IS NOT TRUE THEN
        NEW.marked_deleted_at := now();
    ELSIF NEW.is_deleted IS NOT TRUE AND OLD.is_deleted IS TRUE THEN
        NEW.marked_deleted_at := NULL;
    END IF;
    RETURN NEW;
END $$;

DO $$ BEGIN
IF to_regclass('reservations') IS NULL THEN
    CREATE TABLE reservations (
        reservation_id          varchar(255) PRIMARY KEY,
        user_id                 varchar(255) NOT NULL,
        status                  varchar(50) NOT NULL,   -- pending queued preparing active cancelled failed expired; lock
        gpu_type                varchar(50),
        gpu_count               integer,
        instance_type           varchar(100),
        duration_hours          double precision NOT NULL,
        created_at              timestamptz NOT NULL,
        launched_at             timestamptz,
        expires_at              timestamptz,
        updated_at              timestamptz DEFAULT now(),
        name                    varchar(255),
        github_user             varchar(255),
        cli_version             varchar(50),
        pod_name                varchar(255),
        namespace               varchar(100) DEFAULT 'default',
        node_ip                 varchar(50),
        node_private_ip         varchar(50),
        node_port               integer,
        ssh_command             text,
        jupyter_enabled         boolean DEFAULT false,
        jupyter_url             text,
        jupyter_port            integer,
        jupyter_token           varchar(255),
        jupyter_error           text,
        ebs_volume_id           varchar(255),
        ebs_availability_zone   varchar(50),
        disk_name               varchar(255),
        failure_reason          text,
        current_detailed_status text,
        pod_logs                text,
        warning                 text,
        status_history          jsonb DEFAULT '[]',
        secondary_users         jsonb DEFAULT '[]',
        is_multinode            boolean DEFAULT false,
        master_reservation_id   varchar(255),
        node_index              integer,
        total_nodes             integer,
        domain_name             varchar(255),
        fqdn                    varchar(512),
        alb_config              jsonb,
        preserve_entrypoint     boolean NOT NULL DEFAULT false,
        oom_count               integer DEFAULT 0,
        last_oom_at             timestamptz,
        oom_container           varchar(255),
        warnings_sent           jsonb DEFAULT '{}',
        last_warning_time       bigint,                 -- seconds since 1970
        failed_at               timestamptz,
        cancelled_at            timestamptz,
        reservation_ended       timestamptz
    );
    CREATE INDEX reservations_status_expires_at ON reservations (status, expires_at);
    CREATE INDEX reservations_user_id ON reservations (user_id);
    CREATE TRIGGER reservations_updated_at BEFORE UPDATE ON reservations
        FOR EACH ROW EXECUTE FUNCTION gpudev_touch_updated_at();
END IF;
END $$;

DO $$ BEGIN
IF to_regclass('disks') IS NULL THEN
    CREATE TABLE disks (
        disk_id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        disk_name                  text NOT NULL,
        user_id                    text NOT NULL,
        size_gb                    integer,
        disk_size                  text,                -- what is in use, as du prints it
        created_at                 timestamptz DEFAULT now(),
        last_used                  timestamptz,
        in_use                     boolean DEFAULT false,
        reservation_id             varchar(255) REFERENCES reservations ON DELETE SET NULL,
        is_backing_up              boolean DEFAULT false,
        snapshot_count             integer DEFAULT 0,
        pending_snapshot_count     integer DEFAULT 0,
        last_snapshot_at           timestamptz,
        is_deleted                 boolean DEFAULT false,
        delete_date                date,
        ebs_volume_id              text,
        operation_id               uuid,
        operation_status           text,
        operation_error            text,
        latest_snapshot_content_s3 text,
        last_updated               timestamptz DEFAULT now(),
        marked_deleted_at          timestamptz,
        UNIQUE (user_id, disk_name)
    );
    CREATE INDEX disks_ebs_volume_id ON disks (ebs_volume_id);
    CREATE INDEX disks_operation_id ON disks (operation_id);
    CREATE INDEX disks_reservation_id ON disks (reservation_id);
    CREATE TRIGGER disks_last_updated BEFORE UPDATE ON disks
        FOR EACH ROW EXECUTE FUNCTION gpudev_touch_disk();
END IF;
END $$;

DO $$ BEGIN
IF to_regclass('gpu_types') IS NULL THEN
    CREATE TABLE gpu_types (
        gpu_type                     varchar(50) PRIMARY KEY,
        instance_type                varchar(100) NOT NULL,
        max_gpus                     integer NOT NULL,
        cpus                         integer NOT NULL,
        memory_gb                    integer NOT NULL,
        total_cluster_gpus           integer DEFAULT 0,
        max_per_node                 integer,
        is_active                    boolean DEFAULT true,
        created_at                   timestamptz DEFAULT now(),
        updated_at                   timestamptz DEFAULT now(),
        description                  text,
        available_gpus               integer DEFAULT 0,
        max_reservable               integer DEFAULT 0,
        full_nodes_available         integer DEFAULT 0,
        running_instances            integer DEFAULT 0,
        desired_capacity             integer DEFAULT 0,
        last_availability_update     timestamptz,
        last_availability_updated_by varchar(100)
    );
    CREATE TRIGGER gpu_types_updated_at BEFORE UPDATE ON gpu_types
        FOR EACH ROW EXECUTE FUNCTION gpudev_touch_updated_at();
END IF;
END $$;

DO $$ BEGIN
IF to_regclass('domain_mappings') IS NULL THEN
    CREATE TABLE domain_mappings (
        domain_name    varchar(255) PRIMARY KEY,        -- the short name; the SSH proxy looks it up
        node_ip        varchar(50) NOT NULL,
        node_port      integer NOT NULL,
        reservation_id varchar(255) NOT NULL REFERENCES reservations ON DELETE CASCADE,
        expires_at     timestamptz NOT NULL,
        created_at     timestamptz DEFAULT now(),
        updated_at     timestamptz DEFAULT now()
    );
    CREATE INDEX domain_mappings_reservation_id ON domain_mappings (reservation_id);
    CREATE INDEX domain_mappings_expires_at ON domain_mappings (expires_at);
    CREATE TRIGGER domain_mappings_updated_at BEFORE UPDATE ON domain_mappings
        FOR EACH ROW EXECUTE FUNCTION gpudev_touch_updated_at();
END IF;
END $$;

DO $$ BEGIN
IF to_regclass('alb_target_groups') IS NULL THEN
    CREATE TABLE alb_target_groups (
        reservation_id           varchar(255) PRIMARY KEY REFERENCES reservations ON DELETE CASCADE,
        domain_name              varchar(255) NOT NULL,
        jupyter_target_group_arn text,
        jupyter_rule_arn         text,
        expires_at               timestamptz NOT NULL,
        created_at               timestamptz DEFAULT now(),
        updated_at               timestamptz DEFAULT now()
    );
    CREATE TRIGGER alb_target_groups_updated_at BEFORE UPDATE ON alb_target_groups
        FOR EACH ROW EXECUTE FUNCTION gpudev_touch_updated_at();
END IF;
END $$;
