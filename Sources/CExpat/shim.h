#ifndef GPUDEV_CEXPAT_SHIM_H
#define GPUDEV_CEXPAT_SHIM_H

#include <expat.h>

#endif
