/* A small thread pool: the caller and its helpers work through the numbered items of one job at a time. */
#ifndef EDGEPATHO_THREADS_H
#define EDGEPATHO_THREADS_H

#include <stddef.h>

typedef struct ep_pool ep_pool;

typedef void ep_job(void *context, size_t item, size_t thread);

/* A pool of `threads` (including the caller), NULL if the system refuses memory or a thread. */
ep_pool *ep_pool_create(size_t threads);

/* Run job(context, item, thread) for item in begin..end-1 on all threads; returns when all items are done.
 * Which thread takes which item is not fixed, so `thread` may select scratch memory and nothing else. */
void ep_pool_run(ep_pool *pool, ep_job *job, void *context, size_t begin, size_t end);

void ep_pool_destroy(ep_pool *pool);

#endif
