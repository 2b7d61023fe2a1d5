#include "threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* How often a helper polls for the next job before it sleeps: long enough to bridge the gap between two steps
 * (a few microseconds), too short to disturb others on a shared machine. */
enum { MAX_POLLS = 2000, CACHE_LINE = 64 };

typedef struct helper {
    ep_pool *pool;
    pthread_t thread;
    size_t number;
} helper;

/* What changes with every item has a cache line of its own, apart from what all threads read or wait for. */
struct ep_pool {
    pthread_mutex_t lock;
    pthread_cond_t job_ready, job_done;
    atomic_bool stopping;
    ep_job *job;
    void *context;
    size_t end;
    size_t helper_count;
    _Alignas(CACHE_LINE) atomic_size_t generation; /* counts jobs; changes under the lock */
    _Alignas(CACHE_LINE) atomic_size_t next;       /* item to be taken */
    _Alignas(CACHE_LINE) atomic_size_t busy;       /* helpers that have not finished the job */
    helper helpers[];
};

static inline void pause_briefly(void) {
#if defined __aarch64__
    __asm__ volatile("isb" ::: "memory"); /* `yield` is a no-op on these cores */
#elif defined __x86_64__
    __builtin_ia32_pause();
#endif
}

static void take_items(ep_pool *pool, size_t thread) {
    for (;;) {
        const size_t item = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (item >= pool->end) return;
        pool->job(pool->context, item, thread);
    }
}

static void await_generation_after(ep_pool *pool, size_t seen) {
    for (int poll = 0; poll < MAX_POLLS; poll++) {
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->job_ready, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void *help(void *argument) {
    helper *self = argument;
    ep_pool *pool = self->pool;
    for (size_t seen = 0;; seen++) {
        await_generation_after(pool, seen);
        if (atomic_load(&pool->stopping)) return NULL;
        take_items(pool, self->number);
        if (atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->job_done);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

static void announce(ep_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->job_ready);
    pthread_mutex_unlock(&pool->lock);
}

void ep_pool_run(ep_pool *pool, ep_job *job, void *context, size_t begin, size_t end) {
    pool->job = job;
    pool->context = context;
    pool->end = end;
    atomic_store_explicit(&pool->next, begin, memory_order_relaxed);
    if (pool->helper_count == 0 || end - begin == 1) { /* not worth waking the helpers */
        take_items(pool, 0);
        return;
    }
    atomic_store_explicit(&pool->busy, pool->helper_count, memory_order_relaxed);
    announce(pool);
    take_items(pool, 0);
    for (int poll = 0; poll < MAX_POLLS; poll++) {
        if (atomic_load_explicit(&pool->busy, memory_order_acquire) == 0) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->busy) != 0) pthread_cond_wait(&pool->job_done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

ep_pool *ep_pool_create(size_t threads) {
    _Static_assert(sizeof(helper) <= CACHE_LINE, "a helper has a line");
    const size_t bytes = sizeof(ep_pool) + (threads - 1) * CACHE_LINE;
    ep_pool *pool = aligned_alloc(CACHE_LINE, bytes);
    if (!pool) return NULL;
    memset(pool, 0, bytes);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->job_ready, NULL);
    pthread_cond_init(&pool->job_done, NULL);
    for (size_t i = 0; i + 1 < threads; i++) {
        helper *next = &pool->helpers[i];
        next->pool = pool;
        next->number = i + 1;
        if (pthread_create(&next->thread, NULL, help, next) != 0) {
            ep_pool_destroy(pool);
            return NULL;
        }
        pool->helper_count++;
    }
    return pool;
}

void ep_pool_destroy(ep_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stopping, true);
    announce(pool);
    for (size_t i = 0; i < pool->helper_count; i++) pthread_join(pool->helpers[i].thread, NULL);
    pthread_cond_destroy(&pool->job_done);
    pthread_cond_destroy(&pool->job_ready);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
