/* test_lake_format.c - Bytes on disk are those FORMAT.md names.
 *
 * The expected bytes are written out from FORMAT.md 1, 4 and 5 by hand, not
 * taken from our writer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_crc.h"
#include "dl_lake_bytes.h"
#include "dl_lake_journal.h"
#include "dl_lake_trail.h"

#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

static apr_pool_t *pool;

static bool same(const dl_lake_bytes *bytes, const char *want, size_t len)
{
    return bytes->len == len && memcmp(bytes->data, want, len) == 0;
}

/* --- 1 Conventions -------------------------------------------------------- */

static void test_numbers(void)
{
    dl_lake_bytes *b = apr_palloc(pool, sizeof *b);
    dl_lake_in in;

    dl_lake_bytes_own(b, pool);
    dl_lake_add_u32(b, 0x01020304);
    ok(same(b, "\x04\x03\x02\x01", 4), "u32 is little-endian");
    b->len = 0;
    dl_lake_add_varint(b, 300);
    ok(same(b, "\xac\x02", 2), "300 is the varint ac 02");
    b->len = 0;
    dl_lake_add_zigzag(b, -1);
    dl_lake_add_zigzag(b, 1);
    ok(same(b, "\x01\x02", 2), "-1 and 1 are the zigzags 01 and 02");
    b->len = 0;
    dl_lake_add_zigzag(b, INT64_MIN);
    in = dl_lake_in_make(b->data, b->len);
    ok(dl_lake_get_zigzag(&in) == INT64_MIN && !in.bad,
       "the smallest number comes back");
    in = dl_lake_in_make("\x80\x00", 2);
    ok(dl_lake_get_varint(&in) == 0 && in.bad,
       "a varint longer than needed is damage");
    in = dl_lake_in_make("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    ok(dl_lake_get_varint(&in) == 0 && in.bad,
       "a varint above 64 bits is damage");
    in = dl_lake_in_make("\x05zwei", 5);
    ok(dl_lake_get_text(&(size_t){0}, &in) == NULL && in.bad,
       "a text that claims more than remains is damage");
}

/* --- 5 Frames ------------------------------------------------------------- */

static void test_frames(void)
{
    /* magic "DLF1", length 1, crc of 01 00 00 00 78, "x" */
    static const char frame[] = "DLF1\x01\x00\x00\x00\x00\x00\x00\x00x";
    unsigned char want[13];
    uint32_t crc = dl_crc32c_table(0, "\x01\x00\x00\x00x", 5);
    const uint8_t *payload;
    dl_lake_bytes *b = apr_palloc(pool, sizeof *b);
    dl_lake_in in;
    size_t len;
    size_t at;
    int i;

    memcpy(want, frame, sizeof want);
    for (i = 0; i < 4; i++) {
        want[8 + i] = (unsigned char)(crc >> (8 * i));
    }
    dl_lake_bytes_own(b, pool);
    at = dl_lake_frame_begin(b);
    dl_lake_add_u8(b, 'x');
    dl_lake_frame_end(b, at);
    ok(same(b, (const char *)want, sizeof want),
       "a frame is magic, length, crc of length and payload, payload");
    in = dl_lake_in_make(b->data, b->len);
    ok(dl_lake_get_frame(&payload, &len, &in) && len == 1 &&
           payload[0] == 'x' && in.p == in.end,
       "it is read back");
    in = dl_lake_in_make(b->data, b->len - 1);
    ok(!dl_lake_get_frame(&payload, &len, &in) && !in.bad && in.p == b->data &&
           !dl_lake_frame_follows(in),
       "a cut frame is no frame but a torn tail");
    at = dl_lake_frame_begin(b);
    dl_lake_add_u8(b, 'y');
    dl_lake_frame_end(b, at);
    b->data[12] ^= 1;
    in = dl_lake_in_make(b->data, b->len);
    ok(!dl_lake_get_frame(&payload, &len, &in) && dl_lake_frame_follows(in),
       "a broken frame before a whole one is damage");
}

static void test_join(void)
{
    static const char text[] = "{\"a\":1}\n{\"b\":22}\n";
    size_t n = sizeof text - 1;
    size_t cut;
    int wrong = 0;

    for (cut = 0; cut <= n; cut++) {
        wrong += dl_lake_crc_join(dl_crc32c(0, text, cut),
                                  dl_crc32c(0, text + cut, n - cut),
                                  n - cut) != dl_crc32c(0, text, n);
    }
    is_int(wrong, 0, "crcs of two halves join to that of the whole");
}

/* --- 4 Trails ------------------------------------------------------------- */

