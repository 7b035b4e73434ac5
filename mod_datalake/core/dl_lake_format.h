/* dl_lake_format.h - The constants of FORMAT.md, in its order.
 *
 * Included by the readers and writers of lake files only.  A number that both
 * sides must agree on stands here and nowhere else.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_FORMAT_H
#define DL_LAKE_FORMAT_H

/* 1 Conventions */
#define DL_LAKE_VERSION   1    /* version of every file */
#define DL_LAKE_FILE_MODE 0644 /* of files, less the umask */
#define DL_LAKE_DIR_MODE  0755 /* of folders, less the umask */

/* 2 Tree */
#define DL_LAKE_META       "_lake"      /* holds what is not data */
#define DL_LAKE_LOCK       "LOCK"       /* flock of the writer */
#define DL_LAKE_HEAD       "head"       /* published lengths */
#define DL_LAKE_JOURNAL    "journal"    /* commits */
#define DL_LAKE_CURRENT    "CURRENT"    /* number of the manifest in force */
#define DL_LAKE_MANIFESTS  "m"          /* manifests */
#define DL_LAKE_OPEN       "open"       /* parts being written */
#define DL_LAKE_IDX        "idx"        /* trails */
#define DL_LAKE_QUARANTINE "quarantine" /* what was set aside */
#define DL_LAKE_COMPACT    "compact"    /* prepared folders */
#define DL_LAKE_NAME_MAX   200          /* characters of a dataset */
#define DL_LAKE_PATH_MAX   64           /* room for a name inside one */

/* 4 Trails */
#define DL_LAKE_TRAIL_MAGIC   0x52544c44u /* "DLTR" */
#define DL_LAKE_PAGE          65536u      /* bytes of a page */
#define DL_LAKE_PAGE_HEADER   64u         /* bytes of its header */
#define DL_LAKE_ENTRY_LINES   1024u       /* lines of an entry */
#define DL_LAKE_ENTRY_BYTES   262144u     /* bytes of lines of an entry */
#define DL_LAKE_ENTRY_COORDS  32768u      /* bytes of its coordinates */
#define DL_LAKE_ENTRY_SOURCES 16          /* topic partitions in it */
#define DL_LAKE_COORD_MAX     50u         /* bytes of one coordinate */
#define DL_LAKE_ENTRY_NOTES   24576u      /* bytes of its notes */
#define DL_LAKE_NOTE_NAMES    16          /* names of headers in it */
#define DL_LAKE_NOTE_SETS     16          /* sets of headers known in it */

/* 5 Frames */
#define DL_LAKE_FRAME_MAGIC  0x31464c44u /* "DLF1" */
#define DL_LAKE_FRAME_HEADER 12u         /* bytes before the payload */
#define DL_LAKE_FRAME_MAX    (1u << 30)  /* bytes of a payload */
#define DL_LAKE_TYPE_HEADER  0x01        /* first frame of a file */

/* 6 Journal */
#define DL_LAKE_TYPE_CHECKPOINT 0x02        /* all state */
#define DL_LAKE_TYPE_COMMIT     0x03        /* one commit */
#define DL_LAKE_TYPE_SEAL       0x04        /* parts that are complete */
#define DL_LAKE_TYPE_LISTED     0x05        /* parts the manifest has */
#define DL_LAKE_JOURNAL_MAX     (16u << 20) /* rotates past it */
#define DL_LAKE_CLUSTER_MAX     63          /* bytes of a cluster id */
#define DL_LAKE_MARKS_MAX       4096        /* marks of a dataset */

/* 7 Quarantine */
#define DL_LAKE_TYPE_REJECT    0x20        /* a record set aside */
#define DL_LAKE_TYPE_END       0x21        /* end mark of a file */
#define DL_LAKE_TYPE_REPEAT    0x22        /* repeats that were dropped */
#define DL_LAKE_QUARANTINE_MAX (64u << 20) /* a file is left past it */

