/* tests/host/inside.c - a phoenix-host within the test's process */
#include "inside.h"
#include "host/session.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static struct {
    uv_loop_t loop;
    uv_async_t stop, adopt, wake;
    int fd; /* for @adopt */
    struct px_host host;
    struct px_host_config config;
    pthread_t thread;
    sem_t started;
} in;

static void on_adopt(uv_async_t *a) {
    px_session_adopt(&in.host, in.fd, PX_WAY_PUNCHED);
}

static void on_wake(uv_async_t *a) {
}

static void on_stop(uv_async_t *a) {
    uv_close((uv_handle_t *)&in.wake, NULL);
    uv_close((uv_handle_t *)&in.stop, NULL);
    uv_close((uv_handle_t *)&in.adopt, NULL);
    px_host_stop(&in.host);
}

static void *serve(void *data) {
    struct px_error err = {0};
    uv_loop_init(&in.loop);
    uv_async_init(&in.loop, &in.stop, on_stop);
    uv_async_init(&in.loop, &in.adopt, on_adopt);
    uv_async_init(&in.loop, &in.wake, on_wake);
    in.host.loop = &in.loop;
    in.host.config = &in.config;
    if (px_host_start(&in.host, &err) < 0)
        fprintf(stderr, "host: %s\n", err.msg);
    f.port = px_host_port(&in.host, 0);
    sem_post(&in.started);
    uv_run(&in.loop, UV_RUN_DEFAULT);
    uv_loop_close(&in.loop);
    return NULL;
}

void inside_start(const char *extra, struct px_encoders *encoders) {
    char path[128];
    struct px_error err = {0};
    fixture_files();
    fixture_config(extra);
    snprintf(path, sizeof(path), "%s/host.json", f.dir);
    px_assert_ok_err(px_host_config_load(path, &in.config, &err), &err);
    in.host = (struct px_host){.encoders = encoders};
    sem_init(&in.started, 0, 0);
    assert_int_equal(pthread_create(&in.thread, NULL, serve, NULL), 0);
    while (sem_wait(&in.started) < 0)
        ;
    assert_true(f.port > 0);
}

void inside_adopt(int fd) {
    in.fd = fd;
    uv_async_send(&in.adopt);
}

void inside_wake(void) {
    uv_async_send(&in.wake);
}

void inside_stop(void) {
    uv_async_send(&in.stop);
    pthread_join(in.thread, NULL);
    px_host_config_fini(&in.config);
    sem_destroy(&in.started);
}
