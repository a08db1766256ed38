#ifndef CLIBUSB_SHIM_H
#define CLIBUSB_SHIM_H

#include <libusb.h>

#endif
