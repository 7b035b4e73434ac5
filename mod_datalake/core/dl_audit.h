/* dl_audit.h - One entry of the audit log, its line, and the chain of lines.
 *
 * AUDIT.md describes the bytes; this is its sections 2 to 5.  Who writes makes
 * lines with dl_audit_encode on any thread; the chain is added by the one
 * thread that owns it (dl_audit_file.h).  Who reads takes a line apart with
 * dl_audit_line_parse and dl_audit_decode.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_AUDIT_H
#define DL_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_buf.h"
#include "dl_error.h"
#include "dl_time.h"

struct dl_json_shape;

/* Bytes of a chain's value, and of its name with NUL:
 * 20260518T093000Z-0123456789abcdef. */
#define DL_AUDIT_VALUE 32
#define DL_AUDIT_CHAIN 34

/* Bounds of AUDIT.md 10. */
#define DL_AUDIT_BODY_MAX  4096
#define DL_AUDIT_QUERY_MAX 16384
#define DL_AUDIT_LINE_MAX  262144

/* Fewest bytes of an audit key. */
#define DL_AUDIT_KEY_MIN 32

/* --- Chain ---------------------------------------------------------------- */

/* The audit key.  Never changes, any thread may use it. */
typedef struct dl_audit_key dl_audit_key;

/* A chain under way: its value and length. */
typedef struct dl_audit_chain dl_audit_chain;

/* Set *KEY to the secret in the file PATH (dl_secret.h).  DL_INVALID: it is
 * open to others or has fewer than DL_AUDIT_KEY_MIN bytes; DL_NOT_FOUND, DL_IO
 * as dl_secret_load.  Lives in RESULT_POOL and is wiped with it. */
DL_MUSTCHECK dl_status dl_audit_key_load(const dl_audit_key **key,
                                         const char *path, dl_error *err,
                                         apr_pool_t *result_pool);

/* Return a chain under KEY, which has to live as long; it begins at no name and
 * means nothing before dl_audit_chain_begin or _resume.  Lives in RESULT_POOL.
 * Thread: the owner. */
dl_audit_chain *dl_audit_chain_create(const dl_audit_key *key,
                                      apr_pool_t *result_pool);

/* Put CHAIN before the first line of the chain NAME.  Thread: the owner. */
void dl_audit_chain_begin(dl_audit_chain *chain, const char *name);

/* Put CHAIN behind LENGTH lines, with VALUE.  Thread: the owner. */
void dl_audit_chain_resume(dl_audit_chain *chain,
                           const unsigned char value[DL_AUDIT_VALUE],
                           int64_t length);

/* Add the line whose sealed part is the LEN bytes at SEALED.
 * Thread: the owner. */
void dl_audit_chain_add(dl_audit_chain *chain, const char *sealed, size_t len);

/* Return the value of CHAIN, DL_AUDIT_VALUE bytes that change with the next
 * line.  Thread: the owner. */
const unsigned char *dl_audit_chain_value(const dl_audit_chain *chain);

/* Return the length of CHAIN.  Thread: the owner. */
int64_t dl_audit_chain_length(const dl_audit_chain *chain);

/* Write VALUE as 64 lower case hexadecimal digits to OUT, without NUL.
 * Thread: any. */
void dl_audit_hex(char out[2 * DL_AUDIT_VALUE],
                  const unsigned char value[DL_AUDIT_VALUE]);

/* --- Entries -------------------------------------------------------------- */

/* A text of an entry that enters the chain as a hash. */
typedef struct dl_audit_text {
    const char *text; /* its bytes; NULL: absent */
    size_t len;       /* how many */
} dl_audit_text;

/* The texts of an entry, in order of a line. */
enum {
    DL_AUDIT_USER,         /* account by name, or what a log-in tried */
    DL_AUDIT_ADDRESS,      /* of the client */
    DL_AUDIT_QUERY_PARAMS, /* JSON text: an object */
    DL_AUDIT_BODY,         /* without secrets, at most DL_AUDIT_BODY_MAX */
    DL_AUDIT_TEXTS         /* how many there are */
};

/* One entry.  Owns nothing. */
typedef struct dl_audit_entry {
    dl_time timestamp;      /* when it was over */
    int64_t user_id;        /* account by id; 0: none */
    const char *method;     /* as sent */
    const char *endpoint;   /* path as sent */
    const char *resource;   /* what was accessed, NULL: nothing */
    const char *action;     /* read, write, delete, grant, login, export */
    const char *request_id; /* X-Request-Id */
    int status;             /* HTTP status of the answer */
    int64_t bytes;          /* of the answer's body */
    int64_t duration_ms;    /* to the answer */
    dl_audit_text text[DL_AUDIT_TEXTS]; /* what an erasure can take away */
} dl_audit_entry;

/* Append the line of ENTRY, newline included, to OUT; the digits of its chain
 * are zeros.  Set *SEALED to the bytes of its sealed part.  Bytes that are not
 * UTF-8 become U+FFFD.  DL_LIMIT: the line would have more than
 * DL_AUDIT_LINE_MAX bytes or OUT is full; OUT is as it was.  Thread: any. */
DL_MUSTCHECK dl_status dl_audit_encode(dl_buf *out, size_t *sealed,
                                       const dl_audit_entry *entry,
                                       dl_error *err);

