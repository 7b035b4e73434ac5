/* mdl_window.c - Places, their words, and who makes room for whom.
 *
 * A word is, from the top: the second the window ends at (32 bits), the amount
 * used (26), a generation (6).  The generation changes when the place gets
 * another key.  A reader takes the word, then makes sure that the place is
 * still its key's, and then sets the word by comparison: had the place changed
 * hands in between, the comparison would fail.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_window.h"

#include <stdatomic.h>
#include <string.h>

#include <sodium.h>

#include "mdl_pid_lock.h"

_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == MDL_WINDOW_SECRET,
               "SipHash wants a key of this size");

/* Places of one set. */
#define WAYS 8

/* Eviction debts are kept apart by the half window in which they end; those
 * that count lie in three halves at most. */
#define DEBTS 4

/* A window that ends later than this after its length has seen the clock
 * set back; requests of one moment may differ by less. */
#define SLACK_S 5

/* What a new table begins with. */
#define MAGIC 0x646C77696E646F77u

/* One key's window. */
typedef struct place {
    _Atomic uint64_t hash0; /* of the key, never 0; 0: empty */
    _Atomic uint64_t hash1; /* of the key */
    _Atomic uint64_t word;  /* end, used, generation */
    _Atomic uint64_t saved; /* the word when it was last written down */
    _Atomic uint64_t label[2];
} place;

/* The most that was evicted in windows ending in one half. */
typedef struct debt {
    int64_t half;  /* ends_s / (length / 2) */
    uint32_t used; /* the largest amount */
} debt;

/* Places that one key may take. */
typedef struct place_set {
    mdl_pid_lock lock; /* of those who give a place to a key */
    debt debts[DEBTS]; /* under lock */
    place places[WAYS];
} place_set;

/* The shared memory. */
typedef struct mdl_window_table {
    uint64_t magic; /* MAGIC: secret is set */
    unsigned char secret[MDL_WINDOW_SECRET];
    place_set sets[];
} mdl_window_table;

/* --- Words ---------------------------------------------------------------- */

static uint64_t word_of(int64_t ends_s, uint32_t used, uint64_t word)
{
    return ((uint64_t)(uint32_t)ends_s << 32) |
           ((uint64_t)(used < MDL_WINDOW_MOST ? used : MDL_WINDOW_MOST) << 6) |
           (word & 63);
}

static int64_t ends_of(uint64_t word)
{
    return (int64_t)(word >> 32);
}

static uint32_t used_of(uint64_t word)
{
    return (uint32_t)(word >> 6) & MDL_WINDOW_MOST;
}

/* WORD as it reads at NOW_S: a window that has ended is unused, one that ends
 * too late ends one length from now. */
static uint64_t word_now(const mdl_windows *w, uint64_t word, int64_t now_s)
{
    int64_t ends_s = ends_of(word);

    if (ends_s <= now_s) {
        return word_of(now_s + w->length_s, 0, word);
    }
    if (ends_s > now_s + w->length_s + SLACK_S) {
        return word_of(now_s + w->length_s, used_of(word), word);
    }
    return word;
}

static void fill_state(mdl_window_state *state, const mdl_windows *w,
                       uint64_t word, uint32_t limit, int64_t now_s)
{
    int64_t left_s = ends_of(word) - now_s;

    state->used = used_of(word);
    state->limit = limit;
    state->reset_s = left_s < w->length_s ? left_s : w->length_s;
}

/* --- Table ---------------------------------------------------------------- */

static uint64_t sets_for(int places)
{
    uint64_t n = 1;

    while (n * WAYS < (uint64_t)places) {
        n *= 2;
    }
    return n;
}

size_t mdl_windows_size(int places)
{
    return sizeof(mdl_window_table) + sets_for(places) * sizeof(place_set);
}

void mdl_windows_attach(mdl_windows *w, void *memory, int places, int length_s,
                        const unsigned char secret[MDL_WINDOW_SECRET])
{
    w->shared = memory;
    w->n_sets = sets_for(places);
    w->length_s = (uint32_t)length_s;
    if (w->shared->magic != MAGIC) {
        memcpy(w->shared->secret, secret, MDL_WINDOW_SECRET);
        w->shared->magic = MAGIC;
    }
}

void mdl_window_key_make(mdl_window_key *key, const mdl_windows *w,
                         const void *subject, size_t len)
{
    unsigned char out[crypto_shorthash_siphashx24_BYTES];

    crypto_shorthash_siphashx24(out, subject, len, w->shared->secret);
    memset(key, 0, sizeof *key);
    memcpy(key->hash, out, sizeof key->hash);
    if (key->hash[0] == 0) {
        key->hash[0] = 1;
    }
}

