/* dl_lake_journal_reader.c - Replaying a journal.
 *
 * FORMAT.md 5 and 6, in their order.  A record that does not follow from the
 * state before it is damage: the writer never wrote it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_journal.h"

#include "dl_crc.h"

#include <string.h>

/* --- Header --------------------------------------------------------------- */

dl_status dl_lake_header_get(uint64_t *id, uint64_t *number, dl_lake_in in,
                             char kind, const char *name, dl_error *err)
{
    bool same = dl_lake_get_u8(&in) == DL_LAKE_TYPE_HEADER;
    const uint8_t *text;
    size_t text_len;

    same = dl_lake_get_u8(&in) == (uint8_t)kind && same;
    if (same && dl_lake_get_u8(&in) != DL_LAKE_VERSION) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "file of another format version");
    }
    *id = dl_lake_get_u64(&in);
    *number = dl_lake_get_varint(&in);
    text = dl_lake_get_text(&text_len, &in);
    if (!same || in.bad || in.p != in.end || text_len != strlen(name) ||
        memcmp(text, name, text_len) != 0) {
        return dl_fail(err, DL_CORRUPT, 0, "file header is not that of %s",
                       name);
    }
    return DL_OK;
}

/* --- Checkpoint ----------------------------------------------------------- */

static void get_quarantine(dl_lake_quarantine *q, dl_lake_in *in)
{
    q->number = dl_lake_get_varint(in);
    q->length = dl_lake_get_bounded(in, INT64_MAX);
    q->frames = dl_lake_get_varint(in);
}

static void get_next(int64_t *next, dl_lake_in *in)
{
    uint64_t n = dl_lake_get_bounded(in, DL_LAKE_PARTITIONS_MAX);

    for (; n > 0 && !in->bad; n--) {
        uint64_t partition =
            dl_lake_get_bounded(in, DL_LAKE_PARTITIONS_MAX - 1);
        int64_t offset = (int64_t)dl_lake_get_bounded(in, INT64_MAX);

        if (offset < next[partition]) {
            in->bad = true;
            return;
        }
        next[partition] = offset;
    }
}

static void get_parts(dl_lake_state *state, dl_lake_in *in, apr_pool_t *pool)
{
    uint64_t n = dl_lake_get_bounded(in, DL_LAKE_OPEN_MAX);

    for (; n > 0 && !in->bad; n--) {
        dl_lake_part *part = apr_palloc(pool, sizeof *part);

        dl_lake_part_get(part, in);
        if (dl_lake_state_find(state, part->day) != NULL ||
            part->uid >= state->next_uid) {
            in->bad = true;
        }
        if (!in->bad) {
            dl_lake_state_put(state, part);
        }
    }
}

static void get_checkpoint(dl_lake_state *state, dl_lake_in *in,
                           apr_pool_t *pool)
{
    const uint8_t *text;
    size_t len;
    int i;

    state->lsn = dl_lake_get_varint(in);
    state->last_commit_ms = (int64_t)dl_lake_get_bounded(in, INT64_MAX);
    text = dl_lake_get_text(&len, in);
    if (text == NULL || len > DL_LAKE_CLUSTER_MAX) {
        in->bad = true;
        return;
    }
    memcpy(state->cluster, text, len);
    state->cluster[len] = '\0';
    state->generation = (int32_t)dl_lake_get_bounded(in, INT32_MAX);
    state->next_uid = dl_lake_get_varint(in);
    state->commits = dl_lake_get_varint(in);
    if (dl_lake_get_varint(in) != DL_LAKE_REASONS) {
        in->bad = true;
    }
    for (i = 0; i < DL_LAKE_REASONS; i++) {
        state->rejects[i] = dl_lake_get_varint(in);
    }
    get_quarantine(&state->quarantine, in);
    get_next(state->next, in);
    get_parts(state, in, pool);
    dl_lake_marks_get(&state->marks, in);
}

/* --- Commit --------------------------------------------------------------- */

static void get_change(dl_lake_change *change, dl_lake_in *in)
{
    dl_lake_part_get(&change->after, in);
    change->trail_at = dl_lake_get_bounded(in, INT64_MAX);
    change->trail = dl_lake_get_text(&change->trail_len, in);
}

