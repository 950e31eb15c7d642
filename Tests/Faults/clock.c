// A wall clock that can be stepped, for one process or for many: preloaded, it adds to CLOCK_REALTIME what a file says.
//
//     cc -O2 -fPIC -shared -o clock.so clock.c
//     LD_PRELOAD=clock.so SIGNALBOX_TEST_CLOCKS=FILE ...
//
// FILE is an array of struct record. A process goes by the first record whose name is a word of its command line (of a path its last
// part), and so do its children, unless they run another program. The file may be written at any time; that is the step.
//
// Only CLOCK_REALTIME steps, as in a kernel, and whoever waits until a moment of it is woken by a step over that moment, or waits longer
// for a step back. What ends a wait on a condition between its moment and the step is reported as a wake-up without a reason, which POSIX
// allows, at the latest after SLICE. Timers of the kernel on CLOCK_REALTIME (timerfd_create, clock_nanosleep) do not step.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define SLICE (SECOND / 4)

struct record {
    char name[24];
    _Atomic int64_t nanoseconds;  // what is added
};

static const struct record *own;

static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_cond_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
static int (*real_mutex_timedlock)(pthread_mutex_t *, const struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);

static void *find(const char *name, const char *version) {
    void *found = version ? dlvsym(RTLD_NEXT, name, version) : NULL;
    return found ? found : dlsym(RTLD_NEXT, name);
}

// What may be asked before our constructor ran asks the kernel.
static int kernel_gettime(clockid_t clock, struct timespec *now) { return (int)syscall(SYS_clock_gettime, clock, now); }

static const char *last_part(const char *word) {
    const char *slash = strrchr(word, '/');
    return slash ? slash + 1 : word;
}

__attribute__((constructor)) static void begin(void) {
    real_gettime = find("clock_gettime", NULL);
    // The old version of these knows another pthread_cond_t.
    real_cond_timedwait = find("pthread_cond_timedwait", "GLIBC_2.3.2");
    real_cond_clockwait = find("pthread_cond_clockwait", NULL);
    real_mutex_timedlock = find("pthread_mutex_timedlock", NULL);
    real_sem_timedwait = find("sem_timedwait", NULL);

    const char *path = getenv("SIGNALBOX_TEST_CLOCKS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    struct stat status;
    const struct record *records = MAP_FAILED;
    if (fstat(file, &status) == 0 && status.st_size > 0) records = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    int command = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    static char words[4096];
    ssize_t length = command >= 0 ? read(command, words, sizeof words - 1) : -1;
    if (command >= 0) close(command);
    if (records == MAP_FAILED || length <= 0) return;
    for (size_t index = 0; index < status.st_size / sizeof *records; index++) {
        for (const char *word = words; word < words + length; word += strlen(word) + 1) {
            if (own == NULL && strcmp(last_part(word), records[index].name) == 0) own = &records[index];
        }
    }
}

static int64_t added(void) { return own ? atomic_load_explicit(&own->nanoseconds, memory_order_relaxed) : 0; }

static struct timespec plus(struct timespec time, int64_t nanoseconds) {
    int64_t whole = time.tv_sec * SECOND + time.tv_nsec + nanoseconds;
    if (whole < 0) whole = 0;
    return (struct timespec){whole / SECOND, whole % SECOND};
}

static int64_t between(struct timespec from, struct timespec to) {
    return (to.tv_sec - from.tv_sec) * SECOND + (to.tv_nsec - from.tv_nsec);
}

// The clock

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = real_gettime ? real_gettime(clock, now) : kernel_gettime(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *now = plus(*now, added());
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
    *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *result) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

// Waiting until a moment of it

// The moment, by the kernel's clock, until which to wait before one looks at the clock again; whether it is `until` itself.
static int next_slice(const struct timespec *until, struct timespec *slice) {
    struct timespec now;
    real_gettime(CLOCK_REALTIME, &now);
    int64_t left = between(plus(now, added()), *until);
    *slice = plus(now, left < 0 ? 0 : left < SLICE ? left : SLICE);
    return left <= SLICE;
}

static int is_past(const struct timespec *until) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return between(now, *until) <= 0;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    // One that was made for CLOCK_MONOTONIC says so in the lowest bits of its flags (glibc 2.25 and later).
    unsigned flags = __atomic_load_n(&((unsigned *)condition)[9], __ATOMIC_RELAXED);
    if (own == NULL || flags & 2) return real_cond_timedwait(condition, mutex, until);
    struct timespec slice;
    next_slice(until, &slice);
    int result = real_cond_timedwait(condition, mutex, &slice);
    return result == ETIMEDOUT && !is_past(until) ? 0 : result;
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until) {
    if (own == NULL || clock != CLOCK_REALTIME) return real_cond_clockwait(condition, mutex, clock, until);
    struct timespec slice;
    next_slice(until, &slice);
    int result = real_cond_clockwait(condition, mutex, clock, &slice);
    return result == ETIMEDOUT && !is_past(until) ? 0 : result;
}

// In glibc they are the same objects.
int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    int result = pthread_cond_clockwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, CLOCK_REALTIME, until);
    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    for (;;) {
        struct timespec slice;
        int result;
        next_slice(until, &slice);
        if ((result = real_mutex_timedlock(mutex, &slice)) != ETIMEDOUT || is_past(until)) return result;
    }
}

int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict until) {
    int result = pthread_mutex_timedlock((pthread_mutex_t *)mutex, until);
    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    for (;;) {
        struct timespec slice;
        next_slice(until, &slice);
        if (real_sem_timedwait(semaphore, &slice) == 0) return 0;
        if (errno != ETIMEDOUT || is_past(until)) return -1;
    }
}
