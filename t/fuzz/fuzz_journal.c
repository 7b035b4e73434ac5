/* fuzz_journal.c - A lake's journal: whatever follows its checkpoint, in
 * frames with right checksums, is replayed or refused.
 *
 * The input holds payloads of frames with '~' between them.  Each byte is
 * changed by 0x55, so that a seed can hold a zero; a first byte of '%' leaves
 * the frames out and puts the rest behind the checkpoint as it is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "dl_lake_journal.h"

/* Commit 8 at 100 ms, partition 0 next 5; the same with seal of uid 1. */
const char *const fuzz_seeds[] = {"V]1TUPUUUUU", "V]1TUPUUUUU~Q\\TT",
                                  "V]1UUUUUU~V\\1UUUUUU~P_TT", "%Q\\TT", NULL};

const char *const fuzz_words[] = {
    "~",     "U",    "T",    "V]1",
    "Q\\TT", "P_TT", "\xAA", "\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA\x54",
    NULL};

/* Add header and a checkpoint with one open part. */
static void add_beginning(dl_lake_bytes *bytes, apr_pool_t *pool)
{
    static dl_lake_state state;
    dl_lake_part part = {.uid = 1,
                         .day = 20591,
                         .first = 1,
                         .number = 1,
                         .bytes = 10,
                         .records = 2,
                         .commits = 1,
                         .first_commit_ms = 1,
                         .last_commit_ms = 1,
                         .first_time = 1779096600000000,
                         .last_time = 1779096600000000,
                         .trail_len = 3};

    dl_lake_state_begin(&state, 42, pool);
    state.journal = 1;
    state.lsn = 7;
    state.last_commit_ms = 1;
    state.next_uid = 2;
    state.commits = 1;
    dl_lake_state_put(&state, &part);
    dl_lake_header_add(bytes, 'J', 42, 1, "shop");
    dl_lake_checkpoint_add(bytes, &state);
}

/* Add the LEN bytes at DATA, changed, as frames. */
static void add_frames(dl_lake_bytes *bytes, const unsigned char *data,
                       size_t len)
{
    size_t frame = dl_lake_frame_begin(bytes);

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '~') {
            dl_lake_frame_end(bytes, frame);
            frame = dl_lake_frame_begin(bytes);
        }
        else {
            dl_lake_add_u8(bytes, data[i] ^ 0x55);
        }
    }
    dl_lake_frame_end(bytes, frame);
}

/* Count a stretch of trail. */
static dl_status see_trail(void *context, const dl_lake_change *change,
                           dl_error *err)
{
    int *n = context;

    (void)err;
    *n += change->trail_len > 0 ? 1 : 0;
    return DL_OK;
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    static dl_lake_state state;
    dl_lake_bytes *bytes = apr_pcalloc(pool, sizeof *bytes);
    dl_error err = {0};
    dl_lake_in in;
    int trails = 0;

    dl_lake_bytes_own(bytes, pool);
    add_beginning(bytes, pool);
    if (len > 0 && data[0] == '%') {
        dl_lake_add_raw(bytes, data + 1, len - 1);
    }
    else if (len > 0) {
        add_frames(bytes, data, len);
    }
    dl_lake_state_begin(&state, 42, pool);
    in = dl_lake_in_make(bytes->data, bytes->len);
    if (dl_lake_journal_replay(&state, &in, "shop", &err, pool) != DL_OK) {
        fuzz_check(err.text[0] != '\0', "a refusal has a reason");
        return;
    }
    fuzz_check(state.lsn >= 7 && state.commits >= 1, "numbers only rise");
    fuzz_check(state.n_parts >= 0 && state.n_parts <= state.size,
               "parts are counted");
    for (int i = 0; i < state.n_parts; i++) {
        fuzz_check(dl_lake_state_find(&state, state.parts[i]->day) ==
                       state.parts[i],
                   "each part is found by its day");
    }
    fuzz_check(dl_lake_journal_trails(bytes->data, (size_t)(in.p - bytes->data),
                                      see_trail, &trails, &err) == DL_OK,
               "what was replayed has trails that can be read");
    fuzz_check(trails <= (int)len, "... not more than there are bytes");
}
