#ifndef CLZMA_SHIM_H
#define CLZMA_SHIM_H

#include <lzma.h>

/* A macro with a cast, which Swift can't import. */
static const uint32_t clzma_concatenated = LZMA_CONCATENATED;

#endif
