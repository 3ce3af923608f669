#ifndef GPUDEV_CPOSTGRES_SHIM_H
#define GPUDEV_CPOSTGRES_SHIM_H

#include <libpq-fe.h>

#endif
