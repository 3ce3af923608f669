#ifndef GPUDEV_CPOSTGRES_SHIM_H
#define GPUDEV_CPOSTGRES_SHIM_H

#include <libpq-fe.h>

/* Character constants, which Swift cannot read from macros. */
static const int cpostgres_severity = PG_DIAG_SEVERITY_NONLOCALIZED;
static const int cpostgres_sqlstate = PG_DIAG_SQLSTATE;
static const int cpostgres_message = PG_DIAG_MESSAGE_PRIMARY;
static const int cpostgres_constraint = PG_DIAG_CONSTRAINT_NAME;
static const int cpostgres_table = PG_DIAG_TABLE_NAME;
static const int cpostgres_source_function = PG_DIAG_SOURCE_FUNCTION;

#endif
