/* dl_wh_error.c - What an error number of the server means to us.
 *
 * Numbers below 2000 or from 3000 come from the server, those between from
 * the client library; 8000 and more are TiDB's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_private.h"

#include <errmsg.h>

/* One number that has a meaning. */
typedef struct meaning {
    unsigned number;  /* of the error */
    dl_status status; /* what it becomes */
} meaning;

static const meaning meanings[] = {
    /* the connection, or the server behind it */
    {1040, DL_UNAVAILABLE}, /* too many connections */
    {1053, DL_UNAVAILABLE}, /* shutdown in progress */
    {1129, DL_UNAVAILABLE}, /* host blocked */
    {1158, DL_UNAVAILABLE}, /* reading packets */
    {1159, DL_UNAVAILABLE}, /* time-out reading packets */
    {1160, DL_UNAVAILABLE}, /* writing packets */
    {1161, DL_UNAVAILABLE}, /* time-out writing packets */
    {1180, DL_UNAVAILABLE}, /* error during COMMIT */
    {1184, DL_UNAVAILABLE}, /* aborted connection */
    {1203, DL_UNAVAILABLE}, /* too many connections of this account */
    {1290, DL_UNAVAILABLE}, /* server runs read-only */
    {1836, DL_UNAVAILABLE}, /* read-only mode */
    {1927, DL_UNAVAILABLE}, /* connection was killed */
    {4031, DL_UNAVAILABLE}, /* disconnected for inactivity */
    /* a lost race: the same again will do */
    {1020, DL_RETRY}, /* record has changed since last read */
    {1205, DL_RETRY}, /* lock wait timeout */
    {1213, DL_RETRY}, /* deadlock */
    {3572, DL_RETRY}, /* lock not available */
    {8002, DL_RETRY}, /* TiDB: SELECT FOR UPDATE write conflict */
    {8022, DL_RETRY}, /* TiDB: commit failed, retryable */
    {8028, DL_RETRY}, /* TiDB: schema has changed */
    {9001, DL_RETRY}, /* TiDB: PD timeout */
    {9002, DL_RETRY}, /* TiDB: TiKV timeout */
    {9003, DL_RETRY}, /* TiDB: TiKV busy */
    {9004, DL_RETRY}, /* TiDB: lock resolve timeout */
    {9005, DL_RETRY}, /* TiDB: region unavailable */
    {9006, DL_RETRY}, /* TiDB: GC too early */
    {9007, DL_RETRY}, /* TiDB: write conflict */
    {8004, DL_LIMIT}, /* TiDB: transaction too large */
    {8175, DL_LIMIT}, /* TiDB: memory quota */
    /* keys and values */
    {1062, DL_CONFLICT}, /* duplicate entry */
    {1169, DL_CONFLICT}, /* duplicate entry */
    {1586, DL_CONFLICT}, /* duplicate entry */
    {1048, DL_INVALID},  /* column cannot be null */
    {1264, DL_INVALID},  /* out of range */
    {1265, DL_INVALID},  /* data truncated */
    {1292, DL_INVALID},  /* incorrect value */
    {1364, DL_INVALID},  /* no default value */
    {1366, DL_INVALID},  /* incorrect value for column */
    {1406, DL_INVALID},  /* data too long */
    {1411, DL_INVALID},  /* incorrect value for function */
    {1452, DL_INVALID},  /* foreign key */
    {1690, DL_INVALID},  /* out of range in an expression */
    {3819, DL_INVALID},  /* CHECK of MySQL */
    {4025, DL_INVALID},  /* CHECK of MariaDB */
    /* space and time */
    {1021, DL_NO_SPACE}, /* disk full */
    {1114, DL_NO_SPACE}, /* table is full */
    {1317, DL_TIMEOUT},  /* interrupted */
    {1969, DL_TIMEOUT},  /* max_statement_time of MariaDB */
    {3024, DL_TIMEOUT},  /* max_execution_time */
    /* not our schema, not our rights */
    {1044, DL_UNSUPPORTED}, /* no access to the database */
    {1045, DL_UNSUPPORTED}, /* account refused */
    {1049, DL_UNSUPPORTED}, /* unknown database */
    {1054, DL_UNSUPPORTED}, /* unknown column */
    {1064, DL_UNSUPPORTED}, /* syntax */
    {1142, DL_UNSUPPORTED}, /* command denied */
    {1143, DL_UNSUPPORTED}, /* column denied */
    {1146, DL_UNSUPPORTED}, /* no such table */
    {1148, DL_UNSUPPORTED}, /* LOCAL is off */
    {1227, DL_UNSUPPORTED}, /* a right is missing */
    {1698, DL_UNSUPPORTED}, /* account refused */
    {3948, DL_UNSUPPORTED}, /* LOCAL is off, MySQL 8 */
    {4166, DL_UNSUPPORTED}, /* LOCAL is off, MariaDB */
};

static dl_status meaning_of(unsigned number)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].number == number) {
            return meanings[i].status;
        }
    }
    return number >= CR_MIN_ERROR && number < 3000 ? DL_UNAVAILABLE
                                                   : DL_INTERNAL;
}

dl_status dl_wh_fail_number(dl_wh *wh, dl_error *err, const char *what,
                            unsigned number, const char *text)
{
    dl_status status = meaning_of(number);

    if (status == DL_UNAVAILABLE && number >= CR_MIN_ERROR && number < 3000) {
        wh->lost = true;
    }
    return dl_fail(err, status, 0, "%s: %s (%u)", what, text, number);
}

dl_status dl_wh_fail(dl_wh *wh, dl_error *err, const char *what)
{
    return dl_wh_fail_number(wh, err, what, mysql_errno(wh->mysql),
                             mysql_error(wh->mysql));
}