/* Hexadecimal digits of a salt. */
#define DL_AUDIT_SALT 32

/* Append what stands behind the chain's value in the line of an entry whose
 * texts are TEXT, each under the digits at the same place of SALT; newline
 * included.  DL_LIMIT: OUT is full.  Thread: any. */
DL_MUSTCHECK dl_status
dl_audit_open_encode(dl_buf *out, const dl_audit_text text[DL_AUDIT_TEXTS],
                     const char *const salt[DL_AUDIT_TEXTS], dl_error *err);

/* What a line is. */
typedef enum dl_audit_kind {
    DL_AUDIT_ENTRY,  /* an entry */
    DL_AUDIT_HEADER, /* the first line of a file */
    DL_AUDIT_END,    /* the last line of a finished file */
    DL_AUDIT_CUT     /* the only line of a cut */
} dl_audit_kind;

/* A line taken apart, its texts not looked at. */
typedef struct dl_audit_line {
    dl_audit_kind kind;                  /* what it is */
    const char *text;                    /* its bytes, without newline */
    size_t len;                          /* how many */
    size_t sealed;                       /* bytes of its sealed part */
    unsigned char value[DL_AUDIT_VALUE]; /* the chain's value it claims */
} dl_audit_line;

/* Fill LINE from the LEN bytes at TEXT, a line without its newline, which it
 * points to.  DL_CORRUPT: it is no line of AUDIT.md 2.  Thread: any. */
DL_MUSTCHECK dl_status dl_audit_line_parse(dl_audit_line *line,
                                           const char *text, size_t len,
                                           dl_error *err);

/* Set *SHAPE to what dl_audit_decode picks out of a line; made once, it serves
 * any number of lines and threads.  Lives in RESULT_POOL. */
DL_MUSTCHECK dl_status dl_audit_shape_create(const struct dl_json_shape **shape,
                                             dl_error *err,
                                             apr_pool_t *result_pool);

/* Fill ENTRY from LINE, of kind DL_AUDIT_ENTRY, by SHAPE; a text that was
 * erased is absent.  *MATCH says whether every text that is there matches its
 * hash and nothing else stands beside them.  DL_CORRUPT: a member is missing or of the wrong type.  Texts live in
 * RESULT_POOL.  Thread: the owner of the pool. */
DL_MUSTCHECK dl_status dl_audit_decode(dl_audit_entry *entry, bool *match,
                                       const struct dl_json_shape *shape,
                                       const dl_audit_line *line, dl_error *err,
                                       apr_pool_t *result_pool);

/* What the header of a file says. */
typedef struct dl_audit_header {
    char name[DL_AUDIT_CHAIN]; /* of the chain */
    int64_t file;              /* its number in the chain, from 1 */
    int64_t lines;             /* of the chain before it */
    unsigned char previous[DL_AUDIT_VALUE]; /* the chain's value before it */
    dl_time at; /* when the file was begun: that of the end before it, when
                   the file before was rotated */
} dl_audit_header;

/* Append the line of HEADER, as dl_audit_encode does.  Thread: any. */
DL_MUSTCHECK dl_status dl_audit_header_encode(dl_buf *out, size_t *sealed,
                                              const dl_audit_header *header,
                                              dl_error *err);

/* Fill HEADER from LINE, of kind DL_AUDIT_HEADER.  DL_CORRUPT: it is none;
 * DL_UNSUPPORTED: of a newer format.  Thread: the owner of SCRATCH_POOL. */
DL_MUSTCHECK dl_status dl_audit_header_decode(dl_audit_header *header,
                                              const dl_audit_line *line,
                                              dl_error *err,
                                              apr_pool_t *scratch_pool);

/* Bytes of the longest reason of an end with its NUL: taken-over. */
#define DL_AUDIT_REASON 16

/* What a cut says (AUDIT.md 11): the files of a chain that were removed. */
typedef struct dl_audit_cut {
    char name[DL_AUDIT_CHAIN];           /* of the chain */
    int64_t file;                        /* number of the last of them */
    int64_t lines;                       /* of the chain up to its end */
    unsigned char value[DL_AUDIT_VALUE]; /* the chain's value there */
    dl_time newest;                      /* of the entries in them */
    char end[DL_AUDIT_REASON];           /* why the last of them ended */
} dl_audit_cut;

/* Append the line of CUT, as dl_audit_encode does; its chain goes on from
 * CUT's value.  Thread: any. */
DL_MUSTCHECK dl_status dl_audit_cut_encode(dl_buf *out, size_t *sealed,
                                           const dl_audit_cut *cut,
                                           dl_error *err);

/* Fill CUT from LINE, of kind DL_AUDIT_CUT.  DL_CORRUPT: it is none.  Whether
 * it is authentic is not looked at.  Thread: the owner of SCRATCH_POOL. */
DL_MUSTCHECK dl_status dl_audit_cut_decode(dl_audit_cut *cut,
                                           const dl_audit_line *line,
                                           dl_error *err,
                                           apr_pool_t *scratch_pool);

/* Append the line that ends a file for REASON (rotated, stopped, taken-over)
 * at time AT after CUT bytes of a torn line were removed.  Thread: any. */
DL_MUSTCHECK dl_status dl_audit_end_encode(dl_buf *out, size_t *sealed,
                                           const char *reason, int64_t cut,
                                           dl_time at, dl_error *err);

#endif
