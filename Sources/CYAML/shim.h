#ifndef GPUDEV_CYAML_SHIM_H
#define GPUDEV_CYAML_SHIM_H

#include <yaml.h>

#endif
