/* Power: what the device has of a server's data directory, beside what the page cache shows, so that a power cut can be
 * made of a kill. Preloaded into the server; whatever lies below POWER_DATA is watched.
 *
 * POWER_DIR/device/<inode>.state   one byte a sector of 512 (enum state), after a page with the durable length
 * POWER_DIR/device/<inode>.image   what the device has of the sectors that are not CLEAN
 * POWER_DIR/names                  names made, moved and removed, and syncs of their folders, a line each
 * POWER_DIR/kept/<n>               names that went, as hard links
 * POWER_DIR/control                a shared page: hold syncs, fail them, swallow them (struct control)
 * All of it outlives SIGKILL in the page cache. Whoever cuts the power reads it and undoes at random what is not durable.
 *
 * A write saves a sector's old bytes when it makes it dirty; a sync makes it clean. After a failed sync a sector is clean
 * or LOST, at random: buffered reads show what was written, reads with O_DIRECT what the device has, no later sync
 * changes it, and a cut takes it: as with the kernel. A name is durable after an fsync of its folder, whatever one file
 * system may promise.
 *
 * What would pass by unseen ends the process by name: calls that are not known here, and, by a filter on system calls,
 * those that do not come from here (libraries that make their own). Two of these are known and led here instead, as the
 * store's libraries make them: renameat and fadvise64. A proof that sees half of what is written proves nothing.
 * Descriptors are asked what they are each time: slow, and never wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* of SIGSYS: a filter sent it */
#endif
#define SECTOR 512u
#define HEAD 4096u
#define FILE_BYTES_MAX (1ull << 32)
#define FILES_MAX 4096
#define CHUNK (64u << 10)
#define PAGE 8u /* sectors */

enum aim { ALL = 0, LOGS = 1, STORE = 2, OTHERS = 3 };
enum state { CLEAN = 0, DIRTY = 1, LOST = 2, CUT = 3 }; /* CUT: behind the end since a truncation */

struct control {
    volatile uint32_t hold;      /* syncs wait while this is not 0 */
    volatile uint32_t fail;      /* so many syncs fail; all, when it is UINT32_MAX */
    volatile uint32_t aim;       /* whose syncs are held, failed and swallowed (enum aim): all, *.log files',
                                  * the store's, all but the store's */
    volatile uint32_t swallow;   /* syncs return 0 and do nothing: 1 all, 2 those of folders */
    volatile uint32_t seed;
    volatile uint32_t held, failed, synced, swallowed; /* syncs that wait now; that failed, came through, were swallowed */
    volatile uint32_t loaded;    /* the process that it is preloaded into */
};

struct head {
    uint64_t length;       /* what the device has, if the length is dirty */
    uint64_t length_dirty;
    uint64_t high; /* sectors from here on were never anything but CLEAN */
};

struct file {
    uint64_t inode;
    pthread_mutex_t lock; /* held over each write and each sync: a sync covers what came before it and nothing else */
    int image;
    struct head *head;
    unsigned char *states;
    uint64_t low, high; /* no sector outside is anything but CLEAN, or LOST */
};

static struct control *control;
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER, names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files[FILES_MAX];
static int device, kept, names;
static uint64_t lines, keeps;
static char data[PATH_MAX];
static size_t data_length;
static dev_t data_device;

/* ---- system calls of this file's own ---- */

static long raw(long number, long a, long b, long c, long d, long e, long f) {
    long result;
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    result = x0;
#else
#error "the shim makes its own system calls, and does not know how on this machine"
#endif
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}
#define CALL(number, a, b, c, d, e, f, ...) raw(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys(...) CALL(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

static void die(const char *what, const char *name) {
    char text[PATH_MAX + 128];
    int length = snprintf(text, sizeof text, "power shim: %s: %s\n", what, name);
    sys(SYS_write, 2, text, length);
    sys(SYS_exit_group, 99);
    __builtin_unreachable();
}

/* All of it, or the end. */
static void put(int fd, const void *bytes, size_t length, off_t at) {
    for (size_t done = 0; done < length;) {
        long wrote = sys(SYS_pwrite64, fd, (const char *)bytes + done, length - done, at + (off_t)done);
        if (wrote <= 0 && errno != EINTR) die("cannot write an image", strerror(errno));
        if (wrote > 0) done += (size_t)wrote;
    }
}

