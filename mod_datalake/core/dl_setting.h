/* dl_setting.h - The types a setting of datalake.ini can have.
 *
 * For dl_config.c: a row says where a value goes, this file how its text is
 * read.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_SETTING_H
#define DL_SETTING_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

/* How a value is written and what member it fills. */
typedef enum dl_setting_type {
    DL_SETTING_TEXT,     /* any text; const char * */
    DL_SETTING_WORD,     /* text without white space, not empty; const char * */
    DL_SETTING_PATH,     /* a path, "" allowed; const char *, absolute */
    DL_SETTING_INT,      /* a whole number; int64_t */
    DL_SETTING_SIZE,     /* "64 MiB"; int64_t, bytes */
    DL_SETTING_SECONDS,  /* "15 min"; int64_t, seconds */
    DL_SETTING_MILLIS,   /* "100 ms"; int64_t, milliseconds */
    DL_SETTING_DAYS,     /* "off" or "90 d"; int64_t, days, 0 for "off" */
    DL_SETTING_INDEX,    /* "off", "thin", "normal" or "dense"; int64_t, bytes
                            of a block, 0 for "off" */
    DL_SETTING_SWITCH,   /* "on" or "off"; bool */
    DL_SETTING_CURRENCY, /* three letters; const char *, capitals */
    DL_SETTING_ZONE,     /* an IANA zone of this system; const char * */
    DL_SETTING_SMTP,     /* URL of a mail server, "" allowed; const char * */
    DL_SETTING_ADDRESS,  /* an e-mail address, "" allowed; const char * */
    DL_SETTING_TOPICS    /* names of datasets, comma list; dl_config_list */
} dl_setting_type;

/* What reading a value needs. */
typedef struct dl_setting {
    dl_setting_type type; /* how it is written */
    int64_t min, max; /* of numbers, both allowed; the least length of a path */
    const char *folder; /* paths are taken from here */
} dl_setting;

/* Read TEXT as SETTING says into MEMBER, a pointer to what its type fills;
 * texts live in POOL.  Return false, MEMBER untouched, when TEXT is wrong. */
bool dl_setting_parse(void *member, const dl_setting *setting, const char *text,
                      apr_pool_t *pool);

#endif
