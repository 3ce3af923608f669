#ifndef GPUDEV_CPOSTGRES_SHIM_H
#define GPUDEV_CPOSTGRES_SHIM_H

#include <libpq-fe.h>

/* Character constants, which Swift does not import. */
static const int cpostgres_field_sqlstate = PG_DIAG_SQLSTATE;
static const int cpostgres_field_message = PG_DIAG_MESSAGE_PRIMARY;
static const int cpostgres_field_constraint = PG_DIAG_CONSTRAINT_NAME;

#endif
