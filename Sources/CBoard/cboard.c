#define _GNU_SOURCE
#include "cboard.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/usb/functionfs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static intptr_t result(intptr_t value) { return value < 0 ? -errno : value; }

int32_t board_open_in(const char *directory, const char *name) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s", directory, name) >= (int)sizeof path) return -ENAMETOOLONG;
    return result(open(path, O_RDWR | O_CLOEXEC));
}
int32_t board_open_write(const char *path) { return result(open(path, O_WRONLY | O_CLOEXEC)); }
void board_close(int32_t fd) { close(fd); }
intptr_t board_read(int32_t fd, void *bytes, size_t count) { return result(read(fd, bytes, count)); }
intptr_t board_write(int32_t fd, const void *bytes, size_t count) { return result(write(fd, bytes, count)); }
int32_t board_exists(const char *path) { return access(path, F_OK) == 0; }
int32_t board_unlink(const char *path) { return result(unlink(path)); }

int32_t board_create(const char *path) { return result(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)); }

int32_t board_write_pid(int32_t fd) {
    char text[16];
    int size = snprintf(text, sizeof text, "%d\n", getpid());
    if (pwrite(fd, text, size, 0) < 0) return -errno;
    return result(ftruncate(fd, size));
}

int32_t board_mount_9p(const char *source, const char *target, const char *options, const char *more) {
    static const struct { const char *name; unsigned long set, clear; } flags[] = {
        {"ro", MS_RDONLY, 0},       {"rw", 0, MS_RDONLY},           {"nosuid", MS_NOSUID, 0},   {"suid", 0, MS_NOSUID},
        {"nodev", MS_NODEV, 0},     {"dev", 0, MS_NODEV},           {"noexec", MS_NOEXEC, 0},   {"exec", 0, MS_NOEXEC},
        {"noatime", MS_NOATIME, 0}, {"relatime", MS_RELATIME, 0},   {"sync", MS_SYNCHRONOUS, 0}, {"defaults", 0, 0},
        {"nodiratime", MS_NODIRATIME, 0},
    };
    char all[4096], kept[4096] = "";
    if (snprintf(all, sizeof all, "%s%s%s", options, more ? "," : "", more ?: "") >= (int)sizeof all) return -E2BIG;
    unsigned long set = 0;
    for (char *rest = all, *word; (word = strsep(&rest, ","));) {
        size_t flag = 0;
        while (flag < sizeof flags / sizeof *flags && strcmp(word, flags[flag].name)) flag++;
        if (flag < sizeof flags / sizeof *flags) {
            set = (set | flags[flag].set) & ~flags[flag].clear;
        } else if (*word) {
            if (*kept) strcat(kept, ",");
            strcat(kept, word);
        }
    }
    return result(mount(source, target, "9p", set, kept));
}

int32_t board_listen(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 0) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int32_t board_accept(int32_t fd, size_t room) {
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) return -errno;
    // What fits is sent without a wait for the kernel's client to take it.
    int bytes = room;
    setsockopt(client, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    return client;
}
intptr_t board_receive(int32_t fd, void *bytes, size_t count) { return result(recv(fd, bytes, count, 0)); }

void board_wait_for_bytes(int32_t fd) {
    struct pollfd readable = {fd, POLLIN, 0};
    poll(&readable, 1, -1);
}

intptr_t board_send(int32_t fd, const void *bytes, size_t count) { return result(send(fd, bytes, count, MSG_NOSIGNAL)); }

int32_t board_next_event(int32_t ep0) {
    struct usb_functionfs_event event;
    ssize_t count = read(ep0, &event, sizeof event);
    if (count < 0) return -errno;
    if (count != sizeof event) return -EIO;
    if (event.type == FUNCTIONFS_SETUP) {
        // I/O in the other direction stalls it.
        ssize_t stalled = event.u.setup.bRequestType & USB_DIR_IN ? read(ep0, NULL, 0) : write(ep0, NULL, 0);
        (void)stalled;
    }
    return event.type;
}

int32_t board_packet_size(int32_t endpoint) {
    struct usb_endpoint_descriptor descriptor;
    if (ioctl(endpoint, FUNCTIONFS_ENDPOINT_DESC, &descriptor) < 0) return -errno;
    return descriptor.wMaxPacketSize & 0x7ff;
}