static place_set *set_of(const mdl_windows *w, const mdl_window_key *key)
{
    return &w->shared->sets[key->hash[1] & (w->n_sets - 1)];
}

/* Set *FOUND to the place of KEY and *WORD to what stood in it; false when SET
 * has none. */
static bool find_place(place **found, uint64_t *word, place_set *set,
                       const mdl_window_key *key)
{
    int i;

    for (i = 0; i < WAYS; i++) {
        place *p = &set->places[i];

        if (atomic_load_explicit(&p->hash0, memory_order_acquire) !=
            key->hash[0]) {
            continue;
        }
        *word = atomic_load_explicit(&p->word, memory_order_acquire);
        if (atomic_load_explicit(&p->hash0, memory_order_acquire) ==
                key->hash[0] &&
            atomic_load_explicit(&p->hash1, memory_order_acquire) ==
                key->hash[1]) {
            *found = p;
            return true;
        }
    }
    return false;
}

/* --- A new key ------------------------------------------------------------ */

static int64_t half_of(const mdl_windows *w, int64_t ends_s)
{
    return ends_s / (w->length_s / 2 > 0 ? w->length_s / 2 : 1);
}

/* Remember that the window WORD was evicted. */
static void owe(place_set *set, const mdl_windows *w, uint64_t word,
                int64_t now_s)
{
    int64_t half = half_of(w, ends_of(word));
    debt *d = &set->debts[half % DEBTS];

    if (ends_of(word) <= now_s) {
        return;
    }
    if (d->half != half) {
        d->half = half;
        d->used = 0;
    }
    if (d->used < used_of(word)) {
        d->used = used_of(word);
    }
}

/* What a key that is new to SET may have used before it was evicted. */
static uint32_t owed(const place_set *set, const mdl_windows *w, int64_t now_s)
{
    uint32_t most = 0;
    int i;

    for (i = 0; i < DEBTS; i++) {
        if (set->debts[i].half >= half_of(w, now_s) &&
            set->debts[i].used > most) {
            most = set->debts[i].used;
        }
    }
    return most;
}

/* How much the window WORD matters: not at all when it has ended, else what is
 * used, then how long it runs. */
static uint64_t weight_of(uint64_t word, int64_t now_s)
{
    if (ends_of(word) <= now_s) {
        return 0;
    }
    return ((uint64_t)(used_of(word) + 1) << 32) | (word >> 32);
}

/* The place of SET that matters least; an empty one if there is one. */
static place *choose_place(place_set *set, int64_t now_s)
{
    place *least = &set->places[0];
    uint64_t least_weight = UINT64_MAX;
    int i;

    for (i = 0; i < WAYS; i++) {
        place *p = &set->places[i];
        uint64_t weight = weight_of(
            atomic_load_explicit(&p->word, memory_order_acquire), now_s);

        if (atomic_load_explicit(&p->hash0, memory_order_relaxed) == 0) {
            return p;
        }
        if (weight < least_weight) {
            least = p;
            least_weight = weight;
        }
    }
    return least;
}

/* Give P, of SET which is locked, to KEY, with the window WORD but for its
 * generation.  Each store leaves a sound place: without hash it is empty. */
static void give_place(place_set *set, place *p, const mdl_windows *w,
                       const mdl_window_key *key, int64_t now_s)
{
    bool taken = atomic_load_explicit(&p->hash0, memory_order_relaxed) != 0;
    uint64_t old = atomic_load_explicit(&p->word, memory_order_acquire);
    uint64_t fresh;

    do {
        if (taken) {
            owe(set, w, old, now_s);
        }
        atomic_store_explicit(&p->hash0, 0, memory_order_release);
        fresh = word_of(now_s + w->length_s, owed(set, w, now_s), old + 1);
    } while (!atomic_compare_exchange_weak(&p->word, &old, fresh));
    atomic_store_explicit(&p->saved, 0, memory_order_relaxed);
    atomic_store_explicit(&p->label[0], key->label[0], memory_order_relaxed);
    atomic_store_explicit(&p->label[1], key->label[1], memory_order_relaxed);
    atomic_store_explicit(&p->hash1, key->hash[1], memory_order_release);
    atomic_store_explicit(&p->hash0, key->hash[0], memory_order_release);
}

/* Make sure that SET has a place for KEY. */
static void insert(place_set *set, const mdl_windows *w,
                   const mdl_window_key *key, int64_t now_s)
{
    uint64_t word;
    place *p;

    mdl_pid_lock_take(&set->lock);
    if (!find_place(&p, &word, set, key)) {
        give_place(set, choose_place(set, now_s), w, key, now_s);
    }
    mdl_pid_lock_give(&set->lock);
}