static void test_trail(void)
{
    /* Two lines of partition 3 generation 0 at 7 and 9, then one of partition
     * 1 at 5, then partition 3 at 10; Kafka times 1000 ms, 1002, none, 1001.
     * h=1 new: 3 0 7 zigzag(1000)=2000 | h=(9-7-1)<<1=2, zigzag(2)=4 |
     * h=1 new: 1 0 5 zigzag(-1)=1 | h=(1<<1)|1=3: back to the first, gap 0,
     * zigzag(-1)=1 */
    static const char coords[] = "\x01\x03\x00\x07\xd0\x0f\x02\x04"
                                 "\x01\x01\x00\x05\x01\x03\x00\x01";
    static const dl_coord c[] = {{0, 3, 7, 1000000},
                                 {0, 3, 9, 1002000},
                                 {0, 1, 5, DL_TIME_NONE},
                                 {0, 3, 10, 1001000}};
    dl_lake_part p = {.uid = 5, .day = 20591, .number = 2};
    dl_lake_trail t;
    const uint8_t *entry;
    size_t size = 4 + 4 + 2 + 1 + 1 + 16;
    size_t i;

    memset(&t, 0, sizeof t);
    for (i = 0; i < 4; i++) {
        dl_lake_trail_append(&t, &p, "{}\n", 3, &c[i], NULL);
    }
    dl_lake_trail_commit(&t, &p, 100);
    entry = t.out.data + DL_LAKE_PAGE_HEADER;
    is_int((long long)t.out.len, DL_LAKE_PAGE_HEADER + 1 + (long long)size,
           "a trail begins with a page header of 64 bytes");
    ok(memcmp(t.out.data, "DLTR\x01\x00\x00\x00\x6f\x50\x00\x00\x02\x00\x00",
              15) == 0 &&
           t.out.data[16] == 5,
       "which names version, day 0x506f, part 2 and uid 5");
    is_int(entry[0], (long long)size, "an entry begins with its size");
    ok(memcmp(entry + 9, "\xc9\x01\x0c\x04", 4) == 0,
       "then, behind two crcs, 100 ms and the end of the commit (201), 12 "
       "bytes, 4 lines");
    ok(memcmp(entry + 13, coords, sizeof coords - 1) == 0,
       "then the coordinates, relative to one another");
    ok(p.bytes == 12 && p.records == 4 && p.commits == 1 &&
           p.last_commit_ms == 100 && p.trail_len == t.out.len &&
           p.crc == dl_crc32c(0, "{}\n{}\n{}\n{}\n", 12),
       "the part has grown by them");
    dl_lake_trail_free(&t);
}

static void test_bad_coords(void)
{
    static const char *const bad[] = {"\x00\x00", "\x03\x00\x00",
                                      "\x01\x03\x00", "\x81\x00"};
    dl_lake_trail_entry entry = {.records = 1};
    dl_lake_coords coords;
    dl_coord c;
    size_t i;
    int taken = 0;

    for (i = 0; i < 4; i++) {
        entry.coords = (const uint8_t *)bad[i];
        entry.coords_len = i == 0 ? 2 : strlen(bad[i]);
        dl_lake_coords_begin(&coords, &entry);
        taken += dl_lake_coords_next(&c, &coords);
    }
    is_int(taken, 0,
           "coordinates without a source, of an unknown one, cut, or of a "
           "long form are refused");
}

/* --- 6 Journal ------------------------------------------------------------ */

static dl_status replay(const dl_lake_bytes *b, dl_lake_state *state,
                        dl_error *err)
{
    dl_lake_in in = dl_lake_in_make(b->data, b->len);

    dl_lake_state_begin(state, 0, pool);
    return dl_lake_journal_replay(state, &in, "d", err, pool);
}

static void test_journal(void)
{
    dl_lake_state *state = apr_palloc(pool, sizeof *state);
    dl_lake_state *back = apr_palloc(pool, sizeof *back);
    int64_t next[DL_LAKE_PARTITIONS_MAX];
    dl_lake_commit c = {.ms = 1000, .next = next};
    dl_error err = {.status = DL_OK};
    dl_lake_bytes *b = apr_palloc(pool, sizeof *b);
    size_t whole;

    dl_lake_bytes_own(b, pool);
    dl_lake_state_begin(state, 77, pool);
    memcpy(state->cluster, "abc", 4);
    memset(next, 0xff, sizeof next);
    next[2] = 9;
    c.rejects = state->rejects;
    dl_lake_header_add(b, 'J', 77, 1, "d");
    dl_lake_checkpoint_add(b, state);
    dl_lake_commit_add(b, state, &c);
    whole = b->len;
    ok(replay(b, back, &err) == DL_OK && back->id == 77 && back->lsn == 1 &&
           back->next[2] == 9 && back->next[1] == -1 &&
           back->last_commit_ms == 1000 && strcmp(back->cluster, "abc") == 0,
       "a checkpoint and a commit replay to the state they describe");
    dl_lake_commit_add(b, state, &c);
    is_int(replay(b, back, &err), DL_CORRUPT,
           "a record whose log number does not follow is damage");
    b->len = whole + 5;
    is_int(replay(b, back, &err), DL_OK, "a torn tail is none");
    b->len = whole;
    is_int(replay(b, back, &err), DL_OK, "the rest counts");
    {
        dl_lake_in in = dl_lake_in_make(b->data, b->len);

        dl_lake_state_begin(back, 0, pool);
        is_int(dl_lake_journal_replay(back, &in, "other", &err, pool),
               DL_CORRUPT, "a journal of another dataset is refused");
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_numbers();
    test_frames();
    test_join();
    test_trail();
    test_bad_coords();
    test_journal();
    apr_terminate();
    return done();
}
