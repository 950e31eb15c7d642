// Two libraries of ours wait until a moment of the wall clock where they mean so and so long. Where that clock is stepped back they would
// sleep on for as long as the step was, and where it is stepped ahead their time is up at once. So what they call stands here, before
// glibc's, and goes by the clock that never steps (docs/faults.md, "Clocks").
//
// - librdkafka's threads wait on conditions of C11, until a moment that they find by timespec_get (for a wait of several turns) or
//   gettimeofday (for one turn). Nothing else in our processes calls timespec_get or cnd_timedwait.
// - Dispatch's semaphores wait by sem_timedwait, until a moment that is found anew for each call.
//
// A program's own definition goes before a shared library's: ELF, gABI chapter 5, "Shared Object Dependencies".
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>
#include <time.h>

enum { SECOND = 1000000000 };

// Moments up to here are of the steady clock, which counts from the start of the machine; later ones of the wall clock.
static const time_t latest_steady = 1000000000;

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_MONOTONIC, now) == 0 ? base : 0;
}

static struct timespec steady_moment(struct timespec moment) {
    if (moment.tv_sec < latest_steady) return moment;
    struct timespec wall, steady;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &steady);
    steady.tv_sec += moment.tv_sec - wall.tv_sec;
    steady.tv_nsec += moment.tv_nsec - wall.tv_nsec;
    if (steady.tv_nsec < 0) {
        steady.tv_nsec += SECOND;
        steady.tv_sec -= 1;
    } else if (steady.tv_nsec >= SECOND) {
        steady.tv_nsec -= SECOND;
        steady.tv_sec += 1;
    }
    if (steady.tv_sec < 0) steady.tv_sec = 0;
    return steady;
}

// glibc's cnd_t and mtx_t are a pthread_cond_t and a pthread_mutex_t inside, and its own cnd_timedwait hands them on as such.
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t) && sizeof(mtx_t) == sizeof(pthread_mutex_t), "another C library");

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    struct timespec moment = steady_moment(*until);
    switch (pthread_cond_clockwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, CLOCK_MONOTONIC, &moment)) {
    case 0: return thrd_success;
    case ETIMEDOUT: return thrd_timedout;
    default: return thrd_error;
    }
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    struct timespec moment = steady_moment(*until);
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &moment);
}
