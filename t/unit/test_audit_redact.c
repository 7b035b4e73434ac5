/* test_audit_redact.c - No secret reaches the audit log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit.h"
#include "dl_audit_redact.h"
#include "dl_csv.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static apr_pool_t *pool;

static const char *redact(const char *text, size_t len, dl_audit_media media)
{
    static const char *const names[] = {"pin", NULL};
    const dl_audit_body body = {text, len, media, names};
    dl_buf *out = dl_buf_create(65536, pool);

    if (dl_audit_redact_body(out, &body, NULL, pool) != DL_OK) {
        return "failed";
    }
    return apr_pstrmemdup(pool, out->data, out->len);
}

static const char *json(const char *text)
{
    return redact(text, strlen(text), DL_AUDIT_JSON);
}

static const char *form(const char *text)
{
    return redact(text, strlen(text), DL_AUDIT_FORM);
}

static const char *query(const char *text)
{
    dl_buf *out = dl_buf_create(262144, pool);

    if (dl_audit_redact_query(out, text, strlen(text), NULL) != DL_OK) {
        return "failed";
    }
    return apr_pstrmemdup(pool, out->data, out->len);
}

static void test_json(void)
{
    is_str(json("{ \"username\": \"a\", \"password\": \"p\" }"),
           "{\"username\":\"a\",\"password\":\"***\"}", "a password is hidden");
    is_str(json("{\"a\":{\"b\":[{\"token\":\"t\",\"c\":1}]}}"),
           "{\"a\":{\"b\":[{\"token\":\"***\",\"c\":1}]}}",
           "a nested token is hidden");
    is_str(json("{\"refresh\":{\"deep\":[\"}\",\"x\"]},\"c\":1}"),
           "{\"refresh\":\"***\",\"c\":1}",
           "an object in place of a token is hidden whole");
    is_str(json("{\"access\":[1,[2]],\"c\":null}"),
           "{\"access\":\"***\",\"c\":null}", "so is an array");
    is_str(json("{\"password\":12.5e3,\"c\":true}"),
           "{\"password\":\"***\",\"c\":true}", "so is a number");
    is_str(json("{\"\\u0070assword\":\"p\"}"), "{\"password\":\"***\"}",
           "an escaped name is the same name");
    is_str(json("{\"Client-Secret\":\"s\",\"accessToken\":\"t\"}"),
           "{\"Client-Secret\":\"***\",\"accessToken\":\"***\"}",
           "case, '_' and '-' do not count");
    is_str(json("{\"password\":\"a\\\"b\",\"x\":\"password\"}"),
           "{\"password\":\"***\",\"x\":\"password\"}",
           "a quotation mark does not end the value; a value is no name");
    is_str(json("{\"password\":\"1\",\"password\":\"2\"}"),
           "{\"password\":\"***\",\"password\":\"***\"}", "twice is twice");
    is_str(json("{\"pin\":\"1\",\"pint\":\"2\"}"),
           "{\"pin\":\"***\",\"pint\":\"2\"}",
           "names the caller gives are hidden, longer ones are not");
    is_str(json("{\"password\":\"p\""), "***",
           "JSON that is cut off is not kept");
    is_str(json("{'password':'p'}"), "***", "what is no JSON is not kept");
    is_str(json("[{\"password\":\"p\"}]"), "***", "nor what is no object");
    is_str(json("\xff{\"password\":\"p\"}"), "***", "nor what is not UTF-8");
}

static void test_form(void)
{
    is_str(form("username=a&password=p%20q&x=1"), "username=a&password=***&x=1",
           "a password in a form is hidden");
    is_str(form("p%61ssword=p&x=1"), "***&x=1",
           "a field with an escaped name is not kept");
    is_str(form("{\"password\":\"p\"}"), "***",
           "JSON sent as a form is not kept");
    is_str(form("hunter2"), "***", "a word without a name is not kept");
    is_str(form("a=1&&=x&b=2"), "a=1&***&b=2", "a value without a name too");
    is_str(redact("\0\1\2", 3, DL_AUDIT_OTHER), "***",
           "another media type is not kept");
}

static void test_bound(void)
{
    char text[9000];
    const char *kept;

    memset(text, 'x', sizeof text);
    text[0] = 'a';
    text[1] = '=';
    text[4095] = (char)0xc3;
    text[4096] = (char)0xa9;
    kept = redact(text, sizeof text, DL_AUDIT_FORM);
    is_int((long long)strlen(kept), 4095,
           "a body is cut to 4,096 bytes at a character");
}

static void test_query(void)
{
    is_str(query("x=3&name=a%20b+c&e="),
           "{\"x\":\"3\",\"name\":\"a b c\",\"e\":\"\"}",
           "a query is an object of decoded values");
    is_str(query("x=1&y=2&x=3"), "{\"x\":[\"1\",\"3\"],\"y\":\"2\"}",
           "a repeated name has an array");
    is_str(query("acc%65ss_token=t&cursor=c"),
           "{\"access_token\":\"***\",\"cursor\":\"c\"}",
           "a token in a query is hidden, whatever its escapes");
    is_str(query("a=%0d%0a%e2%80%a8%00&b=%zz"),
           "{\"a\":\"\\u000d\\u000a\\u2028\\u0000\",\"b\":\"%zz\"}",
           "controls are escapes, a broken escape stays as it is");
    is_str(query("&&"), "{}", "no pair is no member");
}

static void test_query_bound(void)
{
    char *text = apr_palloc(pool, 9000);
    const char *made;
    size_t len = 0;

    for (int i = 0; i < 1500; i++) {
        len += (size_t)snprintf(text + len, 9000 - len, "&p%d=1", i % 200);
        if (len > 8000) {
            break;
        }
    }
    made = query(text);
    ok(strstr(made, ",\"...\":true}") != NULL && strlen(made) < 1200,
       "pairs past the 64th are left out, which is said");
    memset(text, 1, 8000);
    text[8000] = '\0';
    memcpy(text, "a=1&b=", 6);
    made = query(text);
    is_str(made, "{\"a\":\"1\",\"...\":true}",
           "a value past 16 KiB of escapes is left out, which is said");
}

/* --- CSV ------------------------------------------------------------------ */

