// Linux system calls that Swift can't import by itself: variadic ones, those behind _GNU_SOURCE, macros with
// arguments. Each returns what the C library's function returns; the error is in errno.
#ifndef CLINUX_H
#define CLINUX_H

#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

struct clinux_stat {
    uint64_t ino;
    uint64_t size;
    uint64_t blocks;
    uint64_t dev;
    uint64_t rdev;
    uint32_t mode;
    uint32_t nlink;
    uint32_t uid;
    uint32_t gid;
    uint32_t blksize;
    int64_t atime_sec, mtime_sec, ctime_sec, btime_sec;
    uint32_t atime_nsec, mtime_nsec, ctime_nsec, btime_nsec;
};

int clinux_openat(int dirfd, const char *path, int flags, unsigned mode);
int clinux_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int clinux_statx(int dirfd, const char *path, int flags, struct clinux_stat *out);
int clinux_renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned flags);
ssize_t clinux_getdents64(int fd, void *buffer, size_t size);
int clinux_syncfs(int fd);
int clinux_sync_file_range(int fd, int64_t offset, int64_t count, unsigned flags);
int clinux_eventfd(void);
int clinux_pipe2(int fds[2], int flags);
int clinux_accept4(int fd, int flags);
// Fills at most *size bytes, and says in *size how many; fid: any handle that tells files apart will do.
int clinux_file_handle(int fd, int fid, int32_t *type, void *bytes, unsigned *size);
// 1 if the file is the root of a mount, 0 if not or unknown.
int clinux_is_mount_root(int fd);
unsigned clinux_major(uint64_t dev);
unsigned clinux_minor(uint64_t dev);
int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first);
const char *clinux_strerror_name(int error);

extern const int clinux_AT_EMPTY_PATH;
extern const long clinux_UTIME_NOW;
extern const long clinux_UTIME_OMIT;
extern const int clinux_O_PATH;
extern const int clinux_O_TMPFILE;
extern const int clinux_SEEK_DATA;
extern const int clinux_SEEK_HOLE;
extern const unsigned clinux_RENAME_NOREPLACE;
extern const unsigned clinux_RENAME_EXCHANGE;
extern const uint64_t clinux_RESOLVE_BENEATH;
extern const uint64_t clinux_RESOLVE_IN_ROOT;
extern const uint64_t clinux_RESOLVE_NO_MAGICLINKS;
extern const uint64_t clinux_RESOLVE_NO_SYMLINKS;
extern const uint64_t clinux_RESOLVE_NO_XDEV;

#endif