static place *find_or_insert(uint64_t *word, const mdl_windows *w,
                             const mdl_window_key *key, int64_t now_s)
{
    place_set *set = set_of(w, key);
    place *p;

    while (!find_place(&p, word, set, key)) {
        insert(set, w, key, now_s);
    }
    return p;
}

/* --- Checks --------------------------------------------------------------- */

bool mdl_window_take(mdl_window_state *state, mdl_windows *w,
                     const mdl_window_key *key, uint32_t limit, uint32_t cost,
                     int64_t now_s)
{
    for (;;) {
        uint64_t before;
        place *p = find_or_insert(&before, w, key, now_s);
        uint64_t after = word_now(w, before, now_s);
        uint32_t used = used_of(after);
        bool fits = cost <= limit && used <= limit - cost;

        if (fits) {
            after = word_of(ends_of(after), used + cost, after);
        }
        if (after == before ||
            atomic_compare_exchange_weak(&p->word, &before, after)) {
            fill_state(state, w, after, limit, now_s);
            return fits;
        }
    }
}

void mdl_window_add(mdl_window_state *state, mdl_windows *w,
                    const mdl_window_key *key, uint32_t limit, uint32_t cost,
                    int64_t now_s)
{
    uint64_t before;
    uint64_t after;
    place *p;

    if (cost > MDL_WINDOW_MOST) {
        cost = MDL_WINDOW_MOST;
    }
    do {
        p = find_or_insert(&before, w, key, now_s);
        after = word_now(w, before, now_s);
        after = word_of(ends_of(after), used_of(after) + cost, after);
    } while (!atomic_compare_exchange_weak(&p->word, &before, after));
    fill_state(state, w, after, limit, now_s);
}

void mdl_window_give(mdl_windows *w, const mdl_window_key *key, uint32_t cost,
                     int64_t now_s)
{
    uint64_t before;
    uint64_t after;
    place *p;

    do {
        if (!find_place(&p, &before, set_of(w, key), key) ||
            ends_of(before) <= now_s) {
            return;
        }
        after = word_of(ends_of(before),
                        used_of(before) > cost ? used_of(before) - cost : 0,
                        before);
    } while (!atomic_compare_exchange_weak(&p->word, &before, after));
}

void mdl_window_peek(mdl_window_state *state, const mdl_windows *w,
                     const mdl_window_key *key, uint32_t limit, int64_t now_s)
{
    place_set *set = set_of(w, key);
    uint64_t word;
    place *p;

    if (!find_place(&p, &word, set, key)) {
        word = 0;
    }
    fill_state(state, w, word_now(w, word, now_s), limit, now_s);
}

/* --- Written down and read again ------------------------------------------ */

void mdl_window_restore(mdl_windows *w, const mdl_window_key *key,
                        uint32_t used, int64_t ends_s, int64_t now_s)
{
    uint64_t before;
    uint64_t after;
    place *p;

    if (ends_s <= now_s) {
        return;
    }
    if (used > MDL_WINDOW_MOST) {
        used = MDL_WINDOW_MOST;
    }
    do {
        p = find_or_insert(&before, w, key, now_s);
        after = word_now(w, before, now_s);
        after =
            word_now(w, word_of(ends_s, used_of(after) + used, after), now_s);
    } while (!atomic_compare_exchange_weak(&p->word, &before, after));
}

static place *place_at(const mdl_windows *w, uint64_t position)
{
    return &w->shared->sets[position / WAYS].places[position % WAYS];
}

bool mdl_window_changed(mdl_window_entry *entry, mdl_windows *w,
                        uint64_t *position, int64_t now_s)
{
    while (*position < w->n_sets * WAYS) {
        place *p = place_at(w, (*position)++);
        uint64_t hash = atomic_load_explicit(&p->hash0, memory_order_acquire);
        uint64_t word = atomic_load_explicit(&p->word, memory_order_acquire);

        if (hash == 0 || ends_of(word) <= now_s ||
            atomic_load_explicit(&p->saved, memory_order_relaxed) == word) {
            continue;
        }
        entry->label[0] =
            atomic_load_explicit(&p->label[0], memory_order_acquire);
        entry->label[1] =
            atomic_load_explicit(&p->label[1], memory_order_acquire);
        entry->used = used_of(word);
        entry->ends_s = ends_of(word);
        entry->place = *position - 1;
        /* Another key's by now: its turn comes with the next round. */
        if (atomic_load_explicit(&p->hash0, memory_order_acquire) == hash) {
            atomic_store_explicit(&p->saved, word, memory_order_relaxed);
            return true;
        }
    }
    return false;
}

void mdl_window_unsaved(mdl_windows *w, const mdl_window_entry *entry)
{
    atomic_store_explicit(&place_at(w, entry->place)->saved, 0,
                          memory_order_relaxed);
}
