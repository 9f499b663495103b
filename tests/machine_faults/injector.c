/* Preloaded into a command and its children: makes the Nth operation of a kind fail.
 *
 * All processes share a file of orders, which also counts the operations. Only operations count
 * that touch a file below FAULTS_ROOT, a pipe or a file in memory, and new pipes, processes and
 * threads: programs read thousands of files of their own while they start.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct orders {
    int armed, kind, at, until, number, excluded, fired;
    int counters[128]; /* of operations, by kind */

    char what[512];
};

static struct orders *orders;
static char root[4096];
static size_t root_length;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS_ORDERS"), *below = getenv("FAULTS_ROOT");
    if (!path || !below) return;
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (found == MAP_FAILED) return;
    strncpy(root, below, sizeof root - 1);
    root_length = strlen(root);
    orders = found;
}

static int counts(const char *path) {
    if (!path) return 1;
    char here[4096];
    if (path[0] != '/') {
        if (!getcwd(here, sizeof here)) return 0;
        path = here;
    }
    return !strncmp(path, root, root_length) || !strncmp(path, "pipe:", 5)
        || !strncmp(path, "/memfd:", 7);
}

/* Whether this operation fails; errno is set then. */
static int fails(char kind, const char *path) {
    if (!orders || !orders->armed || getpid() == orders->excluded || !counts(path)) return 0;
    int mine = __atomic_add_fetch(&orders->counters[(int)kind], 1, __ATOMIC_SEQ_CST);
    if (kind != orders->kind || mine < orders->at || mine > orders->until) return 0;
    if (!orders->fired)
        snprintf(orders->what, sizeof orders->what, "%c %d %s", kind, getpid(), path ? path : "");
    orders->fired += 1;
    errno = orders->number;
    return 1;
}

static int fails_at(char kind, int file) {
    if (!orders || !orders->armed) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(kind, path);
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
        if (fails(flags & (O_WRONLY | O_RDWR | O_CREAT) ? 'c' : 'o', path)) return -1; \
        return real(path, flags, mode); \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
        if (fails(flags & (O_WRONLY | O_RDWR | O_CREAT) ? 'c' : 'o', path)) return -1; \
        return real(folder, path, flags, mode); \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

#define OPENS_STREAM(name) \
    FILE *name(const char *path, const char *mode) { \
        REAL(name); \
        return fails(strpbrk(mode, "wa+") ? 'c' : 'o', path) ? NULL : real(path, mode); \
    }
OPENS_STREAM(fopen)
OPENS_STREAM(fopen64)

#define ON_FILE(kind, result, name, parameters, arguments) \
    result name parameters { REAL(name); return fails_at(kind, file) ? -1 : real arguments; }
ON_FILE('w', ssize_t, write, (int file, const void *data, size_t n), (file, data, n))
ON_FILE('w', ssize_t, pwrite, (int file, const void *data, size_t n, off_t at), (file, data, n, at))
ON_FILE('w', ssize_t, pwrite64, (int file, const void *data, size_t n, off64_t at), (file, data, n, at))
ON_FILE('w', ssize_t, writev, (int file, const struct iovec *data, int n), (file, data, n))
ON_FILE('w', int, ftruncate, (int file, off_t n), (file, n))
ON_FILE('w', int, ftruncate64, (int file, off64_t n), (file, n))
ON_FILE('r', ssize_t, read, (int file, void *data, size_t n), (file, data, n))
ON_FILE('r', ssize_t, pread, (int file, void *data, size_t n, off_t at), (file, data, n, at))
ON_FILE('r', ssize_t, pread64, (int file, void *data, size_t n, off64_t at), (file, data, n, at))
ON_FILE('s', int, fsync, (int file), (file))
ON_FILE('s', int, fdatasync, (int file), (file))

#define ON_PATH(kind, name, parameters, arguments, path) \
    int name parameters { REAL(name); return fails(kind, path) ? -1 : real arguments; }
ON_PATH('n', rename, (const char *old, const char *new), (old, new), new)
ON_PATH('n', renameat, (int a, const char *old, int b, const char *new), (a, old, b, new), new)
ON_PATH('u', unlink, (const char *path), (path), path)
ON_PATH('u', unlinkat, (int folder, const char *path, int flags), (folder, path, flags), path)
ON_PATH('m', mkdir, (const char *path, mode_t mode), (path, mode), path)
ON_PATH('p', pipe, (int *ends), (ends), NULL)
ON_PATH('p', pipe2, (int *ends, int flags), (ends, flags), NULL)
ON_PATH('p', memfd_create, (const char *name, unsigned flags), (name, flags), NULL)
ON_PATH('f', fork, (void), (), NULL)

/* A real vfork would return through a frame that is gone; a fork does the same, slower. */
pid_t vfork(void) { return fork(); }

int pthread_create(
    pthread_t *thread, const pthread_attr_t *how, void *(*work)(void *), void *given
) {
    REAL(pthread_create);
    return fails('t', NULL) ? errno : real(thread, how, work, given);
}
