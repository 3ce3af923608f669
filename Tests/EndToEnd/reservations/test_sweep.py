"""The sweep: who must end ends, who is over is cleared away, and nobody ends for what could not be read."""

import datetime
import math
import uuid

import boto3
import pytest

from harness.aws.proxy import Refused
from harness.waiting import eventually

KIND = "reservation.sweep"
FOUND = (
    "warned", "expired", "failed", "stale_cancelled", "oom_detected", "resumed", "orphaned_routes", "orphaned_names",
    "without_expiry", "unreadable", "deferred")


def ago(**interval: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(**interval)


def left(**interval: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(**interval)


@pytest.fixture
def resting(system):
    """Only sweeps are done; what they enqueue waits to be looked at."""
    system.environment["GPUDEV_OLDER_THAN"] = "reservation.tear-down,reservation.delete-target-group"
    system.environment["WORKER_UNKNOWN_KIND_WAIT"] = "10m"
    return system


def add(system, cluster=None, status: str = "active", pod: bool = True, **columns) -> str:
    """A reservation, active for an hour and for some more hours, with its pod."""
    reservation = str(uuid.uuid4())
    if status == "active":
        columns = {"launched_at": ago(hours=1), "expires_at": left(hours=5)} | columns
    system.add_reservation(reservation, status, **columns)
    if cluster and pod:
        cluster.add_pod(f"gpu-dev-{reservation[:8]}", node="node-1")
    return reservation


def sweep(system, **payload) -> dict:
    """Runs one sweep and returns what its event tells."""
    job = system.publish(KIND, payload)
    event = system.event(job)
    assert event["type"] == f"{KIND}.completed", event
    assert event["subject"] == "reservations"
    return event["data"]


def found(told: dict) -> dict:
    """What is not zero of what was found."""
    return {name: told[name] for name in FOUND if told[name] != 0}


def found_jobs(enqueued) -> list:
    """What sweeps have enqueued."""
    return [job for job in enqueued() if job[0] != KIND]


def ended(enqueued) -> dict[str, str]:
    """The reservations that are to be torn down, with their states."""
    return {payload["reservation_id"]: payload["status"] for _, _, payload in enqueued("reservation.tear-down")}


def row(system, reservation: str, columns: str) -> tuple:
    return system.rows(f"SELECT {columns} FROM reservations WHERE reservation_id = %s", reservation)[0]


def test_who_is_over_ends_with_the_sweeps_own_transaction(resting, cluster, enqueued):
    over = add(resting, cluster, pod=False, expires_at=ago(seconds=125))
    grace = add(resting, cluster, expires_at=ago(seconds=90))
    unprepared = add(resting, status="preparing", created_at=ago(seconds=3605))
    preparing = add(resting, status="preparing", created_at=ago(seconds=3500))
    stale = [add(resting, status=status, created_at=ago(hours=48, seconds=5)) for status in ("queued", "pending")]
    waiting = add(resting, status="queued", created_at=ago(hours=47))
    live = add(resting, cluster)
    resting.start()
    told = sweep(resting)
    assert found(told) == {"expired": 1, "failed": 1, "stale_cancelled": 2}
    assert told["reservations"] == 8 and told["dry_run"] is False
    assert ended(enqueued) == {over: "expired", unprepared: "failed"} | dict.fromkeys(stale, "cancelled")
    assert row(resting, over, "status, reservation_ended IS NOT NULL, failed_at") == ("expired", True, None)
    assert row(resting, unprepared, "status, failed_at IS NOT NULL, failure_reason") == (
        "failed", True, "it was not ready after an hour of preparation")
    assert row(resting, stale[0], "status, cancelled_at IS NOT NULL") == ("cancelled", True)
    assert [row(resting, id, "status")[0] for id in (grace, preparing, waiting, live)] == [
        "active", "preparing", "queued", "active"]
    # All that had to end has ended: a second sweep finds nothing more.
    assert found(sweep(resting)) == {}
    assert len(enqueued("reservation.tear-down")) == 4


@pytest.mark.parametrize("failure", [500, 403, 429, 0, "a page of some server on the way"])
def test_nobody_ends_because_the_pods_could_not_be_read(resting, cluster, enqueued, failure):
    lost = [add(resting, cluster, pod=False) for _ in range(3)]
    over = add(resting, cluster, expires_at=ago(hours=1))
    if isinstance(failure, str):
        cluster.fail(r"/pods", 404, body=f"<html>{failure}</html>", times=10**6)
    else:
        cluster.fail(r"/pods", failure, "InternalError", times=10**6)
    resting.start()
    assert found(sweep(resting)) == {"expired": 1, "unreadable": 3}
    assert ended(enqueued) == {over: "expired"}
    assert [row(resting, id, "status") for id in lost] == [("active",)] * 3


def test_a_pod_that_a_second_look_cannot_find_out_about_is_not_gone(resting, cluster, enqueued):
    add(resting, cluster, pod=False)
    cluster.fail(r"/pods/", 500, "InternalError", times=10**6)
    resting.start()
    assert found(sweep(resting)) == {"unreadable": 1}
    assert ended(enqueued) == {}


def test_who_has_lost_the_pod_ends_after_ten_minutes(resting, cluster, enqueued):
    lost = add(resting, cluster, pod=False, launched_at=ago(minutes=11))
    add(resting, cluster, pod=False, launched_at=ago(minutes=9))
    for _ in range(20):
        add(resting, cluster)
    resting.start()
    assert found(sweep(resting)) == {"expired": 1}
    assert ended(enqueued) == {lost: "expired"}
    # One list of all pods, and one look at the only pod that is not in it.
    assert cluster.count(r"/pods\?") == 1 and cluster.count(r"/pods/") == 1


def test_an_extension_under_the_sweeps_hands_is_respected(resting, proxy, cluster, enqueued):
    resting.environment["AWS_ENDPOINT_URL"] = proxy.url
    extended, over = (add(resting, cluster, expires_at=ago(minutes=5)) for _ in range(2))

    def extend(_: int) -> None:
        resting.rows("UPDATE reservations SET expires_at = %s WHERE reservation_id = %s", left(hours=2), extended)

    proxy.before("DescribeTargetGroups", extend)
    resting.start()
    sweep(resting)
    assert ended(enqueued) == {over: "expired"}
    assert row(resting, extended, "status, reservation_ended") == ("active", None)


def test_each_is_warned_once_by_the_nearest_of_30_15_and_5_minutes(resting, cluster):
    minutes = {31: None, 29.9: "30min", 14: "15min", 4: "5min"}
    tenants = {left_over: add(resting, cluster, expires_at=left(minutes=left_over)) for left_over in minutes}
    resting.rows("UPDATE reservations SET warnings_sent = NULL")
    resting.start()
    assert found(sweep(resting)) == {"warned": 3}
    settled = {31: None, 29.9: {"30min"}, 14: {"30min", "15min"}, 4: {"30min", "15min", "5min"}}
    for minute, tenant in tenants.items():
        sent, time, text = row(resting, tenant, "warnings_sent, last_warning_time, warning")
        keys = {f"{level}_warning_sent": True for level in settled[minute] or ()}
        assert (sent or {}) == keys
        if keys:
            assert abs(time - datetime.datetime.now(datetime.UTC).timestamp()) < 60
            assert f"ends in {math.ceil(minute)} minutes" in text
        else:
            assert (time, text) == (None, None)
    assert found(sweep(resting)) == {}
    # Time goes on, and who was warned at 30 minutes is warned at 15.
    resting.rows("UPDATE reservations SET expires_at = %s WHERE reservation_id = %s", left(minutes=12), tenants[29.9])
    assert found(sweep(resting)) == {"warned": 1}
    # An extension empties the list.
    resting.rows("UPDATE reservations SET warnings_sent = '{}' WHERE reservation_id = %s", tenants[14])
    assert found(sweep(resting)) == {"warned": 1}


def oom(name: str, finished: str | None, restarts: int = 1, **more) -> dict:
    killed = {"reason": "OOMKilled", "exitCode": 137} | ({"finishedAt": finished} if finished else {})
    return {
        "name": name, "ready": True, "restartCount": restarts, "state": {"running": {}},
        "lastState": {"terminated": killed}} | more


def test_containers_that_ran_out_of_memory_are_counted_once(resting, cluster):
    tenant = add(resting, cluster)
    pod = cluster.pod(f"gpu-dev-{tenant[:8]}")
    pod["status"]["containerStatuses"] = [
        oom("gpu-dev", "2026-01-02T03:04:05Z"), oom("sidecar", "2026-01-02T03:05:00Z"), oom("other", None, restarts=2)]
    resting.start()
    assert found(sweep(resting)) == {"oom_detected": 3}
    assert row(resting, tenant, "oom_count") == (3,)
    assert found(sweep(resting)) == {}
    pod["status"]["containerStatuses"] = [
        oom("gpu-dev", "2036-01-02T03:06:00Z", restarts=2), oom("sidecar", "2026-01-02T03:05:00Z"),
        oom("other", None, restarts=2)]
    assert found(sweep(resting)) == {"oom_detected": 1}
    count, container, time = row(resting, tenant, "oom_count, oom_container, last_oom_at")
    assert (count, container) == (4, "gpu-dev")
    assert time == datetime.datetime(2036, 1, 2, 3, 6, tzinfo=datetime.UTC)


def test_a_time_that_another_program_wrote_is_compared_as_a_time(resting, cluster):
    tenant = add(resting, cluster, last_oom_at="2026-01-02T04:04:05+01:00", oom_count=1)
    cluster.pod(f"gpu-dev-{tenant[:8]}")["status"]["containerStatuses"] = [oom("gpu-dev", "2026-01-02T03:04:05Z")]
    resting.start()
    assert found(sweep(resting)) == {}
    assert row(resting, tenant, "oom_count") == (1,)


def test_a_reservation_without_a_time_of_expiry_is_only_told_of(resting, cluster, enqueued):
    tenant = add(resting, pod=False, expires_at=None)
    resting.start()
    assert found(sweep(resting)) == {"without_expiry": 1}
    assert ended(enqueued) == {} and row(resting, tenant, "status") == ("active",)
    assert "has no time of expiry" in resting.logs()


def claim_name(system, name: str, reservation: str) -> None:
    system.rows(
        "INSERT INTO domain_mappings (domain_name, node_ip, node_port, reservation_id, expires_at)"
        " VALUES (%s, '10.0.1.7', 30022, %s, now())", name, reservation)


def claim_route(system, reservation: str) -> None:
    system.rows(
        "INSERT INTO alb_target_groups (reservation_id, domain_name, expires_at) VALUES (%s, 'x', now())", reservation)


def test_what_ended_reservations_left_behind_is_taken_up_again(resting, cluster, enqueued):
    named = add(resting, status="cancelled")
    claim_name(resting, "training", named)
    routed = add(resting, status="expired")
    claim_route(resting, routed)
    holding = add(resting, status="failed")
    resting.add_disk("alice", "home", in_use=True, reservation_id=holding)
    running = add(resting, status="cancelled")
    cluster.add_pod(f"gpu-dev-{running[:8]}", node="node-1")
    clean = add(resting, status="cancelled")
    resting.add_disk("alice", "old", in_use=False, reservation_id=clean)
    live = add(resting, cluster)
    claim_name(resting, "live", live)
    claim_route(resting, live)
    resting.add_disk("alice", "live", in_use=True, reservation_id=live)
    cluster.add_pod("gpu-dev-unknown", node="node-1")
    resting.start()
    assert found(sweep(resting)) == {"resumed": 4, "orphaned_names": 1}
    assert ended(enqueued) == {named: "cancelled", routed: "expired", holding: "failed", running: "cancelled"}
    # Within an hour it is the same job, which happens once.
    sweep(resting)
    assert len(enqueued("reservation.tear-down")) == 4


def test_what_somebody_is_at_is_not_taken_up_twice(resting, cluster, enqueued):
    busy, releasing, dead = (add(resting, status="cancelled", reservation_ended=ago(minutes=5)) for _ in range(3))
    claim_name(resting, "training", busy)
    resting.rows(
        "INSERT INTO job_ledger (job_id, kind, state, exclusive_key) VALUES"
        " (gen_random_uuid(), 'reservation.tear-down', 'waiting', %s)", f"reservation:{busy}")
    for disk, reservation, state in (("home", releasing, "waiting"), ("work", dead, "dead")):
        resting.add_disk("alice", disk, in_use=True, reservation_id=reservation)
        resting.rows(
            "INSERT INTO job_ledger (job_id, kind, state, exclusive_key, finished_at) VALUES"
            " (gen_random_uuid(), 'disk.release', %s, %s, now())", state, f"disk:alice/{disk}")
    resting.start()
    assert found(sweep(resting)) == {}
    assert ended(enqueued) == {}


def test_as_many_are_taken_up_again_as_one_sweep_may_end(resting, cluster, enqueued):
    for number in range(13):
        claim_name(resting, f"training-{number}", add(resting, status="cancelled"))
    resting.start()
    assert found(sweep(resting)) == {"resumed": 10, "orphaned_names": 13}
    assert len(enqueued("reservation.tear-down")) == 10
    # The others' turn comes, whatever has become of the first.
    eventually("all ten are known", lambda: resting.value(
        "SELECT count(*) FROM job_ledger WHERE kind = 'reservation.tear-down'") == 10)
    assert found(sweep(resting)) == {"resumed": 3, "orphaned_names": 13}
    assert len(enqueued("reservation.tear-down")) == 13


def make_group(cloud, name: str, manager: str | None, owner: str, vpc: str | None = None) -> str:
    tags = {"ReservationId": owner} | ({"ManagedBy": manager} if manager else {})
    group = boto3.client("elbv2").create_target_group(
        Name=name, Protocol="HTTP", Port=30888, VpcId=vpc or cloud.vpc, TargetType="instance",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    return group["TargetGroups"][0]["TargetGroupArn"]


def test_target_groups_without_a_live_reservation_are_found_by_their_tags(resting, cloud, cluster, enqueued):
    live, over = add(resting, cluster), add(resting, status="expired")
    forgotten = str(uuid.uuid4())
    other_vpc = boto3.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    make_group(cloud, "jupyter-live", "gpu-dev-worker", live)
    make_group(cloud, "jupyter-over", "gpu-dev-lambda", over)
    make_group(cloud, "jupyter-gone", "gpu-dev-worker", forgotten)
    make_group(cloud, "jupyter-def", None, "nobody")
    make_group(cloud, "another", "gpu-dev-worker", "a")
    make_group(cloud, "jupyter-elsewhere", "gpu-dev-worker", "b", other_vpc)
    resting.start()
    assert found(sweep(resting)) == {"orphaned_routes": 2}
    assert {payload["reservation_id"] for _, _, payload in enqueued("reservation.delete-target-group")} == {over, forgotten}


def test_a_target_group_that_goes_while_it_is_looked_at_hides_no_other(resting, proxy, cloud, cluster, enqueued):
    resting.environment["AWS_ENDPOINT_URL"] = proxy.url
    make_group(cloud, "jupyter-gone", "gpu-dev-worker", "gone")
    vanishing = make_group(cloud, "jupyter-vanishing", "gpu-dev-worker", "vanishing")
    groups = [group["TargetGroupArn"] for group in boto3.client("elbv2").describe_target_groups()["TargetGroups"]]
    # One that is gone fails the call for all (API reference, DescribeTags), and then the call for itself.
    refused = {1, 2 + groups.index(vanishing)}
    answer = Refused(400, "TargetGroupNotFound")
    proxy.before("DescribeTags", lambda number: answer if number in refused else None)
    resting.start()
    assert found(sweep(resting)) == {"orphaned_routes": 1}
    assert [payload for _, _, payload in enqueued("reservation.delete-target-group")] == [{"reservation_id": "gone"}]


def test_target_groups_that_cannot_be_read_are_nobodys_end(resting, proxy, cluster, enqueued):
    resting.environment["AWS_ENDPOINT_URL"] = proxy.url
    proxy.refuse("DescribeTargetGroups", 403, "AccessDenied")
    over = add(resting, cluster, expires_at=ago(hours=1))
    resting.start()
    assert found(sweep(resting)) == {"expired": 1, "orphaned_routes": None}
    assert ended(enqueued) == {over: "expired"}


def test_as_many_as_there_are_expire_when_their_time_is_up(resting, cluster, enqueued):
    """A time that is noted and has passed is no sign of a misreading."""
    over = [add(resting, cluster, expires_at=ago(hours=1)) for _ in range(11)]
    warned = add(resting, cluster, expires_at=left(minutes=10))
    resting.start()
    assert found(sweep(resting)) == {"expired": 11, "warned": 1}
    assert ended(enqueued) == dict.fromkeys(over, "expired")
    assert row(resting, warned, "warnings_sent ->> '15min_warning_sent'") == ("true",)


def test_more_than_one_run_may_end_are_ended_by_the_next(resting, cluster, enqueued):
    for _ in range(11):
        add(resting, status="queued", created_at=ago(hours=49))
    over = add(resting, cluster, expires_at=ago(hours=1))
    resting.start()
    assert found(sweep(resting)) == {"expired": 1, "stale_cancelled": 10, "deferred": 1}
    assert ended(enqueued)[over] == "expired" and len(ended(enqueued)) == 11
    scraped = resting.replicas[0].admin.scrape()
    assert scraped.total("gpudev_sweep_deferred_total", **{"class": "overdue"}) == 1
    assert found(sweep(resting)) == {"stale_cancelled": 1, "resumed": 1}
    assert len(ended(enqueued)) == 12 and not resting.depth("reservations.dead")


@pytest.mark.parametrize(("count", "place"), [(2, "gpu-dev"), (5, "gpu-dve"), (12, "gpu-dev")])
def test_pods_that_are_all_gone_at_once_are_a_misreading(resting, cluster, enqueued, count, place):
    """The list of a namespace that does not exist is empty and no error, and each pod in it is not found."""
    lost = [add(resting, cluster, pod=place != "gpu-dev") for _ in range(count)]
    over = add(resting, expires_at=ago(hours=1))
    resting.start(KUBERNETES_NAMESPACE=place)
    assert found(sweep(resting)) == {"expired": 1, "unreadable": count, "deferred": count}
    assert ended(enqueued) == {over: "expired"}
    assert {row(resting, each, "status") for each in lost} == {("active",)}
    # Nor is each of them asked for.
    assert cluster.count(r"/pods/") == 0
    assert "no reservation has a pod in the namespace" in resting.logs()
    # No letter for it, however often: the event and the metric say so.
    assert not resting.depth("reservations.dead")
    scraped = resting.replicas[0].admin.scrape()
    assert scraped.total("gpudev_sweep_deferred_total", **{"class": "without-pod"}) == count


def test_one_pod_that_is_there_proves_the_list(resting, cluster, enqueued):
    for _ in range(12):
        add(resting, cluster, pod=False)
    add(resting, cluster)
    resting.start()
    assert found(sweep(resting)) == {"expired": 10, "deferred": 2}
    assert found(sweep(resting)) == {"expired": 2}
    assert len(ended(enqueued)) == 12


def test_too_many_orphaned_target_groups_stop_nobodys_end(resting, cloud, cluster, enqueued):
    for number in range(11):
        make_group(cloud, f"jupyter-{number}", "gpu-dev-worker", f"gone-{number}")
    over = add(resting, cluster, expires_at=ago(hours=1))
    resting.start()
    assert found(sweep(resting)) == {"expired": 1, "orphaned_routes": 11, "deferred": 1}
    assert ended(enqueued) == {over: "expired"}
    assert len(enqueued("reservation.delete-target-group")) == 10
    # The last one's turn comes, whatever has become of the first.
    eventually("all ten are known", lambda: resting.value(
        "SELECT count(*) FROM job_ledger WHERE kind = 'reservation.delete-target-group'") == 10)
    resting.rows("UPDATE job_ledger SET state = 'dead' WHERE kind = 'reservation.delete-target-group'")
    sweep(resting)
    assert len(enqueued("reservation.delete-target-group")) == 11


@pytest.mark.parametrize("step", ["+1d", "-1d"])
def test_the_clock_of_a_replica_ends_and_warns_nobody(resting, enqueued, step):
    over = add(resting, expires_at=ago(hours=1))
    for _ in range(3):
        add(resting)
    warned = add(resting, expires_at=left(minutes=10))
    queued = add(resting, status="queued", created_at=ago(hours=30))
    resting.start_at(step)
    assert found(sweep(resting)) == {"expired": 1, "warned": 1}
    assert ended(enqueued) == {over: "expired"}
    assert "ends in 10 minutes" in row(resting, warned, "warning")[0]
    assert row(resting, queued, "status") == ("queued",)


def test_all_live_reservations_are_looked_at_however_many(resting, cluster, enqueued):
    resting.rows(
        "INSERT INTO reservations (reservation_id, user_id, status, duration_hours, created_at, expires_at, pod_name)"
        " SELECT 'r-' || n, 'alice', 'active', 4, now() - interval '1 h', now() + interval '1 h', 'gpu-dev-' || n"
        " FROM generate_series(1, 1200) AS n")
    for number in range(1, 1201):
        cluster.add_pod(f"gpu-dev-{number}", node="node-1")
    resting.rows("UPDATE reservations SET expires_at = now() - interval '1 h' WHERE reservation_id IN ('r-1', 'r-999')")
    resting.start()
    told = sweep(resting)
    assert told["reservations"] == 1200 and found(told) == {"expired": 2}
    assert ended(enqueued) == {"r-1": "expired", "r-999": "expired"}
    assert cluster.count(r"/pods\?") == 3


@pytest.mark.parametrize("how", ["payload", "worker"])
def test_a_dry_run_only_tells(resting, cloud, cluster, enqueued, how):
    add(resting, cluster, expires_at=ago(hours=1))
    add(resting, cluster, expires_at=left(minutes=10))
    named = add(resting, status="cancelled")
    claim_name(resting, "training", named)
    make_group(cloud, "jupyter-gone", "gpu-dev-worker", "gone")
    before = resting.rows("SELECT * FROM reservations ORDER BY reservation_id")
    resting.start(DRY_RUN="true" if how == "worker" else "false")
    told = sweep(resting, **({"dry_run": True} if how == "payload" else {}))
    assert told["dry_run"] is True
    assert found(told) == {"warned": 1, "expired": 1, "resumed": 1, "orphaned_names": 1, "orphaned_routes": 1}
    assert found_jobs(enqueued) == [] and resting.rows("SELECT * FROM reservations ORDER BY reservation_id") == before


def test_a_sweep_survives_death_between_its_reading_and_its_writing(resting, cluster, enqueued):
    over = add(resting, cluster, expires_at=ago(hours=1))
    job = resting.publish(KIND, {})
    doomed = resting.start_doomed(GPUDEV_KILL_AT="acted")
    eventually("the worker dies", lambda: not doomed.is_alive)
    assert row(resting, over, "status") == ("active",) and found_jobs(enqueued) == []
    resting.start()
    assert resting.event(job)["data"]["expired"] == 1
    assert ended(enqueued) == {over: "expired"}


def test_who_is_over_is_gone_in_the_end(system, cluster, enqueued):
    over = add(system, cluster, expires_at=ago(hours=1))
    system.add_disk("alice", "home", in_use=True, reservation_id=over)
    system.start()
    sweep(system)
    eventually("the pod is gone", lambda: system.hurry() or cluster.names("pods") == set())
    released = eventually("the disk is released", lambda: system.hurry() or enqueued("disk.release"))
    assert [payload["reservation_id"] for _, _, payload in released] == [over]
    assert row(system, over, "status") == ("expired",)
    assert found(sweep(system)) in ({}, {"resumed": 1})