/* As much as there is; zeros behind the end. */
static void get(int fd, void *bytes, size_t length, off_t at) {
    size_t done = 0;
    while (done < length) {
        long got = sys(SYS_pread64, fd, (char *)bytes + done, length - done, at + (off_t)done);
        if (got < 0) die("cannot read what is overwritten", strerror(errno));
        if (got == 0) break;
        done += (size_t)got;
    }
    memset((char *)bytes + done, 0, length - done);
}

/* ---- what is ours ---- */

static int is_below(const char *path) {
    return strncmp(path, data, data_length) == 0 && (path[data_length] == '/' || path[data_length] == 0);
}

/* Where a descriptor leads, by the kernel. */
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length > 0;
}

/* A regular file of ours (1), a folder of ours (2), or neither. Leaves errno alone. */
static int is_ours(int fd, struct stat *seen) {
    char path[PATH_MAX];
    int saved = errno, ours = 0;
    if (control && fstat(fd, seen) == 0 && seen->st_dev == data_device && path_of(fd, path) && is_below(path))
        ours = S_ISREG(seen->st_mode) ? 1 : S_ISDIR(seen->st_mode) ? 2 : 0;
    errno = saved;
    return ours;
}

/* The whole of a name below the watched folder: its folder made real, and the inode of that. 0: it is none of ours. */
static int name_at(int at, const char *path, char *real, uint64_t *folder_inode) {
    char whole[2 * PATH_MAX], folder[PATH_MAX];
    struct stat seen;
    if (!control) return 0;
    if (path[0] == '/' || at == AT_FDCWD) snprintf(whole, sizeof whole, "%s", path);
    else if (path_of(at, folder)) snprintf(whole, sizeof whole, "%s/%s", folder, path);
    else return 0;
    size_t length = strlen(whole);
    while (length > 1 && whole[length - 1] == '/') whole[--length] = 0;
    char *slash = strrchr(whole, '/');
    const char *name = slash ? slash + 1 : whole;
    if (slash) *slash = 0;
    if (!realpath(!slash ? "." : slash == whole ? "/" : whole, folder) || stat(folder, &seen) != 0) return 0;
    *folder_inode = seen.st_ino;
    return snprintf(real, PATH_MAX, "%s/%s", folder, name) < PATH_MAX && is_below(real);
}

static uint64_t inode_at(const char *path, mode_t *mode) {
    struct stat seen;
    if (lstat(path, &seen) != 0) return 0;
    *mode = seen.st_mode;
    return seen.st_ino;
}

/* ---- files ---- */

static void *map_state(uint64_t inode) {
    char name[64];
    snprintf(name, sizeof name, "%llu.state", (unsigned long long)inode);
    int fd = (int)sys(SYS_openat, device, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    size_t bytes = HEAD + FILE_BYTES_MAX / SECTOR;
    if (fd < 0 || sys(SYS_ftruncate, fd, bytes) != 0) die("cannot make", name);
    void *page = (void *)sys(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) die("cannot map", name);
    sys(SYS_close, fd);
    return page;
}

/* The file of an inode, locked. */
static struct file *take(uint64_t inode) {
    pthread_mutex_lock(&table);
    int at = 0;
    while (at < FILES_MAX && files[at] && files[at]->inode != inode) at++;
    if (at == FILES_MAX) die("too many files", data);
    if (!files[at]) {
        char name[64];
        struct file *file = calloc(1, sizeof *file);
        if (!file) die("out of memory", data);
        file->inode = inode;
        pthread_mutex_init(&file->lock, NULL);
        snprintf(name, sizeof name, "%llu.image", (unsigned long long)inode);
        file->image = (int)sys(SYS_openat, device, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file->image < 0) die("cannot make", name);
        file->head = map_state(inode);
        file->states = (unsigned char *)file->head + HEAD;
        /* An earlier process may have left something there. */
        file->high = file->head->high;
        files[at] = file;
    }
    struct file *file = files[at];
    pthread_mutex_unlock(&table);
    pthread_mutex_lock(&file->lock);
    return file;
}

static void give(struct file *file) { pthread_mutex_unlock(&file->lock); }

/* Before these bytes change: their sectors become `state`, and what the device has of them is saved. */
static void spoil(struct file *file, int fd, uint64_t from, uint64_t to, enum state state) {
    unsigned char old[CHUNK];
    if (to > FILE_BYTES_MAX) die("a file is too large for it", "");
    char path[64];
    int readable = fd;
    if ((fcntl(fd, F_GETFL) & (O_ACCMODE | O_DIRECT)) != O_RDWR) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        readable = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
        if (readable < 0) die("cannot read what is overwritten", strerror(errno));
    }
    for (uint64_t at = from / SECTOR * SECTOR; at < to; at += CHUNK) {
        uint64_t bytes = to - at < CHUNK ? (to - at + SECTOR - 1) / SECTOR * SECTOR : CHUNK;
        get(readable, old, bytes, (off_t)at);
        for (uint64_t sector = at / SECTOR; sector < (at + bytes) / SECTOR; sector++) {
            /* Of one that is not clean the image has what counts. */
            if (file->states[sector] == CLEAN) put(file->image, old + (sector * SECTOR - at), SECTOR, (off_t)(sector * SECTOR));
            file->states[sector] = state;
        }
        if (at / SECTOR < file->low) file->low = at / SECTOR;
        if ((at + bytes) / SECTOR > file->high) file->high = (at + bytes) / SECTOR;
        if (file->high > file->head->high) file->head->high = file->high;
    }
    if (readable != fd) sys(SYS_close, readable);
}

