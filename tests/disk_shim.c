/* Stands between a program and the C library and lets the n-th write, sync or rename below one folder end the
 * process or fail. Compiled and preloaded by tests/shim_toys.py; Linux.
 *
 *   SHIM_BELOW   folder whose files count       SHIM_AT    number of the operation, from 1; 0 only counts
 *   SHIM_ERRNO   0 kills the process with SIGKILL, else the error that the operation fails with
 *   SHIM_COUNT   file that takes one byte for each operation
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_below(const char *path) {
    const char *below = getenv("SHIM_BELOW");
    return below && *below && strncmp(path, below, strlen(below)) == 0;
}

static int is_below_fd(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* Counts one operation, of all processes and threads together, and says whether it is to fail. */
static int fails(void) {
    static ssize_t (*real_write)(int, const void *, size_t);
    if (!real_write) real_write = dlsym(RTLD_NEXT, "write");
    const char *name = getenv("SHIM_COUNT"), *at = getenv("SHIM_AT"), *number = getenv("SHIM_ERRNO");
    int fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return 0;
    real_write(fd, "x", 1);
    off_t count = lseek(fd, 0, SEEK_END);
    close(fd);
    if (!at || count != atol(at)) return 0;
    if (!number || atoi(number) == 0) kill(getpid(), SIGKILL);
    errno = atoi(number);
    return 1;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write); return is_below_fd(fd) && fails() ? -1 : real(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite); return is_below_fd(fd) && fails() ? -1 : real(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64); return is_below_fd(fd) && fails() ? -1 : real(fd, data, size, at);
}
int fsync(int fd) { REAL(fsync); return is_below_fd(fd) && fails() ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return is_below_fd(fd) && fails() ? -1 : real(fd); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); return is_below_fd(fd) && fails() ? -1 : real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); return is_below_fd(fd) && fails() ? -1 : real(fd, size); }
int rename(const char *from, const char *to) { REAL(rename); return is_below(to) && fails() ? -1 : real(from, to); }
int unlink(const char *path) { REAL(unlink); return is_below(path) && fails() ? -1 : real(path); }
