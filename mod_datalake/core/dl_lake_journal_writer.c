/* dl_lake_journal_writer.c - Encoding the records of a journal.
 *
 * FORMAT.md 5 and 6, in their order.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_journal.h"

#include <string.h>

/* --- Header --------------------------------------------------------------- */

void dl_lake_header_add(dl_lake_bytes *bytes, char kind, uint64_t id,
                        uint64_t number, const char *name)
{
    size_t frame = dl_lake_frame_begin(bytes);

    dl_lake_add_u8(bytes, DL_LAKE_TYPE_HEADER);
    dl_lake_add_u8(bytes, (uint8_t)kind);
    dl_lake_add_u8(bytes, DL_LAKE_VERSION);
    dl_lake_add_u64(bytes, id);
    dl_lake_add_varint(bytes, number);
    dl_lake_add_text(bytes, name, strlen(name));
    dl_lake_frame_end(bytes, frame);
}

/* --- Checkpoint ----------------------------------------------------------- */

static void add_quarantine(dl_lake_bytes *bytes, const dl_lake_quarantine *q)
{
    dl_lake_add_varint(bytes, q->number);
    dl_lake_add_varint(bytes, q->length);
    dl_lake_add_varint(bytes, q->frames);
}

/* Topic partitions of NEXT that differ from BEFORE (NULL: that exist). */
static void add_next(dl_lake_bytes *bytes, const int64_t *next,
                     const int64_t *before)
{
    int n = 0;
    int pass;
    int i;

    for (pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            dl_lake_add_varint(bytes, (uint64_t)n);
        }
        for (i = 0; i < DL_LAKE_PARTITIONS_MAX; i++) {
            if (next[i] == (before == NULL ? -1 : before[i])) {
                continue;
            }
            if (pass == 0) {
                n++;
            }
            else {
                dl_lake_add_varint(bytes, (uint64_t)i);
                dl_lake_add_varint(bytes, (uint64_t)next[i]);
            }
        }
    }
}

void dl_lake_checkpoint_add(dl_lake_bytes *bytes, const dl_lake_state *state)
{
    size_t frame = dl_lake_frame_begin(bytes);
    int i;

    dl_lake_add_u8(bytes, DL_LAKE_TYPE_CHECKPOINT);
    dl_lake_add_varint(bytes, state->lsn);
    dl_lake_add_varint(bytes, (uint64_t)state->last_commit_ms);
    dl_lake_add_text(bytes, state->cluster, strlen(state->cluster));
    dl_lake_add_varint(bytes, (uint64_t)state->generation);
    dl_lake_add_varint(bytes, state->next_uid);
    dl_lake_add_varint(bytes, state->commits);
    dl_lake_add_varint(bytes, DL_LAKE_REASONS);
    for (i = 0; i < DL_LAKE_REASONS; i++) {
        dl_lake_add_varint(bytes, state->rejects[i]);
    }
    add_quarantine(bytes, &state->quarantine);
    add_next(bytes, state->next, NULL);
    dl_lake_add_varint(bytes, (uint64_t)state->n_parts);
    for (i = 0; i < state->n_parts; i++) {
        dl_lake_part_add(bytes, state->parts[i]);
    }
    dl_lake_marks_add(bytes, &state->marks, false);
    dl_lake_frame_end(bytes, frame);
}

/* --- Commit --------------------------------------------------------------- */

static void add_rejects(dl_lake_bytes *bytes, const uint64_t *after,
                        const uint64_t *before)
{
    uint64_t n = 0;
    int i;

    for (i = 0; i < DL_LAKE_REASONS; i++) {
        n += after[i] != before[i];
    }
    dl_lake_add_varint(bytes, n);
    for (i = 0; i < DL_LAKE_REASONS; i++) {
        if (after[i] != before[i]) {
            dl_lake_add_varint(bytes, (uint64_t)i);
            dl_lake_add_varint(bytes, after[i] - before[i]);
        }
    }
}

void dl_lake_commit_add(dl_lake_bytes *bytes, const dl_lake_state *state,
                        const dl_lake_commit *c)
{
    size_t frame = dl_lake_frame_begin(bytes);
    int i;

    dl_lake_add_u8(bytes, DL_LAKE_TYPE_COMMIT);
    dl_lake_add_varint(bytes, state->lsn + 1);
    dl_lake_add_varint(bytes, (uint64_t)c->ms);
    add_next(bytes, c->next, state->next);
    add_quarantine(bytes, &c->quarantine);
    add_rejects(bytes, c->rejects, state->rejects);
    dl_lake_add_varint(bytes, (uint64_t)c->n_changes);
    for (i = 0; i < c->n_changes; i++) {
        const dl_lake_change *change = &c->changes[i];

        dl_lake_part_add(bytes, &change->after);
        dl_lake_add_varint(bytes, change->trail_at);
        dl_lake_add_text(bytes, change->trail, change->trail_len);
    }
    dl_lake_marks_add(bytes, &state->marks, true);
    dl_lake_frame_end(bytes, frame);
}

/* --- Seal, listed --------------------------------------------------------- */

void dl_lake_uids_add(dl_lake_bytes *bytes, uint8_t type,
                      const dl_lake_state *state, dl_lake_part *const *parts,
                      int n)
{
    size_t frame = dl_lake_frame_begin(bytes);
    int i;

    dl_lake_add_u8(bytes, type);
    dl_lake_add_varint(bytes, state->lsn + 1);
    dl_lake_add_varint(bytes, (uint64_t)n);
    for (i = 0; i < n; i++) {
        dl_lake_add_varint(bytes, parts[i]->uid);
    }
    dl_lake_frame_end(bytes, frame);
}
