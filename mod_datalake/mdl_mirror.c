/* mdl_mirror.c - The places of the mirror and who may write them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_mirror.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "mdl_pid_lock.h"
#include "mdl_shm.h"

/* Places of one set; all are looked at for one account. */
#define WAYS 8

/* 64-bit words that hold N bytes. */
#define WORDS_OF(n) (((n) + 7) / 8)

/* Words of an account, and of what stands before its grants. */
#define WORDS      WORDS_OF(sizeof(mdl_account))
#define HEAD_WORDS WORDS_OF(offsetof(mdl_account, grants))

/* How often a reader tries while a place is being written. */
#define READ_TRIES 64

/* One account; seq is odd while word is written. */
typedef struct place {
    _Atomic uint32_t seq;
    _Atomic uint32_t used_s;      /* monotonic second of its last use */
    _Atomic int64_t user_id;      /* 0: empty */
    _Atomic int64_t looked_up_us; /* monotonic time of its look-up */
    _Atomic uint64_t word[WORDS]; /* the account */
} place;

/* Places that share a lock. */
typedef struct place_set {
    mdl_pid_lock lock; /* of their writers */
    place places[WAYS];
} place_set;

/* The segment. */
typedef struct segment {
    _Atomic uint64_t changes;   /* what mdl_mirror_mark returns */
    _Atomic int64_t contact_us; /* monotonic time of mdl_mirror_touch */
    mdl_mirror_watch watch;
    place_set sets[];
} segment;

struct mdl_mirror {
    segment *shared;
    uint64_t n_sets; /* a power of two */
};

