"""contract_hooks.py - what JSON Schema cannot say about requests, said to
schemathesis (f12-contract.t), so that what it takes for valid is valid.

SPDX-License-Identifier: Apache-2.0
"""

import datetime
import uuid

import schemathesis
from hypothesis import strategies

# What DELETE /api/access/revoke/ names, in its query or in its body.
REVOKED = {"username": "alice", "resource": "transaction_log"}


def drop(mapping, name):
    if mapping and name in mapping:
        del mapping[name]


def is_valid(case):
    """Whether CASE is meant to be accepted."""
    return case.meta is None or case.meta.generation.mode.name == "POSITIVE"


# What GET /api/data/ takes beside fields of the dataset.
DATA = ("resource", "page", "page_size", "fields", "sort", "count", "meta", "format")


def narrow(query):
    """Names of fields are the dataset's; pages end at the 10000th record."""
    for name in list(query):
        if name not in DATA:
            del query[name]
    if "fields" in query or "sort" in query:
        query["resource"] = "transaction_log"
    if "fields" in query:
        query["fields"] = "transaction_id,amount"
    if "sort" in query:
        query["sort"] = "-amount"
    if "page" in query:
        query["page"] = 1 + int(query["page"]) % 10
    if "resource" in query:
        query["resource"] = query["resource"].split("/")[0]


def look_up(case, query):
    """A record is named by its key, or by partition and offset."""
    place = {"partition": 0, "offset": 0}
    wanted = {name: value for name, value in query.items() if name == "dataset"}
    if "id" in query:  # which the dataset has to have declared
        wanted = {"id": query["id"]}
    else:
        wanted.update({name: query.get(name, place[name]) for name in place})
    case.query = wanted


# Members that are days or times in forms of their own.
CLOCKED = {
    "Date": ("%d/%b/%Y", "20/Jan/2023"),
    "date_transaction": ("%Y-%m-%d %H:%M:%S", "2023-01-20 11:37:58"),
}


def on_calendar(body):
    """No pattern knows the lengths of months."""
    for name, (form, good) in CLOCKED.items():
        try:
            datetime.datetime.strptime(body.get(name, good), form)
        except ValueError:
            body[name] = good


@schemathesis.hook
def before_call(context, case, **kwargs):
    """Cursors are made by the server; some things exclude each other."""
    query = case.query
    body = case.body if isinstance(case.body, dict) else None
    if case.path == "/user/me/consent" and body is not None:
        if body.get("consent_given") is False:  # or all else is forbidden
            body["consent_given"] = True
    if not is_valid(case):
        return
    drop(query, "cursor")
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if query and "version" in query:
        drop(query, "as_of")
    if case.path == "/api/data/" and query:
        narrow(query)
    if case.path == "/api/access/revoke/" and case.method == "DELETE":
        case.query = {
            name: (query or {}).get(name, value)
            for name, value in REVOKED.items()
            if name not in (body or {})
        }
    if case.path == "/api/lineage/record/":
        look_up(case, query or {})
    if body is None:
        return
    on_calendar(body)
    if case.path.endswith("/social/{post_id}"):  # each has an id of its own
        by_id = {one["comment_id"]: one for one in body.get("comments", [])}
        if by_id:
            body["comments"] = list(by_id.values())
    if case.path == "/api/deadletters/redrive/":  # one of two
        case.body = {"ids": body.get("ids") or [1]}
    if case.path == "/api/repush/all/":  # from lies before to
        drop(body, "to")
        if "filter" in body:  # its members are fields of the dataset
            body["filter"] = {"amount__gt": 40, "country": "FR"}
    if case.path == "/api/access/grant/" and "expires_at" in body:
        body["expires_at"] = "2099-01-01T00:00:00Z"


# Time begins in 1970 here.
DAYS = strategies.dates(min_value=datetime.date(1970, 1, 1)).map(str)
TIMES = strategies.datetimes(
    min_value=datetime.datetime(1970, 1, 1),
    timezones=strategies.just(datetime.timezone.utc),
).map(lambda at: at.isoformat())
schemathesis.openapi.format("date", DAYS)
schemathesis.openapi.format("date-time", TIMES)