/* Whether CHANGE, made at MS, follows from BEFORE (all zero: a new part). */
static bool follows(const dl_lake_change *change, const dl_lake_part *before,
                    int64_t ms)
{
    const dl_lake_part *after = &change->after;

    return after->state == DL_LAKE_PART_OPEN && after->bytes > before->bytes &&
           after->records > before->records &&
           after->commits == before->commits + 1 &&
           after->last_commit_ms == ms &&
           change->trail_at == before->trail_len &&
           after->trail_len == before->trail_len + change->trail_len &&
           after->trail_crc ==
               dl_crc32c(before->trail_crc, change->trail, change->trail_len);
}

static void apply_change(dl_lake_state *state, const dl_lake_change *change,
                         uint64_t first_uid, dl_lake_in *in, apr_pool_t *pool)
{
    static const dl_lake_part none;
    dl_lake_part *part = dl_lake_state_find(state, change->after.day);
    bool good;

    if (part != NULL) {
        good = part->uid == change->after.uid &&
               part->number == change->after.number &&
               part->state == DL_LAKE_PART_OPEN &&
               follows(change, part, state->last_commit_ms);
    }
    else {
        good = change->after.uid >= first_uid &&
               follows(change, &none, state->last_commit_ms);
    }
    if (!good) {
        in->bad = true;
        return;
    }
    if (part == NULL) {
        if (change->after.uid >= state->next_uid) {
            state->next_uid = change->after.uid + 1;
        }
        part = apr_palloc(pool, sizeof *part);
        *part = change->after;
        dl_lake_state_put(state, part);
    }
    *part = change->after;
}

static void get_rejects(dl_lake_state *state, dl_lake_in *in)
{
    uint64_t n = dl_lake_get_bounded(in, DL_LAKE_REASONS);

    for (; n > 0 && !in->bad; n--) {
        uint64_t reason = dl_lake_get_bounded(in, DL_LAKE_REASONS - 1);

        state->rejects[reason] += dl_lake_get_varint(in);
    }
}

static void get_commit(dl_lake_state *state, dl_lake_in *in, apr_pool_t *pool)
{
    uint64_t lsn = dl_lake_get_varint(in);
    int64_t ms = (int64_t)dl_lake_get_bounded(in, INT64_MAX);
    uint64_t first_uid = state->next_uid;
    uint64_t n;

    if (lsn != state->lsn + 1 || ms < state->last_commit_ms) {
        in->bad = true;
        return;
    }
    state->lsn = lsn;
    state->last_commit_ms = ms;
    state->commits++;
    get_next(state->next, in);
    get_quarantine(&state->quarantine, in);
    get_rejects(state, in);
    n = dl_lake_get_bounded(in, DL_LAKE_OPEN_MAX);
    for (; n > 0 && !in->bad; n--) {
        dl_lake_change change;

        get_change(&change, in);
        if (!in->bad) {
            apply_change(state, &change, first_uid, in, pool);
        }
    }
    dl_lake_marks_get(&state->marks, in);
}

/* --- Seal, listed --------------------------------------------------------- */

static dl_lake_part *find_uid(const dl_lake_state *state, uint64_t uid)
{
    int i;

    for (i = 0; i < state->n_parts; i++) {
        if (state->parts[i]->uid == uid) {
            return state->parts[i];
        }
    }
    return NULL;
}

static bool seal_part(dl_lake_state *state, dl_lake_part *part)
{
    (void)state;
    if (part->state != DL_LAKE_PART_OPEN) {
        return false;
    }
    part->state = DL_LAKE_PART_SEALED;
    return true;
}

static bool drop_part(dl_lake_state *state, dl_lake_part *part)
{
    if (part->state != DL_LAKE_PART_SEALED) {
        return false;
    }
    dl_lake_state_take(state, part->day);
    return true;
}

static void get_uids(dl_lake_state *state, dl_lake_in *in,
                     bool (*change)(dl_lake_state *, dl_lake_part *))
{
    uint64_t lsn = dl_lake_get_varint(in);
    uint64_t n = dl_lake_get_bounded(in, DL_LAKE_OPEN_MAX);

    if (lsn != state->lsn + 1) {
        in->bad = true;
        return;
    }
    state->lsn = lsn;
    for (; n > 0 && !in->bad; n--) {
        dl_lake_part *part = find_uid(state, dl_lake_get_varint(in));

        if (part == NULL || !change(state, part)) {
            in->bad = true;
        }
    }
}