static uint64_t spread(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t mdl_mirror_hash(const char *sid)
{
    uint64_t hash = 0xCBF29CE484222325u;

    for (; *sid != '\0'; sid++) {
        hash = (hash ^ (unsigned char)*sid) * 0x100000001B3u;
    }
    return spread(hash);
}

static place_set *set_of(const mdl_mirror *mirror, int64_t user_id)
{
    return &mirror->shared
                ->sets[spread((uint64_t)user_id) & (mirror->n_sets - 1)];
}

dl_status mdl_mirror_open(mdl_mirror **mirror, const char *name, int accounts,
                          const server_rec *server, dl_error *err,
                          apr_pool_t *pool)
{
    mdl_mirror *made = apr_pcalloc(pool, sizeof *made);
    void *memory;

    made->n_sets = 1;
    while (made->n_sets * WAYS < (uint64_t)accounts) {
        made->n_sets *= 2;
    }
    DL_TRY(mdl_shm_open(&memory, name,
                        sizeof(segment) + made->n_sets * sizeof(place_set),
                        server, err));
    made->shared = memory;
    *mirror = made;
    return DL_OK;
}

/* --- Reading -------------------------------------------------------------- */

/* Copy the words of P from *N on, up to word END, to ACCOUNT. */
static void read_words(mdl_account *account, size_t *n, const place *p,
                       size_t end)
{
    char *out = (char *)account;

    for (; *n < end; (*n)++) {
        uint64_t word =
            atomic_load_explicit(&p->word[*n], memory_order_acquire);
        size_t left = sizeof *account - *n * sizeof word;

        memcpy(out + *n * sizeof word, &word,
               left < sizeof word ? left : sizeof word);
    }
}

/* Acquire on each word keeps the second look at seq behind it, as release in
 * write_place keeps the odd seq before it; fences, which would do it at once,
 * are unknown to the thread sanitizer. */
static bool read_place(mdl_account *account, place *p)
{
    int try;

    for (try = 0; try < READ_TRIES; try++) {
        uint32_t seq = atomic_load_explicit(&p->seq, memory_order_acquire);
        size_t n = 0;

        read_words(account, &n, p, HEAD_WORDS);
        if (account->grants_len <= sizeof account->grants) {
            read_words(
                account, &n, p,
                WORDS_OF(offsetof(mdl_account, grants) + account->grants_len));
        }
        if ((seq & 1) == 0 &&
            atomic_load_explicit(&p->seq, memory_order_relaxed) == seq) {
            return true;
        }
    }
    return false;
}

static place *find_place(place_set *set, int64_t user_id)
{
    int i;

    for (i = 0; i < WAYS; i++) {
        if (atomic_load_explicit(&set->places[i].user_id,
                                 memory_order_acquire) == user_id) {
            return &set->places[i];
        }
    }
    return NULL;
}

bool mdl_mirror_find(mdl_account *account, int64_t *age_us, mdl_mirror *mirror,
                     int64_t user_id)
{
    int64_t now = dl_time_monotonic_us();
    uint32_t second = (uint32_t)(now / DL_SECOND_US);
    place *p = find_place(set_of(mirror, user_id), user_id);
    int64_t looked_up;
    int64_t contact;

    if (p == NULL) {
        return false;
    }
    /* Clocks first: a place written meanwhile is newer, never older. */
    looked_up = atomic_load_explicit(&p->looked_up_us, memory_order_acquire);
    contact =
        atomic_load_explicit(&mirror->shared->contact_us, memory_order_acquire);
    if (!read_place(account, p) || account->user_id != user_id) {
        return false;
    }
    if (atomic_load_explicit(&p->used_s, memory_order_relaxed) != second) {
        atomic_store_explicit(&p->used_s, second, memory_order_relaxed);
    }
    *age_us = now - (looked_up > contact ? looked_up : contact);
    return true;
}

uint64_t mdl_mirror_mark(mdl_mirror *mirror)
{
    return atomic_load(&mirror->shared->changes);
}

void mdl_mirror_change(mdl_mirror *mirror)
{
    atomic_fetch_add(&mirror->shared->changes, 1);
}

void mdl_mirror_touch(mdl_mirror *mirror)
{
    atomic_store(&mirror->shared->contact_us, dl_time_monotonic_us());
}

mdl_mirror_watch *mdl_mirror_watch_of(mdl_mirror *mirror)
{
    return &mirror->shared->watch;
}

/* --- Writing -------------------------------------------------------------- */

/* Write ACCOUNT to P; the set is locked. */
static void write_place(place *p, const mdl_account *account)
{
    uint64_t words[WORDS] = {0};
    uint32_t seq = atomic_load_explicit(&p->seq, memory_order_relaxed) | 1;
    int64_t now = dl_time_monotonic_us();
    size_t i;

    memcpy(words, account, sizeof *account);
    atomic_store_explicit(&p->seq, seq, memory_order_relaxed);
    for (i = 0; i < WORDS; i++) {
        atomic_store_explicit(&p->word[i], words[i], memory_order_release);
    }
    atomic_store_explicit(&p->looked_up_us, now, memory_order_relaxed);
    atomic_store_explicit(&p->used_s, (uint32_t)(now / DL_SECOND_US),
                          memory_order_relaxed);
    atomic_store_explicit(&p->seq, seq + 1, memory_order_release);
    atomic_store_explicit(&p->user_id, account->user_id, memory_order_release);
}

/* The place for a new account: an empty one, else the least recently used. */
static place *choose_place(place_set *set)
{
    place *oldest = &set->places[0];
    int i;

    for (i = 0; i < WAYS; i++) {
        place *p = &set->places[i];

        if (atomic_load_explicit(&p->user_id, memory_order_relaxed) == 0) {
            return p;
        }
        if (atomic_load_explicit(&p->used_s, memory_order_relaxed) <
            atomic_load_explicit(&oldest->used_s, memory_order_relaxed)) {
            oldest = p;
        }
    }
    return oldest;
}

void mdl_mirror_put(mdl_mirror *mirror, const mdl_account *account,
                    uint64_t mark)
{
    place_set *set = set_of(mirror, account->user_id);
    place *p;

    mdl_pid_lock_take(&set->lock);
    if (mdl_mirror_mark(mirror) == mark) {
        p = find_place(set, account->user_id);
        write_place(p != NULL ? p : choose_place(set), account);
    }
    mdl_pid_lock_give(&set->lock);
}

bool mdl_mirror_drop(mdl_mirror *mirror, int64_t user_id)
{
    place_set *set = set_of(mirror, user_id);
    place *p;

    mdl_pid_lock_take(&set->lock);
    p = find_place(set, user_id);
    if (p != NULL) {
        atomic_store_explicit(&p->user_id, 0, memory_order_release);
        atomic_store_explicit(&p->looked_up_us, 0, memory_order_relaxed);
    }
    mdl_pid_lock_give(&set->lock);
    return p != NULL;
}
