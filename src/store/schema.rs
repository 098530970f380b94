//! The tables as diesel sees them, on either database (`migrations/`).

diesel::table! {
    fleet_state (id) {
        id -> Integer,
        term -> BigInt,
        version -> BigInt,
        epoch -> BigInt,
    }
}

diesel::table! {
    instances (id) {
        id -> Text,
        incarnation -> BigInt,
        status -> Text,
        status_since -> BigInt,
        ip -> Text,
        port -> Integer,
        max_streams -> BigInt,
        labels -> Text,
        heartbeat_interval -> Nullable<BigInt>,
        auto_assign -> Bool,
        assignment_version -> BigInt,
        registered_at -> BigInt,
        flaps -> BigInt,
        lease -> BigInt,
        withdrawn -> Nullable<Text>,
        withdrawn_since -> Nullable<BigInt>,
        handed_over_life -> Nullable<BigInt>,
        handed_over_moved -> BigInt,
        handed_over_orphaned -> BigInt,
        capacity -> Nullable<BigInt>,
        planned -> Nullable<Text>,
    }
}

diesel::table! {
    rolls (id) {
        id -> BigInt,
        state -> Text,
        body -> Text,
    }
}

diesel::table! {
    streams (id) {
        id -> BigInt,
        name -> Text,
        url -> Nullable<Text>,
        labels -> Text,
        priority -> Integer,
        enabled -> Bool,
        created_at -> BigInt,
        handoff -> Text,
        deleted -> Bool,
        returns -> BigInt,
        returned_by -> Nullable<Text>,
        return_reason -> Nullable<Text>,
        returned_at -> Nullable<BigInt>,
        retry_at -> Nullable<BigInt>,
        weight -> BigInt,
        requires -> Nullable<Text>,
        spread_group -> Nullable<Text>,
        pinned -> Nullable<Text>,
        owner_failures -> Nullable<Text>,
        quarantined_since -> Nullable<BigInt>,
        quarantine_retries -> Nullable<BigInt>,
        quarantine_retry_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    placements (stream_id) {
        stream_id -> BigInt,
        state -> Text,
        instance_id -> Nullable<Text>,
        epoch -> Nullable<BigInt>,
        version -> Nullable<BigInt>,
        reason -> Nullable<Text>,
        delivered -> Nullable<BigInt>,
        released_by -> Nullable<Text>,
        orphaned_from -> Nullable<Text>,
        since -> Nullable<BigInt>,
        handover -> Nullable<Text>,
        handover_with -> Nullable<Text>,
        handover_version -> Nullable<BigInt>,
        handover_epoch -> Nullable<BigInt>,
        handover_since -> Nullable<BigInt>,
        handover_reason -> Nullable<Text>,
        given_up_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    events (sequence) {
        sequence -> BigInt,
        at -> BigInt,
        kind -> Text,
        instance_id -> Nullable<Text>,
        stream_id -> Nullable<BigInt>,
        payload -> Text,
        incident_id -> Nullable<BigInt>,
        actor -> Nullable<Text>,
    }
}

diesel::table! {
    incidents (id) {
        id -> BigInt,
        instance_id -> Text,
        incarnation -> BigInt,
        cause -> Text,
        detected_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        outcome -> Nullable<Text>,
        streams_affected -> BigInt,
        streams_moved -> BigInt,
        streams_orphaned -> BigInt,
        attempts -> BigInt,
        state -> Text,
        steps -> Text,
        reason -> Nullable<Text>,
        reason_given -> Bool,
        escalated_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    alerts (id) {
        id -> BigInt,
        kind -> Text,
        severity -> Text,
        subject -> Text,
        detail -> Text,
        opened_at -> BigInt,
        closed_at -> Nullable<BigInt>,
        instances -> Text,
        repeats -> BigInt,
        acknowledged_at -> Nullable<BigInt>,
        acknowledged_by -> Nullable<Text>,
        note -> Nullable<Text>,
        announced -> Integer,
    }
}

diesel::table! {
    silences (id) {
        id -> BigInt,
        matchers -> Text,
        created_at -> BigInt,
        created_by -> Text,
        ends_at -> BigInt,
        reason -> Text,
    }
}

diesel::table! {
    webhook_targets (name) {
        name -> Text,
        body -> Text,
        cursor -> BigInt,
    }
}

diesel::table! {
    webhook_deliveries (target, message_id) {
        target -> Text,
        message_id -> Text,
        number -> BigInt,
        state -> Text,
        message -> Text,
        attempts -> BigInt,
        created_at -> BigInt,
        waits_since -> BigInt,
        next_try_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        last_answer -> Nullable<Text>,
        last_status -> Nullable<Integer>,
    }
}

diesel::table! {
    health_history (at) {
        at -> BigInt,
        health -> Text,
        rules -> Text,
        active_instances -> BigInt,
        failed_instances -> BigInt,
        total_instances -> BigInt,
        capacity -> BigInt,
        assigned_streams -> BigInt,
        orphaned_streams -> BigInt,
    }
}

diesel::table! {
    series (resolution, place) {
        resolution -> Text,
        place -> BigInt,
        slot -> BigInt,
        samples -> BigInt,
        heartbeats -> BigInt,
        failures -> BigInt,
        moves -> BigInt,
        waiting -> BigInt,
        instances -> BigInt,
        load -> BigInt,
    }
}

diesel::table! {
    last_beats (instance_id) {
        instance_id -> Text,
        at -> BigInt,
        reported_status -> Text,
        reported_streams -> BigInt,
    }
}

diesel::table! {
    beat_watermark (id) {
        id -> Integer,
        term -> BigInt,
        through -> BigInt,
    }
}

diesel::table! {
    placings (first_epoch) {
        first_epoch -> BigInt,
        last_epoch -> BigInt,
        instance_id -> Text,
        at -> BigInt,
        reason -> Text,
        candidates -> Text,
    }
}

diesel::table! {
    metrics (instance_id, recorded_at) {
        instance_id -> Text,
        recorded_at -> BigInt,
        cpu_percent -> Nullable<Double>,
        memory_percent -> Nullable<Double>,
        memory_used_gb -> Nullable<Double>,
        memory_total_gb -> Nullable<Double>,
        disk_percent -> Nullable<Double>,
        disk_free_gb -> Nullable<Double>,
        disk_total_gb -> Nullable<Double>,
        load_1 -> Nullable<Double>,
        load_5 -> Nullable<Double>,
        load_15 -> Nullable<Double>,
        uptime_seconds -> Nullable<Double>,
    }
}

diesel::table! {
    access_keys (id) {
        id -> BigInt,
        hash -> Text,
        name -> Text,
        role -> Text,
        server_ids -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::joinable!(placements -> streams (stream_id));
diesel::allow_tables_to_appear_in_same_query!(streams, placements);
