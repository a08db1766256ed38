#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int clinux_openat(int dirfd, const char *path, int flags, unsigned mode) { return openat(dirfd, path, flags, mode); }

int clinux_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

int clinux_statx(int dirfd, const char *path, int flags, struct clinux_stat *out) {
    struct statx s;
    if (statx(dirfd, path, flags | AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS | STATX_BTIME, &s) != 0)
        return -1;
    *out = (struct clinux_stat){
        .ino = s.stx_ino,
        .size = s.stx_size,
        .blocks = s.stx_blocks,
        .dev = makedev(s.stx_dev_major, s.stx_dev_minor),
        .rdev = makedev(s.stx_rdev_major, s.stx_rdev_minor),
        .mode = s.stx_mode,
        .nlink = s.stx_nlink,
        .uid = s.stx_uid,
        .gid = s.stx_gid,
        .blksize = s.stx_blksize,
        .atime_sec = s.stx_atime.tv_sec,
        .mtime_sec = s.stx_mtime.tv_sec,
        .ctime_sec = s.stx_ctime.tv_sec,
        .btime_sec = s.stx_mask & STATX_BTIME ? s.stx_btime.tv_sec : 0,
        .atime_nsec = s.stx_atime.tv_nsec,
        .mtime_nsec = s.stx_mtime.tv_nsec,
        .ctime_nsec = s.stx_ctime.tv_nsec,
        .btime_nsec = s.stx_mask & STATX_BTIME ? s.stx_btime.tv_nsec : 0,
    };
    return 0;
}

int clinux_renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned flags) {
    return renameat2(olddirfd, oldpath, newdirfd, newpath, flags);
}

ssize_t clinux_getdents64(int fd, void *buffer, size_t size) { return syscall(SYS_getdents64, fd, buffer, size); }

int clinux_syncfs(int fd) { return syncfs(fd); }

int clinux_sync_file_range(int fd, int64_t offset, int64_t count, unsigned flags) {
    return sync_file_range(fd, offset, count, flags);
}

int clinux_eventfd(void) { return eventfd(0, EFD_CLOEXEC); }

int clinux_pipe2(int fds[2], int flags) { return pipe2(fds, flags); }

int clinux_accept4(int fd, int flags) { return accept4(fd, NULL, NULL, flags); }

int clinux_file_handle(int fd, int fid, int32_t *type, void *bytes, unsigned *size) {
    const int any_handle = 0x200; // AT_HANDLE_FID, since Linux 6.5
    struct {
        struct file_handle head;
        unsigned char bytes[MAX_HANDLE_SZ];
    } handle = {.head.handle_bytes = MAX_HANDLE_SZ};
    int mount_id;
    if (name_to_handle_at(fd, "", &handle.head, &mount_id, AT_EMPTY_PATH | (fid ? any_handle : 0)) != 0)
        return -1;
    if (handle.head.handle_bytes > *size) {
        errno = EOVERFLOW;
        return -1;
    }
    *type = handle.head.handle_type;
    *size = handle.head.handle_bytes;
    memcpy(bytes, handle.head.f_handle, handle.head.handle_bytes);
    return 0;
}

int clinux_is_mount_root(int fd) {
    struct statx s;
    if (statx(fd, "", AT_EMPTY_PATH, 0, &s) != 0)
        return 0;
    return (s.stx_attributes_mask & s.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

unsigned clinux_major(uint64_t dev) { return major(dev); }
unsigned clinux_minor(uint64_t dev) { return minor(dev); }

int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

const char *clinux_strerror_name(int error) { return strerrorname_np(error); }

const int clinux_AT_EMPTY_PATH = AT_EMPTY_PATH;
const long clinux_UTIME_NOW = UTIME_NOW;
const long clinux_UTIME_OMIT = UTIME_OMIT;
const int clinux_O_PATH = O_PATH;
const int clinux_O_TMPFILE = O_TMPFILE;
const int clinux_SEEK_DATA = SEEK_DATA;
const int clinux_SEEK_HOLE = SEEK_HOLE;
const unsigned clinux_RENAME_NOREPLACE = RENAME_NOREPLACE;
const unsigned clinux_RENAME_EXCHANGE = RENAME_EXCHANGE;
const uint64_t clinux_RESOLVE_BENEATH = RESOLVE_BENEATH;
const uint64_t clinux_RESOLVE_IN_ROOT = RESOLVE_IN_ROOT;
const uint64_t clinux_RESOLVE_NO_MAGICLINKS = RESOLVE_NO_MAGICLINKS;
const uint64_t clinux_RESOLVE_NO_SYMLINKS = RESOLVE_NO_SYMLINKS;
const uint64_t clinux_RESOLVE_NO_XDEV = RESOLVE_NO_XDEV;