static void spoil_length(struct file *file, uint64_t length) {
    if (!file->head->length_dirty) file->head->length = length;
    file->head->length_dirty = 1;
}

static ssize_t write_at(int fd, struct stat *seen, const struct iovec *parts, int count, off_t at) {
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
    struct file *file = take(seen->st_ino);
    if (fstat(fd, seen) != 0) die("cannot ask a file's length", strerror(errno));
    if (fcntl(fd, F_GETFL) & O_APPEND) at = seen->st_size;
    if (bytes > 0) spoil(file, fd, (uint64_t)at, (uint64_t)at + bytes, DIRTY);
    if ((uint64_t)at + bytes > (uint64_t)seen->st_size) spoil_length(file, (uint64_t)seen->st_size);
    long wrote = sys(SYS_pwritev, fd, parts, count, at, 0);
    int saved = errno;
    give(file);
    errno = saved;
    return wrote;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    struct stat seen;
    return is_ours(fd, &seen) == 1 ? write_at(fd, &seen, parts, count, at) : sys(SYS_pwritev, fd, parts, count, at, 0);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return pwritev64(fd, parts, count, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    struct iovec part = {(void *)bytes, length};
    return pwritev64(fd, &part, 1, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return pwrite64(fd, bytes, length, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct stat seen;
    if (is_ours(fd, &seen) != 1) return sys(SYS_writev, fd, parts, count);
    off_t at = fcntl(fd, F_GETFL) & O_APPEND ? seen.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t wrote = write_at(fd, &seen, parts, count, at);
    if (wrote > 0) lseek(fd, at + wrote, SEEK_SET);
    return wrote;
}
ssize_t write(int fd, const void *bytes, size_t length) {
    struct iovec part = {(void *)bytes, length};
    return writev(fd, &part, 1);
}

int ftruncate64(int fd, off64_t length) {
    struct stat seen;
    if (is_ours(fd, &seen) != 1) return (int)sys(SYS_ftruncate, fd, length);
    struct file *file = take(seen.st_ino);
    fstat(fd, &seen);
    uint64_t whole = ((uint64_t)length + SECTOR - 1) / SECTOR * SECTOR;
    if (length < seen.st_size && whole > (uint64_t)length) spoil(file, fd, (uint64_t)length, whole, DIRTY);
    if (whole < (uint64_t)seen.st_size) spoil(file, fd, whole, (uint64_t)seen.st_size, CUT);
    if (length != seen.st_size) spoil_length(file, (uint64_t)seen.st_size);
    if (sys(SYS_ftruncate, fd, length) != 0) die("a truncation failed on its own", strerror(errno));
    give(file);
    return 0;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fallocate64(int fd, int mode, off64_t at, off64_t length) {
    struct stat seen;
    if (is_ours(fd, &seen) != 1) return (int)sys(SYS_fallocate, fd, mode, at, length);
    if (mode != 0) die("fallocate", "in a mode that is not known");
    struct file *file = take(seen.st_ino);
    fstat(fd, &seen);
    if (at + length > seen.st_size) spoil_length(file, (uint64_t)seen.st_size);
    int done = (int)sys(SYS_fallocate, fd, mode, at, length);
    int saved = errno;
    give(file);
    errno = saved;
    return done;
}
int fallocate(int fd, int mode, off_t at, off_t length) { return fallocate64(fd, mode, at, length); }
int posix_fallocate64(int fd, off64_t at, off64_t length) { return fallocate64(fd, 0, at, length) == 0 ? 0 : errno; }
int posix_fallocate(int fd, off_t at, off_t length) { return posix_fallocate64(fd, at, length); }

/* A read past the cache shows what the device has where a failed sync has lost what was written. */
ssize_t pread64(int fd, void *bytes, size_t length, off64_t at) {
    struct stat seen;
    long got = sys(SYS_pread64, fd, bytes, length, at);
    if (got <= 0 || !(fcntl(fd, F_GETFL) & O_DIRECT) || is_ours(fd, &seen) != 1) return got;
    struct file *file = take(seen.st_ino);
    for (uint64_t sector = (uint64_t)at / SECTOR; sector * SECTOR < (uint64_t)(at + got); sector++)
        if (file->states[sector] == LOST) get(file->image, (char *)bytes + (sector * SECTOR - (uint64_t)at), SECTOR, (off_t)(sector * SECTOR));
    give(file);
    return got;
}
ssize_t pread(int fd, void *bytes, size_t length, off_t at) { return pread64(fd, bytes, length, at); }

/* What is clean leaves the page cache, a page at a time; what a failed sync has lost is then read from the device. */
static int drop_cache(int fd, off_t at, off_t length, int advice) {
    struct stat seen;
    if (advice != POSIX_FADV_DONTNEED || is_ours(fd, &seen) != 1) return (int)sys(SYS_fadvise64, fd, at, length, advice);
    if (at != 0 || length != 0) die("fadvise", "of a part of a file is not known");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int writable = (int)sys(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (writable < 0) die("cannot write what the device has", strerror(errno));
    struct file *file = take(seen.st_ino);
    if (fstat(fd, &seen) != 0) die("cannot ask a file's length", strerror(errno));
    uint64_t size = (uint64_t)seen.st_size;
    for (uint64_t page = 0; page < file->head->high && page * SECTOR < size; page += PAGE) {
        if (memchr(file->states + page, DIRTY, PAGE)) continue;
        for (uint64_t sector = page; sector < page + PAGE && sector * SECTOR < size; sector++) {
            unsigned char old[SECTOR];
            uint64_t left = size - sector * SECTOR;
            if (file->states[sector] != LOST) continue;
            get(file->image, old, SECTOR, (off_t)(sector * SECTOR));
            put(writable, old, left < SECTOR ? left : SECTOR, (off_t)(sector * SECTOR));
            file->states[sector] = CLEAN;
        }
    }
    give(file);
    sys(SYS_close, writable);
    return (int)sys(SYS_fadvise64, fd, at, length, advice);
}
/* Says what is wrong instead of setting errno. */
int posix_fadvise64(int fd, off64_t at, off64_t length, int advice) {
    int saved = errno, done = drop_cache(fd, at, length, advice) == 0 ? 0 : errno;
    errno = saved;
    return done;
}
int posix_fadvise(int fd, off_t at, off_t length, int advice) { return posix_fadvise64(fd, at, length, advice); }

/* ---- syncs ---- */

static void note(const char *line) {
    /* One write: a line is there or not. */
    if (sys(SYS_write, names, line, strlen(line)) != (long)strlen(line)) die("cannot note a name", strerror(errno));
    lines++;
}

static int coin(uint32_t *chance) {
    *chance ^= *chance << 13;
    *chance ^= *chance >> 17;
    *chance ^= *chance << 5;
    return *chance & 1;
}

static int is_aimed_at(int fd, int kind) {
    char path[PATH_MAX];
    if (control->aim == ALL) return 1;
    if (!path_of(fd, path)) return 0;
    size_t length = strlen(path);
    if (control->aim == LOGS) return kind == 1 && length >= 4 && strcmp(path + length - 4, ".log") == 0;
    char *store = strstr(path + data_length, "/store");
    return (store && (store[6] == '/' || store[6] == 0)) == (control->aim == STORE);
}

static int has_to_fail(void) {
    for (uint32_t left = control->fail; left > 0; left = control->fail)
        if (left == UINT32_MAX || __sync_bool_compare_and_swap(&control->fail, left, left - 1)) return 1;
    return 0;
}

static int sync_file(struct file *file, int fd, long number, int fails) {
    if (fails) {
        uint32_t chance = (control->seed + control->failed * 2654435761u) | 1;
        for (uint64_t sector = file->low; sector < file->high; sector++)
            if (file->states[sector] == DIRTY) file->states[sector] = coin(&chance) ? CLEAN : LOST;
        return -1;
    }
    if (sys(number, fd) != 0) die("a sync failed on its own", strerror(errno));
    for (uint64_t sector = file->low; sector < file->high; sector++)
        if (file->states[sector] != LOST) file->states[sector] = CLEAN;
    file->head->length_dirty = 0;
    file->low = FILE_BYTES_MAX / SECTOR;
    file->high = 0;
    return 0;
}

static int sync_any(int fd, long number) {
    struct stat seen;
    int kind = is_ours(fd, &seen);
    if (kind == 0) return (int)sys(number, fd);
    struct file *file = kind == 1 ? take(seen.st_ino) : NULL;
    pthread_mutex_lock(&names_lock);
    uint64_t upto = lines;
    pthread_mutex_unlock(&names_lock);
    if (control->hold && is_aimed_at(fd, kind)) {
        __sync_fetch_and_add(&control->held, 1);
        while (control->hold && is_aimed_at(fd, kind)) usleep(200);
        __sync_fetch_and_sub(&control->held, 1);
    }
    int done = 0, fails = 0, aimed = is_aimed_at(fd, kind);
    if (aimed && (control->swallow == 1 || (control->swallow == 2 && kind == 2))) {
        __sync_fetch_and_add(&control->swallowed, 1);
    } else {
        fails = aimed && has_to_fail();
        if (file) done = sync_file(file, fd, number, fails);
        else done = fails ? -1 : (int)sys(number, fd);
        if (!fails && kind == 2) {
            char line[96];
            snprintf(line, sizeof line, "sync %llu %llu\n", (unsigned long long)seen.st_ino, (unsigned long long)upto);
            pthread_mutex_lock(&names_lock);
            note(line);
            pthread_mutex_unlock(&names_lock);
        }
        __sync_fetch_and_add(fails ? &control->failed : &control->synced, 1);
    }
    if (file) give(file);
    if (fails) errno = EIO;
    return done;
}
int fdatasync(int fd) { return sync_any(fd, SYS_fdatasync); }
int fsync(int fd) { return sync_any(fd, SYS_fsync); }
/* It makes nothing durable that a device's own cache may hold. */
int sync_file_range(int fd, off64_t at, off64_t length, unsigned flags) {
    return (int)sys(SYS_sync_file_range, fd, at, length, flags);
}
void sync(void) { die("sync", "is not known"); }
int syncfs(int fd) { (void)fd; die("syncfs", "is not known"); return -1; }

/* ---- names: each line is noted after the name has changed, so that a kill in between leaves what a disk may ---- */

static uint64_t keep(const char *path) {
    char name[32];
    snprintf(name, sizeof name, "%llu", (unsigned long long)++keeps);
    if (sys(SYS_linkat, AT_FDCWD, path, kept, name, 0) != 0) die("cannot keep a name", path);
    return keeps;
}

static void note_name(const char *what, uint64_t folder, uint64_t inode, uint64_t keeping, const char *from, const char *to) {
    char line[2 * PATH_MAX + 128];
    snprintf(line, sizeof line, "%s %llu %llu %llu\t%s\t%s\n", what, (unsigned long long)folder, (unsigned long long)inode,
             (unsigned long long)keeping, from, to);
    note(line);
}

static int open_any(int at, const char *path, int flags, mode_t mode) {
    char real[PATH_MAX];
    uint64_t folder;
    mode_t there;
    struct stat seen;
    int changes = flags & (O_CREAT | O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE;
    if (!changes || !name_at(at, path, real, &folder)) return (int)sys(SYS_openat, at, path, flags, mode);
    if ((flags & O_TMPFILE) == O_TMPFILE) die("opened with O_TMPFILE", real);
    pthread_mutex_lock(&names_lock);
    int is_new = inode_at(real, &there) == 0;
    if (!is_new && flags & O_TRUNC) {
        int fd = (int)sys(SYS_openat, at, path, O_RDWR | O_CLOEXEC, 0);
        if (fd >= 0) {
            ftruncate64(fd, 0);
            sys(SYS_close, fd);
        }
    }
    int fd = (int)sys(SYS_openat, at, path, flags, mode);
    int saved = errno;
    if (fd >= 0 && is_new && fstat(fd, &seen) == 0) note_name("create", folder, seen.st_ino, 0, real, "");
    pthread_mutex_unlock(&names_lock);
    errno = saved;
    return fd;
}
#define MODE(flags)                                                                                                    \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }
int open(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

static int remove_any(int at, const char *path, int flags) {
    char real[PATH_MAX];
    uint64_t folder, inode, keeping = 0;
    mode_t mode = 0;
    if (!name_at(at, path, real, &folder)) return (int)sys(SYS_unlinkat, at, path, flags);
    pthread_mutex_lock(&names_lock);
    inode = inode_at(real, &mode);
    /* Sockets say nothing that has to last; a folder that comes back is a folder that is made. */
    if (inode && S_ISREG(mode)) keeping = keep(real);
    int done = (int)sys(SYS_unlinkat, at, path, flags);
    int saved = errno;
    if (done == 0 && S_ISREG(mode)) note_name("remove", folder, inode, keeping, real, "");
    if (done == 0 && S_ISDIR(mode)) note_name("rmdir", folder, inode, 0, real, "");
    pthread_mutex_unlock(&names_lock);
    errno = saved;
    return done;
}
int unlink(const char *path) { return remove_any(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return remove_any(at, path, flags); }
int rmdir(const char *path) { return remove_any(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    int done = unlink(path);
    return done != 0 && errno == EISDIR ? rmdir(path) : done;
}

static int rename_any(int from_at, const char *from, int to_at, const char *to) {
    char a[PATH_MAX], b[PATH_MAX];
    uint64_t folder_a = 0, folder_b = 0, keeping = 0;
    mode_t mode = 0, over_mode = 0;
    int ours_a = name_at(from_at, from, a, &folder_a), ours_b = name_at(to_at, to, b, &folder_b);
    if (!ours_a && !ours_b) return (int)sys(SYS_renameat, from_at, from, to_at, to);
    if (!ours_a || !ours_b || folder_a != folder_b) die("renamed from one folder to another", to);
    pthread_mutex_lock(&names_lock);
    uint64_t inode = inode_at(a, &mode), over = inode_at(b, &over_mode);
    if (over && over != inode && !S_ISREG(over_mode)) die("renamed over what is no file", b);
    if (inode && over && over != inode) keeping = keep(b);
    int done = (int)sys(SYS_renameat, from_at, from, to_at, to);
    int saved = errno;
    if (done == 0) note_name("rename", folder_a, inode, keeping, a, b);
    pthread_mutex_unlock(&names_lock);
    errno = saved;
    return done;
}
int rename(const char *from, const char *to) { return rename_any(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return rename_any(from_at, from, to_at, to); }
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    if (flags != 0) die("renameat2 with flags", from);
    return rename_any(from_at, from, to_at, to);
}

int mkdirat(int at, const char *path, mode_t mode) {
    char real[PATH_MAX];
    uint64_t folder;
    mode_t made;
    if (!name_at(at, path, real, &folder)) return (int)sys(SYS_mkdirat, at, path, mode);
    pthread_mutex_lock(&names_lock);
    int done = (int)sys(SYS_mkdirat, at, path, mode);
    int saved = errno;
    if (done == 0) note_name("mkdir", folder, inode_at(real, &made), 0, real, "");
    pthread_mutex_unlock(&names_lock);
    errno = saved;
    return done;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* ---- what would pass by ---- */

static void refuse_name(int at, const char *path, const char *what) {
    char real[PATH_MAX];
    uint64_t folder;
    if (name_at(at, path, real, &folder)) die(what, real);
}
static void refuse_file(int fd, const char *what) {
    struct stat seen;
    if (is_ours(fd, &seen) == 1) die(what, "is not known");
}
int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    refuse_name(to_at, to, "a hard link was made");
    return (int)sys(SYS_linkat, from_at, from, to_at, to, flags);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int symlinkat(const char *from, int to_at, const char *to) {
    refuse_name(to_at, to, "a symbolic link was made");
    return (int)sys(SYS_symlinkat, from, to_at, to);
}
int symlink(const char *from, const char *to) { return symlinkat(from, AT_FDCWD, to); }
int truncate64(const char *path, off64_t length) {
    refuse_name(AT_FDCWD, path, "truncate");
    return (int)sys(SYS_truncate, path, length);
}
int truncate(const char *path, off_t length) { return truncate64(path, length); }
/* As on a kernel that has no such call: what is copied then passes through reads and writes. */
ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) {
    (void)from, (void)from_at, (void)to, (void)to_at, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int to, int from, off64_t *from_at, size_t length) {
    (void)to, (void)from, (void)from_at, (void)length;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile(int to, int from, off_t *from_at, size_t length) { return sendfile64(to, from, from_at, length); }
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t from) {
    if (!(flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) != MAP_PRIVATE && protection & PROT_WRITE) refuse_file(fd, "a mapping that writes");
    return (void *)sys(SYS_mmap, at, length, protection, flags, fd, from);
}
void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t from) {
    return mmap64(at, length, protection, flags, fd, from);
}

/* ---- calls past libc that are led here ---- */

static void lead(int signal, siginfo_t *info, void *seen) {
    ucontext_t *context = seen;
    int saved = errno;
    (void)signal;
#if defined(__x86_64__)
    greg_t *r = context->uc_mcontext.gregs;
    long a = r[REG_RDI], b = r[REG_RSI], c = r[REG_RDX], d = r[REG_R10];
#else
    unsigned long long *r = context->uc_mcontext.regs;
    long a = (long)r[0], b = (long)r[1], c = (long)r[2], d = (long)r[3];
#endif
    long done = -1;
    if (info->si_code == SYS_SECCOMP && info->si_syscall == SYS_renameat)
        done = rename_any((int)a, (const char *)b, (int)c, (const char *)d);
    else if (info->si_code == SYS_SECCOMP && info->si_syscall == SYS_fadvise64)
        done = drop_cache((int)a, (off_t)b, (off_t)c, (int)d);
    else die("SIGSYS", "of a call that is not led here");
    if (done < 0) done = -errno;
#if defined(__x86_64__)
    r[REG_RAX] = done;
#else
    r[0] = (unsigned long long)done;
#endif
    errno = saved;
}

/* ---- the start ---- */

static uint64_t text_from, text_to;

static int find_text(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    uint64_t here = (uint64_t)(uintptr_t)&find_text;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        text_from = info->dlpi_addr + part->p_vaddr;
        text_to = text_from + part->p_memsz;
        if (part->p_type == PT_LOAD && part->p_flags & PF_X && text_from <= here && here < text_to) return 1;
    }
    return 0;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(test, value, yes, no) BPF_JUMP(BPF_JMP | test | BPF_K, value, yes, no)
#define END(what) BPF_STMT(BPF_RET | BPF_K, what)

/* Calls that change files end the process (SIGSYS) unless this file makes them; some whoever makes them. The first few
 * are led here. */
static void filter(void) {
    static const uint32_t nobody[] = {
        SYS_io_uring_setup, SYS_pwritev2, SYS_copy_file_range, SYS_sendfile, SYS_splice, SYS_vmsplice, SYS_renameat2,
#ifdef SYS_rename
        SYS_rename, SYS_unlink, SYS_link, SYS_symlink, SYS_mkdir, SYS_rmdir, SYS_creat, SYS_open,
#endif
    };
    enum { LED = 2 };
    static const uint32_t only_here[] = {
        SYS_renameat, SYS_fadvise64, SYS_write, SYS_writev, SYS_pwrite64, SYS_pwritev, SYS_fallocate, SYS_ftruncate, SYS_truncate, SYS_fdatasync, SYS_fsync,
        SYS_sync, SYS_syncfs, SYS_unlinkat, SYS_linkat, SYS_symlinkat, SYS_mkdirat,
    };
    enum { NOBODY = sizeof nobody / sizeof *nobody, HERE = sizeof only_here / sizeof *only_here };
    if (dl_iterate_phdr(find_text, NULL) != 1 || text_from >> 32 != (text_to - 1) >> 32) die("cannot find itself", "");
    /* One after the other: a test of each number, then where each leads. */
    struct sock_filter steps[NOBODY + HERE + 32];
    enum { DOORS = NOBODY + HERE + 5, KILL = DOORS + 1, LEAD = KILL + 1, PLACE = LEAD + 1, TRAP = PLACE + 7 };
    unsigned at = 0;
#define TO(step) (unsigned char)((step) - at - 1)
#define STEP(...) (steps[at] = (struct sock_filter)__VA_ARGS__, at++)
    STEP(LOAD(nr));
    /* openat alone is asked what it wants: it only counts when it may make or cut a file. */
    STEP(IF(BPF_JEQ, SYS_openat, 0, 3));
    STEP(LOAD(args[2]));
    STEP(IF(BPF_JSET, O_CREAT | O_TRUNC, TO(PLACE), 0));
    STEP(END(SECCOMP_RET_ALLOW));
    for (unsigned i = 0; i < NOBODY; i++) STEP(IF(BPF_JEQ, nobody[i], TO(KILL), 0));
    for (unsigned i = 0; i < HERE; i++) STEP(IF(BPF_JEQ, only_here[i], i < LED ? TO(LEAD) : TO(PLACE), 0));
    /* DOORS */
    STEP(END(SECCOMP_RET_ALLOW));
    /* KILL */
    STEP(END(SECCOMP_RET_KILL_PROCESS));
    /* LEAD */
    STEP(BPF_STMT(BPF_JMP | BPF_JA, TRAP - LEAD - 1));
    unsigned kinds[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP};
    for (unsigned i = 0; i < 2; i++) {
        /* PLACE, TRAP: the call is made from here, or ends so. */
        STEP(LOAD(instruction_pointer));
        steps[at - 1].k += 4;
        STEP(IF(BPF_JEQ, (uint32_t)(text_from >> 32), 0, 4));
        STEP(LOAD(instruction_pointer));
        STEP(IF(BPF_JGE, (uint32_t)text_from, 0, 2));
        STEP(IF(BPF_JGE, (uint32_t)text_to, 1, 0));
        STEP(END(SECCOMP_RET_ALLOW));
        STEP(END(kinds[i]));
    }
    struct sock_fprog program = {.len = (unsigned short)at, .filter = steps};
    struct sigaction leads = {.sa_sigaction = lead, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSYS, &leads, NULL) != 0) die("cannot be led to", strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        die("cannot filter system calls", strerror(errno));
}

/* Lines that an earlier process left: syncs say how many of all they cover. */
static void count_lines(const char *folder) {
    char path[PATH_MAX], bytes[CHUNK];
    snprintf(path, sizeof path, "%s/names", folder);
    int fd = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    for (long got; (got = sys(SYS_read, fd, bytes, sizeof bytes)) > 0;)
        for (long i = 0; i < got; i++) lines += bytes[i] == '\n';
    sys(SYS_close, fd);
}

static int own(const char *folder, const char *name, int flags) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = (int)sys(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0);
    if (fd < 0) die("cannot open", path);
    return fd;
}

__attribute__((constructor)) static void begin(void) {
    const char *wanted = getenv("POWER_DATA"), *folder = getenv("POWER_DIR");
    struct stat seen;
    if (!wanted || !folder || !realpath(wanted, data) || stat(data, &seen) != 0) die("is not told what to watch", "POWER_DATA, POWER_DIR");
    data_length = strlen(data);
    data_device = seen.st_dev;
    device = own(folder, "device", O_RDONLY | O_DIRECTORY);
    kept = own(folder, "kept", O_RDONLY | O_DIRECTORY);
    names = own(folder, "names", O_WRONLY | O_APPEND);
    count_lines(folder);
    keeps = (uint64_t)sys(SYS_getpid) << 32;
    int fd = own(folder, "control", O_RDWR);
    void *page = (void *)sys(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) die("cannot map", "control");
    sys(SYS_close, fd);
    control = page;
    filter();
    control->loaded = (uint32_t)sys(SYS_getpid);
}
