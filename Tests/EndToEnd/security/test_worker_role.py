"""Every kind once more, by a worker that logs in with the rights of docs/database-roles.sql and no others."""

import pytest

from EndToEnd.disks.test_capture_contents import bucket, test_the_listing_lies_under_a_key_that_follows_from_the_job  # noqa: F401
from EndToEnd.disks.test_delete_and_undelete import (  # noqa: F401
    test_a_deleted_disk_and_its_snapshots_carry_the_day,
    test_an_undeleted_disk_has_all_its_data_again,
)
from EndToEnd.disks.test_prune_snapshots import (  # noqa: F401
    test_the_row_says_what_one_listing_has_however_often_it_is_told,
    test_what_is_due_goes_with_its_row_and_what_lives_is_kept,
)
from EndToEnd.disks.test_reconcile_all import test_rows_follow_their_volumes_and_then_rest  # noqa: F401
from EndToEnd.disks.test_release import test_the_data_goes_into_a_snapshot_and_the_volume_away  # noqa: F401
from EndToEnd.disks.test_restore import test_the_newest_good_snapshot_of_this_disk_becomes_the_volume  # noqa: F401
from EndToEnd.jobs.test_each_kind import (  # noqa: F401
    test_a_disk_is_created_once_for_ten_messages,
    test_a_reservation_gets_a_name_and_keeps_it,
    test_a_route_is_made_once_and_adopted_afterwards,
    test_a_snapshot_is_taken_once_for_ten_messages_to_two_workers,
    test_a_volume_is_brought_into_the_tables_and_followed,
)
from EndToEnd.reservations.test_host_names_and_routes import reservation, test_what_is_absent_already_is_done  # noqa: F401
from EndToEnd.reservations.test_sweep import resting, test_who_is_over_ends_with_the_sweeps_own_transaction  # noqa: F401
from EndToEnd.reservations.test_tear_down import tenancy, test_a_cancelled_reservation_loses_all_it_had  # noqa: F401
from harness.accounts import give_roles, login, take_roles


@pytest.fixture(autouse=True)
def role(system):
    system.account = {"DATABASE_URL": login(system.environment["DATABASE_URL"], give_roles(system)["worker"])}
    yield
    for replica in system.replicas:
        replica.kill()
    take_roles(system)


def test_capacity_is_counted(system, kubernetes):
    system.environment |= kubernetes.settings()
    kubernetes.add_node("node-1")
    system.start()
    job = system.publish("capacity.refresh", {})
    assert system.event(job)["type"] == "capacity.refresh.completed"
