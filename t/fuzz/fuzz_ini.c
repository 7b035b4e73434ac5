/* fuzz_ini.c - datalake.ini: taken, or refused with file and line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "dl_config.h"
#include "dl_config_source.h"

const char *const fuzz_seeds[] = {
    "# remark\n[lake]\npath = /x\nseal_age = 15 min\nseal_size = 1 GiB\n",
    "[warehouse]\nport=3306\nbase_currency = eur\nlocal_infile = off\r\n",
    "[source a]\ndataset = clients\npath = in/*.csv\nseparator = ;\n",
    "[source a]\ntype = mysql\ndataset = c\ndsn_file = d\ntable = t\nkey = k\n",
    "[source a]\ntype = socket\ndataset = c\nidle = 1 s\n",
    "[source a]\ndataset = c\npath = x\ntransform.a.b = trim\n",
    "[datasets]\ntopics = a, b ,c\nevent_zone = UTC\n[run]\ndir = x\n",
    NULL};

const char *const fuzz_words[] = {
    "[",       "]",          "=",
    "#",       ";",          "\n",
    ",",       "[lake]\n",   "dir = ",
    " ms",     "\xC3",       "99999999999999999999",
    "on",      "port = ",    "[source a]\n",
    "type = ", "transform.", NULL};

static void check_sources(const dl_config *cfg)
{
    for (int i = 0; i < cfg->sources.n; i++) {
        const dl_config_source *source = &cfg->sources.items[i];

        fuzz_check(dl_config_source_find(cfg, source->name) == source,
                   "a source has its name alone");
        fuzz_check(*source->dataset != '\0' && source->rate >= 0 &&
                       source->settle_ms >= 0 && source->idle_ms >= 100 &&
                       source->n_transforms <= DL_SOURCE_TRANSFORMS,
                   "... and what it needs, within bounds");
    }
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    dl_error err = {0};
    dl_ini *ini;
    dl_config *cfg;

    if (dl_ini_parse(&ini, "/conf/x.ini", (const char *)data, len, &err,
                     pool) == DL_OK &&
        dl_config_apply(&cfg, ini, &err, pool) == DL_OK) {
        fuzz_check(cfg->lake.path[0] == '/', "a path is absolute");
        fuzz_check(cfg->warehouse.port > 0 && cfg->warehouse.port < 65536,
                   "a port is one");
        fuzz_check(strlen(cfg->warehouse.base_currency) == 3,
                   "a currency has three letters");
        check_sources(cfg);
        return;
    }
    fuzz_check(strncmp(err.text, "/conf/x.ini:", 12) == 0,
               "a mistake has file and line");
}
