#ifndef CEXT2FS_SHIM_H
#define CEXT2FS_SHIM_H

#include <et/com_err.h>
#include <ext2fs/ext2fs.h>

/* The manager is a mutable global, which Swift can't touch. */
static inline errcode_t cext2fs_open(const char *name, const char *options, int flags, ext2_filsys *filesystem) {
    return ext2fs_open2(name, options, flags, 0, 0, unix_io_manager, filesystem);
}

static inline errcode_t cext2fs_initialize(const char *name, struct ext2_super_block *parameters,
                                           ext2_filsys *filesystem) {
    return ext2fs_initialize(name, EXT2_FLAG_64BITS | EXT2_FLAG_RW, parameters, unix_io_manager, filesystem);
}

/* Macros with casts. */
enum { cext2fs_xattr_raw = XATTR_HANDLE_FLAG_RAW };

#endif
