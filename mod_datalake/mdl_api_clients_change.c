/* mdl_api_clients_change.c - PUT, DELETE /v1/transactions/{client_id}: payments
 * of a client, and the client.
 *
 * Amount and date are those of one payment: of the newest, or of the one that
 * transaction_id names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <apr_strings.h>

#include "dl_wh_clients.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_change.h"
#include "mdl_multi.h"

/* Longest text of a column, in characters. */
#define TEXT_MAX 255

enum {
    MONTANT,
    DATE_TRANSACTION,
    NOM,
    EMAIL,
    DATE_INSCRIPTION
};

static const mdl_member client_members[] = {
    [MONTANT] = {.name = "montant",
                 .type = MDL_MEMBER_ANY,
                 .summary = "Amount of the payment, a number"},
    [DATE_TRANSACTION] = {.name = "date_transaction",
                          .type = MDL_MEMBER_TEXT,
                          .min = 1,
                          .max = TEXT_MAX,
                          .summary =
                              "When it was made: 2023-01-20 11:37:58, or "
                              "with a zone"},
    [NOM] = {.name = "nom",
             .type = MDL_MEMBER_TEXT,
             .characters = true,
             .max = TEXT_MAX,
             .summary = "Name of the client"},
    [EMAIL] = {.name = "email",
               .type = MDL_MEMBER_TEXT,
               .characters = true,
               .max = TEXT_MAX,
               .summary = "E-mail address of the client"},
    [DATE_INSCRIPTION] = {.name = "date_inscription",
                          .type = MDL_MEMBER_TEXT,
                          .characters = true,
                          .max = TEXT_MAX,
                          .summary = "Since when the client is one"},
    {.name = NULL}};

const mdl_body mdl_api_client_body = {.members = client_members,
                                      .media = MDL_MEDIA_JSON,
                                      .limit = MDL_BODY_LARGE,
                                      .not_empty = true};

enum {
    CLIENT,
    PAYMENT
};

const mdl_param mdl_api_client_change_params[] = {
    [CLIENT] = {.name = "client_id",
                .type = MDL_PARAM_INT,
                .in_path = true,
                .min = INT64_MIN,
                .max = INT64_MAX,
                .summary = "Key of the client"},
    [PAYMENT] = {.name = "transaction_id",
                 .type = MDL_PARAM_INT,
                 .min = INT64_MIN,
                 .max = INT64_MAX,
                 .summary = "This payment only"},
    {.name = NULL}};

/* How often the newest payment is looked for once more. */
#define NEWEST_TRIES 10

/* Which payments. */
typedef struct payments {
    int64_t client_id; /* whose */
    bool one;          /* PAYMENT is the one */
    int64_t payment;   /* its id */
    bool newest;       /* the newest is the one */
} payments;

/* --- Key and validator ---------------------------------------------------- */

static dl_status write_key(dl_json_writer *w, const mdl_change *change,
                           struct dl_wh *wh, int try, dl_error *err)
{
    const payments *p = change->context;
    int64_t newest;

    /* The newest payment may be deleted before it is locked; then another one
     * is the newest. */
    if (try > (p->newest && !p->one ? NEWEST_TRIES : 0)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such payment");
    }
    dl_json_write_int_member(w, "client_id", p->client_id);
    if (p->one) {
        dl_json_write_int_member(w, "transaction_id", p->payment);
    }
    else if (p->newest) {
        DL_TRY(dl_wh_client_newest(&newest, wh, p->client_id, err));
        dl_json_write_int_member(w, "transaction_id", newest);
    }
    return DL_OK;
}

static dl_status make_etag(char etag[MDL_ETAG_TEXT], const mdl_change *change,
                           struct dl_wh *wh, int try, dl_error *err)
{
    const payments *p = change->context;

    (void)try;
    return mdl_multi_client_etag(etag, wh, p->client_id, err,
                                 change->q->r->pool);
}

static const mdl_change_kind client_kind = {
    .dataset = "transactions",
    .also = "clients",
    .missing = "There is no such payment of that client.",
    .key = write_key,
    .etag = make_etag};

/* --- Members -------------------------------------------------------------- */

static bool changes_payment(const mdl_request *q)
{
    return q->members[MONTANT].given || q->members[DATE_TRANSACTION].given;
}

static bool changes_client(const mdl_request *q)
{
    return q->members[NOM].given || q->members[EMAIL].given ||
           q->members[DATE_INSCRIPTION].given;
}

static int write_members(dl_json_writer *w, mdl_request *q)
{
    const mdl_member_value *montant = &q->members[MONTANT];

    if (montant->given) {
        if (montant->text[0] != '-' &&
            (montant->text[0] < '0' || montant->text[0] > '9')) {
            return mdl_body_refuse(q, &client_members[MONTANT], "wrong-type",
                                   "It must be a number.");
        }
        dl_json_write_key(w, "montant");
        dl_json_write_raw(w, montant->text, montant->len);
    }
    for (int i = DATE_TRANSACTION; i <= DATE_INSCRIPTION; i++) {
        mdl_change_text(w, q, i, client_members[i].name);
    }
    return OK;
}

/* --- The routes ----------------------------------------------------------- */

/* Change what Q names by CHANGES, or delete it. */
static int run(mdl_request *q, const dl_buf *changes)
{
    const payments p = {.client_id = q->values[CLIENT].number,
                        .one = q->values[PAYMENT].given,
                        .payment = q->values[PAYMENT].number,
                        .newest = changes != NULL && changes_payment(q)};
    const mdl_change change = {.q = q,
                               .kind = &client_kind,
                               .context = &p,
                               .record_key =
                                   apr_psprintf(q->r->pool, "%" APR_INT64_T_FMT,
                                                (apr_int64_t)p.client_id),
                               .changes = changes,
                               .also = changes != NULL && changes_client(q)};

    return mdl_change_run(&change);
}

int mdl_api_client_change(mdl_request *q)
{
    dl_json_writer w;
    dl_buf *changes = mdl_change_begin(&w, q);
    int status = write_members(&w, q);

    if (status == OK) {
        status = mdl_change_judge(&w, q, changes, client_kind.dataset);
    }
    return status == OK ? run(q, changes) : status;
}

int mdl_api_client_delete(mdl_request *q)
{
    return run(q, NULL);
}
