/* Slow: a disk whose syncs take at least SLOW_SYNC_US microseconds. Preloaded into a server; the real sync is made, and
 * what is left of the time is waited. A thread that waits holds nothing that another one needs, as with a real disk,
 * but syncs of several threads do not queue behind each other.
 *
 * Calls that do not come through libc pass by unseen: whoever measures looks whether the delay shows in the latencies.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long least_ns;

__attribute__((constructor)) static void begin(void) {
    const char *told = getenv("SLOW_SYNC_US");
    least_ns = told ? atoll(told) * 1000 : 0;
}

static int slow(long call, int fd) {
    static __thread int exact;
    struct timespec until;
    /* The kernel would add 50 us to each wait. */
    if (!exact) exact = prctl(PR_SET_TIMERSLACK, 1L, 0, 0, 0) == 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int done = (int)syscall(call, fd);
    int saved = errno;
    long long ns = until.tv_nsec + least_ns;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
    errno = saved;
    return done;
}

int fdatasync(int fd) { return slow(SYS_fdatasync, fd); }
int fsync(int fd) { return slow(SYS_fsync, fd); }
