// What the board's program needs of Linux, for Embedded Swift: system calls that return -errno, threads, locks, atomic words.
// No logic. The header knows no libc, as the board's modules are compiled without one.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifndef __clang__  // which tells Swift what may be NULL
#define _Nonnull
#define _Nullable
#endif

// Files. Paths end with NUL.
int32_t board_open_in(const char *_Nonnull directory, const char *_Nonnull name);  // O_RDWR | O_CLOEXEC, of both together
int32_t board_open_write(const char *_Nonnull path);        // O_WRONLY | O_CLOEXEC
void board_close(int32_t fd);
intptr_t board_read(int32_t fd, void *_Nullable bytes, size_t count);
intptr_t board_write(int32_t fd, const void *_Nullable bytes, size_t count);
int32_t board_exists(const char *_Nonnull path);
int32_t board_unlink(const char *_Nonnull path);
int32_t board_create(const char *_Nonnull path);            // O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
int32_t board_write_pid(int32_t fd);                        // the whole content: this process' number
// As mount(8) -t 9p: the flags among the options are taken out.
int32_t board_mount_9p(const char *_Nonnull source, const char *_Nonnull target, const char *_Nonnull options,
                       const char *_Nullable more);

// Sockets of the address family AF_UNIX.
int32_t board_listen(const char *_Nonnull path);            // one client may wait
int32_t board_accept(int32_t fd, size_t room);              // room: bytes that may wait there for the client
intptr_t board_receive(int32_t fd, void *_Nonnull bytes, size_t count);
void board_wait_for_bytes(int32_t fd);                      // or until its other end has closed
intptr_t board_send(int32_t fd, const void *_Nonnull bytes, size_t count);  // MSG_NOSIGNAL

// FunctionFS: what ep0 tells, and how a request is stalled.
enum { BOARD_EVENT_BIND, BOARD_EVENT_UNBIND, BOARD_EVENT_ENABLE, BOARD_EVENT_DISABLE, BOARD_EVENT_SETUP, BOARD_EVENT_SUSPEND,
       BOARD_EVENT_RESUME };
// The next event of ep0, a BOARD_EVENT; a request to the interface is stalled first.
int32_t board_next_event(int32_t ep0);
// The packet size of an endpoint at the speed in use, in bytes.
int32_t board_packet_size(int32_t endpoint);

// Waits until one of the descriptors can be read, or a child has ended; -1 leaves a descriptor out. Bit 0: the first, bit 1: the
// second, bit 5: the third, bit 2: a child, bit 3: SIGTERM, bit 4: SIGUSR1. None: the time is over; -1 milliseconds are for ever.
int32_t board_wait(int32_t first, int32_t second, int32_t third, int32_t signals, int32_t milliseconds);
int32_t board_signals(void);  // a descriptor for SIGCHLD, SIGTERM and SIGUSR1; the other usual ones are ignored
int32_t board_reap(void);     // the number of a child that has ended; 0 if there is none
int32_t board_watch(int32_t pid);  // a descriptor that can be read when the process has ended (pidfd_open)

// Processes.
int32_t board_fork(void);
int32_t board_pid(void);
// Waits until the parent gives the turn, or has ended: 1, or 0. Allocates nothing: SIGUSR2, which board_signals has blocked.
int32_t board_wait_for_turn(int32_t parent);
void board_give_turn(int32_t pid);
void board_exit(int32_t status) __attribute__((noreturn));
void board_kill(int32_t pid);
void board_detach(void);      // a session of its own, without a terminal: its three standard files are /dev/null
void board_pause(void);
// Nothing of this process is paged out, the kernel does not kill it for memory, no helper is started when it crashes, and no
// service's end is its end. What of it was refused: a text, or NULL.
const char *_Nullable board_protect(void);
int32_t board_lock_memory(void);
// A pipe: the end to read from, and the end to write to.
int32_t board_pipe(int32_t ends[_Nonnull 2]);

// Memory that forked processes share, of zeros; NULL if there is none.
void *_Nullable board_shared_memory(size_t size);
uint32_t board_load(const uint32_t *_Nonnull word);
void board_store(uint32_t *_Nonnull word, uint32_t value);
void board_add(uint32_t *_Nonnull word, uint32_t value);
// Sleeps as long as the word, in shared memory, has the value; 0 if that was for so many milliseconds. 0 milliseconds are for ever.
int32_t board_sleep_while(uint32_t *_Nonnull word, uint32_t value, int32_t milliseconds);
void board_wake(uint32_t *_Nonnull word);
void board_sleep_milliseconds(int32_t milliseconds);

// Threads, locks and one condition of the calling process.
int32_t board_start_thread(void (*_Nonnull body)(void));
enum { BOARD_LOCK_TABLE, BOARD_LOCK_WIRE, BOARD_LOCK_CLIENT, BOARD_LOCKS };
void board_lock(int32_t which);
void board_unlock(int32_t which);
void board_wait_for_room(void);    // with BOARD_LOCK_TABLE
void board_signal_room(void);

// Errno's text, and a line to a descriptor: the parts one after the other, each may be NULL.
const char *_Nonnull board_error_text(int32_t error);
void board_say(int32_t fd, const char *_Nullable a, const char *_Nullable b, const char *_Nullable c, const char *_Nullable d);
