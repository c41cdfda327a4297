/* src/image/digest.c - the digest of a layer */
#include "image/digest.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "image/walk.h"
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define READ_BYTES (1024 * 1024)
#define MAX_THREADS 16

static void to_hex(const uint8_t *data, size_t n, char *out) {
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", data[i]);
}

void px_digest_bytes(const void *data, size_t size, char ret[PX_DIGEST_TEXT_MAX]) {
    uint8_t md[EVP_MAX_MD_SIZE];
    EVP_Digest(data, size, md, NULL, EVP_sha256(), NULL);
    strcpy(ret, "sha256:");
    to_hex(md, 32, ret + 7);
}

bool px_digest_hex_valid(const char *text) {
    return strspn(text, "0123456789abcdef") == 64 && text[64] == '\0';
}

bool px_digest_valid(const char *text) {
    return strncmp(text, "sha256:", 7) == 0 && px_digest_hex_valid(text + 7);
}

/* Hashes @fd to its end. -errno. */
static int hash_fd(int fd, EVP_MD_CTX *ctx, char *chunk, uint8_t md[32]) {
    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    for (;;) {
        ssize_t n = read(fd, chunk, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        EVP_DigestUpdate(ctx, chunk, (size_t)n);
    }
    EVP_DigestFinal_ex(ctx, md, NULL);
    return 0;
}

int px_digest_file(int dir_fd, const char *path, char ret_hex[65], struct px_error *err) {
    px_cleanup_close int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", path);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    px_cleanup_free char *chunk = px_calloc(1, READ_BYTES);
    uint8_t md[32];
    int r = hash_fd(fd, ctx, chunk, md);
    EVP_MD_CTX_free(ctx);
    if (r < 0)
        return px_fail_sys(err, r, "cannot read '%s'", path);
    to_hex(md, 32, ret_hex);
    return 0;
}

struct work {
    const struct px_walk *walk;
    char (*hex)[65];     /* per entry, regular files only */
    const size_t *first; /* per entry, index of the first name of the same inode */
    atomic_size_t next;
    atomic_int failed; /* negative errno of the first failure */
    atomic_size_t failed_at;
};

static int hash_entry(struct work *work, size_t i, EVP_MD_CTX *ctx, char *chunk) {
    const struct px_walk_entry *e = &work->walk->entries[i];
    uint8_t md[32];
    px_cleanup_close int fd =
        openat(work->walk->root_fd, e->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int r = hash_fd(fd, ctx, chunk, md);
    if (r == 0)
        to_hex(md, 32, work->hex[i]);
    return r;
}

static void *hash_thread(void *data) {
    struct work *work = data;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    px_cleanup_free char *chunk = px_calloc(1, READ_BYTES);
    size_t i;
    while ((i = atomic_fetch_add(&work->next, 1)) < work->walk->n_entries && !work->failed) {
        const struct px_walk_entry *e = &work->walk->entries[i];
        if (!S_ISREG(e->st.st_mode) || work->first[i] != i)
            continue;
        int r = hash_entry(work, i, ctx, chunk);
        if (r < 0) {
            work->failed_at = i;
            work->failed = r;
        }
    }
    EVP_MD_CTX_free(ctx);
    return NULL;
}

static int hash_files(struct work *work, unsigned n_threads, struct px_error *err) {
    pthread_t threads[MAX_THREADS];
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = n_threads ? n_threads : (unsigned)(n_cores > 0 ? n_cores : 1);
    unsigned started = 0;
    while (started + 1 < n && started < MAX_THREADS &&
           pthread_create(&threads[started], NULL, hash_thread, work) == 0)
        started++;
    hash_thread(work); /* this one works, too */
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (work->failed)
        return px_fail_sys(err, work->failed, "cannot read '%s'",
                           work->walk->entries[work->failed_at].path);
    return 0;
}

struct inode {
    uint64_t ino;
    size_t index;
};

static int by_inode(const void *a, const void *b) {
    const struct inode *x = a, *y = b;
    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* Which entries are further names of an earlier one; the entries are sorted by path. */
static size_t *find_links(const struct px_walk *walk) {
    size_t *first = px_new0(size_t, walk->n_entries);
    px_cleanup_free struct inode *many = px_new0(struct inode, walk->n_entries);
    size_t n = 0;
    for (size_t i = 0; i < walk->n_entries; i++) {
        const struct stat *st = &walk->entries[i].st;
        first[i] = i;
        if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
            many[n++] = (struct inode){st->st_ino, i};
    }
    qsort(many, n, sizeof(*many), by_inode);
    for (size_t i = 1; i < n; i++)
        if (many[i].ino == many[i - 1].ino)
            first[many[i].index] = first[many[i - 1].index];
    return first;
}

/* Blanks, controls, '%' and non-ASCII bytes as %xx: one line per entry, fields apart by one blank.
 */
static void put_escaped(struct px_buf *b, const char *s) {
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c <= ' ' || c == '%' || c >= 0x7f)
            px_buf_printf(b, "%%%02x", c);
        else
            px_buf_putc(b, (char)c);
    }
}

static void put_xattrs(struct px_buf *b, const struct px_walk_entry *e) {
    for (size_t i = 0; i < e->n_xattrs; i++) {
        const struct px_walk_xattr *x = &e->xattrs[i];
        px_buf_puts(b, "x ");
        put_escaped(b, x->name);
        px_buf_putc(b, ' ');
        for (size_t k = 0; k < x->size; k++)
            px_buf_printf(b, "%02x", x->value[k]);
        px_buf_putc(b, '\n');
    }
}

static char type_of(mode_t mode) {
    return S_ISDIR(mode)    ? 'd'
           : S_ISREG(mode)  ? 'f'
           : S_ISLNK(mode)  ? 'l'
           : S_ISCHR(mode)  ? 'c'
           : S_ISBLK(mode)  ? 'b'
           : S_ISFIFO(mode) ? 'p'
                            : 's';
}

static void put_entry(struct px_buf *b, const struct work *work, size_t i) {
    const struct px_walk_entry *e = &work->walk->entries[i];
    const struct stat *st = &e->st;
    if (work->first[i] != i) {
        px_buf_puts(b, "h ");
        put_escaped(b, e->path);
        px_buf_putc(b, ' ');
        put_escaped(b, work->walk->entries[work->first[i]].path);
        px_buf_putc(b, '\n');
        return;
    }
    px_buf_printf(b, "%c ", type_of(st->st_mode));
    put_escaped(b, e->path);
    px_buf_printf(b, " %04o %u %u %jd", st->st_mode & 07777, st->st_uid, st->st_gid,
                  (intmax_t)st->st_mtim.tv_sec);
    if (S_ISREG(st->st_mode))
        px_buf_printf(b, " %jd %s", (intmax_t)st->st_size, work->hex[i]);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        px_buf_printf(b, " %u:%u", major(st->st_rdev), minor(st->st_rdev));
    if (S_ISLNK(st->st_mode)) {
        px_buf_putc(b, ' ');
        put_escaped(b, e->target);
    }
    px_buf_putc(b, '\n');
    put_xattrs(b, e);
}

/* In blocks of 4 KiB, counted from the content: what a file system really allocates differs between
 * machines, and the size is part of an image's manifest. */
static uint64_t size_of(const struct stat *st) {
    uint64_t size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : S_ISDIR(st->st_mode) ? 1 : 0;
    return (size + 4095) / 4096 * 4096;
}

int px_tree_digest(const char *tree, unsigned n_threads, int text_fd, struct px_tree_digest *ret,
                   struct px_error *err) {
    px_cleanup(px_walk_fini) struct px_walk walk = {.root_fd = -1};
    int r = px_walk_tree(tree, &walk, err);
    if (r < 0)
        return r;
    px_cleanup_free char(*hex)[65] = px_calloc(walk.n_entries, sizeof(*hex));
    px_cleanup_free size_t *first = find_links(&walk);
    struct work work = {.walk = &walk, .hex = hex, .first = first};
    r = hash_files(&work, n_threads, err);
    if (r < 0)
        return px_wrap(err, r, "'%s'", tree);
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    px_buf_puts(&text, "phoenix-layer 1\n");
    struct px_tree_digest got = {.n_entries = walk.n_entries};
    for (size_t i = 0; i < walk.n_entries; i++) {
        put_entry(&text, &work, i);
        if (first[i] == i)
            got.size_bytes += size_of(&walk.entries[i].st);
    }
    px_digest_bytes(text.data, text.size, got.digest);
    if (text_fd >= 0 && (r = px_fd_write_all(text_fd, text.data, text.size)) < 0)
        return px_fail_sys(err, r, "cannot write the tree's text");
    *ret = got;
    return 0;
}