static const char *csv(const char *const *objects)
{
    dl_csv *table = dl_csv_create(pool);
    dl_buf *out = dl_buf_create(65536, pool);

    for (int i = 0; objects[i] != NULL; i++) {
        if (dl_csv_learn(table, objects[i], strlen(objects[i]), NULL) !=
            DL_OK) {
            return "failed";
        }
    }
    if (dl_csv_header(out, table, NULL) != DL_OK) {
        return "failed";
    }
    for (int i = 0; objects[i] != NULL; i++) {
        if (dl_csv_row(out, table, objects[i], strlen(objects[i]), NULL) !=
            DL_OK) {
            return "failed";
        }
    }
    return apr_pstrmemdup(pool, out->data, out->len);
}

static void test_csv(void)
{
    is_str(
        csv((const char *[]){"{\"a\":1,\"b\":{\"c\":\"x\",\"d\":{\"e\":null}}}",
                             "{\"a\":-2.50,\"f\":true}", NULL}),
        "a,b.c,b.d.e,f\r\n1,x,,\r\n-2.50,,,true\r\n",
        "nested names are joined by dots, missing cells are empty");
    is_str(csv((const char *[]){
               "{\"a\":\"x,y\",\"b\":\"q\\\"q\",\"c\":\"l\\nm\"}", NULL}),
           "a,b,c\r\n\"x,y\",\"q\"\"q\",\"l\nm\"\r\n",
           "comma, quotation mark and line end are quoted");
    is_str(csv((const char *[]){"{\"a\":\"=1+1\",\"b\":\"@x\",\"c\":\"-1\","
                                "\"d\":-1,\"e\":\"\\tz\"}",
                                NULL}),
           "a,b,c,d,e\r\n\"'=1+1\",\"'@x\",\"'-1\",-1,\"'\tz\"\r\n",
           "a text that a spreadsheet would run is guarded, a number is not");
    is_str(csv((const char *[]){"{\"a\":[1,{\"b\":2}],\"c\":{}}", NULL}),
           "a,c\r\n\"[1,{\"\"b\"\":2}]\",{}\r\n",
           "an array is JSON text, so is an empty object");
    is_str(csv((const char *[]){"{\"a\":{\"b\":1}}", "{\"a\":null}", NULL}),
           "a.b,a\r\n1,\r\n,\r\n",
           "an object that is null elsewhere is taken apart all the same");
    is_str(csv((const char *[]){"{\"=a\":1}", NULL}), "\"'=a\"\r\n1\r\n",
           "a name is guarded too");
    is_str(csv((const char *[]){"{\"a\":\"\\u00e9\"}", NULL}),
           "a\r\n\xc3\xa9\r\n", "escapes are characters");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_json();
    test_form();
    test_bound();
    test_query();
    test_query_bound();
    test_csv();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
