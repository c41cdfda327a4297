/* src/host/encode/crew.c - threads that share the parts of one picture */
#include "host/encode/crew.h"
#include "base/alloc.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct px_crew {
    pthread_mutex_t lock;
    pthread_cond_t more, done;
    pthread_t *threads;
    unsigned n_threads; /* without the owner's */
    /* under the lock */
    void (*work)(void *data, int i);
    void *data;
    int n, next, n_running;
    bool stop;
};

/* Takes parts until there are none. With the lock, which it lets go while it works. */
static void take_parts(struct px_crew *c) {
    while (c->next < c->n) {
        const int i = c->next++;
        c->n_running++;
        pthread_mutex_unlock(&c->lock);
        c->work(c->data, i);
        pthread_mutex_lock(&c->lock);
        if (--c->n_running == 0 && c->next == c->n)
            pthread_cond_signal(&c->done);
    }
}

static void *run(void *arg) {
    struct px_crew *c = arg;
    pthread_setname_np(pthread_self(), "encode");
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        take_parts(c);
        if (!c->stop)
            pthread_cond_wait(&c->more, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct px_crew *px_crew_new(unsigned n_threads) {
    struct px_crew *c = px_new0(struct px_crew, 1);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->more, NULL);
    pthread_cond_init(&c->done, NULL);
    c->threads = px_new0(pthread_t, n_threads);
    while (c->n_threads + 1 < n_threads) {
        /* With fewer threads it is slower, and no worse. */
        if (pthread_create(&c->threads[c->n_threads], NULL, run, c) != 0)
            break;
        c->n_threads++;
    }
    return c;
}

void px_crew_free(struct px_crew *c) {
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->more);
    pthread_mutex_unlock(&c->lock);
    for (unsigned i = 0; i < c->n_threads; i++)
        pthread_join(c->threads[i], NULL);
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->more);
    pthread_mutex_destroy(&c->lock);
    free(c->threads);
    free(c);
}

void px_crew_run(struct px_crew *c, int n, void (*work)(void *data, int i), void *data) {
    pthread_mutex_lock(&c->lock);
    c->work = work;
    c->data = data;
    c->next = 0;
    c->n = n;
    for (int i = 1; i < n && i <= (int)c->n_threads; i++)
        pthread_cond_signal(&c->more);
    take_parts(c);
    while (c->n_running > 0)
        pthread_cond_wait(&c->done, &c->lock);
    c->n = c->next = 0;
    pthread_mutex_unlock(&c->lock);
}