/* --- Replay --------------------------------------------------------------- */

static bool apply(dl_lake_state *state, const uint8_t *payload, size_t len,
                  apr_pool_t *pool)
{
    dl_lake_in in = dl_lake_in_make(payload, len);

    switch (dl_lake_get_u8(&in)) {
    case DL_LAKE_TYPE_COMMIT:
        get_commit(state, &in, pool);
        break;
    case DL_LAKE_TYPE_SEAL:
        get_uids(state, &in, seal_part);
        break;
    case DL_LAKE_TYPE_LISTED:
        get_uids(state, &in, drop_part);
        break;
    default:
        return false;
    }
    return !in.bad && in.p == in.end;
}

static dl_status damaged(const uint8_t *data, const uint8_t *at,
                         const char *what, dl_error *err)
{
    return dl_fail(err, DL_CORRUPT, 0, "journal at %zu: %s",
                   (size_t)(at - data), what);
}

static dl_status replay_first(dl_lake_state *state, dl_lake_in *in,
                              const uint8_t *data, const char *name,
                              dl_error *err, apr_pool_t *pool)
{
    const uint8_t *payload;
    size_t len;
    dl_lake_in checkpoint;

    if (!dl_lake_get_frame(&payload, &len, in)) {
        return damaged(data, in->p, "no header", err);
    }
    DL_TRY(dl_lake_header_get(&state->id, &state->journal,
                              dl_lake_in_make(payload, len), 'J', name, err));
    if (!dl_lake_get_frame(&payload, &len, in)) {
        return damaged(data, in->p, "no checkpoint", err);
    }
    checkpoint = dl_lake_in_make(payload, len);
    if (dl_lake_get_u8(&checkpoint) != DL_LAKE_TYPE_CHECKPOINT) {
        return damaged(data, payload, "no checkpoint", err);
    }
    get_checkpoint(state, &checkpoint, pool);
    if (checkpoint.bad || checkpoint.p != checkpoint.end) {
        return damaged(data, payload, "checkpoint is malformed", err);
    }
    return DL_OK;
}

dl_status dl_lake_journal_replay(dl_lake_state *state, dl_lake_in *in,
                                 const char *name, dl_error *err,
                                 apr_pool_t *pool)
{
    const uint8_t *data = in->p;
    const uint8_t *payload;
    size_t len;

    DL_TRY(replay_first(state, in, data, name, err, pool));
    while (dl_lake_get_frame(&payload, &len, in)) {
        if (!apply(state, payload, len, pool)) {
            return damaged(data, payload, "record does not follow", err);
        }
    }
    if (dl_lake_frame_follows(*in)) {
        return damaged(data, in->p, "record has a wrong checksum", err);
    }
    return DL_OK;
}

/* --- Trails --------------------------------------------------------------- */

static dl_status tell_trails(dl_lake_in *in, dl_lake_trail_seen *seen,
                             void *context, dl_error *err)
{
    int64_t scratch[DL_LAKE_PARTITIONS_MAX];
    dl_lake_state ignored = {.n_parts = 0};
    uint64_t n;

    memset(scratch, 0xff, sizeof scratch);
    dl_lake_get_varint(in);
    dl_lake_get_varint(in);
    get_next(scratch, in);
    get_quarantine(&ignored.quarantine, in);
    get_rejects(&ignored, in);
    n = dl_lake_get_bounded(in, DL_LAKE_OPEN_MAX);
    for (; n > 0 && !in->bad; n--) {
        dl_lake_change change;

        get_change(&change, in);
        if (!in->bad) {
            DL_TRY(seen(context, &change, err));
        }
    }
    return DL_OK;
}

dl_status dl_lake_journal_trails(const uint8_t *data, size_t len,
                                 dl_lake_trail_seen *seen, void *context,
                                 dl_error *err)
{
    dl_lake_in in = dl_lake_in_make(data, len);
    const uint8_t *payload;
    size_t payload_len;

    while (dl_lake_get_frame(&payload, &payload_len, &in)) {
        dl_lake_in record = dl_lake_in_make(payload, payload_len);

        if (dl_lake_get_u8(&record) == DL_LAKE_TYPE_COMMIT) {
            DL_TRY(tell_trails(&record, seen, context, err));
        }
    }
    return DL_OK;
}
