/* dl_json.h - One strict pass over a JSON text: validate, canonicalise, pick
 * out members.  No tree, no allocation.
 *
 * Accepts exactly RFC 8259 in UTF-8 with the bounds below.  Beyond the
 * grammar it refuses: a byte order mark, bytes that are not UTF-8 (RFC 3629),
 * escapes of lone surrogates, and texts past a bound.
 *
 * The canonical line is the text with
 *   1. white space outside strings removed, and
 *   2. \uXXXX escapes (pairs too) of printable characters written as UTF-8;
 * all else stays byte for byte.  Not printable, so kept as the escape that
 * was received, are: the controls U+0000..001F and U+007F..009F, quotation
 * mark and backslash (which JSON wants escaped), the invisible U+00AD,
 * U+200B..200F, U+2028..202E, U+2060..206F, U+FEFF and U+FFF0..FFFB, and the
 * noncharacters U+FDD0..FDEF and U+nFFFE, U+nFFFF.  A canonical line holds no
 * newline, and canonicalising it again changes nothing.
 *
 * Duplicate member names are legal JSON and stay in the line; the LAST one
 * is picked out, with everything under it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JSON_H
#define DL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Bounds of a text: bytes, objects and arrays inside each other, values (each
 * member's, each element, and the whole). */
#define DL_JSON_MAX_BYTES  1048576
#define DL_JSON_MAX_DEPTH  64
#define DL_JSON_MAX_VALUES 10000

/* Bytes a scan may write past the length of its text into the scratch. */
#define DL_JSON_SLACK 64

/* What a value is. */
typedef enum dl_json_kind {
    DL_JSON_ABSENT = 0, /* the member is not there */
    DL_JSON_NULL,       /* null */
    DL_JSON_FALSE,      /* false */
    DL_JSON_TRUE,       /* true */
    DL_JSON_NUMBER,     /* a number, text as received */
    DL_JSON_STRING,     /* a string */
    DL_JSON_OBJECT,     /* an object */
    DL_JSON_ARRAY       /* an array */
} dl_json_kind;

/* One picked out value: a part of the canonical line. */
typedef struct dl_json_slice {
    const char *text; /* its bytes; of a string, those between the quotes */
    uint32_t len;     /* how many */
    uint8_t kind;     /* a dl_json_kind */
    uint8_t escaped;  /* a string with a backslash in it: unescape it */
} dl_json_slice;

/* What is wrong with a text. */
typedef enum dl_json_fault {
    DL_JSON_FINE = 0,   /* nothing */
    DL_JSON_SYNTAX,     /* it is not JSON */
    DL_JSON_NOT_OBJECT, /* it is JSON, but not an object */
    DL_JSON_ENCODING,   /* not UTF-8, or an escaped lone surrogate */
    DL_JSON_TOO_BIG     /* past a bound: bytes, depth, values */
} dl_json_fault;

/* What came of a scan. */
typedef struct dl_json_result {
    const char *line;   /* the canonical line; in the text or in the scratch */
    uint32_t line_len;  /* its length */
    const char *reason; /* static: what is wrong there, NULL when fine */
    uint32_t offset;    /* byte of the text at which it is wrong */
} dl_json_result;

/* Members to pick out, compiled.  Never changed once made, so any thread may
 * use it. */
typedef struct dl_json_shape dl_json_shape;

/* Set *SHAPE to the compiled form of the N PATHS: member names joined by dots
 * ("location.city"), any depth; path i fills slot i.  A path may name an
 * object others reach into.  DL_INVALID: a path is empty, has an empty name,
 * is there twice, or there are more than 1,000.  Lives in RESULT_POOL.
 * Thread: the owner of the pool. */
DL_MUSTCHECK dl_status dl_json_shape_create(const dl_json_shape **shape,
                                            const char *const *paths, int n,
                                            dl_error *err,
                                            apr_pool_t *result_pool);

/* Return how many slots SHAPE has.  Thread: any. */
int dl_json_shape_slots(const dl_json_shape *shape);

/* Scan the LEN bytes at TEXT, whose whole must be one object.  Fill RESULT and
 * the SLOTS of SHAPE (kind DL_JSON_ABSENT: not there).  When the text is
 * canonical but for white space around it the line lies in TEXT, else in
 * SCRATCH, which has room for LEN + DL_JSON_SLACK bytes.  On a fault the line
 * and the slots mean nothing.  A pure function.  Thread: any. */
dl_json_fault dl_json_scan(dl_json_result *result, dl_json_slice *slots,
                           const dl_json_shape *shape, char *scratch,
                           const char *text, size_t len);

/* Write the characters a string SLICE stands for to OUT (room for SLICE.len
 * bytes), as UTF-8; return their length.  The slice comes from a scan.
 * Thread: any. */
size_t dl_json_unescape(char *out, dl_json_slice slice);

/* Copy the LEN bytes of a canonical line at TEXT to OUT (room for LEN) with
 * its \u escapes, and no others, written as UTF-8; return the length. */
size_t dl_json_decode_unicode(char *out, const char *text, size_t len);

/* Return how many characters the LEN bytes of valid UTF-8 at TEXT are.
 * Thread: any. */
size_t dl_json_count_chars(const char *text, size_t len);

/* Return a name for people: "a string", "nothing", ...  Thread: any. */
const char *dl_json_kind_name(dl_json_kind kind);

#endif