/* 8 Manifests */
#define DL_LAKE_TYPE_PART    0x10         /* a sealed part */
#define DL_LAKE_TYPE_SUM     0x11         /* SHA-256 of a day so far */
#define DL_LAKE_TYPE_REMOVED 0x12         /* a day that was removed */
#define DL_LAKE_MANIFEST_MIN (256u << 10) /* not written anew below it */
#define DL_LAKE_LENGTH_BITS  40           /* of a manifest's word */

/* 9 Head */
#define DL_LAKE_HEAD_MAGIC     0x3130444145484c44u /* "DLHEAD01" */
#define DL_LAKE_HEAD_WORDS     8                   /* before the copies */
#define DL_LAKE_COPY_WORDS     51224               /* words of a copy */
#define DL_LAKE_COPY_FIXED     24   /* words before its partitions */
#define DL_LAKE_PART_WORDS     12   /* words of a part */
#define DL_LAKE_PARTITIONS_MAX 1024 /* topic partitions */
#define DL_LAKE_OPEN_MAX       4096 /* open parts */

/* 10 to 17 The writer and its bounds */
#define DL_LAKE_SYNC_EACH    64           /* above it one syncfs */
#define DL_LAKE_QUIET_MS     60000        /* of a day that is over */
#define DL_LAKE_SEAL_AGE_S   900          /* default */
#define DL_LAKE_SEAL_SIZE    (1ull << 30) /* default */
#define DL_LAKE_FDS_MAX      256          /* open parts with descriptors */
#define DL_LAKE_BUFFER_FIRST (16u << 10)  /* first buffer of a part */
#define DL_LAKE_BUFFER_PART  (1u << 20)   /* written when it is full */
#define DL_LAKE_BLOCK        4096u       /* whole ones go past the page cache */
#define DL_LAKE_BUFFERS_MAX  (32u << 20) /* of all parts together */
#define DL_LAKE_BEHIND       8           /* buffers on their way to the disk */
#define DL_LAKE_BOOK_MAX     (24u << 20) /* uncommitted trail bytes */
#define DL_LAKE_JOINED_UID   (1ull << 63) /* uids of joined files */

/* 18 Indexes */
#define DL_LAKE_INDEX_MAGIC      0x58494c44u /* "DLIX" */
#define DL_LAKE_INDEX_HEADER     128u        /* bytes before the table */
#define DL_LAKE_INDEX_BLOCKS     1024        /* blocks of a segment */
#define DL_LAKE_INDEX_ENTRY      12u         /* bytes of a block in the table */
#define DL_LAKE_INDEX_SEGMENT    (1ull << 31) /* bytes a segment ends at */
#define DL_LAKE_INDEX_LINES      (1u << 19)   /* lines it ends at */
#define DL_LAKE_INDEX_SIZE_LEAST 4096u        /* bytes of a block, least */
#define DL_LAKE_INDEX_SIZE_MOST  1048576u     /* ... and most */
#define DL_LAKE_INDEX_UNIT       128u         /* bytes of rows with one crc */
#define DL_LAKE_INDEX_ZONE       16u          /* bytes of a block's bounds */
#define DL_LAKE_INDEX_FOLDING    16u          /* bytes of its version */
#define DL_LAKE_KEYS_HEADER      12u          /* before the pages' hashes */
#define DL_LAKE_KEYS_PAGE        512u         /* bytes of a page */

/* 21 Cold days */
#define DL_LAKE_FRAMES_MAGIC  0x465a4c44u /* "DLZF" */
#define DL_LAKE_FRAMES_HEADER 64u         /* bytes before the pages */
#define DL_LAKE_FRAMES_PAGE   512u        /* bytes of a page */
#define DL_LAKE_FRAMES_EACH   125         /* frames of a page */
#define DL_LAKE_FRAME_SHIFT   16          /* place >> it: number of a frame */
#define DL_LAKE_FRAME_TEXT    65536u      /* bytes of lines of a frame */
#define DL_LAKE_FRAME_STORED  66560u      /* bytes of a frame, at most */

#endif