int32_t board_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    sigset_t blocked = signals;
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    return result(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

int32_t board_wait(int32_t first, int32_t second, int32_t third, int32_t signals, int32_t milliseconds) {
    struct pollfd fds[4] = {{first, POLLIN, 0}, {second, POLLIN, 0}, {third, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(fds, 4, milliseconds) < 0) return errno == EINTR ? 0 : -errno;
    int32_t ready = (fds[0].revents ? 1 : 0) | (fds[1].revents ? 2 : 0) | (fds[2].revents ? 32 : 0);
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == sizeof info)
        ready |= info.ssi_signo == SIGTERM ? 8 : info.ssi_signo == SIGUSR1 ? 16 : 4;
    return ready;
}

int32_t board_reap(void) {
    pid_t ended = waitpid(-1, NULL, WNOHANG);
    return ended > 0 ? ended : 0;
}

int32_t board_watch(int32_t pid) { return result(syscall(SYS_pidfd_open, pid, 0)); }
int32_t board_pid(void) { return getpid(); }

int32_t board_wait_for_turn(int32_t parent) {
    sigset_t turn;
    sigemptyset(&turn);
    sigaddset(&turn, SIGUSR2);
    prctl(PR_SET_PDEATHSIG, SIGUSR2);
    // It may have died before that was asked for.
    if (getppid() == parent) sigwaitinfo(&turn, NULL);
    return getppid() == parent;
}

void board_give_turn(int32_t pid) { kill(pid, SIGUSR2); }

int32_t board_fork(void) { return result(fork()); }
void board_exit(int32_t status) { _exit(status); }
void board_kill(int32_t pid) { kill(pid, SIGKILL); }
void board_pause(void) { for (;;) pause(); }
int32_t board_lock_memory(void) { return result(mlockall(MCL_CURRENT | MCL_FUTURE)); }
int32_t board_pipe(int32_t ends[2]) { return result(pipe2(ends, O_CLOEXEC)); }

void board_detach(void) {
    setsid();
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3 && null >= 0; fd++) dup2(null, fd);
    if (null > 2) close(null);
    if (chdir("/") < 0) { /* it stays where it is */ }
}

static int write_word(const char *path, const char *word) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t written = write(fd, word, strlen(word));
    int error = errno;
    close(fd);
    errno = error;
    return written < 0 ? -1 : 0;
}

const char *board_protect(void) {
    const char *refused = NULL;
    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) refused = "mlockall";
    // Since Linux 5.6: what the kernel does for this process never waits for writeback, which waits for this process.
    if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0) refused = "PR_SET_IO_FLUSHER";
    if (write_word("/proc/self/oom_score_adj", "-1000") < 0) refused = "oom_score_adj";
    // A helper that takes a core dump would be read from the root, which waits for the process that has crashed.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) refused = "PR_SET_DUMPABLE";
    // A service that has started this may be stopped, and all that is in its control group with it.
    static const char *const groups[] = {"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs",
                                         "/sys/fs/cgroup/systemd/cgroup.procs"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (write_word(groups[i], "0") < 0 && errno != ENOENT) refused = "leaving its control group";
    return refused;
}

void *board_shared_memory(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

uint32_t board_load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
void board_store(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
void board_add(uint32_t *word, uint32_t value) { __atomic_add_fetch(word, value, __ATOMIC_SEQ_CST); }

int32_t board_sleep_while(uint32_t *word, uint32_t value, int32_t milliseconds) {
    // As the kernel has it: on 32-bit machines the C library's may be longer.
    struct { long seconds, nanoseconds; } limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    long slept = syscall(SYS_futex, word, FUTEX_WAIT, value, milliseconds ? &limit : NULL, NULL, 0);
    return !(slept < 0 && errno == ETIMEDOUT);
}

void board_wake(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0); }
void board_sleep_milliseconds(int32_t milliseconds) { poll(NULL, 0, milliseconds); }

static pthread_mutex_t locks[BOARD_LOCKS] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_cond_t room = PTHREAD_COND_INITIALIZER;

void board_lock(int32_t which) { pthread_mutex_lock(&locks[which]); }
void board_unlock(int32_t which) { pthread_mutex_unlock(&locks[which]); }
void board_wait_for_room(void) { pthread_cond_wait(&room, &locks[BOARD_LOCK_TABLE]); }
void board_signal_room(void) { pthread_cond_signal(&room); }

static void *run(void *body) {
    ((void (*)(void))body)();
    return NULL;
}

int32_t board_start_thread(void (*body)(void)) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_t thread;
    return -pthread_create(&thread, &attributes, run, (void *)body);
}

const char *board_error_text(int32_t error) { return strerrordesc_np(error) ?: "unknown error"; }

void board_say(int32_t fd, const char *a, const char *b, const char *c, const char *d) {
    // One write: a line of /dev/kmsg is one message.
    const char *parts[] = {"p9gadget: ", a, b, c, d, "\n"};
    struct iovec pieces[6];
    for (int i = 0; i < 6; i++) pieces[i] = (struct iovec){(void *)(parts[i] ?: ""), strlen(parts[i] ?: "")};
    ssize_t written = writev(fd, pieces, 6);
    (void)written;
}

int32_t p9gadget_main(int32_t count, char **arguments);
int main(int count, char **arguments) { return p9gadget_main(count, arguments); }
