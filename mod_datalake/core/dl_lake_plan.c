/* dl_lake_plan.c - Which lines of a day come next.
 *
 * By the index: the block with the next line, or with a hint the next block
 * that can hold a wanted line.  By the trail: entries until there are 256 KB
 * of lines.  A scan without hint takes its first blocks by the index, so that
 * a few lines from the middle of a day cost no search in the trail, and goes
 * on by the trail: its checksums are those of the commits, and it is read
 * once from there on.  Coordinates stand in the trail only; with them the
 * index says which lines, the trail where they are.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_scanning.h"

#include "dl_lake_limits.h"

#include <string.h>

/* Blocks that a scan without hint takes by the index. */
#define FIRST_BLOCKS 4

/* A block that claims to be longer is read by the trail. */
#define BLOCK_MAX 4194304u

/* Lines that are stepped over in the trail rather than searched. */
#define NEAR_LINES 16384

/* --- By the trail ---------------------------------------------------------- */

static dl_lake_trailing *trail_of(dl_lake_scan *scan)
{
    if (scan->trail == NULL) {
        scan->trail = apr_pcalloc(scan->pool, sizeof *scan->trail);
        dl_lake_bytes_own(&scan->trail->coords, scan->pool);
        dl_lake_trail_begin(&scan->trail->walk, dl_lake_calls(scan->snap->lake),
                            -1, &scan->known, scan->pool);
    }
    return scan->trail;
}

/* Put the trail of SCAN somewhere before its next line. */
static dl_status approach(dl_lake_scan *scan, dl_error *err)
{
    dl_lake_trailing *t = trail_of(scan);

    if (t->part == scan->part && t->has_held && t->held_line <= scan->line &&
        scan->line - t->held_line < NEAR_LINES) {
        return DL_OK;
    }
    t->has_held = false;
    t->part = scan->part;
    t->walk.part = scan->known;
    DL_TRY(dl_lake_opened_trail(&t->walk.fd, scan->part, err));
    return dl_lake_trail_seek(&t->walk, DL_LAKE_BY_RECORDS,
                              scan->line - scan->part_start + 1, err);
}

/* Hold the entry of the trail that has the next line of SCAN. */
static dl_status hold_entry(dl_lake_scan *scan, dl_error *err)
{
    dl_lake_trailing *t = trail_of(scan);

    DL_TRY(approach(scan, err));
    while (!t->has_held || t->held_line + t->held.records <= scan->line) {
        DL_TRY(dl_lake_trail_next(&t->held, &t->has_held, &t->walk, err));
        if (!t->has_held) {
            return dl_fail(err, DL_CORRUPT, 0, "trail ends before line %llu",
                           (unsigned long long)scan->line + 1);
        }
        t->held_line = scan->part_start + t->walk.records - t->held.records;
    }
    return DL_OK;
}

/* Take the held entry of SCAN into STRETCH. */
static void take_entry(dl_lake_stretch *stretch, dl_lake_scan *scan)
{
    dl_lake_trailing *t = scan->trail;

    stretch->sums[stretch->n_sums++] =
        (dl_lake_checksum){t->held.bytes, t->held.crc};
    stretch->bytes += t->held.bytes;
    stretch->all += t->held.records;
    if (scan->with_coords) {
        t->taken[t->n_taken++] =
            (dl_lake_taken){t->held.records, t->coords.len, t->held.coords_len};
        dl_lake_add_raw(&t->coords, t->held.coords, t->held.coords_len);
    }
    t->has_held = false;
}

/* Take entries until STRETCH is full, or all before line END of the day are
 * in it. */
static dl_status take_entries(dl_lake_stretch *stretch, dl_lake_scan *scan,
                              uint64_t end, dl_error *err)
{
    dl_lake_trailing *t = scan->trail;
    uint64_t line = t->held_line;

    while (t->has_held && line < end &&
           stretch->n_sums < DL_LAKE_STRETCH_SUMS &&
           (stretch->n_sums == 0 ||
            stretch->bytes + t->held.bytes <= DL_LAKE_STRETCH_BYTES)) {
        line += t->held.records;
        take_entry(stretch, scan);
        if (line >= scan->end) {
            return DL_OK; /* what follows may be newer than the snapshot */
        }
        DL_TRY(dl_lake_trail_next(&t->held, &t->has_held, &t->walk, err));
        t->held_line = line;
    }
    return DL_OK;
}

static dl_status plan_by_trail(dl_lake_stretch *stretch, dl_lake_scan *scan,
                               dl_error *err)
{
    uint64_t end = scan->end < scan->trail_end ? scan->end : scan->trail_end;
    dl_lake_trailing *t;

    DL_TRY(hold_entry(scan, err));
    t = scan->trail;
    t->n_taken = 0;
    t->coords.len = 0;
    stretch->by_block = false;
    stretch->at = t->walk.bytes - t->held.bytes;
    stretch->before = t->held_line - scan->part_start;
    DL_TRY(take_entries(stretch, scan, end, err));
    if (scan->with_coords) {
        dl_lake_scan_begin_coords(scan);
    }
    return DL_OK;
}

/* --- By the index ---------------------------------------------------------- */

/* The first block of SEGMENT from I on that SCAN wants; N: none. */
static int wanted_block(const dl_lake_scan *scan, int i, int n)
{
    while (i < n && (scan->bits[i / 64] >> (i % 64) & 1) == 0) {
        /* Whole words of blocks that nobody wants at once. */
        i = scan->bits[i / 64] >> (i % 64) == 0 ? (i / 64 + 1) * 64 : i + 1;
    }
    return i < n ? i : n;
}

