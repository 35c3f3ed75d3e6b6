/* Preloaded, it adds what a file says, in nanoseconds, to the wall clock of a program, and to no other clock.
   The times of files stay those of the kernel. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long nowhere;
static volatile long long *offset = &nowhere;
static int (*true_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_OFFSET");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    true_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (fd >= 0) {
        void *page = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED)
            offset = page;
        close(fd);
    }
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!true_gettime)
        true_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = true_gettime(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        long long at = now->tv_sec * 1000000000LL + now->tv_nsec + *offset;
        now->tv_sec = at / 1000000000LL;
        now->tv_nsec = at % 1000000000LL;
    }
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec at;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &at))
        return -1;
    now->tv_sec = at.tv_sec;
    now->tv_usec = at.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (now)
        *now = at.tv_sec;
    return at.tv_sec;
}
