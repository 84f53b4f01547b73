/* Preloaded into a server and what it starts: writes down, in order, all that happens to the files below one folder.

   The log is a sequence of records: a kind, the number of a file, an offset, a length, and that many bytes. Numbers are
   made of the path, so that all processes have the same.
   N: this number is this path.  W: bytes were written there.  T: the file was cut to this length.
   S: the file was synced.  U: it was unlinked.  R: it was renamed, to the path that follows.
   A record goes out before the call that it tells of returns, except S, which goes out after the sync has worked. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FILES 65536
#define NAMES 4096

static uint32_t numbers[FILES]; /* of each descriptor: the number of its file, 0 for one that is not ours */
static char *names[NAMES];
static int known;
static int log_fd = -1;
static const char *folder;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

__attribute__((constructor)) static void begin(void) {
    real_open = dlsym(RTLD_NEXT, "open");
    real_openat = dlsym(RTLD_NEXT, "openat");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    const char *path = getenv("RECORDER_LOG");
    folder = getenv("RECORDER_FOLDER");
    if (path && folder) log_fd = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(char kind, uint32_t number, uint64_t offset, const void *bytes, uint32_t length) {
    char head[17];
    head[0] = kind;
    memcpy(head + 1, &number, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &length, 4);
    char *record = malloc(17 + length);
    memcpy(record, head, 17);
    if (length) memcpy(record + 17, bytes, length);
    if (real_write(log_fd, record, 17 + length) != (ssize_t)(17 + length)) abort();
    free(record);
}

static uint32_t hash(const char *path) { /* FNV-1a, and never 0 */
    uint32_t sum = 2166136261u;
    for (; *path; path++) sum = (sum ^ (unsigned char)*path) * 16777619u;
    return sum | 1;
}

static uint32_t number_of(const char *path) {
    uint32_t number = hash(path);
    for (int i = 0; i < known; i++)
        if (!strcmp(names[i], path)) return number;
    if (known == NAMES) abort();
    names[known++] = strdup(path);
    put('N', number, 0, path, strlen(path));
    return number;
}

static int ours(const char *path) {
    return log_fd >= 0 && path && !strncmp(path, folder, strlen(folder)) && strstr(path, ".sqlite3") &&
           !strstr(path, ".lock") && !strstr(path, "-shm");
}

static int opened(int fd, const char *path, int flags) {
    if (fd >= 0 && fd < FILES) {
        pthread_mutex_lock(&lock);
        numbers[fd] = ours(path) ? number_of(path) : 0;
        if (numbers[fd] && flags & O_TRUNC) put('T', numbers[fd], 0, "", 0);
        pthread_mutex_unlock(&lock);
    }
    return fd;
}

static uint32_t file(int fd) { return fd >= 0 && fd < FILES ? numbers[fd] : 0; }

static mode_t mode_of(int flags, va_list arguments) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPENING                                 \
    va_list arguments;                          \
    va_start(arguments, flags);                 \
    mode_t mode = mode_of(flags, arguments);    \
    va_end(arguments)

int open(const char *path, int flags, ...) {
    OPENING;
    return opened(real_open(path, flags, mode), path, flags);
}

int open64(const char *path, int flags, ...) {
    OPENING;
    return opened(real_open(path, flags | O_LARGEFILE, mode), path, flags);
}

int openat(int at, const char *path, int flags, ...) {
    OPENING;
    return opened(real_openat(at, path, flags, mode), path, flags);
}

int openat64(int at, const char *path, int flags, ...) {
    OPENING;
    return opened(real_openat(at, path, flags | O_LARGEFILE, mode), path, flags);
}

int close(int fd) {
    if (fd >= 0 && fd < FILES) numbers[fd] = 0;
    return real_close(fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    if (!file(fd)) return real_pwrite(fd, bytes, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t done = real_pwrite(fd, bytes, length, offset);
    if (done > 0) put('W', file(fd), offset, bytes, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return pwrite(fd, bytes, length, offset); }

ssize_t write(int fd, const void *bytes, size_t length) {
    if (!file(fd)) return real_write(fd, bytes, length);
    pthread_mutex_lock(&lock);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real_write(fd, bytes, length);
    if (done > 0) put('W', file(fd), offset, bytes, done);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t length) {
    if (!file(fd)) return real_ftruncate(fd, length);
    pthread_mutex_lock(&lock);
    int done = real_ftruncate(fd, length);
    if (!done) put('T', file(fd), length, "", 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

static int synced(int fd, int (*sync)(int)) {
    if (!file(fd)) return sync(fd);
    pthread_mutex_lock(&lock);
    int done = sync(fd);
    if (!done) put('S', file(fd), 0, "", 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int unlink(const char *path) {
    if (!ours(path)) return real_unlink(path);
    pthread_mutex_lock(&lock);
    int done = real_unlink(path);
    if (!done) put('U', number_of(path), 0, "", 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to) {
    if (!ours(from) && !ours(to)) return real_rename(from, to);
    pthread_mutex_lock(&lock);
    int done = real_rename(from, to);
    if (!done) put('R', number_of(from), 0, to, strlen(to));
    pthread_mutex_unlock(&lock);
    return done;
}