/* Set *BLOCK to the block in which SCAN goes on, and return whether it is
 * wanted; if not, nothing up to its end is. */
static bool find_block(dl_lake_block *block, dl_lake_scan *scan)
{
    uint64_t line = scan->line - scan->part_start;
    bool wanted = true;
    int segment;
    int i;

    dl_lake_index_find(&segment, &i, scan->index, line);
    if (scan->hint != NULL) {
        int n = dl_lake_index_blocks(scan->index, segment);

        if (segment != scan->segment) {
            scan->segment = segment;
            (void)dl_lake_index_candidates(scan->bits, scan->index, segment,
                                           scan->hint);
        }
        i = wanted_block(scan, i, n);
        wanted = i < n;
        i = wanted ? i : n - 1;
    }
    dl_lake_index_block(block, scan->index, segment, i);
    return wanted;
}

/* Plan BLOCK, which has the next line of SCAN or lies behind it. */
static void plan_block(dl_lake_stretch *stretch, dl_lake_scan *scan,
                       const dl_lake_block *block)
{
    stretch->by_block = true;
    stretch->keep = scan->blocks < FIRST_BLOCKS;
    stretch->at = block->at;
    stretch->bytes = block->bytes;
    stretch->before = block->line;
    stretch->all = block->lines;
    stretch->n_sums = 1;
    stretch->sums[0] = (dl_lake_checksum){block->bytes, block->crc};
    scan->blocks++;
}

/* Whether the index tells SCAN how to go on. */
static bool has_index(const dl_lake_scan *scan)
{
    if (scan->index == NULL || scan->line - scan->part_start >= scan->indexed) {
        return false;
    }
    return scan->hint != NULL ||
           (!scan->with_coords && !scan->fresh && scan->blocks < FIRST_BLOCKS);
}

/* Plan a block, if there is one to be read now; else move on to where it is
 * known what to do. */
static void plan_by_index(dl_lake_stretch *stretch, dl_lake_scan *scan)
{
    dl_lake_block block;
    uint64_t first;
    uint64_t end;
    bool wanted;

    if (!has_index(scan)) {
        scan->trail_end = UINT64_MAX;
        return;
    }
    wanted = find_block(&block, scan);
    first = scan->part_start + block.line;
    end = first + block.lines;
    if (end <= scan->line || block.bytes < block.lines) {
        scan->trail_end = UINT64_MAX; /* the index contradicts itself */
        return;
    }
    if (!wanted) {
        scan->line = end;
        return;
    }
    scan->line = first > scan->line ? first : scan->line;
    if (scan->with_coords || block.bytes > BLOCK_MAX) {
        scan->trail_end = end;
    }
    else if (scan->line < scan->end) {
        plan_block(stretch, scan, &block);
    }
}

/* --- The next stretch ------------------------------------------------------ */

/* Set what all stretches have in common, and move on behind STRETCH. */
static void finish(dl_lake_stretch *stretch, dl_lake_scan *scan)
{
    uint64_t end = scan->part_start + stretch->before + stretch->all;

    end = end < scan->end ? end : scan->end;
    stretch->part = scan->part;
    stretch->known = scan->known;
    stretch->line = scan->line + 1;
    stretch->skip = scan->line - scan->part_start - stretch->before;
    stretch->lines = end - scan->line;
    dl_lake_opened_hold(stretch->part);
    scan->line = end;
}

/* Plan, or move on; DL_NOT_FOUND: a file of the part has. */
static dl_status plan_some(dl_lake_stretch *stretch, dl_lake_scan *scan,
                           dl_error *err)
{
    const dl_lake_text *text;

    DL_TRY(dl_lake_scan_enter(scan, err));
    if (scan->line >= scan->trail_end) {
        plan_by_index(stretch, scan);
    }
    else {
        DL_TRY(plan_by_trail(stretch, scan, err));
    }
    if (stretch->all > 0) {
        DL_TRY(dl_lake_opened_text(&text, scan->part, err));
        finish(stretch, scan);
    }
    return DL_OK;
}

/* Look for the parts of SCAN anew: their files have moved on. */
static dl_status renew_layout(dl_lake_scan *scan, dl_error *err)
{
    dl_lake_opened_release(scan->part);
    scan->part = NULL;
    if (scan->trail != NULL) {
        scan->trail->has_held = false;
    }
    if (scan->layout_pool == NULL) {
        apr_pool_create(&scan->layout_pool, scan->pool);
    }
    apr_pool_clear(scan->layout_pool);
    scan->layout = scan->snap;
    return dl_lake_layout_renew(&scan->layout, scan->snap, scan->day.day, err,
                                scan->layout_pool);
}

dl_status dl_lake_scan_plan(dl_lake_stretch *stretch, dl_lake_scan *scan,
                            dl_error *err)
{
    dl_status status;
    int tries = 0;

    memset(stretch, 0, offsetof(dl_lake_stretch, sums));
    while (stretch->lines == 0 && scan->line < scan->end) {
        status = plan_some(stretch, scan, err);
        if (status == DL_NOT_FOUND && tries++ < DL_LAKE_TRIES) {
            memset(stretch, 0, offsetof(dl_lake_stretch, sums));
            DL_TRY(renew_layout(scan, err));
            status = DL_OK;
        }
        if (status == DL_NOT_FOUND) {
            return dl_fail(err, DL_CORRUPT, 0, "a part of the day is missing");
        }
        DL_TRY(status);
    }
    return DL_OK;
}
