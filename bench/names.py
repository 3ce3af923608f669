"""The names of the rows of the part throughput."""

LIMIT, FIVE_TRIPS = "PostgreSQL alone, one round trip", "PostgreSQL alone, five round trips"
ONE, TWO = "one worker", "two workers"
C_ONE, C_TWO, GO = "C, one round trip", "C, two round trips", "Go"
DRAMATIQ, CELERY, AWA = "Dramatiq", "Celery", "awa, another job"
