/* dl_json_shape.h - Inside a shape: the tree of member names.
 *
 * For dl_json.c and dl_json_shape.c only.  Each node is an object that is
 * reached into, with a small hash table of its members.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JSON_SHAPE_H
#define DL_JSON_SHAPE_H

#include <stdint.h>
#include <string.h>

#include "dl_json.h"

/* Bytes that are compared at once to see whether a member comes next. */
#define DL_JSON_QUOTED 32

/* A member that is picked out, or leads to one. */
typedef struct dl_json_member {
    const char *name;            /* without quotes, needs no escape */
    uint32_t len;                /* its bytes */
    int slot;                    /* -1: only leads further */
    struct dl_json_node *node;   /* what is under it, or NULL */
    int n_under;                 /* slots under it */
    const int *under;            /* cleared when it comes again */
    uint32_t quoted_len;         /* bytes of "name": below, 0: it has no room */
    uint32_t quoted_bits;        /* a bit for each of them */
    char quoted[DL_JSON_QUOTED]; /* "name": and zeros */
} dl_json_member;

/* An object: its members we want. */
typedef struct dl_json_node {
    int n;                   /* members */
    dl_json_member *members; /* in the order they were asked for */
    uint32_t factor;         /* of the hash */
    uint32_t mask;           /* size of the table - 1 */
    const int16_t *table;    /* index of a member or -1 */
} dl_json_node;

struct dl_json_shape {
    int slots;          /* how many */
    dl_json_node *root; /* the outermost object */
};

/* Return where in a table the search for NAME begins, before the mask.
 * LEN > 0. */
static inline uint32_t dl_json_name_hash(const char *name, size_t len,
                                         uint32_t factor)
{
    uint32_t mix = (uint32_t)len << 24 |
                   (uint32_t)(unsigned char)name[0] << 16 |
                   (uint32_t)(unsigned char)name[len / 2] << 8 |
                   (unsigned char)name[len - 1];

    return mix * factor >> 20;
}

/* Return the member of NODE called NAME, or NULL.  Thread: any. */
static inline const dl_json_member *
dl_json_node_find(const dl_json_node *node, const char *name, size_t len)
{
    uint32_t at;

    if (len == 0) {
        return NULL;
    }
    at = dl_json_name_hash(name, len, node->factor) & node->mask;
    for (; node->table[at] >= 0; at = (at + 1) & node->mask) {
        const dl_json_member *member = &node->members[node->table[at]];

        if (member->len == len && memcmp(member->name, name, len) == 0) {
            return member;
        }
    }
    return NULL;
}

#endif
