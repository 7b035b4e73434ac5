# xgboost_say.py - What XGBoost's own Python package says about transactions.
#
# usage: xgboost_say.py MODEL NATIVE ROWS
#
# Reads inputs and rates from MODEL as core/MODEL.md describes it, the trees
# from NATIVE, which XGBoost wrote, and a transaction a line from ROWS; prints
# a number for each.  It shares no code with the product.
# SPDX-License-Identifier: Apache-2.0
import datetime
import json
import struct
import sys

import numpy
import xgboost

data = open(sys.argv[1], "rb").read()
at = 8 + 4 + 36


def take(form):
    global at
    value = struct.unpack_from("<" + form, data, at)
    at += struct.calcsize("<" + form)
    return value[0] if len(value) == 1 else value


def text():
    global at
    size = shift = 0
    while True:
        byte = take("B")
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    at += size
    return data[at - size:at].decode()


target, version, base, numbers = take("B"), take("I"), take("f"), take("B")
texts = [[text() for _ in range(take("B"))] for _ in range(5)]
currency = take("3s").decode()
rates = []
for _ in range(take("I")):
    name, day, low, high = take("3s"), take("i"), take("Q"), take("q")
    rates.append((name.decode(), day, (high << 64 | low) / 1e10))


def in_base(row, when):
    amount, of = row.get("amount"), row.get("currency")
    if amount is None or of is None:
        return None
    if of.upper() == currency:
        return amount
    day = (when - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)).days if when else 10 ** 6
    valid = [rate for name, first, rate in rates if name == of.upper() and first <= day]
    return round(amount * valid[-1], 10) if valid else None


def columns(row):
    when = row.get("timestamp")
    when = datetime.datetime.fromisoformat(when.replace("Z", "+00:00")) if when else None
    values = [in_base(row, when), row.get("quantity"), row.get("customer_rating"),
              when.hour if when else None, when.weekday() if when else None]
    out = [numpy.nan if value is None else value
           for i, value in enumerate(values) if numbers >> i & 1]
    names = ["currency", "transaction_type", "payment_method", "product_category", "country"]
    for name, known in zip(names, texts):
        value = row.get(name)
        if value is None:
            out += [numpy.nan] * (len(known) + 1)
        else:
            out += [float(value == one) for one in known] + [float(value not in known)]
    return out


booster = xgboost.Booster(model_file=sys.argv[2])
rows = [columns(json.loads(line)) for line in open(sys.argv[3])]
matrix = xgboost.DMatrix(numpy.array(rows, dtype=numpy.float32), missing=numpy.nan)
for value in booster.predict(matrix):
    print("%.9g" % value)
