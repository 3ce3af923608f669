"""PostgreSQL restarted, away, read-only, full, crowded, or refusing what it usually takes."""

import threading
import time

import pytest
from system import eventually
from world import services


@pytest.mark.experiment(11, "PostgreSQL restarted, killed, down, read-only")
@pytest.mark.parametrize("options", [(), ("--kill",)], ids=["in order", "killed"])
def test_restarts(world, options):
    world.start(2)
    with world.flooding(200, per_second=40):
        for _ in range(world.size(2, 5)):
            services("restart", "postgres", *options)
            world.recover()
    world.verdict()
    assert world.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.mark.experiment(11, "PostgreSQL restarted, killed, down, read-only")
def test_a_long_absence(world):
    world.start(2)
    jobs = world.load.draw(200)
    world.submit(jobs[:100])
    services("stop", "postgres")
    world.submit(jobs[100:])
    time.sleep(world.size(12, 60))
    services("start", "postgres")
    world.recover()
    world.verdict()
    assert world.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.mark.experiment(11, "PostgreSQL restarted, killed, down, read-only")
def test_a_server_that_only_reads(world):
    """What a failover looks like from a connection to the old primary: 25006 for every write."""
    world.start(2)
    with world.flooding(200, per_second=40):
        time.sleep(1)
        world.rows(f'ALTER DATABASE "{world.prefix}" SET default_transaction_read_only = on')
        world.end_sessions()
        time.sleep(world.size(5, 30))
        world.rows(f'ALTER DATABASE "{world.prefix}" RESET default_transaction_read_only')
        world.end_sessions()
    world.recover()
    world.verdict()
    assert world.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.mark.experiment(12, "Serialization failures, deadlocks and lock timeouts, one statement in five")
def test_collisions(world):
    world.rows("""
        CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF random() < 0.2 THEN
                RAISE EXCEPTION 'an injected collision'
                    USING ERRCODE = (ARRAY['40001', '40P01', '55P03'])[1 + floor(random() * 3)::int];
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER collide BEFORE INSERT OR UPDATE ON job_ledger FOR EACH ROW EXECUTE FUNCTION collide();
        CREATE TRIGGER collide BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION collide();
        """)
    world.start(2)
    world.flood(world.size(200, 1000))
    eventually("all is done", lambda: world.waiting() == 0, 120)
    world.rows("DROP TRIGGER collide ON job_ledger; DROP TRIGGER collide ON outbox")
    world.recover()
    world.verdict()
    assert world.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.mark.experiment(13, "PostgreSQL's disk full, its connections used up, sessions ended")
def test_no_connection_is_left(world):
    world.start(2)
    with world.flooding(200, per_second=40):
        time.sleep(1)
        world.rows(f'ALTER DATABASE "{world.prefix}" CONNECTION LIMIT 3')
        world.end_sessions()
        time.sleep(world.size(5, 30))
        world.rows(f'ALTER DATABASE "{world.prefix}" CONNECTION LIMIT -1')
    world.recover()
    world.verdict()


@pytest.mark.experiment(13, "PostgreSQL's disk full, its connections used up, sessions ended")
def test_sessions_are_ended_again_and_again(world):
    ended = threading.Event()
    world.start(2)

    def end_sessions() -> None:
        while not ended.wait(world.random.uniform(0.1, 0.6)):
            world.end_sessions()

    thread = threading.Thread(target=end_sessions)
    thread.start()
    world.flood(200, per_second=world.size(40, 10))
    ended.set()
    thread.join()
    world.recover()
    world.verdict()
    assert world.count("job_attempts WHERE fate = 'retry'") == 0
